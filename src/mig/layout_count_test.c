/* SPDX-License-Identifier: Apache-2.0 */
/* Every layout of every model, counted and held against an oracle that knows no masks.
 *
 * How things are counted here, with A100's numbers (no double-memory 1g, no +me):
 *
 *   layouts       298  sets of placed instances, the empty one included; 297 where others leave it out
 *   masks         144  different sets of occupied slots among them, the empty one included
 *   vectors        38  different multisets of profiles, the empty one included; others say 37
 *   maximal        19  layouts to which no instance can be added: the configurations of NVIDIA's guide
 *   packed         14  different multisets among the maximal layouts: 3 x 1g + 3g counts, although
 *                      4 x 1g + 3g exists, as with the 3g at slot 0 there is no room for a fourth 1g
 *   uncontained    12  those of them that are no part of a larger feasible multiset */
#include "mig/layout.h"

#include "mig/test.h"

#include "base/map.h"
#include "base/random.h"
#include "base/text.h"

/* The model with only those profiles that `keep` names. */
static MigModel restrict_to(const char *key, bool (*keep)(const MigProfile *profile)) {
  const MigModel *whole = test_model(key);
  MigModel model = *whole;
  model.profile_count = 0;
  for (int i = 0; i < whole->profile_count; i++)
    if (keep(&whole->profiles[i]))
      model.profiles[model.profile_count++] = whole->profiles[i];
  return model;
}

/* NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2: 1g with the memory of 2g. */
enum { DOUBLE_MEMORY_INDEX = 9 };

static bool is_basic(const MigProfile *profile) {
  return profile->kind == MIG_PLAIN && profile->nvml_index != DOUBLE_MEMORY_INDEX;
}

static bool is_plain(const MigProfile *profile) {
  return profile->kind == MIG_PLAIN;
}

static bool is_any(const MigProfile *profile) {
  return true;
}

typedef struct Counts {
  Map layouts, masks, vectors, maximal, packed;
  int duplicates;
} Counts;

static void counts_deinit(Counts *counts) {
  map_deinit(&counts->layouts);
  map_deinit(&counts->masks);
  map_deinit(&counts->vectors);
  map_deinit(&counts->maximal);
  map_deinit(&counts->packed);
}

/* One digit per profile: how often it is there. */
static void format_vector(const MigLayout *layout, char ret_vector[MIG_PROFILES_MAX + 1]) {
  for (int i = 0; i < layout->model->profile_count; i++)
    ret_vector[i] = (char)('0' + mig_layout_count(layout, i));
  ret_vector[layout->model->profile_count] = '\0';
}

static void add(Map *set, const char *key) {
  map_put(set, key, set);
}

static void format_layout(const MigLayout *layout, Text *text) {
  for (int i = 0; i < layout->count; i++)
    text_format(text, "%d@%d ", layout->instances[i].profile, layout->instances[i].start);
}

static void count_layout(const MigLayout *layout, void *userdata) {
  Counts *counts = userdata;
  Error err;
  assert_ok(mig_layout_check(layout, &err));
  CLEANUP(text_deinit) Text name = {0};
  format_layout(layout, &name);
  counts->duplicates += map_find(&counts->layouts, text_string(&name)) != NULL;
  add(&counts->layouts, text_string(&name));
  char mask[16], vector[MIG_PROFILES_MAX + 1];
  snprintf(mask, sizeof mask, "%x", layout->mask);
  add(&counts->masks, mask);
  format_vector(layout, vector);
  add(&counts->vectors, vector);
  if (!mig_layout_is_maximal(layout))
    return;
  add(&counts->maximal, text_string(&name));
  add(&counts->packed, vector);
}

static bool contains(const char *large, const char *small) {
  for (size_t i = 0; small[i]; i++)
    if (large[i] < small[i])
      return false;
  return strcmp(large, small) != 0;
}

static int count_uncontained(const Counts *counts) {
  int uncontained = 0;
  for (size_t i = 0; i < counts->packed.count; i++) {
    bool inside = false;
    for (size_t k = 0; k < counts->vectors.count && !inside; k++)
      inside = contains(counts->vectors.entries[k].key, counts->packed.entries[i].key);
    uncontained += !inside;
  }
  return uncontained;
}

static int count_placements(const MigModel *model) {
  int count = 0;
  for (int i = 0; i < model->profile_count; i++)
    count += __builtin_popcount(model->profiles[i].starts);
  return count;
}

typedef struct Expected {
  int placements, layouts, masks, vectors, maximal, packed, uncontained;
} Expected;

static void assert_counts(const MigModel *model, const Expected *expected) {
  CLEANUP(counts_deinit) Counts counts = {0};
  mig_layout_enumerate(model, count_layout, &counts);
  assert_int_equal(counts.duplicates, 0);
  assert_int_equal(count_placements(model), expected->placements);
  assert_int_equal(counts.layouts.count, expected->layouts);
  assert_int_equal(counts.masks.count, expected->masks);
  assert_int_equal(counts.vectors.count, expected->vectors);
  assert_int_equal(counts.maximal.count, expected->maximal);
  assert_int_equal(counts.packed.count, expected->packed);
  assert_int_equal(count_uncontained(&counts), expected->uncontained);
}

static const Expected seven_basic = {14, 298, 144, 38, 19, 14, 12};
static const Expected seven_plain = {18, 723, 192, 78, 78, 38, 28};
static const Expected seven_all = {25, 2319, 192, 128, 239, 64, 44};

static void every_model_of_seven_slices_has_the_same_layouts(void **state) {
  int count, models = 0;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    if (rows[i].model.slot_count != 8)
      continue;
    MigModel basic = restrict_to(rows[i].key, is_basic), plain = restrict_to(rows[i].key, is_plain);
    assert_counts(&basic, &seven_basic);
    assert_counts(&plain, &seven_plain);
    assert_counts(&rows[i].model, &seven_all);
    models++;
  }
  assert_int_equal(models, 17);
}

static void models_of_four_quarters_have_the_published_layouts(void **state) {
  MigModel a30 = restrict_to("A30", is_basic), pro = restrict_to("RTX-PRO-6000", is_basic);
  assert_counts(&a30, &(Expected){7, 26, 16, 10, 5, 4, 4});
  assert_counts(&pro, &(Expected){7, 26, 16, 10, 5, 4, 4});
}

static void media_profiles_multiply_the_layouts_of_four_quarters(void **state) {
  MigModel a30 = restrict_to("A30", is_any), pro = restrict_to("RTX-PRO-6000", is_any);
  assert_counts(&a30, &(Expected){13, 76, 16, 20, 17, 8, 8});
  assert_counts(&pro, &(Expected){30, 717, 16, 115, 302, 64, 64});
}

static void a_model_without_known_placements_has_only_the_empty_layout(void **state) {
  MigModel thor = restrict_to("NVIDIA Thor", is_any);
  assert_counts(&thor, &(Expected){0, 1, 1, 1, 1, 1, 1});
}

/* NVIDIA MIG User Guide, A100 profiles. Counts of 1g, 2g, 3g, 4g, 7g. */
static void the_fullest_multisets_are_the_guides(void **state) {
  static const char *const expected[] = {"11010", "13000", "21100", "32000", "30010", "40100",
                                         "51000", "70000", "02100", "00110", "00200", "00001"};
  MigModel model = restrict_to("A100-40GB", is_basic);
  CLEANUP(counts_deinit) Counts counts = {0};
  mig_layout_enumerate(&model, count_layout, &counts);
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    assert_non_null(map_find(&counts.packed, expected[i]));
    for (size_t k = 0; k < counts.vectors.count; k++)
      assert_false(contains(counts.vectors.entries[k].key, expected[i]));
  }
  assert_int_equal(count_uncontained(&counts), COUNT_OF(expected));
}

/* The oracle: slots as an array, limits as counters, media as sums of engines that must not exceed those of
 * the whole GPU. The last is where it differs most: layout.c has a rule about kinds instead. */
typedef struct Oracle {
  const MigModel *model;
  int slots[MIG_SLOTS_MAX];
  int instances[MIG_PROFILES_MAX];
  int engines[4];
  int layouts;
} Oracle;

static void get_engines(const MigProfile *profile, int ret_engines[4]) {
  ret_engines[0] = profile->decoders;
  ret_engines[1] = profile->encoders;
  ret_engines[2] = profile->jpegs;
  ret_engines[3] = profile->ofas;
}

static void oracle_add(Oracle *oracle, int index, int start, int one) {
  const MigProfile *profile = &oracle->model->profiles[index];
  int engines[4];
  get_engines(profile, engines);
  oracle->instances[index] += one;
  for (int i = 0; i < profile->size; i++)
    oracle->slots[start + i] += one;
  for (int i = 0; i < 4; i++)
    oracle->engines[i] += one * engines[i];
}

static bool oracle_is_legal(const Oracle *oracle) {
  const MigModel *model = oracle->model;
  for (int i = 0; i < model->slot_count; i++)
    if (oracle->slots[i] > 1)
      return false;
  int pool[4] = {0};
  for (int i = 0; i < model->profile_count; i++) {
    if (oracle->instances[i] > model->profiles[i].instance_count_max)
      return false;
    int engines[4];
    get_engines(&model->profiles[i], engines);
    for (int k = 0; k < 4; k++)
      pool[k] = engines[k] > pool[k] ? engines[k] : pool[k];
  }
  for (int k = 0; k < 4; k++)
    if (oracle->engines[k] > pool[k])
      return false;
  return true;
}

/* Takes or leaves one placement after the other; a set that is illegal stays so with more in it. */
static void oracle_count(Oracle *oracle, int profile, int start) {
  if (!oracle_is_legal(oracle))
    return;
  if (start == oracle->model->slot_count) {
    start = 0;
    profile++;
  }
  if (profile == oracle->model->profile_count) {
    oracle->layouts++;
    return;
  }
  oracle_count(oracle, profile, start + 1);
  if (!(oracle->model->profiles[profile].starts >> start & 1))
    return;
  oracle_add(oracle, profile, start, 1);
  oracle_count(oracle, profile, start + 1);
  oracle_add(oracle, profile, start, -1);
}

static void assert_legal_for_oracle(const MigLayout *layout, void *userdata) {
  Oracle oracle = {.model = layout->model};
  for (int i = 0; i < layout->count; i++)
    oracle_add(&oracle, layout->instances[i].profile, layout->instances[i].start, 1);
  assert_true(oracle_is_legal(&oracle));
  ++*(int *)userdata;
}

/* As many layouts, each legal for the oracle, none twice (see assert_counts): the same set. */
static void enumeration_and_oracle_agree_on_every_model(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    if (!rows[i].placements_known)
      continue;
    Oracle oracle = {.model = &rows[i].model};
    oracle_count(&oracle, 0, 0);
    int layouts = 0;
    mig_layout_enumerate(&rows[i].model, assert_legal_for_oracle, &layouts);
    assert_int_equal(layouts, oracle.layouts);
  }
}

static void rebuild_in_random_order(const MigLayout *layout, void *userdata) {
  Random *random = userdata;
  MigLayout again, rest = *layout;
  mig_layout_init(&again, layout->model);
  while (rest.count) {
    MigInstance instance = rest.instances[random_below(random, rest.count)];
    mig_layout_remove(&rest, instance.start);
    assert_true(mig_layout_can_place(&again, instance.profile, instance.start));
    mig_layout_place(&again, instance.profile, instance.start);
  }
  assert_true(mig_layout_equal(layout, &again));
}

static void every_layout_is_reached_and_left_in_any_order(void **state) {
  Random random = {.state = 20250102};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    mig_layout_enumerate(&rows[i].model, rebuild_in_random_order, &random);
}

static void assert_first_is_empty(const MigLayout *layout, void *userdata) {
  int *visited = userdata;
  if ((*visited)++ == 0)
    assert_int_equal(layout->count, 0);
}

static void the_empty_layout_comes_first(void **state) {
  int visited = 0;
  mig_layout_enumerate(test_model("A30"), assert_first_is_empty, &visited);
  assert_int_equal(visited, 76);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_model_of_seven_slices_has_the_same_layouts),
      cmocka_unit_test(models_of_four_quarters_have_the_published_layouts),
      cmocka_unit_test(media_profiles_multiply_the_layouts_of_four_quarters),
      cmocka_unit_test(a_model_without_known_placements_has_only_the_empty_layout),
      cmocka_unit_test(the_fullest_multisets_are_the_guides),
      cmocka_unit_test(enumeration_and_oracle_agree_on_every_model),
      cmocka_unit_test(every_layout_is_reached_and_left_in_any_order),
      cmocka_unit_test(the_empty_layout_comes_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
