/* SPDX-License-Identifier: Apache-2.0 */
/* For the person at the terminal: what it sees, what it planned last, what it waits for. Only looks. */
#include "controller/state.h"

enum { ROWS_MAX = 50 /* of each list */ };

static void append_more(Text *out, size_t count) {
  if (count > ROWS_MAX)
    text_format(out, "  ... and %zu more\n", count - ROWS_MAX);
}

static double seconds_since(const Controller *controller, uint64_t at_ms) {
  return (double)(controller->host->now_ms - at_ms) / 1000;
}

static void append_role(const Controller *controller, Text *out) {
  if (!controller->leader)
    text_append(out, "role: alone (no leader election)\n");
  else if (controller_leads(controller))
    text_append(out, "role: leading\n");
  else if (*controller_leader_holder(controller->leader))
    text_format(out, "role: standing by; the Lease is held by \"%s\"\n",
                controller_leader_holder(controller->leader));
  else
    text_append(out, "role: standing by; who holds the Lease is not known\n");
  if (controller->options.observe)
    text_append(out, "it only observes: no node is written\n");
  if (controller_leaving_has_begun(&controller->leaving))
    text_append(out, "it is stopping\n");
}

static void append_cluster(const Controller *controller, Text *out) {
  const char *why;
  bool is_ready = controller_is_ready(controller, &why);
  text_format(out, "cluster: %zu nodes, %zu pods%s%s\n", kube_informer_count(controller->nodes),
              kube_informer_count(controller->pods), is_ready ? "" : "; ", is_ready ? "" : why);
}

static void append_plan(const Controller *controller, Text *out) {
  if (!controller->last_outcome) {
    text_append(out, "last plan: none yet\n");
    return;
  }
  text_format(out, "last plan: %.1f s ago, number %llu: %s\n",
              seconds_since(controller, controller->passed_ms), (unsigned long long)controller->passes,
              controller->last_outcome);
}

static void append_next(const Controller *controller, Text *out) {
  text_format(out, "next plan: %s",
              controller->dirty ? "something changed since the last" : "nothing to plan");
  if (controller->batch_began_ms)
    text_format(out, ", the batch window opened %.1f s ago",
                seconds_since(controller, controller->batch_began_ms));
  if (timer_is_set(&controller->pass_timer))
    text_format(out, ", due in %.1f s",
                (double)(int64_t)(controller->pass_timer.at_ms - controller->host->now_ms) / 1000);
  text_append(out, "\n");
}

static void append_writes(const Controller *controller, Text *out) {
  text_format(out, "node writes under way: %zu\n", controller->writes.count);
  for (size_t i = 0; i < controller->writes.count && i < ROWS_MAX; i++) {
    const NodeWrite *write = controller->writes.entries[i].value;
    text_format(out, "  %s: plan %s, sent %.1f s ago, %s; %s\n", write->node, write->plan_id,
                seconds_since(controller, write->sent_ms),
                write->answered ? "accepted, not seen in the watch yet" : "not answered yet", write->summary);
  }
  append_more(out, controller->writes.count);
  text_format(out, "Events under way: %zu\n", controller->words.count);
}

static void append_held(const Controller *controller, Text *out) {
  const Map *nodes = &controller->memory.nodes;
  size_t held = 0;
  CLEANUP(text_deinit) Text rows = {0};
  for (size_t i = 0; i < nodes->count; i++) {
    const ControllerNodeMemory *node = nodes->entries[i].value;
    if (!node->held)
      continue;
    if (held++ < ROWS_MAX)
      text_format(&rows, "  %s: %s\n", nodes->entries[i].key, node->held);
  }
  text_format(out, "nodes that get nothing new now: %zu\n%s", held, text_string(&rows));
  append_more(out, held);
}

void controller_debug_format(const Controller *controller, Text *ret_text) {
  text_format(ret_text, "facet controller %s\n", FACET_VERSION);
  append_role(controller, ret_text);
  append_cluster(controller, ret_text);
  append_plan(controller, ret_text);
  append_next(controller, ret_text);
  append_writes(controller, ret_text);
  append_held(controller, ret_text);
}
