/* SPDX-License-Identifier: Apache-2.0 */
/* A word is followed by a byte that no API server lets into it; a word from a file that has such bytes all
 * the same is quoted. Lists begin with their length. */
#include "sched/key.h"

#include "sched/matcher.h"

#include <string.h>

void sched_key_add(Text *key, const char *word) {
  const char *text = string_or_empty(word);
  size_t size = 0;
  while ((unsigned char)text[size] >= ' ' && text[size] != '"')
    size++;
  if (text[size])
    text_append_json(key, text);
  else
    text_append_bytes(key, text, size);
  text_append_bytes(key, "\x1f", 1);
}

static void add_count(Text *key, size_t count) {
  text_format(key, "%zu\x1e", count);
}

void sched_key_add_pairs(Text *key, const KeyValues *pairs) {
  add_count(key, pairs->count);
  for (size_t i = 0; i < pairs->count; i++) {
    sched_key_add(key, pairs->items[i].key);
    sched_key_add(key, pairs->items[i].value);
  }
}

void sched_key_add_strings(Text *key, const Strings *strings) {
  add_count(key, strings->count);
  for (size_t i = 0; i < strings->count; i++)
    sched_key_add(key, strings->items[i]);
}

void sched_key_add_requirements(Text *key, const Requirement *requirements, size_t count) {
  add_count(key, count);
  for (size_t i = 0; i < count; i++) {
    sched_key_add(key, requirements[i].key);
    sched_key_add(key, requirements[i].operator_);
    sched_key_add_strings(key, &requirements[i].values);
  }
}

void sched_key_add_selector(Text *key, const LabelSelector *selector) {
  sched_key_add_pairs(key, &selector->match_labels);
  sched_key_add_requirements(key, selector->match_expressions.items, selector->match_expressions.count);
}

void sched_key_add_node_affinity(Text *key, const Pod *pod) {
  sched_key_add_pairs(key, &pod_common(pod)->node_selector);
  text_append(key, pod->has_required_node_affinity ? "affinity" : "");
  add_count(key, pod->required_terms.count);
  for (size_t i = 0; i < pod->required_terms.count; i++) {
    const NodeSelectorTerm *term = &pod->required_terms.items[i];
    sched_key_add_requirements(key, term->match_expressions.items, term->match_expressions.count);
    sched_key_add_requirements(key, term->match_fields.items, term->match_fields.count);
  }
}

void sched_key_add_tolerations(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_count(key, common->tolerations.count);
  for (size_t i = 0; i < common->tolerations.count; i++) {
    const Toleration *toleration = &common->tolerations.items[i];
    sched_key_add(key, toleration->key);
    sched_key_add(key, toleration->operator_);
    sched_key_add(key, toleration->value);
    sched_key_add(key, toleration->effect);
  }
}

/* With the values that the pod has for its label keys. */
static void add_merged(Text *key, const Pod *pod, const Strings *keys) {
  sched_key_add_strings(key, keys);
  for (size_t i = 0; i < keys->count; i++)
    sched_key_add(key, key_values_find(&pod->meta.labels, string_or_empty(keys->items[i])));
}

void sched_key_add_term(Text *key, const Pod *pod, const PodAffinityTerm *term) {
  text_append(key, term->has_selector ? "term" : "nothing");
  sched_key_add_selector(key, &term->selector);
  text_append(key, term->has_namespace_selector ? "selected" : "");
  sched_key_add_selector(key, &term->namespace_selector);
  sched_key_add_strings(key, &term->namespaces);
  sched_key_add(key, term->topology_key);
  add_merged(key, pod, &term->match_label_keys);
  add_merged(key, pod, &term->mismatch_label_keys);
}

void sched_key_add_spread(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  bool is_hard = false;
  for (size_t i = 0; i < common->spread_constraints.count; i++) {
    const TopologySpreadConstraint *constraint = &common->spread_constraints.items[i];
    if (!sched_spread_is_hard(constraint))
      continue;
    is_hard = true;
    text_format(key, "spread%d,%d,%d", constraint->max_skew, constraint->min_domains,
                constraint->has_selector);
    sched_key_add(key, constraint->topology_key);
    sched_key_add_selector(key, &constraint->selector);
    add_merged(key, pod, &constraint->match_label_keys);
    sched_key_add(key, constraint->node_affinity_policy);
    sched_key_add(key, constraint->node_taints_policy);
  }
  if (!is_hard)
    return;
  sched_key_add_node_affinity(key, pod); /* which nodes are eligible */
  sched_key_add_tolerations(key, pod);
}

static void add_ports(Text *key, const Container *containers, size_t count, bool sidecars) {
  for (size_t i = 0; i < count; i++)
    for (size_t p = 0; p < containers[i].ports.count; p++) {
      const ContainerPort *port = &containers[i].ports.items[p];
      if (port->host_port <= 0 || (sidecars && !string_equal(containers[i].restart_policy, "Always")))
        continue;
      text_format(key, "port%d", port->host_port);
      sched_key_add(key, port->protocol);
      sched_key_add(key, port->host_ip);
    }
}

void sched_key_add_ports(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_ports(key, common->init_containers.items, common->init_containers.count, true);
  add_ports(key, common->containers.items, common->containers.count, false);
}
