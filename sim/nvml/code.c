/* SPDX-License-Identifier: Apache-2.0 */
/* The texts are those of NVIDIA's library. */
#include "sim/nvml/code.h"

#include "base/text.h"

#include <string.h>

#define CODE(name, text)                                                                                     \
  { NVML_##name, #name, text }

static const struct {
  NvmlReturn code;
  const char *name, *text;
} codes[] = {
    CODE(SUCCESS, "Success"),
    CODE(UNINITIALIZED, "Uninitialized"),
    CODE(INVALID_ARGUMENT, "Invalid Argument"),
    CODE(NOT_SUPPORTED, "Not Supported"),
    CODE(NO_PERMISSION, "Insufficient Permissions"),
    CODE(ALREADY_INITIALIZED, "Already Initialized"),
    CODE(NOT_FOUND, "Not Found"),
    CODE(INSUFFICIENT_SIZE, "Insufficient Size"),
    CODE(INSUFFICIENT_POWER, "Insufficient External Power"),
    CODE(DRIVER_NOT_LOADED, "Driver Not Loaded"),
    CODE(TIMEOUT, "Timeout"),
    CODE(IRQ_ISSUE, "Interrupt Request Issue"),
    CODE(LIBRARY_NOT_FOUND, "NVML Shared Library Not Found"),
    CODE(FUNCTION_NOT_FOUND, "Function Not Found"),
    CODE(CORRUPTED_INFOROM, "Corrupted infoROM"),
    CODE(GPU_IS_LOST, "GPU is lost"),
    CODE(RESET_REQUIRED, "GPU requires reset"),
    CODE(OPERATING_SYSTEM, "GPU access blocked by the operating system"),
    CODE(LIB_RM_VERSION_MISMATCH, "Driver/library version mismatch"),
    CODE(IN_USE, "In use by another client"),
    CODE(MEMORY, "Insufficient Memory"),
    CODE(NO_DATA, "No data"),
    CODE(VGPU_ECC_NOT_SUPPORTED, "Operation is not available on target vGPU, since ECC is enabled"),
    CODE(INSUFFICIENT_RESOURCES, "Insufficient Resources"),
    CODE(FREQ_NOT_SUPPORTED, "Requested frequency not supported"),
    CODE(ARGUMENT_VERSION_MISMATCH, "Argument version mismatch"),
    CODE(DEPRECATED, "Deprecated"),
    CODE(NOT_READY, "Not Ready"),
    CODE(GPU_NOT_FOUND, "GPU Not Found"),
    CODE(INVALID_STATE, "Invalid State"),
    CODE(RESET_TYPE_NOT_SUPPORTED, "Reset Type Not Supported"),
    CODE(UNKNOWN, "Unknown Error"),
};

const char *sim_code_name(NvmlReturn code) {
  for (size_t i = 0; i < COUNT_OF(codes); i++)
    if (codes[i].code == code)
      return codes[i].name;
  return "UNKNOWN";
}

bool sim_code_parse(const char *name, NvmlReturn *ret_code) {
  static const char prefix[] = "NVML_ERROR_";
  if (string_has_prefix(name, prefix))
    name += strlen(prefix);
  for (size_t i = 0; i < COUNT_OF(codes); i++)
    if (strcmp(codes[i].name, name) == 0) {
      *ret_code = codes[i].code;
      return true;
    }
  return false;
}

const char *sim_code_text(NvmlReturn code) {
  for (size_t i = 0; i < COUNT_OF(codes); i++)
    if (codes[i].code == code)
      return codes[i].text;
  return "Unknown Error";
}
