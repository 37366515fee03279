/* SPDX-License-Identifier: Apache-2.0 */
/* Pods of this node that others look after, as the API server lists them, and the deletion of one, after
 * which its controller brings a new one. */
#pragma once

#include "base/array.h"
#include "base/text.h"
#include "cluster/object.h"
#include "kube/client.h"

enum { AGENT_NODE_POD_NAME_SIZE = 254, AGENT_NODE_POD_UID_SIZE = 64 };

/* One pod, beyond the answer that it was in. */
typedef struct AgentNodePod {
  char namespace_[AGENT_NODE_POD_NAME_SIZE];
  char name[AGENT_NODE_POD_NAME_SIZE];
  char uid[AGENT_NODE_POD_UID_SIZE];
} AgentNodePod;

/* The objects of an answer; the value of each is a Pod. */
typedef struct AgentNodePods {
  ARRAY(KubeObject *) objects;
} AgentNodePods;

/* Of the request for the pods of the node that match LABEL=VALUE. namespace_ NULL: in all of them. */
void agent_node_pods_format_path(const char *namespace_, const char *node, const char *selector,
                                 Text *ret_path);
int agent_node_pods_read(const KubeAnswer *answer, AgentNodePods *ret_pods, Error *err) MUST_CHECK;
void agent_node_pods_deinit(AgentNodePods *pods);

/* On the node and not ended; it may be on its way out. */
bool agent_node_pod_is_here(const Pod *pod, const char *node);
/* Kind of the controller that owns it; NULL where none does. */
const char *agent_node_pod_controller(const Pod *pod);
void agent_node_pod_keep(const Pod *pod, AgentNodePod *ret_kept);

/* Body of its DELETE: this very pod, not another one of its name. */
void agent_node_pod_format_deletion(const AgentNodePod *pod, Text *ret_body);
void agent_node_pod_delete(KubeClient *client, const AgentNodePod *pod, KubeOnAnswer *on_answer,
                           void *userdata);
/* It is gone, or going, by us or somebody else. Otherwise err says why not. */
bool agent_node_pod_is_deleted(const KubeAnswer *answer, Error *err);
