/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet of GPUs as the simulation knows it: which slices exist, who uses them, when they are ready.
 *
 * A slice that is being made exists already, so nobody else gets its slots; it is of use from ready_ms on.
 * The driver of a GPU does one thing after the other. */
#pragma once

#include "base/array.h"
#include "mig/layout.h"

enum {
  SIMULATE_NODES_MAX = 20000,
  SIMULATE_NODE_GPUS_MAX = 64,
  SIMULATE_GPUS_MAX = 100000,
  SIMULATE_MODELS_MAX = 8, /* different models of one fleet */
  SIMULATE_NOBODY = -1,
};

typedef struct SimulateGpu {
  int node;
  int model; /* index in the fleet's models */
  MigLayout layout;
  uint32_t used_starts;            /* the slices there are used by a job */
  int jobs[MIG_SLOTS_MAX];         /* by start: who uses the slice, SIMULATE_NOBODY where nobody does */
  int64_t ready_ms[MIG_SLOTS_MAX]; /* by start */
  int64_t driver_free_ms;          /* the driver has done everything that it was told */
  int64_t changed_ms;              /* when a slice was made or unmade last; -1: never */
} SimulateGpu;

typedef struct SimulateNode {
  int first_gpu, gpu_count;
  bool changed; /* since somebody (policy_facet.c) last cleared it */
} SimulateNode;

typedef struct SimulateFleet {
  ARRAY(SimulateGpu) gpus;
  ARRAY(SimulateNode) nodes;
  const MigModelRow *models[SIMULATE_MODELS_MAX];
  int model_count;
  int64_t slot_count, slice_count; /* slots and compute slices of the whole fleet */
  int64_t memory_count;            /* its memory: as many units as slots, but for migbench.h */
} SimulateFleet;

/* "A30": a node with one GPU; "4xA100-80GB": a node with four; "2x4xH100-80GB": two such nodes; several with
 * commas. Errors begin with --gpus and name what is known. */
int simulate_fleet_parse(const char *text, SimulateFleet *ret_fleet, Error *err) MUST_CHECK;
/* Adds nodes to a fleet, which may be a struct of zeroes. The limits are asserted. */
void simulate_fleet_add(SimulateFleet *fleet, const MigModelRow *model, int node_count, int gpu_count);
void simulate_fleet_deinit(SimulateFleet *fleet);
/* All GPUs empty again. */
void simulate_fleet_reset(SimulateFleet *fleet);
/* By key, product name, or a key with parts left out ("H100-80GB"); NULL, with an error that lists what is
 * known, where there is none whose places are known. */
const MigModelRow *simulate_fleet_find_model(const char *name, Error *err);
/* Compute slices of a whole GPU. */
int simulate_model_slices(const MigModel *model);

uint32_t simulate_gpu_free_starts(const SimulateGpu *gpu); /* slices that exist and that nobody uses */
uint32_t simulate_gpu_used_mask(const SimulateGpu *gpu);   /* slots of the slices that are used */
int simulate_gpu_memory_left(const SimulateGpu *gpu); /* units of memory beside the slices that are used */
/* What holds at any time: a legal layout, users on existing slices only. */
int simulate_gpu_check(const SimulateGpu *gpu, Error *err) MUST_CHECK;
