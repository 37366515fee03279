/* SPDX-License-Identifier: Apache-2.0 */
/* NVML's return codes as words: NVIDIA's own (nvml.h, nvmlErrorString), the code of this program that a
 * caller may act on, and what an operator can do about it. */
#include "gpu/nvml_private.h"

#include <stdarg.h>

static const struct {
  NvmlReturn code;
  ErrorCode error;
  const char *words;
  const char *advice; /* NULL where there is none */
} returns[] = {
    {NVML_UNINITIALIZED, ERROR_GPU, "Uninitialized", NULL},
    {NVML_INVALID_ARGUMENT, ERROR_GPU, "Invalid Argument", NULL},
    {NVML_NOT_SUPPORTED, ERROR_UNSUPPORTED, "Not Supported", NULL},
    {NVML_NO_PERMISSION, ERROR_DENIED, "Insufficient Permissions",
     "run the agent as root and privileged, with NVIDIA_MIG_CONFIG_DEVICES=all"},
    {NVML_ALREADY_INITIALIZED, ERROR_GPU, "Already Initialized", NULL},
    {NVML_NOT_FOUND, ERROR_NOT_FOUND, "Not Found", NULL},
    {NVML_INSUFFICIENT_SIZE, ERROR_LIMIT, "Insufficient Size", NULL},
    {NVML_INSUFFICIENT_POWER, ERROR_GPU, "Insufficient External Power", "connect the GPU's power cables"},
    {NVML_DRIVER_NOT_LOADED, ERROR_UNAVAILABLE, "Driver Not Loaded",
     "load NVIDIA's kernel driver, or wait until the GPU Operator's driver pod is ready"},
    {NVML_TIMEOUT, ERROR_TIMEOUT, "Timeout", NULL},
    {NVML_IRQ_ISSUE, ERROR_GPU, "Interrupt Request Issue", "look at the kernel's log on this node"},
    {NVML_LIBRARY_NOT_FOUND, ERROR_GPU, "NVML Shared Library Not Found", NULL},
    {NVML_FUNCTION_NOT_FOUND, ERROR_UNSUPPORTED, "Function Not Found", "update NVIDIA's driver"},
    {NVML_CORRUPTED_INFOROM, ERROR_GPU, "Corrupted infoROM", "have the GPU replaced"},
    {NVML_GPU_IS_LOST, ERROR_LOST, "GPU is lost", "it fell off the bus: reboot the node"},
    {NVML_RESET_REQUIRED, ERROR_GPU, "GPU requires reset", "reset the GPU or reboot the node"},
    {NVML_OPERATING_SYSTEM, ERROR_GPU, "GPU access blocked by the operating system",
     "the container may need access to /dev/nvidia*"},
    {NVML_LIB_RM_VERSION_MISMATCH, ERROR_UNAVAILABLE, "Driver/library version mismatch",
     "the driver was updated while loaded: reboot the node"},
    {NVML_IN_USE, ERROR_GPU, "In use by another client",
     "a process on the GPU or a monitor such as DCGM may hold it"},
    {NVML_MEMORY, ERROR_GPU, "Insufficient Memory", NULL},
    {NVML_NO_DATA, ERROR_GPU, "No data", NULL},
    {NVML_VGPU_ECC_NOT_SUPPORTED, ERROR_GPU, "ECC is not supported with vGPU", NULL},
    {NVML_INSUFFICIENT_RESOURCES, ERROR_CONFLICT, "Insufficient Resources",
     "other instances take its slots or its share"},
    {NVML_FREQ_NOT_SUPPORTED, ERROR_GPU, "Frequency Not Supported", NULL},
    {NVML_ARGUMENT_VERSION_MISMATCH, ERROR_UNSUPPORTED, "Argument version mismatch", NULL},
    {NVML_DEPRECATED, ERROR_UNSUPPORTED, "Deprecated", NULL},
    {NVML_NOT_READY, ERROR_UNAVAILABLE, "Not ready", NULL},
    {NVML_GPU_NOT_FOUND, ERROR_NOT_FOUND, "No GPUs were found", NULL},
    {NVML_INVALID_STATE, ERROR_GPU, "Invalid state", "the GPU may need a reset"},
    {NVML_RESET_TYPE_NOT_SUPPORTED, ERROR_UNSUPPORTED, "Reset type not supported", NULL},
    {NVML_UNKNOWN, ERROR_GPU, "Unknown Error", "look at the kernel's log on this node"},
};

int gpu_nvml_fail(Error *err, NvmlReturn code, const char *format, ...) {
  char what[ERROR_TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  for (size_t i = 0; i < COUNT_OF(returns); i++)
    if (returns[i].code == code)
      return error_set(err, returns[i].error, "%s: %s (NVML code %d)%s%s", what, returns[i].words, (int)code,
                       returns[i].advice ? "; " : "", returns[i].advice ? returns[i].advice : "");
  return error_set(err, ERROR_GPU, "%s: an error that facet does not know (NVML code %d)", what, (int)code);
}
