/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers that it wants first. Tests only. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* The call must succeed; prints the error where it does not. */
#define assert_ok(call)                                                                                      \
  do {                                                                                                       \
    int assert_ok_result_ = (call);                                                                          \
    if (assert_ok_result_ < 0)                                                                               \
      fail_msg("%s failed: %s", #call, err.text);                                                            \
  } while (0)

/* The call must fail with exactly this text in `err`. */
#define assert_fails(call, expected_text)                                                                    \
  do {                                                                                                       \
    assert_true((call) < 0);                                                                                 \
    assert_string_equal(err.text, expected_text);                                                            \
  } while (0)
