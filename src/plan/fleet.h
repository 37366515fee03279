/* SPDX-License-Identifier: Apache-2.0 */
/* What fleet.c knows of a node and its GPUs, for those who follow their changes. */
#pragma once

#include "plan/problem.h"

/* Is this what may be created on the model's GPUs? Models are told apart by their content. */
bool plan_fleet_is_model(const PlanModel *model, const MigModel *content, uint32_t allowed);
/* Has the node slices that some pod asks for? */
bool plan_fleet_has_slices(const PlanProblem *problem, const SnapshotNode *node);
