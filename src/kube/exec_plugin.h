/* SPDX-License-Identifier: Apache-2.0 */
/* An exec credential plugin (client.authentication.k8s.io/v1 and v1beta1; Kubernetes documentation,
 * "client-go credential plugins"): how a kubeconfig says that it is called, what it is told, what it answers.
 * Private to kube/; exec_run.h runs it. */
#pragma once

#include "kube/config.h"
#include "kube/yaml_file.h"

#include <stdint.h>

enum {
  KUBE_EXEC_OUTPUT_MAX = 1 << 20,
  KUBE_EXEC_MS = 60000,
  KUBE_EXEC_WORDS_MAX = 100 /* of args, of env */
};

struct KubeExec {
  char *api_version, *command;
  char *install_hint; /* what to do where the command is not there; NULL */
  char **args;        /* the command is the first; NULL ends them */
  char **env;         /* "NAME=value"; NULL ends them */
  bool provides_cluster_info;
};

typedef struct KubeExecCredential {
  char *token;
  char *certificate, *key; /* PEM */
  int64_t expires_s;       /* Unix seconds; 0: it does not say */
} KubeExecCredential;

/* `map` is what stands under "exec" of the user. */
int kube_exec_read(KubeYaml *file, yaml_node_t *map, const char *user, KubeExec **ret_exec,
                   Error *err) MUST_CHECK;
KubeExec *kube_exec_copy(const KubeExec *exec); /* NULL stays NULL */
void kube_exec_free(KubeExec *exec);
DEFINE_CLEANUP(KubeExec, kube_exec_free)

/* The environment for the plugin: ours, what the kubeconfig adds, and KUBERNETES_EXEC_INFO. */
char **kube_exec_make_env(const KubeConfig *config);
void kube_exec_free_words(char **words);
/* What the plugin printed. */
int kube_exec_decode(const KubeConfig *config, const char *bytes, size_t size,
                     KubeExecCredential *ret_credential, Error *err) MUST_CHECK;
/* The config's token and client certificate are the credential's from now on; what it brings none of, stays.
 */
void kube_exec_apply(const KubeExecCredential *credential, KubeConfig *config);
void kube_exec_credential_deinit(KubeExecCredential *credential);
