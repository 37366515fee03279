/* SPDX-License-Identifier: Apache-2.0 */
/* spec.nodeSelector and the required node affinity; both must match where both are there.
 *
 *     required terms   ORed; an empty term matches nothing, and so does an empty list of terms
 *     a term           its expressions (on labels) and fields (metadata.name only), ANDed
 *
 * A term that makes no sense (an unknown operator, Gt with two values) matches nothing, the others still
 * count: k8s.io/component-helpers/scheduling/corev1/nodeaffinity. */
#include "sched/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool contains(const Strings *values, const char *value) {
  for (size_t i = 0; i < values->count; i++)
    if (string_equal(values->items[i], value))
      return true;
  return false;
}

/* As Go's strconv.ParseInt does in base 10: no spaces, no rest. */
static bool parse_integer(const char *text, int64_t *ret_number) {
  const char *digits = text + (*text == '-' || *text == '+');
  if (!*digits || digits[strspn(digits, "0123456789")])
    return false;
  errno = 0;
  *ret_number = strtoll(text, NULL, 10);
  return errno == 0;
}

/* How many values the operator takes: In and NotIn at least one, Gt and Lt one integer, the others none. */
static bool is_valid(const Requirement *requirement) {
  const char *operator_ = string_or_empty(requirement->operator_);
  size_t count = requirement->values.count;
  int64_t number;
  if (strcmp(operator_, "In") == 0 || strcmp(operator_, "NotIn") == 0)
    return count > 0;
  if (strcmp(operator_, "Exists") == 0 || strcmp(operator_, "DoesNotExist") == 0)
    return count == 0;
  if (strcmp(operator_, "Gt") == 0 || strcmp(operator_, "Lt") == 0)
    return count == 1 && parse_integer(string_or_empty(requirement->values.items[0]), &number);
  return false;
}

static bool compare(const Requirement *requirement, const char *label) {
  int64_t have, limit;
  if (!label || !parse_integer(label, &have) || !parse_integer(requirement->values.items[0], &limit))
    return false;
  return requirement->operator_[0] == 'G' ? have > limit : have < limit;
}

static bool matches_label(const Requirement *requirement, const KeyValues *labels) {
  const char *operator_ = string_or_empty(requirement->operator_);
  const char *label = key_values_find(labels, string_or_empty(requirement->key));
  if (strcmp(operator_, "In") == 0)
    return label && contains(&requirement->values, label);
  if (strcmp(operator_, "NotIn") == 0)
    return !label || !contains(&requirement->values, label);
  if (strcmp(operator_, "Exists") == 0)
    return label != NULL;
  if (strcmp(operator_, "DoesNotExist") == 0)
    return label == NULL;
  return compare(requirement, label);
}

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

static bool matches_term(const NodeSelectorTerm *term, const SnapshotNode *node) {
  for (size_t i = 0; i < term->match_expressions.count; i++) {
    const Requirement *requirement = &term->match_expressions.items[i];
    if (!is_valid(requirement) || !matches_label(requirement, &node->object->meta.labels))
      return false;
  }
  for (size_t i = 0; i < term->match_fields.count; i++)
    if (!matches_field(&term->match_fields.items[i], node->name))
      return false;
  return term->match_expressions.count + term->match_fields.count > 0;
}

static bool matches_required(const Pod *pod, const SnapshotNode *node) {
  for (size_t i = 0; i < pod->required_terms.count; i++)
    if (matches_term(&pod->required_terms.items[i], node))
      return true;
  return !pod->has_required_node_affinity;
}

static bool matches_selector(const Pod *pod, const SnapshotNode *node) {
  for (size_t i = 0; i < pod->node_selector.count; i++) {
    const char *label = key_values_find(&node->object->meta.labels, pod->node_selector.items[i].key);
    if (!label || strcmp(label, string_or_empty(pod->node_selector.items[i].value)) != 0)
      return false;
  }
  return true;
}

bool sched_node_affinity(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size) {
  if (matches_selector(pod->object, node) && matches_required(pod->object, node))
    return true;
  snprintf(ret_reason, size, "node(s) didn't match Pod's node affinity/selector");
  return false;
}
