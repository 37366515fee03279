/* SPDX-License-Identifier: Apache-2.0 */
/* A word is followed by a byte that no API server lets into it; a word from a file that has such bytes all
 * the same is quoted. Lists begin with their length. */
#include "sched/key.h"

#include "cluster/object.h"

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
  sched_key_add_pairs(key, &pod->node_selector);
  text_append(key, pod->has_required_node_affinity ? "affinity" : "");
  add_count(key, pod->required_terms.count);
  for (size_t i = 0; i < pod->required_terms.count; i++) {
    const NodeSelectorTerm *term = &pod->required_terms.items[i];
    sched_key_add_requirements(key, term->match_expressions.items, term->match_expressions.count);
    sched_key_add_requirements(key, term->match_fields.items, term->match_fields.count);
  }
}

void sched_key_add_tolerations(Text *key, const Pod *pod) {
  add_count(key, pod->tolerations.count);
  for (size_t i = 0; i < pod->tolerations.count; i++) {
    const Toleration *toleration = &pod->tolerations.items[i];
    sched_key_add(key, toleration->key);
    sched_key_add(key, toleration->operator_);
    sched_key_add(key, toleration->value);
    sched_key_add(key, toleration->effect);
  }
}
