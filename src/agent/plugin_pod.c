/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plugin_pod.h"

#include "base/array.h"
#include "base/memory.h"
#include "cluster/object.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const selectors[] = {
    "app=nvidia-device-plugin-daemonset",          /* GPU Operator */
    "app.kubernetes.io/name=nvidia-device-plugin", /* its own Helm chart */
    "name=nvidia-device-plugin-ds",                /* its static manifest */
    "k8s-app=nvidia-gpu-device-plugin",            /* GKE */
};

const char *agent_plugin_pod_selector(size_t i) {
  return i < COUNT_OF(selectors) ? selectors[i] : NULL;
}

static void append_escaped(Text *path, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (isalnum(byte) || strchr("-._~", byte))
      text_append_bytes(path, text, 1);
    else
      text_format(path, "%%%02X", byte);
  }
}

void agent_plugin_pod_format_path(const char *node, const char *selector, Text *ret_path) {
  text_append(ret_path, "/api/v1/pods?fieldSelector=spec.nodeName%3D");
  append_escaped(ret_path, node);
  text_append(ret_path, "&labelSelector=");
  append_escaped(ret_path, selector);
}

typedef struct Search {
  const char *node;
  bool is_certain;
  const Pod *pod; /* NULL: not found yet */
  bool is_leaving;
  size_t count;
  ARRAY(KubeObject *) objects;
} Search;

static void search_deinit(Search *search) {
  for (size_t i = 0; i < search->objects.count; i++)
    kube_object_free(search->objects.items[i]);
  array_deinit(&search->objects);
}

static bool has_plugin_container(const Pod *pod) {
  for (size_t i = 0; i < pod->containers.count; i++)
    if (strstr(string_or_empty(pod->containers.items[i].name), "device-plugin"))
      return true;
  return false;
}

static void on_pod(void *userdata, KubeObject *object) {
  Search *search = userdata;
  *array_push(&search->objects) = object;
  const Pod *pod = object->value;
  if (!string_equal(pod->node_name, search->node) || pod_is_terminal(pod) ||
      !(search->is_certain || has_plugin_container(pod)))
    return;
  search->is_leaving = search->is_leaving || pod->meta.deletion_time;
  if (pod->meta.deletion_time)
    return;
  search->pod = pod;
  search->count++;
}

static int read_pods(const KubeAnswer *answer, Search *search, Error *err) {
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, answer->format, on_pod, search);
  const char *version, *more;
  int r = kube_list_reader_feed(reader, answer->body, answer->body_size, err);
  return r < 0 ? r : kube_list_reader_finish(reader, &version, &more, err);
}

/* A DaemonSet makes a new one. Without a controller nobody does, and the kubelet's own (static) pods do not
 * care about a deletion. */
static bool comes_back(const Pod *pod) {
  for (size_t i = 0; i < pod->meta.owners.count; i++)
    if (pod->meta.owners.items[i].controller)
      return !string_equal(pod->meta.owners.items[i].kind, "Node");
  return false;
}

int agent_plugin_pod_find(const KubeAnswer *answer, const char *node, bool is_certain,
                          AgentPluginPod *ret_pod, Error *err) {
  CLEANUP(search_deinit) Search search = {.node = node, .is_certain = is_certain};
  int r = read_pods(answer, &search, err);
  if (r < 0)
    return r;
  if (!search.count)
    return search.is_leaving ? AGENT_PLUGIN_POD_LEAVING : AGENT_PLUGIN_POD_NONE;
  const Pod *pod = search.pod;
  if (search.count > 1)
    return error_set(err, ERROR_INVALID,
                     "%zu pods of this node may be it, one of them %s/%s: say which with "
                     "--nvidia-plugin-selector",
                     search.count, pod->meta.namespace_, pod->meta.name);
  if (!comes_back(pod))
    return error_set(err, ERROR_UNSUPPORTED,
                     "its pod %s/%s has no controller that would start it again after a deletion: let the "
                     "agent see its process (hostPID: true)",
                     pod->meta.namespace_, pod->meta.name);
  snprintf(ret_pod->namespace_, sizeof ret_pod->namespace_, "%s", string_or_empty(pod->meta.namespace_));
  snprintf(ret_pod->name, sizeof ret_pod->name, "%s", string_or_empty(pod->meta.name));
  snprintf(ret_pod->uid, sizeof ret_pod->uid, "%s", string_or_empty(pod->meta.uid));
  return 0;
}

void agent_plugin_pod_format_deletion(const AgentPluginPod *pod, Text *ret_body) {
  text_append(ret_body, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":");
  text_append_json(ret_body, pod->uid);
  text_append(ret_body, "}}");
}
