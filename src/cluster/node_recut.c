/* SPDX-License-Identifier: Apache-2.0 */
/* A node that is being re-cut is seen as it will be: it was told a plan that takes slices away, and has not
 * answered yet. The slices on their way serve waiting pods; those that go serve nobody, whatever the node
 * still reports of them. Until the answer nobody knows whether the withdrawal came about, so nothing new goes
 * there.
 */
#include "cluster/node_trim.h"
#include "cluster/snapshot_parts.h"

#include "base/text.h"

/* The layout that the GPU was told; false where it was told none, or not this GPU. */
static bool read_wanted(const SnapshotNode *node, const SnapshotGpu *gpu, MigLayout *ret_wanted) {
  MigSpec spec;
  char uuid[MIG_UUID_SIZE];
  Error err;
  if (!gpu->model || gpu->assumed || gpu->excluded || gpu->blocked)
    return false;
  char whole[MIG_SPEC_TEXT_SIZE];
  const char *text = node_find_spec(node->object, gpu->index, whole);
  return text && mig_spec_parse(text, &spec, &err) == 0 &&
         strcmp(spec.uuid, snapshot_gpu_uuid(node, gpu, uuid)) == 0 &&
         mig_list_bind(&spec.list, gpu->model, ret_wanted, &err) == 0;
}

/* Starts of the free slices that the wanted layout leaves out. Used and kept ones stay in any case. */
static uint32_t find_leaving(const SnapshotGpu *gpu, const MigLayout *wanted) {
  uint32_t leaving = 0;
  for (int i = 0; i < gpu->layout->count; i++) {
    const MigInstance *instance = &gpu->layout->instances[i];
    const MigInstance *same = mig_layout_find(wanted, instance->start);
    if (!same || same->profile != instance->profile)
      leaving |= UINT32_C(1) << instance->start;
  }
  return leaving & gpu->existing_starts & ~gpu->used_starts & ~gpu->keep_starts;
}

static void change_slices(Snapshot *snapshot, SnapshotNode *node, const SnapshotGpu *gpu, int profile,
                          int count) {
  snapshot_add_slices(snapshot, node, &node->allocatable, gpu->model->profiles[profile].name, count);
}

static void show_wanted(Snapshot *snapshot, SnapshotNode *node, SnapshotGpu *gpu, const MigLayout *wanted) {
  uint32_t leaving = find_leaving(gpu, wanted);
  MigLayout layout = *gpu->layout;
  gpu->existing_starts &= ~leaving;
  for (; leaving; leaving &= leaving - 1) {
    int start = __builtin_ctz(leaving);
    change_slices(snapshot, node, gpu, mig_layout_find(&layout, start)->profile, -1);
    mig_layout_remove(&layout, start);
  }
  for (int i = 0; i < wanted->count; i++) {
    const MigInstance *instance = &wanted->instances[i];
    if (!mig_layout_can_place(&layout, instance->profile, instance->start))
      continue;
    change_slices(snapshot, node, gpu, instance->profile, 1);
    mig_layout_place(&layout, instance->profile, instance->start);
  }
  gpu->layout = snapshot_share_layout(snapshot, &layout);
}

void node_recut_read(Snapshot *snapshot, SnapshotNode *node) {
  if (!node->may_change || !node->spec_plan || string_equal(node->spec_plan, node->status_plan))
    return;
  MigLayout wanted;
  for (int i = 0; i < node->gpu_count && !node->being_recut; i++)
    node->being_recut =
        read_wanted(node, &node->gpus[i], &wanted) && find_leaving(&node->gpus[i], &wanted) != 0;
  if (!node->being_recut)
    return;
  for (int i = 0; i < node->gpu_count; i++)
    if (read_wanted(node, &node->gpus[i], &wanted))
      show_wanted(snapshot, node, &node->gpus[i], &wanted);
  node->may_change = false;
  node->blocked =
      arena_format(&node->arena,
                   "node %s is carrying out plan %.63s, which takes slices away; facet plans again "
                   "when it is done",
                   node->name, node->spec_plan);
}
