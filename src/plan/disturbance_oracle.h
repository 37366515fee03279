/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: the least that any plan has to change, found by trying everything.
 *
 * Pods ask one slice each and nothing else. For each GPU every set of free slices that may go is taken away,
 * and every set of slices that somebody asks for is created in the room, slot by slot; the GPUs of a node are
 * combined; then every assignment of pods to nodes is tried. What may go and what may be created is read from
 * the texts of the nodes' annotations, as a person would, and not from what the snapshot or the planner made
 * of them.
 */
#pragma once

#include "plan/random_cluster.h"

#include <limits.h>

enum { ORACLE_KINDS_MAX = 32, ORACLE_OUTCOMES_MAX = 40000, ORACLE_TABLE_MAX = 1 << RANDOM_PODS_MAX };

/* In the order in which they matter. */
typedef struct OracleCost {
  int destroyed, created, gpus, nodes;
  int16_t
      places[ORACLE_KINDS_MAX]; /* that are left for each plain profile, the largest first: more are better */
  uint64_t names; /* of the changed GPUs: bit 63 is the first one by name, and better than all others */
} OracleCost;

/* The first level at which a plan can be worse than another. */
typedef enum OracleLevel {
  ORACLE_SAME,
  ORACLE_RECUT, /* something goes, where nothing has to */
  ORACLE_DESTROYED,
  ORACLE_CREATED,
  ORACLE_GPUS,
  ORACLE_NODES,
  ORACLE_PLACES,
  ORACLE_NAMES,
  ORACLE_LEVELS,
} OracleLevel;

/* What could become of a GPU, or of all GPUs of a node up to this one. */
typedef struct OracleOutcome {
  int8_t created[ORACLE_KINDS_MAX], destroyed[ORACLE_KINDS_MAX];
  OracleCost cost;
} OracleOutcome;

typedef struct OracleOutcomes {
  OracleOutcome items[ORACLE_OUTCOMES_MAX];
  int count;
} OracleOutcomes;

typedef struct Oracle {
  const Snapshot *snapshot;
  char kinds[ORACLE_KINDS_MAX][MIG_PROFILE_NAME_SIZE];
  int kind_count;
  int order[ORACLE_KINDS_MAX];  /* the kinds, the largest first */
  int wanted[ORACLE_KINDS_MAX]; /* pods that ask for it */
  int stride[ORACLE_KINDS_MAX]; /* in the tables */
  int table_size;
  int kind_of_pod[RANDOM_PODS_MAX], tier_of_pod[RANDOM_PODS_MAX];
  OracleCost tables[RANDOM_NODES_MAX][ORACLE_TABLE_MAX]; /* by what the node has to offer at least */
  int asked[RANDOM_NODES_MAX]; /* by the current assignment, as index of the table */
  int served[RANDOM_TIERS_MAX];
  OracleCost least[RANDOM_PODS_MAX + 1][RANDOM_PODS_MAX + 1]
                  [RANDOM_PODS_MAX + 1]; /* by pods served, by tier */
} Oracle;

static const OracleCost oracle_impossible = {.destroyed = INT_MAX};

/* Where the two differ first; *ret_worse says whether it is `a` that is worse. */
static inline OracleLevel oracle_compare(const OracleCost *a, const OracleCost *b, bool *ret_worse) {
  const int first[] = {a->destroyed, a->created, a->gpus, a->nodes};
  const int second[] = {b->destroyed, b->created, b->gpus, b->nodes};
  for (int i = 0; i < 4; i++)
    if (first[i] != second[i]) {
      *ret_worse = first[i] > second[i];
      return i || (first[i] && second[i]) ? (OracleLevel)(ORACLE_DESTROYED + i) : ORACLE_RECUT;
    }
  for (int i = 0; i < ORACLE_KINDS_MAX; i++)
    if (a->places[i] != b->places[i]) {
      *ret_worse = a->places[i] < b->places[i];
      return ORACLE_PLACES;
    }
  *ret_worse = a->names < b->names;
  return a->names == b->names ? ORACLE_SAME : ORACLE_NAMES;
}

static inline void oracle_keep_less(OracleCost *cost, const OracleCost *other) {
  bool worse;
  if (oracle_compare(cost, other, &worse) != ORACLE_SAME && worse)
    *cost = *other;
}

static inline void oracle_add(OracleCost *cost, const OracleCost *more) {
  cost->destroyed += more->destroyed;
  cost->created += more->created;
  cost->gpus += more->gpus;
  cost->nodes += more->nodes;
  cost->names |= more->names;
  for (int i = 0; i < ORACLE_KINDS_MAX; i++)
    cost->places[i] = (int16_t)(cost->places[i] + more->places[i]);
}

/* ---- the wishes of people ---- */

static inline const char *oracle_annotation(const Node *node, const char *key) {
  const char *text = key_values_find(&node->meta.annotations, key);
  return text ? text : "";
}

static inline const char *oracle_annotation_of_gpu(const Node *node, const char *prefix, int gpu) {
  char key[64];
  snprintf(key, sizeof key, "%s%d", prefix, gpu);
  return oracle_annotation(node, key);
}

/* Is it one of the words between commas? */
static inline bool oracle_lists(const char *text, const char *word) {
  char all[1024], one[128];
  snprintf(all, sizeof all, ",%s,", text);
  snprintf(one, sizeof one, ",%s,", word);
  return strstr(all, one);
}

/* Nothing may be changed on this GPU. */
static inline bool oracle_is_fixed(const Node *node, int gpu) {
  char index[16];
  snprintf(index, sizeof index, "%d", gpu);
  return strcmp(oracle_annotation(node, "facet.gpu/paused"), "true") == 0 ||
         oracle_lists(oracle_annotation(node, "facet.gpu/exclude-gpus"), index);
}

static inline bool oracle_may_create(const Node *node, int gpu, const char *profile) {
  const char *allowed = oracle_annotation(node, "facet.gpu/allowed-profiles");
  return !oracle_is_fixed(node, gpu) && (!*allowed || oracle_lists(allowed, profile));
}

static inline bool oracle_may_destroy(const Node *node, int gpu, const char *profile, int start) {
  char place[64], status[96];
  snprintf(place, sizeof place, "%s@%d", profile, start);
  snprintf(status, sizeof status, "%s:free", place);
  return !oracle_is_fixed(node, gpu) &&
         oracle_lists(oracle_annotation_of_gpu(node, "facet.gpu/status-gpu-", gpu), status) &&
         !oracle_lists(oracle_annotation_of_gpu(node, "facet.gpu/keep-gpu-", gpu), place);
}

/* ---- what may become of a GPU ---- */

static inline int oracle_kind(Oracle *oracle, const char *profile) {
  for (int i = 0; i < oracle->kind_count; i++)
    if (strcmp(oracle->kinds[i], profile) == 0)
      return i;
  assert_true(oracle->kind_count < ORACLE_KINDS_MAX);
  snprintf(oracle->kinds[oracle->kind_count], sizeof oracle->kinds[0], "%s", profile);
  return oracle->kind_count++;
}

static inline void oracle_add_outcome(OracleOutcomes *outcomes, const OracleOutcome *outcome) {
  size_t size = offsetof(OracleOutcome, cost);
  for (int i = 0; i < outcomes->count; i++)
    if (memcmp(&outcomes->items[i], outcome, size) == 0) {
      oracle_keep_less(&outcomes->items[i].cost, &outcome->cost);
      return;
    }
  assert_true(outcomes->count < ORACLE_OUTCOMES_MAX);
  outcomes->items[outcomes->count++] = *outcome;
}

typedef struct OracleGpu {
  Oracle *oracle;
  const Node *node;
  int index;
  int number; /* in the order of the nodes' names and the GPUs' indexes */
  MigLayout before, layout;
  OracleOutcomes *outcomes;
} OracleGpu;

/* The places that the layout leaves for the plain profiles that may be created there, by slots alone. */
static inline void oracle_count_places(const Oracle *oracle, const Node *node, int gpu,
                                       const MigLayout *layout, int16_t *ret_places) {
  for (int i = 0; i < oracle->kind_count; i++) {
    const char *name = oracle->kinds[oracle->order[i]];
    int profile = mig_model_find_profile(layout->model, name);
    ret_places[i] = 0;
    if (profile < 0 || strpbrk(name, "+-") || !oracle_may_create(node, gpu, name))
      continue;
    for (int start = 0; start < layout->model->slot_count; start++)
      ret_places[i] += layout->model->profiles[profile].starts >> start & 1 &&
                       !(mig_placement_mask(layout->model, profile, start) & layout->mask);
  }
}

/* No slice goes whose place is not needed: the same with it in its place disturbs less and offers no less. */
static inline bool oracle_goes_in_vain(const OracleGpu *gpu, uint32_t gone) {
  for (uint32_t rest = gone; rest; rest &= rest - 1) {
    const MigInstance *instance = mig_layout_find(&gpu->before, __builtin_ctz(rest));
    if (mig_layout_can_place(&gpu->layout, instance->profile, instance->start))
      return true;
  }
  return false;
}

static inline void oracle_fill(OracleGpu *gpu, OracleOutcome outcome, uint32_t gone, int slot) {
  Oracle *oracle = gpu->oracle;
  outcome.cost.gpus = outcome.cost.destroyed || outcome.cost.created;
  outcome.cost.names = outcome.cost.gpus ? UINT64_C(1) << (63 - gpu->number) : 0;
  oracle_count_places(oracle, gpu->node, gpu->index, &gpu->layout, outcome.cost.places);
  if (!oracle_goes_in_vain(gpu, gone))
    oracle_add_outcome(gpu->outcomes, &outcome);
  for (int start = slot; start < gpu->layout.model->slot_count; start++)
    for (int kind = 0; kind < oracle->kind_count; kind++) {
      int profile = mig_model_find_profile(gpu->layout.model, oracle->kinds[kind]);
      if (outcome.created[kind] == oracle->wanted[kind] || profile < 0 ||
          !oracle_may_create(gpu->node, gpu->index, oracle->kinds[kind]) ||
          !mig_layout_can_place(&gpu->layout, profile, start))
        continue;
      OracleOutcome more = outcome;
      more.created[kind]++;
      more.cost.created++;
      mig_layout_place(&gpu->layout, profile, start);
      oracle_fill(gpu, more, gone, start + 1);
      mig_layout_remove(&gpu->layout, start);
    }
}

/* Each of the slices from the n-th on goes or stays. */
static inline void oracle_destroy(OracleGpu *gpu, OracleOutcome outcome, uint32_t gone, int n) {
  if (n == gpu->before.count) {
    oracle_fill(gpu, outcome, gone, 0);
    return;
  }
  const MigInstance *instance = &gpu->before.instances[n];
  const char *name = gpu->before.model->profiles[instance->profile].name;
  oracle_destroy(gpu, outcome, gone, n + 1);
  if (!oracle_may_destroy(gpu->node, gpu->index, name, instance->start))
    return;
  outcome.destroyed[oracle_kind(gpu->oracle, name)]++;
  outcome.cost.destroyed++;
  mig_layout_remove(&gpu->layout, instance->start);
  oracle_destroy(gpu, outcome, gone | UINT32_C(1) << instance->start, n + 1);
  mig_layout_place(&gpu->layout, instance->profile, instance->start);
}

/* ---- what may become of a node ---- */

static inline bool oracle_combine(const Oracle *oracle, const int *left, const OracleOutcome *a,
                                  const OracleOutcome *b, OracleOutcome *ret_both) {
  *ret_both = *a;
  for (int kind = 0; kind < oracle->kind_count; kind++) {
    int created = a->created[kind] + b->created[kind], destroyed = a->destroyed[kind] + b->destroyed[kind];
    if (created > oracle->wanted[kind] || destroyed > left[kind])
      return false;
    ret_both->created[kind] = (int8_t)created;
    ret_both->destroyed[kind] = (int8_t)destroyed;
  }
  oracle_add(&ret_both->cost, &b->cost);
  ret_both->cost.nodes = ret_both->cost.gpus > 0;
  return true;
}

/* The cost of having so many of each kind, or more. */
static inline void oracle_tabulate(const Oracle *oracle, const int *left, const OracleOutcomes *outcomes,
                                   OracleCost *table) {
  for (int i = 0; i < oracle->table_size; i++)
    table[i] = oracle_impossible;
  for (int i = 0; i < outcomes->count; i++) {
    const OracleOutcome *outcome = &outcomes->items[i];
    int index = 0;
    for (int kind = 0; kind < oracle->kind_count; kind++) {
      int count = left[kind] - outcome->destroyed[kind] + outcome->created[kind];
      index += oracle->stride[kind] * (count < oracle->wanted[kind] ? count : oracle->wanted[kind]);
    }
    oracle_keep_less(&table[index], &outcome->cost);
  }
  for (int kind = 0; kind < oracle->kind_count; kind++)
    for (int i = oracle->table_size; i-- > 0;)
      if (oracle->wanted[kind] &&
          i / oracle->stride[kind] % (oracle->wanted[kind] + 1) < oracle->wanted[kind])
        oracle_keep_less(&table[i], &table[i + oracle->stride[kind]]);
}

/* The snapshot's nodes are in the order of their names, their GPUs in that of their indexes. */
static inline int oracle_number(const Snapshot *snapshot, int node, int gpu) {
  for (int before = 0; before < node; before++)
    gpu += snapshot->nodes.items[before].gpu_count;
  return gpu;
}

static inline void oracle_add_node(Oracle *oracle, int index) {
  static OracleOutcomes all, of_gpu, both;
  const SnapshotNode *node = &oracle->snapshot->nodes.items[index];
  int left[ORACLE_KINDS_MAX] = {0};
  for (int kind = 0; kind < oracle->kind_count; kind++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    mig_profile_format_resource(oracle->kinds[kind], resource);
    left[kind] = (int)snapshot_free_of(node, resource);
  }
  all.items[0] = (OracleOutcome){.cost = {0}};
  all.count = 1;
  for (int g = 0; g < node->gpu_count; g++) {
    const MigLayout *layout = node->gpus[g].layout;
    OracleGpu gpu = {.oracle = oracle,
                     .node = node->object,
                     .index = node->gpus[g].index,
                     .number = oracle_number(oracle->snapshot, index, g),
                     .before = *layout,
                     .layout = *layout,
                     .outcomes = &of_gpu};
    of_gpu.count = both.count = 0;
    oracle_destroy(&gpu, (OracleOutcome){.cost = {0}}, 0, 0);
    for (int i = 0; i < all.count; i++)
      for (int j = 0; j < of_gpu.count; j++) {
        OracleOutcome combined;
        if (oracle_combine(oracle, left, &all.items[i], &of_gpu.items[j], &combined))
          oracle_add_outcome(&both, &combined);
      }
    all.count = both.count;
    memcpy(all.items, both.items, (size_t)both.count * sizeof both.items[0]);
  }
  oracle_tabulate(oracle, left, &all, oracle->tables[index]);
}

/* ---- what may become of the pods ---- */

static inline void oracle_note_assignment(Oracle *oracle) {
  OracleCost cost = {0};
  for (size_t node = 0; node < oracle->snapshot->nodes.count; node++)
    oracle_add(&cost, &oracle->tables[node][oracle->asked[node]]);
  oracle_keep_less(&oracle->least[oracle->served[0]][oracle->served[1]][oracle->served[2]], &cost);
}

static inline void oracle_assign(Oracle *oracle, size_t pod) {
  if (pod == oracle->snapshot->pods.count) {
    oracle_note_assignment(oracle);
    return;
  }
  const KeyValues *selector = &pod_common(oracle->snapshot->pods.items[pod].object)->node_selector;
  int kind = oracle->kind_of_pod[pod];
  oracle_assign(oracle, pod + 1);
  oracle->served[oracle->tier_of_pod[pod]]++;
  for (size_t node = 0; node < oracle->snapshot->nodes.count; node++) {
    if (selector->count && strcmp(selector->items[0].value, oracle->snapshot->nodes.items[node].name) != 0)
      continue;
    oracle->asked[node] += oracle->stride[kind];
    if (oracle->tables[node][oracle->asked[node]].destroyed < INT_MAX)
      oracle_assign(oracle, pod + 1);
    oracle->asked[node] -= oracle->stride[kind];
  }
  oracle->served[oracle->tier_of_pod[pod]]--;
}

/* "7g.80gb" before "4g.40gb" before "4g.20gb". */
static inline int oracle_worth_of_kind(const char *name) {
  int slices = 0, memory = 0;
  assert_int_equal(sscanf(name, "%dg.%dgb", &slices, &memory), 2);
  return slices * 1000 + memory;
}

static inline void oracle_order_kinds(Oracle *oracle) {
  for (int i = 0; i < oracle->kind_count; i++) {
    int place = i;
    for (; place > 0 && oracle_worth_of_kind(oracle->kinds[oracle->order[place - 1]]) <
                            oracle_worth_of_kind(oracle->kinds[i]);
         place--)
      oracle->order[place] = oracle->order[place - 1];
    oracle->order[place] = i;
  }
}

static inline void oracle_read_pods(Oracle *oracle) {
  for (size_t i = 0; i < oracle->snapshot->pods.count; i++) {
    const SnapshotPod *pod = &oracle->snapshot->pods.items[i];
    char profile[MIG_PROFILE_NAME_SIZE];
    Error err;
    assert_int_equal(pod->spec->requests.count, 1);
    assert_ok(mig_profile_parse_resource(pod->spec->requests.items[0].name, profile, &err));
    oracle->kind_of_pod[i] = oracle_kind(oracle, profile);
    oracle->tier_of_pod[i] = RANDOM_TIERS_MAX - 1 - pod->object->priority;
    oracle->wanted[oracle->kind_of_pod[i]]++;
  }
  for (size_t n = 0; n < oracle->snapshot->nodes.count; n++)
    for (int g = 0; g < oracle->snapshot->nodes.items[n].gpu_count; g++) {
      const MigModel *model = oracle->snapshot->nodes.items[n].gpus[g].model;
      for (int p = 0; p < model->profile_count; p++)
        (void)oracle_kind(oracle, model->profiles[p].name);
    }
  oracle_order_kinds(oracle);
}

/* What the plan changes. */
static inline void oracle_weigh(const Oracle *oracle, const Plan *plan, OracleCost *ret_cost) {
  const Snapshot *snapshot = oracle->snapshot;
  *ret_cost = (OracleCost){.destroyed = plan->destroy,
                           .created = plan->create,
                           .gpus = (int)plan->gpus.count,
                           .nodes = plan->nodes_changed};
  for (int n = 0; n < (int)snapshot->nodes.count; n++)
    for (int g = 0; g < snapshot->nodes.items[n].gpu_count; g++) {
      const SnapshotNode *node = &snapshot->nodes.items[n];
      MigLayout layout = *node->gpus[g].layout;
      OracleCost of_gpu = {0};
      for (size_t i = 0; i < plan->gpus.count; i++) {
        const PlanGpu *changed = &plan->gpus.items[i];
        MigList list;
        Error err;
        if (changed->node != n || changed->gpu != g)
          continue;
        plan_gpu_list(snapshot, changed, &list);
        assert_ok(mig_list_bind(&list, layout.model, &layout, &err));
        of_gpu.names = UINT64_C(1) << (63 - oracle_number(snapshot, n, g));
      }
      oracle_count_places(oracle, node->object, node->gpus[g].index, &layout, of_gpu.places);
      oracle_add(ret_cost, &of_gpu);
    }
}

/* Fills `least`: what serving so many pods of each tier costs at least. */
static inline void oracle_run(Oracle *oracle, const Snapshot *snapshot) {
  memset(oracle, 0, sizeof *oracle);
  oracle->snapshot = snapshot;
  oracle_read_pods(oracle);
  oracle->table_size = 1;
  for (int kind = 0; kind < oracle->kind_count; kind++) {
    oracle->stride[kind] = oracle->table_size;
    oracle->table_size *= oracle->wanted[kind] + 1;
  }
  assert_true(oracle->table_size <= ORACLE_TABLE_MAX);
  OracleCost *least = &oracle->least[0][0][0];
  for (size_t i = 0; i < sizeof oracle->least / sizeof *least; i++)
    least[i] = oracle_impossible;
  for (size_t node = 0; node < snapshot->nodes.count; node++)
    oracle_add_node(oracle, (int)node);
  oracle_assign(oracle, 0);
}
