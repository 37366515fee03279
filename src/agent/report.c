/* SPDX-License-Identifier: Apache-2.0 */
/* All annotations that the agent owns are computed afresh into one set; the patch is the difference to the
 * node:
 *
 *     wanted but absent or different -> "key": "value"        ours on the node but not wanted -> "key": null
 */
#include "agent/report.h"

#include "agent/use.h"
#include "agent/wanted.h"
#include "base/memory.h"
#include "cluster/quantity.h"

#include <stdio.h>
#include <string.h>

static void put(Map *wanted, Arena *arena, const char *key, const char *value) {
  map_put(wanted, key, arena_strdup(arena, value));
}

static void put_identity(const GpuObserved *gpu, Map *wanted, Arena *arena) {
  MigIdentity identity = {.mode = gpu->is_out_of_service ? MIG_MODE_PENDING : gpu->mode};
  snprintf(identity.uuid, sizeof identity.uuid, "%s", gpu->uuid);
  mig_model_format_label(gpu->product, identity.model, sizeof identity.model);
  char key[MIG_KEY_SIZE], value[MIG_IDENTITY_TEXT_SIZE];
  snprintf(key, sizeof key, MIG_ANNOTATION_IDENTITY_PREFIX "%d", gpu->index);
  mig_identity_format(&identity, value, sizeof value);
  put(wanted, arena, key, value);
}

static bool is_used(const GpuObserved *gpu, const Map *used, int start) {
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].start == start)
      return gpu->is_out_of_service || gpu->is_sick || gpu->instances[i].is_sick ||
             agent_use_is_used(&gpu->instances[i], used);
  return false;
}

static void put_counts(const GpuObserved *gpu, const MigLayout *layout, uint32_t used_starts, Map *wanted,
                       Arena *arena) {
  for (int profile = 0; profile < gpu->model.profile_count; profile++) {
    int counts[2] = {0, 0}; /* free, used */
    for (int i = 0; i < layout->count; i++)
      if (layout->instances[i].profile == profile)
        counts[used_starts >> layout->instances[i].start & 1]++;
    for (int k = 0; k < 2; k++) {
      if (!counts[k])
        continue;
      char key[MIG_KEY_SIZE], value[16];
      mig_key_format_count(MIG_ANNOTATION_STATUS_COUNT_PREFIX, gpu->index, gpu->model.profiles[profile].name,
                           k ? MIG_USE_USED : MIG_USE_FREE, key, sizeof key);
      snprintf(value, sizeof value, "%d", counts[k]);
      put(wanted, arena, key, value);
    }
  }
}

static void put_status(const GpuObserved *gpu, const Map *used, Map *wanted, Arena *arena) {
  MigLayout layout;
  gpu_observed_layout(gpu, &layout);
  uint32_t used_starts = 0;
  for (int i = 0; i < layout.count; i++)
    if (is_used(gpu, used, layout.instances[i].start))
      used_starts |= 1u << layout.instances[i].start;
  char key[MIG_KEY_SIZE], value[MIG_STATUS_TEXT_SIZE];
  snprintf(key, sizeof key, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", gpu->index);
  mig_status_format(&layout, used_starts, value, sizeof value);
  put(wanted, arena, key, value);
  put_counts(gpu, &layout, used_starts, wanted, arena);
}

static void put_profiles(const GpuObservation *observation, Map *wanted, Arena *arena) {
  const MigModel *models[MIG_NODE_MODELS_MAX];
  int count = 0;
  for (int g = 0; g < observation->gpu_count && count < MIG_NODE_MODELS_MAX; g++) {
    const MigModel *model = &observation->gpus[g].model;
    bool seen = model->profile_count == 0;
    for (int i = 0; i < count; i++)
      seen = seen || strcmp(models[i]->name, model->name) == 0;
    if (!seen)
      models[count++] = model;
  }
  if (!count)
    return;
  char text[MIG_PROFILES_TEXT_MAX];
  mig_profiles_format(models, count, text, sizeof text);
  put(wanted, arena, MIG_ANNOTATION_PROFILES, text);
}

/* A GPU that could not be read since the agent began: what the node says of it stays, but for the mode. */
static void keep_last(const Node *node, int index, Map *wanted, Arena *arena) {
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    const KeyValue *annotation = &node->meta.annotations.items[i];
    int counted;
    char profile[MIG_PROFILE_NAME_SIZE], text[MIG_IDENTITY_TEXT_SIZE];
    MigUse use;
    MigIdentity identity;
    Error err;
    bool is_status =
        mig_key_parse_index(annotation->key, MIG_ANNOTATION_STATUS_GPU_PREFIX) == index ||
        (mig_key_parse_count(annotation->key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &counted, profile, &use) &&
         counted == index);
    if (is_status)
      put(wanted, arena, annotation->key, annotation->value);
    if (mig_key_parse_index(annotation->key, MIG_ANNOTATION_IDENTITY_PREFIX) != index ||
        mig_identity_parse(annotation->value, &identity, &err) < 0)
      continue;
    identity.mode = MIG_MODE_PENDING;
    mig_identity_format(&identity, text, sizeof text);
    put(wanted, arena, annotation->key, text);
  }
}

static void collect(const Node *node, const AgentReport *report, Map *wanted, Arena *arena) {
  const char *plan = report->answered_plan
                         ? report->answered_plan
                         : key_values_find(&node->meta.annotations, MIG_ANNOTATION_STATUS_PLAN);
  if (plan)
    put(wanted, arena, MIG_ANNOTATION_STATUS_PLAN, plan);
  if (report->error)
    put(wanted, arena, MIG_ANNOTATION_ERROR, report->error);
  if (report->stage && *report->stage)
    put(wanted, arena, MIG_ANNOTATION_STAGE, report->stage);
  for (int g = 0; g < report->observation->gpu_count; g++) {
    const GpuObserved *gpu = &report->observation->gpus[g];
    if (!gpu->identified) {
      keep_last(node, gpu->index, wanted, arena);
      continue;
    }
    put_identity(gpu, wanted, arena);
    if (gpu->mig_capable && gpu->model.profile_count)
      put_status(gpu, report->used, wanted, arena);
  }
  put_profiles(report->observation, wanted, arena);
}

/* Annotations that nobody but the agent writes; those for people and the controller are left alone. */
static bool is_ours(const char *key) {
  return strcmp(key, MIG_ANNOTATION_STATUS_PLAN) == 0 || strcmp(key, MIG_ANNOTATION_ERROR) == 0 ||
         strcmp(key, MIG_ANNOTATION_STAGE) == 0 || strcmp(key, MIG_ANNOTATION_PROFILES) == 0 ||
         mig_key_parse_index(key, MIG_ANNOTATION_IDENTITY_PREFIX) >= 0 ||
         mig_key_parse_index(key, MIG_ANNOTATION_STATUS_GPU_PREFIX) >= 0 ||
         string_has_prefix(key, MIG_ANNOTATION_STATUS_COUNT_PREFIX);
}

static void append_member(Text *object, const char *key, const char *value) {
  if (object->size)
    text_append(object, ",");
  text_append_json(object, key);
  text_append(object, ":");
  if (value)
    text_append_json(object, value);
  else
    text_append(object, "null");
}

static void compare_annotations(const KeyValues *current, const Map *wanted, Text *changes) {
  for (size_t i = 0; i < wanted->count; i++)
    if (!string_equal(key_values_find(current, wanted->entries[i].key), wanted->entries[i].value))
      append_member(changes, wanted->entries[i].key, wanted->entries[i].value);
  for (size_t i = 0; i < current->count; i++)
    if (is_ours(current->items[i].key) && !map_find(wanted, current->items[i].key))
      append_member(changes, current->items[i].key, NULL);
}

/* Absent is as good as 0, and the kubelet will write the 0 itself: a name that it does not know must not come
 * from us. */
static int64_t get_amount(const ResourceTexts *list, const char *name) {
  const char *text = NULL;
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].key, name) == 0)
      text = list->items[i].value;
  int64_t value = 0;
  Error err;
  return !text || quantity_parse(text, QUANTITY_UNITS, &value, &err) == 0 ? value : -1;
}

static bool amount_is(const ResourceTexts *list, const char *name, size_t amount) {
  return get_amount(list, name) == (int64_t)amount;
}

static bool is_ours_to_offer(const AgentReport *report, const char *name) {
  for (size_t i = 0; i < report->resources->count; i++)
    if (strcmp(report->resources->items[i].name, name) == 0)
      return true;
  return false;
}

/* Slices that the node offers and no GPU has (after a reboot, or a change by hand): whoever came for one
 * would be rejected for good. */
static void withdraw_vanished(const ResourceTexts *current, const AgentReport *report, Text *changes) {
  for (size_t i = 0; i < current->count; i++) {
    const char *name = current->items[i].key;
    if (mig_profile_is_resource(name) && !is_ours_to_offer(report, name) && !amount_is(current, name, 0))
      append_member(changes, name, "0");
  }
}

/* For some minutes the kubelet counts what a plugin no longer announces as capacity, and would write it back.
 */
static bool says_enough(const ResourceTexts *current, const AgentReport *report, const char *name,
                        size_t amount, bool is_capacity) {
  int64_t value = get_amount(current, name);
  return value == (int64_t)amount || (report->is_strange && is_capacity && value > (int64_t)amount);
}

static void compare_amounts(const ResourceTexts *current, const AgentReport *report, bool is_capacity,
                            Text *changes) {
  for (size_t i = 0; i < report->resources->count; i++) {
    const AgentResource *resource = &report->resources->items[i];
    size_t amount = report->withdrawn ? 0 : agent_publish_amount(resource);
    bool is_certain = report->withdrawn || report->known[i];
    if (!is_certain || says_enough(current, report, resource->name, amount, is_capacity))
      continue;
    char value[16];
    snprintf(value, sizeof value, "%zu", amount);
    append_member(changes, resource->name, value);
  }
  if (!report->is_strange)
    withdraw_vanished(current, report, changes);
}

int64_t agent_report_get_offer(const Node *node) {
  const char *label = key_values_find(&node->meta.labels, MIG_LABEL_OFFER);
  int64_t offer;
  Error err;
  return label && quantity_parse(label, QUANTITY_UNITS, &offer, &err) == 0 && offer > 0 ? offer : 0;
}

static void compare_labels(const Node *node, const AgentReport *report, Text *changes) {
  char value[24];
  if (report->offer > agent_report_get_offer(node)) {
    snprintf(value, sizeof value, "%lld", (long long)report->offer);
    append_member(changes, MIG_LABEL_OFFER, value);
  }
}

static void append_metadata(Text *body, const Text *labels, const Text *annotations) {
  text_append(body, "\"metadata\":{");
  if (labels->size)
    text_format(body, "\"labels\":{%s}", labels->bytes);
  if (labels->size && annotations->size)
    text_append(body, ",");
  if (annotations->size)
    text_format(body, "\"annotations\":{%s}", annotations->bytes);
  text_append(body, "}");
}

static void append_status(Text *body, const Text *capacity, const Text *allocatable) {
  text_append(body, "\"status\":{");
  if (capacity->size)
    text_format(body, "\"capacity\":{%s}", capacity->bytes);
  if (capacity->size && allocatable->size)
    text_append(body, ",");
  if (allocatable->size)
    text_format(body, "\"allocatable\":{%s}", allocatable->bytes);
  text_append(body, "}");
}

bool agent_report_format(const Node *node, const AgentReport *report, Text *ret_body) {
  CLEANUP(text_deinit) Text labels = {0}, annotations = {0}, capacity = {0}, allocatable = {0};
  if (report->observation) {
    CLEANUP(arena_deinit) Arena arena = {0};
    CLEANUP(map_deinit) Map wanted = {0};
    if (!report->retired)
      collect(node, report, &wanted, &arena);
    compare_labels(node, report, &labels);
    compare_annotations(&node->meta.annotations, &wanted, &annotations);
    compare_amounts(&node->capacity, report, true, &capacity);
    compare_amounts(&node->allocatable, report, false, &allocatable);
  } else if (!string_equal(key_values_find(&node->meta.annotations, MIG_ANNOTATION_ERROR), report->error)) {
    append_member(&annotations, MIG_ANNOTATION_ERROR, report->error);
  }
  bool has_metadata = labels.size || annotations.size, has_status = capacity.size || allocatable.size;
  if (!has_metadata && !has_status)
    return false;
  text_append(ret_body, "{");
  if (has_metadata)
    append_metadata(ret_body, &labels, &annotations);
  if (has_metadata && has_status)
    text_append(ret_body, ",");
  if (has_status)
    append_status(ret_body, &capacity, &allocatable);
  text_append(ret_body, "}");
  return true;
}

bool agent_report_shows(const Node *node, const AgentResource *resource) {
  return amount_is(&node->allocatable, resource->name, agent_publish_amount(resource));
}
