/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/connect.h"

#include "base/log.h"

int cli_connect_check_log_level(const char *word, Error *err) {
  LogLevel level;
  if (word && log_level_parse(word, &level) < 0)
    return error_set(err, ERROR_INVALID, "--log-level wants error, warn, info or debug, not \"%s\"", word);
  return 0;
}

void cli_connect_apply_log_level(const char *word) {
  LogLevel level = LOG_LEVEL_INFO;
  (void)!(word && log_level_parse(word, &level) < 0);
  log_configure((LogConfig){.level = level});
}

static void on_exec_failed(void *userdata, const Error *err, uint32_t held_back) {
  log_warn("shell", "no new credential", "held_back=%u hint=" LOG_QUOTED " err=" LOG_QUOTED, held_back,
           "the old one is used on; run the exec plugin by hand, where it tells more, or log in again",
           err->text);
}

static int connect_to(CliShell *shell, const CliConnectOptions *options, KubeConfig *ret_config,
                      KubeCurl **ret_transport, Error *err) {
  int r = kube_config_load(options->kubeconfig, options->context, ret_config, err);
  if (r < 0)
    return r;
  r = kube_curl_new(&shell->loop, ret_config, ret_transport, err);
  if (r >= 0)
    kube_curl_hear_exec(*ret_transport, on_exec_failed, NULL);
  return r;
}

int cli_connect(CliShell *shell, const CliConnectOptions *options, KubeCurl **ret_transport, Error *err) {
  int r = cli_connect_check_log_level(options->log_level, err);
  if (r < 0)
    return r;
  if (options->log_level)
    cli_connect_apply_log_level(options->log_level);
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  r = connect_to(shell, options, &config, ret_transport, err);
  if (r < 0)
    return r;
  log_info("shell", "API server", "server=%s source=" LOG_QUOTED, config.server, config.source);
  return 0;
}

int cli_connect_again(CliShell *shell, const CliConnectOptions *options, KubeCurl **ret_transport,
                      Error *err) {
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  return connect_to(shell, options, &config, ret_transport, err);
}
