/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/edit.h"

/* ---- nodes ---- */

static void set_status(ExplainTrial *trial, Node *node, const SnapshotGpu *gpu, uint32_t used_starts) {
  char key[MIG_KEY_SIZE], status[MIG_STATUS_TEXT_SIZE];
  snprintf(key, sizeof key, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", gpu->index);
  mig_status_format(gpu->layout, used_starts, status, sizeof status);
  explain_set(trial, &node->meta.annotations, key, status);
}

void explain_edit_finish_recut(ExplainTrial *trial, size_t node, const SnapshotNode *shown) {
  Node *edited = explain_trial_edit_node(trial, node);
  for (int g = 0; g < shown->gpu_count; g++)
    if (shown->gpus[g].model && !shown->gpus[g].assumed)
      set_status(trial, edited, &shown->gpus[g], shown->gpus[g].used_starts);
  explain_set(trial, &edited->meta.annotations, MIG_ANNOTATION_STATUS_PLAN, shown->spec_plan);
}

void explain_edit_mode_on(ExplainTrial *trial, size_t node, const SnapshotNode *shown,
                          const SnapshotGpu *gpu) {
  char key[MIG_KEY_SIZE], text[MIG_IDENTITY_TEXT_SIZE];
  MigIdentity identity = {.mode = MIG_MODE_ON};
  Node *edited = explain_trial_edit_node(trial, node);
  snapshot_gpu_uuid(shown, gpu, identity.uuid);
  snprintf(identity.model, sizeof identity.model, "%s", string_or_empty(gpu->model_label));
  snprintf(key, sizeof key, MIG_ANNOTATION_IDENTITY_PREFIX "%d", gpu->index);
  mig_identity_format(&identity, text, sizeof text);
  explain_set(trial, &edited->meta.annotations, key, text);
}

void explain_edit_report_empty(ExplainTrial *trial, size_t node, const char *model, int count) {
  Node *edited = explain_trial_edit_node(trial, node);
  for (int i = 0; i < count; i++) {
    explain_set(trial, &edited->meta.annotations,
                arena_format(&trial->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", i),
                arena_format(&trial->arena, "GPU-%d %s mig=on", i, model));
    explain_set(trial, &edited->meta.annotations,
                arena_format(&trial->arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", i), "");
  }
}

void explain_edit_drop_taint(ExplainTrial *trial, size_t node, size_t taint) {
  Node *edited = explain_trial_edit_node(trial, node);
  Taint *taints = arena_alloc(&trial->arena, edited->taints.count * sizeof *taints);
  size_t kept = 0;
  for (size_t i = 0; i < edited->taints.count; i++)
    if (i != taint)
      taints[kept++] = edited->taints.items[i];
  edited->taints.items = taints;
  edited->taints.count = kept;
}

/* Where only nos' counts tell of the GPU, the exact status takes their place: the guess stays the guess. */
void explain_edit_free_slices(ExplainTrial *trial, size_t node, const SnapshotGpu *gpu, uint32_t starts) {
  Node *edited = explain_trial_edit_node(trial, node);
  if (!gpu->assumed) {
    set_status(trial, edited, gpu, gpu->used_starts & ~starts);
    return;
  }
  for (; starts; starts &= starts - 1) {
    const char *profile =
        gpu->model->profiles[mig_layout_find(gpu->layout, __builtin_ctz(starts))->profile].name;
    char used[MIG_KEY_SIZE], free_key[MIG_KEY_SIZE];
    mig_key_format_count(MIG_ANNOTATION_STATUS_COUNT_PREFIX, gpu->index, profile, MIG_USE_USED, used,
                         sizeof used);
    mig_key_format_count(MIG_ANNOTATION_STATUS_COUNT_PREFIX, gpu->index, profile, MIG_USE_FREE, free_key,
                         sizeof free_key);
    const KeyValues *annotations = &edited->meta.annotations;
    long used_count = strtol(string_or_empty(key_values_find(annotations, used)), NULL, 10);
    long free_count = strtol(string_or_empty(key_values_find(annotations, free_key)), NULL, 10);
    explain_set(trial, &edited->meta.annotations, used, arena_format(&trial->arena, "%ld", used_count - 1));
    explain_set(trial, &edited->meta.annotations, free_key,
                arena_format(&trial->arena, "%ld", free_count + 1));
  }
}

/* ---- what a pod asks ---- */

/* One resource list of the pod; the result is put in its place. */
typedef void Rewrite(ExplainTrial *trial, ResourceText *entry, const void *userdata);

static void rewrite_list(ExplainTrial *trial, ResourceTexts *list, Rewrite *rewrite, const void *userdata) {
  ResourceText *items = arena_alloc(&trial->arena, list->count * sizeof *items);
  for (size_t i = 0; i < list->count; i++) {
    items[i] = list->items[i];
    rewrite(trial, &items[i], userdata);
  }
  list->items = items;
}

static Container *rewrite_containers(ExplainTrial *trial, const Container *containers, size_t count,
                                     Rewrite *rewrite, const void *userdata) {
  Container *copies = arena_alloc(&trial->arena, count * sizeof *copies);
  for (size_t i = 0; i < count; i++) {
    copies[i] = containers[i];
    rewrite_list(trial, &copies[i].requests, rewrite, userdata);
    rewrite_list(trial, &copies[i].limits, rewrite, userdata);
  }
  return copies;
}

static Pod *rewrite_pod(ExplainTrial *trial, size_t index, Rewrite *rewrite, const void *userdata) {
  Pod *pod = explain_trial_edit_pod(trial, index);
  PodCommon *common = pod->common;
  common->containers.items =
      rewrite_containers(trial, common->containers.items, common->containers.count, rewrite, userdata);
  common->init_containers.items = rewrite_containers(trial, common->init_containers.items,
                                                     common->init_containers.count, rewrite, userdata);
  return pod;
}

typedef struct Renaming {
  char from[MIG_RESOURCE_NAME_SIZE], to[MIG_RESOURCE_NAME_SIZE];
} Renaming;

static void rename_resource(ExplainTrial *trial, ResourceText *entry, const void *userdata) {
  const Renaming *renaming = userdata;
  if (strcmp(entry->key, renaming->from) == 0)
    entry->key = arena_strdup(&trial->arena, renaming->to);
}

void explain_edit_ask_profile(ExplainTrial *trial, size_t pod, const char *profile, const char *other) {
  Renaming renaming;
  mig_profile_format_resource(profile, renaming.from);
  mig_profile_format_resource(other, renaming.to);
  rewrite_pod(trial, pod, rename_resource, &renaming);
}

static void drop_all_but_mig(ExplainTrial *trial, ResourceText *entry, const void *userdata) {
  if (!mig_profile_is_resource(entry->key))
    entry->value = "0";
}

static const char *format_plain(Arena *arena, const char *resource, int64_t amount) {
  return arena_format(arena, strcmp(resource, "cpu") == 0 ? "%lldm" : "%lld", (long long)amount);
}

/* An extended resource, of which the node has none at all: a pod can ask none of it, as it cannot of cpu. */
static bool is_foreign(const SnapshotNode *node, const char *resource) {
  return strchr(resource, '/') && resources_get(&node->allocatable, resource) <= 0;
}

/* The sums are put into the overhead: of several containers nobody knows which should ask less. */
bool explain_edit_ask_less(ExplainTrial *trial, size_t pod, const Resources *requests,
                           const SnapshotNode *node, const Resources *freed, Text *text) {
  Pod *edited = rewrite_pod(trial, pod, drop_all_but_mig, NULL);
  ResourceText *overhead = arena_alloc(&trial->arena, requests->count * sizeof *overhead);
  size_t count = 0, lowered = 0;
  for (size_t i = 0; i < requests->count; i++) {
    const Resource *request = &requests->items[i];
    if (mig_profile_is_resource(request->name))
      continue;
    if (request->amount > 0 && is_foreign(node, request->name)) {
      text_format(text, "%sno %s", lowered++ ? " and " : "", request->name);
      continue;
    }
    int64_t rest = resources_get(&node->allocatable, request->name) -
                   resources_get(&node->requested, request->name) +
                   (freed ? resources_get(freed, request->name) : 0);
    int64_t amount = request->amount <= rest ? request->amount : rest;
    if (amount <= 0 && request->amount > 0)
      return false;
    overhead[count++] =
        (ResourceText){.key = request->name, .value = format_plain(&trial->arena, request->name, amount)};
    if (amount == request->amount)
      continue;
    text_format(text, "%s%s %s in place of %s", lowered++ ? " and " : "", request->name,
                explain_amount_format(&trial->arena, request->name, amount),
                explain_amount_format(&trial->arena, request->name, request->amount));
  }
  edited->common->has_pod_resources = false;
  edited->common->pod_requests.count = 0;
  edited->common->overhead.items = overhead;
  edited->common->overhead.count = count;
  return lowered > 0;
}

/* ---- profiles by size ---- */

bool explain_edit_is_larger(const char *profile, const char *than) {
  MigProfile left = {0}, right = {0};
  uint32_t gb_left = 0, gb_right = 0;
  Error err;
  if (mig_profile_parse_name(profile, &left, &gb_left, &err) < 0)
    return false;
  if (mig_profile_parse_name(than, &right, &gb_right, &err) < 0)
    return true;
  return gb_left != gb_right ? gb_left > gb_right : left.slice_count > right.slice_count;
}

static bool is_listed(const ExplainNeed *list, int count, const char *profile) {
  for (int i = 0; i < count; i++)
    if (strcmp(list[i].profile, profile) == 0)
      return true;
  return false;
}

int explain_edit_list_profiles(const MigModel *model, const char *except, ExplainNeed *list, int count,
                               int max) {
  for (int p = 0; p < model->profile_count && count < max; p++) {
    const MigProfile *profile = &model->profiles[p];
    if (profile->kind != MIG_PLAIN || strcmp(profile->name, except) == 0 ||
        is_listed(list, count, profile->name))
      continue;
    int place = count++;
    for (; place > 0 && explain_edit_is_larger(profile->name, list[place - 1].profile); place--)
      list[place] = list[place - 1];
    list[place] = (ExplainNeed){.count = 1};
    memcpy(list[place].profile, profile->name, sizeof list[place].profile);
  }
  return count;
}
