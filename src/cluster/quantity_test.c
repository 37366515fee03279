/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/quantity.h"

#include "base/random.h"
#include "base/text.h"

#include <inttypes.h>

typedef struct Golden {
  const char *text, *units, *milli; /* "-" where the text is refused */
} Golden;

static void check(const char *text, QuantityScale scale, const char *expected) {
  Error err;
  int64_t value = 0;
  char got[32];
  if (quantity_parse(text, scale, &value, &err) < 0)
    snprintf(got, sizeof got, "-");
  else
    snprintf(got, sizeof got, "%" PRId64, value);
  if (strcmp(got, expected) != 0)
    fail_msg("\"%s\" (scale %d) is %s, expected %s", text, (int)scale, got, expected);
}

static void every_result_is_the_one_that_go_gives(void **state) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(CLUSTER_TESTDATA "/quantities.tsv", "re");
  assert_non_null(file);
  CLEANUP(cleanup_free) char *line = NULL;
  size_t capacity = 0, count = 0;
  while (getline(&line, &capacity, file) > 0) {
    if (line[0] == '#')
      continue;
    char *rest = line;
    const char *text = strsep(&rest, "\t"), *units = strsep(&rest, "\t"), *milli = strsep(&rest, "\n");
    check(text, QUANTITY_UNITS, units);
    check(text, QUANTITY_MILLI, milli);
    count++;
  }
  assert_true(count > 1400);
}

static void the_forms_that_people_write_are_read(void **state) {
  static const Golden cases[] = {
      {"0", "0", "0"},
      {"5", "5", "5000"},
      {"100m", "1", "100"},
      {"1500m", "2", "1500"},
      {"0.5", "1", "500"},
      {"1u", "1", "1"},
      {"1n", "1", "1"},
      {"2k", "2000", "2000000"},
      {"3M", "3000000", "3000000000"},
      {"1Ki", "1024", "1024000"},
      {"1.5Gi", "1610612736", "1610612736000"},
      {"0.1Ki", "103", "102400"},
      {"1e3", "1000", "1000000"},
      {"1E3", "1000", "1000000"},
      {"12e-1", "2", "1200"},
      {"2E", "2000000000000000000", "9223372036854775807"},
      {"1Ei", "1152921504606846976", "9223372036854775807"},
      {"-1.5", "-2", "-1500"},
      {"+7", "7", "7000"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    check(cases[i].text, QUANTITY_UNITS, cases[i].units);
    check(cases[i].text, QUANTITY_MILLI, cases[i].milli);
  }
}

static void values_beyond_int64_saturate(void **state) {
  static const Golden cases[] = {
      {"9223372036854775807", "9223372036854775807", "9223372036854775807"},
      {"9223372036854775808", "9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775.807", "9223372036854776", "9223372036854775807"},
      {"9223372036854775.806", "9223372036854776", "9223372036854775806"},
      {"8Ei", "9223372036854775807", "9223372036854775807"},
      {"1e2147483647", "9223372036854775807", "9223372036854775807"},
      {"1e9223372036854775807", "9223372036854775807", "9223372036854775807"},
      {"0e9223372036854775807", "0", "0"},
      {"1e-9223372036854775808", "1", "1"},
      {"0e-9223372036854775808", "0", "0"},
      {"1e9223372036854775808", "-", "-"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    check(cases[i].text, QUANTITY_UNITS, cases[i].units);
    check(cases[i].text, QUANTITY_MILLI, cases[i].milli);
  }
}

static void a_text_of_any_length_has_its_exact_value(void **state) {
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, "1.");
  for (int i = 0; i < 100000; i++)
    text_append(&text, "0");
  check(text_string(&text), QUANTITY_UNITS, "1");
  text_append(&text, "1Ki");
  check(text_string(&text), QUANTITY_UNITS, "1025");
  check(text_string(&text), QUANTITY_MILLI, "1024001");
}

static void a_refusal_quotes_the_text(void **state) {
  Error err;
  int64_t value = 42;
  assert_fails(quantity_parse("12 apples", QUANTITY_UNITS, &value, &err),
               "\"12 apples\" is not a quantity such as 500m, 4 or 2Gi");
  assert_fails(quantity_parse("", QUANTITY_UNITS, &value, &err),
               "\"\" is not a quantity such as 500m, 4 or 2Gi");
  assert_int_equal(value, 42);
}

static void only_cpu_is_counted_in_thousandths(void **state) {
  assert_int_equal(quantity_scale_of("cpu"), QUANTITY_MILLI);
  assert_int_equal(quantity_scale_of("memory"), QUANTITY_UNITS);
  assert_int_equal(quantity_scale_of("nvidia.com/mig-1g.10gb"), QUANTITY_UNITS);
}

/* Whatever the bytes are: no crash, and both scales agree on whether they are a quantity. */
static void random_bytes_are_judged_alike_in_both_scales(void **state) {
  const uint64_t seed = 20261122;
  Random random = {.state = seed};
  static const char alphabet[] = "0123456789.+-eEinumkKMGTP x\xff";
  for (int round = 0; round < 200000; round++) {
    char text[24] = {0};
    uint64_t size = random_below(&random, sizeof text);
    for (uint64_t i = 0; i < size; i++)
      text[i] = alphabet[random_below(&random, sizeof alphabet - 1)];
    Error err;
    int64_t units = 0, milli = 0;
    int r = quantity_parse(text, QUANTITY_UNITS, &units, &err);
    if ((r < 0) != (quantity_parse(text, QUANTITY_MILLI, &milli, &err) < 0))
      fail_msg("seed=%" PRIu64 " round=%d: \"%s\"", seed, round, text);
    bool same_sign = units == 0 ? milli == 0 : units > 0 ? milli >= units / 1000 : milli <= units / 1000;
    if (r == 0 && !same_sign)
      fail_msg("seed=%" PRIu64 " round=%d: \"%s\" is %" PRId64 " and %" PRId64, seed, round, text, units,
               milli);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_result_is_the_one_that_go_gives),
      cmocka_unit_test(the_forms_that_people_write_are_read),
      cmocka_unit_test(values_beyond_int64_saturate),
      cmocka_unit_test(a_text_of_any_length_has_its_exact_value),
      cmocka_unit_test(a_refusal_quotes_the_text),
      cmocka_unit_test(only_cpu_is_counted_in_thousandths),
      cmocka_unit_test(random_bytes_are_judged_alike_in_both_scales),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
