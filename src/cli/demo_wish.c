/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_wish.h"

#include <assert.h>
#include <string.h>

enum { NAME_SIZE = 80, DEFAULT_PODS = 5, DEFAULT_ENDING = 3 };

/* "3xNAME" or "NAME" up to the comma; moves behind it. False where that is neither. */
static bool next_item(const char **text, char name[NAME_SIZE], int *ret_count) {
  size_t size = strcspn(*text, ",");
  const char *item = *text;
  *text += size + ((*text)[size] == ',');
  char *end = NULL;
  long count = strtol(item, &end, 10);
  bool has_count = end != item && *end == 'x';
  size_t skip = has_count ? (size_t)(end + 1 - item) : 0;
  if (skip >= size || size - skip >= NAME_SIZE || (has_count && (count < 1 || count > CLI_DEMO_PODS_MAX)))
    return false;
  *ret_count = has_count ? (int)count : 1;
  snprintf(name, NAME_SIZE, "%.*s", (int)(size - skip), item + skip);
  return true;
}

/* ---- GPUs ---- */

/* A name as NVIDIA or the table has it, which the simulated driver takes as it is. */
static const MigModelRow *find_exactly(const char *name) {
  char product[NAME_SIZE + 8];
  snprintf(product, sizeof product, "NVIDIA-%s", name);
  const MigModelRow *row = mig_model_find(name);
  return row ? row : mig_model_find(product);
}

static int refuse_gpu(const char *name, Error *err) {
  CLEANUP(cleanup_free) char *known = mig_model_format_known();
  return error_set(err, ERROR_INVALID, "--gpus: there is no GPU \"%s\"; known are %s", name, known);
}

static int parse_gpus(const char *gpus, CliDemoWish *wish, Error *err) {
  CLEANUP(text_deinit) Text machine = {0};
  int total = 0;
  for (const char *rest = gpus; *rest;) {
    char name[NAME_SIZE];
    int count;
    if (!next_item(&rest, name, &count))
      return error_set(err, ERROR_INVALID, "--gpus wants a list like 2xH100-80GB,A30, not \"%.200s\"", gpus);
    const MigModelRow *exact = find_exactly(name), *row = exact ? exact : mig_model_find_short(name);
    if (!row || !row->placements_known)
      return refuse_gpu(name, err);
    total += count;
    if (total > SIM_GPUS_MAX)
      return error_set(err, ERROR_LIMIT, "--gpus: a node of the demo has at most %d GPUs", SIM_GPUS_MAX);
    text_format(&machine, "%s%dx%s", machine.size ? "," : "", count, exact ? name : row->key);
  }
  if (!machine.size || machine.size >= sizeof wish->machine)
    return error_set(err, ERROR_INVALID, "--gpus wants a list like 2xH100-80GB,A30, not \"%.200s\"", gpus);
  snprintf(wish->machine, sizeof wish->machine, "%s", text_string(&machine));
  int result = sim_state_parse_machine(wish->machine, &wish->state, err);
  return result < 0 ? error_prefix(err, "--gpus") : 0;
}

/* ---- pods ---- */

/* The first GPU that has the profile decides how it is spelt. */
static const char *find_profile(const SimState *state, const char *name) {
  char spelt[MIG_PROFILE_NAME_SIZE];
  Error err;
  bool is_key = mig_profile_parse_key(name, spelt, &err) == 0;
  for (int i = 0; i < state->gpu_count; i++) {
    const MigModel *model = &state->gpus[i].row->model;
    int profile = mig_model_find_profile(model, is_key ? spelt : name);
    if (profile >= 0)
      return model->profiles[profile].name;
  }
  return NULL;
}

static int refuse_profile(const SimState *state, const char *name, Error *err) {
  CLEANUP(text_deinit) Text known = {0};
  for (int i = 0; i < state->gpu_count; i++) {
    const MigModelRow *row = state->gpus[i].row;
    assert(row); /* every GPU of a parsed machine has one */
    if (i > 0 && row == state->gpus[i - 1].row)
      continue;
    text_format(&known, "%s%s has", known.size ? "; " : "", state->gpus[i].product);
    for (int k = 0; k < row->model.profile_count; k++)
      text_format(&known, "%s %s", k ? "," : "", row->model.profiles[k].name);
  }
  return error_set(err, ERROR_INVALID, "--pods: no GPU here has the profile %s; %s", name,
                   text_string(&known));
}

static int add_demand(CliDemoWish *wish, const char *profile, int count, Error *err) {
  if (wish->demand_count == CLI_DEMO_DEMANDS_MAX || wish->pod_count + count > CLI_DEMO_PODS_MAX)
    return error_set(err, ERROR_LIMIT, "--pods: the demo takes at most %d pods of %d kinds",
                     CLI_DEMO_PODS_MAX, CLI_DEMO_DEMANDS_MAX);
  CliDemoDemand *demand = &wish->demands[wish->demand_count++];
  snprintf(demand->profile, sizeof demand->profile, "%s", profile);
  demand->count = count;
  wish->pod_count += count;
  return 0;
}

static int parse_pods(const char *pods, CliDemoWish *wish, Error *err) {
  for (const char *rest = pods; *rest;) {
    char name[NAME_SIZE];
    int count;
    if (!next_item(&rest, name, &count))
      return error_set(err, ERROR_INVALID,
                       "--pods wants a list like 3x2g.20gb,7g.80gb (at most %d pods), not \"%.200s\"",
                       CLI_DEMO_PODS_MAX, pods);
    const char *profile = find_profile(&wish->state, name);
    if (!profile)
      return refuse_profile(&wish->state, name, err);
    int result = add_demand(wish, profile, count, err);
    if (result < 0)
      return result;
  }
  if (!wish->pod_count)
    return error_set(err, ERROR_INVALID, "--pods wants at least one pod");
  return 0;
}

/* The plain profile over half of the GPU. */
static void plan_second_act(const MigModel *model, CliDemoWish *wish) {
  wish->ending_count = DEFAULT_ENDING;
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].kind == MIG_PLAIN && model->profiles[i].size * 2 == model->slot_count) {
      snprintf(wish->second_profile, sizeof wish->second_profile, "%s", model->profiles[i].name);
      return;
    }
  wish->ending_count = 0;
}

int cli_demo_wish_parse(const char *gpus, const char *pods, int64_t nodes, CliDemoWish *ret_wish,
                        Error *err) {
  *ret_wish = (CliDemoWish){.node_count = (int)nodes};
  if (nodes < 1 || nodes > CLI_DEMO_NODES_MAX)
    return error_set(err, ERROR_INVALID, "--nodes wants a number from 1 to %d", CLI_DEMO_NODES_MAX);
  int result = parse_gpus(gpus, ret_wish, err);
  if (result < 0)
    return result;
  if (pods)
    return parse_pods(pods, ret_wish, err);
  const MigModel *model = &ret_wish->state.gpus[0].row->model;
  plan_second_act(model, ret_wish);
  return add_demand(ret_wish, model->profiles[0].name, DEFAULT_PODS, err);
}
