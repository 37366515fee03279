/* SPDX-License-Identifier: Apache-2.0 */
/* Finding libnvidia-ml.so.1 and binding its functions.
 *
 * The loader knows it where the driver is installed on the host or NVIDIA's container runtime has mounted it.
 * Where the GPU Operator installs the driver in a container, it lies below that container's root, which is
 * mounted on /run/nvidia/driver (or, in its newer charts, on /driver-root).
 *
 * R470 is the oldest release whose calls suffice (placements with their slots, PossiblePlacements_v2).
 * Whether a library is new enough is not read from a version but from the functions it has. */
#include "gpu/nvml_private.h"

#include "base/memory.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum { DRIVER_RELEASE_MIN = 470 };

#if defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "x86_64-linux-gnu"
#endif

static const char library_name[] = "libnvidia-ml.so.1";

static const char *const library_folders[] = {
    "/run/nvidia/driver/usr/lib/" MULTIARCH,
    "/run/nvidia/driver/usr/lib64",
    "/run/nvidia/driver/usr/lib",
    "/driver-root/usr/lib/" MULTIARCH,
    "/driver-root/usr/lib64",
    "/driver-root/usr/lib",
    "/usr/local/nvidia/lib64",
};

static const struct {
  const char *name;
  const char *since;
  size_t offset; /* of the pointer in GpuNvmlCalls */
  bool required;
} functions[] = {
#define ROW(member, symbol, since, required) {#symbol, since, offsetof(GpuNvmlCalls, member), required},
    GPU_NVML_FUNCTIONS(ROW)
#undef ROW
};

static uint64_t clock_now_ms(void *userdata) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void clock_sleep_ms(void *userdata, uint32_t duration_ms) {
  struct timespec rest = {.tv_sec = duration_ms / 1000, .tv_nsec = (long)(duration_ms % 1000) * 1000000};
  while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
    ;
}

void gpu_nvml_set_clock(GpuNvml *nvml, const GpuNvmlClock *clock) {
  assert(clock->now_ms && clock->sleep_ms);
  nvml->clock = *clock;
}

/* Where to look is part of the message: in a container the answer is usually a missing mount. */
static int not_found(const char *name, const char *const *folders, size_t folder_count, Error *err) {
  char places[320] = "";
  size_t used = 0;
  for (size_t i = 0; i < folder_count && used < sizeof places; i++)
    used += (size_t)snprintf(places + used, sizeof places - used, "%s%s", i ? ", " : "", folders[i]);
  return error_set(err, ERROR_NOT_FOUND,
                   "NVIDIA's %s is neither known to the loader nor in %s; is the driver installed, and "
                   "mounted into this container?",
                   name, places);
}

int gpu_nvml_dlopen(const char *name, const char *const *folders, size_t folder_count, void **ret_library,
                    Error *err) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  for (size_t i = 0; !library && i < folder_count; i++) {
    CLEANUP(cleanup_free) char *path = mem_format("%s/%s", folders[i], name);
    if (access(path, F_OK) < 0)
      continue;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return error_set(err, ERROR_IO, "loading NVIDIA's library: %s", dlerror());
  }
  if (!library)
    return not_found(name, folders, folder_count, err);
  *ret_library = library;
  return 0;
}

static void *resolve_in_library(void *library, const char *name) {
  return dlsym(library, name);
}

/* A library without a driver cannot tell its version; then the function alone must do. */
static int too_old(GpuNvml *nvml, const char *name, const char *since, Error *err) {
  const GpuNvmlCalls *calls = &nvml->calls;
  if (!calls->init)
    return error_set(err, ERROR_UNSUPPORTED,
                     "this is not NVIDIA's management library: it has no nvmlInit_v2");
  if (calls->shutdown && calls->driver_version && calls->init() == NVML_SUCCESS) {
    if (calls->driver_version(nvml->driver_version, sizeof nvml->driver_version) != NVML_SUCCESS)
      nvml->driver_version[0] = '\0';
    calls->shutdown();
  }
  long release = strtol(nvml->driver_version, NULL, 10);
  if (release >= DRIVER_RELEASE_MIN)
    return error_set(err, ERROR_UNSUPPORTED,
                     "driver %s lacks %s, which NVIDIA's library has since %s; is its installation complete?",
                     nvml->driver_version, name, since);
  return error_set(
      err, ERROR_UNSUPPORTED,
      "%s%s is older than R%d, which facet needs; update NVIDIA's driver (%s is missing, it came "
      "with %s)",
      release > 0 ? "driver " : "NVIDIA's library", nvml->driver_version, DRIVER_RELEASE_MIN, name, since);
}

/* All are looked up before any is missed: telling the version needs some of them. */
static int bind_functions(GpuNvml *nvml, GpuNvmlResolve *resolve, void *userdata, Error *err) {
  for (size_t i = 0; i < COUNT_OF(functions); i++) {
    void *address = resolve(userdata, functions[i].name);
    memcpy((char *)&nvml->calls + functions[i].offset, &address, sizeof address);
  }
  const char *lacking = NULL, *since = NULL;
  for (size_t i = 0; i < COUNT_OF(functions); i++) {
    void *address;
    memcpy(&address, (char *)&nvml->calls + functions[i].offset, sizeof address);
    /* The newest one lacking says most about the release that is needed. */
    if (!address && functions[i].required && (!since || strcmp(functions[i].since, since) > 0)) {
      lacking = functions[i].name;
      since = functions[i].since;
    }
  }
  return lacking ? too_old(nvml, lacking, since, err) : 0;
}

static int start(GpuNvml *nvml, Error *err) {
  NvmlReturn code = nvml->calls.init();
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "starting NVML");
  code = nvml->calls.driver_version(nvml->driver_version, sizeof nvml->driver_version);
  if (code == NVML_SUCCESS)
    return 0;
  nvml->calls.shutdown();
  return gpu_nvml_fail(err, code, "asking NVML for the driver's version");
}

static GpuNvml *nvml_new(void) {
  GpuNvml *nvml = mem_alloc(sizeof *nvml);
  nvml->clock = (GpuNvmlClock){.now_ms = clock_now_ms, .sleep_ms = clock_sleep_ms};
  nvml->proc = "/proc";
  return nvml;
}

static void close_library(void **library) {
  if (*library)
    dlclose(*library);
}

int gpu_nvml_open_with(GpuNvmlResolve *resolve, void *userdata, GpuNvml **ret_nvml, Error *err) {
  CLEANUP(cleanup_free) GpuNvml *nvml = nvml_new();
  int r = bind_functions(nvml, resolve, userdata, err);
  if (r < 0)
    return r;
  r = start(nvml, err);
  if (r < 0)
    return r;
  *ret_nvml = TAKE(nvml);
  return 0;
}

int gpu_nvml_open(const char *library, GpuNvml **ret_nvml, Error *err) {
  CLEANUP(close_library) void *handle = NULL;
  if (library) {
    handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      return error_set(err, ERROR_NOT_FOUND, "loading NVIDIA's library: %s", dlerror());
  } else {
    int r = gpu_nvml_dlopen(library_name, library_folders, COUNT_OF(library_folders), &handle, err);
    if (r < 0)
      return r;
  }
  int r = gpu_nvml_open_with(resolve_in_library, handle, ret_nvml, err);
  if (r < 0)
    return r;
  (*ret_nvml)->library = TAKE(handle);
  return 0;
}

void gpu_nvml_close(GpuNvml *nvml) {
  gpu_nvml_end_watch(nvml);
  nvml->calls.shutdown();
  close_library(&nvml->library);
  free(nvml->last);
  free(nvml);
}
