/* SPDX-License-Identifier: Apache-2.0 */
/* Options and steps that all verbs share which talk to the API server. */
#pragma once

#include "cli/shell.h"
#include "cli/verb.h"
#include "kube/curl_transport.h"

typedef struct CliConnectOptions {
  const char *kubeconfig;
  const char *context;
  const char *log_level;
} CliConnectOptions;

/* Rows for an options table; `member` is the CliConnectOptions inside the verb's struct. */
#define CLI_CONNECT_OPTIONS(Struct, member)                                                                  \
  {"--kubeconfig", CLI_STRING, offsetof(Struct, member.kubeconfig), "FILE",                                  \
   "Where the API server is (default: $KUBECONFIG, the pod's service account, ~/.kube/config)."},            \
      {"--context", CLI_STRING, offsetof(Struct, member.context), "NAME",                                    \
       "Context of the kubeconfig (default: its current-context)."},                                         \
  {                                                                                                          \
    "--log-level", CLI_STRING, offsetof(Struct, member.log_level), "error|warn|info|debug",                  \
        "How much is logged (default: info)."                                                                \
  }

/* Sets the log level, loads the configuration and makes the transport. */
int cli_connect(CliShell *shell, const CliConnectOptions *options, KubeCurl **ret_transport,
                Error *err) MUST_CHECK;
/* --log-level, in words; NULL is the default. */
int cli_connect_check_log_level(const char *word, Error *err) MUST_CHECK;
void cli_connect_apply_log_level(const char *word); /* that was checked */
/* One more connection to the same server, without a word in the log. */
int cli_connect_again(CliShell *shell, const CliConnectOptions *options, KubeCurl **ret_transport,
                      Error *err) MUST_CHECK;
DEFINE_CLEANUP(KubeCurl, kube_curl_free)
