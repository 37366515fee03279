/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/cleanup.h"
#include "kube/yaml_clean.h"

#include <string.h>

#define M KUBE_YAML_MARK

static void what_is_no_text_becomes_a_mark(void **state) {
  static const struct {
    const char *bytes, *text;
  } cases[] = {
      {"", ""},
      {"a: b\n\t\r", "a: b\n\t\r"},
      {"\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80\xc2\x85\xef\xbb\xbf",
       "\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80\xc2\x85\xef\xbb\xbf"},
      {"a\x1b\x7fz", "a" M M "z"},                              /* control characters */
      {"\xc2\x80z", M M "z"},                                   /* of the second set, too */
      {"\xff\x80\xc0\xafz", M M M M "z"},                       /* not UTF-8 */
      {"\xe0\x80\xafz", M M M "z"},                             /* longer than it need be */
      {"\xed\xa0\x80z", M M M "z"},                             /* half of a pair */
      {"\xef\xbf\xbfz", M M M "z"},                             /* U+FFFF */
      {"\xf4\x90\x80\x80\xf5z", M M M M M "z"},                 /* beyond the last */
      {"\xc3z\xe6\x97z\xf0\x9f\x98z", M "z" M M "z" M M M "z"}, /* broken off */
      {"z\xe6\x97", "z" M M},                                   /* by the end */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    for (size_t piece = 1; piece < 9; piece++) {
      char text[64];
      size_t size = 0, at = 0, all = strlen(cases[i].bytes), given = 0;
      for (; at < all || given < all;) {
        size_t taken;
        given = given + piece < all ? given + piece : all;
        size += kube_yaml_clean(cases[i].bytes + at, given - at, given == all, text + size,
                                sizeof text - size, &taken);
        at += taken;
      }
      text[size] = '\0';
      assert_string_equal(text, cases[i].text);
    }
}

static void no_character_is_cut_where_the_room_ends(void **state) {
  char text[8];
  size_t taken;
  assert_int_equal(kube_yaml_clean("abc\xc3\xa4xyz", 8, true, text, sizeof text, &taken), 5);
  assert_int_equal(taken, 5);
  assert_int_equal(kube_yaml_clean("abc", 3, true, text, 3, &taken), 0);
  assert_int_equal(taken, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_no_text_becomes_a_mark),
      cmocka_unit_test(no_character_is_cut_where_the_room_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
