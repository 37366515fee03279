/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API server is and who we are: kubeconfig files (client-go's rules: KUBECONFIG list merged, first
 * wins, relative paths relative to their file) or the pod's service account. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum { KUBE_CONFIG_FILE_MAX = 4 << 20, KUBE_CONFIG_FILES_MAX = 16 };

typedef struct KubeExec KubeExec; /* kube/exec_plugin.h */

typedef struct KubeConfig {
  char *server;          /* "https://10.0.0.1:6443", no trailing slash */
  char *tls_server_name; /* NULL: that of the server */
  bool insecure;         /* insecure-skip-tls-verify */
  char *proxy_url;
  char *ca_file; /* or */
  char *ca_data; /* PEM, decoded */
  char *client_certificate_file, *client_certificate_data;
  char *client_key_file, *client_key_data;
  char *token;      /* or */
  char *token_file; /* read again each minute and on 401; wins over token */
  char *username, *password;
  KubeExec *exec; /* a program that gives token or certificate; NULL: none */
  char *namespace_;
  char *source; /* for messages: "context x of ~/.kube/config" or "the pod's service account" */
} KubeConfig;

/* path: from --kubeconfig; NULL: $KUBECONFIG, then the service account where KUBERNETES_SERVICE_HOST is set,
 * then ~/.kube/config. context: NULL for current-context. Each error names the file and the field and what to
 * do. */
int kube_config_load(const char *path, const char *context, KubeConfig *ret_config, Error *err) MUST_CHECK;
void kube_config_copy(const KubeConfig *config, KubeConfig *ret_copy);
void kube_config_deinit(KubeConfig *config);
