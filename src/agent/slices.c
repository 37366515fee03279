/* SPDX-License-Identifier: Apache-2.0 */
/* The slices as the kubelet sees them. A slice is told in this order, and only the last step lets a pod come:
 *
 *     NVML made it -> ListAndWatch -> barrier: GetAllocatableResources shows it -> node status (agent.c)
 *
 * A patch that overtook the list would let the scheduler send a pod that the kubelet then rejects for good.
 */
#include "agent/state.h"

enum { BARRIER_POLL_FIRST_MS = 2 }; /* doubling: the API bears bursts of ten questions */

static void on_barrier_answer(void *userdata, const KubeletHelds *helds, const Error *err);

/* ---- what the kubelet is told ---- */

static void log_trouble(Agent *agent, const char *what, const Error *err) {
  uint32_t held_back;
  agent_counting_note_failure(agent->metrics, "publish", err);
  if (log_gate_pass(&agent->gate, err->text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, what, "held_back=%u err=" LOG_QUOTED, held_back, err->text);
}

static bool same_partitions(const KubeletPartitions *a, const KubeletPartitions *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->items[i].id, b->items[i].id) != 0 || a->items[i].healthy != b->items[i].healthy)
      return false;
  return true;
}

static const AgentResource *find_resource(const AgentResources *resources, const char *name) {
  for (size_t i = 0; i < resources->count; i++)
    if (strcmp(resources->items[i].name, name) == 0)
      return &resources->items[i];
  return NULL;
}

/* A resource that lost its last slice is announced as empty, never forgotten: the kubelet still counts it. */
static void add_vanished(const Agent *agent, AgentResources *resources, Arena *arena) {
  size_t most = resources->count + agent->announced.count;
  AgentResource *items = arena_alloc(arena, most * sizeof *items);
  memcpy(items, resources->items, resources->count * sizeof *items);
  resources->items = items;
  for (size_t i = 0; i < agent->announced.count; i++) {
    const char *name = agent->announced.entries[i].key;
    if (find_resource(resources, name))
      continue;
    AgentResource *empty = &resources->items[resources->count++];
    snprintf(empty->name, sizeof empty->name, "%s", name);
  }
}

/* Ids must outlive the observation they came from: the list is compared with the next one. */
static void own_ids(AgentResources *resources, Arena *arena) {
  for (size_t i = 0; i < resources->count; i++)
    for (size_t k = 0; k < resources->items[i].partitions.count; k++) {
      KubeletPartition *partition = &resources->items[i].partitions.items[k];
      partition->id = arena_strdup(arena, partition->id);
    }
}

static bool announce(Agent *agent, const AgentResource *resource) {
  Error err;
  if (agent_rereading_is_on(agent))
    return true;
  map_put(&agent->announced, resource->name, agent);
  if (kubelet_plugins_set(agent->plugins, resource->name, &resource->partitions, &err) < 0) {
    log_trouble(agent, "slices not published", &err);
    agent_trouble_set(&agent->troubles, "announcing", err.text);
    return false;
  }
  return true;
}

void agent_slices_watch_closely(Agent *agent) {
  agent->barrier_began_ms = agent->host->now_ms;
  agent->barrier_poll_ms = BARRIER_POLL_FIRST_MS;
  timer_set(agent->host, &agent->barrier_timer, 0);
}

/* Slices that are about to be destroyed, or that no container could get yet. */
static void drop_withheld(const Agent *agent, AgentResources *resources) {
  for (size_t i = 0; i < resources->count; i++) {
    KubeletPartitions *partitions = &resources->items[i].partitions;
    size_t kept = 0;
    for (size_t k = 0; k < partitions->count; k++)
      if (!agent_recutting_withholds(agent, partitions->items[k].id) &&
          !agent_migmode_withholds(agent, partitions->items[k].id) &&
          agent_cdi_is_ready(agent->cdi, agent->observation, partitions->items[k].id))
        partitions->items[kept++] = partitions->items[k];
    partitions->count = kept;
  }
}

/* Whole GPUs are the affair of NVIDIA's plugin alone, where it publishes. */
static void drop_whole_gpus(AgentResources *resources) {
  size_t kept = 0;
  for (size_t i = 0; i < resources->count; i++)
    if (mig_profile_is_resource(resources->items[i].name))
      resources->items[kept++] = resources->items[i];
  resources->count = kept;
}

static void publish(Agent *agent) {
  CLEANUP(arena_deinit) Arena arena = {0};
  AgentResources fresh;
  agent_publish_resources(agent->observation, &arena, &fresh);
  if (!agent->is_published)
    agent_kick(agent); /* there may be somebody who waits for it */
  agent->is_published = true;
  if (agent_rereading_is_on(agent))
    drop_whole_gpus(&fresh);
  agent_cdi_prepare(agent->cdi, agent->observation);
  drop_withheld(agent, &fresh);
  agent_trouble_set(&agent->troubles, "cdi", agent_cdi_trouble(agent->cdi));
  add_vanished(agent, &fresh, &arena);
  own_ids(&fresh, &arena);
  bool *known = arena_alloc(&arena, (fresh.count + 1) * sizeof *known);
  uint64_t *moved_ms = arena_alloc(&arena, (fresh.count + 1) * sizeof *moved_ms);
  bool changed = fresh.count != agent->resources.count;
  for (size_t i = 0; i < fresh.count; i++) {
    const AgentResource *old = find_resource(&agent->resources, fresh.items[i].name);
    moved_ms[i] = old ? agent->moved_ms[old - agent->resources.items] : agent->host->now_ms;
    if (old && same_partitions(&old->partitions, &fresh.items[i].partitions)) {
      known[i] = agent->known[old - agent->resources.items];
      continue;
    }
    changed = true;
    announce(agent, &fresh.items[i]);
  }
  if (!changed)
    return;
  Arena old_arena = agent->slices_arena;
  agent->slices_arena = arena;
  agent->resources = fresh;
  agent->known = known;
  agent->moved_ms = moved_ms;
  arena = old_arena;
  agent_rereading_note_change(agent);
  agent_slices_watch_closely(agent);
}

/* ---- the node beside it ---- */

void agent_slices_note_node(Agent *agent, const Node *node) {
  for (size_t i = 0; i < agent->resources.count; i++)
    if (!agent_report_shows(node, &agent->resources.items[i]))
      agent->moved_ms[i] = agent->host->now_ms;
}

uint64_t agent_slices_quiet_since(const Agent *agent, const AgentTargets *targets) {
  uint64_t last_ms = 0;
  for (size_t i = 0; i < agent->resources.count; i++)
    if (agent_targets_count(targets, agent->resources.items[i].name) && agent->moved_ms[i] > last_ms)
      last_ms = agent->moved_ms[i];
  return last_ms;
}

size_t agent_slices_count_free(const Agent *agent, const AgentResource *resource) {
  size_t count = 0;
  for (size_t i = 0; i < resource->partitions.count; i++)
    count += !agent->used_known || !map_find(&agent->used, resource->partitions.items[i].id);
  return count;
}

/* ---- the barrier ---- */

/* What another plugin took will not come. */
bool agent_slices_all_known(const Agent *agent) {
  for (size_t i = 0; i < agent->resources.count; i++)
    if (!agent->known[i] && !kubelet_plugins_has_yielded(agent->plugins, agent->resources.items[i].name))
      return false;
  return true;
}

static void ask_again(Agent *agent) {
  timer_set(agent->host, &agent->barrier_timer, agent->barrier_poll_ms);
  /* The kubelet shows a new slice within milliseconds; where it does not, it is away, and asking often is no
   * use. */
  bool is_slow = agent->host->now_ms - agent->barrier_began_ms > AGENT_BARRIER_MS;
  uint32_t slow_ms =
      agent_rereading_is_on(agent) ? agent_rereading_poll_ms(agent) : AGENT_BARRIER_POLL_MAX_MS;
  uint32_t most_ms = is_slow ? slow_ms : KUBELET_POLL_MS;
  agent->barrier_poll_ms *= 2;
  if (agent->barrier_poll_ms > most_ms)
    agent->barrier_poll_ms = most_ms;
}

static void forget_known(Agent *agent) {
  for (size_t i = 0; i < agent->resources.count; i++)
    agent->known[i] = false;
}

/* One that is empty looks known to a kubelet that has never heard of it. NVIDIA's plugin announces none that
 * is empty. */
static bool is_announced(const Agent *agent, const char *resource) {
  return agent_rereading_is_on(agent) || kubelet_plugins_is_current(agent->plugins, resource);
}

static void on_barrier_timer(void *userdata) {
  Agent *agent = userdata;
  bool is_done = agent_slices_all_known(agent) && !agent_rereading_is_on(agent);
  if (is_done || !agent->resources.count)
    return;
  if (!kubelet_pod_resources_allocatable(agent->pod_resources, on_barrier_answer, agent))
    ask_again(agent);
}

static void on_barrier_answer(void *userdata, const KubeletHelds *helds, const Error *err) {
  Agent *agent = userdata;
  if (err) {
    log_trouble(agent, "the kubelet does not say what it knows", err);
    if (agent_rereading_is_on(agent)) /* when it comes back it may have nothing */
      forget_known(agent);
    ask_again(agent);
    agent_kick(agent);
    return;
  }
  bool news = false;
  for (size_t i = 0; i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    bool known = agent_publish_is_known(resource, helds) && is_announced(agent, resource->name);
    if (known && !agent->known[i])
      log_info(AGENT_COMPONENT, "kubelet knows the slices", "resource=%s count=%zu", resource->name,
               resource->partitions.count);
    news = news || (known && !agent->known[i]);
    agent->known[i] = known;
  }
  if (news && agent_slices_all_known(agent)) {
    agent->known_ms = agent->host->now_ms;
    agent_counting_note_stage(agent->metrics, "publish", agent->known_ms - agent->barrier_began_ms);
  }
  if (!agent_slices_all_known(agent) || agent_rereading_is_on(agent))
    ask_again(agent);
  if (agent_rereading_is_on(agent))
    agent_rereading_note_answer(agent, helds);
  if (news || agent_rereading_is_on(agent))
    agent_kick(agent);
}

uint64_t agent_slices_settled_by(const Agent *agent) {
  return agent_slices_all_known(agent) ? 0 : agent->barrier_began_ms + AGENT_BARRIER_MS;
}

/* A kubelet that dropped ListAndWatch offers nothing of ours, and may say so on the node: nobody may
 * contradict it before it has the list again, or pods would come that it rejects for good. Registering again
 * starts the next barrier. */
static void forget_lost(Agent *agent) {
  for (size_t i = 0; i < agent->resources.count; i++)
    if (agent->known[i] && !is_announced(agent, agent->resources.items[i].name))
      agent->known[i] = false;
}

/* Somebody took back what the node offered. The kubelet does so when NVIDIA's plugin has gone, and that may
 * be news to us: it is asked before anybody contradicts. */
void agent_slices_doubt(Agent *agent, const Node *old, const Node *new_) {
  for (size_t i = 0; old && new_ && i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    if (!agent->known[i] || !agent_report_shows(old, resource) || agent_report_shows(new_, resource))
      continue;
    agent->known[i] = false;
    agent_slices_watch_closely(agent);
  }
}

/* After a kubelet restart nothing is known any more, whatever it knew before. */
static void on_registered(void *userdata, const char *resource) {
  Agent *agent = userdata;
  log_info(AGENT_COMPONENT, "registered with the kubelet", "resource=%s", resource);
  for (size_t i = 0; i < agent->resources.count; i++)
    if (strcmp(agent->resources.items[i].name, resource) == 0)
      agent->known[i] = false;
  agent_rival_on_registered(agent);
  agent_slices_watch_closely(agent);
}

static void on_rival(void *userdata, const char *resource) {
  agent_rival_noticed(userdata, resource, "NVIDIA's device plugin has just made its socket");
}

/* A kubelet that is away is no trouble of this node's, and comes back; a socket that cannot be made is one.
 */
static void on_plugin_trouble(void *userdata, const char *resource, const Error *err) {
  Agent *agent = userdata;
  if (err)
    log_trouble(agent, "device plugin trouble", err);
  bool is_ours = err && err->code != ERROR_UNAVAILABLE && err->code != ERROR_TIMEOUT;
  if (resource && agent_trouble_set(&agent->troubles, resource, is_ours ? err->text : NULL))
    agent_kick(agent);
}

/* ---- who holds what ---- */

static bool same_use(const Map *a, const Map *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (!map_find(b, a->entries[i].key))
      return false;
  return true;
}

static void on_use_answer(void *userdata, const KubeletHelds *helds, const Error *err) {
  Agent *agent = userdata;
  agent->use_is_asked = false;
  timer_set(agent->host, &agent->use_timer, AGENT_USE_POLL_MS);
  if (err) {
    log_trouble(agent, "the kubelet does not say who holds slices", err);
    return;
  }
  agent_rival_on_use(agent, helds);
  agent_recutting_note_list(agent, helds);
  Map fresh = {0};
  for (size_t i = 0; i < helds->count; i++)
    if (agent_publish_is_resource(helds->items[i].resource) && !agent_recutting_owns(agent, &helds->items[i]))
      for (size_t k = 0; k < helds->items[i].ids.count; k++)
        map_put(&fresh, helds->items[i].ids.items[k], agent);
  bool changed = !agent->used_known || !same_use(&agent->used, &fresh);
  map_deinit(&agent->used);
  agent->used = fresh;
  agent->used_known = true;
  agent->used_ms = agent->used_asked_ms;
  if (changed || agent->leaving.state != AGENT_STAYING)
    agent_kick(agent);
}

/* List makes the kubelet forget pods that have ended, and with them what it has just chosen for a pod, but
 * not noted yet, because Allocate is under way: the next pod would get the same slice
 * (UpdateAllocatedDevices of pkg/kubelet/cm/devicemanager/manager.go, 1.36; seen once in some thousand pods
 * that came in crowds). So it is not asked while pods are being admitted, and a choice waits until it has
 * answered. 0: it may be asked. */
static uint64_t quiet_wait_ms(Agent *agent) {
  uint64_t now_ms = agent->host->now_ms, quiet_ms = agent->admitting_ms + AGENT_USE_QUIET_MS;
  if (!agent->use_due_ms)
    agent->use_due_ms = now_ms;
  bool waits =
      agent->admitting_ms && now_ms < quiet_ms && now_ms < agent->use_due_ms + AGENT_USE_QUIET_MAX_MS;
  if (!waits)
    agent->use_due_ms = 0;
  return waits ? quiet_ms - now_ms : 0;
}

static void on_use_timer(void *userdata) {
  Agent *agent = userdata;
  if (!agent->resources.count)
    return; /* all was taken back */
  uint64_t wait_ms = quiet_wait_ms(agent);
  if (wait_ms) {
    timer_set(agent->host, &agent->use_timer, wait_ms);
  } else if (kubelet_pod_resources_list(agent->pod_resources, on_use_answer, agent)) {
    agent->use_is_asked = true;
    agent->used_asked_ms = agent->host->now_ms;
    agent_recutting_note_list_asked(agent);
  } else {
    timer_set(agent->host, &agent->use_timer, AGENT_USE_ANSWER_MS);
  }
}

/* ---- the kubelet's questions ---- */

/* NVIDIA's container runtime reads the variable. */
static void answer_by_variable(const char *ids, Arena *arena, KubeletAllocation *ret_allocation) {
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = arena_strdup(arena, ids)};
  *ret_allocation = (KubeletAllocation){.envs = {.items = env, .count = 1}};
}

/* Any container runtime that knows CDI finds the names in our files. */
static void answer_by_cdi(const Strings *ids, Arena *arena, KubeletAllocation *ret_allocation) {
  Strings names = {.items = arena_alloc(arena, ids->count * sizeof *names.items), .count = ids->count};
  for (size_t i = 0; i < ids->count; i++) {
    CLEANUP(cleanup_free) char *name = mem_format(AGENT_CDI_KIND "=%s", ids->items[i]);
    names.items[i] = arena_strdup(arena, name);
  }
  *ret_allocation = (KubeletAllocation){.cdi_names = names};
}

static int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                       KubeletAllocation *ret_allocation, Error *err) {
  Agent *agent = userdata;
  CLEANUP(text_deinit) Text visible = {0};
  for (size_t i = 0; i < ids->count; i++) {
    if (!agent->observation || !agent_publish_exists(agent->observation, ids->items[i]))
      return error_set(err, ERROR_NOT_FOUND, "slice %s of %s does not exist on this node any more",
                       ids->items[i], resource);
    text_format(&visible, "%s%s", i ? "," : "", ids->items[i]);
    agent_rival_on_allocate(agent, ids->items[i]);
  }
  if (agent->cdi)
    answer_by_cdi(ids, arena, ret_allocation);
  else
    answer_by_variable(text_string(&visible), arena, ret_allocation);
  agent->leaving.allocated_ms = agent->admitting_ms = agent->host->now_ms;
  log_info(AGENT_COMPONENT, "slice allocated", "resource=%s ids=%s", resource, text_string(&visible));
  return 0;
}

static uint32_t preferred_delay_ms(void *userdata, const char *resource, const KubeletPreferred *request) {
  Agent *agent = userdata;
  uint32_t delay_ms = agent_recutting_delay_ms(agent, resource, request);
  agent->admitting_ms = agent->host->now_ms;
  return agent->use_is_asked && delay_ms < AGENT_USE_ANSWER_MS ? AGENT_USE_ANSWER_MS : delay_ms;
}

static void on_preferred(void *userdata, const char *resource, const KubeletPreferred *request, Arena *arena,
                         Strings *ret_ids) {
  Agent *agent = userdata;
  if (agent->observation)
    agent_recutting_prefer(agent, resource, request, arena, ret_ids);
}

/* ---- life ---- */

/* After a crash every moment counts: until the kubelet has its plugins back it rejects, for good, each pod
 * that the scheduler sends for a slice. A socket that an earlier life left behind shows that these slices
 * were ours to publish, so they are published again before the API server has said anything. */
void agent_slices_adopt(Agent *agent) {
  if (agent->adopted || !agent->observation || agent_rereading_is_on(agent) ||
      !agent_cdi_prepare(agent->cdi, agent->observation))
    return;
  agent->adopted = true;
  CLEANUP(arena_deinit) Arena arena = {0};
  AgentResources found;
  agent_publish_resources(agent->observation, &arena, &found);
  for (size_t i = 0; i < found.count; i++)
    if (kubelet_plugins_was_published(agent->plugins, found.items[i].name)) {
      log_info(AGENT_COMPONENT, "publishing again after a crash", "resource=%s", found.items[i].name);
      publish(agent);
      return;
    }
}

static void on_cdi_change(void *userdata) {
  agent_kick(userdata);
}

void agent_slices_step(Agent *agent) {
  if (!agent->observation || agent->observe_error.code)
    return;
  publish(agent);
  forget_lost(agent);
  agent_rereading_step(agent);
  if (agent_slices_all_known(agent))
    agent_cdi_clean(agent->cdi, agent->observation);
  if (!timer_is_set(&agent->use_timer))
    timer_set(agent->host, &agent->use_timer, 0);
}

static void open_plugins(Agent *agent) {
  agent->plugins = kubelet_plugins_new(agent->host, agent->port,
                                       &(KubeletPluginsOptions){.folder = agent->plugin_folder,
                                                                .on_allocate = on_allocate,
                                                                .on_preferred = on_preferred,
                                                                .preferred_delay_ms = preferred_delay_ms,
                                                                .on_registered = on_registered,
                                                                .on_trouble = on_plugin_trouble,
                                                                .on_rival = on_rival,
                                                                .userdata = agent});
}

void agent_slices_withdraw(Agent *agent) {
  timer_cancel(agent->host, &agent->barrier_timer);
  kubelet_plugins_free(agent->plugins);
  open_plugins(agent);
  map_clear(&agent->announced);
  arena_deinit(&agent->slices_arena);
  agent->slices_arena = (Arena){0};
  agent->resources = (AgentResources){0};
  agent->is_published = false;
  agent->known = NULL;
  agent->moved_ms = NULL;
}

void agent_slices_init(Agent *agent, KubeletPort *port, const AgentOptions *options) {
  agent->barrier_timer = (HostTimer){.fire = on_barrier_timer, .userdata = agent};
  agent->use_timer = (HostTimer){.fire = on_use_timer, .userdata = agent};
  agent->port = port;
  agent->plugin_folder = mem_strdup(options->device_plugin_folder);
  open_plugins(agent);
  agent->pod_resources = kubelet_pod_resources_new(agent->host, port, options->pod_resources_socket);
  agent->cdi = agent_cdi_new(&options->cdi, agent->host, on_cdi_change, agent);
  agent_rival_init(agent);
}

void agent_slices_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->barrier_timer);
  timer_cancel(agent->host, &agent->use_timer);
  agent_rival_deinit(agent);
  agent_cdi_free(agent->cdi);
  kubelet_plugins_free(agent->plugins);
  free(agent->plugin_folder);
  kubelet_pod_resources_free(agent->pod_resources);
  map_deinit(&agent->announced);
  map_deinit(&agent->used);
  agent_trouble_deinit(&agent->troubles);
  arena_deinit(&agent->slices_arena);
}
