/* SPDX-License-Identifier: Apache-2.0 */
/* Pods and nodes as values: the fields of the Kubernetes API (core/v1, meta/v1) that planning needs, nothing
 * more.
 *
 * Strings are borrowed from the object's arena; absent strings are NULL, absent lists have count 0. Field
 * names are Kubernetes' own. The tables in kube/schema.c say how each field is read from protobuf and JSON.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of T as every table-driven reader fills it. */
#define LIST(T)                                                                                              \
  struct {                                                                                                   \
    T *items;                                                                                                \
    size_t count;                                                                                            \
  }

typedef struct KeyValue {
  const char *key;
  const char *value;
} KeyValue;
typedef LIST(KeyValue) KeyValues; /* labels, annotations, node selectors; by key */

/* A resource list entry. The quantity stays text here: cluster/resources.h parses it. */
typedef KeyValue ResourceText;
typedef LIST(ResourceText) ResourceTexts;

typedef LIST(const char *) Strings;

typedef struct OwnerReference {
  const char *kind;
  const char *name;
  bool controller;
} OwnerReference;

typedef struct ObjectMeta {
  const char *name;
  const char *namespace_;
  const char *uid;
  const char *resource_version;
  int64_t creation_time; /* Unix seconds */
  int64_t deletion_time; /* Unix seconds; 0: not being deleted */
  KeyValues labels;
  KeyValues annotations;
  LIST(OwnerReference) owners;
} ObjectMeta;

typedef struct Requirement { /* NodeSelectorRequirement */
  const char *key;
  const char *operator_; /* In, NotIn, Exists, DoesNotExist, Gt, Lt */
  Strings values;
} Requirement;

typedef struct NodeSelectorTerm {
  LIST(Requirement) match_expressions;
  LIST(Requirement) match_fields;
} NodeSelectorTerm;

typedef struct Toleration {
  const char *key;
  const char *operator_; /* Exists, Equal; NULL or "" means Equal */
  const char *value;
  const char *effect;
} Toleration;

typedef struct Taint {
  const char *key;
  const char *value;
  const char *effect; /* NoSchedule, PreferNoSchedule, NoExecute */
} Taint;

typedef struct Container {
  const char *name;
  const char *restart_policy; /* of init containers: "Always" makes a sidecar */
  ResourceTexts requests;
  ResourceTexts limits;
} Container;

typedef struct Condition {
  const char *type;
  const char *status; /* True, False, Unknown */
  const char *reason;
  const char *message;
} Condition;

typedef struct SchedulingGate {
  const char *name;
} SchedulingGate;

typedef struct Pod {
  ObjectMeta meta;
  /* spec */
  const char *node_name;
  const char *scheduler_name;
  const char *priority_class_name;
  int32_t priority;
  KeyValues node_selector;
  bool has_required_node_affinity; /* affinity.nodeAffinity.requiredDuringScheduling... is present */
  LIST(NodeSelectorTerm) required_terms;
  LIST(Toleration) tolerations;
  LIST(SchedulingGate) scheduling_gates;
  LIST(Container) init_containers;
  LIST(Container) containers;
  ResourceTexts overhead;
  bool has_pod_resources;     /* spec.resources is present */
  ResourceTexts pod_requests; /* spec.resources.requests */
  /* status */
  const char *phase; /* Pending, Running, Succeeded, Failed, Unknown */
  const char *reason;
  const char *message;
  const char *nominated_node_name;
  LIST(Condition) conditions;
} Pod;

typedef struct Node {
  ObjectMeta meta;
  bool unschedulable;
  LIST(Taint) taints;
  ResourceTexts capacity;
  ResourceTexts allocatable;
  LIST(Condition) conditions;
} Node;

/* The value for a key, or NULL. */
const char *key_values_find(const KeyValues *list, const char *key);
/* Succeeded or Failed: holds nothing any more. */
bool pod_is_terminal(const Pod *pod);
/* Made by facet's own agent to take slices out of the scheduler's reach. */
bool pod_is_reservation(const Pod *pod);
/* The condition of that type, or NULL. */
const Condition *pod_find_condition(const Pod *pod, const char *type);
const Condition *node_find_condition(const Node *node, const char *type);
