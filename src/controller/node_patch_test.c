/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan_fixture.h"

#include "cluster/node_trim.h"
#include "controller/node_patch.h"

#define UUID "GPU-n1-0"

/* The patch for all changed GPUs of the fixture's plan, which must be of one node. */
static const char *patch_of(Fixture *f) {
  CLEANUP(text_deinit) Text body = {0};
  controller_node_patch_format(&f->snapshot, f->plan.gpus.items, f->plan.gpus.count, "p2", &body);
  return arena_strdup(&f->arena, text_string(&body));
}

static Node *told_node(Fixture *f, const char *spec_plan, const char *status_plan) {
  Node *node = fixture_node(f, "n1");
  fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN, spec_plan);
  if (status_plan)
    fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_STATUS_PLAN, status_plan);
  return node;
}

/* A node of which only nos' agent told: no UUID. */
static Node *counted_node(Fixture *f, const char *spec_plan) {
  Node *node = told_node(f, spec_plan, "p1");
  fixture_set(f, &node->meta.labels, "nvidia.com/gpu.product", A100);
  fixture_set(f, &node->meta.annotations, "nos.nebuly.com/status-gpu-0-1g.10gb-used", "1");
  return node;
}

#define TEST(old)                                                                                            \
  "{\"op\":\"test\",\"path\":\"/metadata/annotations/"                                                       \
  "nos.nebuly.com~1spec-partitioning-plan\",\"value\":" old "}"
#define ADD(key, value)      ",{\"op\":\"add\",\"path\":\"/metadata/annotations/" key "\",\"value\":\"" value "\"}"
#define REMOVE(key)          ",{\"op\":\"remove\",\"path\":\"/metadata/annotations/" key "\"}"
#define EXACT(index)         "facet.gpu~1spec-gpu-" index
#define COUNT(index_profile) "nos.nebuly.com~1spec-gpu-" index_profile
#define PLAN_P2              ADD("nos.nebuly.com~1spec-partitioning-plan", "p2")

/* ---- the patch ---- */

static void a_node_that_was_never_told_is_tested_for_null(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 5, "p", "1g.10gb");
  fixture_plan(&f, &(PlanOptions){.leftover = PLAN_LEFTOVER_FILL});
  assert_string_equal(patch_of(&f), "[" TEST("null") ADD(EXACT("0"), UUID
                                                         " 1g.10gb@6,1g.10gb@5,1g.10gb@4,1g.10gb@3,1g.10gb@2,"
                                                         "2g.20gb@0") ADD(COUNT("0-1g.10gb"), "5")
                                        ADD(COUNT("0-2g.20gb"), "1") PLAN_P2 "]");
}

static void the_plan_that_was_seen_guards_the_next_one(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, told_node(&f, "p\"1", "p\"1"), A100, "");
  fixture_pods(&f, 1, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f), "[" TEST("\"p\\\"1\"") ADD(EXACT("0"), UUID " 7g.80gb@0")
                                        ADD(COUNT("0-7g.80gb"), "1") PLAN_P2 "]");
}

static void existing_slices_are_wanted_too_and_counted(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, told_node(&f, "p1", "p1"), A100, "1g.10gb@6:used,2g.20gb@0:used");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("\"p1\"") ADD(EXACT("0"), UUID " 2g.20gb@0,1g.10gb@6,1g.10gb@5")
                          ADD(COUNT("0-1g.10gb"), "2") ADD(COUNT("0-2g.20gb"), "1") PLAN_P2 "]");
}

/* As the controller keeps nodes: what is left of the texts must not reach the node. */
static void a_trimmed_node_is_told_the_same(void **state) {
  const char *patches[2];
  for (int trims = 0; trims < 2; trims++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *node = told_node(&f, "p1", "p1");
    for (int gpu = 0; gpu < 3; gpu++) {
      const char *key = arena_format(&f.arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", gpu);
      const char *uuid = arena_format(&f.arena, "GPU-0000000%d-1c3d-4e5f-a6b7-c8d9e0f1a2b3", gpu);
      fixture_gpu(&f, node, A100, gpu ? "7g.80gb@0:used" : "");
      fixture_set(&f, &node->meta.annotations, key, arena_format(&f.arena, "%s " A100 " mig=on", uuid));
      fixture_set(&f, &node->meta.annotations, arena_format(&f.arena, "facet.gpu/spec-gpu-%d", gpu),
                  arena_format(&f.arena, "%s 1g.10gb@0", gpu == 2 ? "GPU-old" : uuid));
    }
    if (trims)
      node_trim(node, &f.arena);
    fixture_pods(&f, 1, "p", "3g.40gb");
    fixture_plan(&f, NULL);
    patches[trims] = mem_strdup(patch_of(&f));
  }
  assert_string_equal(patches[1], patches[0]);
  assert_non_null(strstr(patches[1], "\"GPU-00000000-1c3d-4e5f-a6b7-c8d9e0f1a2b3 3g.40gb@4\""));
  assert_non_null(strstr(patches[1], "\"GPU-00000001-1c3d-4e5f-a6b7-c8d9e0f1a2b3 7g.80gb@0\""));
  assert_non_null(strstr(patches[1], REMOVE(EXACT("2"))));
  free((char *)patches[0]);
  free((char *)patches[1]);
}

#define STATUS_TEST(value)                                                                                   \
  ",{\"op\":\"test\",\"path\":\"/metadata/annotations/facet.gpu~1status-gpu-0\",\"value\":\"" value "\"}"

/* Had a pod taken a slice meanwhile, the write must not happen. */
static void slices_go_only_from_the_status_that_the_plan_saw(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, told_node(&f, "p1", "p1"), A100, "2g.20gb@0:used,1g.10gb@5:free");
  fixture_pods(&f, 1, "p", "3g.40gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("\"p1\"") STATUS_TEST("2g.20gb@0:used,1g.10gb@5:free")
                          ADD(EXACT("0"), UUID " 2g.20gb@0,3g.40gb@4") ADD(COUNT("0-2g.20gb"), "1")
                              ADD(COUNT("0-3g.40gb"), "1") PLAN_P2 "]");
}

/* Else the agent would take the slice that came later for one that is to go. */
static void a_gpu_outside_the_plan_is_told_what_exists_on_it(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = told_node(&f, "p1", "p1");
  fixture_gpu(&f, node, A100, "");
  fixture_gpu(&f, node, A100, "3g.40gb@0:used,3g.40gb@4:free");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-1", "GPU-n1-1 3g.40gb@0");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("\"p1\"") ADD(EXACT("0"), UUID " 1g.10gb@6") ADD(COUNT("0-1g.10gb"), "1")
                          ADD(EXACT("1"), "GPU-n1-1 3g.40gb@0,3g.40gb@4") ADD(COUNT("1-3g.40gb"), "2") PLAN_P2
                      "]");
}

static void counts_of_profiles_that_are_gone_are_removed(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = told_node(&f, "p1", "p1");
  fixture_gpu(&f, node, A100, "");
  fixture_gpu(&f, node, A100, "7g.80gb@0:used");
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-3g.40gb", "2");
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-1g.10gb.me", "1");
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-1g.10gb", "7");
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-1-7g.80gb", "1"); /* another GPU's */
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-nonsense", "1");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("\"p1\"") ADD(EXACT("0"), UUID " 1g.10gb@6") ADD(COUNT("0-1g.10gb"), "1")
                          REMOVE(COUNT("0-3g.40gb")) REMOVE(COUNT("0-1g.10gb.me")) PLAN_P2 "]");
}

static void media_profiles_are_written_in_the_form_of_keys(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 1, "p", "1g.10gb+me");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f), "[" TEST("null") ADD(EXACT("0"), UUID " 1g.10gb+me@6")
                                        ADD(COUNT("0-1g.10gb.me"), "1") PLAN_P2 "]");
}

static void all_changed_gpus_of_a_node_go_into_one_patch(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  for (int i = 0; i < 11; i++)
    fixture_gpu(&f, node, A100, i == 1 || i == 10 ? "" : "7g.80gb@0:used");
  fixture_pods(&f, 2, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("null") ADD(EXACT("1"), "GPU-n1-1 7g.80gb@0") ADD(COUNT("1-7g.80gb"), "1")
                          ADD(EXACT("10"), "GPU-n1-10 7g.80gb@0") ADD(COUNT("10-7g.80gb"), "1") PLAN_P2 "]");
}

static void wishes_for_gpus_that_are_gone_or_replaced_are_removed(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "");
  for (int i = 1; i < 4; i++)
    fixture_gpu(&f, node, A100, "7g.80gb@0:used");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-0",
              "GPU-other 1g.10gb@0"); /* planned anyway */
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-1", "GPU-other 7g.80gb@0");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-2", "garbage, of course");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-3", "GPU-n1-3 7g.80gb@0"); /* still true */
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-4", "GPU-n1-4 7g.80gb@0");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-x", "whose is this?");
  fixture_pods(&f, 1, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(patch_of(&f),
                      "[" TEST("null") ADD(EXACT("0"), UUID " 7g.80gb@0") ADD(COUNT("0-7g.80gb"), "1")
                          REMOVE(EXACT("1")) REMOVE(EXACT("2")) REMOVE(EXACT("4")) PLAN_P2 "]");
}

static void a_gpu_without_a_uuid_gets_counts_alone(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = counted_node(&f, "p1");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-0",
              "GPU-old 7g.80gb@0"); /* would win over counts */
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_true(f.snapshot.nodes.items[0].gpus[0].assumed);
  assert_string_equal(patch_of(&f),
                      "[" TEST("\"p1\"") REMOVE(EXACT("0")) ADD(COUNT("0-1g.10gb"), "2") PLAN_P2 "]");
}

/* ---- what is known already ---- */

typedef struct KnownCase {
  const char *what;
  const char *spec; /* facet.gpu/spec-gpu-0 */
  const char *spec_plan, *status_plan;
  PlanLeftover leftover;
  bool known;
} KnownCase;

/* Of one GPU, empty, and two pods that ask 1g.10gb: the plan is 1g.10gb@5,1g.10gb@4 and left-over slices. */
static const KnownCase known_cases[] = {
    {"an unanswered plan that asks for them", UUID " 1g.10gb@5,1g.10gb@4", "p1", "p0", PLAN_LEFTOVER_NONE,
     true},
    {"an unanswered first plan", UUID " 1g.10gb@5,1g.10gb@4", "p1", NULL, PLAN_LEFTOVER_NONE, true},
    {"more than is needed", UUID " 1g.10gb@4,1g.10gb@5,1g.10gb@6", "p1", "p0", PLAN_LEFTOVER_NONE, true},
    {"left-over slices differ", UUID " 1g.10gb@5,1g.10gb@4", "p1", "p0", PLAN_LEFTOVER_FILL, true},
    {"an answered plan is over", UUID " 1g.10gb@5,1g.10gb@4", "p1", "p1", PLAN_LEFTOVER_NONE, false},
    {"one slice is missing", UUID " 1g.10gb@5", "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"another place", UUID " 1g.10gb@5,1g.10gb@6", "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"another profile there", UUID " 1g.10gb@5,1g.10gb+me@4", "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"for another GPU", "GPU-x 1g.10gb@5,1g.10gb@4", "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"garbage", "1g.10gb", "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"nothing", NULL, "p1", "p0", PLAN_LEFTOVER_NONE, false},
    {"no plan", UUID " 1g.10gb@5,1g.10gb@4", NULL, NULL, PLAN_LEFTOVER_NONE, false},
};

static void only_an_unanswered_wish_for_every_demanded_slice_is_known(void **state) {
  for (size_t i = 0; i < COUNT_OF(known_cases); i++) {
    const KnownCase *c = &known_cases[i];
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *node = c->spec_plan ? told_node(&f, c->spec_plan, c->status_plan) : fixture_node(&f, "n1");
    fixture_gpu(&f, node, A100, "");
    if (c->spec)
      fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-0", c->spec);
    fixture_pods(&f, 2, "p", "1g.10gb");
    fixture_plan(&f, &(PlanOptions){.leftover = c->leftover});
    assert_true(f.plan.gpus.count == 1);
    if (controller_node_patch_is_known(&f.snapshot, &f.plan.gpus.items[0]) != c->known)
      fail_msg("%s: expected %s", c->what, c->known ? "known" : "new");
  }
}

static void without_a_uuid_the_counts_tell_what_is_known(void **state) {
  static const struct {
    const char *count; /* spec of 1g.10gb; one exists, one more is planned */
    bool known;
  } cases[] = {{NULL, false}, {"1", false}, {"garbage", false}, {"2", true}, {"3", true}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *node = counted_node(&f, "p2");
    if (cases[i].count)
      fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-1g.10gb", cases[i].count);
    fixture_pods(&f, 1, "p", "1g.10gb");
    fixture_plan(&f, NULL);
    assert_true(f.plan.gpus.count == 1);
    assert_true(controller_node_patch_is_known(&f.snapshot, &f.plan.gpus.items[0]) == cases[i].known);
  }
}

static void without_a_uuid_an_exact_wish_makes_counts_unknown(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = counted_node(&f, "p2");
  fixture_set(&f, &node->meta.annotations, "nos.nebuly.com/spec-gpu-0-1g.10gb", "2");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/spec-gpu-0", "GPU-old 1g.10gb@6,1g.10gb@5");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_false(controller_node_patch_is_known(&f.snapshot, &f.plan.gpus.items[0]));
}

/* Of the 256 KiB of annotations that an object may have; the patch is larger than what it leaves behind. */
static void sixteen_gpus_in_seven_slices_each_need_little_room(void **state) {
  enum { GPUS = 16, ANNOTATIONS_SIZE_MAX = 256 << 10, SHARE = 16 };
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  for (int i = 0; i < GPUS; i++)
    fixture_gpu(&f, node, A100, "");
  fixture_pods(&f, 7 * GPUS, "p", "1g.10gb");
  fixture_set(&f, (KeyValues *)&node->allocatable, "pods", "200");
  fixture_plan(&f, NULL);
  assert_int_equal(f.plan.gpus.count, GPUS);
  const char *patch = patch_of(&f);
  assert_non_null(strstr(patch, EXACT("15")));
  size_t size = strlen(patch) + (size_t)GPUS * MIG_UUID_SIZE;
  print_message("# %zu bytes\n", size);
  assert_in_range(size, 2048, ANNOTATIONS_SIZE_MAX / SHARE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_node_that_was_never_told_is_tested_for_null),
      cmocka_unit_test(a_trimmed_node_is_told_the_same),
      cmocka_unit_test(the_plan_that_was_seen_guards_the_next_one),
      cmocka_unit_test(existing_slices_are_wanted_too_and_counted),
      cmocka_unit_test(slices_go_only_from_the_status_that_the_plan_saw),
      cmocka_unit_test(a_gpu_outside_the_plan_is_told_what_exists_on_it),
      cmocka_unit_test(counts_of_profiles_that_are_gone_are_removed),
      cmocka_unit_test(media_profiles_are_written_in_the_form_of_keys),
      cmocka_unit_test(all_changed_gpus_of_a_node_go_into_one_patch),
      cmocka_unit_test(wishes_for_gpus_that_are_gone_or_replaced_are_removed),
      cmocka_unit_test(a_gpu_without_a_uuid_gets_counts_alone),
      cmocka_unit_test(sixteen_gpus_in_seven_slices_each_need_little_room),
      cmocka_unit_test(only_an_unanswered_wish_for_every_demanded_slice_is_known),
      cmocka_unit_test(without_a_uuid_the_counts_tell_what_is_known),
      cmocka_unit_test(without_a_uuid_an_exact_wish_makes_counts_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
