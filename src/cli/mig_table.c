/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of `facet mig`, and its saved form. */
#include "cli/mig_show.h"

#include "cli/draw.h"
#include "gpu/observed.h"

#include <string.h>

const char *cli_mig_mode_word(MigMode mode) {
  static const char *const words[] = {
      [MIG_MODE_OFF] = "off", [MIG_MODE_ON] = "on", [MIG_MODE_PENDING] = "on after a GPU reset"};
  return words[mode];
}

/* ---- list ---- */

static const char *profile_name(const GpuObserved *gpu, int nvml_id) {
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, nvml_id);
  return profile ? profile->name : "unknown";
}

static void draw(const GpuObserved *gpu, bool colours, Text *out) {
  MigLayout layout;
  DrawState states[MIG_INSTANCES_MAX];
  gpu_observed_layout(gpu, &layout);
  for (int i = 0; i < layout.count; i++) {
    int nvml_id = gpu->model.profiles[layout.instances[i].profile].nvml_id;
    const GpuInstance *instance = gpu_observed_find(gpu, nvml_id, layout.instances[i].start);
    states[i] = instance && instance->process_count ? DRAW_USED : DRAW_FREE;
  }
  text_append(out, "  ");
  cli_draw_layout(&layout, states, colours, out);
  text_append(out, "\n");
}

static void put_slices(const GpuObserved *gpu, Text *out) {
  text_format(out, "  %-14s %4s %5s  %-44s %s\n", "SLICE", "SLOT", "SLOTS", "UUID", "PROCESSES");
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    text_format(out, "  %-14s %4d %5d  %-44s %u\n", profile_name(gpu, instance->nvml_id), instance->start,
                instance->size,
                instance->uuid[0] ? instance->uuid : "none: no compute instance over the whole of it",
                instance->process_count);
  }
}

static void put_gpu(const GpuObserved *gpu, bool colours, Text *out) {
  text_format(out, "GPU %d  %s  %s\n", gpu->index, gpu->product, gpu->uuid);
  if (gpu->trouble[0])
    text_format(out, "  could not be read in full: %s\n", gpu->trouble);
  if (!gpu->mig_capable) {
    text_append(out, "  this model has no MIG\n");
    return;
  }
  if (gpu->mode != MIG_MODE_ON) {
    text_format(out, "  MIG mode is %s\n", cli_mig_mode_word(gpu->mode));
    return;
  }
  draw(gpu, colours, out);
  if (gpu->instance_count)
    put_slices(gpu, out);
  else
    text_append(out, "  no slices\n");
}

void cli_mig_list_table(const GpuObservation *observation, bool colours, Text *out) {
  if (!observation->gpu_count)
    text_append(out, "This machine has no GPU that the driver knows of.\n");
  for (int i = 0; i < observation->gpu_count; i++) {
    text_append(out, i ? "\n" : "");
    put_gpu(&observation->gpus[i], colours, out);
  }
}

/* ---- profiles ---- */

static void put_starts(uint32_t starts, Text *out) {
  for (int slot = 0; slot < MIG_SLOTS_MAX; slot++)
    if (starts >> slot & 1)
      text_format(out, " %d", slot);
}

/* How many more of it fit beside what exists. */
static int count_more(const GpuObserved *gpu, int profile) {
  MigLayout layout;
  int count = 0;
  gpu_observed_layout(gpu, &layout);
  for (int start; (start = mig_layout_auto_start(&layout, profile)) >= 0; count++)
    mig_layout_place(&layout, profile, start);
  return count;
}

static bool is_same_model(const GpuObserved *a, const GpuObserved *b) {
  return strcmp(a->product, b->product) == 0 && a->model.profile_count == b->model.profile_count;
}

static bool was_shown(const GpuObservation *observation, int place) {
  for (int i = 0; i < place; i++)
    if (is_same_model(&observation->gpus[i], &observation->gpus[place]))
      return true;
  return false;
}

static void put_model(const GpuObservation *observation, int place, Text *out) {
  const GpuObserved *gpu = &observation->gpus[place];
  text_format(out, "%s%s, %d slots%s: GPU", place ? "\n" : "", gpu->product, gpu->model.slot_count,
              gpu->model_from_table ? " (by facet's table: MIG mode is off and the driver does not tell)"
                                    : "");
  for (int i = place; i < observation->gpu_count; i++)
    if (is_same_model(gpu, &observation->gpus[i]))
      text_format(out, " %d", observation->gpus[i].index);
  text_format(out, "\n  %-16s %4s %7s %5s %10s %5s  %s\n", "PROFILE", "ID", "AT MOST", "SLOTS", "MEMORY",
              "SMS", "SLOTS IT MAY START AT");
  for (int p = 0; p < gpu->model.profile_count; p++) {
    const MigProfile *profile = &gpu->model.profiles[p];
    text_format(out, "  %-16s %4d %7d %5d %6u MiB %5u ", profile->name, profile->nvml_id,
                profile->instance_count_max, profile->size, profile->memory_mib, profile->multiprocessors);
    put_starts(profile->starts, out);
    text_append(out, "\n");
  }
}

static void put_room(const GpuObservation *observation, Text *out) {
  text_append(out, "\nMore of one kind, beside what exists:\n");
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    if (gpu->mode != MIG_MODE_ON)
      continue;
    bool any = false;
    text_format(out, "  GPU %d:", gpu->index);
    for (int p = 0; p < gpu->model.profile_count; p++) {
      int more = count_more(gpu, p);
      if (more)
        text_format(out, "%s %dx%s", any ? "," : "", more, gpu->model.profiles[p].name);
      any = any || more;
    }
    text_append(out, any ? "\n" : " nothing\n");
  }
}

void cli_mig_profiles_table(const GpuObservation *observation, Text *out) {
  int shown = 0;
  for (int i = 0; i < observation->gpu_count; i++)
    if (observation->gpus[i].model.profile_count && !was_shown(observation, i)) {
      put_model(observation, i, out);
      shown++;
    }
  if (shown)
    put_room(observation, out);
  else
    text_append(out, "No GPU here has MIG profiles.\n");
}

/* ---- save ---- */

/* "" where the text form holds the layout, else why not. */
static const char *why_not_saved(const GpuObserved *gpu) {
  if (gpu->trouble[0])
    return "it could not be read in full";
  if (!gpu->mig_capable)
    return "it has no MIG";
  if (gpu->mode != MIG_MODE_ON)
    return "MIG mode is not on";
  for (int i = 0; i < gpu->instance_count; i++)
    if (!gpu->instances[i].uuid[0])
      return "it holds a slice without one compute instance over the whole of it";
  MigLayout layout;
  return gpu_observed_layout(gpu, &layout) ? "it holds a slice that its model does not know" : "";
}

void cli_mig_save(const GpuObservation *observation, Text *out) {
  text_append(out, "# MIG layouts; `facet mig restore FILE` brings them back\n");
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    const char *why_not = why_not_saved(gpu);
    text_format(out, "# GPU %d, %s\n", gpu->index, gpu->product);
    if (why_not[0]) {
      text_format(out, "# not saved: %s\n", why_not);
      continue;
    }
    text_format(out, "%s:", gpu->uuid);
    for (int k = 0; k < gpu->instance_count; k++)
      text_format(out, "%s%s@%d", k ? "," : " ", profile_name(gpu, gpu->instances[k].nvml_id),
                  gpu->instances[k].start);
    text_append(out, "\n");
  }
}
