/* SPDX-License-Identifier: Apache-2.0 */
/* Of plans that serve the same pods, the strategies find one; here its new slices move until no move disturbs
 * less. */
#pragma once

#include "plan/offer.h"

/* Moves new slices, and the pods that they are for, as long as that makes
 *
 *     fewer new slices, because a free one elsewhere does; then
 *     fewer changed GPUs; then
 *     fewer changed nodes; then
 *     larger holes: more places for the largest profile, then for the next one...; then
 *     a GPU earlier in the order of names changed.
 *
 * Served pods stay served. Moved is one slice at a time, two that change places, or all new ones of a GPU;
 * only those of pods that ask one slice, and to other nodes only where no pod depends on where others are.
 * Nothing is done where slices have to be withdrawn, or where it would take too long. Plans of large clusters
 * that counting made are not settled at all (plan.c), because they follow events.
 * Returns whether something moved. */
bool plan_settle(const PlanProblem *problem, PlanOffer *offer);
