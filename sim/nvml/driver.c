/* SPDX-License-Identifier: Apache-2.0 */
/* What came when: the history of nvml.h in NVIDIA/nvidia-settings; which GPU needs which driver: NVIDIA's MIG
 * User Guide (r620); CUDA: NVIDIA's compatibility table. */
#include "sim/nvml/driver.h"

#include "sim/nvml/functions.h"
#include "sim/nvml/sim_nvml.h"

#include <ctype.h>
#include <string.h>

typedef struct Version {
  long number, part, patch;
} Version;

static Version split(const char *driver) {
  long parts[3] = {0};
  for (int i = 0; i < 3; i++) {
    char *end;
    parts[i] = strtol(driver, &end, 10);
    if (end == driver || *end != '.')
      break;
    driver = end + 1;
  }
  return (Version){.number = parts[0], .part = parts[1], .patch = parts[2]};
}

static bool is_older(const char *driver, const char *than) {
  Version a = split(driver), b = split(than);
  if (a.number != b.number)
    return a.number < b.number;
  return a.part != b.part ? a.part < b.part : a.patch < b.patch;
}

int sim_driver_parse(const char *text, char ret_driver[SIM_DRIVER_SIZE], Error *err) {
  size_t size = strlen(text);
  if (!isdigit((unsigned char)text[0]) || size >= SIM_DRIVER_SIZE || strspn(text, "0123456789.") != size)
    return error_set(err, ERROR_INVALID, "simulated machine: \"%.90s\" is no driver version", text);
  if (is_older(text, "450"))
    return error_set(err, ERROR_UNSUPPORTED,
                     "simulated machine: driver %.20s knows no MIG; the first one was 450", text);
  const char *found = text;
  for (int i = 0; i < sim_release_count && !strchr(text, '.'); i++)
    if (sim_releases[i].branch == split(text).number)
      found = sim_releases[i].version;
  if (!strchr(found, '.'))
    return error_set(err, ERROR_INVALID, "simulated machine: write driver %.20s in full, such as %.20s.10.01",
                     text, text);
  memmove(ret_driver, found, strlen(found) + 1);
  return 0;
}

int sim_driver_library_branch(const char *driver) {
  int branch = sim_releases[0].branch;
  for (int i = 0; i < sim_release_count; i++)
    if (sim_releases[i].branch <= split(driver).number)
      branch = sim_releases[i].branch;
  return branch;
}

bool sim_driver_is_at_least(const char *driver, int number, int part) {
  Version version = split(driver);
  return version.number > number || (version.number == number && version.part >= part);
}

/* By the beginning of the table's key; the first row that fits. */
static const struct {
  const char *key, *driver;
} needs[] = {
    {"A30", "460.73.01"},          {"A", "450.80.02"},      {"H200", "550.90.07"}, {"H20", "535.161.07"},
    {"B200", "570.133.20"},        {"GB200", "570.133.20"}, {"B300", "580.82.07"}, {"GB300", "595.58.03"},
    {"RTX-PRO-6000", "575.51.03"}, {"", "525.85.12"},
};

static const char *driver_needed(const SimGpu *gpu) {
  size_t i = 0;
  while (!string_has_prefix(gpu->row->key, needs[i].key))
    i++;
  return needs[i].driver;
}

void sim_driver_choose(const SimState *machine, char ret_driver[SIM_DRIVER_SIZE]) {
  const char *chosen = SIM_NVML_DRIVER_VERSION;
  for (int i = 0; i < machine->gpu_count; i++)
    if (is_older(chosen, driver_needed(&machine->gpus[i])))
      chosen = driver_needed(&machine->gpus[i]);
  snprintf(ret_driver, SIM_DRIVER_SIZE, "%s", chosen);
}

int sim_driver_check(const SimState *machine, const char *driver, Error *err) {
  for (int i = 0; i < machine->gpu_count; i++)
    if (is_older(driver, driver_needed(&machine->gpus[i])))
      return error_set(err, ERROR_UNSUPPORTED,
                       "simulated machine: %s needs driver %s or newer, and the machine's is %.20s",
                       machine->gpus[i].product, driver_needed(&machine->gpus[i]), driver);
  return 0;
}

typedef struct Since {
  int number, part;
  unsigned count;
} Since;

static unsigned count_of(const char *driver, const Since *rows) {
  while (!sim_driver_is_at_least(driver, rows->number, rows->part))
    rows++;
  return rows->count;
}

unsigned sim_driver_gi_profile_count(const char *driver) {
  static const Since rows[] = {{595, 58, 18}, {575, 51, 17}, {570, 86, 13},
                               {525, 53, 10}, {470, 42, 8},  {0, 0, 6}};
  return count_of(driver, rows);
}

unsigned sim_driver_ci_profile_count(const char *driver) {
  static const Since rows[] = {{610, 43, 9}, {525, 53, 8}, {470, 42, 7}, {0, 0, 6}};
  return count_of(driver, rows);
}

int sim_driver_cuda_version(const char *driver) {
  static const struct {
    int number, cuda;
  } rows[] = {{610, 13030}, {595, 13020}, {590, 13010}, {580, 13000}, {570, 12080},
              {560, 12060}, {550, 12040}, {535, 12020}, {525, 12000}, {515, 11070},
              {510, 11060}, {470, 11040}, {460, 11020}, {0, 11000}};
  size_t i = 0;
  while (!sim_driver_is_at_least(driver, rows[i].number, 0))
    i++;
  return rows[i].cuda;
}
