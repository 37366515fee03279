/* SPDX-License-Identifier: Apache-2.0 */
/* The driver seam: one job for the GPUs at a time, one result. Implementations: the NVML worker process
 * (gpu/worker.h), NVML in this process (gpu/nvml.h, which the worker runs), the demo's driver.
 *
 * All structs are plain values without pointers, so that a result crosses a socket as it is (same executable
 * on both ends). The truth is always what OBSERVE says: after every change the result carries a fresh
 * observation of its GPU, and of the others one that is at most as old as the last OBSERVE. */
#pragma once

#include "base/error.h"
#include "mig/contract.h"

enum { GPU_COUNT_MAX = 32, GPU_DRIVER_VERSION_SIZE = 80, GPU_PROCESS_NAME_SIZE = 64 };

/* WATCH waits for errors of the GPUs. It lasts long, and is cancelled when anything else is to be done. */
typedef enum GpuJobKind {
  GPU_JOB_OBSERVE,
  GPU_JOB_CREATE,
  GPU_JOB_DESTROY,
  GPU_JOB_ENABLE_MIG,
  GPU_JOB_WATCH
} GpuJobKind;

typedef struct GpuJob {
  GpuJobKind kind;
  uint32_t wait_ms;         /* WATCH: at most; shorter than the worker's timeout */
  uint32_t skip;            /* bits of GPU indexes that NVML is not asked about: it has hung on them */
  char uuid[MIG_UUID_SIZE]; /* all but OBSERVE, WATCH: of the GPU; refused where the GPU at hand is another
                               one */
  uint32_t gpu;             /* its index when it was last seen, to tell where the worker hung */
  int nvml_id;              /* profile id */
  uint8_t start, size;      /* placement in memory slots */
  bool is_bare;             /* DESTROY: only while it holds no compute instance of any size */
} GpuJob;

typedef struct GpuInstance {
  char uuid[MIG_UUID_SIZE]; /* of the MIG device over the whole GPU instance; "" where there is none
                               (incomplete) */
  uint32_t gpu_instance_id, compute_instance_id; /* the latter where there is a UUID */
  int nvml_id;
  uint8_t start, size;
  uint8_t compute_count;  /* compute instances of any size; only counted where there is no UUID */
  uint64_t bare_since_ms; /* kept by the agent: when it was first seen without any compute instance */
  bool is_sick;           /* kept by the agent: an error of the GPU struck it */
  uint32_t process_count; /* that the driver knows of; 0 also where it does not tell */
} GpuInstance;

/* One GPU. `model` is what NVML says of this very GPU (profiles, placements), never the built-in table,
 * except where MIG is off and the driver does not tell. */
typedef struct GpuObserved {
  int index;
  char uuid[MIG_UUID_SIZE];
  char product[MIG_MODEL_NAME_SIZE]; /* as NVML says: "NVIDIA A100-SXM4-80GB" */
  uint32_t pci_device_id;
  int minor;       /* of its node /dev/nvidia<minor>; -1: unknown */
  bool identified; /* everything up to mig_capable was read */
  MigMode mode;
  bool mig_capable;
  bool model_from_table;
  MigModel model; /* profile_count 0: nothing known */
  GpuInstance instances[MIG_INSTANCES_MAX];
  int instance_count;
  bool is_sick;           /* kept by the agent: an error of the GPU as a whole struck it */
  bool is_lost;           /* until a reset or reboot, says the driver */
  char trouble[256];      /* "" or why this GPU could not be read in full: the rest of the node goes on */
  bool is_out_of_service; /* kept by the agent: it cannot be worked with, and this is what it held last */
} GpuObserved;

typedef struct GpuObservation {
  char driver_version[GPU_DRIVER_VERSION_SIZE];
  int gpu_count;
  GpuObserved gpus[GPU_COUNT_MAX];
} GpuObservation;

enum { GPU_XIDS_MAX = 16 };

/* An error that NVIDIA's driver reports (docs.nvidia.com/deploy/xid-errors). */
typedef struct GpuXid {
  char uuid[MIG_UUID_SIZE]; /* of the GPU */
  uint64_t xid;
  int instance_id; /* of the GPU instance that it struck; -1: the GPU as a whole */
} GpuXid;

typedef struct GpuResult {
  Error err;            /* code 0: done; CREATE, DESTROY: why not, the slice is not named */
  uint32_t stuck_gpu;   /* the worker hung or died: 1 + index of the GPU that it was at; 0: unknown */
  uint32_t stuck_count; /* killed workers that the kernel has not let go yet */
  char created_uuid[MIG_UUID_SIZE]; /* CREATE: the MIG device */
  uint32_t took_ms;                 /* in the driver */
  GpuXid xids[GPU_XIDS_MAX];        /* WATCH: what happened; none where the time was up */
  int xid_count;
  bool observed; /* the observation is fresh */
  GpuObservation observation;
} GpuResult;

typedef struct GpuDriver GpuDriver;
typedef void GpuOnResult(void *userdata, const GpuResult *result); /* borrowed for the call */

struct GpuDriver {
  /* One job at a time, asserted. on_result comes from the event loop, exactly once, also where the worker
   * dies or hangs (ERROR_UNAVAILABLE, ERROR_TIMEOUT; the next job gets a fresh one). */
  void (*submit)(GpuDriver *driver, const GpuJob *job, GpuOnResult *on_result, void *userdata);
  /* Nobody waits for the job under way any more, if there is one: no result comes, and its worker is killed.
   */
  void (*cancel)(GpuDriver *driver);
};
