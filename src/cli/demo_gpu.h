/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU as the annotations of its node tell: what is cut, what is in use, what is wanted but not cut yet. The
 * demo looks only at what facet's programs wrote, like any stranger with kubectl. */
#pragma once

#include "cli/draw.h"

#include <jansson.h>

typedef struct CliDemoGpu {
  int index;
  const MigModel *model;
  MigLayout layout;
  DrawState states[MIG_INSTANCES_MAX]; /* of layout.instances; DRAW_NEW: wanted */
} CliDemoGpu;

/* The value of an annotation of any object, or NULL. */
const char *cli_demo_gpu_annotation(const json_t *object, const char *key);
/* As it shall be: with what is wanted, and without what an unanswered plan takes away. False where the node
 * (may be NULL) does not speak of such a GPU. */
bool cli_demo_gpu_read(const json_t *node, int index, CliDemoGpu *ret_gpu);
/* As it is. */
bool cli_demo_gpu_read_status(const json_t *node, int index, CliDemoGpu *ret_gpu);
/* Its state at a place: true where this profile begins there. */
bool cli_demo_gpu_find(const CliDemoGpu *gpu, const MigInstance *instance, DrawState *ret_state);
