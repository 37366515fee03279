/* SPDX-License-Identifier: Apache-2.0 */
/* The columns that the rows of model_table.c share.
 *
 * A shape is what all models of a family have in common about one profile: compute slices, memory slots,
 * legal starts, instance limit, the driver's own order of preference, NVML's index and id. An ENGINES list is
 * what one architecture gives it. A row adds what is the model's own: name, memory, multiprocessors.
 *
 * Sources: NVIDIA MIG User Guide (editions r580 to r620: supported MIG profiles, getting started, whose
 * creation examples show the order of preference), published output of `nvidia-smi mig -lgip` and `-lgipp`,
 * and nvml.h (NVML_GPU_INSTANCE_PROFILE_*). The order for the double-memory 1g is documented only for its
 * first choice. */
#pragma once

#include "mig/model.h"

#define PCI(device) (UINT32_C(device) << 16 | UINT32_C(0x10DE))

#define ENGINES(copy, decode, encode, jpeg, ofa)                                                             \
  .copy_engines = (copy), .decoders = (decode), .encoders = (encode), .jpegs = (jpeg), .ofas = (ofa)

#define ENGINES_UNKNOWN ENGINES(0, 0, 0, 0, 0)

/* The axis of A100 and its heirs: eight memory slots, of which the last belongs to no compute slice, and
 * seven profiles. */
#define EIGHT_SLOTS .model.slot_count = 8, .model.profile_count = 7

#define EIGHT_SLOTS_SINGLES                                                                                  \
  .slice_count = 1, .size = 1, .starts = 0x7f, .auto_starts = {6, 4, 5, 0, 1, 2, 3}, .auto_start_count = 7
#define EIGHT_SLOTS_1G EIGHT_SLOTS_SINGLES, .instance_count_max = 7, .nvml_index = 0, .nvml_id = 19
#define EIGHT_SLOTS_1G_ME                                                                                    \
  EIGHT_SLOTS_SINGLES, .kind = MIG_ME, .instance_count_max = 1, .nvml_index = 7, .nvml_id = 20
#define EIGHT_SLOTS_1G_DOUBLE                                                                                \
  .slice_count = 1, .size = 2, .starts = 0x55, .auto_starts = {6, 4, 0, 2}, .auto_start_count = 4,           \
  .instance_count_max = 4, .nvml_index = 9, .nvml_id = 15
#define EIGHT_SLOTS_2G                                                                                       \
  .slice_count = 2, .size = 2, .starts = 0x15, .auto_starts = {4, 0, 2}, .auto_start_count = 3,              \
  .instance_count_max = 3, .nvml_index = 1, .nvml_id = 14
#define EIGHT_SLOTS_3G                                                                                       \
  .slice_count = 3, .size = 4, .starts = 0x11, .auto_starts = {4, 0}, .auto_start_count = 2,                 \
  .instance_count_max = 2, .nvml_index = 2, .nvml_id = 9
#define EIGHT_SLOTS_4G                                                                                       \
  .slice_count = 4, .size = 4, .starts = 0x01, .auto_starts = {0}, .auto_start_count = 1,                    \
  .instance_count_max = 1, .nvml_index = 3, .nvml_id = 5
#define EIGHT_SLOTS_7G                                                                                       \
  .slice_count = 7, .size = 8, .starts = 0x01, .auto_starts = {0}, .auto_start_count = 1,                    \
  .instance_count_max = 1, .nvml_index = 4, .nvml_id = 0

#define PROFILE(shape, profile_name, mib, sm, engines)                                                       \
  { shape, .name = profile_name, .memory_mib = (mib), .multiprocessors = (sm), engines }

/* Ampere, seven slices: A100, A800. */
#define A100_1G(name, mib, sm)        PROFILE(EIGHT_SLOTS_1G, name, mib, sm, ENGINES(1, 0, 0, 0, 0))
#define A100_1G_ME(name, mib, sm)     PROFILE(EIGHT_SLOTS_1G_ME, name, mib, sm, ENGINES(1, 1, 0, 1, 1))
#define A100_1G_DOUBLE(name, mib, sm) PROFILE(EIGHT_SLOTS_1G_DOUBLE, name, mib, sm, ENGINES(1, 1, 0, 0, 0))
#define A100_2G(name, mib, sm)        PROFILE(EIGHT_SLOTS_2G, name, mib, sm, ENGINES(2, 1, 0, 0, 0))
#define A100_3G(name, mib, sm)        PROFILE(EIGHT_SLOTS_3G, name, mib, sm, ENGINES(3, 2, 0, 0, 0))
#define A100_4G(name, mib, sm)        PROFILE(EIGHT_SLOTS_4G, name, mib, sm, ENGINES(4, 2, 0, 0, 0))
#define A100_7G(name, mib, sm)        PROFILE(EIGHT_SLOTS_7G, name, mib, sm, ENGINES(7, 5, 0, 1, 1))

/* Hopper: H100, H200, H20, GH200. */
#define H100_1G(name, mib, sm)        PROFILE(EIGHT_SLOTS_1G, name, mib, sm, ENGINES(1, 1, 0, 1, 0))
#define H100_1G_ME(name, mib, sm)     PROFILE(EIGHT_SLOTS_1G_ME, name, mib, sm, ENGINES(1, 1, 0, 1, 1))
#define H100_1G_DOUBLE(name, mib, sm) PROFILE(EIGHT_SLOTS_1G_DOUBLE, name, mib, sm, ENGINES(1, 1, 0, 1, 0))
#define H100_2G(name, mib, sm)        PROFILE(EIGHT_SLOTS_2G, name, mib, sm, ENGINES(2, 2, 0, 2, 0))
#define H100_3G(name, mib, sm)        PROFILE(EIGHT_SLOTS_3G, name, mib, sm, ENGINES(3, 3, 0, 3, 0))
#define H100_4G(name, mib, sm)        PROFILE(EIGHT_SLOTS_4G, name, mib, sm, ENGINES(4, 4, 0, 4, 0))
#define H100_7G(name, mib, sm)        PROFILE(EIGHT_SLOTS_7G, name, mib, sm, ENGINES(8, 7, 0, 7, 1))

/* Blackwell, seven slices: B200, B300, GB200, GB300. */
#define B200_1G(name, mib, sm)        PROFILE(EIGHT_SLOTS_1G, name, mib, sm, ENGINES(2, 1, 0, 1, 0))
#define B200_1G_ME(name, mib, sm)     PROFILE(EIGHT_SLOTS_1G_ME, name, mib, sm, ENGINES(2, 1, 0, 1, 1))
#define B200_1G_DOUBLE(name, mib, sm) PROFILE(EIGHT_SLOTS_1G_DOUBLE, name, mib, sm, ENGINES(2, 1, 0, 1, 0))
#define B200_2G(name, mib, sm)        PROFILE(EIGHT_SLOTS_2G, name, mib, sm, ENGINES(4, 2, 0, 2, 0))
#define B200_3G(name, mib, sm)        PROFILE(EIGHT_SLOTS_3G, name, mib, sm, ENGINES(6, 3, 0, 3, 0))
#define B200_4G(name, mib, sm)        PROFILE(EIGHT_SLOTS_4G, name, mib, sm, ENGINES(8, 4, 0, 4, 0))
#define B200_7G(name, mib, sm)        PROFILE(EIGHT_SLOTS_7G, name, mib, sm, ENGINES(16, 7, 0, 7, 1))

/* Four equal quarters, on an axis of four slots (A30) or twelve (RTX PRO 6000). The quarter is given in
 * slots. */
#define QUARTERS_1G_STARTS(quarter)                                                                          \
  .slice_count = 1, .size = (quarter),                                                                       \
  .starts = 1u | 1u << (quarter) | 1u << 2 * (quarter) | 1u << 3 * (quarter),                                \
  .auto_starts = {0, (quarter), 2 * (quarter), 3 * (quarter)}, .auto_start_count = 4
#define QUARTERS_2G_STARTS(quarter)                                                                          \
  .slice_count = 2, .size = 2 * (quarter), .starts = 1u | 1u << 2 * (quarter),                               \
  .auto_starts = {0, 2 * (quarter)}, .auto_start_count = 2
#define QUARTERS_4G_STARTS(quarter)                                                                          \
  .slice_count = 4, .size = 4 * (quarter), .starts = 1u, .auto_starts = {0}, .auto_start_count = 1

/* The rest of a shape: kind, instance limit, NVML's index and id. */
#define LIMITS(profile_kind, count_max, index, id)                                                           \
  .kind = (profile_kind), .instance_count_max = (count_max), .nvml_index = (index), .nvml_id = (id)

#define A30_1G    QUARTERS_1G_STARTS(1), LIMITS(MIG_PLAIN, 4, 0, 14)
#define A30_1G_ME QUARTERS_1G_STARTS(1), LIMITS(MIG_ME, 1, 7, 21)
#define A30_2G    QUARTERS_2G_STARTS(1), LIMITS(MIG_PLAIN, 2, 1, 5)
#define A30_2G_ME QUARTERS_2G_STARTS(1), LIMITS(MIG_ME, 1, 8, 6)
#define A30_4G    QUARTERS_4G_STARTS(1), LIMITS(MIG_PLAIN, 1, 3, 0)

#define PRO_6000_1G        QUARTERS_1G_STARTS(3), LIMITS(MIG_PLAIN, 4, 0, 14)
#define PRO_6000_1G_ME     QUARTERS_1G_STARTS(3), LIMITS(MIG_ME, 1, 7, 21)
#define PRO_6000_1G_GFX    QUARTERS_1G_STARTS(3), LIMITS(MIG_GFX, 4, 10, 47)
#define PRO_6000_1G_ALL_ME QUARTERS_1G_STARTS(3), LIMITS(MIG_ALL_ME, 1, 15, 65)
#define PRO_6000_1G_NO_ME  QUARTERS_1G_STARTS(3), LIMITS(MIG_NO_ME, 4, 13, 67)
#define PRO_6000_2G        QUARTERS_2G_STARTS(3), LIMITS(MIG_PLAIN, 2, 1, 5)
#define PRO_6000_2G_GFX    QUARTERS_2G_STARTS(3), LIMITS(MIG_GFX, 2, 11, 35)
#define PRO_6000_2G_ALL_ME QUARTERS_2G_STARTS(3), LIMITS(MIG_ALL_ME, 1, 16, 64)
#define PRO_6000_2G_NO_ME  QUARTERS_2G_STARTS(3), LIMITS(MIG_NO_ME, 2, 14, 66)
#define PRO_6000_4G        QUARTERS_4G_STARTS(3), LIMITS(MIG_PLAIN, 1, 3, 0)
#define PRO_6000_4G_GFX    QUARTERS_4G_STARTS(3), LIMITS(MIG_GFX, 1, 12, 32)

/* Models whose axis nobody published: no starts, so nothing is placed until the driver reports them. */
#define UNPLACED(slices, kind, count_max, index, id)                                                         \
  .slice_count = (slices), LIMITS(kind, count_max, index, id)
