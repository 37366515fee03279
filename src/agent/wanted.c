/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wanted.h"

#include "agent/relied.h"
#include "agent/service.h"
#include "base/text.h"

#include <assert.h>
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

static GpuPlace place_of(const MigProfile *profile, int start) {
  return (GpuPlace){.nvml_id = profile->nvml_id, .start = (uint8_t)start, .size = profile->size};
}

/* What the GPU cannot have is said, and left out. */
static void read_list(const GpuObserved *gpu, const MigList *list, GpuPlaces *goal, AgentWanted *wanted) {
  for (int i = 0; i < list->count; i++) {
    const MigListItem *item = &list->items[i];
    int profile = mig_model_find_profile(&gpu->model, item->profile);
    if (profile < 0)
      add_problem(wanted, "GPU %d (%s) has no profile %s", gpu->index, gpu->model.name, item->profile);
    else if (!(gpu->model.profiles[profile].starts >> item->start & 1))
      add_problem(wanted, "GPU %d (%s) cannot have %s at slot %d", gpu->index, gpu->model.name, item->profile,
                  item->start);
    else
      gpu_places_add(goal, place_of(&gpu->model.profiles[profile], item->start));
  }
}

static bool read_exact(const GpuObserved *gpu, const char *text, GpuPlaces *goal, AgentWanted *wanted) {
  MigSpec spec;
  Error err;
  if (mig_spec_parse(text, &spec, &err) < 0) {
    add_problem(wanted, "annotation " MIG_ANNOTATION_SPEC_GPU_PREFIX "%d: %s", gpu->index, err.text);
    return false;
  }
  if (strcmp(spec.uuid, gpu->uuid) != 0) {
    add_problem(wanted, "GPU %d is %s, but the plan was made for %s: nothing was changed on it", gpu->index,
                gpu->uuid, spec.uuid);
    return false;
  }
  read_list(gpu, &spec.list, goal, wanted);
  return true;
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

/* nos' counts name no places: what is missing goes where the driver itself would put it, larger profiles
 * first. Instances that lack their compute instance count as there, and are completed. */
static void place_counts(const Node *node, const GpuObserved *gpu, GpuPlaces *goal, AgentWanted *wanted) {
  int counts[MIG_PROFILES_MAX] = {0};
  MigLayout layout;
  read_counts(node, gpu, counts, wanted);
  gpu_observed_layout(gpu, &layout);
  for (int i = 0; i < layout.count; i++) {
    const MigInstance *instance = &layout.instances[i];
    if (counts[instance->profile])
      gpu_places_add(goal, place_of(&gpu->model.profiles[instance->profile], instance->start));
  }
  for (int profile = gpu->model.profile_count - 1; profile >= 0; profile--)
    for (int n = mig_layout_count(&layout, profile); n < counts[profile]; n++) {
      int start = mig_layout_auto_start(&layout, profile);
      if (start < 0) {
        wanted->skipped++;
        break;
      }
      mig_layout_place(&layout, profile, start);
      gpu_places_add(goal, place_of(&gpu->model.profiles[profile], start));
    }
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

GpuTransaction *agent_wanted_transaction(AgentTransactions *transactions, const char *gpu_uuid) {
  for (int i = 0; i < transactions->count; i++)
    if (strcmp(transactions->items[i].uuid, gpu_uuid) == 0)
      return &transactions->items[i];
  return NULL;
}

GpuTransaction *agent_wanted_begin(AgentTransactions *transactions, const GpuObserved *gpu) {
  GpuTransaction *transaction = agent_wanted_transaction(transactions, gpu->uuid);
  if (transaction)
    return transaction;
  assert(transactions->count < GPU_COUNT_MAX);
  transaction = &transactions->items[transactions->count++];
  gpu_transaction_begin(transaction, gpu, false);
  return transaction;
}

/* What is being done to one GPU. */
typedef struct Errand {
  const AgentWantedView *view;
  GpuPlaces goal;
  bool takes_away; /* an unanswered exact wish: it is the whole layout */
} Errand;

static bool is_kept(const Node *node, const GpuObserved *gpu, const GpuInstance *instance) {
  MigList keep;
  Error err;
  const char *text = key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_KEEP_PREFIX, gpu->index);
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, instance->nvml_id);
  return text && (mig_list_parse(text, false, &keep, &err) < 0 || !profile ||
                  mig_list_has(&keep, profile->name, instance->start));
}

/* Another program may be between its two steps: what no plan needs the room of has time to be completed. */
bool agent_wanted_is_leftover(const AgentWantedView *view, const GpuObserved *gpu,
                              const GpuInstance *instance) {
  return gpu_observed_is_bare(instance) && instance->bare_since_ms &&
         view->now_ms - instance->bare_since_ms >= AGENT_BARE_MS && !is_kept(view->node, gpu, instance);
}

static bool may_destroy(void *userdata, const GpuObserved *gpu, const GpuInstance *instance) {
  const Errand *errand = userdata;
  if (errand->takes_away)
    return gpu_observed_is_bare(instance) && !is_kept(errand->view->node, gpu, instance);
  return agent_wanted_is_leftover(errand->view, gpu, instance);
}

/* Where it cannot be understood no slice is made or taken away: only half of one goes, which is of use to
 * nobody. */
static void read_wish(Errand *errand, const GpuObserved *gpu, AgentWanted *wanted) {
  const AgentWantedView *view = errand->view;
  const char *exact =
      key_values_find_index(&view->node->meta.annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX, gpu->index);
  bool is_understood = !exact || read_exact(gpu, exact, &errand->goal, wanted);
  if (!exact)
    place_counts(view->node, gpu, &errand->goal, wanted);
  errand->takes_away = exact && is_understood && !view->is_answered;
  if (view->is_done || !is_understood)
    errand->goal.count = 0;
}

/* Sets the next job on this GPU, if there is one. */
static void run_errand(Errand *errand, const GpuObserved *gpu, AgentTransactions *transactions,
                       AgentWanted *wanted) {
  GpuTransaction *transaction = agent_wanted_begin(transactions, gpu);
  GpuStep step = gpu_transaction_next(transaction, gpu, &errand->goal, may_destroy, errand, &wanted->job);
  wanted->skipped += step == GPU_STEP_OVER ? 0 : transaction->blocked;
  if (step != GPU_STEP_JOB)
    return;
  wanted->step = AGENT_STEP_JOB;
  wanted->gpu = gpu->index;
  snprintf(wanted->profile, sizeof wanted->profile, "%s",
           gpu_observed_profile_name(gpu, wanted->job.nvml_id));
}

bool agent_wanted_is_workable(const Node *node, const GpuObserved *gpu) {
  return !gpu->is_out_of_service && !agent_wanted_is_excluded(node, gpu) && gpu->mode == MIG_MODE_ON &&
         gpu->model.profile_count && !gpu->trouble[0];
}

static bool is_workable(const Node *node, const GpuObserved *gpu, AgentWanted *wanted) {
  if (!gpu->is_out_of_service && !agent_wanted_is_excluded(node, gpu))
    wanted->is_waiting = wanted->is_waiting || !agent_service_is_readable(gpu);
  return agent_wanted_is_workable(node, gpu);
}

void agent_wanted_compute(const AgentWantedView *view, AgentTransactions *transactions,
                          AgentWanted *ret_wanted) {
  const GpuObservation *observation = view->observation;
  *ret_wanted = (AgentWanted){.step = AGENT_STEP_DONE};
  for (int i = 0; view->relied && i < observation->gpu_count && ret_wanted->step == AGENT_STEP_DONE; i++) {
    Errand errand = {.view = view};
    if (is_workable(view->node, &observation->gpus[i], ret_wanted) &&
        agent_relied_find_lost(view->relied, view, &observation->gpus[i], &errand.goal))
      run_errand(&errand, &observation->gpus[i], transactions, ret_wanted);
  }
  for (int i = 0; i < observation->gpu_count && ret_wanted->step == AGENT_STEP_DONE; i++) {
    Errand errand = {.view = view};
    if (!is_workable(view->node, &observation->gpus[i], ret_wanted))
      continue;
    read_wish(&errand, &observation->gpus[i], ret_wanted);
    run_errand(&errand, &observation->gpus[i], transactions, ret_wanted);
  }
  find_missing_gpus(view->node, observation, ret_wanted);
}
