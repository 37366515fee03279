/* SPDX-License-Identifier: Apache-2.0 */
/* Pods come and go at any index, so what is noted of a change is the index alone. When somebody asks for the
 * order, those that stand where they stood are still in it, and the few others find their places among them
 * one by one; where there are many, all are sorted: by words of age and index, digit by digit. */
#include "cluster/snapshot.h"

#include "cluster/snapshot_parts.h"

#include "base/order.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 64, PART = 64 }; /* one in so many, and a few: beyond that sorting all is quicker */

static int compare_names(const Snapshot *snapshot, int pod, int other) {
  const ObjectMeta *left = &snapshot->pods.items[pod].object->meta;
  const ObjectMeta *right = &snapshot->pods.items[other].object->meta;
  int order = strcmp(string_or_empty(left->namespace_), string_or_empty(right->namespace_));
  if (!order)
    order = strcmp(string_or_empty(left->name), string_or_empty(right->name));
  return order ? order : (pod > other) - (pod < other);
}

static int compare_ages(const Snapshot *snapshot, int pod, int other) {
  int64_t left = snapshot->pods.items[pod].creation_time, right = snapshot->pods.items[other].creation_time;
  return left != right ? (left > right) - (left < right) : compare_names(snapshot, pod, other);
}

static int compare_pods(const void *a, const void *b, void *userdata) {
  return compare_ages(userdata, *(const int *)a, *(const int *)b);
}

/* Of those of one age: mostly they come so. */
static void sort_by_name(const Snapshot *snapshot, int *pods, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (compare_names(snapshot, pods[i - 1], pods[i]) > 0) {
      qsort_r(pods, count, sizeof *pods, compare_pods, (void *)snapshot);
      return;
    }
}

/* Words of age and index, the age in so many bits above the index. */
static void sort_words(const Snapshot *snapshot, int *pods, size_t count, uint64_t least, unsigned bits) {
  CLEANUP(cleanup_free) uint64_t *words = mem_alloc_raw(count, sizeof *words);
  unsigned index_bits = order_bits(snapshot->pods.count);
  for (size_t i = 0; i < count; i++)
    words[i] =
        (order_key(snapshot->pods.items[pods[i]].creation_time) - least) << index_bits | (uint64_t)pods[i];
  order_sort_words(words, count, index_bits, bits);
  size_t first = 0; /* of those that are as old as the one that is looked at */
  for (size_t i = 0; i <= count; i++) {
    if (i < count)
      pods[i] = (int)(words[i] & ((UINT64_C(1) << index_bits) - 1));
    if (i < count && words[i] >> index_bits == words[first] >> index_bits)
      continue;
    if (i - first > 1)
      sort_by_name(snapshot, &pods[first], i - first);
    first = i;
  }
}

/* Ages that do not fit beside the index are tens of thousands of years apart. */
void snapshot_sort_pods(const Snapshot *snapshot, int *pods, size_t count) {
  uint64_t least = UINT64_MAX, most = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t age = order_key(snapshot->pods.items[pods[i]].creation_time);
    least = age < least ? age : least;
    most = age > most ? age : most;
  }
  if (count && most - least > UINT64_MAX >> order_bits(snapshot->pods.count))
    qsort_r(pods, count, sizeof *pods, compare_pods, (void *)snapshot);
  else if (count)
    sort_words(snapshot, pods, count, least, order_bits(most - least));
}

void snapshot_note_pod(Snapshot *snapshot, int pod) {
  if (snapshot->is_order_lost)
    return;
  *array_push(&snapshot->reordered) = pod;
  if (snapshot->reordered.count <= snapshot->by_age.count / PART + FEW)
    return;
  snapshot->is_order_lost = true;
  array_deinit(&snapshot->by_age);
  array_deinit(&snapshot->reordered);
}

static SnapshotQueued queued_of(const Snapshot *snapshot, int pod) {
  return (SnapshotQueued){.pod = pod, .spec = snapshot->pods.items[pod].spec->number};
}

static void order_all(Snapshot *snapshot) {
  size_t count = snapshot->pods.count;
  CLEANUP(cleanup_free) int *pods = mem_alloc_raw(count, sizeof *pods);
  for (size_t i = 0; i < count; i++)
    pods[i] = (int)i;
  snapshot_sort_pods(snapshot, pods, count);
  array_reserve(&snapshot->by_age, count);
  snapshot->by_age.count = count;
  for (size_t i = 0; i < count; i++)
    snapshot->by_age.items[i] = queued_of(snapshot, pods[i]);
}

/* Those among the noted indexes where a pod stands, each once, in order. Marks all that were noted. Returns
 * how many there are. */
static size_t list_moved(const Snapshot *snapshot, uint64_t *marks, int *ret_pods) {
  size_t count = 0;
  for (size_t i = 0; i < snapshot->reordered.count; i++) {
    int pod = snapshot->reordered.items[i];
    if ((size_t)pod >= snapshot->pods.count || marks[pod / 64] >> pod % 64 & 1)
      continue;
    marks[pod / 64] |= UINT64_C(1) << pod % 64;
    ret_pods[count++] = pod;
  }
  snapshot_sort_pods(snapshot, ret_pods, count);
  return count;
}

/* Takes out who does not stand where he stood. */
static void drop_moved(Snapshot *snapshot, const uint64_t *marks) {
  size_t kept = 0;
  SnapshotQueued *items = snapshot->by_age.items;
  for (size_t i = 0; i < snapshot->by_age.count; i++) {
    int pod = items[i].pod;
    if ((size_t)pod < snapshot->pods.count && !(marks[pod / 64] >> pod % 64 & 1))
      items[kept++] = items[i];
  }
  snapshot->by_age.count = kept;
}

/* How many of the first `count` in the order come before the pod. */
static size_t find_position(const Snapshot *snapshot, size_t count, int pod) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare_ages(snapshot, snapshot->by_age.items[middle].pod, pod) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* From behind, so that each is moved once. */
static void insert(Snapshot *snapshot, const int *pods, size_t count) {
  size_t left = snapshot->by_age.count;
  array_reserve(&snapshot->by_age, left + count);
  SnapshotQueued *items = snapshot->by_age.items;
  snapshot->by_age.count += count;
  for (size_t i = count; i-- > 0;) {
    size_t position = find_position(snapshot, left, pods[i]);
    memmove(&items[position + i + 1], &items[position], (left - position) * sizeof *items);
    items[position + i] = queued_of(snapshot, pods[i]);
    left = position;
  }
}

static void order_moved(Snapshot *snapshot) {
  CLEANUP(cleanup_free) uint64_t *marks = mem_alloc((snapshot->pods.count / 64 + 1) * sizeof *marks);
  CLEANUP(cleanup_free) int *pods = mem_alloc_raw(snapshot->reordered.count, sizeof *pods);
  size_t count = list_moved(snapshot, marks, pods);
  drop_moved(snapshot, marks);
  insert(snapshot, pods, count);
}

void snapshot_order_pods(Snapshot *snapshot) {
  if (snapshot->is_order_lost)
    order_all(snapshot);
  else if (snapshot->reordered.count)
    order_moved(snapshot);
  snapshot->is_order_lost = false;
  array_clear(&snapshot->reordered);
  assert(snapshot->by_age.count == snapshot->pods.count);
}
