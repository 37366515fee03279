/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/begin.h"

#include "sched/selector.h"

static bool is_gated(const Pod *pod, SchedVerdict *verdict) {
  const PodCommon *common = pod_common(pod);
  if (!common->scheduling_gates.count)
    return false;
  CLEANUP(text_deinit) Text gates = {0};
  for (size_t i = 0; i < common->scheduling_gates.count; i++)
    text_format(&gates, "%s%s", i ? " " : "", string_or_empty(common->scheduling_gates.items[i].name));
  verdict->plugin = "SchedulingGates";
  snprintf(verdict->reason, sizeof verdict->reason, "waiting for scheduling gates: [%s]",
           text_string(&gates));
  return true;
}

static bool is_name_in(const Requirement *field) {
  return string_equal(field->key, "metadata.name") && string_equal(field->operator_, "In");
}

/* Does the term ask for names that no node can have at once? */
static bool contradicts_itself(const NodeSelectorTerm *term) {
  const Requirement *first = NULL;
  for (size_t i = 0; i < term->match_fields.count && !first; i++)
    if (is_name_in(&term->match_fields.items[i]))
      first = &term->match_fields.items[i];
  for (size_t v = 0; first && v < first->values.count; v++) {
    bool in_all = true;
    for (size_t i = 0; i < term->match_fields.count; i++)
      in_all &=
          !is_name_in(&term->match_fields.items[i]) ||
          sched_strings_contain(&term->match_fields.items[i].values, string_or_empty(first->values.items[v]));
    if (in_all)
      return false;
  }
  return first != NULL;
}

static bool all_terms_contradict(const Pod *pod) {
  for (size_t i = 0; i < pod->required_terms.count; i++)
    if (!contradicts_itself(&pod->required_terms.items[i]))
      return false;
  return pod->required_terms.count > 0;
}

bool sched_begin(const SchedCoupling *coupling, int pod, SchedVerdict *ret_verdict) {
  const Pod *object = coupling->snapshot->pods.items[pod].object;
  *ret_verdict = (SchedVerdict){0};
  if (is_gated(object, ret_verdict))
    return false;
  if (all_terms_contradict(object)) {
    ret_verdict->plugin = "NodeAffinity";
    snprintf(ret_verdict->reason, sizeof ret_verdict->reason, "pod affinity terms conflict");
    return false;
  }
  return !coupling->volumes || sched_volumes_are_known(coupling->volumes, pod, &ret_verdict->plugin,
                                                       ret_verdict->reason, sizeof ret_verdict->reason);
}
