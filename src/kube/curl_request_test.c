/* SPDX-License-Identifier: Apache-2.0 */
/* What a request carries besides its path: identity, host, the base of the address. */
#include "kube/curl_testing.h"

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
      TEST(user_and_password_go_as_basic_authentication),
      TEST(a_server_may_have_a_path_of_its_own),
      TEST(a_tls_server_name_changes_the_name_and_not_the_address),
      TEST(an_address_that_is_none_is_refused_early),
  };
  return cmocka_run_group_tests(tests, clean_environment, forget_seen);
}
