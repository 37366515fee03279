/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/node_pods.h"

#include "base/memory.h"
#include "kube/escape.h"

#include <stdio.h>

void agent_node_pods_format_path(const char *namespace_, const char *node, const char *selector,
                                 Text *ret_path) {
  text_append(ret_path, "/api/v1/");
  if (namespace_) {
    text_append(ret_path, "namespaces/");
    kube_escape_append(ret_path, namespace_);
    text_append(ret_path, "/");
  }
  text_append(ret_path, "pods?fieldSelector=spec.nodeName%3D");
  kube_escape_append(ret_path, node);
  text_append(ret_path, "&labelSelector=");
  kube_escape_append(ret_path, selector);
}

static void on_pod(void *userdata, KubeObject *object) {
  AgentNodePods *pods = userdata;
  *array_push(&pods->objects) = object;
}

int agent_node_pods_read(const KubeAnswer *answer, AgentNodePods *ret_pods, Error *err) {
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, answer->format, on_pod, ret_pods);
  const char *version, *more;
  int r = kube_list_reader_feed(reader, answer->body, answer->body_size, err);
  return r < 0 ? r : kube_list_reader_finish(reader, &version, &more, err);
}

void agent_node_pods_deinit(AgentNodePods *pods) {
  for (size_t i = 0; i < pods->objects.count; i++)
    kube_object_free(pods->objects.items[i]);
  array_deinit(&pods->objects);
}

bool agent_node_pod_is_here(const Pod *pod, const char *node) {
  return string_equal(pod->node_name, node) && !pod_is_terminal(pod);
}

const char *agent_node_pod_controller(const Pod *pod) {
  for (size_t i = 0; i < pod_common(pod)->owners.count; i++)
    if (pod_common(pod)->owners.items[i].controller)
      return pod_common(pod)->owners.items[i].kind;
  return NULL;
}

void agent_node_pod_keep(const Pod *pod, AgentNodePod *ret_kept) {
  snprintf(ret_kept->namespace_, sizeof ret_kept->namespace_, "%s", string_or_empty(pod->meta.namespace_));
  snprintf(ret_kept->name, sizeof ret_kept->name, "%s", string_or_empty(pod->meta.name));
  snprintf(ret_kept->uid, sizeof ret_kept->uid, "%s", string_or_empty(OBJECT_UID(pod->meta.uid)));
}

void agent_node_pod_format_deletion(const AgentNodePod *pod, Text *ret_body) {
  text_append(ret_body, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":");
  text_append_json(ret_body, pod->uid);
  text_append(ret_body, "}}");
}

void agent_node_pod_delete(KubeClient *client, const AgentNodePod *pod, KubeOnAnswer *on_answer,
                           void *userdata) {
  CLEANUP(cleanup_free)
  char *path = mem_format("/api/v1/namespaces/%s/pods/%s", pod->namespace_, pod->name);
  CLEANUP(text_deinit) Text body = {0};
  agent_node_pod_format_deletion(pod, &body);
  kube_client_call(client, &(KubeCallOptions){.method = "DELETE",
                                              .path = path,
                                              .content_type = "application/json",
                                              .body = text_string(&body),
                                              .body_size = body.size,
                                              .on_answer = on_answer,
                                              .userdata = userdata});
}

bool agent_node_pod_is_deleted(const KubeAnswer *answer, Error *err) {
  bool is_gone = !answer->err && (answer->status == 404 || answer->status == 409);
  return kube_answer_is_ok(answer, err) || is_gone;
}
