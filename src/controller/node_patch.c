/* SPDX-License-Identifier: Apache-2.0 */
/* What a node is told, for each changed GPU:
 *
 *     facet.gpu/spec-gpu-0                   "GPU-<uuid> 1g.10gb@6,...,2g.20gb@0"  exact, in creation order
 *     nos.nebuly.com/spec-gpu-0-1g.10gb      "5"                                   for nos' tools
 *     nos.nebuly.com/spec-partitioning-plan  "<id>"                                once, last
 *
 * A GPU that only nos' counts tell of has no UUID, so nothing exact can be said of it: it gets counts alone,
 * and whoever reads them places the slices himself.
 *
 * Where slices go, the patch begins with a second `test`, on the facet.gpu/status-gpu-0 that the plan saw:
 * had one of them been taken meanwhile, another set of slices might have been the right one.
 *
 * A GPU that is not planned now may have been told less than exists on it by now, and the agent would take
 * that for a wish to withdraw the rest. So it is told what exists.
 *
 * The same patch removes what nobody wants any more: counts of profiles that are gone, and exact wishes for a
 * GPU that is no longer the one at its index, of which the agent would complain for ever. */
#include "controller/node_patch.h"

#include "cluster/node_trim.h"

static const KeyValues *annotations_of(const Snapshot *snapshot, int node) {
  return &snapshot->nodes.items[node].object->meta.annotations;
}

/* Annotation keys hold '/', which JSON Pointer writes as "~1". */
static void append_pointer(Text *body, const char *key) {
  text_append(body, "/metadata/annotations/");
  for (; *key; key++) {
    if (*key == '~')
      text_append(body, "~0");
    else if (*key == '/')
      text_append(body, "~1");
    else
      text_append_bytes(body, key, 1);
  }
}

static void append_operation(Text *body, const char *operation, const char *key, const char *value) {
  text_format(body, "%s{\"op\":\"%s\",\"path\":\"", body->size > 1 ? "," : "", operation);
  append_pointer(body, key);
  text_append(body, "\"");
  if (strcmp(operation, "remove") != 0) {
    text_append(body, ",\"value\":");
    if (value)
      text_append_json(body, value);
    else
      text_append(body, "null");
  }
  text_append(body, "}");
}

static int count_in_list(const MigList *list, const char *profile) {
  int count = 0;
  for (int i = 0; i < list->count; i++)
    count += strcmp(list->items[i].profile, profile) == 0;
  return count;
}

static void append_counts(const SnapshotGpu *gpu, const MigList *list, Text *body) {
  for (int profile = 0; profile < gpu->model->profile_count; profile++) {
    const char *name = gpu->model->profiles[profile].name;
    int count = count_in_list(list, name);
    if (!count)
      continue;
    char key[MIG_KEY_SIZE], value[16];
    mig_key_format_count(MIG_ANNOTATION_SPEC_COUNT_PREFIX, gpu->index, name, MIG_USE_NONE, key, sizeof key);
    snprintf(value, sizeof value, "%d", count);
    append_operation(body, "add", key, value);
  }
}

static void remove_old_counts(const KeyValues *annotations, const SnapshotGpu *gpu, const MigList *list,
                              Text *body) {
  for (size_t i = 0; i < annotations->count; i++) {
    int index;
    char profile[MIG_PROFILE_NAME_SIZE];
    MigUse use;
    const char *key = annotations->items[i].key;
    if (mig_key_parse_count(key, MIG_ANNOTATION_SPEC_COUNT_PREFIX, &index, profile, &use) &&
        index == gpu->index && !count_in_list(list, profile))
      append_operation(body, "remove", key, NULL);
  }
}

static void format_exact_key(const SnapshotGpu *gpu, char ret_key[MIG_KEY_SIZE]) {
  snprintf(ret_key, MIG_KEY_SIZE, MIG_ANNOTATION_SPEC_GPU_PREFIX "%d", gpu->index);
}

static void append_exact(const SnapshotNode *node, const SnapshotGpu *gpu, const MigList *list, Text *body) {
  const KeyValues *annotations = &node->object->meta.annotations;
  char key[MIG_KEY_SIZE], value[MIG_SPEC_TEXT_SIZE], uuid[MIG_UUID_SIZE];
  format_exact_key(gpu, key);
  if (*snapshot_gpu_uuid(node, gpu, uuid)) {
    mig_spec_format(uuid, list, value, sizeof value);
    append_operation(body, "add", key, value);
  } else if (key_values_find(annotations, key)) { /* it would win over the counts */
    append_operation(body, "remove", key, NULL);
  }
}

static void append_gpu(const Snapshot *snapshot, const PlanGpu *planned, Text *body) {
  const KeyValues *annotations = annotations_of(snapshot, planned->node);
  const SnapshotNode *node = &snapshot->nodes.items[planned->node];
  const SnapshotGpu *gpu = &node->gpus[planned->gpu];
  MigList list;
  plan_gpu_list(snapshot, planned, &list);
  append_exact(node, gpu, &list, body);
  append_counts(gpu, &list, body);
  remove_old_counts(annotations, gpu, &list, body);
}

/* Slices may go only from what the plan saw. */
static void append_status_test(const Snapshot *snapshot, const PlanGpu *planned, Text *body) {
  const SnapshotGpu *gpu = &snapshot->nodes.items[planned->node].gpus[planned->gpu];
  char key[MIG_KEY_SIZE];
  if (!planned->destroy_count)
    return;
  snprintf(key, sizeof key, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", gpu->index);
  append_operation(body, "test", key, key_values_find(annotations_of(snapshot, planned->node), key));
}

static const SnapshotGpu *find_gpu(const SnapshotNode *node, int index) {
  for (int i = 0; i < node->gpu_count; i++)
    if (node->gpus[i].index == index)
      return &node->gpus[i];
  return NULL;
}

static bool is_planned(const SnapshotNode *node, const PlanGpu *gpus, size_t count, int index) {
  for (size_t i = 0; i < count; i++)
    if (node->gpus[gpus[i].gpu].index == index)
      return true;
  return false;
}

static bool spec_has_existing(const MigSpec *spec, const SnapshotGpu *gpu) {
  for (int i = 0; gpu->model && i < gpu->layout->count; i++) {
    const MigInstance *instance = &gpu->layout->instances[i];
    if (!mig_list_has(&spec->list, gpu->model->profiles[instance->profile].name, instance->start))
      return false;
  }
  return true;
}

/* What GPUs outside the plan were told some time. */
static void append_others(const Snapshot *snapshot, const PlanGpu *gpus, size_t count, Text *body) {
  const SnapshotNode *node = &snapshot->nodes.items[gpus[0].node];
  const KeyValues *annotations = &node->object->meta.annotations;
  for (size_t i = 0; i < annotations->count; i++) {
    const char *key = annotations->items[i].key;
    int index = mig_key_parse_index(key, MIG_ANNOTATION_SPEC_GPU_PREFIX);
    if (index < 0 || is_planned(node, gpus, count, index))
      continue;
    const SnapshotGpu *gpu = find_gpu(node, index);
    MigSpec spec;
    char uuid[MIG_UUID_SIZE], whole[MIG_SPEC_TEXT_SIZE];
    Error err;
    if (mig_spec_parse(string_or_empty(node_find_spec(node->object, index, whole)), &spec, &err) < 0 ||
        !gpu || strcmp(spec.uuid, snapshot_gpu_uuid(node, gpu, uuid)) != 0)
      append_operation(body, "remove", key, NULL);
    else if (!spec_has_existing(&spec, gpu))
      append_gpu(snapshot, &(PlanGpu){.node = gpus[0].node, .gpu = (int)(gpu - node->gpus)}, body);
  }
}

void controller_node_patch_format(const Snapshot *snapshot, const PlanGpu *gpus, size_t count,
                                  const char *plan_id, Text *ret_body) {
  assert(count > 0);
  const char *old_plan = key_values_find(annotations_of(snapshot, gpus[0].node), MIG_ANNOTATION_SPEC_PLAN);
  text_append(ret_body, "[");
  append_operation(ret_body, "test", MIG_ANNOTATION_SPEC_PLAN, old_plan);
  for (size_t i = 0; i < count; i++)
    append_status_test(snapshot, &gpus[i], ret_body);
  for (size_t i = 0; i < count; i++) {
    assert(gpus[i].node == gpus[0].node);
    append_gpu(snapshot, &gpus[i], ret_body);
  }
  append_others(snapshot, gpus, count, ret_body);
  append_operation(ret_body, "add", MIG_ANNOTATION_SPEC_PLAN, plan_id);
  text_append(ret_body, "]");
}

static bool exact_has_all(const SnapshotGpu *gpu, const PlanGpu *planned, const char *uuid,
                          const char *text) {
  MigSpec spec;
  Error err;
  if (!text || mig_spec_parse(text, &spec, &err) < 0 || strcmp(spec.uuid, uuid) != 0)
    return false;
  for (int i = 0; i < planned->create_count; i++)
    if (!planned->creates[i].leftover &&
        !mig_list_has(&spec.list, gpu->model->profiles[planned->creates[i].profile].name,
                      planned->creates[i].start))
      return false;
  for (int i = 0; i < planned->destroy_count; i++)
    if (mig_list_has(&spec.list, gpu->model->profiles[planned->destroys[i].profile].name,
                     planned->destroys[i].start))
      return false;
  return true;
}

/* Do the counts ask for what exists and every demanded slice beside it? */
static bool counts_have_all(const KeyValues *annotations, const SnapshotGpu *gpu, const PlanGpu *planned) {
  int wanted[MIG_PROFILES_MAX] = {0};
  for (int i = 0; i < planned->create_count; i++)
    wanted[planned->creates[i].profile] += !planned->creates[i].leftover;
  for (int profile = 0; profile < gpu->model->profile_count; profile++) {
    char key[MIG_KEY_SIZE];
    mig_key_format_count(MIG_ANNOTATION_SPEC_COUNT_PREFIX, gpu->index, gpu->model->profiles[profile].name,
                         MIG_USE_NONE, key, sizeof key);
    const char *count = key_values_find(annotations, key);
    int needed = wanted[profile] + mig_layout_count(gpu->layout, profile);
    if (wanted[profile] && (!count || strtol(count, NULL, 10) < needed))
      return false;
  }
  return true;
}

bool controller_node_patch_is_known(const Snapshot *snapshot, const PlanGpu *planned) {
  const SnapshotNode *node = &snapshot->nodes.items[planned->node];
  const SnapshotGpu *gpu = &node->gpus[planned->gpu];
  /* An answered plan is over: what it did not bring has to be asked for again. */
  if (!node->spec_plan || string_equal(node->spec_plan, node->status_plan))
    return false;
  const KeyValues *annotations = &node->object->meta.annotations;
  char whole[MIG_SPEC_TEXT_SIZE];
  const char *exact = node_find_spec(node->object, gpu->index, whole);
  char uuid[MIG_UUID_SIZE];
  if (*snapshot_gpu_uuid(node, gpu, uuid) || exact)
    return exact_has_all(gpu, planned, uuid, exact);
  return counts_have_all(annotations, gpu, planned);
}
