/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/config.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"
#include "base/text.h"
#include "kube/kubeconfig.h"

#include <stdio.h>
#include <sys/stat.h>

static char folder[] = "/tmp/facet-config-XXXXXX";

/* An error text with FOLDER in place of the test's folder. */
static const char *neutral(const char *text) {
  static char buffer[2 * ERROR_TEXT_SIZE];
  size_t used = 0;
  while (*text && used < sizeof buffer - 8) {
    bool is_folder = strncmp(text, folder, strlen(folder)) == 0;
    used += (size_t)snprintf(buffer + used, sizeof buffer - used, is_folder ? "FOLDER" : "%c", *text);
    text += is_folder ? strlen(folder) : 1;
  }
  buffer[used] = '\0';
  return buffer;
}

static char *path_of(const char *name) {
  return mem_format("%s/%s", folder, name);
}

static void write_bytes(const char *name, const void *bytes, size_t size) {
  CLEANUP(cleanup_free) char *path = path_of(name);
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "we");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
}

static void write_file(const char *name, const char *text) {
  write_bytes(name, text, strlen(text));
}

static void fails(const char *path, const char *context, const char *expected) {
  Error err = {0};
  KubeConfig config = {0};
  assert_true(kube_config_load(path, context, &config, &err) < 0);
  assert_string_equal(neutral(err.text), expected);
  assert_null(config.server); /* outputs are written on success only */
}

static int set_up(void **state) {
  unsetenv("KUBECONFIG");
  unsetenv("KUBERNETES_SERVICE_HOST");
  unsetenv("KUBERNETES_SERVICE_PORT");
  setenv("HOME", folder, 1);
  return 0;
}

#define ONE_CONTEXT "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
#define ONE_CLUSTER "clusters: [{name: k, cluster: {server: \"https://h:6443\"}}]\n"

static void all_fields_of_a_context_are_read(void **state) {
  write_file("full",
             "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
             "contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: ns}\n"
             "clusters:\n- name: other\n- name: k\n  cluster:\n    server: https://h:6443/\n"
             "    tls-server-name: kubernetes\n    proxy-url: http://p:1\n"
             "    certificate-authority: pki/ca.crt\n    disable-compression: true\n"
             "users:\n- name: u\n  user:\n    client-certificate: /abs/u.crt\n"
             "    client-key-data: S0VZ\n    tokenFile: t\n    token: ignored\n    unknown-key: [1]\n");
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("full"), *ca = path_of("pki/ca.crt"), *token = path_of("t");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  assert_string_equal(config.server, "https://h:6443");
  assert_string_equal(config.tls_server_name, "kubernetes");
  assert_string_equal(config.proxy_url, "http://p:1");
  assert_string_equal(config.ca_file, ca);
  assert_null(config.ca_data);
  assert_string_equal(config.client_certificate_file, "/abs/u.crt");
  assert_string_equal(config.client_key_data, "KEY");
  assert_null(config.client_key_file);
  assert_string_equal(config.token_file, token);
  assert_null(config.token);
  assert_string_equal(config.namespace_, "ns");
  assert_false(config.insecure);
  assert_string_equal(neutral(config.source), "context \"c\" of FOLDER/full");
}

static void data_wins_over_files_and_may_be_folded(void **state) {
  write_file("data",
             ONE_CONTEXT "clusters: [{name: k, cluster: {server: \"https://h\", certificate-authority: x,"
                         " certificate-authority-data: \"QUJD\\nREVG\\r\\nRw==\"}}]\n"
                         "users: [{name: u, user: {username: me, password: secret}}]\n");
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("data");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  assert_string_equal(config.ca_data, "ABCDEFG");
  assert_null(config.ca_file);
  assert_string_equal(config.username, "me");
  assert_string_equal(config.password, "secret");
  assert_string_equal(config.namespace_, "default");
}

static void a_context_without_a_user_is_anonymous(void **state) {
  write_file("anonymous",
             "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
             "clusters: [{name: k, cluster: {server: \"http://h:80//\", insecure-skip-tls-verify: "
             "true}}]\n");
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("anonymous");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  assert_string_equal(config.server, "http://h:80");
  assert_true(config.insecure);
  assert_null(config.token);
}

static void json_is_yaml_too(void **state) {
  write_file("json",
             "{\"kind\":\"Config\",\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":"
             "{\"cluster\":\"k\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"k\",\"cluster\":"
             "{\"server\":\"https://h\"}}],\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}]}");
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("json");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  assert_string_equal(config.token, "t");
}

static void of_several_files_the_first_that_knows_a_name_wins(void **state) {
  write_file("m1", "clusters: [{name: k, cluster: {server: \"https://first\"}}]\n");
  write_file("m2", "current-context: c\n"
                   "clusters: [{name: k, cluster: {server: \"https://second\"}}]\n"
                   "contexts: [{name: c, context: {cluster: k, user: u}}]\n");
  write_file("m3", "current-context: d\nusers: [{name: u, user: {tokenFile: t}}]\n");
  CLEANUP(cleanup_free)
  char *list = mem_format(":%s/absent:%s/m1:%s/m2::%s/m3:%s/m1:", folder, folder, folder, folder, folder);
  setenv("KUBECONFIG", list, 1);
  Error err = {0};
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(NULL, NULL, &config, &err));
  assert_string_equal(config.server, "https://first");
  assert_string_equal(neutral(config.token_file), "FOLDER/t");
  assert_string_equal(neutral(config.source), "context \"c\" of FOLDER/m2");
}

static void the_named_context_wins_over_the_current_one(void **state) {
  write_file("two",
             ONE_CLUSTER "current-context: a\ncontexts:\n- {name: a, context: {cluster: k, namespace: na}}\n"
                         "- {name: b, context: {cluster: k, namespace: nb}}\n");
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("two");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, "b", &config, &err));
  assert_string_equal(config.namespace_, "nb");
}

static void the_file_in_the_home_folder_is_the_last_resort(void **state) {
  CLEANUP(cleanup_free) char *kube = path_of(".kube");
  mkdir(kube, 0700);
  write_file(".kube/config", ONE_CONTEXT ONE_CLUSTER "users: [{name: u}]\n");
  Error err = {0};
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(NULL, NULL, &config, &err));
  assert_string_equal(neutral(config.source), "context \"c\" of FOLDER/.kube/config");
}

static void nothing_found_tells_what_was_looked_for(void **state) {
  setenv("HOME", "/nonexistent", 1);
  fails(NULL, NULL,
        "no way to a cluster: KUBECONFIG is not set, this is not a pod (KUBERNETES_SERVICE_HOST is not set), "
        "and /nonexistent/.kube/config does not exist; give --kubeconfig FILE");
  unsetenv("HOME");
  fails(NULL, NULL,
        "no way to a cluster: KUBECONFIG is not set, this is not a pod (KUBERNETES_SERVICE_HOST is not set), "
        "and ~/.kube/config cannot be found because HOME is not set; give --kubeconfig FILE");
  setenv("KUBECONFIG", "/nonexistent/a:/nonexistent/b", 1);
  fails(NULL, NULL,
        "no file of KUBECONFIG (/nonexistent/a:/nonexistent/b) exists; correct it or give --kubeconfig FILE");
  fails("/nonexistent/c", NULL, "the kubeconfig /nonexistent/c does not exist; check --kubeconfig");
}

typedef struct BadFile {
  const char *text;
  const char *context;
  const char *expected;
} BadFile;

#define USER(fields)    ONE_CONTEXT ONE_CLUSTER "users: [{name: u, user: {" fields "}}]\n"
#define CLUSTER(fields) ONE_CONTEXT "users: [{name: u}]\nclusters: [{name: k, cluster: {" fields "}}]\n"

static const BadFile bad_files[] = {
    {"", NULL, "FOLDER/bad has no current-context; choose one with --context (contexts there: none)"},
    {"a: [", NULL, "FOLDER/bad is not valid YAML: did not find expected node content (line 2)"},
    {"a: 1\n b: 2\n", NULL,
     "FOLDER/bad is not valid YAML: mapping values are not allowed in this context (line 2)"},
    {"a: \"\xff\"\n", NULL, "FOLDER/bad is not valid YAML: invalid leading UTF-8 octet (byte 4)"},
    {"just a text", NULL, "FOLDER/bad is not a kubeconfig: it holds a text where a mapping should be"},
    {"[1, 2]", NULL, "FOLDER/bad is not a kubeconfig: it holds a list where a mapping should be"},
    {"kind: Pod\n", NULL, "FOLDER/bad is not a kubeconfig: its kind is Pod, not Config"},
    {"current-context: [x]\n", NULL,
     "FOLDER/bad: \"current-context\" is a list where a text should be (line 1)"},
    {"contexts: {}\n", "x", "FOLDER/bad: \"contexts\" is a mapping where a list should be (line 1)"},
    {"contexts: [{name: a}, {name: b}]\n", NULL,
     "FOLDER/bad has no current-context; choose one with --context (contexts there: a, b)"},
    {ONE_CONTEXT, "x",
     "the context \"x\" is not in FOLDER/bad; choose another one with --context (contexts there: c)"},
    {"contexts: [{name: c}, {name: c}]\n", "c", "FOLDER/bad names the context \"c\" twice; remove one"},
    {"contexts: [{name: c, context: {user: u}}]\n", "c",
     "FOLDER/bad: the context \"c\" names no cluster; add \"cluster: NAME\""},
    {ONE_CONTEXT, NULL,
     "the context \"c\" uses the cluster \"k\", which is not in FOLDER/bad; add it or choose another "
     "context"},
    {ONE_CONTEXT ONE_CLUSTER, NULL,
     "the context \"c\" uses the user \"u\", which is not in FOLDER/bad; add it or choose another context"},
    {CLUSTER(""), NULL, "FOLDER/bad: the cluster \"k\" has no server; add \"server: https://HOST:PORT\""},
    {CLUSTER("server: ''"), NULL,
     "FOLDER/bad: the cluster \"k\" has no server; add \"server: https://HOST:PORT\""},
    {CLUSTER("server: 'h:6443'"), NULL,
     "FOLDER/bad: the server \"h:6443\" of the cluster \"k\" does not begin with https:// or http://; write "
     "it with one"},
    {CLUSTER("server: \"https://h\", insecure-skip-tls-verify: perhaps"), NULL,
     "FOLDER/bad: \"insecure-skip-tls-verify\" is \"perhaps\" where true or false should be (line 4)"},
    {CLUSTER("server: \"https://h\", insecure-skip-tls-verify: true, certificate-authority: ca"), NULL,
     "FOLDER/bad: the cluster \"k\" has both insecure-skip-tls-verify and a certificate authority; remove "
     "one of "
     "them"},
    {CLUSTER("server: \"https://h\", certificate-authority-data: 'AB*='"), NULL,
     "FOLDER/bad: \"certificate-authority-data\" of the cluster \"k\" is not valid base64; encode the PEM "
     "file with \"base64 -w0\""},
    {CLUSTER("server: \"a\\0b\""), NULL, "FOLDER/bad: \"server\" contains a NUL character (line 4)"},
    {USER("client-certificate: x"), NULL,
     "FOLDER/bad: the user \"u\" has a client-certificate but no client-key; add it"},
    {USER("client-key-data: QUJD"), NULL,
     "FOLDER/bad: the user \"u\" has a client-key but no client-certificate; add it"},
    {USER("token: t, username: me"), NULL,
     "FOLDER/bad: the user \"u\" has both a token and a username or password; remove one of them"},
    {USER("exec: {command: aws, args: [eks]}"), NULL,
     "FOLDER/bad: the exec plugin of the user \"u\" (aws) has the apiVersion (none); facet knows "
     "client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1"},
    {USER("exec: {command: aws, apiVersion: client.authentication.k8s.io/v1alpha1}"), NULL,
     "FOLDER/bad: the exec plugin of the user \"u\" (aws) has the apiVersion "
     "client.authentication.k8s.io/v1alpha1; facet knows client.authentication.k8s.io/v1 and "
     "client.authentication.k8s.io/v1beta1"},
    {USER("exec: {apiVersion: client.authentication.k8s.io/v1}"), NULL,
     "FOLDER/bad: the exec plugin of the user \"u\" has no command; add it"},
    {USER("exec: {command: ask, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}"), NULL,
     "FOLDER/bad: the exec plugin of the user \"u\" (ask) wants to ask a person (interactiveMode: Always), "
     "and facet has none to ask; use one that does not"},
    {USER("exec: {command: aws, apiVersion: client.authentication.k8s.io/v1, args: [[1]]}"), NULL,
     "FOLDER/bad: \"args\" of the user \"u\" holds something that is no text (line 4)"},
    {USER("exec: aws"), NULL, "FOLDER/bad: \"exec\" is a text where a mapping should be (line 4)"},
    {USER("auth-provider: {name: gcp}"), NULL,
     "the user \"u\" of FOLDER/bad uses an auth-provider (gcp), which facet does not support yet; use a "
     "client certificate, a token, an exec plugin or a service account"},
    {USER("as: root"), NULL,
     "the user \"u\" of FOLDER/bad impersonates another one (\"as\"), which facet does not support yet; use "
     "a client certificate, a token, an exec plugin or a service account"},
};

static void each_mistake_in_a_file_is_named(void **state) {
  CLEANUP(cleanup_free) char *path = path_of("bad");
  for (size_t i = 0; i < COUNT_OF(bad_files); i++) {
    write_file("bad", bad_files[i].text);
    fails(path, bad_files[i].context, bad_files[i].expected);
  }
}

static void base64_must_be_exact(void **state) {
  static const char *const wrong[] = {
      "A", "AB", "ABC", "AB=C", "A===", "====", "QUI", "QUJD=", "AA==", "-UJD"};
  CLEANUP(cleanup_free) char *path = path_of("base64");
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    CLEANUP(cleanup_free)
    char *text = mem_format("%susers: [{name: u, user: {client-key-data: '%s'}}]\n", ONE_CONTEXT ONE_CLUSTER,
                            wrong[i]);
    write_file("base64", text);
    fails(
        path, NULL,
        "FOLDER/base64: \"client-key-data\" of the user \"u\" is not valid base64; encode the PEM file with "
        "\"base64 -w0\"");
  }
}

static void a_file_is_read_up_to_its_limit(void **state) {
  static const char base[] = ONE_CONTEXT ONE_CLUSTER "users: [{name: u}]\n#";
  CLEANUP(cleanup_free) char *text = mem_alloc(KUBE_CONFIG_FILE_MAX + 1);
  memset(text, 'x', KUBE_CONFIG_FILE_MAX + 1);
  memcpy(text, base, sizeof base - 1);
  write_bytes("large", text, KUBE_CONFIG_FILE_MAX);
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("large");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  write_bytes("large", text, KUBE_CONFIG_FILE_MAX + 1);
  fails(path, NULL, "FOLDER/large is larger than 4 MiB, which no configuration should be");
}

static void a_list_of_files_has_a_limit(void **state) {
  CLEANUP(text_deinit) Text list = {0};
  for (int i = 0; i <= KUBE_CONFIG_FILES_MAX; i++) {
    char name[16];
    snprintf(name, sizeof name, "list%d", i);
    write_file(name, i == 0 ? ONE_CONTEXT ONE_CLUSTER "users: [{name: u}]\n" : "{}");
    if (i == KUBE_CONFIG_FILES_MAX) {
      Error err = {0};
      CLEANUP(kube_config_deinit) KubeConfig config = {0};
      setenv("KUBECONFIG", text_string(&list), 1);
      assert_ok(kube_config_load(NULL, NULL, &config, &err));
    }
    text_format(&list, ":%s/%s", folder, name);
  }
  setenv("KUBECONFIG", text_string(&list), 1);
  fails(NULL, NULL, "KUBECONFIG names more than 16 files; shorten the list");
}

static void an_unreadable_file_is_an_error_even_in_a_list(void **state) {
  setenv("KUBECONFIG", folder, 1);
  fails(NULL, NULL, "cannot read FOLDER: Is a directory");
}

/* Whatever the bytes are, there is an answer and nothing leaks. */
static void damaged_files_never_crash(void **state) {
  static const char good[] = USER("token: t, client-certificate-data: QUJD, client-key-data: \"QUJD\"");
  Random random = {.state = 20240607};
  print_message("# seed=%llu\n", (unsigned long long)random.state);
  CLEANUP(cleanup_free) char *path = path_of("damaged");
  for (size_t i = 0; i < 2 * sizeof good; i++) {
    char bytes[sizeof good];
    memcpy(bytes, good, sizeof good);
    bool is_cut = i < sizeof good;
    if (!is_cut)
      for (int n = 0; n < 3; n++)
        bytes[random_below(&random, sizeof good - 1)] = (char)random_next(&random);
    write_bytes("damaged", bytes, is_cut ? i : sizeof good - 1);
    Error err = {0};
    CLEANUP(kube_config_deinit) KubeConfig config = {0};
    int r = kube_config_load(path, NULL, &config, &err);
    assert_true(r == 0 ? config.server != NULL : *err.text != '\0');
  }
}

static void a_pod_uses_its_service_account(void **state) {
  write_file("token", "abc\n");
  write_file("ca.crt", "PEM");
  write_file("namespace", "gpu-system\n");
  Error err = {0};
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_service_account_read(folder, "10.0.0.1", "443", &config, &err));
  assert_string_equal(config.server, "https://10.0.0.1:443");
  assert_string_equal(neutral(config.token_file), "FOLDER/token");
  assert_string_equal(neutral(config.ca_file), "FOLDER/ca.crt");
  assert_string_equal(config.namespace_, "gpu-system");
  assert_string_equal(config.source, "the pod's service account");
}

static void a_service_address_in_ipv6_gets_brackets(void **state) {
  Error err = {0};
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  assert_ok(kube_service_account_read(folder, "fd00::1", "443", &config, &err));
  assert_string_equal(config.server, "https://[fd00::1]:443");
}

static void an_incomplete_service_account_is_named(void **state) {
  Error err = {0};
  KubeConfig config = {0};
  assert_fails(
      kube_service_account_read("/nonexistent", "h", "443", &config, &err),
      "the service account of this pod cannot be used: cannot read /nonexistent/token: No such file or "
      "directory");
  setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
  fails(NULL, NULL,
        "KUBERNETES_SERVICE_HOST is set but KUBERNETES_SERVICE_PORT is not; set both or give --kubeconfig "
        "FILE");
}

static void a_copy_owns_everything(void **state) {
  write_file("copy", USER("token: t"));
  Error err = {0};
  CLEANUP(cleanup_free) char *path = path_of("copy");
  CLEANUP(kube_config_deinit) KubeConfig copy = {0};
  KubeConfig config = {0};
  assert_ok(kube_config_load(path, NULL, &config, &err));
  kube_config_copy(&config, &copy);
  kube_config_deinit(&config);
  assert_null(config.token);
  assert_string_equal(copy.token, "t");
  assert_string_equal(copy.server, "https://h:6443");
}

static int make_folder(void **state) {
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  static const char *const names[] = {
      "full",   "data",   "anonymous", "json",   "m1",     "m2",        "m3",     "two",          "bad",
      "base64", "large",  "damaged",   "token",  "ca.crt", "namespace", "copy",   ".kube/config", "list0",
      "list1",  "list2",  "list3",     "list4",  "list5",  "list6",     "list7",  "list8",        "list9",
      "list10", "list11", "list12",    "list13", "list14", "list15",    "list16", ".kube"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    CLEANUP(cleanup_free) char *path = path_of(names[i]);
    remove(path);
  }
  return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(all_fields_of_a_context_are_read),
      TEST(data_wins_over_files_and_may_be_folded),
      TEST(a_context_without_a_user_is_anonymous),
      TEST(json_is_yaml_too),
      TEST(of_several_files_the_first_that_knows_a_name_wins),
      TEST(the_named_context_wins_over_the_current_one),
      TEST(the_file_in_the_home_folder_is_the_last_resort),
      TEST(nothing_found_tells_what_was_looked_for),
      TEST(each_mistake_in_a_file_is_named),
      TEST(base64_must_be_exact),
      TEST(a_file_is_read_up_to_its_limit),
      TEST(a_list_of_files_has_a_limit),
      TEST(an_unreadable_file_is_an_error_even_in_a_list),
      TEST(damaged_files_never_crash),
      TEST(a_pod_uses_its_service_account),
      TEST(a_service_address_in_ipv6_gets_brackets),
      TEST(an_incomplete_service_account_is_named),
      TEST(a_copy_owns_everything),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
