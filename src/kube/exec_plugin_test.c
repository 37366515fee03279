/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin is told, what it may answer, and what becomes of it where it is run. Plugins are shell
 * scripts here. */
#include "base/test.h"

#include "base/text.h"
#include "kube/exec_run.h"
#include "kube/exec_testing.h"

#define ANSWER  "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1 "\",\"status\":"
#define WITH(s) ANSWER s "}"

/* `script` is what the plugin does. */
static void make_config(const char *script, KubeConfig *ret_config) {
  *ret_config = (KubeConfig){.server = mem_strdup("https://h:6443"),
                             .ca_data = mem_strdup("PEM"),
                             .source = mem_strdup("the test"),
                             .exec = exec_of_script(script)};
  ret_config->exec->provides_cluster_info = true;
}

static void decodes(const char *text, const char *token, const char *certificate, int64_t expires_s) {
  CLEANUP(kube_config_deinit) KubeConfig config;
  CLEANUP(kube_exec_credential_deinit) KubeExecCredential credential = {0};
  Error err = {0};
  make_config("", &config);
  assert_ok(kube_exec_decode(&config, text, strlen(text), &credential, &err));
  assert_true(string_equal(credential.token, token) && string_equal(credential.certificate, certificate));
  assert_int_equal(credential.expires_s, expires_s);
}

static void a_token_or_a_certificate_is_taken_with_its_end(void **state) {
  decodes(WITH("{\"token\":\"t\"}"), "t", NULL, 0);
  decodes(WITH("{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-01T00:00:00Z\"}"), "t", NULL, 1767225600);
  decodes(WITH("{\"token\":\"t\",\"expirationTimestamp\":null,\"more\":[1]}"), "t", NULL, 0);
  decodes(WITH("{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}"), NULL, "c", 0);
}

static void what_is_no_credential_is_refused_in_words(void **state) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"", "what the exec plugin /bin/sh (the test) printed cannot be read: the JSON ends at "
           "byte 0 where an object was expected"},
      {"{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}",
       "the exec plugin /bin/sh (the test) printed a Pod of v1; an "
       "ExecCredential of " EXEC_V1 " was due"},
      {"{}", "the exec plugin /bin/sh (the test) printed a thing without a kind of no apiVersion; an "
             "ExecCredential of " EXEC_V1 " was due"},
      {"{\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1 "beta1\"}",
       "the exec plugin /bin/sh (the test) printed a ExecCredential of " EXEC_V1
       "beta1; an ExecCredential of " EXEC_V1 " was due"},
      {WITH("{}"), "the exec plugin /bin/sh (the test) printed neither a token nor a client certificate"},
      {WITH("{\"clientKeyData\":\"k\",\"token\":\"t\"}"),
       "the exec plugin /bin/sh (the test) printed a client key without a certificate"},
      {WITH("{\"clientCertificateData\":\"c\"}"),
       "the exec plugin /bin/sh (the test) printed a client certificate without a key"},
  };
  CLEANUP(kube_config_deinit) KubeConfig config;
  make_config("", &config);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    KubeExecCredential credential = {0};
    Error err = {0};
    assert_fails(kube_exec_decode(&config, cases[i].text, strlen(cases[i].text), &credential, &err),
                 cases[i].expected);
  }
}

static void it_is_told_who_asks_and_of_which_cluster(void **state) {
  CLEANUP(kube_config_deinit) KubeConfig config;
  make_config("", &config);
  setenv("PROFILE", "ours", 1);
  setenv("KUBERNETES_EXEC_INFO", "somebody else's", 1);
  char **env = kube_exec_make_env(&config);
  int profiles = 0, infos = 0, others = 0;
  for (char **word = env; *word; word++) {
    profiles += strcmp(*word, "PROFILE=test") == 0;
    infos += strcmp(*word, "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1
                           "\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"https://h:6443\","
                           "\"certificate-authority-data\":\"UEVN\"}}}") == 0;
    others +=
        strcmp(*word, "PROFILE=ours") == 0 || strcmp(*word, "KUBERNETES_EXEC_INFO=somebody else's") == 0;
  }
  kube_exec_free_words(env);
  assert_int_equal(profiles, 1);
  assert_int_equal(infos, 1);
  assert_int_equal(others, 0);
}

static void it_is_run_with_its_arguments_and_environment(void **state) {
  CLEANUP(kube_config_deinit) KubeConfig config;
  CLEANUP(kube_exec_credential_deinit) KubeExecCredential credential = {0};
  Error err = {0};
  make_config("echo '" ANSWER "{\"token\":\"'$0-$PROFILE'\"}}'", &config);
  assert_ok(kube_exec_run_now(&config, &credential, &err));
  assert_string_equal(credential.token, "plugin-test");
}

static void runs_into(const char *script, const char *command, const char *hint, const char *expected) {
  CLEANUP(kube_config_deinit) KubeConfig config;
  KubeExecCredential credential = {0};
  Error err = {0};
  make_config(script, &config);
  free(config.exec->command);
  config.exec->command = mem_strdup(command);
  config.exec->install_hint = mem_strdup(hint);
  assert_fails(kube_exec_run_now(&config, &credential, &err), expected);
}

static void what_goes_wrong_names_the_plugin_and_what_helps(void **state) {
  runs_into("echo 'your session' >&2; echo 'has ended' >&2; exit 4", "/bin/sh", NULL,
            "the exec plugin /bin/sh (the test) ended with exit status 4: your session has ended");
  runs_into("kill -9 $$", "/bin/sh", NULL, "the exec plugin /bin/sh (the test) ended with signal 9");
  runs_into("", "facet-no-such-plugin", NULL,
            "cannot run the exec plugin facet-no-such-plugin (the test): no such file or directory; install "
            "it, or correct "
            "the command of the user's exec");
  runs_into("", "facet-no-such-plugin", "run: apt-get install it",
            "cannot run the exec plugin facet-no-such-plugin (the test): no such file or directory; run: "
            "apt-get install "
            "it");
  runs_into("head -c 1048577 /dev/zero", "/bin/sh", NULL,
            "the exec plugin /bin/sh (the test) printed more than 1024 KiB");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_or_a_certificate_is_taken_with_its_end),
      cmocka_unit_test(what_is_no_credential_is_refused_in_words),
      cmocka_unit_test(it_is_told_who_asks_and_of_which_cluster),
      cmocka_unit_test(it_is_run_with_its_arguments_and_environment),
      cmocka_unit_test(what_goes_wrong_names_the_plugin_and_what_helps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
