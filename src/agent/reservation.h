/* SPDX-License-Identifier: Apache-2.0 */
/* Two kinds of pods that never run. A reservation asks the scheduler for the slices that are to be taken
 * away. A witness asks for nothing, and fits its node only by a label that the node got together with its
 * newest amounts: when the scheduler has placed it, it has seen them. Pure.
 *
 * Either goes to its node only, tolerates every taint, comes first in the scheduler's queue and evicts nobody
 * (PriorityClass facet-reservation: preemptionPolicy Never). Its image exists nowhere, so the kubelet admits
 * it, gives it slices, and starts nothing. It belongs to the node: if that goes, so does the pod. And where
 * no agent is left to let it go, the kubelet ends it. */
#pragma once

#include "agent/recut.h"
#include "base/text.h"
#include "cluster/object.h"

#define AGENT_RESERVATION_PRIORITY_CLASS "facet-reservation"
#define AGENT_RESERVATION_PLAN           "facet.gpu/reservation-plan" /* annotation: for which plan */
#define AGENT_RESERVATION_PREFIX         "facet-reservation-"         /* of the pod's name */
#define AGENT_WITNESS_PREFIX             "facet-witness-"

enum {
  AGENT_LABEL_SIZE = 64,
  AGENT_RESERVATION_DEADLINE_S = 1800, /* far longer than any re-cut takes */
};

/* The value of the label MIG_LABEL_RESERVATION: the node's name, shortened with a hash where it is no label
 * value. */
void agent_reservation_label(const char *node, char ret_label[AGENT_LABEL_SIZE]);
/* A new name for a pod: the prefix and something random. */
void agent_reservation_name(const char *prefix, uint64_t random, char ret_name[AGENT_RECUT_NAME_SIZE]);
/* The body of the POST; it asks for as many slices of each resource as `asked` has. scheduler NULL: the
 * default one. */
void agent_reservation_format(const Node *node, const AgentRecut *recut, const AgentTargets *asked,
                              const char *scheduler, Text *ret_body);
/* The same for the witness of the re-cut. */
void agent_reservation_format_witness(const Node *node, const AgentRecut *recut, const char *scheduler,
                                      Text *ret_body);
/* NULL: absent. ret_says: the scheduler's or the kubelet's words, borrowed from the pod, or NULL. */
AgentPodState agent_reservation_judge(const Pod *pod, const char **ret_says);
