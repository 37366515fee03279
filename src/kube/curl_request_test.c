/* SPDX-License-Identifier: Apache-2.0 */
/* What a request carries besides its path: identity, host, the base of the address. */
#include "kube/credentials_testing.h"
#include "kube/curl_request.h"
#include "kube/curl_testing.h"
#include "kube/exec_testing.h"

static char token_path[] = "/tmp/facet-token-XXXXXX";

static void write_token(const char *text) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(token_path, "we");
  assert_non_null(file);
  fputs(text, file);
}

static void call_once(Stage *stage, const char *path) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  start_get(stage, &heard, path, 0);
  run(stage);
  assert_int_equal(heard.err.code, 0);
}

static void a_token_file_is_read_again_when_the_server_refuses_it(void **state) {
  Stage *stage = *state;
  int fd = mkstemp(token_path);
  assert_true(fd >= 0);
  close(fd);
  write_token(" first\n");
  stage->config.token_file = token_path;
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer first\n"));
  write_token("second");
  call_once(stage, "/unauthorized");
  assert_true(was_seen("Authorization: Bearer first\n"));
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer second\n"));
  write_token("");
  call_once(stage, "/unauthorized");
  call_once(stage, "/x"); /* an unreadable file leaves the old token in place */
  assert_true(was_seen("Authorization: Bearer second\n"));
  unlink(token_path);
}

/* Its tokens are t1, t2, ... */
static KubeExec *plugin_that_counts(const char *runs) {
  CLEANUP(cleanup_free)
  char *script = mem_format("echo >> %s; echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1
                            "\",\"status\":{\"token\":\"t'$(wc -l < %s)'\"}}'",
                            runs, runs);
  return exec_of_script(script);
}

static void an_exec_plugin_gives_the_token_and_another_one_when_it_is_refused(void **state) {
  Stage *stage = *state;
  char runs[] = "/tmp/facet-exec-XXXXXX";
  int fd = mkstemp(runs);
  assert_true(fd >= 0);
  close(fd);
  stage->config.exec = plugin_that_counts(runs);
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer t1\n"));
  call_once(stage, "/unauthorized");
  call_once(stage, "/x"); /* asks the plugin, and does not wait for it */
  assert_true(was_seen("Authorization: Bearer t1\n"));
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer t2\n"));
  kube_exec_free(stage->config.exec);
  unlink(runs);
}

typedef struct Trouble {
  int count;
  char text[ERROR_TEXT_SIZE];
} Trouble;

static void note_trouble(void *userdata, const Error *err, uint32_t held_back) {
  Trouble *trouble = userdata;
  trouble->count++;
  assert_int_equal(held_back, 0);
  snprintf(trouble->text, sizeof trouble->text, "%s", err->text);
}

static void an_exec_plugin_that_fails_when_it_is_asked_again_is_told_of(void **state) {
  Stage *stage = *state;
  Trouble trouble = {0};
  char runs[] = "/tmp/facet-exec-XXXXXX";
  int fd = mkstemp(runs);
  assert_true(fd >= 0);
  close(fd);
  CLEANUP(cleanup_free)
  char *script = mem_format("if [ -s %s ]; then echo 'log in again' >&2; exit 4; fi; echo >> %s; "
                            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1
                            "\",\"status\":{\"token\":\"t1\"}}'",
                            runs, runs);
  stage->config.exec = exec_of_script(script);
  use_config(stage);
  kube_curl_hear_exec(stage->curl, note_trouble, &trouble);
  call_once(stage, "/unauthorized");
  assert_int_equal(trouble.count, 0);
  call_once(stage, "/x"); /* asks the plugin, and does not wait for it */
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Bearer t1\n"));
  assert_int_equal(trouble.count, 1);
  CLEANUP(cleanup_free)
  char *expected =
      mem_format("the exec plugin /bin/sh (%s) ended with exit status 4: log in again", stage->config.source);
  assert_string_equal(trouble.text, expected);
  kube_exec_free(stage->config.exec);
  unlink(runs);
}

static void an_exec_plugin_is_asked_before_its_credential_ends_and_not_too_often(void **state) {
  KubeCurlTarget target = {.config.exec = exec_of_script(""), .expires_s = 1000};
  assert_false(kube_curl_target_asks_exec(&target, 1, 1000 - KUBE_CURL_EXEC_EARLY_S - 1));
  assert_true(kube_curl_target_asks_exec(&target, 1, 1000 - KUBE_CURL_EXEC_EARLY_S));
  assert_false(kube_curl_target_asks_exec(&target, KUBE_CURL_EXEC_PAUSE_MS, 1000));
  assert_true(kube_curl_target_asks_exec(&target, 1 + KUBE_CURL_EXEC_PAUSE_MS, 1000));
  target.expires_s = 0;
  assert_false(kube_curl_target_asks_exec(&target, 1000000, 2000));
  target.is_refused = true;
  assert_true(kube_curl_target_asks_exec(&target, 1000000, 2000));
  kube_curl_target_deinit(&target);
  target.is_refused = true;
  assert_false(kube_curl_target_asks_exec(&target, 1000000, 2000)); /* there is none */
}

/* A client certificate with its key, as files that somebody renews. */
typedef struct Identity {
  char folder[32];
  char *certificate_path, *key_path;
  char *certificate, *key; /* what was written last */
} Identity;

static void write_file(const char *path, const char *text) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "we");
  assert_non_null(file);
  fputs(text, file);
}

static void renew(Identity *identity) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  free(identity->certificate);
  free(identity->key);
  identity->certificate = certificate_pem(key, time(NULL) - 3600, time(NULL) + 3600);
  identity->key = key_pem(key, NULL);
  EVP_PKEY_free(key);
}

static Identity make_identity(KubeConfig *config) {
  Identity identity = {.folder = "/tmp/facet-identity-XXXXXX"};
  assert_non_null(mkdtemp(identity.folder));
  identity.certificate_path = mem_format("%s/c", identity.folder);
  identity.key_path = mem_format("%s/k", identity.folder);
  renew(&identity);
  write_file(identity.certificate_path, identity.certificate);
  write_file(identity.key_path, identity.key);
  *config = (KubeConfig){.server = (char *)"https://h",
                         .source = (char *)"the test",
                         .client_certificate_file = identity.certificate_path,
                         .client_key_file = identity.key_path};
  return identity;
}

static void cleanup_identity(Identity *identity) {
  unlink(identity->certificate_path);
  unlink(identity->key_path);
  rmdir(identity->folder);
  free(identity->certificate_path);
  free(identity->key_path);
  free(identity->certificate);
  free(identity->key);
}

/* A request of that moment; what it would show the server is in target->loaded then. */
static void request_at(KubeCurlTarget *target, uint64_t now_ms) {
  struct curl_slist *headers = NULL;
  KubeRequest request = {.method = "GET", .path = "/x"};
  CURL *easy = kube_curl_request_new(target, &request, now_ms, &headers);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
}

/* From the kubeconfig's own token to a certificate. */
static void what_an_exec_plugin_gives_takes_the_place_of_what_was_there(void **state) {
  Error err = {0};
  KubeConfig config;
  CLEANUP(cleanup_identity) Identity identity = make_identity(&config);
  CLEANUP(kube_curl_target_deinit) KubeCurlTarget target = {0};
  assert_ok(kube_curl_target_init(&target, &config, 1000, &err));
  renew(&identity);
  const KubeExecCredential credential = {
      .token = (char *)"t", .certificate = identity.certificate, .key = identity.key, .expires_s = 7};
  kube_curl_target_take(&target, &credential, 1001);
  assert_string_equal(target.token, "t");
  assert_string_equal(target.loaded.client_certificate_data, identity.certificate);
  assert_string_equal(target.loaded.client_key_data, identity.key);
  assert_int_equal(target.expires_s, 7);
}

static void renewed_certificates_are_used_within_a_minute(void **state) {
  Error err = {0};
  KubeConfig config;
  CLEANUP(cleanup_identity) Identity identity = make_identity(&config);
  CLEANUP(kube_curl_target_deinit) KubeCurlTarget target = {0};
  assert_ok(kube_curl_target_init(&target, &config, 1000, &err));
  CLEANUP(cleanup_free) char *first = mem_strdup(identity.certificate);
  renew(&identity);
  write_file(identity.certificate_path, identity.certificate);
  write_file(identity.key_path, identity.key);
  request_at(&target, 1000 + KUBE_CURL_IDENTITY_MS - 1);
  assert_string_equal(target.loaded.client_certificate_data, first);
  request_at(&target, 1000 + KUBE_CURL_IDENTITY_MS);
  assert_string_equal(target.loaded.client_certificate_data, identity.certificate);
  assert_string_equal(target.loaded.client_key_data, identity.key);
}

static void a_refusal_makes_it_look_for_renewed_certificates_at_once(void **state) {
  Error err = {0};
  KubeConfig config;
  CLEANUP(cleanup_identity) Identity identity = make_identity(&config);
  CLEANUP(kube_curl_target_deinit) KubeCurlTarget target = {0};
  assert_ok(kube_curl_target_init(&target, &config, 1000, &err));
  renew(&identity);
  write_file(identity.certificate_path, identity.certificate);
  write_file(identity.key_path, identity.key);
  target.is_refused = true;
  request_at(&target, 1001);
  assert_string_equal(target.loaded.client_certificate_data, identity.certificate);
  assert_false(target.is_refused);
}

static void half_a_renewal_leaves_the_old_pair_in_place(void **state) {
  Error err = {0};
  KubeConfig config;
  CLEANUP(cleanup_identity) Identity identity = make_identity(&config);
  CLEANUP(kube_curl_target_deinit) KubeCurlTarget target = {0};
  assert_ok(kube_curl_target_init(&target, &config, 0, &err));
  CLEANUP(cleanup_free) char *certificate = mem_strdup(identity.certificate);
  CLEANUP(cleanup_free) char *key = mem_strdup(identity.key);
  renew(&identity);
  write_file(identity.certificate_path, identity.certificate); /* its key is not there yet */
  request_at(&target, KUBE_CURL_IDENTITY_MS);
  assert_string_equal(target.loaded.client_certificate_data, certificate);
  assert_string_equal(target.loaded.client_key_data, key);
  write_file(identity.key_path, identity.key);
  request_at(&target, 2 * KUBE_CURL_IDENTITY_MS);
  assert_string_equal(target.loaded.client_certificate_data, identity.certificate);
}

static void user_and_password_go_as_basic_authentication(void **state) {
  Stage *stage = *state;
  stage->config.username = (char *)"me";
  stage->config.password = (char *)"pw";
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Authorization: Basic bWU6cHc=\n"));
}

static void a_server_may_have_a_path_of_its_own(void **state) {
  Stage *stage = *state;
  snprintf(stage->url + strlen(stage->url), 16, "/k8s/c-1");
  use_config(stage);
  call_once(stage, "/api/v1/pods");
  assert_true(was_seen("GET /k8s/c-1/api/v1/pods\n"));
}

static void a_tls_server_name_changes_the_name_and_not_the_address(void **state) {
  Stage *stage = *state;
  stage->config.tls_server_name = (char *)"kubernetes.default.svc";
  use_config(stage);
  call_once(stage, "/x");
  CLEANUP(cleanup_free) char *host = mem_format("Host: %s\n", stage->url + strlen("http://"));
  assert_true(was_seen(host));
}

/* A name that nobody resolves: only the proxy can be asked for it. */
static void a_proxy_of_the_kubeconfig_is_asked(void **state) {
  Stage *stage = *state;
  stage->config.server = (char *)"http://nowhere.invalid:6443";
  stage->config.proxy_url = stage->url;
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Host: nowhere.invalid:6443\n"));
}

static void a_proxy_of_the_environment_is_asked_but_not_for_this_machine(void **state) {
  Stage *stage = *state;
  setenv("http_proxy", stage->url, 1);
  stage->config.server = (char *)"http://nowhere.invalid:6443";
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Host: nowhere.invalid:6443\n"));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  stage->config.server = stage->url;
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Host: 127.0.0.1:"));
  setenv("http_proxy", "http://127.0.0.1:1", 1); /* as it was */
}

/* NO_PROXY: the name is looked up, and nobody knows it. */
static void a_name_that_no_proxy_lists_is_not_asked_of_a_proxy(void **state) {
  Stage *stage = *state;
  CLEANUP(cleanup_heard) Heard heard = {0};
  setenv("http_proxy", stage->url, 1);
  setenv("NO_PROXY", "example.com,.invalid", 1);
  stage->config.server = (char *)"http://nowhere.invalid:6443";
  use_config(stage);
  start_get(stage, &heard, "/x", 0);
  run(stage);
  assert_int_equal(heard.heads, 0);
  assert_non_null(strstr(heard.err.text, "nowhere.invalid"));
  setenv("http_proxy", "http://127.0.0.1:1", 1); /* as it was */
  unsetenv("NO_PROXY");
}

static void a_server_may_have_an_ipv6_address(void **state) {
  Stage *stage = *state;
  struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct MHD_Daemon *server =
      MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_IPv6, 0, NULL, NULL, on_request, NULL,
                       MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&loopback, MHD_OPTION_END);
  if (!server) {
    print_message("# skipped: this machine has no IPv6\n");
    skip();
  }
  CLEANUP(cleanup_free)
  char *url = mem_format("http://[::1]:%u", MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
  stage->config.server = url;
  use_config(stage);
  call_once(stage, "/x");
  assert_true(was_seen("Host: [::1]:"));
  kube_curl_free(TAKE(stage->curl));
  MHD_stop_daemon(server);
}

static void an_address_that_is_none_is_refused_early(void **state) {
  Stage *stage = *state;
  Error err = {0};
  KubeCurl *curl = NULL;
  KubeConfig config = {.server = (char *)"https://a b:99999", .source = (char *)"the test"};
  assert_fails(kube_curl_new(&stage->loop, &config, &curl, &err),
               "the server \"https://a b:99999\" of the test is not a valid address; write it as "
               "https://HOST:PORT");
  config = (KubeConfig){
      .server = (char *)"https://h", .tls_server_name = (char *)"a b", .source = (char *)"the test"};
  assert_fails(kube_curl_new(&stage->loop, &config, &curl, &err),
               "the tls-server-name \"a b\" of the test is not a host name");
  assert_null(curl);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_token_file_is_read_again_when_the_server_refuses_it),
      cmocka_unit_test(renewed_certificates_are_used_within_a_minute),
      cmocka_unit_test(a_refusal_makes_it_look_for_renewed_certificates_at_once),
      cmocka_unit_test(half_a_renewal_leaves_the_old_pair_in_place),
      TEST(an_exec_plugin_gives_the_token_and_another_one_when_it_is_refused),
      TEST(an_exec_plugin_that_fails_when_it_is_asked_again_is_told_of),
      cmocka_unit_test(an_exec_plugin_is_asked_before_its_credential_ends_and_not_too_often),
      cmocka_unit_test(what_an_exec_plugin_gives_takes_the_place_of_what_was_there),
      TEST(user_and_password_go_as_basic_authentication),
      TEST(a_server_may_have_a_path_of_its_own),
      TEST(a_tls_server_name_changes_the_name_and_not_the_address),
      TEST(a_proxy_of_the_kubeconfig_is_asked),
      TEST(a_proxy_of_the_environment_is_asked_but_not_for_this_machine),
      TEST(a_name_that_no_proxy_lists_is_not_asked_of_a_proxy),
      TEST(a_server_may_have_an_ipv6_address),
      TEST(an_address_that_is_none_is_refused_early),
  };
  return cmocka_run_group_tests(tests, clean_environment, forget_seen);
}
