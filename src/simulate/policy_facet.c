/* SPDX-License-Identifier: Apache-2.0 */
/* First the scheduler gives out what is free; for those who still wait the planner is asked, as the
 * controller asks it, and what it says is done.
 *
 * A plan for a whole fleet is made at every event, so the planner is told no more than it needs. A node where
 * nobody who waits could ever go is left out. Of nodes that are alike - the same slices, the same in use - as
 * many are named as pods wait: no plan could touch more of them. Of jobs that ask the same, the oldest are
 * named, more than the fleet has room for. None of this changes what can be served. */
#include "simulate/mirror.h"
#include "simulate/policy.h"

#include "plan/fill.h"

typedef struct Facet {
  SimulateMirror mirror;
  double demand[SIMULATE_KINDS_MAX]; /* slices that jobs got, decaying */
  int64_t decayed_ms;
} Facet;

typedef struct Candidate {
  uint64_t state;
  int node; /* of the fleet */
} Candidate;

typedef struct Question { /* what the planner is told, and who is meant */
  Arena arena;
  Snapshot snapshot;
  ARRAY(int) nodes; /* of the fleet, by the snapshot's */
  ARRAY(int) jobs;  /* by the snapshot's pods */
} Question;

static void question_deinit(Question *question) {
  snapshot_deinit(&question->snapshot);
  array_deinit(&question->nodes);
  array_deinit(&question->jobs);
  arena_deinit(&question->arena);
}

/* ---- who waits ---- */

/* More than could be served of the class, whatever was withdrawn. */
static int64_t count_room(const SimulateWorld *world, const SimulateClass *request) {
  int size = MIG_SLOTS_MAX;
  for (int m = 0; m < world->fleet->model_count; m++) {
    int profile = world->profiles[m][request->kind];
    if (profile >= 0 && world->fleet->models[m]->model.profiles[profile].size < size)
      size = world->fleet->models[m]->model.profiles[profile].size;
  }
  return (world->fleet->slot_count - world->used_slots) / ((int64_t)size * request->count) + 1;
}

/* As objects have it, where 0 is no time; jobs of one second are told apart by their names. */
static int64_t in_seconds(int64_t ms) {
  return ms / 1000 + 1;
}

static void add_pod(const SimulateWorld *world, int job, Question *question) {
  const SimulateClass *request = &world->load->classes.items[world->load->jobs.items[job].class_];
  const char *profile = world->load->kinds[request->kind];
  Pod *pod = simulate_mirror_make_pod(&question->arena, profile, request->count, job);
  pod->meta.creation_time = in_seconds(world->load->jobs.items[job].arrival_ms);
  snapshot_add_pod(&question->snapshot, pod, NULL);
  *array_push(&question->jobs) = job;
}

static void add_pods(const SimulateWorld *world, Question *question) {
  for (int c = 0; c < (int)world->load->classes.count; c++) {
    if (!world->waiting_count[c] || world->stuck[c])
      continue;
    int64_t room = count_room(world, &world->load->classes.items[c]);
    size_t place = world->queues[c].first;
    for (int job; room > 0 && (job = simulate_world_next_waiting(world, c, &place)) != SIMULATE_NOBODY;
         room--)
      add_pod(world, job, question);
  }
}

/* ---- where ---- */

static bool could_host(const SimulateWorld *world, const SimulateGpu *gpu, uint32_t kinds) {
  const MigModel *model = gpu->layout.model;
  uint32_t used = simulate_gpu_used_mask(gpu);
  for (; kinds; kinds &= kinds - 1) {
    int profile = world->profiles[gpu->model][__builtin_ctz(kinds)];
    for (uint32_t starts = profile < 0 ? 0 : model->profiles[profile].starts; starts; starts &= starts - 1)
      if (!(mig_placement_mask(model, profile, __builtin_ctz(starts)) & used))
        return true;
  }
  return false;
}

static int compare_candidates(const void *a, const void *b) {
  const Candidate *left = a, *right = b;
  if (left->state != right->state)
    return left->state < right->state ? -1 : 1;
  return left->node - right->node;
}

static int compare_nodes(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

/* Where pods of these kinds (bits) could go, so many of them. */
static void choose_nodes(Facet *facet, SimulateWorld *world, uint32_t kinds, size_t pod_count,
                         Question *question) {
  SimulateFleet *fleet = world->fleet;
  CLEANUP(cleanup_free) Candidate *candidates = mem_alloc(fleet->nodes.count * sizeof *candidates);
  size_t count = 0;
  for (int n = 0; n < (int)fleet->nodes.count; n++) {
    SimulateNode *node = &fleet->nodes.items[n];
    bool useful = false;
    for (int gpu = node->first_gpu; gpu < node->first_gpu + node->gpu_count && !useful; gpu++)
      useful = could_host(world, &fleet->gpus.items[gpu], kinds);
    if (!useful)
      continue;
    candidates[count++] = (Candidate){.state = simulate_mirror_update(&facet->mirror, n)->state, .node = n};
    node->changed = false;
  }
  qsort(candidates, count, sizeof *candidates, compare_candidates);
  for (size_t i = 0, alike = 0; i < count; i++) {
    alike = i && candidates[i].state == candidates[i - 1].state ? alike + 1 : 0;
    if (alike < pod_count)
      *array_push(&question->nodes) = candidates[i].node;
  }
  if (question->nodes.count)
    qsort(question->nodes.items, question->nodes.count, sizeof question->nodes.items[0], compare_nodes);
}

/* About all who wait, or about one job. */
static void ask(Facet *facet, SimulateWorld *world, int only_job, Question *question) {
  const SimulateLoad *load = world->load;
  uint32_t kinds = 0;
  size_t waiting = 0;
  for (size_t c = 0; c < load->classes.count; c++) {
    bool asked = only_job == SIMULATE_NOBODY ? world->waiting_count[c] && !world->stuck[c]
                                             : load->jobs.items[only_job].class_ == (int)c;
    if (!asked)
      continue;
    kinds |= UINT32_C(1) << load->classes.items[c].kind;
    waiting += only_job == SIMULATE_NOBODY ? (size_t)world->waiting_count[c] : 1;
  }
  choose_nodes(facet, world, kinds, waiting, question);
  for (size_t i = 0; i < question->nodes.count; i++)
    snapshot_add_node(&question->snapshot, &facet->mirror.nodes[question->nodes.items[i]].object, NULL, NULL);
  if (only_job == SIMULATE_NOBODY)
    add_pods(world, question);
  else
    add_pod(world, only_job, question);
}

/* ---- the plan ---- */

static void carry_out(SimulateWorld *world, const Question *question, const PlanGpu *change) {
  const SimulateNode *node = &world->fleet->nodes.items[question->nodes.items[change->node]];
  int gpu = node->first_gpu + question->snapshot.nodes.items[change->node].gpus[change->gpu].index;
  for (int i = 0; i < change->destroy_count; i++)
    simulate_world_destroy(world, gpu, change->destroys[i].start);
  for (int i = 0; i < change->create_count; i++)
    simulate_world_create(world, gpu, change->creates[i].profile, change->creates[i].start);
}

static void serve(SimulateWorld *world, const Question *question, const Plan *plan) {
  for (size_t i = 0; i < plan->pods.count; i++) {
    const PlanPod *pod = &plan->pods.items[i];
    int job = question->jobs.items[i];
    if (pod->node < 0)
      continue;
    bool taken = simulate_world_take_on(world, job, question->nodes.items[pod->node]);
    assert(taken); /* the planner verified it with the scheduler's own filters */
  }
}

static void decay_demand(Facet *facet, int64_t now_ms) {
  double factor = plan_fill_left(now_ms - facet->decayed_ms);
  for (int kind = 0; kind < SIMULATE_KINDS_MAX; kind++)
    facet->demand[kind] *= factor;
  facet->decayed_ms = now_ms;
}

/* Whoever got slices in this round was served, by a plan or without. */
static void remember_demand(Facet *facet, const SimulateWorld *world) {
  for (size_t i = 0; i < world->started.count; i++) {
    int class_ = world->load->jobs.items[world->started.items[i]].class_;
    facet->demand[world->load->classes.items[class_].kind] += world->load->classes.items[class_].count;
  }
}

/* The weights of what was served lately, as the controller tells the planner. */
static int recall_demand(Facet *facet, const SimulateWorld *world, PlanDemand recent[SIMULATE_KINDS_MAX]) {
  decay_demand(facet, world->now_ms);
  for (int kind = 0; kind < world->load->kind_count; kind++) {
    recent[kind].weight = facet->demand[kind];
    memcpy(recent[kind].profile, world->load->kinds[kind], sizeof recent[kind].profile);
  }
  return world->load->kind_count;
}

static void plan_once(Facet *facet, SimulateWorld *world, int only_job, PlanLeftover leftover) {
  CLEANUP(question_deinit) Question question = {0};
  CLEANUP(plan_deinit) Plan plan = {0};
  PlanDemand recent[SIMULATE_KINDS_MAX];
  snapshot_init(&question.snapshot);
  ask(facet, world, only_job, &question);
  const PlanOptions options = {.leftover = leftover,
                               .old_before = in_seconds(world->now_ms - PLAN_STARVATION_DEFAULT_MS),
                               .recent_demand = recent,
                               .recent_demand_count = recall_demand(facet, world, recent)};
  plan_compute(&question.snapshot, &options, &plan);
  for (size_t i = 0; i < plan.gpus.count; i++)
    carry_out(world, &question, &plan.gpus.items[i]);
  serve(world, &question, &plan);
}

static int64_t decide(void *state, SimulateWorld *world) {
  simulate_world_schedule(world);
  if (simulate_world_has_open(world)) {
    plan_once(state, world, SIMULATE_NOBODY, PLAN_LEFTOVER_FILL);
    for (size_t c = 0; c < world->load->classes.count; c++)
      world->stuck[c] = world->waiting_count[c] > 0;
  }
  remember_demand(state, world);
  return SIMULATE_NEVER;
}

static int64_t decide_in_turn(void *state, SimulateWorld *world) {
  simulate_world_unmake_released(world);
  for (int job; (job = simulate_world_find_oldest(world, NULL)) != SIMULATE_NOBODY;) {
    plan_once(state, world, job, PLAN_LEFTOVER_NONE);
    world->stuck[world->load->jobs.items[job].class_] = world->jobs[job].state == SIMULATE_JOB_WAITING;
  }
  return SIMULATE_NEVER;
}

static void *start(const SimulateWorld *world) {
  Facet *facet = mem_alloc(sizeof *facet);
  simulate_mirror_init(&facet->mirror, world->fleet);
  return facet;
}

static void stop(void *state) {
  Facet *facet = state;
  simulate_mirror_deinit(&facet->mirror);
  free(facet);
}

const SimulatePolicy simulate_policy_facet = {.name = "facet",
                                              .title = "facet",
                                              .knows_hardware = true,
                                              .start = start,
                                              .stop = stop,
                                              .decide = decide};

const SimulatePolicy simulate_policy_facet_fifo = {.name = "facet-fifo",
                                                   .title = "facet, one job after the other",
                                                   .knows_hardware = true,
                                                   .start = start,
                                                   .stop = stop,
                                                   .decide = decide_in_turn};
