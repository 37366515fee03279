/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: clusters built in a few lines, and plans as text.
 *
 *     CLEANUP(fixture_deinit) Fixture f = {0};
 *     fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@6:used");
 *     fixture_pods(&f, 5, "p", "1g.10gb");
 *     fixture_plan(&f, NULL); */
#pragma once

#include "base/test.h"

#include "base/random.h"
#include "base/text.h"
#include "plan/plan.h"

#define A100_40 "NVIDIA-A100-SXM4-40GB"
#define A100    "NVIDIA-A100-SXM4-80GB"
#define H100    "NVIDIA-H100-80GB-HBM3"
#define A30     "NVIDIA-A30"
#define PRO6000 "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"

enum { FIXTURE_ITEMS_MAX = 40 };

typedef struct Fixture {
  Arena arena;
  ARRAY(Node *) nodes;
  ARRAY(Pod *) pods;
  Snapshot snapshot;
  Plan plan;
  bool planned;
  bool knows_volumes;
} Fixture;

static inline void fixture_forget_plan(Fixture *f) {
  if (f->planned) {
    plan_deinit(&f->plan);
    snapshot_deinit(&f->snapshot);
  }
  f->planned = false;
}

static inline void fixture_deinit(Fixture *f) {
  fixture_forget_plan(f);
  array_deinit(&f->nodes);
  array_deinit(&f->pods);
  arena_deinit(&f->arena);
}

/* Appends to a list that was allocated with FIXTURE_ITEMS_MAX entries, or replaces the value of the key. */
static inline void fixture_set(Fixture *f, KeyValues *list, const char *key, const char *value) {
  if (!list->items)
    list->items = arena_alloc(&f->arena, FIXTURE_ITEMS_MAX * sizeof *list->items);
  size_t i = 0;
  while (i < list->count && strcmp(list->items[i].key, key) != 0)
    i++;
  assert_true(i < FIXTURE_ITEMS_MAX);
  list->count += i == list->count;
  list->items[i] = (KeyValue){.key = arena_strdup(&f->arena, key), .value = arena_strdup(&f->arena, value)};
}

/* A node that facet manages, without GPUs, with 64 cpus and 256 GiB. */
static inline Node *fixture_node(Fixture *f, const char *name) {
  Node *node = arena_alloc(&f->arena, sizeof *node);
  node->meta.name = arena_strdup(&f->arena, name);
  fixture_set(f, &node->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  fixture_set(f, &node->meta.labels, "kubernetes.io/hostname", name);
  ResourceTexts *allocatable = &node->allocatable;
  fixture_set(f, (KeyValues *)allocatable, "cpu", "64");
  fixture_set(f, (KeyValues *)allocatable, "memory", "256Gi");
  fixture_set(f, (KeyValues *)allocatable, "pods", "110");
  *array_push(&f->nodes) = node;
  return node;
}

static inline void fixture_status(Fixture *f, Node *node, int gpu, const char *status) {
  char *key = arena_format(&f->arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", gpu);
  fixture_set(f, &node->meta.annotations, key, status);
}

/* The next GPU of the node, with these instances: "1g.10gb@6:used,2g.20gb@0:free". Returns its index. */
static inline int fixture_gpu(Fixture *f, Node *node, const char *model, const char *status) {
  int index = 0;
  char *key = arena_format(&f->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", index);
  while (key_values_find(&node->meta.annotations, key))
    key = arena_format(&f->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", ++index);
  fixture_set(f, &node->meta.annotations, key,
              arena_format(&f->arena, "GPU-%s-%d %s mig=on", node->meta.name, index, model));
  fixture_status(f, node, index, status);
  return index;
}

static inline void fixture_ask(Fixture *f, Pod *pod, const char *resource, const char *amount) {
  fixture_set(f, (KeyValues *)&pod->common->containers.items[0].requests, resource, amount);
}

static inline void fixture_ask_slices(Fixture *f, Pod *pod, const char *profile, int count) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(profile, resource);
  fixture_ask(f, pod, resource, arena_format(&f->arena, "%d", count));
}

/* An unschedulable pod, younger than those before it. */
static inline Pod *fixture_pod(Fixture *f, const char *name, const char *profile) {
  Pod *pod = arena_alloc(&f->arena, sizeof *pod);
  pod->meta.name = arena_strdup(&f->arena, name);
  pod->meta.namespace_ = "demo";
  pod->meta.creation_time = (int64_t)f->pods.count + 1;
  pod->common = arena_alloc(&f->arena, sizeof *pod->common);
  pod->common->phase = "Pending";
  pod->common->containers.items = arena_alloc(&f->arena, sizeof *pod_common(pod)->containers.items);
  pod->common->containers.count = 1;
  pod->common->containers.items[0].name = "main";
  pod->common->conditions.items = arena_alloc(&f->arena, sizeof *pod->common->conditions.items);
  pod->common->conditions.count = 1;
  pod->common->conditions.items[0] =
      (Condition){.type = "PodScheduled", .status = "False", .reason = "Unschedulable"};
  if (profile)
    fixture_ask_slices(f, pod, profile, 1);
  *array_push(&f->pods) = pod;
  return pod;
}

/* name0, name1, ... */
static inline void fixture_pods(Fixture *f, int count, const char *name, const char *profile) {
  for (int i = 0; i < count; i++)
    fixture_pod(f, arena_format(&f->arena, "%s%d", name, i), profile);
}

static inline void fixture_snapshot(Fixture *f) {
  snapshot_init(&f->snapshot);
  f->snapshot.knows_volumes = f->knows_volumes;
  for (size_t i = 0; i < f->nodes.count; i++)
    snapshot_add_node(&f->snapshot, f->nodes.items[i], NULL, NULL);
  for (size_t i = 0; i < f->pods.count; i++)
    snapshot_add_pod(&f->snapshot, f->pods.items[i], NULL);
}

/* Plans; the snapshot must be as before. NULL: leave left-over slots empty. */
static inline const Plan *fixture_plan(Fixture *f, const PlanOptions *options) {
  const PlanOptions none = {.leftover = PLAN_LEFTOVER_NONE};
  fixture_forget_plan(f);
  fixture_snapshot(f);
  uint64_t before = snapshot_hash(&f->snapshot);
  plan_compute(&f->snapshot, options ? options : &none, &f->plan);
  f->planned = true;
  assert_true(snapshot_hash(&f->snapshot) == before);
  return &f->plan;
}

/* "n1/0: -1g.10gb@4 1g.10gb@6 +2g.20gb@0; n2/1: ..." with - before slices that go, + before left-over ones.
 */
static inline const char *fixture_changes(Fixture *f) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    const PlanGpu *gpu = &f->plan.gpus.items[i];
    const SnapshotNode *node = &f->snapshot.nodes.items[gpu->node];
    text_format(&text, "%s%s/%d:", i ? "; " : "", node->name, node->gpus[gpu->gpu].index);
    for (int d = 0; d < gpu->destroy_count; d++)
      text_format(&text, " -%s@%d", node->gpus[gpu->gpu].model->profiles[gpu->destroys[d].profile].name,
                  gpu->destroys[d].start);
    for (int c = 0; c < gpu->create_count; c++)
      text_format(&text, " %s%s@%d", gpu->creates[c].leftover ? "+" : "",
                  node->gpus[gpu->gpu].model->profiles[gpu->creates[c].profile].name, gpu->creates[c].start);
  }
  return arena_strdup(&f->arena, text_string(&text));
}

static inline const char *fixture_pod_name(const Fixture *f, size_t planned) {
  return f->snapshot.pods.items[planned].object->meta.name;
}

/* The planned pod whose name comes next behind `name`; count where there is none. */
static inline size_t fixture_next_pod(const Fixture *f, const char *name) {
  size_t next = f->plan.pods.count;
  for (size_t i = 0; i < f->plan.pods.count; i++)
    if (strcmp(fixture_pod_name(f, i), name) > 0 &&
        (next == f->plan.pods.count || strcmp(fixture_pod_name(f, i), fixture_pod_name(f, next)) < 0))
      next = i;
  return next;
}

/* "p0 admitted n1; p1 blocked: why; ..." in the order of the pods' names. */
static inline const char *fixture_verdicts(Fixture *f) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = fixture_next_pod(f, ""); i < f->plan.pods.count;
       i = fixture_next_pod(f, fixture_pod_name(f, i))) {
    const PlanPod *pod = &f->plan.pods.items[i];
    text_format(&text, "%s%s %s", text.size ? "; " : "", fixture_pod_name(f, i),
                plan_verdict_name(pod->verdict));
    if (pod->node >= 0)
      text_format(&text, " %s", f->snapshot.nodes.items[pod->node].name);
    if (*pod->reason)
      text_format(&text, ": %s", pod->reason);
  }
  return arena_strdup(&f->arena, text_string(&text));
}

/* Writes the plan's slices into the nodes' status as free ones, as agents would. */
static inline void fixture_carry_out(Fixture *f) {
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    const PlanGpu *gpu = &f->plan.gpus.items[i];
    const SnapshotNode *node = &f->snapshot.nodes.items[gpu->node];
    const SnapshotGpu *before = &node->gpus[gpu->gpu];
    MigList list;
    MigLayout layout;
    Error err;
    char status[MIG_STATUS_TEXT_SIZE];
    plan_gpu_list(&f->snapshot, gpu, &list);
    assert_ok(mig_list_bind(&list, before->model, &layout, &err));
    mig_status_format(&layout, before->used_starts, status, sizeof status);
    fixture_status(f, (Node *)node->object, before->index, status);
  }
}

static inline void fixture_shuffle(Fixture *f, Random *random) {
  for (size_t i = f->nodes.count; i > 1; i--) {
    size_t other = random_below(random, i);
    Node *node = f->nodes.items[i - 1];
    f->nodes.items[i - 1] = f->nodes.items[other];
    f->nodes.items[other] = node;
  }
  for (size_t i = f->pods.count; i > 1; i--) {
    size_t other = random_below(random, i);
    Pod *pod = f->pods.items[i - 1];
    f->pods.items[i - 1] = f->pods.items[other];
    f->pods.items[other] = pod;
  }
}
