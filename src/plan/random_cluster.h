/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: random small clusters, and what holds for every plan that was made on one. */
#pragma once

#include "plan/plan_fixture.h"

enum { RANDOM_PODS_MAX = 7, RANDOM_NODES_MAX = 3, RANDOM_TIERS_MAX = 3 };

typedef struct RandomMix {
  bool many_models, several_slices, other_profiles, limits, selectors, strange;
  bool recut;       /* free slices may be withdrawn; otherwise all of them are kept */
  bool every_model; /* any of the built-in table, else one of the five below */
} RandomMix;

static const char *const models[] = {A100, H100, A30, A100_40, PRO6000};

/* A model that only its driver knows, and that cannot be counted: its placements overlap without nesting. */
#define STRANGE "NVIDIA-Unheard-Of"
static const char random_strange_profiles[] =
    STRANGE "/8 1g.10gb:6x1@0,1,2,3,5,7 2g.20gb:3x3@0,2,5 2g.20gb+me:1x2@1,4 4g.40gb:2x4@1,4";

static inline const MigModel *strange_model(void) {
  static MigModel parsed[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  if (!parsed[0].slot_count)
    assert_ok(mig_profiles_parse(random_strange_profiles, parsed, &count, &err));
  return &parsed[0];
}

static inline const char *random_model(Random *random, const RandomMix *mix) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count), *row = NULL;
  if (!mix->every_model)
    return models[random_below(random, COUNT_OF(models))];
  do
    row = &rows[random_below(random, (uint64_t)count)];
  while (!row->placements_known);
  return row->model.name;
}

static inline const MigModel *model_named(const char *name) {
  if (strcmp(name, STRANGE) == 0)
    return strange_model();
  const MigModelRow *row = mig_model_find(name);
  assert_non_null(row);
  return &row->model;
}

static inline void random_keep_all(Fixture *f, Node *node, int gpu, const MigLayout *layout) {
  char text[MIG_SPEC_TEXT_SIZE];
  MigList list;
  mig_list_from_layout(layout, &list);
  mig_spec_format("GPU", &list, text, sizeof text);
  const char *slices = strchr(text, ' ');
  fixture_set(f, &node->meta.annotations, arena_format(&f->arena, MIG_ANNOTATION_KEEP_PREFIX "%d", gpu),
              slices ? slices + 1 : "");
}

static inline void add_random_gpu(Fixture *f, Random *random, const RandomMix *mix, Node *node,
                                  const char *name) {
  MigLayout layout;
  char status[MIG_STATUS_TEXT_SIZE];
  const MigModel *model = model_named(name);
  mig_layout_init(&layout, model);
  for (int tries = (int)random_below(random, 6); tries > 0; tries--) {
    int profile = (int)random_below(random, model->profile_count);
    int start = (int)random_below(random, model->slot_count);
    if (mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  mig_status_format(&layout, (uint32_t)random_next(random), status, sizeof status);
  int gpu = fixture_gpu(f, node, name, status);
  if (!mix->recut || !random_below(random, 4))
    random_keep_all(f, node, gpu, &layout);
}

static inline void add_random_pod(Fixture *f, Random *random, const RandomMix *mix, const char *const *names,
                                  int name_count) {
  Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%zu", f->pods.count), NULL);
  pod->priority = (int32_t)random_below(random, 1 + random_below(random, RANDOM_TIERS_MAX));
  int slices = mix->several_slices && !random_below(random, 3) ? 2 : 1;
  for (int i = 0; i < slices; i++) {
    const MigModel *model = model_named(names[random_below(random, (uint64_t)name_count)]);
    const MigProfile *profile;
    do
      profile = &model->profiles[random_below(random, model->profile_count)];
    while (profile->kind != MIG_PLAIN && !mix->other_profiles);
    fixture_ask_slices(f, pod, profile->name, 1 + (mix->several_slices && !random_below(random, 3)));
  }
  if (mix->limits)
    fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", (int)random_below(random, 4)));
  if (mix->selectors && !random_below(random, 2))
    fixture_set(f, &pod->common->node_selector, "kubernetes.io/hostname",
                f->nodes.items[random_below(random, f->nodes.count)]->meta.name);
}

/* Bound pods that use what is in use, and some that count on free slices: floating claims. */
static inline void add_bound_pods(Fixture *f, Random *random) {
  Fixture before = {.nodes = f->nodes};
  fixture_snapshot(&before);
  for (size_t n = 0; n < before.snapshot.nodes.count; n++) {
    const SnapshotNode *node = &before.snapshot.nodes.items[n];
    for (size_t r = 0; r < node->allocatable.count; r++) {
      const char *resource = node->allocatable.items[r].name;
      if (!mig_profile_is_resource(resource) || random_below(random, 2))
        continue;
      int64_t used = resources_get(&node->requested, resource);
      int64_t count = used + (int64_t)random_below(random, (uint64_t)snapshot_free_of(node, resource) + 1);
      for (; count > 0; count--) {
        Pod *pod = fixture_pod(f, arena_format(&f->arena, "b%zu", f->pods.count), NULL);
        fixture_ask(f, pod, resource, "1");
        pod->node_name = f->nodes.items[n]->meta.name;
      }
    }
  }
  snapshot_deinit(&before.snapshot);
}

static inline void random_cluster(Fixture *f, Random *random, const RandomMix *mix) {
  const char *names[3];
  int gpus = 1 + (int)random_below(random, 3);
  Node *node = NULL;
  for (int i = 0; i < gpus; i++) {
    names[i] = i && !mix->many_models ? names[0] : random_model(random, mix);
    if (mix->strange && random_below(random, 2))
      names[i] = STRANGE;
    if (!node || random_below(random, 2)) {
      node = fixture_node(f, arena_format(&f->arena, "n%zu", f->nodes.count));
      if (mix->limits)
        fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                    arena_format(&f->arena, "%d", 1 + (int)random_below(random, 8)));
    }
    if (mix->strange)
      fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_PROFILES, random_strange_profiles);
    add_random_gpu(f, random, mix, node, names[i]);
  }
  if (mix->recut)
    add_bound_pods(f, random);
  for (int pods = 1 + (int)random_below(random, RANDOM_PODS_MAX); pods > 0; pods--)
    add_random_pod(f, random, mix, names, gpus);
}

static inline void random_count_served(const Fixture *f, int served[RANDOM_TIERS_MAX]) {
  memset(served, 0, RANDOM_TIERS_MAX * sizeof *served);
  for (size_t i = 0; i < f->plan.pods.count; i++)
    served[RANDOM_TIERS_MAX - 1 - f->snapshot.pods.items[i].object->priority] +=
        f->plan.pods.items[i].node >= 0;
}

/* What the plan claims, recounted from the nodes' status after the agents did their part. */
static inline void random_assert_holds(Fixture *after, const Fixture *before) {
  for (size_t i = 0; i < before->plan.pods.count; i++) {
    const PlanPod *pod = &before->plan.pods.items[i];
    SchedVerdict verdict;
    if (pod->node < 0)
      continue;
    if (!sched_fits(&after->snapshot, (int)i, pod->node, &verdict))
      fail_msg("%s: %s", verdict.plugin, verdict.reason);
    snapshot_bind(&after->snapshot, (int)i, pod->node);
  }
}
