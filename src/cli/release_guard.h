/* SPDX-License-Identifier: Apache-2.0 */
/* Controller and agent do not work with a Kubernetes that is too old (cluster/release.h): the API server is
 * asked for its version, again and again until it answers, while the program begins. Too old is the end: it
 * is said on the node, where the program belongs to one, and on_refused is called. Who may not see the
 * version goes on. */
#pragma once

#include "base/host.h"
#include "kube/client.h"

enum { CLI_GUARD_RETRY_FIRST_MS = 1000, CLI_GUARD_RETRY_MAX_MS = 60000 };

typedef struct CliReleaseGuard {
  Host *host;
  KubeClient *client;
  const char *component; /* for the log */
  const char *node_name; /* whose annotation facet.gpu/error tells it; NULL: none */
  /* Once each, from the loop: it is too old, before the node is told (may be set after init); and the end. */
  void (*on_refusing)(void *userdata);
  void *refusing_userdata;
  void (*on_refused)(void *userdata);
  void *userdata;
  HostTimer timer;
  uint64_t retry_ms;
  Error refusal; /* why, when on_refused is called; code 0: not refused */
} CliReleaseGuard;

/* Begins to ask. The strings are borrowed. */
void cli_release_guard_init(CliReleaseGuard *guard, Host *host, KubeTransport *transport,
                            const char *component, const char *node_name, void (*on_refused)(void *userdata),
                            void *userdata);
/* Negative with the sentence where it refused. */
int cli_release_guard_result(const CliReleaseGuard *guard, Error *err) MUST_CHECK;
void cli_release_guard_deinit(CliReleaseGuard *guard); /* one of zeroes, too */
