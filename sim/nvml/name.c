/* SPDX-License-Identifier: Apache-2.0 */
/* Names and UUIDs. NVIDIA's kernel modules derive a MIG device's UUID from the chip and the place, so it
 * looks like a version 5 UUID and comes back with the place; so it is here, without the SHA-1. Before R470 it
 * was the GPU's with the ids of the instances behind it. */
#include "sim/nvml/instance.h"

#include "base/random.h"
#include "sim/nvml/driver.h"

#include <string.h>

static char *append_hex(char *end, uint64_t number, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    *end++ = "0123456789abcdef"[number >> shift & 0xf];
  return end;
}

/* `key` tells the things of one machine apart; the generator's mixing makes unlike keys look unlike. The
 * prefix has three letters. */
static void format_uuid(const char *prefix, uint64_t seed, uint64_t key, char *ret_uuid) {
  Random random = {.state = seed ^ (key + 1) * 0xd1342543de82ef95u};
  uint64_t high = random_next(&random), low = random_next(&random);
  high = (high & ~UINT64_C(0xf000)) | 0x5000;
  low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
  memcpy(ret_uuid, prefix, 3);
  char *end = ret_uuid + 3;
  *end++ = '-';
  end = append_hex(end, high >> 32, 8);
  *end++ = '-';
  end = append_hex(end, high >> 16, 4);
  *end++ = '-';
  end = append_hex(end, high, 4);
  *end++ = '-';
  end = append_hex(end, low >> 48, 4);
  *end++ = '-';
  end = append_hex(end, low, 12);
  *end = '\0';
}

void sim_uuid_gpu(const SimState *state, int gpu_index, char *ret_uuid) {
  format_uuid("GPU", state->seed, (uint64_t)gpu_index, ret_uuid);
}

void sim_uuid_mig(const SimState *state, int gpu_index, const SimGi *gi, const SimCi *ci, char *ret_uuid) {
  const SimGpu *gpu = &state->gpus[gpu_index];
  uint64_t gi_id = sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start);
  if (!sim_driver_is_at_least(state->driver, 470, 42)) {
    char parent[NVML_UUID_SIZE];
    sim_uuid_gpu(state, gpu_index, parent);
    snprintf(ret_uuid, NVML_UUID_SIZE, "MIG-%.50s/%u/%u", parent, (unsigned)gi_id, ci->id);
    return;
  }
  uint64_t place = 1u << 24 | gi_id << 16 | (uint64_t)ci->start << 8 | ci->slices;
  if (state->options.random_uuids)
    place |= (uint64_t)ci->serial << 32;
  format_uuid("MIG", state->seed, place << 8 | (uint64_t)gpu_index, ret_uuid);
}

void sim_name_mig(const char *product, const MigProfile *profile, int ci_slices, char *ret_name) {
  char part[8] = "";
  if (ci_slices != profile->slice_count)
    snprintf(part, sizeof part, "%dc.", ci_slices);
  snprintf(ret_name, NVML_NAME_V2_SIZE, "%s%sMIG %s%s", product ? product : "", product ? " " : "", part,
           profile->name);
}
