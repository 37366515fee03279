/* SPDX-License-Identifier: Apache-2.0 */
/* Options of leader election, and what comes of them. */
#pragma once

#include "cli/connect.h"
#include "controller/leader.h"

typedef struct CliLeaseOptions {
  bool elect;
  const char *namespace_, *name;
} CliLeaseOptions;

#define CLI_LEASE_OPTIONS(Struct, member)                                                                    \
  {"--leader-elect", CLI_FLAG, offsetof(Struct, member.elect), NULL,                                         \
   "Of several controllers only the holder of a Lease acts (default: true in a pod, else false)."},          \
      {"--leader-elect-namespace", CLI_STRING, offsetof(Struct, member.namespace_), "NAME",                  \
       "Namespace of the Lease (default: $POD_NAMESPACE, else facet-system)."},                              \
  {                                                                                                          \
    "--leader-elect-name", CLI_STRING, offsetof(Struct, member.name), "NAME",                                \
        "Name of the Lease (default: facet-controller)."                                                     \
  }

CliLeaseOptions cli_lease_defaults(void);

/* The identity of this process, and the connection that only its Lease uses. */
typedef struct CliLease {
  KubeCurl *transport;
  char identity[KUBE_LEASE_HOLDER_SIZE];
  ControllerLeaseOptions options; /* for the controller */
} CliLease;

int cli_lease_init(CliLease *lease, const CliLeaseOptions *options, CliShell *shell,
                   const CliConnectOptions *connect, Error *err) MUST_CHECK;
void cli_lease_deinit(CliLease *lease);
