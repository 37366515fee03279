/* SPDX-License-Identifier: Apache-2.0 */
/* What one GPU can be cut into, as the driver says it: every profile index is asked for, and every profile
 * for its possible placements. The built-in table serves only where MIG is off and the driver keeps silent
 * (before MIG is on, Ampere's driver knows no profiles), and for what NVML never tells: the driver's own
 * order of placements and whether MIG mode needs a reset.
 *
 * Drivers before R510 do not say a profile's name. It is then computed as NVIDIA's tools do: the share of the
 * GPU's memory, rounded up to eighths, of its memory in GiB rounded up (go-nvlib, getMigMemorySizeGB). */
#include "gpu/nvml_private.h"

#include "base/text.h"

#include <assert.h>
#include <string.h>

/* Of nvml.h's NVML_GPU_INSTANCE_PROFILE_*: the kinds of those that are not plain, for drivers without names.
 */
static const struct {
  unsigned index;
  const char *suffix;
} index_suffixes[] = {
    {7, "+me"},  {8, "+me"},  {10, "+gfx"},    {11, "+gfx"},    {12, "+gfx"},
    {13, "-me"}, {14, "-me"}, {15, "+me.all"}, {16, "+me.all"}, {17, "+gfx"},
};

/* The table's order of profiles that differ in nothing else. */
static const uint8_t kind_ranks[] = {
    [MIG_PLAIN] = 0, [MIG_ME] = 1, [MIG_GFX] = 2, [MIG_ALL_ME] = 3, [MIG_NO_ME] = 4};

static const char *suffix_of_index(unsigned index) {
  for (size_t i = 0; i < COUNT_OF(index_suffixes); i++)
    if (index_suffixes[i].index == index)
      return index_suffixes[i].suffix;
  return "";
}

static void compute_name(const NvmlGpuInstanceProfileInfo *info, unsigned index, uint64_t total_bytes,
                         char *ret_name, size_t size) {
  uint64_t eighths = total_bytes ? ((info->memory_size_mb << 20) * 8 + total_bytes - 1) / total_bytes : 0;
  uint64_t total_gb = (total_bytes + (UINT64_C(1) << 30) - 1) >> 30;
  snprintf(ret_name, size, "%ug.%llugb%s", info->slice_count,
           (unsigned long long)((eighths * total_gb + 4) / 8), suffix_of_index(index));
}

static void copy_info(const NvmlGpuInstanceProfileInfoV2 *v2, NvmlGpuInstanceProfileInfo *ret_info) {
  *ret_info = (NvmlGpuInstanceProfileInfo){.id = v2->id,
                                           .slice_count = v2->slice_count,
                                           .instance_count = v2->instance_count,
                                           .multiprocessor_count = v2->multiprocessor_count,
                                           .copy_engine_count = v2->copy_engine_count,
                                           .decoder_count = v2->decoder_count,
                                           .encoder_count = v2->encoder_count,
                                           .jpeg_count = v2->jpeg_count,
                                           .ofa_count = v2->ofa_count,
                                           .memory_size_mb = v2->memory_size_mb};
}

/* ret_name is "" where this driver does not say it. */
static NvmlReturn ask_profile(GpuNvml *nvml, NvmlDevice device, unsigned index,
                              NvmlGpuInstanceProfileInfo *ret_info, char ret_name[NVML_NAME_V2_SIZE]) {
  ret_name[0] = '\0';
  if (!nvml->calls.profile_v)
    return nvml->calls.profile(device, index, ret_info);
  NvmlGpuInstanceProfileInfoV2 info = {.version = NVML_STRUCT_VERSION(NvmlGpuInstanceProfileInfoV2, 2)};
  NvmlReturn code = nvml->calls.profile_v(device, index, &info);
  if (code == NVML_ARGUMENT_VERSION_MISMATCH)
    return nvml->calls.profile(device, index, ret_info);
  if (code != NVML_SUCCESS)
    return code;
  info.name[sizeof info.name - 1] = '\0';
  const char *name = string_has_prefix(info.name, "MIG ") ? info.name + strlen("MIG ") : info.name;
  memmove(ret_name, name, strlen(name) + 1);
  copy_info(&info, ret_info);
  return NVML_SUCCESS;
}

/* The count first: the second call writes as many as there are and takes no size. */
static int set_placements(GpuNvml *nvml, NvmlDevice device, MigProfile *profile, Error *err) {
  NvmlPlacement places[GPU_PLACEMENTS_MAX];
  unsigned count = 0;
  NvmlReturn code = nvml->calls.placements(device, (unsigned)profile->nvml_id, NULL, &count);
  if (code == NVML_SUCCESS && count > GPU_PLACEMENTS_MAX)
    return error_set(err, ERROR_LIMIT, "%s has %u placements, more than %d", profile->name, count,
                     GPU_PLACEMENTS_MAX);
  if (code == NVML_SUCCESS && count > 0)
    code = nvml->calls.placements(device, (unsigned)profile->nvml_id, places, &count);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the placements of %s", profile->name);
  for (unsigned i = 0; i < count && i < GPU_PLACEMENTS_MAX; i++) {
    if (places[i].start >= MIG_SLOTS_MAX || places[i].size > MIG_SLOTS_MAX - places[i].start ||
        places[i].size != places[0].size)
      return error_set(err, ERROR_GPU, "%s has a placement of %u slots at slot %u", profile->name,
                       places[i].size, places[i].start);
    profile->starts |= UINT32_C(1) << places[i].start;
    profile->size = (uint8_t)places[i].size;
  }
  return 0;
}

static uint8_t clamp_byte(unsigned value) {
  return value < UINT8_MAX ? (uint8_t)value : UINT8_MAX;
}

static void set_numbers(MigProfile *profile, const NvmlGpuInstanceProfileInfo *info, unsigned index) {
  profile->slice_count = clamp_byte(info->slice_count);
  profile->instance_count_max = clamp_byte(info->instance_count);
  profile->nvml_index = (int)index;
  profile->nvml_id = (int)info->id;
  profile->memory_mib = (uint32_t)info->memory_size_mb;
  profile->multiprocessors = (uint16_t)info->multiprocessor_count;
  profile->copy_engines = clamp_byte(info->copy_engine_count);
  profile->decoders = clamp_byte(info->decoder_count);
  profile->encoders = clamp_byte(info->encoder_count);
  profile->jpegs = clamp_byte(info->jpeg_count);
  profile->ofas = clamp_byte(info->ofa_count);
}

static int read_profile(GpuNvml *nvml, NvmlDevice device, unsigned index, uint64_t total_bytes,
                        const NvmlGpuInstanceProfileInfo *info, const char *said_name,
                        MigProfile *ret_profile, Error *err) {
  char name[NVML_NAME_V2_SIZE];
  uint32_t memory_gb;
  if (said_name[0])
    snprintf(name, sizeof name, "%s", said_name);
  else
    compute_name(info, index, total_bytes, name, sizeof name);
  int r = mig_profile_parse_name(name, ret_profile, &memory_gb, err);
  if (r < 0)
    return r;
  set_numbers(ret_profile, info, index);
  return set_placements(nvml, device, ret_profile, err);
}

/* Smallest first: compute slices, memory, kind. */
static int compare_profiles(const void *left, const void *right) {
  const MigProfile *a = left, *b = right;
  if (a->slice_count != b->slice_count)
    return a->slice_count - b->slice_count;
  if (a->memory_mib != b->memory_mib)
    return a->memory_mib < b->memory_mib ? -1 : 1;
  return kind_ranks[a->kind] - kind_ranks[b->kind];
}

/* The driver's own order of placements: as the table knows it, else ascending. */
static void set_auto_starts(MigProfile *profile, const MigModel *known) {
  int i = known ? mig_model_find_profile(known, profile->name) : -1;
  if (i >= 0 && known->profiles[i].starts == profile->starts) {
    memcpy(profile->auto_starts, known->profiles[i].auto_starts, sizeof profile->auto_starts);
    profile->auto_start_count = known->profiles[i].auto_start_count;
    return;
  }
  for (int start = 0; start < MIG_SLOTS_MAX; start++)
    if (profile->starts & UINT32_C(1) << start)
      profile->auto_starts[profile->auto_start_count++] = (uint8_t)start;
}

static void finish_model(MigModel *model, const MigModel *known) {
  qsort(model->profiles, model->profile_count, sizeof model->profiles[0], compare_profiles);
  for (int i = 0; i < model->profile_count; i++) {
    MigProfile *profile = &model->profiles[i];
    int end = profile->starts ? 32 - __builtin_clz(profile->starts) + profile->size - 1 : 0;
    if (end > model->slot_count)
      model->slot_count = (uint8_t)end;
    set_auto_starts(profile, known);
  }
}

/* Fills the profiles; none at all is no error here. */
static int ask_profiles(GpuNvml *nvml, NvmlDevice device, uint64_t total_bytes, MigModel *model, Error *err) {
  for (unsigned index = 0; index < GPU_PROFILE_INDEXES_MAX; index++) {
    NvmlGpuInstanceProfileInfo info;
    char name[NVML_NAME_V2_SIZE];
    NvmlReturn code = ask_profile(nvml, device, index, &info, name);
    if (code == NVML_INVALID_ARGUMENT && index >= NVML_GPU_INSTANCE_PROFILE_COUNT)
      return 0;
    if (code == NVML_NOT_SUPPORTED || code == NVML_INVALID_ARGUMENT)
      continue;
    if (code != NVML_SUCCESS)
      return gpu_nvml_fail(err, code, "asking for MIG profile %u", index);
    if (model->profile_count == MIG_PROFILES_MAX)
      return error_set(err, ERROR_LIMIT, "NVML reports more than %d MIG profiles", MIG_PROFILES_MAX);
    int r = read_profile(nvml, device, index, total_bytes, &info, name,
                         &model->profiles[model->profile_count], err);
    if (r < 0)
      return r;
    /* A profile without a placement cannot be created, whatever it is. */
    model->profile_count += model->profiles[model->profile_count].starts != 0;
  }
  return 0;
}

/* What the driver says passes the same check as the built-in table before anybody plans with it. */
static int ask_model(GpuNvml *nvml, NvmlDevice device, const MigModelRow *row, MigModel *model, Error *err) {
  NvmlMemory memory = {0};
  NvmlReturn code = nvml->calls.memory(device, &memory);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the GPU's memory");
  model->memory_mib = (uint32_t)(memory.total >> 20);
  int r = ask_profiles(nvml, device, memory.total, model, err);
  if (r < 0)
    return r;
  finish_model(model, row ? &row->model : NULL);
  return model->profile_count ? mig_model_check(model, err) : 0;
}

static const MigModelRow *find_row(const GpuObserved *gpu) {
  const MigModelRow *row = mig_model_find(gpu->product);
  return row ? row : mig_model_find_pci(gpu->pci_device_id);
}

/* The table's profiles under this GPU's own name. */
static int use_table(const MigModelRow *row, const char *product, MigModel *model, Error *err) {
  if (!row || !row->placements_known)
    return error_set(err, ERROR_NOT_FOUND,
                     "MIG is off, the driver tells no profiles before it is on, and facet's table does not "
                     "know %s",
                     product);
  *model = row->model;
  mig_model_format_label(product, model->name, sizeof model->name);
  return 0;
}

int gpu_nvml_observe_model(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, Error *err) {
  assert(gpu->mig_capable);
  const MigModelRow *row = find_row(gpu);
  MigModel model = {.mode_needs_reset = row ? row->model.mode_needs_reset : 0};
  mig_model_format_label(gpu->product, model.name, sizeof model.name);
  gpu->model = model; /* what is left after a failure: a name without profiles */
  int r = ask_model(nvml, device, row, &model, err);
  bool silent = r < 0 || model.profile_count == 0;
  if (silent && gpu->mode != MIG_MODE_ON)
    r = use_table(row, gpu->product, &model, err);
  else if (silent && r == 0)
    r = error_set(err, ERROR_GPU, "MIG is on, but NVML reports no profile");
  if (r < 0)
    return r;
  gpu->model = model;
  gpu->model_from_table = silent;
  return 0;
}
