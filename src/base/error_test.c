/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/test.h"

#include <errno.h>

static void an_error_is_a_code_and_a_sentence(void **state) {
  Error err;
  int r = error_set(&err, ERROR_NOT_FOUND, "node %s has no GPU %d", "n1", 3);
  assert_int_equal(r, -ERROR_NOT_FOUND);
  assert_int_equal(err.code, ERROR_NOT_FOUND);
  assert_string_equal(err.text, "node n1 has no GPU 3");
}

static void the_operating_systems_reason_follows_ours(void **state) {
  Error err;
  int r = error_set_errno(&err, ERROR_IO, ENOENT, "cannot open %s", "/x");
  assert_int_equal(r, -ERROR_IO);
  assert_string_equal(err.text, "cannot open /x: No such file or directory");
}

static void context_goes_in_front_and_keeps_the_code(void **state) {
  Error err;
  error_set(&err, ERROR_DENIED, "forbidden");
  assert_int_equal(error_prefix(&err, "cannot list %s", "pods"), -ERROR_DENIED);
  assert_int_equal(error_prefix(&err, "cluster %d", 7), -ERROR_DENIED);
  assert_int_equal(err.code, ERROR_DENIED);
  assert_string_equal(err.text, "cluster 7: cannot list pods: forbidden");
}

/* 'x' repeated to exactly `size` characters. */
static const char *long_text(size_t size) {
  static char text[4 * ERROR_TEXT_SIZE];
  assert_true(size < sizeof text);
  memset(text, 'x', size);
  text[size] = '\0';
  return text;
}

static void assert_cut(const Error *err) {
  assert_int_equal(strlen(err->text), ERROR_TEXT_SIZE - 1);
  assert_string_equal(err->text + ERROR_TEXT_SIZE - 5, "x...");
}

static void a_text_that_just_fits_is_whole(void **state) {
  Error err;
  error_set(&err, ERROR_IO, "%s", long_text(ERROR_TEXT_SIZE - 1));
  assert_string_equal(err.text, long_text(ERROR_TEXT_SIZE - 1));
}

static void a_longer_text_is_cut_and_looks_cut(void **state) {
  Error err;
  error_set(&err, ERROR_IO, "%s", long_text(ERROR_TEXT_SIZE));
  assert_cut(&err);
  error_set(&err, ERROR_IO, "%s", long_text(4 * ERROR_TEXT_SIZE - 1));
  assert_cut(&err);
  error_set_errno(&err, ERROR_IO, ENOENT, "%s", long_text(2 * ERROR_TEXT_SIZE));
  assert_cut(&err);
}

static void a_prefix_that_makes_it_too_long_cuts_the_end(void **state) {
  Error err;
  error_set(&err, ERROR_IO, "%s", long_text(ERROR_TEXT_SIZE - 1 - 3));
  error_prefix(&err, "a");
  assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
  assert_string_equal(err.text + ERROR_TEXT_SIZE - 3, "xx");
  error_prefix(&err, "b");
  assert_cut(&err);
  assert_memory_equal(err.text, "b: a: x", 7);
}

static void a_prefix_longer_than_the_text_is_cut_too(void **state) {
  Error err;
  error_set(&err, ERROR_IO, "reason");
  error_prefix(&err, "%s", long_text(2 * ERROR_TEXT_SIZE));
  assert_cut(&err);
}

static void every_code_has_a_word(void **state) {
  static const struct {
    int code;
    const char *name;
  } cases[] = {
      {0, "none"},
      {ERROR_INVALID, "invalid"},
      {ERROR_NOT_FOUND, "not_found"},
      {ERROR_IO, "io"},
      {ERROR_DENIED, "denied"},
      {ERROR_TIMEOUT, "timeout"},
      {ERROR_LIMIT, "limit"},
      {ERROR_PROTOCOL, "protocol"},
      {ERROR_UNAVAILABLE, "unavailable"},
      {ERROR_UNSUPPORTED, "unsupported"},
      {ERROR_CONFLICT, "conflict"},
      {ERROR_GPU, "gpu"},
      {ERROR_LOST, "lost"},
      {ERROR_LOST + 1, "unknown"},
      {-1, "unknown"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_string_equal(error_code_name(cases[i].code), cases[i].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_error_is_a_code_and_a_sentence),
      cmocka_unit_test(the_operating_systems_reason_follows_ours),
      cmocka_unit_test(context_goes_in_front_and_keeps_the_code),
      cmocka_unit_test(a_text_that_just_fits_is_whole),
      cmocka_unit_test(a_longer_text_is_cut_and_looks_cut),
      cmocka_unit_test(a_prefix_that_makes_it_too_long_cuts_the_end),
      cmocka_unit_test(a_prefix_longer_than_the_text_is_cut_too),
      cmocka_unit_test(every_code_has_a_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
