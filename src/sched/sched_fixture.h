/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: a few nodes, pods on them and pods that wait, and what the filters say, in one line.
 *
 *     Fixture f = {0};
 *     fixture_node(&f, "n1", "z1");                        three nodes in two zones
 *     fixture_place(&f, "n1", &(Pod){...});                pods are borrowed
 *     int pod = fixture_wait(&f, &(Pod){...});
 *     assert_says(&f, pod, "n1", "PodTopologySpread: ...");   "" where it fits */
#pragma once

#include "base/test.h"

#include "cluster/test_objects.h"
#include "sched/coupling.h"
#include "sched/filter.h"

typedef struct Fixture {
  Arena arena;
  Snapshot snapshot;
} Fixture;

/* An empty one for a pod that is about to be made; the last ones handed out stay as they are. */
static inline PodCommon *fixture_common(void) {
  static PodCommon commons[64];
  static size_t next;
  PodCommon *common = &commons[next++ % COUNT_OF(commons)];
  *common = (PodCommon){0};
  return common;
}

static inline void fixture_deinit(Fixture *f) {
  snapshot_deinit(&f->snapshot);
  arena_deinit(&f->arena);
}

static inline void fixture_label(Fixture *f, Node *node, const char *key, const char *value) {
  KeyValues *labels = &node->meta.labels;
  if (!labels->items)
    labels->items = arena_alloc(&f->arena, 8 * sizeof *labels->items);
  assert_true(labels->count < 8);
  labels->items[labels->count++] = (KeyValue){key, value};
}

/* With room for anything; zone may be NULL. */
static inline Node *fixture_node(Fixture *f, const char *name, const char *zone) {
  static ResourceText room[] = {{"cpu", "64"}, {"memory", "64Gi"}, {"pods", "110"}};
  Node *node = arena_alloc(&f->arena, sizeof *node);
  node->meta.name = name;
  node->allocatable = (ResourceTexts){room, COUNT_OF(room)};
  fixture_label(f, node, "host", name);
  if (zone)
    fixture_label(f, node, "zone", zone);
  snapshot_add_node(&f->snapshot, node, NULL, NULL);
  return node;
}

static inline void fixture_place(Fixture *f, const char *node, const Pod *pod) {
  Pod *copy = arena_copy(&f->arena, pod, sizeof *pod);
  copy->node_name = node;
  snapshot_add_pod(&f->snapshot, copy, NULL);
}

/* Its index. */
static inline int fixture_wait(Fixture *f, const Pod *pod) {
  snapshot_add_pod(&f->snapshot, arena_copy(&f->arena, pod, sizeof *pod), NULL);
  return (int)f->snapshot.pods.count - 1;
}

static inline void assert_says(Fixture *f, int pod, const char *node, const char *wanted) {
  SchedVerdict verdict;
  char said[320] = "";
  int index = snapshot_find_node(&f->snapshot, node);
  assert_true(index >= 0);
  if (!sched_fits(&f->snapshot, pod, index, &verdict))
    snprintf(said, sizeof said, "%s: %s", verdict.plugin, verdict.reason);
  if (strcmp(said, wanted) != 0)
    fail_msg("node %s: \"%s\" instead of \"%s\"", node, said, wanted);
}

static inline void fixture_bind(Fixture *f, int pod, const char *node) {
  (void)sched_coupling_get(&f->snapshot); /* before the first one */
  snapshot_bind(&f->snapshot, pod, snapshot_find_node(&f->snapshot, node));
}
