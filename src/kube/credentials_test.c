/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/credentials.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"
#include "base/text.h"
#include "kube/credentials_testing.h"

enum { DAY_S = 86400 };

/* 2026-01-02 03:04:05 UTC */
static const time_t now = 1767323045;

static EVP_PKEY *key;
static char *good_certificate, *good_key;

static int make_identity(void **state) {
  key = EVP_EC_gen("P-256");
  good_certificate = certificate_pem(key, now - DAY_S, now + DAY_S);
  good_key = key_pem(key, NULL);
  return key ? 0 : -1;
}

static int forget_identity(void **state) {
  EVP_PKEY_free(key);
  free(good_certificate);
  free(good_key);
  return 0;
}

static KubeConfig config_with(char *certificate, char *private_key) {
  return (KubeConfig){.server = (char *)"https://h",
                      .source = (char *)"context \"c\" of F",
                      .client_certificate_data = certificate,
                      .client_key_data = private_key};
}

static void a_valid_certificate_with_its_key_passes(void **state) {
  Error err = {0};
  KubeConfig config = config_with(good_certificate, good_key);
  config.ca_data = good_certificate;
  assert_ok(kube_credentials_check(&config, now, &err));
}

static void no_certificate_at_all_passes(void **state) {
  Error err = {0};
  KubeConfig config = config_with(NULL, NULL);
  assert_ok(kube_credentials_check(&config, now, &err));
}

static void the_dates_count_to_the_second(void **state) {
  Error err = {0};
  KubeConfig config = config_with(good_certificate, good_key);
  assert_ok(kube_credentials_check(&config, now - DAY_S, &err));
  assert_ok(kube_credentials_check(&config, now + DAY_S, &err));
  assert_fails(
      kube_credentials_check(&config, now + DAY_S + 1, &err),
      "the client certificate in the kubeconfig (context \"c\" of F) expired on 2026-01-03 03:04:05 UTC; "
      "renew it");
  assert_int_equal(err.code, ERROR_DENIED);
  assert_fails(kube_credentials_check(&config, now - DAY_S - 1, &err),
               "the client certificate in the kubeconfig (context \"c\" of F) is not valid before 2026-01-01 "
               "03:04:05 UTC; is this machine's clock right?");
}

static void a_key_of_somebody_else_is_refused(void **state) {
  Error err = {0};
  EVP_PKEY *other = EVP_EC_gen("P-256");
  CLEANUP(cleanup_free) char *other_key = key_pem(other, NULL);
  EVP_PKEY_free(other);
  KubeConfig config = config_with(good_certificate, other_key);
  assert_fails(kube_credentials_check(&config, now, &err),
               "the client key in the kubeconfig does not belong to the client certificate in the kubeconfig "
               "(context \"c\" of F)");
}

static void a_key_with_a_passphrase_is_refused_without_asking(void **state) {
  Error err = {0};
  CLEANUP(cleanup_free) char *locked = key_pem(key, "secret");
  KubeConfig config = config_with(good_certificate, locked);
  assert_fails(
      kube_credentials_check(&config, now, &err),
      "the client key in the kubeconfig (context \"c\" of F) is not a private key in PEM form without a "
      "passphrase");
}

static void what_is_no_certificate_is_named(void **state) {
  Error err = {0};
  KubeConfig config = config_with((char *)"hello", good_key);
  assert_fails(
      kube_credentials_check(&config, now, &err),
      "the client certificate in the kubeconfig (context \"c\" of F) is not a certificate in PEM form");
  config = config_with(good_certificate, good_key);
  config.ca_data = good_key;
  assert_fails(
      kube_credentials_check(&config, now, &err),
      "the certificate authority in the kubeconfig (context \"c\" of F) is not a certificate in PEM form");
}

static void a_missing_file_is_named(void **state) {
  Error err = {0};
  KubeConfig config = config_with(NULL, NULL);
  config.client_certificate_file = (char *)"/nonexistent/u.crt";
  assert_fails(kube_credentials_check(&config, now, &err),
               "cannot read the client certificate /nonexistent/u.crt "
               "(context \"c\" of F): No such file or directory");
  assert_int_equal(err.code, ERROR_IO);
  config = config_with(good_certificate, NULL);
  config.client_key_file = (char *)"/nonexistent/u.key";
  assert_fails(
      kube_credentials_check(&config, now, &err),
      "cannot read the client key /nonexistent/u.key (context \"c\" of F): No such file or directory");
  config = config_with(NULL, NULL);
  config.ca_file = (char *)"/nonexistent/ca.crt";
  assert_fails(kube_credentials_check(&config, now, &err),
               "cannot read the certificate authority "
               "/nonexistent/ca.crt (context \"c\" of F): No such file "
               "or directory");
}

static void damaged_certificates_never_crash(void **state) {
  Random random = {.state = 7};
  print_message("# seed=%llu\n", (unsigned long long)random.state);
  size_t size = strlen(good_certificate);
  for (size_t i = 0; i < 2 * size; i++) {
    CLEANUP(cleanup_free) char *damaged = mem_strdup(good_certificate);
    if (i < size)
      damaged[i] = '\0';
    else
      damaged[random_below(&random, size)] = (char)(1 + random_below(&random, 255));
    Error err = {0};
    KubeConfig config = config_with(damaged, good_key);
    int r = kube_credentials_check(&config, now, &err);
    assert_true(r == 0 || *err.text);
  }
}

static char token_path[] = "/tmp/facet-token-XXXXXX";

static void write_token(const char *bytes, size_t size) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(token_path, "we");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
}

static int make_token_file(void **state) {
  memcpy(token_path + strlen(token_path) - 6, "XXXXXX", 6);
  CLEANUP(cleanup_close) int fd = mkstemp(token_path);
  return fd >= 0 ? 0 : -1;
}

static int remove_token_file(void **state) {
  return unlink(token_path);
}

static void a_token_is_read_without_the_space_around_it(void **state) {
  Error err = {0};
  CLEANUP(cleanup_free) char *token = NULL, *inline_token = NULL;
  KubeConfig config = {.source = (char *)"s", .token_file = token_path};
  write_token(" \n abc.def \r\n", 12);
  assert_ok(kube_credentials_read_token(&config, &token, &err));
  assert_string_equal(token, "abc.def");
  config = (KubeConfig){.source = (char *)"s", .token = (char *)"xyz\n"};
  assert_ok(kube_credentials_read_token(&config, &inline_token, &err));
  assert_string_equal(inline_token, "xyz");
}

static void no_token_is_no_error(void **state) {
  Error err = {0};
  char *token = NULL;
  KubeConfig config = {.source = (char *)"s"};
  assert_ok(kube_credentials_read_token(&config, &token, &err));
  assert_null(token);
}

static void a_token_that_would_be_more_than_one_header_is_refused(void **state) {
  Error err = {0};
  char *token = NULL;
  static const char *const bad[] = {"", " \n", "a\nX-Other: b", "a b", "caf\xc3\xa9"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    KubeConfig config = {.source = (char *)"the test", .token = (char *)bad[i]};
    assert_fails(kube_credentials_read_token(&config, &token, &err),
                 "the token in the kubeconfig (the test) is empty or not one line of printable characters");
  }
  write_token("a\0b", 3);
  KubeConfig config = {.source = (char *)"the test", .token_file = token_path};
  assert_true(kube_credentials_read_token(&config, &token, &err) < 0);
}

static void a_token_file_is_read_up_to_its_limit(void **state) {
  Error err = {0};
  CLEANUP(cleanup_free) char *token = NULL, *large = mem_alloc(KUBE_TOKEN_SIZE_MAX + 2);
  memset(large, 't', KUBE_TOKEN_SIZE_MAX + 1);
  KubeConfig config = {.source = (char *)"the test", .token_file = token_path};
  write_token(large, KUBE_TOKEN_SIZE_MAX);
  assert_ok(kube_credentials_read_token(&config, &token, &err));
  assert_int_equal(strlen(token), KUBE_TOKEN_SIZE_MAX);
  write_token(large, KUBE_TOKEN_SIZE_MAX + 1);
  CLEANUP(cleanup_free)
  char *expected = mem_format("the token %s (the test) is larger than 64 KiB", token_path);
  char *none = NULL;
  assert_fails(kube_credentials_read_token(&config, &none, &err), expected);
}

static void a_missing_token_file_is_named(void **state) {
  Error err = {0};
  char *token = NULL;
  KubeConfig config = {.source = (char *)"the test", .token_file = (char *)"/nonexistent/token"};
  assert_fails(kube_credentials_read_token(&config, &token, &err),
               "cannot read the token /nonexistent/token (the test): No such file or directory");
}

#define TOKEN_TEST(name) cmocka_unit_test_setup_teardown(name, make_token_file, remove_token_file)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_valid_certificate_with_its_key_passes),
      cmocka_unit_test(no_certificate_at_all_passes),
      cmocka_unit_test(the_dates_count_to_the_second),
      cmocka_unit_test(a_key_of_somebody_else_is_refused),
      cmocka_unit_test(a_key_with_a_passphrase_is_refused_without_asking),
      cmocka_unit_test(what_is_no_certificate_is_named),
      cmocka_unit_test(a_missing_file_is_named),
      cmocka_unit_test(damaged_certificates_never_crash),
      TOKEN_TEST(a_token_is_read_without_the_space_around_it),
      cmocka_unit_test(no_token_is_no_error),
      TOKEN_TEST(a_token_that_would_be_more_than_one_header_is_refused),
      TOKEN_TEST(a_token_file_is_read_up_to_its_limit),
      cmocka_unit_test(a_missing_token_file_is_named),
  };
  return cmocka_run_group_tests(tests, make_identity, forget_identity);
}
