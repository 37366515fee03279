/* SPDX-License-Identifier: Apache-2.0 */
/* Each object has a record that knows its place in the snapshot. A pod that waits no longer leaves a gap,
 * which the last one fills. What a pod took from its node is not subtracted, because sums saturate and the
 * larger of two numbers was taken: the node is read again and its pods are charged anew.
 *
 * What is read again leaves the old behind in the snapshot's arena, and specs stay when their last pod goes.
 * Once that is as much as the snapshot itself, all is read afresh. */
#include "cluster/live.h"

#include "cluster/snapshot_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_BYTES = 1 << 18, SPARE_SPECS = 100 };

struct LivePod {
  const Pod *object;
  int waiting; /* index in snapshot.pods, -1 */
  int placed;  /* index in snapshot.placed, -1 */
  size_t seat; /* on its node's list, if it is placed */
  int spec;
};

struct LiveNode {
  const Node *object;
  char *held;
  bool growth_only;
  int index; /* in snapshot.nodes, unless all is stale */
  ARRAY(LivePod *) pods;
};

static void node_free(LiveNode *node) {
  free(node->held);
  array_deinit(&node->pods);
  free(node);
}

void live_init(LiveCluster *live) {
  *live = (LiveCluster){0};
  snapshot_init(&live->snapshot);
}

void live_deinit(LiveCluster *live) {
  snapshot_deinit(&live->snapshot);
  for (size_t i = 0; i < live->pods.count; i++)
    free(live->pods.entries[i].value);
  for (size_t i = 0; i < live->nodes.count; i++)
    node_free(live->nodes.entries[i].value);
  map_deinit(&live->pods);
  map_deinit(&live->nodes);
  array_deinit(&live->waiting);
  array_deinit(&live->placed);
  array_deinit(&live->order);
  array_deinit(&live->warnings);
  arena_deinit(&live->words);
  text_deinit(&live->key);
}

static LiveChange *begin(LiveCluster *live, LiveChange *change, LiveChange *scratch) {
  LiveChange *begun = change ? change : scratch;
  *begun = (LiveChange){.all = live->is_stale, .came = -1, .gone = -1, .moved = -1};
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

/* The snapshot's own words go when all is read again. */
static void keep_warnings(LiveCluster *live, const SnapshotWarnings *read) {
  for (size_t i = 0; i < read->count; i++)
    *array_push(&live->warnings) =
        (SnapshotWarning){.object = arena_strdup(&live->words, read->items[i].object),
                          .text = arena_strdup(&live->words, read->items[i].text)};
}

void live_clear_warnings(LiveCluster *live) {
  array_clear(&live->warnings);
  arena_deinit(&live->words);
}

static const char *key_of(LiveCluster *live, const Pod *pod) {
  text_clear(&live->key);
  text_append(&live->key, string_or_empty(pod->meta.namespace_));
  text_append(&live->key, "/");
  text_append(&live->key, pod->meta.name);
  return text_string(&live->key);
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

static void read_node(LiveCluster *live, LiveNode *node) {
  SnapshotWarnings warnings = {0};
  snapshot_read_node(&live->snapshot, &live->snapshot.nodes.items[node->index], node->object, node->held,
                     node->growth_only, &warnings);
  for (size_t i = 0; i < node->pods.count; i++)
    snapshot_charge_pod(&live->snapshot, node->pods.items[i]->object, node->index, node->pods.items[i]->spec);
  keep_warnings(live, &warnings);
  array_deinit(&warnings);
}

static void add_pod(LiveCluster *live, LivePod *pod, LiveChange *change) {
  Snapshot *snapshot = &live->snapshot;
  SnapshotWarnings warnings = {0};
  size_t waiting = snapshot->pods.count, placed = snapshot->placed.count;
  snapshot_add_pod(snapshot, pod->object, &warnings);
  keep_warnings(live, &warnings);
  array_deinit(&warnings);
  if (snapshot->pods.count > waiting) {
    *array_push(&live->waiting) = pod;
    pod->waiting = change->came = (int)waiting;
    pod->spec = snapshot->pods.items[waiting].spec;
  } else if (snapshot->placed.count > placed) {
    *array_push(&live->placed) = pod;
    pod->placed = (int)placed;
    pod->spec = snapshot->placed.items[placed].spec;
    LiveNode *node = live->order.items[snapshot->placed.items[placed].node];
    pod->seat = node->pods.count;
    *array_push(&node->pods) = pod;
    note_node(change, node->index);
  }
}

static void add_nodes(LiveCluster *live) {
  for (size_t i = 0; i < live->order.count; i++) {
    LiveNode *node = live->order.items[i];
    node->index = (int)i;
    array_clear(&node->pods);
    array_push(&live->snapshot.nodes);
    map_put(&live->snapshot.node_index, node->object->meta.name, (void *)(uintptr_t)(i + 1));
    read_node(live, node);
  }
}

static void read_all(LiveCluster *live) {
  LiveChange change = {0};
  snapshot_deinit(&live->snapshot);
  snapshot_init(&live->snapshot);
  array_clear(&live->waiting);
  array_clear(&live->placed);
  list_nodes(live);
  add_nodes(live);
  for (size_t i = 0; i < live->pods.count; i++) {
    LivePod *pod = live->pods.entries[i].value;
    pod->waiting = pod->placed = -1;
    change.node_count = 0;
    add_pod(live, pod, &change);
  }
  live->is_stale = false;
  live->fresh_bytes = live->snapshot.arena.total;
  live->fresh_specs = live->snapshot.specs.count;
}

Snapshot *live_snapshot(LiveCluster *live) {
  if (live->is_stale)
    read_all(live);
  return &live->snapshot;
}

const Node *live_find_node(const LiveCluster *live, const char *name) {
  const LiveNode *node = map_find(&live->nodes, string_or_empty(name));
  return node ? node->object : NULL;
}

int live_find_waiting(LiveCluster *live, const Pod *pod) {
  const LivePod *known = live->is_stale || !pod->meta.name ? NULL : map_find(&live->pods, key_of(live, pod));
  return known ? known->waiting : -1;
}

static void limit_waste(LiveCluster *live, LiveChange *change) {
  if (live->snapshot.arena.total > 2 * live->fresh_bytes + SPARE_BYTES ||
      live->snapshot.specs.count > 2 * live->fresh_specs + SPARE_SPECS)
    make_stale(live, change);
}

/* ---- nodes ---- */

static void reread_node(LiveCluster *live, LiveNode *node, LiveChange *change) {
  if (live->is_stale)
    return;
  forget_observer(&live->snapshot);
  read_node(live, node);
  note_node(change, node->index);
  limit_waste(live, change);
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
  make_stale(live, change);
}

void live_remove_node(LiveCluster *live, const char *name, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  LiveNode *known = map_remove(&live->nodes, string_or_empty(name));
  if (!known)
    return;
  node_free(known);
  make_stale(live, change);
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
  int gone = pod->waiting, last = (int)live->waiting.count - 1;
  live->snapshot.pods.items[gone] = live->snapshot.pods.items[last];
  live->waiting.items[gone] = live->waiting.items[last];
  live->waiting.items[gone]->waiting = gone;
  live->waiting.count--;
  live->snapshot.pods.count--;
  pod->waiting = -1;
  change->gone = gone;
  change->moved = gone == last ? -1 : last;
  replace_nominated(&live->snapshot, gone, change->moved);
}

static void unplace(LiveCluster *live, LivePod *pod, LiveChange *change) {
  int gone = pod->placed, last = (int)live->placed.count - 1;
  LiveNode *node = live->order.items[live->snapshot.placed.items[gone].node];
  live->snapshot.placed.items[gone] = live->snapshot.placed.items[last];
  live->placed.items[gone] = live->placed.items[last];
  live->placed.items[gone]->placed = gone;
  live->placed.count--;
  live->snapshot.placed.count--;
  pod->placed = -1;
  node->pods.items[pod->seat] = node->pods.items[node->pods.count - 1];
  node->pods.items[pod->seat]->seat = pod->seat;
  node->pods.count--;
  reread_node(live, node, change);
}

static void take_out(LiveCluster *live, LivePod *pod, LiveChange *change) {
  if (pod->waiting >= 0)
    unqueue(live, pod, change);
  if (pod->placed >= 0)
    unplace(live, pod, change);
}

static bool is_on(const LiveCluster *live, const LivePod *pod, const Pod *object) {
  const char *node = live->snapshot.nodes.items[live->snapshot.placed.items[pod->placed].node].name;
  return string_equal(object->node_name, node);
}

/* Does the new object say the same as the one before, as far as the snapshot goes? Then only the object is
 * another. */
static bool is_same(LiveCluster *live, const LivePod *pod, const Pod *object) {
  if (pod_is_terminal(object) || (pod->waiting < 0 && pod->placed < 0) ||
      pod_spec_find(&live->snapshot, object) != pod->spec)
    return false;
  if (pod->placed >= 0)
    return is_on(live, pod, object);
  const SnapshotPod *waiting = &live->snapshot.pods.items[pod->waiting];
  return !(object->node_name && *object->node_name) && waiting->priority == object->priority &&
         waiting->creation_time == object->meta.creation_time;
}

static void replace_object(LiveCluster *live, LivePod *pod, const Pod *object) {
  pod->object = object;
  if (pod->waiting >= 0)
    live->snapshot.pods.items[pod->waiting].object = object;
  if (pod->placed >= 0)
    live->snapshot.placed.items[pod->placed].object = object;
}

void live_put_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  if (!pod->meta.name)
    return;
  LivePod *known = map_find(&live->pods, key_of(live, pod));
  if (!known) {
    known = mem_alloc(sizeof *known);
    known->waiting = known->placed = -1;
    map_put(&live->pods, text_string(&live->key), known);
  }
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
  add_pod(live, known, change);
  limit_waste(live, change);
}

void live_remove_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change) {
  LiveChange scratch, *change = begin(live, ret_change, &scratch);
  LivePod *known = pod->meta.name ? map_remove(&live->pods, key_of(live, pod)) : NULL;
  if (!known)
    return;
  if (!live->is_stale) {
    forget_observer(&live->snapshot);
    take_out(live, known, change);
  }
  free(known);
}
