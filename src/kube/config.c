/* SPDX-License-Identifier: Apache-2.0 */
/* Where to look, in this order: the file that was asked for, the list in KUBECONFIG, the pod's service
 * account, the file in the home folder. The first that exists is used; when nothing is found the error tells
 * the whole list. */
#include "kube/config.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/exec_plugin.h"
#include "kube/kubeconfig.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SERVICE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

static void cleanup_files(KubeconfigFiles *files) {
  for (size_t i = 0; i < files->count; i++)
    kube_yaml_free(files->items[i]);
}

/* A file that says what it is must say that it is a kubeconfig; most say nothing or the right thing. */
static int check_kind(KubeYaml *file, Error *err) {
  yaml_node_t *root = NULL;
  CLEANUP(cleanup_free) char *kind = NULL;
  int r = kube_yaml_get_root(file, &root, err);
  if (r < 0)
    return r;
  r = kube_yaml_find_text(file, root, "kind", &kind, err);
  if (r < 0)
    return r;
  if (kind && strcmp(kind, "Config") != 0)
    return error_set(err, ERROR_INVALID, "%s is not a kubeconfig: its kind is %s, not Config", file->path,
                     kind);
  return 0;
}

static int add_file(KubeconfigFiles *files, const char *path, Error *err) {
  for (size_t i = 0; i < files->count; i++)
    if (string_equal(files->items[i]->path, path))
      return 0;
  if (files->count == KUBE_CONFIG_FILES_MAX)
    return error_set(err, ERROR_LIMIT, "KUBECONFIG names more than %d files; shorten the list",
                     KUBE_CONFIG_FILES_MAX);
  CLEANUP(kube_yaml_freep) KubeYaml *file = NULL;
  int r = kube_yaml_load(path, &file, err);
  if (r != 0)
    return r;
  r = check_kind(file, err);
  if (r < 0)
    return r;
  files->items[files->count++] = TAKE(file);
  return 0;
}

static int load_named_file(const char *path, const char *context, KubeConfig *ret_config, Error *err) {
  CLEANUP(cleanup_files) KubeconfigFiles files = {.where = path};
  int r = add_file(&files, path, err);
  if (r == KUBE_YAML_ABSENT)
    return error_set(err, ERROR_NOT_FOUND, "the kubeconfig %s does not exist; check --kubeconfig", path);
  return r < 0 ? r : kube_kubeconfig_select(&files, context, ret_config, err);
}

/* Files of the list that do not exist are skipped, as kubectl does; at least one must. */
static int load_file_list(const char *list, const char *context, KubeConfig *ret_config, Error *err) {
  CLEANUP(cleanup_files) KubeconfigFiles files = {.where = list};
  for (const char *start = list; *start;) {
    size_t size = strcspn(start, ":");
    CLEANUP(cleanup_free) char *path = mem_strndup(start, size);
    int r = size ? add_file(&files, path, err) : 0;
    if (r < 0)
      return r;
    start += size + (start[size] == ':');
  }
  if (!files.count)
    return error_set(err, ERROR_NOT_FOUND,
                     "no file of KUBECONFIG (%s) exists; correct it or give --kubeconfig FILE", list);
  return kube_kubeconfig_select(&files, context, ret_config, err);
}

static int load_home(const char *home, const char *context, KubeConfig *ret_config, Error *err) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/.kube/config", home ? home : "~");
  CLEANUP(cleanup_files) KubeconfigFiles files = {.where = path};
  int r = home ? add_file(&files, path, err) : KUBE_YAML_ABSENT;
  if (r == KUBE_YAML_ABSENT)
    return error_set(err, ERROR_NOT_FOUND,
                     "no way to a cluster: KUBECONFIG is not set, this is not a pod (KUBERNETES_SERVICE_HOST "
                     "is not set), and %s %s; give --kubeconfig FILE",
                     path, home ? "does not exist" : "cannot be found because HOME is not set");
  return r < 0 ? r : kube_kubeconfig_select(&files, context, ret_config, err);
}

static int check_readable(const char *path, Error *err) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  if (!file)
    return error_set_errno(err, ERROR_IO, errno,
                           "the service account of this pod cannot be used: cannot read %s", path);
  return 0;
}

static char *read_line(const char *path) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  char line[256] = "";
  if (!file || !fgets(line, sizeof line, file))
    return NULL;
  line[strcspn(line, "\r\n")] = '\0';
  return *line ? mem_strdup(line) : NULL;
}

int kube_service_account_read(const char *folder, const char *host, const char *port, KubeConfig *ret_config,
                              Error *err) {
  assert(folder && host);
  if (!port || !*port)
    return error_set(err, ERROR_INVALID,
                     "KUBERNETES_SERVICE_HOST is set but KUBERNETES_SERVICE_PORT is not; set both or give "
                     "--kubeconfig FILE");
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  bool is_ipv6 = strchr(host, ':') != NULL;
  config.server = mem_format(is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
  config.token_file = mem_format("%s/token", folder);
  config.ca_file = mem_format("%s/ca.crt", folder);
  CLEANUP(cleanup_free) char *namespace_file = mem_format("%s/namespace", folder);
  int r = check_readable(config.token_file, err);
  if (r < 0)
    return r;
  r = check_readable(config.ca_file, err);
  if (r < 0)
    return r;
  config.namespace_ = read_line(namespace_file);
  if (!config.namespace_)
    config.namespace_ = mem_strdup("default");
  config.source = mem_strdup("the pod's service account");
  *ret_config = config;
  config = (KubeConfig){0};
  return 0;
}

int kube_config_load(const char *path, const char *context, KubeConfig *ret_config, Error *err) {
  assert(ret_config && err);
  const char *list = getenv("KUBECONFIG");
  const char *pod_host = getenv("KUBERNETES_SERVICE_HOST");
  if (path)
    return load_named_file(path, context, ret_config, err);
  if (list && *list)
    return load_file_list(list, context, ret_config, err);
  if (pod_host && *pod_host)
    return kube_service_account_read(SERVICE_ACCOUNT_FOLDER, pod_host, getenv("KUBERNETES_SERVICE_PORT"),
                                     ret_config, err);
  return load_home(getenv("HOME"), context, ret_config, err);
}

/* Every text that a KubeConfig owns. */
static const size_t texts[] = {
    offsetof(KubeConfig, server),
    offsetof(KubeConfig, tls_server_name),
    offsetof(KubeConfig, proxy_url),
    offsetof(KubeConfig, ca_file),
    offsetof(KubeConfig, ca_data),
    offsetof(KubeConfig, client_certificate_file),
    offsetof(KubeConfig, client_certificate_data),
    offsetof(KubeConfig, client_key_file),
    offsetof(KubeConfig, client_key_data),
    offsetof(KubeConfig, token),
    offsetof(KubeConfig, token_file),
    offsetof(KubeConfig, username),
    offsetof(KubeConfig, password),
    offsetof(KubeConfig, namespace_),
    offsetof(KubeConfig, source),
};

_Static_assert(COUNT_OF(texts) == sizeof(KubeConfig) / sizeof(char *) - 2,
               "all members but `insecure` and `exec`");

static char **text_at(KubeConfig *config, size_t i) {
  return (char **)((char *)config + texts[i]);
}

void kube_config_copy(const KubeConfig *config, KubeConfig *ret_copy) {
  KubeConfig copy = *config;
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    *text_at(&copy, i) = mem_strdup(*text_at(&copy, i));
  copy.exec = kube_exec_copy(config->exec);
  *ret_copy = copy;
}

void kube_config_deinit(KubeConfig *config) {
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    free(*text_at(config, i));
  kube_exec_free(config->exec);
  *config = (KubeConfig){0};
}
