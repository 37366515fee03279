/* SPDX-License-Identifier: Apache-2.0 */
/* As for client-go, an identity is the host's name and something random: a pod that is started again has the
 * same name, and must not take its dead predecessor's Lease for its own. */
#include "cli/lease.h"

#include <unistd.h>

CliLeaseOptions cli_lease_defaults(void) {
  const char *namespace_ = getenv("POD_NAMESPACE");
  return (CliLeaseOptions){.elect = getenv("KUBERNETES_SERVICE_HOST") != NULL,
                           .namespace_ = namespace_ && *namespace_ ? namespace_ : "facet-system",
                           .name = "facet-controller"};
}

int cli_lease_init(CliLease *lease, const CliLeaseOptions *options, CliShell *shell,
                   const CliConnectOptions *connect, Error *err) {
  *lease = (CliLease){0};
  int r = cli_connect_again(shell, connect, &lease->transport, err);
  if (r < 0)
    return r;
  char host_name[256] = "facet";
  gethostname(host_name, sizeof host_name - 1);
  snprintf(lease->identity, sizeof lease->identity, "%s_%016llx", host_name,
           (unsigned long long)random_next(&shell->host.random));
  lease->options = (ControllerLeaseOptions){.namespace_ = options->namespace_,
                                            .name = options->name,
                                            .identity = lease->identity,
                                            .transport = kube_curl_seam(lease->transport)};
  return 0;
}

void cli_lease_deinit(CliLease *lease) {
  kube_curl_free(lease->transport);
}
