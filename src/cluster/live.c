/* SPDX-License-Identifier: Apache-2.0 */
/* Each object has a record that knows its place in the snapshot. A pod that waits no longer leaves a gap,
 * which the last one fills. What a pod took from its node is not subtracted, because sums saturate and the
 * larger of two numbers was taken: the node is read again and its pods are charged anew.
 *
 * A node's memory is its own, and a spec goes with its last pod, so nothing piles up but what many share:
 * names of resources, what agents report of models, and the places of what plans read of nodes that went.
 * Should that ever be as much again as in the beginning, all is read afresh. */
#include "cluster/live.h"

#include "cluster/live_parts.h"
#include "cluster/snapshot_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_BYTES = 1 << 18 };

static void node_free(LiveNode *node) {
  free(node->held);
  array_deinit(&node->places);
  free(node);
}

void live_init(LiveCluster *live) {
  *live = (LiveCluster){0};
  snapshot_init(&live->snapshot);
}

void live_deinit(LiveCluster *live) {
  snapshot_deinit(&live->snapshot);
  live_pods_deinit(&live->pods);
  for (size_t i = 0; i < live->nodes.count; i++)
    node_free(live->nodes.entries[i].value);
  map_deinit(&live->nodes);
  array_deinit(&live->order);
  array_deinit(&live->strays);
  array_deinit(&live->warnings);
  arena_deinit(&live->words);
}

static LiveChange *begin(LiveCluster *live, LiveChange *change, LiveChange *scratch) {
  LiveChange *begun = change ? change : scratch;
  *begun = (LiveChange){.all = live->is_stale, .came = -1, .gone = -1, .moved = -1, .spec_gone = -1};
  return begun;
}

static void make_stale(LiveCluster *live, LiveChange *change) {
  live->is_stale = true;
  change->all = true;
}

static void note_node(LiveChange *change, int node) {
  for (int i = 0; i < change->node_count; i++)
    if (change->nodes[i] == node)
      return;
  change->nodes[change->node_count++] = node;
}

/* What depends on other pods is found out again. */
static void forget_observer(Snapshot *snapshot) {
  assert(snapshot->undo_count == 0);
  if (snapshot->observer.self)
    snapshot->observer.free(snapshot->observer.self);
  snapshot->observer = (SnapshotObserver){0};
}

/* They stay until somebody has read them, however often all is read again. */
static void keep_warnings(LiveCluster *live, const SnapshotWarnings *read) {
  for (size_t i = 0; i < read->count; i++)
    *array_push(&live->warnings) =
        (SnapshotWarning){.object = arena_strdup(&live->words, read->items[i].object),
                          .text = arena_strdup(&live->words, read->items[i].text)};
  arena_deinit(&live->snapshot.words);
}

void live_clear_warnings(LiveCluster *live) {
  array_clear(&live->warnings);
  arena_deinit(&live->words);
}

/* ---- all ---- */

static int compare_nodes(const void *a, const void *b) {
  return strcmp((*(LiveNode *const *)a)->object->meta.name, (*(LiveNode *const *)b)->object->meta.name);
}

static void list_nodes(LiveCluster *live) {
  array_clear(&live->order);
  for (size_t i = 0; i < live->nodes.count; i++)
    *array_push(&live->order) = live->nodes.entries[i].value;
  if (live->order.count)
    qsort(live->order.items, live->order.count, sizeof live->order.items[0], compare_nodes);
}

void live_read_node(LiveCluster *live, LiveNode *node) {
  SnapshotWarnings warnings = {0};
  snapshot_read_node(&live->snapshot, &live->snapshot.nodes.items[node->index], node->object, node->held,
                     node->growth_only, &warnings);
  for (size_t i = 0; i < node->places.count; i++) {
    const SnapshotPlaced *placed = &live->snapshot.placed.items[node->places.items[i]];
    snapshot_charge_pod(&live->snapshot, placed->object, node->index, placed->spec);
  }
  keep_warnings(live, &warnings);
  array_deinit(&warnings);
}

static bool is_stray(const Pod *object) {
  return object->node_name && *object->node_name && !pod_is_terminal(object);
}

void live_place_pod(LiveCluster *live, LivePod *pod, LiveChange *change) {
  Snapshot *snapshot = &live->snapshot;
  SnapshotWarnings warnings = {0};
  size_t waiting = snapshot->pods.count, placed = snapshot->placed.count;
  snapshot_add_pod(snapshot, pod->object, &warnings);
  keep_warnings(live, &warnings);
  array_deinit(&warnings);
  if (snapshot->pods.count > waiting) {
    pod->standing = LIVE_WAITING;
    pod->place = change->came = (int)waiting;
  } else if (snapshot->placed.count > placed) {
    pod->standing = LIVE_PLACED;
    pod->place = (int)placed;
    LiveNode *node = live->order.items[snapshot->placed.items[placed].node];
    *array_push(&node->places) = (int)placed;
    note_node(change, node->index);
  } else if (is_stray(pod->object)) {
    live_add_stray(live, pod);
  }
}

static void add_nodes(LiveCluster *live) {
  for (size_t i = 0; i < live->order.count; i++) {
    LiveNode *node = live->order.items[i];
    node->index = (int)i;
    array_clear(&node->places);
    array_push(&live->snapshot.nodes);
    map_put(&live->snapshot.node_index, node->object->meta.name, (void *)(uintptr_t)(i + 1));
    live_read_node(live, node);
  }
}

static void read_all(LiveCluster *live) {
  LiveChange change = {0};
  snapshot_deinit(&live->snapshot);
  snapshot_init(&live->snapshot);
  array_clear(&live->strays);
  list_nodes(live);
  add_nodes(live);
  for (uint32_t i = 0; i < live->pods.count; i++) {
    LivePod *pod = live_pods_at(&live->pods, i);
    if (!pod->object)
      continue;
    pod->standing = LIVE_AWAY;
    change.node_count = 0;
    live_place_pod(live, pod, &change);
  }
  snapshot_order_pods(&live->snapshot);
  live->is_stale = false;
  live->fresh_bytes = live->snapshot.arena.total;
}

Snapshot *live_snapshot(LiveCluster *live) {
  if (live->is_stale)
    read_all(live);
  live->nodes_moved = 0;
  return &live->snapshot;
}

const Node *live_find_node(const LiveCluster *live, const char *name) {
  const LiveNode *node = map_find(&live->nodes, string_or_empty(name));
  return node ? node->object : NULL;
}

int live_find_waiting(LiveCluster *live, const Pod *pod) {
  const LivePod *known = live->is_stale || !pod->meta.name ? NULL : live_pods_find(&live->pods, pod);
  return known && known->standing == LIVE_WAITING ? known->place : -1;
}

static void limit_waste(LiveCluster *live, LiveChange *change) {
  if (live->snapshot.arena.total > 2 * live->fresh_bytes + SPARE_BYTES)
    make_stale(live, change);
}

/* ---- nodes ---- */

static void reread_node(LiveCluster *live, LiveNode *node, LiveChange *change) {
  if (live->is_stale)
    return;
  forget_observer(&live->snapshot);
  live_read_node(live, node);
  note_node(change, node->index);
  limit_waste(live, change);
}

/* True where the node that came or went can be taken alone. */
static bool goes_alone(LiveCluster *live, LiveChange *change) {
  change->all = true;
  if (!live->is_stale && ++live->nodes_moved > LIVE_NODES_AT_ONCE)
    make_stale(live, change);
  if (live->is_stale)
    return false;
  forget_observer(&live->snapshot);
  return true;
}

void live_put_node(LiveCluster *live, const Node *node, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  const char *name = string_or_empty(node->meta.name);
  if (!*name)
    return;
  LiveNode *known = map_find(&live->nodes, name);
  if (known) {
    known->object = node;
    reread_node(live, known, change);
    return;
  }
  known = mem_alloc(sizeof *known);
  known->object = node;
  map_put(&live->nodes, name, known);
  if (!goes_alone(live, change))
    return;
  live_insert_node(live, known);
  limit_waste(live, change);
}

void live_remove_node(LiveCluster *live, const char *name, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  LiveNode *known = map_remove(&live->nodes, string_or_empty(name));
  if (!known)
    return;
  if (goes_alone(live, change))
    live_extract_node(live, known);
  node_free(known);
}

void live_hold_node(LiveCluster *live, const char *name, const char *held, bool growth_only,
                    LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  LiveNode *node = map_find(&live->nodes, name);
  assert(node);
  if (string_equal(node->held, held) && node->growth_only == growth_only)
    return;
  char *old = node->held;
  node->held = mem_strdup(held);
  node->growth_only = growth_only;
  free(old);
  reread_node(live, node, change);
}

/* ---- pods ---- */

void live_add_stray(LiveCluster *live, LivePod *pod) {
  pod->standing = LIVE_STRAY;
  pod->place = (int)live->strays.count;
  *array_push(&live->strays) = pod;
}

void live_remove_stray(LiveCluster *live, LivePod *pod) {
  LivePod *last = live->strays.items[--live->strays.count];
  live->strays.items[pod->place] = last;
  last->place = pod->place;
  pod->standing = LIVE_AWAY;
}

static void release_spec(LiveCluster *live, int spec, LiveChange *change) {
  if (pod_spec_release(&live->snapshot, spec))
    change->spec_gone = spec;
}

static void replace_nominated(Snapshot *snapshot, int gone, int moved) {
  for (size_t i = snapshot->nominated.count; i-- > 0;) {
    int *pod = &snapshot->nominated.items[i];
    if (*pod == gone)
      array_remove(&snapshot->nominated, i);
    else if (*pod == moved)
      *pod = gone;
  }
}

static void unqueue(LiveCluster *live, LivePod *pod, LiveChange *change) {
  Snapshot *snapshot = &live->snapshot;
  int gone = pod->place, last = (int)--snapshot->pods.count, spec = snapshot->pods.items[gone].spec->number;
  if (gone != last) {
    snapshot->pods.items[gone] = snapshot->pods.items[last];
    live_pods_find(&live->pods, snapshot->pods.items[gone].object)->place = gone;
  }
  change->gone = gone;
  change->moved = gone == last ? -1 : last;
  snapshot_note_pod(snapshot, gone);
  snapshot_note_pod(snapshot, last);
  replace_nominated(snapshot, gone, change->moved);
  release_spec(live, spec, change);
  pod->standing = LIVE_AWAY;
}

static size_t find_seat(const LiveNode *node, int place) {
  size_t seat = 0;
  while (node->places.items[seat] != place)
    seat++;
  return seat;
}

static LiveNode *node_of(const LiveCluster *live, int place) {
  return live->order.items[live->snapshot.placed.items[place].node];
}

void live_unplace_pod(LiveCluster *live, LivePod *pod, LiveChange *change) {
  Snapshot *snapshot = &live->snapshot;
  int gone = pod->place, last = (int)--snapshot->placed.count, spec = snapshot->placed.items[gone].spec;
  LiveNode *left = node_of(live, gone);
  left->places.items[find_seat(left, gone)] = left->places.items[left->places.count - 1];
  left->places.count--;
  if (gone != last) {
    LiveNode *moved = node_of(live, last);
    moved->places.items[find_seat(moved, last)] = gone;
    snapshot->placed.items[gone] = snapshot->placed.items[last];
    live_pods_find(&live->pods, snapshot->placed.items[gone].object)->place = gone;
  }
  release_spec(live, spec, change);
  pod->standing = LIVE_AWAY;
}

static void take_out(LiveCluster *live, LivePod *pod, LiveChange *change) {
  if (pod->standing == LIVE_WAITING) {
    unqueue(live, pod, change);
  } else if (pod->standing == LIVE_PLACED) {
    LiveNode *node = node_of(live, pod->place);
    live_unplace_pod(live, pod, change);
    reread_node(live, node, change);
  } else if (pod->standing == LIVE_STRAY) {
    live_remove_stray(live, pod);
  }
}

static bool is_on(const LiveCluster *live, const LivePod *pod, const Pod *object) {
  const char *node = live->snapshot.nodes.items[live->snapshot.placed.items[pod->place].node].name;
  return string_equal(object->node_name, node);
}

static bool has_same_spec(LiveCluster *live, const LivePod *pod, const Pod *object) {
  const Snapshot *snapshot = &live->snapshot;
  int before = pod->standing == LIVE_PLACED ? snapshot->placed.items[pod->place].spec
                                            : snapshot->pods.items[pod->place].spec->number;
  int spec = pod_spec_hold(&live->snapshot, object);
  (void)pod_spec_release(&live->snapshot, spec);
  return spec == before;
}

/* Does the new object say the same as the one before, as far as the snapshot goes? Then only the object is
 * another. */
static bool is_same(LiveCluster *live, const LivePod *pod, const Pod *object) {
  bool has_place = pod->standing == LIVE_WAITING || pod->standing == LIVE_PLACED;
  if (!has_place || pod_is_terminal(object) || !has_same_spec(live, pod, object))
    return false;
  if (pod->standing == LIVE_PLACED)
    return is_on(live, pod, object);
  const SnapshotPod *waiting = &live->snapshot.pods.items[pod->place];
  return !(object->node_name && *object->node_name) && waiting->priority == object->priority &&
         waiting->creation_time == object->meta.creation_time;
}

static void replace_object(LiveCluster *live, LivePod *pod, const Pod *object) {
  pod->object = object;
  if (pod->standing == LIVE_WAITING)
    live->snapshot.pods.items[pod->place].object = object;
  else
    live->snapshot.placed.items[pod->place].object = object;
}

void live_put_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  if (!pod->meta.name)
    return;
  LivePod *known = live_pods_find(&live->pods, pod);
  if (!known)
    known = live_pods_add(&live->pods, pod);
  if (live->is_stale) {
    known->object = pod;
    return;
  }
  forget_observer(&live->snapshot);
  if (is_same(live, known, pod)) {
    replace_object(live, known, pod);
    return;
  }
  take_out(live, known, change);
  known->object = pod;
  if (live->is_stale)
    return;
  live_place_pod(live, known, change);
  limit_waste(live, change);
}

void live_remove_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  LivePod *known = pod->meta.name ? live_pods_find(&live->pods, pod) : NULL;
  if (!known)
    return;
  if (!live->is_stale) {
    forget_observer(&live->snapshot);
    take_out(live, known, change);
  }
  live_pods_remove(&live->pods, known);
}
