/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/matcher.h"

#include "sched/selector.h"

#include "base/text.h"

#include <string.h>

/* Every namespace has this label, so it is known of those that the snapshot does not hold too. */
#define NAME_LABEL "kubernetes.io/metadata.name"

static void merge_keys(SchedMatcher *matcher, const Pod *pod, const Strings *keys, const char *operator_,
                       Arena *arena) {
  for (size_t i = 0; i < keys->count; i++) {
    const char *value = key_values_find(&pod->meta.labels, string_or_empty(keys->items[i]));
    if (!value)
      continue;
    const char **values = arena_alloc(arena, sizeof *values);
    *values = value;
    matcher->merged[matcher->merged_count++] =
        (Requirement){.key = keys->items[i], .operator_ = operator_, .values = {values, 1}};
  }
}

void sched_matcher_of_term(const Snapshot *snapshot, const Pod *pod, const PodAffinityTerm *term,
                           bool is_anti, Arena *arena, SchedMatcher *ret_matcher) {
  SchedMatcher matcher = {.namespace_ = string_or_empty(pod->meta.namespace_),
                          .namespaces = &term->namespaces,
                          .namespace_selector =
                              term->has_namespace_selector ? &term->namespace_selector : NULL,
                          .selector = term->has_selector ? &term->selector : NULL,
                          .is_valid = sched_selector_is_valid(&term->selector) &&
                                      sched_selector_is_valid(&term->namespace_selector),
                          .is_anti = is_anti};
  if (matcher.selector && !snapshot->is_complete) {
    size_t count = term->match_label_keys.count + term->mismatch_label_keys.count;
    matcher.merged = arena_alloc(arena, count * sizeof *matcher.merged);
    merge_keys(&matcher, pod, &term->match_label_keys, "In", arena);
    merge_keys(&matcher, pod, &term->mismatch_label_keys, "NotIn", arena);
  }
  *ret_matcher = matcher;
}

void sched_matcher_of_spread(const Pod *pod, const TopologySpreadConstraint *constraint, Arena *arena,
                             SchedMatcher *ret_matcher) {
  static const Strings none = {0};
  SchedMatcher matcher = {.namespace_ = string_or_empty(pod->meta.namespace_),
                          .namespaces = &none,
                          .selector = constraint->has_selector ? &constraint->selector : NULL,
                          .is_valid = sched_selector_is_valid(&constraint->selector)};
  if (matcher.selector) {
    matcher.merged = arena_alloc(arena, constraint->match_label_keys.count * sizeof *matcher.merged);
    merge_keys(&matcher, pod, &constraint->match_label_keys, "In", arena);
  }
  *ret_matcher = matcher;
}

bool sched_spread_is_hard(const TopologySpreadConstraint *constraint) {
  return string_equal(constraint->when_unsatisfiable, "DoNotSchedule");
}

static bool needs_only_name(const LabelSelector *selector) {
  for (size_t i = 0; i < selector->match_labels.count; i++)
    if (strcmp(selector->match_labels.items[i].key, NAME_LABEL) != 0)
      return false;
  for (size_t i = 0; i < selector->match_expressions.count; i++)
    if (!string_equal(selector->match_expressions.items[i].key, NAME_LABEL))
      return false;
  return true;
}

static bool selects_namespace(const Snapshot *snapshot, const SchedMatcher *matcher, const char *name) {
  const LabelSelector *selector = matcher->namespace_selector;
  if (sched_selector_is_empty(selector))
    return true;
  /* kube-scheduler 1.36 means to replace the selector of the pod in question by the namespaces that it
   * selects, but keeps it (mergeAffinityTermNamespacesIfNotEmpty works on a copy). So each pod is also asked
   * with no namespace labels at all, which "NotIn" and "DoesNotExist" let pass. */
  if (!matcher->is_foreign && sched_selector_matches(selector, &(KeyValues){0}))
    return true;
  const Namespace *namespace_ = map_find(&snapshot->namespaces, name);
  if (namespace_)
    return sched_selector_matches(selector, &namespace_->meta.labels);
  if (snapshot->is_complete)
    return matcher->is_foreign && sched_selector_matches(selector, &(KeyValues){0});
  KeyValue only = {NAME_LABEL, name};
  return needs_only_name(selector) ? sched_selector_matches(selector, &(KeyValues){&only, 1})
                                   : matcher->is_anti;
}

static bool covers(const Snapshot *snapshot, const SchedMatcher *matcher, const char *namespace_) {
  if (matcher->namespaces->count == 0 && !matcher->namespace_selector)
    return strcmp(matcher->namespace_, namespace_) == 0;
  return sched_strings_contain(matcher->namespaces, namespace_) ||
         (matcher->namespace_selector && selects_namespace(snapshot, matcher, namespace_));
}

bool sched_matcher_selects(const SchedMatcher *matcher, const KeyValues *labels) {
  if (!matcher->is_valid || !matcher->selector || !sched_selector_matches(matcher->selector, labels))
    return false;
  for (size_t i = 0; i < matcher->merged_count; i++)
    if (!sched_requirement_matches(&matcher->merged[i], labels))
      return false;
  return true;
}

bool sched_matcher_matches(const Snapshot *snapshot, const SchedMatcher *matcher, const Pod *pod) {
  return sched_matcher_selects(matcher, &pod->meta.labels) &&
         covers(snapshot, matcher, string_or_empty(pod->meta.namespace_));
}

bool sched_matcher_is_empty(const SchedMatcher *matcher) {
  return matcher->selector && sched_selector_is_empty(matcher->selector) && matcher->merged_count == 0;
}
