/* SPDX-License-Identifier: Apache-2.0 */
/* What a request carries besides its path: identity, host, the base of the address. */
#include "kube/credentials_testing.h"
#include "kube/curl_request.h"
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
      TEST(user_and_password_go_as_basic_authentication),
      TEST(a_server_may_have_a_path_of_its_own),
      TEST(a_tls_server_name_changes_the_name_and_not_the_address),
      TEST(an_address_that_is_none_is_refused_early),
  };
  return cmocka_run_group_tests(tests, clean_environment, forget_seen);
}
