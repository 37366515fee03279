/* SPDX-License-Identifier: Apache-2.0 */
/* Pods and nodes as values: the fields of the Kubernetes API (core/v1, meta/v1) that planning needs, nothing
 * more.
 *
 * Strings are borrowed from the object's arena; absent strings are NULL, absent lists have count 0. Field
 * names are Kubernetes' own. The tables in kube/schema.c say how each field is read from protobuf and JSON.
 */
#pragma once

#include "base/arena.h"

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

/* A uid. As it is read it is a text (`low` is 0); of one in the form of RFC 4122, whoever keeps many objects
 * keeps the sixteen bytes in its place (object_uid_pack), told by the variant's bits at the top of `low`. */
typedef struct ObjectUid {
  union {
    const char *text; /* NULL: none */
    uint64_t high;
  };
  uint64_t low;
} ObjectUid;

/* A resource version, likewise: a text, or the number that it says, told by the highest bit. */
typedef union ObjectVersion {
  const char *text; /* NULL: none */
  uint64_t number;
} ObjectVersion;

enum { OBJECT_UID_SIZE = 37, OBJECT_VERSION_SIZE = 24 /* with their NULs */ };

typedef struct OwnerReference {
  const char *kind;
  const char *name;
  bool controller;
} OwnerReference;

/* What every object begins with. */
#define OBJECT_META_FIELDS                                                                                   \
  const char *name;                                                                                          \
  const char *namespace_;                                                                                    \
  ObjectUid uid;                  /* by object_uid() */                                                      \
  ObjectVersion resource_version; /* by object_version() */                                                  \
  int64_t creation_time;          /* Unix seconds */                                                         \
  int64_t deletion_time;          /* Unix seconds; 0: not being deleted */                                   \
  KeyValues labels;

typedef struct ObjectMeta {
  OBJECT_META_FIELDS
} ObjectMeta;

/* Of pods, of which a hundred thousand are kept, the rest is in their PodCommon. */
typedef struct FullMeta {
  union {
    ObjectMeta base;
    struct {
      OBJECT_META_FIELDS
    };
  };
  KeyValues annotations;
  LIST(OwnerReference) owners;
} FullMeta;

typedef struct Requirement { /* NodeSelectorRequirement */
  const char *key;
  const char *operator_; /* In, NotIn, Exists, DoesNotExist, Gt, Lt */
  Strings values;
} Requirement;

typedef struct NodeSelectorTerm {
  LIST(Requirement) match_expressions;
  LIST(Requirement) match_fields;
} NodeSelectorTerm;

typedef struct LabelSelector { /* both parts must match; an empty one matches everything */
  KeyValues match_labels;
  LIST(Requirement) match_expressions; /* In, NotIn, Exists, DoesNotExist */
} LabelSelector;

typedef struct PodAffinityTerm {
  LabelSelector selector;
  LabelSelector namespace_selector;
  Strings namespaces;
  const char *topology_key;
  Strings match_label_keys, mismatch_label_keys;
  bool has_selector;           /* without one the term matches no pod */
  bool has_namespace_selector; /* without one only `namespaces` count, or else the pod's own namespace */
} PodAffinityTerm;
typedef LIST(PodAffinityTerm) PodAffinityTerms;

typedef struct TopologySpreadConstraint {
  LabelSelector selector;
  const char *topology_key;
  const char *when_unsatisfiable;   /* DoNotSchedule, ScheduleAnyway */
  const char *node_affinity_policy; /* Honor, Ignore; NULL means Honor */
  const char *node_taints_policy;   /* Honor, Ignore; NULL means Ignore */
  Strings match_label_keys;
  int32_t max_skew;
  int32_t min_domains; /* 0: absent, which means 1 */
  bool has_selector;   /* without one no pod is counted */
} TopologySpreadConstraint;

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

typedef struct ContainerPort {
  const char *protocol; /* NULL means TCP */
  const char *host_ip;  /* NULL means all: 0.0.0.0 */
  int32_t host_port;    /* 0: none */
} ContainerPort;

typedef struct Container {
  const char *name;
  const char *restart_policy; /* of init containers: "Always" makes a sidecar */
  ResourceTexts requests;
  ResourceTexts limits;
  LIST(ContainerPort) ports;
} Container;

/* A volume that comes from a claim; of all other kinds only the name is kept. */
typedef struct Volume {
  const char *name;
  const char *claim_name;
  bool is_ephemeral; /* the claim is made for this pod and called <pod>-<volume> */
} Volume;

typedef struct Condition {
  const char *type;
  const char *status; /* True, False, Unknown */
  const char *reason;
  const char *message;
} Condition;

typedef struct SchedulingGate {
  const char *name;
} SchedulingGate;

/* What the pods of one Deployment have in common: most of their specs, and what is mostly the same of their
 * status. A hundred thousand pods have a few thousand of them, so whoever keeps many pods keeps equal ones
 * once. */
typedef struct PodCommon {
  KeyValues annotations; /* not after pod_trim() */
  LIST(OwnerReference) owners;
  /* spec */
  const char *scheduler_name;
  const char *priority_class_name;
  KeyValues node_selector;
  PodAffinityTerms affinity_terms;      /* required ones */
  PodAffinityTerms anti_affinity_terms; /* required ones */
  LIST(TopologySpreadConstraint) spread_constraints;
  LIST(Toleration) tolerations;
  LIST(Volume) volumes;
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
} PodCommon;

typedef struct Pod {
  ObjectMeta meta;
  /* spec */
  PodCommon *common; /* read by pod_common(), changed by who made the pod alone; NULL: an empty one */
  const char *node_name;
  int32_t priority;
  bool has_required_node_affinity;       /* affinity.nodeAffinity.requiredDuringScheduling... is present */
  LIST(NodeSelectorTerm) required_terms; /* of a DaemonSet's pods each has its own */
} Pod;

/* "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3" of the GPU with that index, which its annotations are without
 * (cluster/node_trim.h). */
typedef struct GpuUuid {
  uint8_t index;
  bool is_in_spec, spec_is_alone; /* the wish began with it, and consisted of nothing else */
  uint8_t bytes[16];
} GpuUuid;

typedef struct Node {
  FullMeta meta;
  bool unschedulable;
  LIST(Taint) taints;
  ResourceTexts capacity;
  ResourceTexts allocatable;
  LIST(Condition) conditions;
  const char *kubelet_version; /* "v1.36.2" */
  LIST(GpuUuid) gpu_uuids;     /* filled by node_trim() alone */
} Node;

typedef struct Namespace {
  FullMeta meta;
} Namespace;

typedef struct PersistentVolume {
  FullMeta meta;
  ResourceTexts capacity;
  Strings access_modes;
  const char *claim_namespace, *claim_name, *claim_uid; /* claimRef */
  const char *storage_class_name;
  const char *volume_mode; /* NULL means Filesystem */
  const char *attributes_class_name;
  LIST(NodeSelectorTerm) required_terms; /* nodeAffinity.required */
  const char *phase;
  bool has_claim;
  bool has_required_node_affinity;
} PersistentVolume;

typedef struct PersistentVolumeClaim {
  FullMeta meta;
  LabelSelector selector;
  ResourceTexts requests;
  Strings access_modes;
  const char *volume_name;
  const char *storage_class_name;
  const char *volume_mode;
  const char *attributes_class_name;
  const char *phase;
  bool has_selector;
} PersistentVolumeClaim;

typedef struct TopologyRequirement { /* TopologySelectorLabelRequirement */
  const char *key;
  Strings values;
} TopologyRequirement;

typedef struct TopologyTerm {
  LIST(TopologyRequirement) requirements;
} TopologyTerm;

typedef struct StorageClass {
  FullMeta meta;
  const char *provisioner;
  const char *binding_mode; /* Immediate, WaitForFirstConsumer */
  LIST(TopologyTerm) allowed_topologies;
} StorageClass;

typedef struct Lease { /* coordination.k8s.io/v1 */
  FullMeta meta;
  const char *holder_identity;      /* NULL: nobody holds it */
  int64_t acquire_time, renew_time; /* Unix seconds, by the holder's clock */
  int32_t duration_seconds;
  int32_t transitions;
} Lease;

extern const PodCommon pod_common_empty;

/* The uid as a text, in `room` or where it lies; NULL where there is none. */
const char *object_uid(const ObjectUid *uid, char room[OBJECT_UID_SIZE]);
/* The same, in room of the block around it. */
#define OBJECT_UID(uid) object_uid(&(uid), (char[OBJECT_UID_SIZE]){0})
bool object_uid_equal(ObjectUid a, ObjectUid b);
/* Puts the bytes in the place of the text, which is not needed any more; false: it has to stay a text. */
bool object_uid_pack(ObjectUid *uid);
const char *object_version(const ObjectVersion *version, char room[OBJECT_VERSION_SIZE]);
#define OBJECT_VERSION(version) object_version(&(version), (char[OBJECT_VERSION_SIZE]){0})
bool object_version_equal(ObjectVersion a, ObjectVersion b);
bool object_version_pack(ObjectVersion *version);

/* The value for a key, or NULL. */
const char *key_values_find(const KeyValues *list, const char *key);
/* The value of "<prefix><index>", as annotations about one GPU of a node are called, or NULL. */
const char *key_values_find_index(const KeyValues *list, const char *prefix, int index);
/* What the pod shares with others; never NULL. */
static inline const PodCommon *pod_common(const Pod *pod) {
  return pod->common ? pod->common : &pod_common_empty;
}
/* Takes out what would be different in each pod of a Deployment and nobody reads who plans: volumes that come
 * from no claim, as the one with the service account's token that every pod has, and annotations. Of a pod
 * (Pod) that shares its common part with no other. */
void pod_trim(void *pod, Arena *arena);
/* Succeeded or Failed: holds nothing any more. */
bool pod_is_terminal(const Pod *pod);
/* Made by facet's own agent to take slices out of the scheduler's reach. */
bool pod_is_reservation(const Pod *pod);
/* The condition of that type, or NULL. */
const Condition *pod_find_condition(const Pod *pod, const char *type);
const Condition *node_find_condition(const Node *node, const char *type);
