/* SPDX-License-Identifier: Apache-2.0 */
/* Re-cutting against exhaustive search on random small clusters with used, free, kept and promised slices: no
 * pod stays blocked that one node could serve by withdrawing free slices, and none goes without need. Give a
 * number as argument to run with another seed, and a second one for so many instances. */
#include "base/test_seed.h"
#include "plan/random_cluster.h"

enum { KINDS_MAX = 12 };

static uint64_t seed = 20261122;
static int instances = 1000;

/* A node as it is when a pod's tier has been served: what could a blocked pod still get there by withdrawing
 * free slices? Every set of them that may go is tried, and every way to fill the room. */
typedef struct Recut {
  const Fixture *f;
  const SnapshotPod *pod;
  int node;
  MigLayout layouts[RANDOM_NODES_MAX]; /* by GPU */
  uint32_t loose[RANDOM_NODES_MAX];    /* starts that may go */
  Map free;                            /* resource -> how many are free, plus one */
  char needs[KINDS_MAX][MIG_RESOURCE_NAME_SIZE];
  int lacking[KINDS_MAX]; /* slices that the pod needs, less those that are there */
  int need_count;
} Recut;

static int64_t *free_of(Recut *recut, const char *resource) {
  int64_t *count = map_find(&recut->free, resource);
  if (!count) {
    count = mem_alloc(sizeof *count);
    *count = snapshot_free_of(&recut->f->snapshot.nodes.items[recut->node], resource);
    map_put(&recut->free, resource, count);
  }
  return count;
}

static int64_t *free_of_profile(Recut *recut, int gpu, int profile) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(recut->layouts[gpu].model->profiles[profile].name, resource);
  return free_of(recut, resource);
}

static void recut_deinit(Recut *recut) {
  for (size_t i = 0; i < recut->free.count; i++)
    free(recut->free.entries[i].value);
  map_deinit(&recut->free);
}

/* Can what the pod still lacks be created, from this GPU and slot on? */
static bool can_create(Recut *recut, int gpu, int slot) {
  const SnapshotNode *node = &recut->f->snapshot.nodes.items[recut->node];
  bool lacks = false;
  for (int n = 0; n < recut->need_count; n++)
    lacks |= recut->lacking[n] > 0;
  if (!lacks)
    return true;
  if (gpu == node->gpu_count)
    return false;
  MigLayout *layout = &recut->layouts[gpu];
  if (!node->may_change || node->gpus[gpu].blocked || slot == layout->model->slot_count)
    return can_create(recut, gpu + 1, 0);
  for (int n = 0; n < recut->need_count; n++) {
    char name[MIG_PROFILE_NAME_SIZE];
    Error err;
    assert_ok(mig_profile_parse_resource(recut->needs[n], name, &err));
    int profile = mig_model_find_profile(layout->model, name);
    if (recut->lacking[n] <= 0 || profile < 0 || !mig_layout_can_place(layout, profile, slot))
      continue;
    recut->lacking[n]--;
    mig_layout_place(layout, profile, slot);
    bool can = can_create(recut, gpu, slot + 1);
    mig_layout_remove(layout, slot);
    recut->lacking[n]++;
    if (can)
      return true;
  }
  return can_create(recut, gpu, slot + 1);
}

static bool can_serve(Recut *recut) {
  for (int n = 0; n < recut->need_count; n++) {
    int64_t left = *free_of(recut, recut->needs[n]);
    recut->lacking[n] = (int)(resources_get(&recut->pod->spec->requests, recut->needs[n]) - left);
  }
  return can_create(recut, 0, 0);
}

/* Tries all sets of slices that may go, from this GPU and slot on. */
static bool can_recut(Recut *recut, int gpu, int slot) {
  const SnapshotNode *node = &recut->f->snapshot.nodes.items[recut->node];
  if (gpu == node->gpu_count)
    return can_serve(recut);
  if (slot == MIG_SLOTS_MAX)
    return can_recut(recut, gpu + 1, 0);
  if (recut->loose[gpu] >> slot & 1) {
    int profile = mig_layout_find(&recut->layouts[gpu], slot)->profile;
    int64_t *left = free_of_profile(recut, gpu, profile);
    if (*left > 0) {
      --*left;
      mig_layout_remove(&recut->layouts[gpu], slot);
      bool can = can_recut(recut, gpu, slot + 1);
      mig_layout_place(&recut->layouts[gpu], profile, slot);
      ++*left;
      if (can)
        return true;
    }
  }
  return can_recut(recut, gpu, slot + 1);
}

static const PlanGpu *find_changes(const Plan *plan, int node, int gpu) {
  for (size_t i = 0; i < plan->gpus.count; i++)
    if (plan->gpus.items[i].node == node && plan->gpus.items[i].gpu == gpu)
      return &plan->gpus.items[i];
  return NULL;
}

/* Slices in use and kept ones, and those of which the plan makes no use, were free before. */
static void read_gpu(Recut *recut, int g) {
  const SnapshotGpu *gpu = &recut->f->snapshot.nodes.items[recut->node].gpus[g];
  const PlanGpu *changes = find_changes(&recut->f->plan, recut->node, g);
  recut->layouts[g] = *gpu->layout;
  recut->loose[g] = gpu->existing_starts & ~gpu->used_starts & ~gpu->keep_starts;
  for (int i = 0; changes && i < changes->destroy_count; i++) {
    mig_layout_remove(&recut->layouts[g], changes->destroys[i].start);
    recut->loose[g] &= ~(UINT32_C(1) << changes->destroys[i].start);
    --*free_of_profile(recut, g, changes->destroys[i].profile);
  }
  for (int i = 0; changes && i < changes->create_count; i++) {
    mig_layout_place(&recut->layouts[g], changes->creates[i].profile, changes->creates[i].start);
    ++*free_of_profile(recut, g, changes->creates[i].profile);
  }
}

/* Could this one blocked pod be served on this node, beside all that the plan serves? */
static bool could_be_served(const Fixture *f, int pod, int node) {
  SchedVerdict verdict;
  CLEANUP(recut_deinit) Recut recut = {.f = f, .pod = &f->snapshot.pods.items[pod], .node = node};
  SnapshotNode after = f->snapshot.nodes.items[node];
  CLEANUP(arena_deinit) Arena arena = {0};
  after.requested = (Resources){0};
  resources_add(&after.requested, &f->snapshot.nodes.items[node].requested, 1, &arena);
  for (int g = 0; g < after.gpu_count; g++)
    read_gpu(&recut, g);
  for (size_t i = 0; i < f->plan.pods.count; i++) {
    const PlanPod *other = &f->plan.pods.items[i];
    const Resources *requests = &f->snapshot.pods.items[i].spec->requests;
    if (other->node != node)
      continue;
    resources_add(&after.requested, requests, 1, &arena);
    for (size_t r = 0; r < requests->count; r++)
      if (mig_profile_is_resource(requests->items[r].name))
        *free_of(&recut, requests->items[r].name) -= requests->items[r].amount;
  }
  for (size_t r = 0; r < recut.pod->spec->requests.count; r++)
    if (mig_profile_is_resource(recut.pod->spec->requests.items[r].name))
      snprintf(recut.needs[recut.need_count++], sizeof recut.needs[0], "%s",
               recut.pod->spec->requests.items[r].name);
  return sched_admits((Snapshot *)&f->snapshot, pod, node, &verdict) &&
         sched_resources_fit(recut.pod, &after, true, verdict.reason, sizeof verdict.reason) &&
         can_recut(&recut, 0, 0);
}

static int lowest_priority(const Fixture *f) {
  int lowest = INT32_MAX;
  for (size_t i = 0; i < f->plan.pods.count; i++) {
    const PlanPod *pod = &f->plan.pods.items[i];
    int priority = f->snapshot.pods.items[i].object->priority;
    if (pod->node >= 0 && priority < lowest)
      lowest = priority;
  }
  return lowest;
}

/* A blocked pod that has no lower priority than all that are served cannot be helped on any one node. */
static void assert_complete(const Fixture *f, uint64_t state) {
  int lowest = lowest_priority(f);
  for (size_t i = 0; i < f->plan.pods.count; i++) {
    const PlanPod *pod = &f->plan.pods.items[i];
    if (pod->verdict != PLAN_BLOCKED || f->snapshot.pods.items[i].object->priority > lowest)
      continue;
    for (int node = 0; node < (int)f->snapshot.nodes.count; node++)
      if (could_be_served(f, (int)i, node))
        fail_msg("state %llu: %s could be served on %s\n%s\n%s", (unsigned long long)state,
                 fixture_pod_name(f, i), f->snapshot.nodes.items[node].name, fixture_changes((Fixture *)f),
                 fixture_verdicts((Fixture *)f));
  }
}
/* Serves more pods in the first tier in which the two differ: 1, as many in each: 0, fewer: -1. */
static int compare_served(const Fixture *a, const Fixture *b) {
  int served_a[RANDOM_TIERS_MAX], served_b[RANDOM_TIERS_MAX], tier = 0;
  random_count_served(a, served_a);
  random_count_served(b, served_b);
  while (tier < RANDOM_TIERS_MAX - 1 && served_a[tier] == served_b[tier])
    tier++;
  return (served_a[tier] > served_b[tier]) - (served_a[tier] < served_b[tier]);
}

/* Only free slices go that nobody kept or counts on, and each of them because something stands in its place.
 */
static void assert_destroys_sound(const Fixture *f, const PlanGpu *changes) {
  const SnapshotNode *node = &f->snapshot.nodes.items[changes->node];
  const SnapshotGpu *gpu = &node->gpus[changes->gpu];
  MigList list;
  MigLayout layout;
  Error err;
  plan_gpu_list(&f->snapshot, changes, &list);
  assert_ok(mig_list_bind(&list, gpu->model, &layout, &err));
  for (int i = 0; i < changes->destroy_count; i++) {
    int start = changes->destroys[i].start;
    const MigInstance *instance = mig_layout_find(gpu->layout, start);
    assert_non_null(instance);
    assert_int_equal(instance->profile, changes->destroys[i].profile);
    assert_true(gpu->existing_starts >> start & 1);
    assert_false((gpu->used_starts | gpu->keep_starts) >> start & 1);
    assert_false(mig_layout_can_place(&layout, changes->destroys[i].profile, start));
  }
}

static void assert_sound(const Fixture *f, uint64_t state) {
  int destroyed = 0;
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    assert_destroys_sound(f, &f->plan.gpus.items[i]);
    destroyed += f->plan.gpus.items[i].destroy_count;
  }
  assert_int_equal(f->plan.destroy, destroyed);
  if (f->plan.bound < f->plan.admitted)
    fail_msg("state %llu: bound %d of %d", (unsigned long long)state, f->plan.bound, f->plan.admitted);
}

/* The same cluster with every slice kept: what growth alone can do. */
static void plan_growth(const Fixture *f, Fixture *ret_growth) {
  *ret_growth = (Fixture){.pods = {.items = NULL}};
  for (size_t n = 0; n < f->nodes.count; n++) {
    Node *node = arena_copy(&ret_growth->arena, f->nodes.items[n], sizeof *node);
    node->meta.annotations = (KeyValues){0};
    for (size_t i = 0; i < f->nodes.items[n]->meta.annotations.count; i++)
      fixture_set(ret_growth, &node->meta.annotations, f->nodes.items[n]->meta.annotations.items[i].key,
                  f->nodes.items[n]->meta.annotations.items[i].value);
    for (int g = 0; g < f->snapshot.nodes.items[n].gpu_count; g++)
      random_keep_all(ret_growth, node, f->snapshot.nodes.items[n].gpus[g].index,
                      f->snapshot.nodes.items[n].gpus[g].layout);
    *array_push(&ret_growth->nodes) = node;
  }
  for (size_t i = 0; i < f->pods.count; i++)
    *array_push(&ret_growth->pods) = f->pods.items[i];
  fixture_plan(ret_growth, NULL);
}

static void assert_withdrawals_needed(const Fixture *f, uint64_t state) {
  CLEANUP(fixture_deinit) Fixture growth = {0};
  plan_growth(f, &growth);
  int order = compare_served(f, &growth);
  if (order < 0 || (order == 0 && f->plan.destroy))
    fail_msg("state %llu: %d slices go, and growth serves %s pods\n%s\n%s\ngrowth: %s\n%s",
             (unsigned long long)state, f->plan.destroy, order < 0 ? "more" : "as many",
             fixture_changes((Fixture *)f), fixture_verdicts((Fixture *)f), fixture_changes(&growth),
             fixture_verdicts(&growth));
}

static const RandomMix everything = {.many_models = true,
                                     .several_slices = true,
                                     .other_profiles = true,
                                     .limits = true,
                                     .selectors = true,
                                     .recut = true};

static void no_pod_could_be_served_by_recutting_one_node(void **state) {
  Random random = {.state = seed};
  int recut = 0;
  for (int i = 0; i < instances; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &everything);
    const Plan *plan = fixture_plan(&f, NULL);
    assert_sound(&f, from);
    assert_complete(&f, from);
    recut += plan->destroy > 0;
  }
  assert_true(recut > instances / 20);
}

static void a_withdrawal_always_serves_more_than_growth(void **state) {
  Random random = {.state = seed};
  for (int i = 0; i < instances; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &everything);
    fixture_plan(&f, NULL);
    assert_withdrawals_needed(&f, from);
  }
}

/* Another plan may use what a created slice left free by then, but only to serve more. */
static void a_recut_that_was_carried_out_holds_and_comes_to_rest(void **state) {
  Random random = {.state = seed};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  for (int i = 0; i < instances; i++) {
    uint64_t from = random.state;
    CLEANUP(fixture_deinit) Fixture f = {0};
    random_cluster(&f, &random, &everything);
    fixture_plan(&f, &options);
    for (int round = 0; f.plan.gpus.count; round++) {
      if (round == 5)
        fail_msg("state %llu: still %s", (unsigned long long)from, fixture_changes(&f));
      fixture_carry_out(&f);
      Fixture after = {.nodes = f.nodes, .pods = f.pods};
      fixture_snapshot(&after);
      random_assert_holds(&after, &f);
      snapshot_deinit(&after.snapshot);
      fixture_plan(&f, &options);
    }
  }
}

/* ---- by example ---- */

static void the_fewest_free_slices_go(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "3g.40gb@0:used,1g.10gb@4:free,1g.10gb@5:free,1g.10gb@6:free");
  fixture_gpu(&f, node, A100, "3g.40gb@0:used,2g.20gb@4:free");
  fixture_pods(&f, 1, "p", "3g.40gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/1: -2g.20gb@4 3g.40gb@4");
  assert_string_equal(fixture_verdicts(&f), "p0 admitted n1");
  assert_int_equal(plan->destroy, 1);
  assert_true(plan->pods.items[0].recut);
}

static void room_beside_the_free_slices_comes_first(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "7g.80gb@0:free");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "3g.40gb@0:used");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n2/0: 1g.10gb@6");
  assert_false(f.plan.pods.items[0].recut);
}

static void used_kept_and_promised_slices_stay(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *kept = fixture_node(&f, "n2");
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@2:used");
  fixture_gpu(&f, kept, A100, "2g.20gb@0:free");
  fixture_set(&f, &kept->meta.annotations, "facet.gpu/keep-gpu-0", "2g.20gb@0");
  fixture_gpu(&f, fixture_node(&f, "n3"), A100, "3g.40gb@0:free");
  fixture_pod(&f, "b", "3g.40gb")->node_name = "n3";
  fixture_pods(&f, 1, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "");
}

static void what_serves_a_pod_of_the_tier_stays_and_a_lower_tier_yields(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "3g.40gb@0:free");
  fixture_pod(&f, "equal", "3g.40gb");
  Pod *whole = fixture_pod(&f, "whole", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "");
  whole->priority = 1;
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: -3g.40gb@0 7g.80gb@0");
}

/* The free 3g would do for the pod's own 3g, but only elsewhere is there room for its 4g. */
static void a_slice_that_the_pod_itself_needs_may_move(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "3g.40gb@0:free");
  Pod *pod = fixture_pod(&f, "p", "3g.40gb");
  fixture_ask_slices(&f, pod, "4g.40gb", 1);
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: -3g.40gb@0 3g.40gb@4 4g.40gb@0");
}

/* An A30 has one set of media engines: 1g+me and 2g+me exclude each other wherever they are. */
static void a_free_slice_with_the_same_engines_goes_though_it_overlaps_nothing(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A30, "1g.6gb+me@0:free");
  fixture_pods(&f, 1, "p", "2g.12gb+me");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: -1g.6gb+me@0 2g.12gb+me@2");
}

static void the_bound_counts_what_may_go_as_room(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "3g.40gb@0:free,3g.40gb@4:used");
  fixture_pods(&f, 6, "p", "1g.10gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->admitted, 4);
  assert_int_equal(plan->bound, 4);
}

/* The agent's own reservations wait for a node as well. */
static void a_reservation_is_not_planned_for(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_set(&f, &fixture_pod(&f, "r", "1g.10gb")->meta.labels, MIG_LABEL_RESERVATION, "n1");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_verdicts(&f), "r ignored: it is a reservation of facet's own");
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, &instances);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_fewest_free_slices_go),
      cmocka_unit_test(room_beside_the_free_slices_comes_first),
      cmocka_unit_test(used_kept_and_promised_slices_stay),
      cmocka_unit_test(what_serves_a_pod_of_the_tier_stays_and_a_lower_tier_yields),
      cmocka_unit_test(a_slice_that_the_pod_itself_needs_may_move),
      cmocka_unit_test(a_free_slice_with_the_same_engines_goes_though_it_overlaps_nothing),
      cmocka_unit_test(the_bound_counts_what_may_go_as_room),
      cmocka_unit_test(a_reservation_is_not_planned_for),
      cmocka_unit_test(no_pod_could_be_served_by_recutting_one_node),
      cmocka_unit_test(a_withdrawal_always_serves_more_than_growth),
      cmocka_unit_test(a_recut_that_was_carried_out_holds_and_comes_to_rest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
