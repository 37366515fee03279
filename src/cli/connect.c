/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/connect.h"

#include "base/log.h"

int cli_connect(CliShell *shell, const CliConnectOptions *options, KubeCurl **ret_transport, Error *err) {
  if (options->log_level) {
    LogLevel level;
    if (log_level_parse(options->log_level, &level) < 0)
      return error_set(err, ERROR_INVALID, "--log-level wants error, warn, info or debug, not \"%s\"",
                       options->log_level);
    log_configure((LogConfig){.level = level});
  }
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  int r = kube_config_load(options->kubeconfig, options->context, &config, err);
  if (r < 0)
    return r;
  r = kube_curl_new(&shell->loop, &config, ret_transport, err);
  if (r < 0)
    return r;
  log_info("shell", "API server", "server=%s source=" LOG_QUOTED, config.server, config.source);
  return 0;
}
