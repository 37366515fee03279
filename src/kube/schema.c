/* SPDX-License-Identifier: Apache-2.0 */
/* One row per field that we keep. Numbers come from generated.proto of k8s.io/api v0.36.2 (core/v1,
 * storage/v1) and k8s.io/apimachinery v0.36.2 (meta/v1); protobuf field names there are the JSON names, so
 * one row serves both formats. Messages whose fields go into the struct around them (spec, status, affinity)
 * have offset 0: their rows are offsets into that outer struct. */
#include "kube/schema.h"

#include "base/cleanup.h"
#include "cluster/object.h"

#define ROW(struct_, number, name, kind, member)                                                             \
  { name, number, kind, offsetof(struct_, member), NULL, 0, -1, 0 }
#define STRING(struct_, number, name, member) ROW(struct_, number, name, KUBE_STRING, member)
#define LIST_OF(struct_, number, name, member, message)                                                      \
  {                                                                                                          \
    name, number, KUBE_LIST, offsetof(struct_, member), &(message), sizeof *((struct_ *)0)->member.items,    \
        -1, 0                                                                                                \
  }
/* A message whose rows are offsets into the struct around it. */
#define INLINE(number, name, message)                                                                        \
  { name, number, KUBE_MESSAGE, 0, &(message), 0, -1, 0 }
#define INLINE_PRESENT(struct_, number, name, message, member)                                               \
  { name, number, KUBE_MESSAGE, 0, &(message), 0, offsetof(struct_, member), 0 }
/* A message with a struct of its own inside the one around it; `present` says whether it is there. */
#define NESTED(struct_, number, name, member, message, present)                                              \
  { name, number, KUBE_MESSAGE, offsetof(struct_, member), &(message), 0, offsetof(struct_, present), 0 }
/* Rows of what pods have in common; the rows around them are offsets into Pod. */
#define COMMON_ROW(number, name, kind, member)                                                               \
  { name, number, kind, offsetof(PodCommon, member), NULL, 0, -1, offsetof(Pod, common) }
#define COMMON_LIST_OF(number, name, member, message)                                                        \
  {                                                                                                          \
    name, number, KUBE_LIST, offsetof(PodCommon, member), &(message),                                        \
        sizeof *((PodCommon *)0)->member.items, -1, offsetof(Pod, common)                                    \
  }
#define COMMON_PRESENT(number, name, message, member)                                                        \
  { name, number, KUBE_MESSAGE, 0, &(message), 0, offsetof(PodCommon, member), offsetof(Pod, common) }
#define MESSAGE(name, fields) static const KubeMessage name = {fields, COUNT_OF(fields)}

/* meta/v1 */

static const KubeField owner_fields[] = {
    STRING(OwnerReference, 1, "kind", kind),
    STRING(OwnerReference, 3, "name", name),
    ROW(OwnerReference, 6, "controller", KUBE_BOOL, controller),
};
MESSAGE(owner, owner_fields);

#define META_ROWS                                                                                            \
  STRING(ObjectMeta, 1, "name", name), STRING(ObjectMeta, 3, "namespace", namespace_),                       \
      ROW(ObjectMeta, 5, "uid", KUBE_UID, uid),                                                              \
      ROW(ObjectMeta, 6, "resourceVersion", KUBE_VERSION, resource_version),                                 \
      ROW(ObjectMeta, 8, "creationTimestamp", KUBE_TIME, creation_time),                                     \
      ROW(ObjectMeta, 9, "deletionTimestamp", KUBE_TIME, deletion_time),                                     \
      ROW(ObjectMeta, 11, "labels", KUBE_MAP, labels)

static const KubeField meta_fields[] = {
    META_ROWS,
    ROW(FullMeta, 12, "annotations", KUBE_MAP, annotations),
    LIST_OF(FullMeta, 13, "ownerReferences", owners, owner),
};
MESSAGE(meta, meta_fields);
_Static_assert(offsetof(FullMeta, labels) == offsetof(ObjectMeta, labels), "a FullMeta begins as others do");

static const KubeField pod_meta_fields[] = {
    META_ROWS,
    COMMON_ROW(12, "annotations", KUBE_MAP, annotations),
    COMMON_LIST_OF(13, "ownerReferences", owners, owner),
};
MESSAGE(pod_meta, pod_meta_fields);
_Static_assert(offsetof(Pod, meta) == 0, "rows of a pod's metadata are offsets into the pod");

static const KubeField label_requirement_fields[] = {
    STRING(Requirement, 1, "key", key),
    STRING(Requirement, 2, "operator", operator_),
    ROW(Requirement, 3, "values", KUBE_STRINGS, values),
};
MESSAGE(label_requirement, label_requirement_fields);

static const KubeField label_selector_fields[] = {
    ROW(LabelSelector, 1, "matchLabels", KUBE_MAP, match_labels),
    LIST_OF(LabelSelector, 2, "matchExpressions", match_expressions, label_requirement),
};
MESSAGE(label_selector, label_selector_fields);

/* core/v1: parts of a pod */

static const KubeField requirement_fields[] = {
    STRING(Requirement, 1, "key", key),
    STRING(Requirement, 2, "operator", operator_),
    ROW(Requirement, 3, "values", KUBE_STRINGS, values),
};
MESSAGE(requirement, requirement_fields);

static const KubeField term_fields[] = {
    LIST_OF(NodeSelectorTerm, 1, "matchExpressions", match_expressions, requirement),
    LIST_OF(NodeSelectorTerm, 2, "matchFields", match_fields, requirement),
};
MESSAGE(term, term_fields);

static const KubeField node_selector_fields[] = {
    LIST_OF(Pod, 1, "nodeSelectorTerms", required_terms, term),
};
MESSAGE(node_selector, node_selector_fields);

static const KubeField node_affinity_fields[] = {
    INLINE_PRESENT(Pod, 1, "requiredDuringSchedulingIgnoredDuringExecution", node_selector,
                   has_required_node_affinity),
};
MESSAGE(node_affinity, node_affinity_fields);

static const KubeField affinity_term_fields[] = {
    NESTED(PodAffinityTerm, 1, "labelSelector", selector, label_selector, has_selector),
    ROW(PodAffinityTerm, 2, "namespaces", KUBE_STRINGS, namespaces),
    STRING(PodAffinityTerm, 3, "topologyKey", topology_key),
    NESTED(PodAffinityTerm, 4, "namespaceSelector", namespace_selector, label_selector,
           has_namespace_selector),
    ROW(PodAffinityTerm, 5, "matchLabelKeys", KUBE_STRINGS, match_label_keys),
    ROW(PodAffinityTerm, 6, "mismatchLabelKeys", KUBE_STRINGS, mismatch_label_keys),
};
MESSAGE(affinity_term, affinity_term_fields);

static const KubeField pod_affinity_fields[] = {
    COMMON_LIST_OF(1, "requiredDuringSchedulingIgnoredDuringExecution", affinity_terms, affinity_term),
};
MESSAGE(pod_affinity, pod_affinity_fields);

static const KubeField pod_anti_affinity_fields[] = {
    COMMON_LIST_OF(1, "requiredDuringSchedulingIgnoredDuringExecution", anti_affinity_terms, affinity_term),
};
MESSAGE(pod_anti_affinity, pod_anti_affinity_fields);

static const KubeField affinity_fields[] = {
    INLINE(1, "nodeAffinity", node_affinity),
    INLINE(2, "podAffinity", pod_affinity),
    INLINE(3, "podAntiAffinity", pod_anti_affinity),
};
MESSAGE(affinity, affinity_fields);

static const KubeField toleration_fields[] = {
    STRING(Toleration, 1, "key", key),
    STRING(Toleration, 2, "operator", operator_),
    STRING(Toleration, 3, "value", value),
    STRING(Toleration, 4, "effect", effect),
};
MESSAGE(toleration, toleration_fields);

static const KubeField container_resources_fields[] = {
    ROW(Container, 1, "limits", KUBE_QUANTITIES, limits),
    ROW(Container, 2, "requests", KUBE_QUANTITIES, requests),
};
MESSAGE(container_resources, container_resources_fields);

static const KubeField container_port_fields[] = {
    ROW(ContainerPort, 2, "hostPort", KUBE_INT32, host_port),
    STRING(ContainerPort, 4, "protocol", protocol),
    STRING(ContainerPort, 5, "hostIP", host_ip),
};
MESSAGE(container_port, container_port_fields);

static const KubeField container_fields[] = {
    STRING(Container, 1, "name", name),
    LIST_OF(Container, 6, "ports", ports, container_port),
    INLINE(8, "resources", container_resources),
    STRING(Container, 24, "restartPolicy", restart_policy),
};
MESSAGE(container, container_fields);

static const KubeField spread_constraint_fields[] = {
    ROW(TopologySpreadConstraint, 1, "maxSkew", KUBE_INT32, max_skew),
    STRING(TopologySpreadConstraint, 2, "topologyKey", topology_key),
    STRING(TopologySpreadConstraint, 3, "whenUnsatisfiable", when_unsatisfiable),
    NESTED(TopologySpreadConstraint, 4, "labelSelector", selector, label_selector, has_selector),
    ROW(TopologySpreadConstraint, 5, "minDomains", KUBE_INT32, min_domains),
    STRING(TopologySpreadConstraint, 6, "nodeAffinityPolicy", node_affinity_policy),
    STRING(TopologySpreadConstraint, 7, "nodeTaintsPolicy", node_taints_policy),
    ROW(TopologySpreadConstraint, 8, "matchLabelKeys", KUBE_STRINGS, match_label_keys),
};
MESSAGE(spread_constraint, spread_constraint_fields);

static const KubeField claim_source_fields[] = {
    STRING(Volume, 1, "claimName", claim_name),
};
MESSAGE(claim_source, claim_source_fields);

static const KubeMessage ephemeral_source = {NULL, 0}; /* that it is there says enough */

static const KubeField volume_source_fields[] = {
    INLINE(10, "persistentVolumeClaim", claim_source),
    INLINE_PRESENT(Volume, 29, "ephemeral", ephemeral_source, is_ephemeral),
};
MESSAGE(volume_source, volume_source_fields);

static const KubeField volume_fields[] = {
    STRING(Volume, 1, "name", name),
    INLINE(2, KUBE_EMBEDDED, volume_source),
};
MESSAGE(volume, volume_fields);

static const KubeField pod_resources_fields[] = {
    ROW(PodCommon, 2, "requests", KUBE_QUANTITIES, pod_requests),
};
MESSAGE(pod_resources, pod_resources_fields);

static const KubeField scheduling_gate_fields[] = {
    STRING(SchedulingGate, 1, "name", name),
};
MESSAGE(scheduling_gate, scheduling_gate_fields);

static const KubeField pod_condition_fields[] = {
    STRING(Condition, 1, "type", type),
    STRING(Condition, 2, "status", status),
    STRING(Condition, 5, "reason", reason),
    STRING(Condition, 6, "message", message),
};
MESSAGE(pod_condition, pod_condition_fields);

/* core/v1: Pod */

static const KubeField pod_spec_fields[] = {
    COMMON_LIST_OF(1, "volumes", volumes, volume),
    COMMON_LIST_OF(2, "containers", containers, container),
    COMMON_ROW(7, "nodeSelector", KUBE_MAP, node_selector),
    STRING(Pod, 10, "nodeName", node_name),
    INLINE(18, "affinity", affinity),
    COMMON_ROW(19, "schedulerName", KUBE_STRING, scheduler_name),
    COMMON_LIST_OF(20, "initContainers", init_containers, container),
    COMMON_LIST_OF(22, "tolerations", tolerations, toleration),
    COMMON_ROW(24, "priorityClassName", KUBE_STRING, priority_class_name),
    ROW(Pod, 25, "priority", KUBE_INT32, priority),
    COMMON_ROW(32, "overhead", KUBE_QUANTITIES, overhead),
    COMMON_LIST_OF(33, "topologySpreadConstraints", spread_constraints, spread_constraint),
    COMMON_LIST_OF(38, "schedulingGates", scheduling_gates, scheduling_gate),
    COMMON_PRESENT(40, "resources", pod_resources, has_pod_resources),
};
MESSAGE(pod_spec, pod_spec_fields);

static const KubeField pod_status_fields[] = {
    COMMON_ROW(1, "phase", KUBE_STRING, phase),
    COMMON_LIST_OF(2, "conditions", conditions, pod_condition),
    COMMON_ROW(3, "message", KUBE_STRING, message),
    COMMON_ROW(4, "reason", KUBE_STRING, reason),
    COMMON_ROW(11, "nominatedNodeName", KUBE_STRING, nominated_node_name),
};
MESSAGE(pod_status, pod_status_fields);

static const KubeField pod_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(Pod, meta), &pod_meta, 0, -1, 0},
    INLINE(2, "spec", pod_spec),
    INLINE(3, "status", pod_status),
};
MESSAGE(pod, pod_fields);

/* core/v1: Node */

static const KubeField taint_fields[] = {
    STRING(Taint, 1, "key", key),
    STRING(Taint, 2, "value", value),
    STRING(Taint, 3, "effect", effect),
};
MESSAGE(taint, taint_fields);

/* The same four numbers as in a PodCondition, but another message of the API. */
static const KubeField node_condition_fields[] = {
    STRING(Condition, 1, "type", type),
    STRING(Condition, 2, "status", status),
    STRING(Condition, 5, "reason", reason),
    STRING(Condition, 6, "message", message),
};
MESSAGE(node_condition, node_condition_fields);

static const KubeField node_spec_fields[] = {
    ROW(Node, 4, "unschedulable", KUBE_BOOL, unschedulable),
    LIST_OF(Node, 5, "taints", taints, taint),
};
MESSAGE(node_spec, node_spec_fields);

static const KubeField node_info_fields[] = {
    STRING(Node, 7, "kubeletVersion", kubelet_version),
};
MESSAGE(node_info, node_info_fields);

static const KubeField node_status_fields[] = {
    ROW(Node, 1, "capacity", KUBE_QUANTITIES, capacity),
    ROW(Node, 2, "allocatable", KUBE_QUANTITIES, allocatable),
    LIST_OF(Node, 4, "conditions", conditions, node_condition),
    INLINE(7, "nodeInfo", node_info),
};
MESSAGE(node_status, node_status_fields);

static const KubeField node_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(Node, meta), &meta, 0, -1, 0},
    INLINE(2, "spec", node_spec),
    INLINE(3, "status", node_status),
};
MESSAGE(node, node_fields);

/* core/v1: Namespace, and where volumes come from */

static const KubeField namespace_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(Namespace, meta), &meta, 0, -1, 0},
};
MESSAGE(namespace_, namespace_fields);

static const KubeField claim_ref_fields[] = {
    STRING(PersistentVolume, 2, "namespace", claim_namespace),
    STRING(PersistentVolume, 3, "name", claim_name),
    STRING(PersistentVolume, 4, "uid", claim_uid),
};
MESSAGE(claim_ref, claim_ref_fields);

static const KubeField volume_required_fields[] = {
    LIST_OF(PersistentVolume, 1, "nodeSelectorTerms", required_terms, term),
};
MESSAGE(volume_required, volume_required_fields);

static const KubeField volume_affinity_fields[] = {
    INLINE_PRESENT(PersistentVolume, 1, "required", volume_required, has_required_node_affinity),
};
MESSAGE(volume_affinity, volume_affinity_fields);

static const KubeField persistent_volume_spec_fields[] = {
    ROW(PersistentVolume, 1, "capacity", KUBE_QUANTITIES, capacity),
    ROW(PersistentVolume, 3, "accessModes", KUBE_STRINGS, access_modes),
    INLINE_PRESENT(PersistentVolume, 4, "claimRef", claim_ref, has_claim),
    STRING(PersistentVolume, 6, "storageClassName", storage_class_name),
    STRING(PersistentVolume, 8, "volumeMode", volume_mode),
    INLINE(9, "nodeAffinity", volume_affinity),
    STRING(PersistentVolume, 10, "volumeAttributesClassName", attributes_class_name),
};
MESSAGE(persistent_volume_spec, persistent_volume_spec_fields);

static const KubeField persistent_volume_status_fields[] = {
    STRING(PersistentVolume, 1, "phase", phase),
};
MESSAGE(persistent_volume_status, persistent_volume_status_fields);

static const KubeField persistent_volume_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(PersistentVolume, meta), &meta, 0, -1, 0},
    INLINE(2, "spec", persistent_volume_spec),
    INLINE(3, "status", persistent_volume_status),
};
MESSAGE(persistent_volume, persistent_volume_fields);

static const KubeField claim_resources_fields[] = {
    ROW(PersistentVolumeClaim, 2, "requests", KUBE_QUANTITIES, requests),
};
MESSAGE(claim_resources, claim_resources_fields);

static const KubeField claim_spec_fields[] = {
    ROW(PersistentVolumeClaim, 1, "accessModes", KUBE_STRINGS, access_modes),
    INLINE(2, "resources", claim_resources),
    STRING(PersistentVolumeClaim, 3, "volumeName", volume_name),
    NESTED(PersistentVolumeClaim, 4, "selector", selector, label_selector, has_selector),
    STRING(PersistentVolumeClaim, 5, "storageClassName", storage_class_name),
    STRING(PersistentVolumeClaim, 6, "volumeMode", volume_mode),
    STRING(PersistentVolumeClaim, 9, "volumeAttributesClassName", attributes_class_name),
};
MESSAGE(claim_spec, claim_spec_fields);

static const KubeField claim_status_fields[] = {
    STRING(PersistentVolumeClaim, 1, "phase", phase),
};
MESSAGE(claim_status, claim_status_fields);

static const KubeField claim_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(PersistentVolumeClaim, meta), &meta, 0, -1, 0},
    INLINE(2, "spec", claim_spec),
    INLINE(3, "status", claim_status),
};
MESSAGE(claim, claim_fields);

/* storage/v1: StorageClass */

static const KubeField topology_requirement_fields[] = {
    STRING(TopologyRequirement, 1, "key", key),
    ROW(TopologyRequirement, 2, "values", KUBE_STRINGS, values),
};
MESSAGE(topology_requirement, topology_requirement_fields);

static const KubeField topology_term_fields[] = {
    LIST_OF(TopologyTerm, 1, "matchLabelExpressions", requirements, topology_requirement),
};
MESSAGE(topology_term, topology_term_fields);

static const KubeField storage_class_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(StorageClass, meta), &meta, 0, -1, 0},
    STRING(StorageClass, 2, "provisioner", provisioner),
    STRING(StorageClass, 7, "volumeBindingMode", binding_mode),
    LIST_OF(StorageClass, 8, "allowedTopologies", allowed_topologies, topology_term),
};
MESSAGE(storage_class, storage_class_fields);

/* coordination/v1: Lease. Its times are MicroTimes; nobody here needs the fraction. */

static const KubeField lease_spec_fields[] = {
    STRING(Lease, 1, "holderIdentity", holder_identity),
    ROW(Lease, 2, "leaseDurationSeconds", KUBE_INT32, duration_seconds),
    ROW(Lease, 3, "acquireTime", KUBE_TIME, acquire_time),
    ROW(Lease, 4, "renewTime", KUBE_TIME, renew_time),
    ROW(Lease, 5, "leaseTransitions", KUBE_INT32, transitions),
};
MESSAGE(lease_spec, lease_spec_fields);

static const KubeField lease_fields[] = {
    {"metadata", 1, KUBE_MESSAGE, offsetof(Lease, meta), &meta, 0, -1, 0},
    INLINE(2, "spec", lease_spec),
};
MESSAGE(lease, lease_fields);

const KubeType kube_pod_type = {.kind = "Pod",
                                .path = "/api/v1/pods",
                                .message = &pod,
                                .size = sizeof(Pod),
                                .part = offsetof(Pod, common),
                                .part_size = sizeof(PodCommon)};
const KubeType kube_node_type = {.kind = "Node",
                                 .path = "/api/v1/nodes",
                                 .message = &node,
                                 .size = sizeof(Node),
                                 .extra = offsetof(Node, gpu_uuids),
                                 .extra_item_size = sizeof(GpuUuid)};
const KubeType kube_namespace_type = {
    .kind = "Namespace", .path = "/api/v1/namespaces", .message = &namespace_, .size = sizeof(Namespace)};
const KubeType kube_persistent_volume_type = {.kind = "PersistentVolume",
                                              .path = "/api/v1/persistentvolumes",
                                              .message = &persistent_volume,
                                              .size = sizeof(PersistentVolume)};
const KubeType kube_persistent_volume_claim_type = {.kind = "PersistentVolumeClaim",
                                                    .path = "/api/v1/persistentvolumeclaims",
                                                    .message = &claim,
                                                    .size = sizeof(PersistentVolumeClaim)};
const KubeType kube_storage_class_type = {.kind = "StorageClass",
                                          .path = "/apis/storage.k8s.io/v1/storageclasses",
                                          .message = &storage_class,
                                          .size = sizeof(StorageClass)};

const KubeType kube_lease_type = {
    .kind = "Lease", .path = "/apis/coordination.k8s.io/v1/leases", .message = &lease, .size = sizeof(Lease)};

const KubeType *const kube_types[] = {&kube_pod_type,
                                      &kube_node_type,
                                      &kube_namespace_type,
                                      &kube_persistent_volume_type,
                                      &kube_persistent_volume_claim_type,
                                      &kube_storage_class_type};
const size_t kube_type_count = COUNT_OF(kube_types);
