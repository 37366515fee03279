/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: the private table that NVIDIA's nvidia-smi asks for beside the public functions. Its first word is
 * its size in bytes, the rest are functions that nobody documented. Here each of them answers NOT_SUPPORTED,
 * and nvidia-smi 470, 535 and 550 carry on. */
#include "sim/nvml/abi.h"
#include "sim/nvml/call.h"

#include <stdint.h>
#include <string.h>

enum { TABLE_ENTRIES = 400 };

/* The table of nvidia-smi, as a GUID's bytes. */
static const unsigned char table_guid[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                             0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};

static NvmlReturn refuse(void) {
  return NVML_NOT_SUPPORTED;
}

NvmlReturn nvmlInternalGetExportTable(const void **table, const void *guid) {
  static uintptr_t entries[1 + TABLE_ENTRIES];
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!table || !guid)
    return NVML_INVALID_ARGUMENT;
  if (memcmp(guid, table_guid, sizeof table_guid) != 0)
    return NVML_NOT_FOUND;
  /* All threads write the same. */
  entries[0] = sizeof entries;
  for (int i = 1; i <= TABLE_ENTRIES; i++)
    entries[i] = (uintptr_t)refuse;
  *table = entries;
  return NVML_SUCCESS;
}
