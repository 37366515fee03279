/* SPDX-License-Identifier: Apache-2.0 */
/* A machine in one line, "2xA100-SXM4-80GB,H100-80GB-HBM3:mig=off": a comma list of
 *
 *     [<count>x]<model>[:mig=on|off]
 *
 * A model is whatever names it: "NVIDIA A100 80GB PCIe", the label form "NVIDIA-A100-80GB-PCIe", either
 * without NVIDIA in front, or the table's own key "A100-80GB". */
#include "sim/nvml/state.h"

#include "base/memory.h"

#include <ctype.h>
#include <string.h>

/* The longest item: a product name with its count and mode. */
enum { ITEM_SIZE = 128 };

/* The name whose label form this is; the first one where the row was found by its key. */
static const char *product_of(const MigModelRow *row, const char *label) {
  for (int i = 0; i < MIG_PRODUCT_NAMES_MAX && row->product_names[i]; i++) {
    char name_label[MIG_MODEL_NAME_SIZE];
    mig_model_format_label(row->product_names[i], name_label, sizeof name_label);
    if (strcmp(name_label, label) == 0)
      return row->product_names[i];
  }
  return row->product_names[0];
}

static int find_model(const char *model, SimGpu *gpu, Error *err) {
  char label[ITEM_SIZE], full[ITEM_SIZE + 8];
  mig_model_format_label(model, label, sizeof label);
  snprintf(full, sizeof full, "%s%s", string_has_prefix(label, "NVIDIA-") ? "" : "NVIDIA-", label);
  const MigModelRow *row = mig_model_find(full);
  if (!row)
    row = mig_model_find(model);
  if (!row && (string_has_suffix(model, ".yaml") || string_has_suffix(model, ".yml")))
    return error_set(err, ERROR_UNSUPPORTED, "\"%s\" is a file: make its machine with facet-sim-nvml init",
                     model);
  if (!row)
    return error_set(err, ERROR_UNSUPPORTED, "no model \"%s\" is known", model);
  if (!row->placements_known)
    return error_set(err, ERROR_UNSUPPORTED, "\"%s\" cannot be simulated: nobody knows its placements",
                     model);
  gpu->row = row;
  gpu->product = product_of(row, full);
  return 0;
}

/* Cuts ":mig=on|off" off the item; false where something else is behind the colon. */
static bool cut_mode(char *item, bool *ret_on) {
  char *colon = strchr(item, ':');
  *ret_on = !colon || strcmp(colon, ":mig=on") == 0;
  if (!*ret_on && strcmp(colon, ":mig=off") != 0)
    return false;
  if (colon)
    *colon = '\0';
  return true;
}

/* "12xA30" -> 12 and the model behind it; a model may itself begin with a digit, so an 'x' is needed. */
static const char *cut_count(const char *item, unsigned long *ret_count) {
  char *end = NULL;
  *ret_count = 1;
  if (!isdigit((unsigned char)item[0]))
    return item;
  unsigned long count = strtoul(item, &end, 10);
  if (*end != 'x')
    return item;
  *ret_count = count;
  return end + 1;
}

static int parse_item(char *item, SimState *state, Error *err) {
  SimGpu gpu = {0};
  if (!cut_mode(item, &gpu.mig_on))
    return error_set(err, ERROR_INVALID, "\"%s\": only :mig=on or :mig=off may stand behind a model", item);
  gpu.mig_on_pending = gpu.mig_on;
  unsigned long count;
  const char *model = cut_count(item, &count);
  int result = find_model(model, &gpu, err);
  if (result < 0)
    return result;
  if (count == 0 || count > (unsigned long)(SIM_GPUS_MAX - state->gpu_count))
    return error_set(err, ERROR_LIMIT, "\"%s\": a simulated machine has 1 to %d GPUs", item, SIM_GPUS_MAX);
  while (count-- > 0)
    state->gpus[state->gpu_count++] = gpu;
  return 0;
}

int sim_state_parse_machine(const char *description, SimState *ret_state, Error *err) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(description);
  CLEANUP(cleanup_free) SimState *state = mem_alloc(sizeof *state);
  state->options = SIM_OPTIONS_USUAL;
  char *rest = copy;
  while (rest) {
    char *item = strsep(&rest, ",");
    if (strlen(item) >= ITEM_SIZE)
      return error_set(err, ERROR_INVALID, "simulated machine: \"%.40s...\" is too long for a model", item);
    if (parse_item(item, state, err) < 0)
      return error_prefix(err, "simulated machine");
  }
  sim_state_copy(ret_state, state);
  return 0;
}
