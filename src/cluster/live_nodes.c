/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes stand by name, so one that comes or goes moves all behind it by one: their places, the index by name,
 * and what placed pods say of their nodes. That is a few milliseconds in a cluster of ten thousand nodes,
 * where reading everything takes hundreds. */
#include "cluster/live_parts.h"

#include "cluster/snapshot_parts.h"

#include <string.h>

static size_t find_place(const LiveCluster *live, const char *name) {
  size_t low = 0, high = live->order.count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (strcmp(live->order.items[middle]->object->meta.name, name) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The node at `first` is new, or those from there on have moved up; `step`: by how much. */
static void renumber(LiveCluster *live, size_t first, int step) {
  Snapshot *snapshot = &live->snapshot;
  for (size_t i = first; i < live->order.count; i++) {
    LiveNode *node = live->order.items[i];
    node->index = (int)i;
    map_put(&snapshot->node_index, node->object->meta.name, (void *)(uintptr_t)(i + 1));
  }
  for (size_t i = 0; i < snapshot->placed.count; i++)
    if (snapshot->placed.items[i].node >= (int)first)
      snapshot->placed.items[i].node += step;
}

/* A nomination for a node that is not there counts for nothing. */
static void renominate(Snapshot *snapshot) {
  array_clear(&snapshot->nominated);
  for (size_t i = 0; i < snapshot->pods.count; i++)
    if (snapshot_is_nominated(snapshot, &snapshot->pods.items[i]))
      *array_push(&snapshot->nominated) = (int)i;
}

/* Backwards, because a removal moves the last one into the gap. */
static void place_strays(LiveCluster *live, const LiveNode *node) {
  LiveChange change = {0};
  for (size_t i = live->strays.count; i-- > 0;) {
    LivePod *pod = live->strays.items[i];
    if (strcmp(pod->object->node_name, node->object->meta.name) != 0)
      continue;
    live_remove_stray(live, pod);
    change.node_count = 0;
    live_place_pod(live, pod, &change);
  }
}

void live_insert_node(LiveCluster *live, LiveNode *node) {
  Snapshot *snapshot = &live->snapshot;
  size_t place = find_place(live, node->object->meta.name), behind = live->order.count - place;
  array_push(&live->order);
  array_push(&snapshot->nodes);
  memmove(&live->order.items[place + 1], &live->order.items[place], behind * sizeof live->order.items[0]);
  memmove(&snapshot->nodes.items[place + 1], &snapshot->nodes.items[place],
          behind * sizeof snapshot->nodes.items[0]);
  live->order.items[place] = node;
  snapshot->nodes.items[place] = (SnapshotNode){0};
  renumber(live, place, 1);
  live_read_node(live, node);
  place_strays(live, node);
  renominate(snapshot);
}

void live_extract_node(LiveCluster *live, LiveNode *node) {
  Snapshot *snapshot = &live->snapshot;
  size_t place = (size_t)node->index;
  while (node->places.count) {
    int last = node->places.items[node->places.count - 1];
    LivePod *pod = live_pods_find(&live->pods, snapshot->placed.items[last].object);
    LiveChange change = {0};
    live_unplace_pod(live, pod, &change);
    live_add_stray(live, pod);
  }
  arena_deinit(&snapshot->nodes.items[place].arena);
  array_remove(&snapshot->nodes, place);
  array_remove(&live->order, place);
  map_remove(&snapshot->node_index, node->object->meta.name);
  renumber(live, place, -1);
  renominate(snapshot);
}
