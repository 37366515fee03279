/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/node_trim.h"
#include "cluster/snapshot.h"

#include <stdlib.h>
#include <string.h>

#define UUID_0 "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3"
#define UUID_1 "GPU-00000000-1c3d-4e5f-a6b7-c8d9e0f1a2b3"
#define A100   "NVIDIA-A100-SXM4-80GB"

enum { ANNOTATIONS_MAX = 16 };

/* A node and the same node trimmed. */
typedef struct Pair {
  Arena arena;
  KeyValue label;
  KeyValue whole_items[ANNOTATIONS_MAX], trimmed_items[ANNOTATIONS_MAX];
  Node whole, trimmed;
} Pair;

#define TRIM(pair, ...) trim(pair, (const KeyValue[]){__VA_ARGS__, {0}})

static void trim(Pair *pair, const KeyValue *annotations) {
  size_t count = 0;
  *pair = (Pair){.label = {MIG_LABEL_PARTITIONING, "mig"}};
  for (; annotations[count].key; count++)
    pair->whole_items[count] = pair->trimmed_items[count] = annotations[count];
  pair->whole =
      (Node){.meta = {.name = "n1", .labels = {&pair->label, 1}, .annotations = {pair->whole_items, count}}};
  pair->trimmed = pair->whole;
  pair->trimmed.meta.annotations.items = pair->trimmed_items;
  node_trim(&pair->trimmed, &pair->arena);
}

static void pair_deinit(Pair *pair) {
  arena_deinit(&pair->arena);
}

static const char *value_of(const Pair *pair, const char *key) {
  return key_values_find(&pair->trimmed.meta.annotations, key);
}

static void annotations_of_others_go(void **state) {
  CLEANUP(pair_deinit) Pair pair;
  TRIM(&pair, {"example.com/machine", "a"}, {"facet.gpu/paused", "true"}, {"facet.gpuesses", "b"},
       {"nos.nebuly.com/spec-gpu-0-1g.10gb", "1"}, {"volumes.kubernetes.io/x", "true"});
  assert_int_equal(pair.trimmed.meta.annotations.count, 2);
  assert_string_equal(value_of(&pair, "facet.gpu/paused"), "true");
  assert_string_equal(value_of(&pair, "nos.nebuly.com/spec-gpu-0-1g.10gb"), "1");
}

static void counts_go_where_the_exact_status_can_be_read(void **state) {
  CLEANUP(pair_deinit) Pair pair;
  TRIM(&pair, {"facet.gpu/status-gpu-0", "1g.10gb@0:free"}, {"facet.gpu/status-gpu-1", "what"},
       {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"}, {"nos.nebuly.com/status-gpu-1-1g.10gb-free", "1"},
       {"nos.nebuly.com/status-gpu-2-1g.10gb-free", "1"}, {"nos.nebuly.com/status-gpu-x", "1"});
  assert_int_equal(pair.trimmed.meta.annotations.count, 5);
  assert_null(value_of(&pair, "nos.nebuly.com/status-gpu-0-1g.10gb-free"));
}

static void what_is_left_of_equal_gpus_is_equal(void **state) {
  CLEANUP(pair_deinit) Pair pair;
  TRIM(&pair, {"facet.gpu/gpu-0", UUID_0 " " A100 " mig=on"}, {"facet.gpu/gpu-1", UUID_1 " " A100 " mig=on"},
       {"facet.gpu/spec-gpu-0", UUID_0 " 1g.10gb@6"}, {"facet.gpu/spec-gpu-1", UUID_1});
  assert_string_equal(value_of(&pair, "facet.gpu/gpu-0"), A100 " mig=on");
  assert_string_equal(value_of(&pair, "facet.gpu/gpu-1"), A100 " mig=on");
  assert_string_equal(value_of(&pair, "facet.gpu/spec-gpu-0"), "1g.10gb@6");
  assert_string_equal(value_of(&pair, "facet.gpu/spec-gpu-1"), "");
  assert_int_equal(pair.trimmed.gpu_uuids.count, 2);
}

static void assert_same_text(const char *a, const char *b) {
  if (a && b)
    assert_string_equal(a, b);
  else
    assert_ptr_equal(a, b);
}

/* All that a text may look like: what was read before is read afterwards. */
static void a_trimmed_node_is_read_as_the_whole_one(void **state) {
  static const char *const identities[] = {UUID_0 " " A100 " mig=on",
                                           "GPU-a " A100 " mig=on",
                                           UUID_0 " " A100,
                                           "",
                                           "garbage",
                                           "GPU-8A2B6F0E-1c3d-4e5f-a6b7-c8d9e0f1a2b3 " A100 " mig=off",
                                           "GPU-8a2b6f0e11c3d-4e5f-a6b7-c8d9e0f1a2b3 " A100 " mig=on",
                                           UUID_0 "0 " A100 " mig=on"};
  static const char *const specs[] = {UUID_0,
                                      UUID_0 " ",
                                      UUID_0 " 1g.10gb@6",
                                      UUID_0 "  1g.10gb@6",
                                      UUID_0 "x",
                                      UUID_1,
                                      UUID_1 " 1g.10gb@0",
                                      " 1g.10gb@6",
                                      "1g.10gb@6",
                                      "",
                                      "GPU-a 1g.10gb@6",
                                      "garbage",
                                      UUID_0 "1g.10gb@6"};
  for (size_t i = 0; i < COUNT_OF(identities); i++)
    for (size_t s = 0; s < COUNT_OF(specs); s++) {
      CLEANUP(pair_deinit) Pair pair;
      char identity[MIG_IDENTITY_TEXT_SIZE], spec[MIG_SPEC_TEXT_SIZE];
      TRIM(&pair, {"facet.gpu/gpu-0", identities[i]}, {"facet.gpu/spec-gpu-0", specs[s]});
      assert_same_text(node_find_identity(&pair.trimmed, 0, identity), identities[i]);
      assert_same_text(node_find_spec(&pair.trimmed, 0, spec), specs[s]);
      assert_null(node_find_identity(&pair.trimmed, 1, identity));
      assert_null(node_find_spec(&pair.trimmed, 1, spec));
      assert_same_text(node_find_spec(&pair.whole, 0, spec), specs[s]);
    }
}

/* Longer than any wish that can be read, but only because of what would be cut off. */
static void a_wish_that_is_too_long_stays_as_it_is(void **state) {
  CLEANUP(pair_deinit) Pair pair;
  char text[MIG_SPEC_TEXT_SIZE + 8], spec[MIG_SPEC_TEXT_SIZE];
  memset(text, ' ', sizeof text);
  memcpy(text, UUID_0, strlen(UUID_0));
  text[sizeof text - 1] = '\0';
  TRIM(&pair, {"facet.gpu/gpu-0", UUID_0 " " A100 " mig=on"}, {"facet.gpu/spec-gpu-0", text});
  assert_string_equal(node_find_spec(&pair.trimmed, 0, spec), text);
}

static void a_snapshot_is_the_same_of_a_trimmed_node(void **state) {
  CLEANUP(pair_deinit) Pair pair;
  CLEANUP(snapshot_deinit) Snapshot whole, trimmed;
  TRIM(&pair, {"facet.gpu/gpu-0", UUID_0 " " A100 " mig=on"}, {"facet.gpu/gpu-1", UUID_1 " " A100 " mig=off"},
       {"facet.gpu/gpu-2", "GPU-b " A100 " mig=on"}, {"facet.gpu/spec-gpu-0", UUID_0 " 3g.40gb@4"},
       {"facet.gpu/status-gpu-0", "1g.10gb@6:free,2g.20gb@0:used"},
       {"facet.gpu/status-gpu-2", "1g.10gb@0:free"}, {"nos.nebuly.com/spec-partitioning-plan", "7"},
       {"nos.nebuly.com/status-gpu-0-1g.10gb-free", "1"}, {"nos.nebuly.com/status-gpu-0-2g.20gb-used", "1"});
  snapshot_init(&whole);
  snapshot_init(&trimmed);
  snapshot_add_node(&whole, &pair.whole, NULL, NULL);
  snapshot_add_node(&trimmed, &pair.trimmed, NULL, NULL);
  assert_int_equal(snapshot_hash(&whole), snapshot_hash(&trimmed));
  const SnapshotNode *a = &whole.nodes.items[0], *b = &trimmed.nodes.items[0];
  assert_int_equal(a->gpu_count, 3);
  assert_true(a->being_recut && b->being_recut);
  for (int i = 0; i < a->gpu_count; i++) {
    char uuids[2][MIG_UUID_SIZE];
    assert_string_equal(snapshot_gpu_uuid(a, &a->gpus[i], uuids[0]),
                        snapshot_gpu_uuid(b, &b->gpus[i], uuids[1]));
    assert_string_equal(a->gpus[i].model_label, b->gpus[i].model_label);
    assert_int_equal(a->gpus[i].mode, b->gpus[i].mode);
    assert_same_text(a->gpus[i].blocked, b->gpus[i].blocked);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(annotations_of_others_go),
      cmocka_unit_test(counts_go_where_the_exact_status_can_be_read),
      cmocka_unit_test(what_is_left_of_equal_gpus_is_equal),
      cmocka_unit_test(a_trimmed_node_is_read_as_the_whole_one),
      cmocka_unit_test(a_wish_that_is_too_long_stays_as_it_is),
      cmocka_unit_test(a_snapshot_is_the_same_of_a_trimmed_node),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
