/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reservation.h"

#include <stdio.h>

static uint64_t hash_of(const char *text) {
  uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return hash;
}

/* Node names are DNS subdomains, up to 253 characters; label values have 63. */
void agent_reservation_label(const char *node, char ret_label[AGENT_LABEL_SIZE]) {
  if (strlen(node) < AGENT_LABEL_SIZE)
    snprintf(ret_label, AGENT_LABEL_SIZE, "%s", node);
  else
    snprintf(ret_label, AGENT_LABEL_SIZE, "%.46s-%016llx", node, (unsigned long long)hash_of(node));
}

void agent_reservation_name(const char *prefix, uint64_t random, char ret_name[AGENT_RECUT_NAME_SIZE]) {
  snprintf(ret_name, AGENT_RECUT_NAME_SIZE, "%s%012llx", prefix,
           (unsigned long long)(random & UINT64_C(0xffffffffffff)));
}

static void append_member(Text *body, const char *key, const char *value) {
  text_format(body, "\"%s\":", key);
  text_append_json(body, value);
}

static void append_metadata(const Node *node, const char *name, const AgentRecut *recut, Text *body) {
  char label[AGENT_LABEL_SIZE];
  agent_reservation_label(node->meta.name, label);
  text_append(body, "\"metadata\":{");
  append_member(body, "name", name);
  text_append(body, ",\"labels\":{");
  append_member(body, MIG_LABEL_RESERVATION, label);
  text_append(body, "},\"annotations\":{");
  append_member(body, AGENT_RESERVATION_PLAN, recut->plan);
  text_append(body, "},\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",");
  append_member(body, "name", node->meta.name);
  text_append(body, ",");
  append_member(body, "uid", string_or_empty(OBJECT_UID(node->meta.uid)));
  text_append(body, "}]},");
}

static bool is_first_of_resource(const AgentTargets *targets, size_t i) {
  for (size_t before = 0; before < i; before++)
    if (strcmp(targets->items[before].resource, targets->items[i].resource) == 0)
      return false;
  return true;
}

static void append_limits(const AgentTargets *targets, Text *body) {
  const char *separator = "";
  text_append(body, "\"resources\":{\"limits\":{");
  for (size_t i = 0; i < targets->count; i++) {
    const char *resource = targets->items[i].resource;
    if (!is_first_of_resource(targets, i))
      continue;
    text_format(body, "%s\"%s\":\"%d\"", separator, resource, agent_targets_count(targets, resource));
    separator = ",";
  }
  text_append(body, "}}");
}

/* targets NULL: it asks for nothing. */
static void append_container(const AgentTargets *targets, Text *body) {
  text_append(body, "\"containers\":[{\"name\":\"reservation\",\"image\":\"facet.gpu/reservation\","
                    "\"imagePullPolicy\":\"Never\",\"securityContext\":{\"allowPrivilegeEscalation\":false,"
                    "\"capabilities\":{\"drop\":[\"ALL\"]},\"readOnlyRootFilesystem\":true}");
  if (targets) {
    text_append(body, ",");
    append_limits(targets, body);
  }
  text_append(body, "}]");
}

/* offer 0: whatever the node offers. */
static void append_affinity(const Node *node, int64_t offer, Text *body) {
  text_append(body, "\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":"
                    "{\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\","
                    "\"operator\":\"In\",\"values\":[");
  text_append_json(body, node->meta.name);
  text_append(body, "]}]");
  if (offer)
    text_format(body,
                ",\"matchExpressions\":[{\"key\":\"" MIG_LABEL_OFFER "\",\"operator\":\"Gt\","
                "\"values\":[\"%lld\"]}]",
                (long long)offer - 1);
  text_append(body, "}]}}}");
}

static void append_spec(const Node *node, const AgentTargets *asked, int64_t offer, const char *scheduler,
                        Text *body) {
  text_append(body, "\"spec\":{");
  if (scheduler) {
    append_member(body, "schedulerName", scheduler);
    text_append(body, ",");
  }
  append_member(body, "priorityClassName", AGENT_RESERVATION_PRIORITY_CLASS);
  text_append(body, ",");
  append_affinity(node, offer, body);
  text_format(body, ",\"activeDeadlineSeconds\":%d", AGENT_RESERVATION_DEADLINE_S);
  text_append(body, ",\"tolerations\":[{\"operator\":\"Exists\"}],\"restartPolicy\":\"Never\","
                    "\"terminationGracePeriodSeconds\":1,\"automountServiceAccountToken\":false,"
                    "\"enableServiceLinks\":false,\"securityContext\":{\"runAsNonRoot\":true,"
                    "\"runAsUser\":65534,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},");
  append_container(asked, body);
  text_append(body, "}");
}

void agent_reservation_format(const Node *node, const AgentRecut *recut, const AgentTargets *asked,
                              const char *scheduler, Text *ret_body) {
  text_append(ret_body, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",");
  append_metadata(node, recut->pod, recut, ret_body);
  append_spec(node, asked, 0, scheduler, ret_body);
  text_append(ret_body, "}");
}

void agent_reservation_format_witness(const Node *node, const AgentRecut *recut, const char *scheduler,
                                      Text *ret_body) {
  assert(recut->offer > 0);
  text_append(ret_body, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",");
  append_metadata(node, recut->witness, recut, ret_body);
  append_spec(node, NULL, recut->offer, scheduler, ret_body);
  text_append(ret_body, "}");
}

AgentPodState agent_reservation_judge(const Pod *pod, const char **ret_says) {
  *ret_says = NULL;
  if (!pod)
    return AGENT_POD_ABSENT;
  if (pod->meta.deletion_time)
    return AGENT_POD_LEAVING;
  if (pod_is_terminal(pod)) {
    *ret_says = pod_common(pod)->message;
    return AGENT_POD_ENDED;
  }
  if (pod->node_name && *pod->node_name)
    return AGENT_POD_BOUND;
  const Condition *scheduled = pod_find_condition(pod, "PodScheduled");
  if (!scheduled || !string_equal(scheduled->reason, "Unschedulable"))
    return AGENT_POD_WAITING;
  *ret_says = scheduled->message;
  return AGENT_POD_UNSCHEDULABLE;
}
