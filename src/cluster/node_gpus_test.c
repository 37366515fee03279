/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/snapshot.h"
#include "cluster/test_objects.h"

#include "base/random.h"
#include "base/text.h"

#include <inttypes.h>

#define A100  "NVIDIA-A100-SXM4-80GB"
#define LABEL "nos.nebuly.com/gpu-partitioning"
#define GPU_0 "facet.gpu/gpu-0"
#define GPU_1 "facet.gpu/gpu-1"
#define ON    "GPU-a " A100 " mig=on"

/* The snapshot of one node, and what was warned of. */
typedef struct Taken {
  Snapshot snapshot;
  SnapshotWarnings warnings;
  Node object;
  const SnapshotNode *node;
} Taken;

static void taken_deinit(Taken *taken) {
  array_deinit(&taken->warnings);
  snapshot_deinit(&taken->snapshot);
}

static void take_node(Taken *taken, Node node) {
  *taken = (Taken){.object = node};
  snapshot_init(&taken->snapshot);
  snapshot_add_node(&taken->snapshot, &taken->object, NULL, &taken->warnings);
  taken->node = &taken->snapshot.nodes.items[0];
}

#define TAKE_LABELLED(taken, labels_, ...)                                                                   \
  take_node((taken),                                                                                         \
            (Node){.meta = {.name = "n1", .labels = labels_, .annotations = LIST_OF(KeyValue, __VA_ARGS__)}, \
                   .allocatable = LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "5"})})

/* A node with the opt-in label and these annotations; its status offers five 1g.10gb. */
#define TAKE_NODE(taken, ...)                                                                                \
  take_node((taken), (Node){.meta = {.name = "n1",                                                           \
                                     .labels = LIST_OF(KeyValue, {LABEL, "mig"}),                            \
                                     .annotations = LIST_OF(KeyValue, __VA_ARGS__)},                         \
                            .allocatable = LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "5"})})

static void assert_warning(const Taken *taken, const char *text) {
  assert_int_equal(taken->warnings.count, 1);
  assert_string_equal(taken->warnings.items[0].object, "node n1");
  assert_string_equal(taken->warnings.items[0].text, text);
}

static void a_reported_gpu_is_read(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_1, "GPU-b NVIDIA-A30 mig=on"}, {GPU_0, ON},
            {"facet.gpu/status-gpu-0", "1g.10gb@6:used,2g.20gb@0:free"}, {"facet.gpu/status-gpu-1", ""});
  assert_int_equal(taken.warnings.count, 0);
  assert_true(taken.node->managed && taken.node->may_change);
  assert_int_equal(taken.node->gpu_count, 2);
  const SnapshotGpu *gpu = &taken.node->gpus[0];
  char uuid[MIG_UUID_SIZE];
  assert_int_equal(gpu->index, 0);
  assert_string_equal(snapshot_gpu_uuid(taken.node, gpu, uuid), "GPU-a");
  assert_string_equal(gpu->model_label, A100);
  assert_ptr_equal(gpu->model, &mig_model_find(A100)->model);
  assert_int_equal(gpu->mode, MIG_MODE_ON);
  assert_int_equal(gpu->layout->mask, 0x43);
  assert_int_equal(gpu->existing_starts, 1 << 0 | 1 << 6);
  assert_int_equal(gpu->used_starts, 1 << 6);
  assert_int_equal(gpu->allowed, UINT32_MAX);
  assert_false(gpu->assumed || gpu->excluded);
  assert_null(gpu->blocked);
  assert_string_equal(snapshot_gpu_uuid(taken.node, &taken.node->gpus[1], uuid), "GPU-b");
  assert_int_equal(taken.node->gpus[1].layout->count, 0);
}

static void a_node_that_reported_no_gpu_is_not_managed(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {"facet.gpu/profiles", ""}, {"facet.gpu/spec-gpu-0", "GPU-a 1g.10gb@0"});
  assert_false(taken.node->managed || taken.node->may_change);
  assert_int_equal(taken.node->gpu_count, 0);
  assert_string_equal(taken.node->blocked, "node n1: no GPU was reported; is the facet agent running there?");
}

static void a_node_labelled_for_mps_is_not_managed(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_LABELLED(&taken, LIST_OF(KeyValue, {LABEL, "mps"}), {GPU_0, ON});
  assert_false(taken.node->managed);
  assert_string_equal(taken.node->blocked, "node n1 does not carry the label " LABEL "=mig");
}

static void mig_mode_decides_whether_a_gpu_is_planned(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, "GPU-a " A100 " mig=off"}, {GPU_1, "GPU-b " A100 " mig=pending"});
  assert_string_equal(taken.node->gpus[0].blocked, "MIG mode is off on GPU 0 of node n1");
  assert_string_equal(taken.node->gpus[1].blocked,
                      "MIG mode is pending on GPU 1 of node n1: the GPU needs a reset first");
  assert_true(taken.node->may_change);
}

static void excluded_gpus_are_blocked_and_still_counted(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, ON}, {"facet.gpu/exclude-gpus", "1,7"},
            {"facet.gpu/status-gpu-1", "1g.10gb@0:free"});
  assert_null(taken.node->gpus[0].blocked);
  assert_true(taken.node->gpus[1].excluded);
  assert_string_equal(taken.node->gpus[1].blocked, "GPU 1 of node n1 is excluded by facet.gpu/exclude-gpus");
  assert_int_equal(snapshot_free_of(taken.node, "nvidia.com/mig-1g.10gb"), 1);
}

static void kept_slices_are_marked_where_they_exist(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {"facet.gpu/status-gpu-0", "1g.10gb@6:free,2g.20gb@0:free"},
            {"facet.gpu/keep-gpu-0", "1g.10gb@6,1g.10gb@0,1g.10gb@4"});
  assert_int_equal(taken.node->gpus[0].keep_starts, 1 << 6);
  assert_null(taken.node->gpus[0].blocked);
}

static void allowed_profiles_become_bits_of_the_model(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, "GPU-b NVIDIA-A30 mig=on"},
            {"facet.gpu/allowed-profiles", "1g.10gb,2g.20gb"});
  const SnapshotGpu *gpu = &taken.node->gpus[0];
  uint32_t expected = UINT32_C(1) << mig_model_find_profile(gpu->model, "1g.10gb") |
                      UINT32_C(1) << mig_model_find_profile(gpu->model, "2g.20gb");
  assert_int_equal(gpu->allowed, expected);
  assert_int_equal(taken.node->gpus[1].allowed, 0);
}

static void a_pause_stops_the_node(void **state) {
  static const struct {
    const char *value, *blocked;
  } cases[] = {
      {"true", "node n1 is paused by facet.gpu/paused"},
      {"false", NULL},
      {"yes", "node n1: facet.gpu/paused cannot be read: \"yes\" is neither true nor false"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(taken_deinit) Taken taken;
    TAKE_NODE(&taken, {GPU_0, ON}, {"facet.gpu/paused", cases[i].value});
    assert_int_equal(taken.node->may_change, cases[i].blocked == NULL);
    if (cases[i].blocked)
      assert_string_equal(taken.node->blocked, cases[i].blocked);
  }
}

static void an_unknown_model_is_blocked_but_its_slices_count(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, "GPU-a NVIDIA-X999 mig=on"},
            {"facet.gpu/status-gpu-0", "1g.99gb@0:used,1g.99gb@1:free"});
  assert_null(taken.node->gpus[0].model);
  assert_string_equal(taken.node->gpus[0].blocked,
                      "GPU 0 of node n1 is a NVIDIA-X999: facet does not know what MIG allows on it, and "
                      "facet.gpu/profiles does not say so");
  assert_int_equal(resources_get(&taken.node->allocatable, "nvidia.com/mig-1g.99gb"), 2);
  assert_int_equal(resources_get(&taken.node->requested, "nvidia.com/mig-1g.99gb"), 1);
}

static void an_unknown_model_with_a_bad_status_leaves_the_published_amounts(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, "GPU-a NVIDIA-X999 mig=on"}, {"facet.gpu/status-gpu-0", "garbage"});
  assert_int_equal(taken.warnings.count, 1);
  assert_true(string_has_prefix(taken.warnings.items[0].text, "facet.gpu/status-gpu-0 cannot be read: "));
  assert_int_equal(snapshot_free_of(taken.node, "nvidia.com/mig-1g.10gb"), 5);
}

static void a_model_is_taken_from_the_reported_profiles_first(void **state) {
  static const char profiles[] = A100 "/8 1g.10gb:7x1@0,1,2,3,4,5,6;NVIDIA-X999/2 1g.99gb:2x1@0,1";
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, "GPU-b NVIDIA-X999 mig=on"}, {"facet.gpu/profiles", profiles});
  assert_int_equal(taken.warnings.count, 0);
  assert_int_equal(taken.node->gpus[0].model->profile_count, 1);
  assert_int_equal(taken.node->gpus[1].model->slot_count, 2);
  assert_null(taken.node->gpus[1].blocked);
  Node other = taken.object;
  other.meta.name = "n2";
  snapshot_add_node(&taken.snapshot, &other, NULL, NULL);
  assert_ptr_equal(taken.snapshot.nodes.items[1].gpus[1].model,
                   taken.snapshot.nodes.items[0].gpus[1].model); /* equal texts share their models */
}

static void counts_of_nos_become_an_assumed_layout(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_LABELLED(
      &taken,
      LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.count", "3"}, {"nvidia.com/gpu.product", A100}),
      {"nos.nebuly.com/status-gpu-1-1g.10gb-free", "2"}, {"nos.nebuly.com/status-gpu-1-1g.10gb-used", "1"},
      {"nos.nebuly.com/status-gpu-1-3g.40gb-free", "1"});
  assert_int_equal(taken.node->gpu_count, 3);
  const SnapshotGpu *gpu = &taken.node->gpus[1];
  char uuid[MIG_UUID_SIZE];
  assert_true(gpu->assumed);
  assert_string_equal(snapshot_gpu_uuid(taken.node, gpu, uuid), "");
  assert_string_equal(gpu->model_label, A100);
  assert_int_equal(gpu->mode, MIG_MODE_ON);
  assert_int_equal(gpu->layout->count, 4);
  assert_int_equal(__builtin_popcount(gpu->used_starts), 1);
  assert_null(gpu->blocked);
  assert_int_equal(snapshot_free_of(taken.node, "nvidia.com/mig-1g.10gb"), 2);
  assert_int_equal(taken.node->gpus[2].layout->count, 0);
  assert_null(taken.node->gpus[2].blocked);
}

static void the_exact_form_wins_over_counts(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_LABELLED(&taken, LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.count", "3"}), {GPU_0, ON},
                {"facet.gpu/status-gpu-0", "1g.10gb@6:free"}, {"facet.gpu/status-gpu-1", "1g.10gb@6:free"},
                {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "3"});
  assert_int_equal(taken.node->gpu_count, 1); /* GPU 1 went away and left its status behind */
  assert_int_equal(taken.node->gpus[0].layout->count, 1);
  assert_false(taken.node->gpus[0].assumed);
}

static void a_known_gpu_without_an_exact_status_is_read_from_counts(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, ON}, {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "3"});
  assert_int_equal(taken.node->gpus[0].layout->count, 3);
  assert_true(taken.node->gpus[0].assumed);
  assert_int_equal(taken.node->gpus[1].layout->count, 0);
  assert_false(taken.node->gpus[1].assumed);
}

/* Garbage blocks the GPU it speaks of with a reason that names node and annotation; GPU 1 goes on. */
static void garbage_about_one_gpu_blocks_that_gpu_only(void **state) {
  static const struct {
    KeyValue annotation;
    const char *warning;
  } cases[] = {
      {{"facet.gpu/status-gpu-0", "1g.10gb@9:free"}, NULL},
      {{"facet.gpu/status-gpu-0", "1g.10gb@0:free,2g.20gb@0:free"}, NULL},
      {{"facet.gpu/status-gpu-0", "nonsense"}, NULL},
      {{"facet.gpu/keep-gpu-0", "1g.10gb"}, NULL},
      {{"facet.gpu/keep-gpu-0", "9g.10gb@0"}, NULL},
      {{GPU_0, "GPU-a"},
       GPU_0
       " cannot be read: \"GPU-a\" does not identify a GPU: expected its UUID, its model and its MIG mode"},
      {{GPU_0, "GPU-a " A100 " mig=maybe"},
       GPU_0 " cannot be read: \"mig=maybe\" is not one of mig=off, mig=on, mig=pending"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(taken_deinit) Taken taken;
    TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, ON}, cases[i].annotation);
    assert_int_equal(taken.warnings.count, 1);
    if (cases[i].warning)
      assert_warning(&taken, cases[i].warning);
    CLEANUP(text_deinit) Text blocked = {0};
    text_format(&blocked, "GPU 0 of node n1: %s", taken.warnings.items[0].text);
    assert_true(string_has_prefix(taken.warnings.items[0].text, cases[i].annotation.key));
    assert_string_equal(taken.node->gpus[0].blocked, text_string(&blocked));
    assert_null(taken.node->gpus[1].blocked);
    assert_true(taken.node->may_change);
  }
}

static void garbage_about_the_node_blocks_all_its_gpus(void **state) {
  static const struct {
    KeyValue annotation;
    const char *warning;
  } cases[] = {
      {{"facet.gpu/exclude-gpus", "0,x"},
       "facet.gpu/exclude-gpus cannot be read: \"x\" is not a GPU index from 0 to 63"},
      {{"facet.gpu/allowed-profiles", "big"}, NULL},
      {{"facet.gpu/profiles", "NVIDIA-A100-SXM4-80GB 1g"}, NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(taken_deinit) Taken taken;
    TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, ON}, {"facet.gpu/status-gpu-0", "1g.10gb@6:free"},
              cases[i].annotation);
    assert_int_equal(taken.warnings.count, 1);
    if (cases[i].warning)
      assert_warning(&taken, cases[i].warning);
    assert_non_null(taken.node->gpus[0].blocked);
    assert_true(string_has_prefix(taken.node->gpus[1].blocked, "GPU 1 of node n1: facet.gpu/"));
    assert_int_equal(taken.node->gpus[0].layout->count, 1); /* what exists is known all the same */
  }
}

static void an_impossible_gpu_index_is_warned_of(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {"facet.gpu/status-gpu-64", "1g.10gb@6:free"});
  assert_warning(&taken, "facet.gpu/status-gpu-64 cannot be read: no GPU index from 0 to 63 is at its end");
  assert_int_equal(taken.node->gpu_count, 1);
}

static void the_largest_gpu_index_is_read(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {"facet.gpu/gpu-63", ON}, {"facet.gpu/exclude-gpus", "63"});
  assert_int_equal(taken.node->gpus[0].index, 63);
  assert_true(taken.node->gpus[0].excluded);
}

static void counts_that_make_no_sense_block_their_gpu(void **state) {
  static const struct {
    KeyValue annotation;
    const char *warning;
  } cases[] = {
      {{"nos.nebuly.com/status-gpu-0-1g.10gb-free", "many"},
       "nos.nebuly.com/status-gpu-0-1g.10gb-free cannot be read: \"many\" is no count of a profile of " A100},
      {{"nos.nebuly.com/status-gpu-0-9g.90gb-free", "1"},
       "nos.nebuly.com/status-gpu-0-9g.90gb-free cannot be read: \"1\" is no count of a profile of " A100},
      {{"nos.nebuly.com/status-gpu-0-7g.80gb-free", "2"}, NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(taken_deinit) Taken taken;
    TAKE_LABELLED(&taken, LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.product", A100}),
                  cases[i].annotation);
    if (cases[i].warning)
      assert_warning(&taken, cases[i].warning);
    assert_int_equal(taken.warnings.count, 1);
    assert_non_null(taken.node->gpus[0].blocked);
    assert_int_equal(taken.node->gpus[0].layout->count, 0);
  }
}

static void a_bad_gpu_count_label_leaves_what_was_reported(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_LABELLED(
      &taken,
      LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.product", A100}, {"nvidia.com/gpu.count", "65"}),
      {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"});
  assert_warning(&taken, "nvidia.com/gpu.count cannot be read: \"65\" is not a number of GPUs from 0 to 64");
  assert_int_equal(taken.node->gpu_count, 1);
}

static void a_gpu_whose_model_nobody_tells_says_where_it_was_looked_for(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"});
  assert_string_equal(taken.node->gpus[0].blocked,
                      "GPU 0 of node n1: neither facet.gpu/gpu-0 nor the label nvidia.com/gpu.product tells "
                      "its model");
}

/* The text ends up on terminals and in logs. */
static void of_what_cannot_be_read_only_the_printable_is_quoted(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {"facet.gpu/paused", "\033[31m\n\u00e4"});
  assert_warning(&taken, "facet.gpu/paused cannot be read: \"?[31m???\" is neither true nor false");
}

static void all_gpus_of_a_full_node_are_there(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_LABELLED(
      &taken,
      LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.product", A100}, {"nvidia.com/gpu.count", "64"}),
      {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"});
  assert_int_equal(taken.node->gpu_count, 64);
}

/* Nobody can tell what exists on GPU 0; the node's status still says how much there is in all. */
static void an_unreadable_layout_leaves_the_published_amounts(void **state) {
  CLEANUP(taken_deinit) Taken taken;
  TAKE_NODE(&taken, {GPU_0, ON}, {GPU_1, ON}, {"facet.gpu/status-gpu-0", "garbage"},
            {"facet.gpu/status-gpu-1", "2g.20gb@0:free"});
  assert_int_equal(snapshot_free_of(taken.node, "nvidia.com/mig-1g.10gb"), 5);
  assert_int_equal(snapshot_free_of(taken.node, "nvidia.com/mig-2g.20gb"), 1);
}

static void assert_sound(const Taken *taken, const char *what) {
  for (int i = 0; i < taken->node->gpu_count; i++) {
    const SnapshotGpu *gpu = &taken->node->gpus[i];
    Error err = {0};
    if (gpu->model && mig_layout_check(gpu->layout, &err) < 0)
      fail_msg("%s: %s", what, err.text);
    if (!gpu->model && !gpu->blocked)
      fail_msg("%s: a GPU of unknown model is not blocked", what);
    if ((gpu->used_starts | gpu->keep_starts) & ~gpu->existing_starts)
      fail_msg("%s: a slice is used or kept that does not exist", what);
  }
}

static const KeyValue sane[] = {
    {GPU_0, ON},
    {"facet.gpu/status-gpu-0", "1g.10gb@6:used,2g.20gb@0:free"},
    {"facet.gpu/keep-gpu-0", "2g.20gb@0"},
    {"facet.gpu/exclude-gpus", "1,2"},
    {"facet.gpu/allowed-profiles", "1g.10gb,2g.20gb"},
    {"facet.gpu/profiles", A100 "/8 1g.10gb:7x1@0,1,2,3,4,5,6 2g.20gb:3x2@0,2,4"},
    {"facet.gpu/paused", "false"},
    {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "2"},
};

static void take_sane(Taken *taken, KeyValue annotations[COUNT_OF(sane)]) {
  take_node(taken,
            (Node){.meta = {.name = "n1",
                            .labels = LIST_OF(KeyValue, {LABEL, "mig"}, {"nvidia.com/gpu.product", A100}),
                            .annotations = {annotations, COUNT_OF(sane)}}});
}

static void values_cut_at_every_byte_do_no_harm(void **state) {
  for (size_t i = 0; i < COUNT_OF(sane); i++)
    for (size_t size = 0; size < strlen(sane[i].value); size++) {
      CLEANUP(taken_deinit) Taken taken;
      CLEANUP(cleanup_free) char *cut = mem_strndup(sane[i].value, size);
      KeyValue annotations[COUNT_OF(sane)];
      memcpy(annotations, sane, sizeof sane);
      annotations[i].value = cut;
      take_sane(&taken, annotations);
      assert_sound(&taken, cut);
    }
}

static void damaged_annotations_do_no_harm(void **state) {
  const uint64_t seed = 20261122;
  Random random = {.state = seed};
  for (int round = 0; round < 20000; round++) {
    KeyValue annotations[COUNT_OF(sane)];
    memcpy(annotations, sane, sizeof sane);
    size_t victim = random_below(&random, COUNT_OF(sane));
    CLEANUP(cleanup_free) char *key = mem_strdup(sane[victim].key);
    CLEANUP(cleanup_free) char *value = mem_strdup(sane[victim].value);
    for (uint64_t hits = random_below(&random, 4); hits > 0; hits--)
      value[random_below(&random, strlen(sane[victim].value))] = (char)(1 + random_below(&random, 255));
    if (random_below(&random, 4) == 0)
      key[random_below(&random, strlen(sane[victim].key))] = (char)('!' + random_below(&random, 90));
    annotations[victim] = (KeyValue){key, value};
    CLEANUP(taken_deinit) Taken taken;
    take_sane(&taken, annotations);
    char what[64];
    snprintf(what, sizeof what, "seed=%" PRIu64 " round=%d", seed, round);
    assert_sound(&taken, what);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_reported_gpu_is_read),
      cmocka_unit_test(a_node_that_reported_no_gpu_is_not_managed),
      cmocka_unit_test(a_node_labelled_for_mps_is_not_managed),
      cmocka_unit_test(mig_mode_decides_whether_a_gpu_is_planned),
      cmocka_unit_test(excluded_gpus_are_blocked_and_still_counted),
      cmocka_unit_test(kept_slices_are_marked_where_they_exist),
      cmocka_unit_test(allowed_profiles_become_bits_of_the_model),
      cmocka_unit_test(a_pause_stops_the_node),
      cmocka_unit_test(an_unknown_model_is_blocked_but_its_slices_count),
      cmocka_unit_test(an_unknown_model_with_a_bad_status_leaves_the_published_amounts),
      cmocka_unit_test(a_model_is_taken_from_the_reported_profiles_first),
      cmocka_unit_test(counts_of_nos_become_an_assumed_layout),
      cmocka_unit_test(the_exact_form_wins_over_counts),
      cmocka_unit_test(a_known_gpu_without_an_exact_status_is_read_from_counts),
      cmocka_unit_test(garbage_about_one_gpu_blocks_that_gpu_only),
      cmocka_unit_test(garbage_about_the_node_blocks_all_its_gpus),
      cmocka_unit_test(an_impossible_gpu_index_is_warned_of),
      cmocka_unit_test(the_largest_gpu_index_is_read),
      cmocka_unit_test(counts_that_make_no_sense_block_their_gpu),
      cmocka_unit_test(a_bad_gpu_count_label_leaves_what_was_reported),
      cmocka_unit_test(all_gpus_of_a_full_node_are_there),
      cmocka_unit_test(a_gpu_whose_model_nobody_tells_says_where_it_was_looked_for),
      cmocka_unit_test(of_what_cannot_be_read_only_the_printable_is_quoted),
      cmocka_unit_test(an_unreadable_layout_leaves_the_published_amounts),
      cmocka_unit_test(values_cut_at_every_byte_do_no_harm),
      cmocka_unit_test(damaged_annotations_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
