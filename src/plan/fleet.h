/* SPDX-License-Identifier: Apache-2.0 */
/* What fleet.c knows of a node and its GPUs, for those who follow their changes. */
#pragma once

#include "plan/problem.h"

/* May slices be created on the GPU or withdrawn from it? */
bool plan_fleet_may_change(const SnapshotNode *node, const SnapshotGpu *gpu);
/* Is this what may be created on the model's GPUs? Models are told apart by their content. */
bool plan_fleet_is_model(const PlanModel *model, const MigModel *content, uint32_t allowed);
/* Slots where no plain profile can be placed. */
uint32_t plan_fleet_occupied(const MigLayout *layout);
/* Has the node slices that some pod asks for? */
bool plan_fleet_has_slices(const PlanProblem *problem, const SnapshotNode *node);
