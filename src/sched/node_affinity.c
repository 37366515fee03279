/* SPDX-License-Identifier: Apache-2.0 */
/* spec.nodeSelector and the required node affinity; both must match where both are there.
 *
 *     required terms   ORed; an empty term matches nothing, and so does an empty list of terms
 *     a term           its expressions (on labels) and fields (metadata.name only), ANDed
 *
 * A term that makes no sense (an unknown operator, Gt with two values) matches nothing, the others still
 * count: k8s.io/component-helpers/scheduling/corev1/nodeaffinity. */
#include "sched/filter.h"

#include "sched/node_affinity.h"
#include "sched/selector.h"

#include <string.h>

/* Of a node, only its name is a field; any other field has the empty value. */
static bool matches_field(const Requirement *requirement, const char *node_name) {
  if (requirement->values.count != 1)
    return false;
  const char *value = string_equal(requirement->key, "metadata.name") ? node_name : "";
  bool is_equal = strcmp(value, string_or_empty(requirement->values.items[0])) == 0;
  if (string_equal(requirement->operator_, "In"))
    return is_equal;
  return string_equal(requirement->operator_, "NotIn") && !is_equal;
}

static bool matches_term(const NodeSelectorTerm *term, const KeyValues *labels, const char *node_name) {
  for (size_t i = 0; i < term->match_expressions.count; i++) {
    const Requirement *requirement = &term->match_expressions.items[i];
    if (!sched_requirement_is_valid(requirement) || !sched_requirement_matches(requirement, labels))
      return false;
  }
  for (size_t i = 0; node_name && i < term->match_fields.count; i++)
    if (!matches_field(&term->match_fields.items[i], node_name))
      return false;
  return term->match_expressions.count + term->match_fields.count > 0;
}

bool sched_terms_match(const NodeSelectorTerm *terms, size_t count, const KeyValues *labels,
                       const char *node_name) {
  for (size_t i = 0; i < count; i++)
    if (matches_term(&terms[i], labels, node_name))
      return true;
  return false;
}

static bool matches_required(const Pod *pod, const SnapshotNode *node) {
  return !pod->has_required_node_affinity ||
         sched_terms_match(pod->required_terms.items, pod->required_terms.count, &node->object->meta.labels,
                           node->name);
}

static bool matches_selector(const Pod *pod, const SnapshotNode *node) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->node_selector.count; i++) {
    const char *label = key_values_find(&node->object->meta.labels, common->node_selector.items[i].key);
    if (!label || strcmp(label, string_or_empty(common->node_selector.items[i].value)) != 0)
      return false;
  }
  return true;
}

bool sched_node_is_wanted(const Pod *pod, const SnapshotNode *node) {
  return matches_selector(pod, node) && matches_required(pod, node);
}

bool sched_node_affinity(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size) {
  if (sched_node_is_wanted(pod->object, node))
    return true;
  snprintf(ret_reason, size, "node(s) didn't match Pod's node affinity/selector");
  return false;
}
