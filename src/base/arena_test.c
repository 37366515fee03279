/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/test.h"

static void use_up(void) {
  CLEANUP(arena_deinit) Arena arena = {0};
  for (size_t size = 0; size < 3000; size += 7) {
    unsigned char *block = arena_alloc(&arena, size);
    assert_int_equal((uintptr_t)block % 16, 0);
    for (size_t i = 0; i < size; i++)
      assert_int_equal(block[i], 0);
    memset(block, 0xff, size);
  }
}

static void memory_is_zeroed_and_aligned(void **state) {
  for (int i = 0; i < 3; i++)
    use_up(); /* what the one before has left behind, too */
}

static void strings_are_copied_with_their_end(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
  assert_string_equal(arena_format(&arena, "%d-%s", 7, "x"), "7-x");
  assert_null(arena_strdup(&arena, NULL));
}

static void texts_of_any_length_are_formatted(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  char bytes[1000];
  memset(bytes, 'x', sizeof bytes);
  for (size_t size = 0; size < sizeof bytes; size++) {
    const char *text = arena_format(&arena, "%.*s!", (int)size, bytes);
    assert_int_equal(strlen(text), size + 1);
    assert_memory_equal(text, bytes, size);
    assert_int_equal(text[size], '!');
  }
}

static void an_allocation_larger_than_a_block_is_served(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  char *big = arena_alloc(&arena, 1 << 20);
  memset(big, 1, 1 << 20);
  assert_true(arena.total >= 1 << 20);
  arena_deinit(&arena);
  assert_int_equal(arena.total, 0);
  assert_non_null(arena_alloc(&arena, 1));
}

static void blocks_grow_by_steps_where_that_is_asked_for(void **state) {
  CLEANUP(arena_deinit) Arena arena = {.first = 1024, .step = 64};
  arena_alloc(&arena, 1000);
  assert_int_equal(arena.total, 1024);
  arena_alloc(&arena, 40);
  assert_int_equal(arena.total, 1024 + 64);
  arena_alloc(&arena, 40);
  assert_int_equal(arena.total, 1024 + 64 + 64);
  arena_alloc(&arena, 96); /* larger than a step */
  assert_int_equal(arena.total, 1024 + 64 + 64 + 96);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_is_zeroed_and_aligned),
      cmocka_unit_test(strings_are_copied_with_their_end),
      cmocka_unit_test(texts_of_any_length_are_formatted),
      cmocka_unit_test(an_allocation_larger_than_a_block_is_served),
      cmocka_unit_test(blocks_grow_by_steps_where_that_is_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
