/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/restart.h"

#include "base/backoff.h"
#include "base/host.h"
#include "base/memory.h"
#include "cluster/object.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- which ---- */

#define DIGITS_AND_SMALL "abcdefghijklmnopqrstuvwxyz0123456789"
#define NAMESPACE_BYTES  DIGITS_AND_SMALL "-"
#define VALUE_BYTES      DIGITS_AND_SMALL "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._"
#define LABEL_BYTES      VALUE_BYTES "/"

/* A label may have a slash of its own: the first one ends the namespace. */
static bool parse_target(const char *text, size_t size, AgentRestartTarget *target) {
  size_t namespace_size = strspn(text, NAMESPACE_BYTES);
  if (namespace_size == 0 || text[namespace_size] != '/' || namespace_size >= sizeof target->namespace_)
    return false;
  const char *selector = text + namespace_size + 1;
  size_t label_size = strspn(selector, LABEL_BYTES);
  if (label_size == 0 || selector[label_size] != '=')
    return false;
  size_t value_size = strspn(selector + label_size + 1, VALUE_BYTES);
  size_t selector_size = label_size + 1 + value_size;
  if (value_size == 0 || namespace_size + 1 + selector_size != size ||
      selector_size >= sizeof target->selector)
    return false;
  snprintf(target->namespace_, sizeof target->namespace_, "%.*s", (int)namespace_size, text);
  snprintf(target->selector, sizeof target->selector, "%.*s", (int)selector_size, selector);
  return true;
}

int agent_restart_parse(AgentRestart *restart, const char *text, Error *err) {
  AgentRestart parsed = {0};
  while (text && *text) {
    size_t size = strcspn(text, ",");
    if (parsed.count == AGENT_RESTART_MAX)
      return error_set(err, ERROR_LIMIT, "more than %d components to be restarted", AGENT_RESTART_MAX);
    if (!parse_target(text, size, &parsed.targets[parsed.count++]))
      return error_set(err, ERROR_INVALID,
                       "\"%.*s\" is not NAMESPACE/LABEL=VALUE, such as gpu-operator/app=nvidia-dcgm-exporter",
                       (int)(size < 200 ? size : 200), text);
    text += size + (text[size] == ',');
  }
  *restart = parsed;
  return 0;
}

/* ---- when ---- */

void agent_restart_note_change(AgentRestart *restart) {
  restart->changes++;
}

AgentRestartTarget *agent_restart_next(AgentRestart *restart, uint64_t now_ms) {
  for (int i = 0; i < restart->count; i++) {
    AgentRestartTarget *target = &restart->targets[i];
    if (target->served_changes == restart->changes || now_ms < target->not_before_ms)
      continue;
    target->asked_changes = restart->changes;
    return target;
  }
  return NULL;
}

void agent_restart_done(AgentRestartTarget *target, uint64_t now_ms) {
  assert(target->asked_changes > target->served_changes);
  target->served_changes = target->asked_changes;
  target->wait_ms = 0;
  target->not_before_ms = now_ms + AGENT_RESTART_PAUSE_MS;
}

void agent_restart_refuse(AgentRestartTarget *target, uint64_t now_ms) {
  target->wait_ms = backoff_next_ms(target->wait_ms, AGENT_RESTART_AGAIN_MS, AGENT_RESTART_AGAIN_MAX_MS);
  target->not_before_ms = now_ms + target->wait_ms;
}

uint64_t agent_restart_wake_ms(const AgentRestart *restart) {
  uint64_t wake_ms = HOST_NEVER;
  for (int i = 0; i < restart->count; i++) {
    const AgentRestartTarget *target = &restart->targets[i];
    if (target->served_changes != restart->changes && target->not_before_ms < wake_ms)
      wake_ms = target->not_before_ms;
  }
  return wake_ms;
}

/* ---- its pods ---- */

int agent_restart_choose(const KubeAnswer *answer, const char *node, AgentRestartPods *ret_pods,
                         Text *ret_strays, Error *err) {
  CLEANUP(agent_node_pods_deinit) AgentNodePods pods = {0};
  int r = agent_node_pods_read(answer, &pods, err);
  if (r < 0)
    return r;
  for (size_t i = 0; i < pods.objects.count; i++) {
    const Pod *pod = pods.objects.items[i]->value;
    if (!agent_node_pod_is_here(pod, node) || pod->meta.deletion_time)
      continue;
    if (string_equal(agent_node_pod_controller(pod), "DaemonSet"))
      agent_node_pod_keep(pod, array_push(ret_pods));
    else
      text_append_item(ret_strays, ", ", pod->meta.name);
  }
  return 0;
}
