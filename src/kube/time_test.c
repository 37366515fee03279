/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/time.h"

#include "base/test.h"

#include "base/cleanup.h"

#include <inttypes.h>

static const struct {
  const char *text;
  int64_t seconds;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1969-12-31T23:59:59Z", -1},
    {"2026-07-01T08:00:00Z", 1782892800},
    {"2026-07-01T10:00:00+02:00", 1782892800},
    {"2026-07-01T02:30:00-05:30", 1782892800},
    {"2026-07-01T08:00:00.123456789Z", 1782892800},
    {"2024-02-29T00:00:00Z", 1709164800},
    {"2000-02-29T00:00:00Z", 951782400},
    {"0001-01-01T00:00:00Z", -62135596800},
    {"9999-12-31T23:59:59Z", 253402300799},
};

static const char *const bad[] = {
    "",
    "2026-07-01",
    "2026-07-01T08:00:00",
    "2026-07-01 08:00:00Z",
    "2026-07-01T08:00:00ZZ",
    "2026-7-1T08:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00+0200",
    "2026-01-01T00:00:00+24:00",
    "+026-01-01T00:00:00Z",
};

static void rfc_3339_times_become_unix_seconds(void **state) {
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    int64_t seconds = 7;
    if (!kube_time_parse(good[i].text, strlen(good[i].text), &seconds) || seconds != good[i].seconds)
      fail_msg("%s became %" PRId64, good[i].text, seconds);
  }
}

static void what_is_no_time_is_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    int64_t seconds = 7;
    if (kube_time_parse(bad[i], strlen(bad[i]), &seconds) || seconds != 7)
      fail_msg("%s became %" PRId64, bad[i], seconds);
  }
}

static void each_beginning_of_a_time_is_refused(void **state) {
  const char *text = "2026-07-01T10:00:00.5+02:00";
  int64_t seconds;
  for (size_t size = 0; size < strlen(text); size++)
    assert_false(kube_time_parse(text, size, &seconds));
  assert_true(kube_time_parse(text, strlen(text), &seconds));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rfc_3339_times_become_unix_seconds),
      cmocka_unit_test(what_is_no_time_is_refused),
      cmocka_unit_test(each_beginning_of_a_time_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
