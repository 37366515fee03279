/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_gpu.h"

#include "base/text.h"
#include "mig/contract.h"

#include <string.h>

const char *cli_demo_gpu_annotation(const json_t *object, const char *key) {
  const json_t *annotations = json_object_get(json_object_get(object, "metadata"), "annotations");
  return json_string_value(json_object_get(annotations, key));
}

static const char *indexed(const json_t *node, const char *prefix, int index) {
  char key[MIG_KEY_SIZE];
  snprintf(key, sizeof key, "%s%d", prefix, index);
  return cli_demo_gpu_annotation(node, key);
}

/* Adds what is wanted and not there; returns where. */
static uint32_t add_wanted(const MigList *wanted, MigLayout *layout) {
  uint32_t starts = 0;
  for (int i = 0; i < wanted->count; i++) {
    int profile = mig_model_find_profile(layout->model, wanted->items[i].profile);
    int start = wanted->items[i].start;
    if (profile < 0 || !mig_layout_can_place(layout, profile, start))
      continue;
    mig_layout_place(layout, profile, start);
    starts |= UINT32_C(1) << start;
  }
  return starts;
}

static void remove_unwanted(const MigList *wanted, uint32_t used, MigLayout *layout) {
  for (int i = layout->count - 1; i >= 0; i--) {
    const MigInstance *instance = &layout->instances[i];
    if (!(used >> instance->start & 1) &&
        !mig_list_has(wanted, layout->model->profiles[instance->profile].name, instance->start))
      mig_layout_remove(layout, instance->start);
  }
}

static bool is_answered(const json_t *node) {
  return string_equal(cli_demo_gpu_annotation(node, MIG_ANNOTATION_SPEC_PLAN),
                      cli_demo_gpu_annotation(node, MIG_ANNOTATION_STATUS_PLAN));
}

static bool read_gpu(const json_t *node, int index, bool with_plan, CliDemoGpu *ret_gpu) {
  const char *identity_text = indexed(node, MIG_ANNOTATION_IDENTITY_PREFIX, index);
  const char *status = indexed(node, MIG_ANNOTATION_STATUS_GPU_PREFIX, index);
  MigIdentity identity;
  Error err;
  if (!identity_text || mig_identity_parse(identity_text, &identity, &err) < 0)
    return false;
  const MigModelRow *row = mig_model_find(identity.model);
  uint32_t used = 0;
  *ret_gpu = (CliDemoGpu){.index = index, .model = row ? &row->model : NULL};
  if (!row || mig_status_parse(status ? status : "", &row->model, &ret_gpu->layout, &used, &err) < 0)
    return false;
  const char *wish = with_plan ? indexed(node, MIG_ANNOTATION_SPEC_GPU_PREFIX, index) : NULL;
  uint32_t wanted = 0;
  MigSpec spec;
  if (wish && mig_spec_parse(wish, &spec, &err) == 0) {
    if (!is_answered(node))
      remove_unwanted(&spec.list, used, &ret_gpu->layout);
    wanted = add_wanted(&spec.list, &ret_gpu->layout);
  }
  for (int i = 0; i < ret_gpu->layout.count; i++) {
    int start = ret_gpu->layout.instances[i].start;
    ret_gpu->states[i] = wanted >> start & 1 ? DRAW_NEW : used >> start & 1 ? DRAW_USED : DRAW_FREE;
  }
  return true;
}

bool cli_demo_gpu_read(const json_t *node, int index, CliDemoGpu *ret_gpu) {
  return read_gpu(node, index, true, ret_gpu);
}

bool cli_demo_gpu_read_status(const json_t *node, int index, CliDemoGpu *ret_gpu) {
  return read_gpu(node, index, false, ret_gpu);
}

bool cli_demo_gpu_find(const CliDemoGpu *gpu, const MigInstance *instance, DrawState *ret_state) {
  const MigInstance *found = mig_layout_find(&gpu->layout, instance->start);
  if (!found || found->profile != instance->profile)
    return false;
  *ret_state = gpu->states[found - gpu->layout.instances];
  return true;
}
