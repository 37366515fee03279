/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wanted.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool agent_wanted_is_managed(const Node *node) {
  return string_equal(key_values_find(&node->meta.labels, MIG_LABEL_PARTITIONING), "mig");
}

bool agent_wanted_is_paused(const Node *node) {
  const char *text = key_values_find(&node->meta.annotations, MIG_ANNOTATION_PAUSED);
  return text && strcmp(text, "false") != 0;
}

int agent_layout_of(const GpuObserved *gpu, MigLayout *ret_layout) {
  int unknown = 0;
  mig_layout_init(ret_layout, &gpu->model);
  for (int i = 0; i < gpu->instance_count; i++) {
    const MigProfile *found = mig_model_find_nvml_id(&gpu->model, gpu->instances[i].nvml_id);
    int profile = found ? (int)(found - gpu->model.profiles) : -1;
    if (profile >= 0 && mig_layout_can_place(ret_layout, profile, gpu->instances[i].start))
      mig_layout_place(ret_layout, profile, gpu->instances[i].start);
    else
      unknown++;
  }
  return unknown;
}

static void add_problem(AgentWanted *wanted, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_problem(AgentWanted *wanted, const char *format, ...) {
  char text[sizeof wanted->problem];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  size_t used = strlen(wanted->problem);
  snprintf(wanted->problem + used, sizeof wanted->problem - used, "%s%s", used ? "; " : "", text);
}

static bool has_failed(const AgentFailed *failed, size_t count, int gpu, const MigListItem *item) {
  for (size_t i = 0; i < count; i++)
    if (failed[i].gpu == gpu && failed[i].start == item->start &&
        strcmp(failed[i].profile, item->profile) == 0)
      return true;
  return false;
}

/* Does an instance of that very profile and place exist, complete with its compute instance? */
static bool exists(const GpuObserved *gpu, int nvml_id, int start) {
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].nvml_id == nvml_id && gpu->instances[i].start == start)
      return gpu->instances[i].uuid[0] != '\0';
  return false;
}

bool agent_wanted_exists(const GpuObservation *observation, const GpuJob *job) {
  for (int i = 0; i < observation->gpu_count; i++)
    if (strcmp(observation->gpus[i].uuid, job->uuid) == 0)
      return exists(&observation->gpus[i], job->nvml_id, job->start);
  return false;
}

/* An instance that an earlier worker left without its compute instance: creating it again completes it. */
static bool is_incomplete(const GpuObserved *gpu, int nvml_id, int start) {
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].nvml_id == nvml_id && gpu->instances[i].start == start)
      return gpu->instances[i].uuid[0] == '\0';
  return false;
}

static void set_job(AgentWanted *wanted, const GpuObserved *gpu, int profile, int start) {
  const MigProfile *row = &gpu->model.profiles[profile];
  wanted->step = AGENT_STEP_CREATE;
  wanted->gpu = gpu->index;
  snprintf(wanted->profile, sizeof wanted->profile, "%s", row->name);
  wanted->job =
      (GpuJob){.kind = GPU_JOB_CREATE, .nvml_id = row->nvml_id, .start = (uint8_t)start, .size = row->size};
  snprintf(wanted->job.uuid, sizeof wanted->job.uuid, "%s", gpu->uuid);
}

/* Looks for the first item of the list that is to be created. */
static void compare_list(const GpuObserved *gpu, const MigList *list, const AgentFailed *failed,
                         size_t failed_count, AgentWanted *wanted) {
  MigLayout layout;
  agent_layout_of(gpu, &layout);
  for (int i = 0; i < list->count && wanted->step == AGENT_STEP_DONE; i++) {
    const MigListItem *item = &list->items[i];
    int profile = mig_model_find_profile(&gpu->model, item->profile);
    if (profile < 0) {
      add_problem(wanted, "GPU %d (%s) has no profile %s", gpu->index, gpu->model.name, item->profile);
      continue;
    }
    if (!(gpu->model.profiles[profile].starts >> item->start & 1)) {
      add_problem(wanted, "GPU %d (%s) cannot have %s at slot %d", gpu->index, gpu->model.name, item->profile,
                  item->start);
      continue;
    }
    int nvml_id = gpu->model.profiles[profile].nvml_id;
    if (exists(gpu, nvml_id, item->start) || has_failed(failed, failed_count, gpu->index, item))
      continue;
    if (mig_layout_can_place(&layout, profile, item->start) || is_incomplete(gpu, nvml_id, item->start))
      set_job(wanted, gpu, profile, item->start);
    else
      wanted->skipped++;
  }
}

static void compare_exact(const GpuObserved *gpu, const char *text, const AgentFailed *failed,
                          size_t failed_count, AgentWanted *wanted) {
  MigSpec spec;
  Error err;
  if (mig_spec_parse(text, &spec, &err) < 0) {
    add_problem(wanted, "annotation " MIG_ANNOTATION_SPEC_GPU_PREFIX "%d: %s", gpu->index, err.text);
    return;
  }
  if (strcmp(spec.uuid, gpu->uuid) != 0) {
    add_problem(wanted, "GPU %d is %s, but the plan was made for %s: nothing was changed on it", gpu->index,
                gpu->uuid, spec.uuid);
    return;
  }
  compare_list(gpu, &spec.list, failed, failed_count, wanted);
}

static bool parse_count(const char *text, int *ret_count) {
  char *end;
  long count = strtol(text, &end, 10);
  bool is_count = text[0] >= '0' && text[0] <= '9' && !*end && count <= MIG_INSTANCES_MAX;
  *ret_count = is_count ? (int)count : 0;
  return is_count;
}

static void read_counts(const Node *node, const GpuObserved *gpu, int counts[MIG_PROFILES_MAX],
                        AgentWanted *wanted) {
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    const KeyValue *annotation = &node->meta.annotations.items[i];
    int index;
    char name[MIG_PROFILE_NAME_SIZE];
    MigUse use;
    if (!mig_key_parse_count(annotation->key, MIG_ANNOTATION_SPEC_COUNT_PREFIX, &index, name, &use) ||
        index != gpu->index)
      continue;
    int profile = mig_model_find_profile(&gpu->model, name);
    if (profile < 0)
      add_problem(wanted, "GPU %d (%s) has no profile %s", gpu->index, gpu->model.name, name);
    else if (!parse_count(string_or_empty(annotation->value), &counts[profile]))
      add_problem(wanted, "annotation %s: \"%.64s\" is not a number of slices", annotation->key,
                  string_or_empty(annotation->value));
  }
}

static void add_item(MigList *list, const MigModel *model, int profile, int start) {
  MigListItem *item = &list->items[list->count++];
  snprintf(item->profile, sizeof item->profile, "%s", model->profiles[profile].name);
  item->start = start;
}

/* nos' counts name no places: what is missing goes where the driver itself would put it, larger profiles
 * first. Instances that lack their compute instance count as there, and are completed. */
static void compare_counts(const Node *node, const GpuObserved *gpu, const AgentFailed *failed,
                           size_t failed_count, AgentWanted *wanted) {
  int counts[MIG_PROFILES_MAX] = {0};
  MigLayout layout;
  MigList missing = {0};
  read_counts(node, gpu, counts, wanted);
  agent_layout_of(gpu, &layout);
  for (int i = 0; i < layout.count; i++) {
    const MigInstance *instance = &layout.instances[i];
    if (counts[instance->profile] &&
        is_incomplete(gpu, gpu->model.profiles[instance->profile].nvml_id, instance->start))
      add_item(&missing, &gpu->model, instance->profile, instance->start);
  }
  for (int profile = gpu->model.profile_count - 1; profile >= 0; profile--)
    for (int n = mig_layout_count(&layout, profile); n < counts[profile]; n++) {
      int start = mig_layout_auto_start(&layout, profile);
      if (start < 0) {
        wanted->skipped++;
        break;
      }
      mig_layout_place(&layout, profile, start);
      add_item(&missing, &gpu->model, profile, start);
    }
  compare_list(gpu, &missing, failed, failed_count, wanted);
}

bool agent_wanted_is_excluded(const Node *node, const GpuObserved *gpu) {
  const char *text = key_values_find(&node->meta.annotations, MIG_ANNOTATION_EXCLUDE);
  uint64_t indexes;
  Error err;
  /* Garbage here must not let facet touch a GPU that somebody tried to protect. */
  if (text && mig_exclude_parse(text, &indexes, &err) < 0)
    return true;
  return text && indexes >> gpu->index & 1;
}

/* A wish for a GPU that fell out, or stands at another index now. */
static void find_missing_gpus(const Node *node, const GpuObservation *observation, AgentWanted *wanted) {
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    int index = mig_key_parse_index(node->meta.annotations.items[i].key, MIG_ANNOTATION_SPEC_GPU_PREFIX);
    bool found = index < 0;
    for (int g = 0; g < observation->gpu_count; g++)
      found = found || observation->gpus[g].index == index;
    if (!found)
      add_problem(wanted, "the plan speaks of GPU %d, but this node has none", index);
  }
}

void agent_wanted_compute(const Node *node, const GpuObservation *observation, const AgentFailed *failed,
                          size_t failed_count, AgentWanted *ret_wanted) {
  *ret_wanted = (AgentWanted){.step = AGENT_STEP_DONE};
  for (int i = 0; i < observation->gpu_count && ret_wanted->step == AGENT_STEP_DONE; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    if (gpu->mode != MIG_MODE_ON || !gpu->model.profile_count || agent_wanted_is_excluded(node, gpu))
      continue;
    char key[MIG_KEY_SIZE];
    snprintf(key, sizeof key, MIG_ANNOTATION_SPEC_GPU_PREFIX "%d", gpu->index);
    const char *exact = key_values_find(&node->meta.annotations, key);
    if (exact)
      compare_exact(gpu, exact, failed, failed_count, ret_wanted);
    else
      compare_counts(node, gpu, failed, failed_count, ret_wanted);
  }
  find_missing_gpus(node, observation, ret_wanted);
}
