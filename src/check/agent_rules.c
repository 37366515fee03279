/* SPDX-License-Identifier: Apache-2.0 */
/* What facet itself left on nodes: reports of its agents, orders of its controller, and what others wrote
 * into the same annotations. */
#include "check/pass.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_LATE_S = 60 };

/* ---- is there an agent? ---- */

static const Pod *find_agent(const CheckNode *node) {
  for (size_t i = 0; i < node->pod_count; i++)
    if (check_is_facet(node->pods[i], "agent"))
      return node->pods[i];
  return NULL;
}

static bool has_reported(const CheckNode *node) {
  const KeyValues *annotations = &node->object->meta.annotations;
  for (size_t i = 0; i < annotations->count; i++)
    if (mig_key_parse_index(annotations->items[i].key, MIG_ANNOTATION_IDENTITY_PREFIX) >= 0)
      return true;
  return false;
}

static const char *logs_command(CheckPass *pass, const Pod *pod) {
  return check_format(pass, "kubectl logs --namespace %s %s",
                      check_word(pass, string_or_empty(pod->meta.namespace_)),
                      check_word(pass, string_or_empty(pod->meta.name)));
}

void check_agent(CheckPass *pass, const CheckNode *node) {
  if (!node->is_ours || !node->has_gpus)
    return;
  const Pod *agent = find_agent(node);
  bool reported = has_reported(node);
  if (agent && !check_pod_runs(agent))
    check_add_node(pass, CHECK_ERROR, node,
                   check_format(pass, "kubectl describe pod --namespace %s %s",
                                check_word(pass, string_or_empty(agent->meta.namespace_)),
                                check_word(pass, string_or_empty(agent->meta.name))),
                   "facet's agent does not run: its pod %s is %s%s", check_pod_name(pass, agent),
                   string_equal(pod_common(agent)->phase, "Running")
                       ? "not ready"
                       : check_excerpt(pass, pod_common(agent)->phase),
                   reported ? ", and what the node says of its GPUs is old" : "");
  else if (agent && !reported)
    check_add_node(pass, CHECK_ERROR, node, logs_command(pass, agent),
                   "facet's agent (pod %s) has not reported the node's GPUs", check_pod_name(pass, agent));
  else if (!agent && (!reported || pass->has_agent_pods))
    check_add_node(
        pass, CHECK_ERROR, node, check_install_command(pass), "no agent of facet is at work here%s",
        reported ? ": what the node says of its GPUs is old" : ": nothing is reported of its GPUs");
}

/* ---- does it answer? ---- */

/* Plan ids begin with their time: hexadecimal milliseconds, then "-". 0: somebody else's. */
static int64_t plan_time(const char *plan) {
  size_t size = strspn(plan, "0123456789abcdef");
  if (size < 9 || size > 12 || plan[size] != '-')
    return 0;
  return strtoll(plan, NULL, 16) / 1000;
}

void check_answer(CheckPass *pass, const CheckNode *node) {
  const char *spec = check_annotation_of(node, MIG_ANNOTATION_SPEC_PLAN);
  const char *status = check_annotation_of(node, MIG_ANNOTATION_STATUS_PLAN);
  if (!node->is_ours || !spec || string_equal(spec, status) ||
      check_annotation_of(node, MIG_ANNOTATION_PAUSED))
    return;
  const char *command =
      check_format(pass, "kubectl get events --namespace default --field-selector involvedObject.name=%s",
                   check_word(pass, node->name));
  int64_t written = plan_time(spec), now = pass->cluster->now;
  const char *plan = check_excerpt(pass, spec);
  if (now && written && now - written > ANSWER_LATE_S)
    check_add_node(pass, CHECK_ERROR, node, command, "its agent owes an answer to plan %s for %lld s", plan,
                   (long long)(now - written));
  else if (!now || !written)
    check_add_node(
        pass, CHECK_WARNING, node, command,
        "plan %s is not answered; nobody can tell here for how long (status-partitioning-plan: %s)", plan,
        status ? check_excerpt(pass, status) : "absent");
}

/* ---- what it says ---- */

void check_trouble(CheckPass *pass, const CheckNode *node) {
  const char *error = check_annotation_of(node, MIG_ANNOTATION_ERROR);
  if (!error)
    return;
  const Pod *agent = find_agent(node);
  check_add_node(pass, CHECK_ERROR, node,
                 agent ? logs_command(pass, agent)
                       : check_format(pass, "kubectl describe node %s", check_word(pass, node->name)),
                 "its agent reports: %s", error);
}

void check_stage(CheckPass *pass, const CheckNode *node) {
  const char *stage = check_annotation_of(node, MIG_ANNOTATION_STAGE);
  if (node->is_ours && stage)
    check_add_node(pass, CHECK_NOTE, node,
                   check_format(pass, "kubectl describe node %s", check_word(pass, node->name)),
                   "its agent waits: %s", stage);
}

/* ---- orders that nobody stands behind any more ---- */

static const char *remove_command(CheckPass *pass, const CheckNode *node, const Text *keys) {
  return check_format(pass, "kubectl annotate node %s%s", check_word(pass, node->name), text_string(keys));
}

/* Counts of nos are an order to the agent where the exact form is missing. */
void check_left_orders(CheckPass *pass, const CheckNode *node) {
  CLEANUP(text_deinit) Text keys = {0};
  const KeyValues *annotations = &node->object->meta.annotations;
  const char *first = NULL;
  size_t count = 0;
  for (size_t i = 0; node->is_ours && i < annotations->count; i++) {
    int gpu;
    char profile[MIG_PROFILE_NAME_SIZE];
    MigUse use;
    const char *key = annotations->items[i].key;
    if (!mig_key_parse_count(key, MIG_ANNOTATION_SPEC_COUNT_PREFIX, &gpu, profile, &use) ||
        key_values_find_index(annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX, gpu))
      continue;
    first = first ? first : key;
    count++;
    text_format(&keys, " %s-", check_word(pass, key));
  }
  if (first)
    check_add_node(pass, CHECK_WARNING, node, remove_command(pass, node, &keys),
                   "nos left %zu order%s (%s%s), which facet's agent carries out where there is room: remove "
                   "what is not "
                   "wanted",
                   count, count == 1 ? "" : "s", check_excerpt(pass, first), count == 1 ? "" : " ...");
}

/* ---- annotations that cannot be read, or contradict each other ---- */

/* The key at the beginning of the sentence, which agents write again; NULL where it begins with a word. */
static const char *key_of(CheckPass *pass, const char *sentence) {
  size_t size = strcspn(sentence, " ");
  const char *key = arena_strndup(&pass->findings->arena, sentence, size);
  return strchr(key, '/') ? key : NULL;
}

static const char *warning_command(CheckPass *pass, const SnapshotWarning *warning) {
  if (!string_has_prefix(warning->object, "node ")) {
    const char *name = strchr(warning->object, ' ');
    const char *slash = name ? strchr(name, '/') : NULL;
    if (!slash)
      return "kubectl get pods --all-namespaces";
    const char *space = arena_strndup(&pass->findings->arena, name + 1, (size_t)(slash - name - 1));
    return check_format(pass, "kubectl describe pod --namespace %s %s", check_word(pass, space),
                        check_word(pass, slash + 1));
  }
  const char *node = check_word(pass, warning->object + strlen("node ")), *key = key_of(pass, warning->text);
  return key ? check_format(pass, "kubectl annotate node %s %s-", node, check_word(pass, key))
             : check_format(pass, "kubectl describe node %s", node);
}

void check_annotations(CheckPass *pass) {
  const SnapshotWarnings *warnings = pass->cluster->warnings;
  for (size_t i = 0; warnings && i < warnings->count; i++)
    check_add(pass, CHECK_WARNING, warnings->items[i].object, warning_command(pass, &warnings->items[i]),
              "%s", warnings->items[i].text);
}
