/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet check` asks a live API server besides nodes and pods: its version, facet's namespace,
 * PriorityClass and Lease, and what its two accounts may do (SubjectAccessReview, which is a question and
 * creates nothing). What the server does not let us see stays unknown and is told. */
#pragma once

#include "check/check.h"
#include "cli/connect.h"

typedef struct CliCheckProbe {
  char server_version[64]; /* "": unknown */
  CheckFact has_namespace, has_priority_class, has_lease;
  int64_t lease_renewed;
  CheckFact allowed[CHECK_RIGHTS_MAX];
  ARRAY(char *) unseen; /* sentences, fit for a terminal */
} CliCheckProbe;

typedef struct CliCheckPlace { /* where facet is */
  const char *namespace_, *controller_account, *agent_account;
} CliCheckPlace;

/* Into a probe of zeroes. Fails where the server cannot be reached at all. */
int cli_check_probe(const CliConnectOptions *options, const CliCheckPlace *place, CliCheckProbe *ret_probe,
                    Error *err) MUST_CHECK;
void cli_check_probe_deinit(CliCheckProbe *probe);
