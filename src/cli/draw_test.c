/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cli/draw.h"

#include "base/memory.h"
#include "mig/contract.h"
#include "mig/test.h"

/* Draws the slices; one letter of `states` for each, by start: f free, u used, n new. */
static void assert_drawn(const char *model, const char *slices, const char *states, bool colours,
                         const char *expected) {
  MigList list;
  MigLayout layout;
  Error err;
  DrawState drawn[MIG_INSTANCES_MAX];
  assert_ok(mig_list_parse(slices, false, &list, &err));
  assert_ok(mig_list_bind(&list, test_model(model), &layout, &err));
  assert_int_equal(layout.count, strlen(states));
  for (int i = 0; i < layout.count; i++)
    drawn[i] = states[i] == 'u' ? DRAW_USED : states[i] == 'n' ? DRAW_NEW : DRAW_FREE;
  CLEANUP(text_deinit) Text text = {0};
  cli_draw_layout(&layout, drawn, colours, &text);
  assert_string_equal(text_string(&text), expected);
}

static void an_empty_gpu_is_dots_in_all_its_slots(void **state) {
  assert_drawn("A100-80GB", "", "", false,
               "|   .    |   .    |   .    |   .    |   .    |   .    |   .    |   .    |");
  assert_drawn("A30", "", "", false, "|   .    |   .    |   .    |   .    |");
}

static void a_slice_is_as_wide_as_its_slots_and_says_its_state(void **state) {
  assert_drawn("A100-80GB", "2g.20gb@0,1g.10gb@2,1g.10gb@3,1g.10gb@6", "nufn", false,
               "|2g.20gb new      |1g.10gb*|1g.10gb |   .    |   .    |1g.10gb+|   .    |");
}

static void every_state_has_its_word(void **state) {
  assert_drawn("A100-80GB", "3g.40gb@0,3g.40gb@4", "uf", false,
               "|3g.40gb used                       |3g.40gb free                       |");
  assert_drawn("A100-80GB", "7g.80gb@0", "n", false,
               "|7g.80gb new                                                            |");
}

static void a_name_that_is_too_long_loses_its_memory_and_never_its_mark(void **state) {
  assert_drawn("A100-80GB", "1g.10gb+me@0,1g.10gb@1", "uu", false,
               "|1g+me*  |1g.10gb*|   .    |   .    |   .    |   .    |   .    |   .    |");
}

static void colours_are_for_used_and_new_slices_only(void **state) {
  assert_drawn("A30", "1g.6gb@0,1g.6gb@1,1g.6gb@2", "unf", true,
               "|\033[32m1g.6gb* \033[0m|\033[33m1g.6gb+ \033[0m|1g.6gb  |   .    |");
}

/* Whatever is drawn, every column stands where it stands in the empty drawing. */
static void assert_width(const MigLayout *layout, void *userdata) {
  DrawState states[MIG_INSTANCES_MAX];
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < layout->count; i++)
    states[i] = (DrawState)(i % 3);
  cli_draw_layout(layout, states, false, &text);
  assert_int_equal(text.size, layout->model->slot_count * DRAW_SLOT_WIDTH + 1);
  for (int i = 0; i < layout->count; i++)
    assert_int_equal(text.bytes[layout->instances[i].start * DRAW_SLOT_WIDTH], '|');
}

static void every_layout_of_every_model_keeps_its_columns(void **state) {
  static const char *const models[] = {"A100-80GB", "A30", "NVIDIA H100 80GB HBM3"};
  for (size_t i = 0; i < COUNT_OF(models); i++)
    mig_layout_enumerate(test_model(models[i]), assert_width, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_gpu_is_dots_in_all_its_slots),
      cmocka_unit_test(a_slice_is_as_wide_as_its_slots_and_says_its_state),
      cmocka_unit_test(every_state_has_its_word),
      cmocka_unit_test(a_name_that_is_too_long_loses_its_memory_and_never_its_mark),
      cmocka_unit_test(colours_are_for_used_and_new_slices_only),
      cmocka_unit_test(every_layout_of_every_model_keeps_its_columns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
