/* SPDX-License-Identifier: Apache-2.0 */
/* The two places a configuration can come from, each by itself. Private to kube/: config.c chooses. */
#pragma once

#include "kube/config.h"
#include "kube/yaml_file.h"

typedef struct KubeconfigFiles {
  KubeYaml *items[KUBE_CONFIG_FILES_MAX]; /* in the order of KUBECONFIG: the first that knows a name wins */
  size_t count;
  const char *where; /* how to call them all: "~/.kube/config", "a:b" */
} KubeconfigFiles;

/* The named context (NULL: the current one) with its cluster and user. */
int kube_kubeconfig_select(const KubeconfigFiles *files, const char *context, KubeConfig *ret_config,
                           Error *err) MUST_CHECK;

/* The folder that Kubernetes mounts into a pod: token, ca.crt, namespace. */
int kube_service_account_read(const char *folder, const char *host, const char *port, KubeConfig *ret_config,
                              Error *err) MUST_CHECK;
