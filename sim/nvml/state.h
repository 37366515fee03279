/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated machine as a plain value: its GPUs, their MIG mode and their instances; and that value as
 * text, which is the state file. Copied freely; pointers in it are into the table of models only. */
#pragma once

#include "base/text.h"
#include "mig/layout.h"

enum {
  SIM_GPUS_MAX = 32,
  SIM_GIS_MAX = 16, /* GPU instances of one GPU; no model has more than 12 slots */
  SIM_CIS_MAX = 8,  /* compute instances of one GPU instance; no model has more than 7 slices */
  SIM_DRIVER_SIZE = 80,
  SIM_EVENTS_MAX = 64,
  SIM_CLIENTS_MAX = 64,
  SIM_CLIENT_NAME_SIZE = 64,
  SIM_ROOT_SIZE = 256,
  SIM_COMPUTE_MODE_MAX = 3,
};

/* A compute instance. */
typedef struct SimCi {
  uint8_t id;            /* within its GPU instance */
  uint8_t slices;        /* compute slices; with the GPU instance's slices this names the profile */
  uint8_t start;         /* in compute slices */
  uint8_t mig_index;     /* index of its MIG device on the GPU */
  uint32_t serial;       /* of its creation; tells a stale handle from a new instance at the same place */
  uint64_t busy_until;   /* IN_USE until then although nobody is there, see SimOptions.linger_ms */
  uint8_t process_count; /* processes that are pretended to run on it */
} SimCi;

/* A GPU instance; its id follows from its place (sim_gi_id). */
typedef struct SimGi {
  uint8_t profile; /* index in the model's profiles */
  uint8_t start;   /* in memory slots */
  uint8_t ci_count;
  uint32_t serial;
  uint64_t busy_until;
  SimCi cis[SIM_CIS_MAX]; /* by id */
} SimGi;

typedef struct SimGpu {
  const MigModelRow *row;
  const char *product; /* one of row->product_names */
  bool mig_on, mig_on_pending;
  uint8_t compute_mode; /* NVML_COMPUTEMODE_...: 0 default, 2 prohibited, 3 exclusive process */
  bool lost;            /* fallen off the bus: nothing about it can be asked until a reset */
  uint8_t gi_count;
  SimGi gis[SIM_GIS_MAX]; /* by start */
} SimGpu;

/* Something that happened to a GPU, for those who wait for events. */
typedef struct SimEvent {
  uint32_t serial; /* from 1, in the order of happening */
  uint8_t gpu_index;
  uint64_t type;        /* one bit, NVML_EVENT_... */
  uint64_t data;        /* of an Xid: its number */
  int16_t gi_id, ci_id; /* -1: it concerns the whole GPU */
} SimEvent;

/* A process that is pretended to use a GPU or a part of it, which is therefore IN_USE. */
typedef struct SimClient {
  uint32_t pid;
  uint8_t gpu_index;
  int16_t gi_id, ci_id; /* -1: the whole GPU, the whole GPU instance */
  uint32_t memory_mib; /* 0: it holds the place without running anything there, as a monitoring daemon does */
  char name[SIM_CLIENT_NAME_SIZE];
} SimClient;

/* What differs between real drivers and installations (options.h). */
typedef struct SimOptions {
  bool random_uuids;          /* a MIG device created again has a new UUID */
  bool alias_handles;         /* a stale handle works again once its place is taken again */
  bool compute_is_mig_device; /* nvmlComputeInstanceInfo_t.device is the MIG device, not the GPU */
  bool event_sets_hold;       /* see hold.h */
  bool mode_resets_itself;    /* Ampere: setting MIG mode resets an idle GPU, as without virtualization */
  double latency;             /* factor on the times that changes take, where the caller says nothing */
  uint32_t linger_ms;         /* a place stays IN_USE so long after its compute instance or process went */
  char root[SIM_ROOT_SIZE];   /* where the capabilities tree is kept; "": nowhere */
} SimOptions;

#define SIM_OPTIONS_USUAL                                                                                    \
  (SimOptions) {                                                                                             \
    .latency = 1                                                                                             \
  }

typedef struct SimState {
  char driver[SIM_DRIVER_SIZE];
  uint64_t seed;        /* of all UUIDs */
  uint32_t last_serial; /* of the newest instance ever created */
  SimOptions options;
  uint32_t last_event; /* serial of the newest event ever */
  uint8_t client_count, event_count, gpu_count;
  /* The last members, see sim_state_copy(). */
  SimClient clients[SIM_CLIENTS_MAX];
  SimEvent events[SIM_EVENTS_MAX]; /* the newest ones, oldest first */
  SimGpu gpus[SIM_GPUS_MAX];
} SimState;

/* Leaves the places of clients, events and GPUs that do not exist as they were: every call of a client copies
 * the machine, which takes time, and counts as the client's memory what it touches. */
void sim_state_copy(SimState *ret_copy, const SimState *state);

/* Appends the state file's text. */
void sim_state_format(const SimState *state, Text *text);
/* ERROR_PROTOCOL with the line's number where the text is not a state, or one that cannot exist. */
int sim_state_parse(const char *text, SimState *ret_state, Error *err) MUST_CHECK;
/* What the rest of the simulator relies on: layouts that mig_layout_check accepts, compute instances disjoint
 * within their GPU instance, MIG indexes unique, nothing on a GPU whose MIG mode is off. */
int sim_state_check(const SimState *state, Error *err) MUST_CHECK;

/* "2xA100-SXM4-80GB,H100-80GB-HBM3:mig=off" -> that machine without instances. Models by product name, with
 * or without "NVIDIA ", spaces as they are or as '-', or by the table's key. ERROR_UNSUPPORTED for unknown
 * ones and those whose placements nobody knows. */
int sim_state_parse_machine(const char *description, SimState *ret_state, Error *err) MUST_CHECK;
/* Appends an event and forgets the oldest where there are too many; the serial is set here. Of the events
 * that say a GPU's MIG configuration changed only the newest is kept. */
void sim_state_post(SimState *state, SimEvent event);
/* False for what is too long, empty, or would not be one line of the state file. */
bool sim_client_set_name(SimClient *client, const char *name);
/* "0", "0/13", "0/13/0": GPU, GPU instance, compute instance, whether or not they exist. */
bool sim_client_set_place(SimClient *client, const char *place);
enum { SIM_PLACE_SIZE = 16 };
void sim_client_format_place(const SimClient *client, char ret_place[SIM_PLACE_SIZE]);
/* ERROR_NOT_FOUND where the place does not exist, ERROR_CONFLICT for a pid that is attached already,
 * ERROR_LIMIT. */
int sim_state_attach(SimState *state, const SimClient *client, Error *err) MUST_CHECK;
/* The place stays IN_USE for the time of linger_ms from now on. ERROR_NOT_FOUND. */
int sim_state_detach(SimState *state, uint32_t pid, uint64_t now_ms, Error *err) MUST_CHECK;
/* Whether a client is on this place or a part of it; gi_id -1: of the whole GPU. */
bool sim_state_is_used(const SimState *state, int gpu_index, int gi_id, int ci_id);
/* What a GPU reset does to all of them: pending MIG modes become active, lost GPUs are back, instances
 * and clients are gone. A reboot also forgets the mode where only the driver's memory holds it. */
void sim_state_reset(SimState *state, bool reboot);
