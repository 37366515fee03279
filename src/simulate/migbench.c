/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/migbench.h"

enum { UNIT_MIB = 10240, UNITS = 8 };

#define PROFILE(text, slices, most, units, bits)                                                             \
  {                                                                                                          \
    .name = text, .slice_count = slices, .size = slices, .instance_count_max = most,                         \
    .memory_mib = (units)*UNIT_MIB, .starts = bits, .nvml_index = -1, .nvml_id = -1                          \
  }

/* Its H100Profiles(). */
static const MigModelRow row = {
    .key = "MIGBench's H100-80GB",
    .architecture = "none",
    .model = {.name = "MIGBench-H100-80GB",
              .slot_count = 7,
              .profile_count = 6,
              .memory_mib = UNITS * UNIT_MIB,
              .profiles = {PROFILE("1g.10gb", 1, 7, 1, 0x7f), PROFILE("1g.20gb", 1, 4, 2, 0x7f),
                           PROFILE("2g.20gb", 2, 3, 2, 0x15), PROFILE("3g.40gb", 3, 2, 4, 0x11),
                           PROFILE("4g.40gb", 4, 1, 4, 0x01), PROFILE("7g.80gb", 7, 1, 8, 0x01)}},
};

const MigModelRow *simulate_migbench_model(void) {
  return &row;
}

static bool sums_memory(const MigModel *model) {
  return model == &row.model;
}

int simulate_memory_of_model(const MigModel *model) {
  return sums_memory(model) ? UNITS : model->slot_count;
}

int simulate_memory_of_profile(const MigModel *model, int profile) {
  const MigProfile *found = &model->profiles[profile];
  return sums_memory(model) ? (int)found->memory_mib / UNIT_MIB : found->size;
}

int simulate_memory_left(const MigLayout *layout) {
  int left = simulate_memory_of_model(layout->model);
  for (int i = 0; i < layout->count; i++)
    left -= simulate_memory_of_profile(layout->model, layout->instances[i].profile);
  return left;
}

uint32_t simulate_layout_free_starts(const MigLayout *layout, int profile) {
  if (sums_memory(layout->model) &&
      simulate_memory_of_profile(layout->model, profile) > simulate_memory_left(layout))
    return 0;
  return mig_layout_free_starts(layout, profile);
}
