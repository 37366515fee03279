/* SPDX-License-Identifier: Apache-2.0 */
/* The shell around kube/election.h: one Lease, asked for over a transport of its own where there is one, so
 * that a large list on the controller's connection cannot keep it from being renewed. */
#pragma once

#include "base/host.h"
#include "kube/election.h"
#include "kube/transport.h"

typedef struct ControllerLeader ControllerLeader;

typedef struct ControllerLeaseOptions {
  const char *namespace_, *name; /* of the Lease */
  const char *identity;          /* of this process alone */
  KubeTransport *transport;      /* NULL: the controller's */
} ControllerLeaseOptions;

/* on_change: leadership came or went; asked whether it is there, kube_election's answer counts, not this. */
ControllerLeader *controller_leader_new(const ControllerLeaseOptions *options, Host *host,
                                        KubeTransport *transport, void (*on_change)(void *userdata),
                                        void *userdata);
void controller_leader_start(ControllerLeader *leader);
/* May the controller act at this very moment? */
bool controller_leader_leads(const ControllerLeader *leader);
/* Who holds the Lease as far as we saw, or "". */
const char *controller_leader_holder(const ControllerLeader *leader);
/* Leads no more, gives the Lease back if it can; then on_left, perhaps at once. */
void controller_leader_leave(ControllerLeader *leader, void (*on_left)(void *userdata), void *userdata);
void controller_leader_free(ControllerLeader *leader);
DEFINE_CLEANUP(ControllerLeader, controller_leader_free)
