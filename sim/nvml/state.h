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
  SIM_EVENTS_MAX = 32,
};

/* A compute instance. */
typedef struct SimCi {
  uint8_t id;            /* within its GPU instance */
  uint8_t slices;        /* compute slices; with the GPU instance's slices this names the profile */
  uint8_t start;         /* in compute slices */
  uint8_t mig_index;     /* index of its MIG device on the GPU */
  uint32_t serial;       /* of its creation; tells a stale handle from a new instance at the same place */
  uint8_t process_count; /* processes that are pretended to run on it */
} SimCi;

/* A GPU instance; its id follows from its place (sim_gi_id). */
typedef struct SimGi {
  uint8_t profile; /* index in the model's profiles */
  uint8_t start;   /* in memory slots */
  uint8_t ci_count;
  uint32_t serial;
  SimCi cis[SIM_CIS_MAX]; /* by id */
} SimGi;

typedef struct SimGpu {
  const MigModelRow *row;
  const char *product; /* one of row->product_names */
  bool mig_on, mig_on_pending;
  bool lost; /* fallen off the bus: nothing about it can be asked until a reset */
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

typedef struct SimState {
  char driver[SIM_DRIVER_SIZE];
  uint64_t seed;        /* of all UUIDs */
  uint32_t last_serial; /* of the newest instance ever created */
  uint8_t gpu_count;
  SimGpu gpus[SIM_GPUS_MAX];
  uint32_t last_event; /* serial of the newest event ever */
  uint8_t event_count;
  SimEvent events[SIM_EVENTS_MAX]; /* the newest ones, oldest first */
} SimState;

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
/* Appends an event and forgets the oldest where there are too many; the serial is set here. */
void sim_state_post(SimState *state, SimEvent event);
/* What a GPU reset does to all of them: pending MIG modes become active, lost GPUs are back and instances
 * are gone. A reboot also forgets the mode where only the driver's memory holds it. */
void sim_state_reset(SimState *state, bool reboot);
