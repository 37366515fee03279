/* SPDX-License-Identifier: Apache-2.0 */
/* Another plugin that announces our resources. The kubelet tells nobody (kubelet/plugin.c says what it does
 * instead), so we look for what cannot be while we are the only one:
 *
 *     NVIDIA's plugin made its socket after we registered      told by kubelet/plugin.c
 *     the kubelet shows other slices than we listed            looked at every 10 s
 *     a pod got a slice, and nobody asked us for it            looked at with who holds what
 *
 * Then we fall silent for that resource: two plugins that both insist would take turns in giving pods slices
 * that the other one does not know. When the kubelet shows nothing of it any more, the other one has gone.
 * The same look finds a kubelet that hung up on us unnoticed, as it does when an older plugin ends. */
#include "agent/state.h"

#define SUBJECT "rival"

/* What is known of an id that a pod holds. */
static char asked_for[] = "asked for", seen_once[] = "seen once";

static void update_trouble(Agent *agent) {
  const char *first = NULL;
  size_t count = 0;
  for (size_t i = 0; i < agent->resources.count; i++)
    if (kubelet_plugins_has_yielded(agent->plugins, agent->resources.items[i].name)) {
      first = first ? first : agent->resources.items[i].name;
      count++;
    }
  char more[64] = "", sentence[ERROR_TEXT_SIZE];
  if (count > 1)
    snprintf(more, sizeof more, " and %zu more resources", count - 1);
  snprintf(
      sentence, sizeof sentence,
      "another device plugin has registered %s%s on this node: two plugins cannot share a resource; "
      "switch NVIDIA's off with the node label nvidia.com/gpu.deploy.device-plugin=false or run the agent "
      "with --publish nvidia",
      string_or_empty(first), more);
  if (agent_trouble_set(&agent->troubles, SUBJECT, count ? sentence : NULL))
    agent_kick(agent);
}

void agent_rival_noticed(Agent *agent, const char *resource, const char *sign) {
  log_error(AGENT_COMPONENT, "another device plugin has registered our resource",
            "resource=%s sign=" LOG_QUOTED, resource, sign);
  kubelet_plugins_yield(agent->plugins, resource);
  update_trouble(agent);
}

static void claim(Agent *agent, const char *resource) {
  log_warn(AGENT_COMPONENT, "the kubelet shows nothing of our resource: registering again", "resource=%s",
           resource);
  kubelet_plugins_claim(agent->plugins, resource);
}

static size_t count_listed(const KubeletHelds *allocatable, const char *resource) {
  size_t count = 0;
  for (size_t i = 0; i < allocatable->count; i++)
    if (string_equal(allocatable->items[i].resource, resource))
      count += allocatable->items[i].ids.count;
  return count;
}

static void judge(Agent *agent, size_t i, const KubeletHelds *allocatable) {
  const AgentResource *resource = &agent->resources.items[i];
  bool is_empty = count_listed(allocatable, resource->name) == 0;
  if (kubelet_plugins_has_yielded(agent->plugins, resource->name)) {
    if (is_empty)
      claim(agent, resource->name);
  } else if (agent->known[i] && kubelet_plugins_is_current(agent->plugins, resource->name) &&
             !agent_publish_is_known(resource, allocatable)) {
    agent->known[i] = false;
    if (is_empty)
      claim(agent, resource->name);
    else
      agent_rival_noticed(agent, resource->name, "the kubelet shows slices that are not ours");
  }
}

static void on_allocatable(void *userdata, const KubeletHelds *allocatable, const Error *err) {
  Agent *agent = userdata;
  for (size_t i = 0; !err && i < agent->resources.count; i++)
    judge(agent, i, allocatable);
  update_trouble(agent);
}

static void on_timer(void *userdata) {
  Agent *agent = userdata;
  timer_set(agent->host, &agent->rival_timer, AGENT_RIVAL_LOOK_MS);
  /* Where the barrier asks just now, it will see the same. */
  if (agent->resources.count)
    (void)kubelet_pod_resources_allocatable(agent->pod_resources, on_allocatable, agent);
}

void agent_rival_on_allocate(Agent *agent, const char *id) {
  map_put(&agent->given, id, asked_for);
}

/* Twice, because the kubelet may show a slice while its question to us is still under way. */
static bool is_strange(Agent *agent, const char *id, bool is_first) {
  const char *known = map_find(&agent->given, id);
  if (!known && !is_first) {
    map_put(&agent->given, id, seen_once);
    return false;
  }
  map_put(&agent->given, id, asked_for);
  return known == seen_once;
}

/* A kubelet that has just started, maybe with the whole node, shows nothing at first and then what it gave
 * away in its earlier life, without asking anybody again. */
static bool is_first_look(const Agent *agent) {
  return !agent->used_known || agent->host->now_ms - agent->registered_ms < AGENT_RIVAL_GRACE_MS;
}

void agent_rival_on_use(Agent *agent, const KubeletHelds *helds) {
  bool is_full = agent->given.count > AGENT_GIVEN_MAX, is_first = is_full || is_first_look(agent);
  if (is_full)
    map_clear(&agent->given);
  for (size_t i = 0; i < helds->count; i++) {
    const KubeletHeld *held = &helds->items[i];
    for (size_t k = 0; agent_publish_is_resource(held->resource) && k < held->ids.count; k++)
      if (is_strange(agent, held->ids.items[k], is_first) &&
          kubelet_plugins_is_current(agent->plugins, held->resource))
        agent_rival_noticed(agent, held->resource, "a pod got a slice, and nobody asked us for it");
  }
}

void agent_rival_on_registered(Agent *agent) {
  agent->registered_ms = agent->host->now_ms;
  update_trouble(agent);
}

void agent_rival_init(Agent *agent) {
  agent->rival_timer = (HostTimer){.fire = on_timer, .userdata = agent};
  if (!agent_rereading_is_on(agent))
    timer_set(agent->host, &agent->rival_timer, AGENT_RIVAL_LOOK_MS);
}

void agent_rival_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->rival_timer);
  map_deinit(&agent->given);
}
