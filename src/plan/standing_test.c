/* SPDX-License-Identifier: Apache-2.0 */
/* A plan that followed thousands of random events is held against one that is made from scratch of the same
 * objects: the same verdict for every pod, the same numbers, the same bound; and the places that it gives are
 * held against the scheduler's filters and the rules of MIG. Where hosts run short of cpu or pods have a
 * choice between them, the plan is searched instead of counted: there nobody may be left out for whom there
 * is a place, and not many fewer may be served than from scratch.
 *
 *     test-plan-standing [SEED EVENTS] */
#include "base/test_seed.h"
#include "plan/thing_fixture.h"

#include "plan/greedy.h"
#include "plan/standing.h"

enum { NODES = 70, PODS = 420, OLD = 40 };

/* What may happen in one run. */
typedef struct Mix {
  const char *name;
  int pods;             /* that there are about */
  bool kept_slices;     /* free slices that have to stay */
  bool free_slices;     /* free slices that may be withdrawn */
  bool models, zones;   /* nodes and pods of several sorts */
  bool tiers;           /* priorities, and pods that have waited long */
  bool short_cpu;       /* of nodes, and pods that ask different amounts of it */
  bool choice;          /* some pods may go to any zone */
  bool upheaval;        /* nodes come and go, are labelled, paused; pods are strange, tied, nominated */
  int kept_percent;     /* so many of the plans, at least, were not made from scratch */
  int searched_percent; /* the same, of plans that are searched */
} Mix;

static const Mix mixes[] = {
    {.name = "room for all", .pods = 60, .kept_percent = 90},
    {.name = "room for all, free slices", .pods = 60, .free_slices = true, .kept_percent = 70},
    {.name = "too many pods", .pods = 400, .kept_percent = 90},
    {.name = "too many pods, free slices that stay", .pods = 400, .kept_slices = true, .kept_percent = 90},
    {.name = "tiers", .pods = 350, .tiers = true, .kept_slices = true, .kept_percent = 85},
    {.name = "several sorts",
     .pods = 350,
     .models = true,
     .zones = true,
     .kept_slices = true,
     .kept_percent = 50},
    {.name = "short of cpu", .pods = 300, .short_cpu = true, .searched_percent = 80},
    {.name = "a choice of zones", .pods = 350, .zones = true, .choice = true, .searched_percent = 80},
    {.name = "short of cpu, several sorts",
     .pods = 300,
     .short_cpu = true,
     .models = true,
     .zones = true,
     .choice = true,
     .kept_slices = true,
     .searched_percent = 70},
    {.name = "short of cpu, tiers", .pods = 250, .short_cpu = true, .tiers = true},
    {.name = "all of it, short of cpu",
     .pods = 250,
     .short_cpu = true,
     .choice = true,
     .kept_slices = true,
     .models = true,
     .zones = true,
     .tiers = true,
     .upheaval = true},
    {.name = "all of it",
     .pods = 300,
     .kept_slices = true,
     .models = true,
     .zones = true,
     .tiers = true,
     .upheaval = true},
};

typedef struct World {
  const Mix *mix;
  Random random;
  Thing *nodes[NODES], *pods[PODS];
  int pod_count;
  int64_t now;
  PlanStanding standing;
  int plans, searched;
  int64_t first, first_from_scratch;   /* of the highest priority; likewise */
  int64_t served, served_from_scratch; /* by plans that are searched, and by those beside them */
  double least;                        /* of the two, the least ratio in one plan */
} World;

static void world_deinit(World *world) {
  plan_standing_deinit(&world->standing);
  for (int i = 0; i < NODES; i++)
    thing_free(world->nodes[i]);
  for (int i = 0; i < PODS; i++)
    thing_free(world->pods[i]);
}

static bool once_in(World *world, int times) {
  return random_below(&world->random, (uint64_t)times) == 0;
}

static const char *pick_status(World *world, bool is_a30) {
  static const char *const used[] = {"",
                                     "1g.10gb@2:used",
                                     "1g.10gb@0:used,2g.20gb@4:used",
                                     "2g.20gb@2:used",
                                     "3g.40gb@4:used",
                                     "",
                                     "7g.80gb@0:used",
                                     "1g.10gb@0:used,1g.10gb@1:used,1g.10gb@3:used,3g.40gb@4:used"};
  static const char *const free[] = {"1g.10gb@6:free", "2g.20gb@0:free,1g.10gb@5:used", "3g.40gb@4:free",
                                     "1g.10gb@0:free,1g.10gb@1:free,1g.20gb@2:free"};
  static const char *const a30[] = {"", "1g.6gb@0:used", "2g.12gb@2:used", "1g.6gb@1:used,1g.6gb@2:used"};
  if (is_a30)
    return a30[random_below(&world->random, COUNT_OF(a30))];
  if ((world->mix->kept_slices || world->mix->free_slices) && once_in(world, 4))
    return free[random_below(&world->random, COUNT_OF(free))];
  return used[random_below(&world->random, COUNT_OF(used))];
}

static void add_gpu(World *world, Thing *thing, const char *model) {
  const char *status = pick_status(world, strcmp(model, A30) == 0);
  int gpu = fixture_gpu(&thing->f, thing->node, model, status);
  if (world->mix->kept_slices)
    fixture_set(&thing->f, &thing->node->meta.annotations,
                arena_format(&thing->f.arena, MIG_ANNOTATION_KEEP_PREFIX "%d", gpu),
                "1g.10gb@0,1g.10gb@1,1g.20gb@2,3g.40gb@4,1g.10gb@6");
}

static Thing *make_node(World *world, int number) {
  Thing *thing = mem_alloc(sizeof *thing);
  thing->node = fixture_node(&thing->f, arena_format(&thing->f.arena, "n%02d", number));
  const char *model = world->mix->models && number % 3 == 0 ? A30 : A100;
  if (world->mix->zones)
    fixture_set(&thing->f, &thing->node->meta.labels, "zone", number % 2 ? "east" : "west");
  add_gpu(world, thing, model);
  if (number % 4 == 1)
    add_gpu(world, thing, model);
  if (world->mix->upheaval && once_in(world, 12))
    fixture_set(&thing->f, &thing->node->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  if (world->mix->upheaval && once_in(world, 12))
    fixture_set(&thing->f, &thing->node->meta.annotations, MIG_ANNOTATION_EXCLUDE, "0");
  if (world->mix->upheaval && once_in(world, 40))
    fixture_set(&thing->f, (KeyValues *)&thing->node->allocatable, "cpu", "3");
  if (world->mix->short_cpu)
    fixture_set(&thing->f, (KeyValues *)&thing->node->allocatable, "cpu",
                arena_format(&thing->f.arena, "%d", 2 + (int)random_below(&world->random, 8)));
  if (world->mix->upheaval && once_in(world, 40))
    fixture_set(&thing->f, &thing->node->meta.labels, "colour", "blue");
  if (world->mix->upheaval && once_in(world, 40)) { /* told to take slices away, no answer yet */
    fixture_set(&thing->f, &thing->node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN, "p1");
    fixture_set(&thing->f, &thing->node->meta.annotations, "facet.gpu/spec-gpu-0",
                arena_format(&thing->f.arena, "GPU-%s-0 ", thing->node->meta.name));
  }
  return thing;
}

static void make_strange(World *world, Thing *thing) {
  static SchedulingGate gates[] = {{"wait"}};
  Pod *pod = thing->pod;
  switch (random_below(&world->random, 5)) {
  case 0:
    fixture_ask(&thing->f, pod, "cpu", "many");
    break;
  case 1:
    pod->common->scheduling_gates.items = gates;
    pod->common->scheduling_gates.count = 1;
    break;
  case 2:
    fixture_ask_slices(&thing->f, pod, "1g.10gb", 2);
    break;
  case 3:
    pod->common->nominated_node_name = "n03";
    break;
  default:
    fixture_ask(&thing->f, pod, "cpu", "7");
  }
}

static Thing *make_pod(World *world, int number) {
  static const char *const profiles[] = {"1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb",
                                         "4g.40gb", "7g.80gb", "1g.20gb"};
  Random *random = &world->random;
  Thing *thing = mem_alloc(sizeof *thing);
  const char *profile = profiles[random_below(random, COUNT_OF(profiles))];
  if (world->mix->models && once_in(world, 3))
    profile = once_in(world, 2) ? "1g.6gb" : "2g.12gb";
  thing->pod = fixture_pod(&thing->f, arena_format(&thing->f.arena, "p%03d", number), profile);
  thing->pod->meta.creation_time = world->now - (int64_t)random_below(random, world->mix->tiers ? 60 : 3);
  if (once_in(world, world->mix->tiers ? 2000 : 30))
    thing->pod->meta.creation_time = 0; /* nobody knows */
  thing->pod->priority = world->mix->tiers ? (int32_t)random_below(random, 3) : 0;
  fixture_ask(&thing->f, thing->pod, "cpu",
              world->mix->short_cpu && once_in(world, 3) ? "3"
              : once_in(world, 2)                        ? "1"
                                                         : "500m");
  if (world->mix->zones &&
      !(world->mix->choice &&
        once_in(world, 2))) /* of A100s each zone asks its own, so that nobody has a choice */
    fixture_set(&thing->f, &thing->pod->common->node_selector, "zone", once_in(world, 2) ? "east" : "west");
  if (once_in(world, 4)) /* as a StatefulSet does: a label that no other pod has */
    fixture_set(&thing->f, &thing->pod->meta.labels, "pod-name", thing->pod->meta.name);
  if (once_in(world, 8)) { /* it runs, and holds cpu alone */
    thing->pod->node_name = arena_format(&thing->f.arena, "n%02d", (int)random_below(random, NODES));
    pod_common(thing->pod)->containers.items[0].requests.items++;
    pod_common(thing->pod)->containers.items[0].requests.count--;
  }
  if (world->mix->upheaval && once_in(world, 40))
    make_strange(world, thing);
  return thing;
}

/* ---- events ---- */

static void put_node(World *world, int number) {
  Thing *old = world->nodes[number];
  world->nodes[number] = make_node(world, number);
  plan_standing_put_node(&world->standing, world->nodes[number]->node);
  thing_free(old);
}

static void remove_node(World *world, int number) {
  Thing *old = world->nodes[number];
  world->nodes[number] = NULL;
  if (old)
    plan_standing_remove_node(&world->standing, old->node->meta.name);
  thing_free(old);
}

static void put_pod(World *world, int number) {
  Thing *old = world->pods[number];
  world->pods[number] = make_pod(world, number);
  plan_standing_put_pod(&world->standing, world->pods[number]->pod);
  world->pod_count += !old;
  thing_free(old);
}

static void remove_pod(World *world, int number) {
  Thing *old = world->pods[number];
  if (!old)
    return;
  world->pods[number] = NULL;
  plan_standing_remove_pod(&world->standing, old->pod);
  world->pod_count--;
  thing_free(old);
}

static void happen(World *world) {
  world->now += (int64_t)random_below(&world->random, 2);
  if (once_in(world, 6)) {
    int number = (int)random_below(&world->random, NODES);
    if (world->mix->upheaval && once_in(world, 8))
      remove_node(world, number);
    else
      put_node(world, number);
    return;
  }
  int number = (int)random_below(&world->random, PODS);
  if (world->pod_count > world->mix->pods && !world->pods[number])
    return;
  if (world->pods[number] && once_in(world, 2))
    remove_pod(world, number);
  else
    put_pod(world, number);
}

/* ---- the oracle ---- */

static PlanOptions options_of(const World *world) {
  return (PlanOptions){.leftover = PLAN_LEFTOVER_NONE,
                       .steps_max = 100, /* where there is a search, it is the same on both sides */
                       .old_before = world->mix->tiers ? world->now - OLD : 0};
}

static void plan_from_scratch(const World *world, Snapshot *snapshot, Plan *plan) {
  PlanOptions options = options_of(world);
  snapshot_init(snapshot);
  for (int i = 0; i < NODES; i++)
    if (world->nodes[i])
      snapshot_add_node(snapshot, world->nodes[i]->node, NULL, NULL);
  for (int i = 0; i < PODS; i++)
    if (world->pods[i])
      snapshot_add_pod(snapshot, world->pods[i]->pod, NULL);
  plan_compute(snapshot, &options, plan);
}

static int *find_pods(const Snapshot *of, const Snapshot *in) {
  int *found = mem_alloc((of->pods.count + 1) * sizeof *found);
  CLEANUP(map_deinit) Map names = {0};
  for (size_t i = 0; i < in->pods.count; i++)
    map_put(&names, in->pods.items[i].object->meta.name, (void *)(uintptr_t)(i + 1));
  for (size_t i = 0; i < of->pods.count; i++) {
    found[i] = (int)(uintptr_t)map_find(&names, of->pods.items[i].object->meta.name) - 1;
    assert_true(found[i] >= 0);
  }
  return found;
}

static void assert_same_verdicts(const World *world, const Plan *plan, const Plan *scratch, const int *pods) {
  const Snapshot *snapshot = &world->standing.live.snapshot;
  assert_int_equal(plan->pods.count, scratch->pods.count);
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *pod = &plan->pods.items[i], *expected = &scratch->pods.items[pods[i]];
    if (pod->verdict != expected->verdict)
      fail_msg("%s is %s here, %s from scratch", snapshot->pods.items[i].object->meta.name,
               plan_verdict_name(pod->verdict), plan_verdict_name(expected->verdict));
    assert_true((pod->node >= 0) == (expected->node >= 0));
    assert_true(!*pod->reason == !*expected->reason);
    assert_true(pod->premature == expected->premature);
  }
  assert_int_equal(plan->pending, scratch->pending);
  assert_int_equal(plan->admitted, scratch->admitted);
  assert_int_equal(plan->already_fit, scratch->already_fit);
  assert_int_equal(plan->bound, scratch->bound);
}

/* In the snapshot that was taken afresh; its forks assert what MIG and the contract forbid. */
static void carry_out(World *world, Snapshot *fresh, const Plan *plan) {
  CLEANUP(arena_deinit) Arena arena = {0};
  const Snapshot *snapshot = &world->standing.live.snapshot;
  PlanOptions options = options_of(world);
  int created = 0;
  for (int node = 0; node < (int)snapshot->nodes.count; node++) {
    PlanGpus gpus;
    int there = snapshot_find_node(fresh, snapshot->nodes.items[node].name);
    plan_standing_take(&world->standing, &options, &node, 1, &arena, &gpus);
    for (size_t i = 0; i < gpus.count; i++) {
      const PlanGpu *gpu = &gpus.items[i];
      assert_int_equal(gpu->node, node);
      for (int k = 0; k < gpu->destroy_count; k++)
        snapshot_remove(fresh, there, gpu->gpu, gpu->destroys[k].start);
      for (int k = 0; k < gpu->create_count; k++)
        snapshot_place(fresh, there, gpu->gpu, gpu->creates[k].profile, gpu->creates[k].start);
      created += gpu->create_count;
      assert_true(snapshot->nodes.items[node].may_change);
    }
    array_deinit(&gpus);
  }
  assert_int_equal(created, plan->create);
}

static void assert_all_fit(const World *world, Snapshot *fresh, const Plan *plan, const int *pods) {
  for (size_t i = 0; i < plan->pods.count; i++) {
    SchedVerdict verdict;
    if (plan->pods.items[i].node < 0)
      continue;
    int node =
        snapshot_find_node(fresh, world->standing.live.snapshot.nodes.items[plan->pods.items[i].node].name);
    if (!sched_fits(fresh, pods[i], node, &verdict))
      fail_msg("%s: %s", verdict.plugin, verdict.reason);
    snapshot_bind(fresh, pods[i], node);
  }
}

/* Of the highest priority. */
static int count_first(const Snapshot *snapshot, const Plan *plan) {
  int served = 0;
  for (size_t i = 0; i < plan->pods.count; i++)
    served += plan->pods.items[i].node >= 0 && snapshot->pods.items[i].object->priority == 2;
  return served;
}

static void assert_nobody_is_left_out(Snapshot *fresh) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  plan_problem_init(&problem, fresh, 0);
  {
    CLEANUP(plan_draft_deinit) PlanDraft draft;
    CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
    plan_draft_init(&draft, &problem);
    plan_greedy_init(&greedy, &draft);
    for (size_t i = 0; i < problem.waiting.count; i++)
      if (plan_greedy_serve(&greedy, (int)i, 0))
        fail_msg("%s is left out", plan_problem_pod(&problem, (int)i)->object->meta.name);
  }
}

static void check_searched(World *world, Snapshot *fresh, const Plan *plan, const Plan *scratch,
                           const int *pods) {
  int fits = 0, admitted = 0, blocked = 0, served = scratch->admitted + scratch->already_fit;
  for (size_t i = 0; i < plan->pods.count; i++) {
    fits += plan->pods.items[i].verdict == PLAN_FITS;
    admitted += plan->pods.items[i].verdict == PLAN_ADMITTED;
    blocked += plan->pods.items[i].verdict == PLAN_BLOCKED;
  }
  assert_int_equal(plan->pending, scratch->pending);
  assert_int_equal(plan->already_fit, fits);
  assert_int_equal(plan->admitted, admitted);
  assert_int_equal(plan->pending, fits + admitted + blocked);
  assert_true(plan->bound >= plan->admitted && plan->bound + fits >= served);
  assert_all_fit(world, fresh, plan, pods);
  assert_nobody_is_left_out(fresh);
  double ratio = served ? (double)(fits + admitted) / served : 1;
  world->least = !world->searched || ratio < world->least ? ratio : world->least;
  world->searched++;
  world->served += fits + admitted;
  world->served_from_scratch += served;
  world->first += count_first(&world->standing.live.snapshot, plan);
  world->first_from_scratch += count_first(fresh, scratch);
}

static void check(World *world) {
  CLEANUP(snapshot_deinit) Snapshot fresh;
  CLEANUP(plan_deinit) Plan scratch;
  PlanOptions options = options_of(world);
  const Plan *plan = plan_standing_compute(&world->standing, &options);
  world->plans++;
  plan_from_scratch(world, &fresh, &scratch);
  CLEANUP(cleanup_free) int *pods = find_pods(&world->standing.live.snapshot, &fresh);
  bool is_searched = world->standing.is_kept && world->standing.kept.is_searched && world->standing.events;
  if (!is_searched)
    assert_same_verdicts(world, plan, &scratch, pods);
  carry_out(world, &fresh, plan);
  if (is_searched)
    check_searched(world, &fresh, plan, &scratch, pods);
  else if (world->standing.is_kept) /* otherwise the order matters, and other tests look after it */
    assert_all_fit(world, &fresh, plan, pods);
}

static int test_events = 400;
static uint64_t test_seed = 1;

static void run(const Mix *mix, uint64_t seed) {
  CLEANUP(world_deinit) World world = {.mix = mix, .random = {.state = seed}, .now = 1000};
  print_message("# %s, seed %llu\n", mix->name, (unsigned long long)seed);
  plan_standing_init(&world.standing);
  world.standing.searched_min = mix->short_cpu || mix->choice ? 0 : SIZE_MAX;
  for (int i = 0; i < NODES; i++)
    put_node(&world, i);
  for (int i = 0; i < mix->pods; i++)
    put_pod(&world, i);
  for (int event = 0; event < test_events; event++) {
    happen(&world);
    if (!once_in(&world, 5)) /* several at once, too */
      check(&world);
  }
  int afresh = (int)world.standing.afresh;
  print_message("# %d plans, %d of them from scratch\n", world.plans, afresh);
  if (world.searched)
    print_message("# %d searched, %.2f %% of what plans from scratch serve, %.2f %% at least\n",
                  world.searched, 100.0 * (double)world.served / (double)world.served_from_scratch,
                  100 * world.least);
  assert_true((world.plans - afresh) * 100 >= mix->kept_percent * world.plans);
  assert_true(world.searched * 100 >= mix->searched_percent * world.plans);
  assert_true(world.served * 100 >= world.served_from_scratch * 95);
  assert_true(world.first * 100 >= world.first_from_scratch * 95);
}

static void verdicts_and_numbers_are_those_of_a_plan_from_scratch(void **state) {
  for (size_t i = 0; i < COUNT_OF(mixes); i++)
    run(&mixes[i], test_seed + i);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verdicts_and_numbers_are_those_of_a_plan_from_scratch),
  };
  test_seed_read(argc, argv, &test_seed, &test_events);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
