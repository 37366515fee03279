/* SPDX-License-Identifier: Apache-2.0 */
/* Every change comes with the object before and after it; what is told is the difference. */
#include "cli/demo_story.h"

#include <stdarg.h>
#include <string.h>

enum { QUIET_MS = 4000, GPUS_DRAWN_MAX = 16 };

/* ---- lines ---- */

static void add_line(CliDemoStory *story, const char *actor, const char *text) {
  if (story->lines.count == CLI_DEMO_LINES_KEPT) {
    free(story->lines.items[0].text);
    array_remove(&story->lines, 0);
  }
  CliDemoLine *line = array_push(&story->lines);
  *line = (CliDemoLine){
      .at_ms = story->cluster->host.now_ms - story->began_ms, .actor = actor, .text = mem_strdup(text)};
  if (story->on_line)
    story->on_line(story->userdata, line);
}

void cli_demo_story_tell(CliDemoStory *story, const char *actor, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  add_line(story, actor, text);
}

void cli_demo_story_log(void *userdata, LogLevel level, const char *component, const char *message,
                        const char *fields) {
  CliDemoStory *story = userdata;
  if (!story->verbose && level > LOG_LEVEL_WARN)
    return;
  /* Components are string literals of the programs. */
  cli_demo_story_tell(story, component, "%s%s%s", message, *fields ? ": " : "", fields);
}

static void draw(CliDemoStory *story, const CliDemoGpu *gpu) {
  CLEANUP(text_deinit) Text line = {0};
  cli_draw_layout(&gpu->layout, gpu->states, story->colours, &line);
  add_line(story, "", text_string(&line));
}

void cli_demo_story_draw_all(CliDemoStory *story) {
  int drawn = 0;
  for (int n = 0; n < story->cluster->node_count; n++) {
    const char *name = story->cluster->nodes[n].name;
    const json_t *node = sim_api_store_find(sim_api_store(story->cluster->api), SIM_API_NODES, name);
    CliDemoGpu gpu;
    for (int g = 0; cli_demo_gpu_read(node, g, &gpu); g++) {
      if (!gpu.layout.count || drawn++ >= GPUS_DRAWN_MAX)
        continue;
      cli_demo_story_tell(story, "node", "%s GPU %d %s", name, g, gpu.model->name);
      draw(story, &gpu);
    }
  }
}

/* ---- pods ---- */

static const char *text_at(const json_t *object, const char *section, const char *field) {
  return string_or_empty(json_string_value(json_object_get(json_object_get(object, section), field)));
}

static CliDemoPod *find_pod(CliDemoStory *story, const char *key) {
  for (size_t i = 0; i < story->pods.count; i++)
    if (strcmp(story->pods.items[i].key, key) == 0)
      return &story->pods.items[i];
  return NULL;
}

static void set_text(char **place, const char *text) {
  free(*place);
  *place = mem_strdup(text);
}

static void add_pod(CliDemoStory *story, const char *key, const json_t *object) {
  CliDemoPod *pod = array_push(&story->pods);
  pod->key = mem_strdup(key);
  pod->node = mem_strdup("");
  pod->note = mem_strdup("");
  const json_t *container = json_array_get(json_object_get(json_object_get(object, "spec"), "containers"), 0);
  json_t *limits = json_object_get(json_object_get(container, "resources"), "limits");
  Error err;
  const char *resource;
  json_t *amount;
  json_object_foreach(limits, resource, amount) {
    if (mig_profile_is_resource(resource) && mig_profile_parse_resource(resource, pod->profile, &err) < 0)
      pod->profile[0] = '\0';
  }
}

/* The slice that its node's kubelet gave the pod. */
static const char *find_slice(const CliDemoStory *story, const char *node, const char *uid) {
  const SimCluster *cluster = story->cluster;
  for (int i = 0; i < cluster->node_count; i++)
    if (strcmp(cluster->nodes[i].name, node) == 0)
      return string_or_empty(sim_disk_find_env(&cluster->nodes[i].disk, uid, "NVIDIA_VISIBLE_DEVICES"));
  return "";
}

static void tell_unschedulable(CliDemoStory *story, CliDemoPod *pod, const json_t *object) {
  const json_t *conditions = json_object_get(json_object_get(object, "status"), "conditions");
  const json_t *condition = json_array_get(conditions, 0);
  const char *message = json_string_value(json_object_get(condition, "message"));
  if (!message || pod->state != CLI_DEMO_POD_WAITING)
    return;
  if (!pod->note[0])
    cli_demo_story_tell(story, "scheduler", "%s waits: %s", pod->key, message);
  if (!pod->is_noted)
    set_text(&pod->note, message);
}

static void change_state(CliDemoStory *story, CliDemoPod *pod, CliDemoPodState state, const json_t *object) {
  pod->state = state;
  if (state == CLI_DEMO_POD_STARTING) {
    cli_demo_story_tell(story, "scheduler", "%s goes to node %s", pod->key, pod->node);
  } else if (state == CLI_DEMO_POD_RUNNING) {
    story->running_ms = story->cluster->host.now_ms;
    cli_demo_story_tell(story, "kubelet", "%s runs on %s with %s", pod->key, pod->node,
                        find_slice(story, pod->node, text_at(object, "metadata", "uid")));
  } else if (state == CLI_DEMO_POD_FAILED) {
    set_text(&pod->note, text_at(object, "status", "message"));
    cli_demo_story_tell(story, "kubelet", "%s failed: %s", pod->key, pod->note);
  }
}

static CliDemoPodState state_of(const json_t *object) {
  const char *phase = text_at(object, "status", "phase");
  if (strcmp(phase, "Running") == 0)
    return CLI_DEMO_POD_RUNNING;
  if (strcmp(phase, "Failed") == 0)
    return CLI_DEMO_POD_FAILED;
  return *text_at(object, "spec", "nodeName") ? CLI_DEMO_POD_STARTING : CLI_DEMO_POD_WAITING;
}

static void pod_deinit(CliDemoPod *pod) {
  free(pod->key);
  free(pod->node);
  free(pod->note);
}

static void drop_pod(CliDemoStory *story, CliDemoPod *pod) {
  cli_demo_story_tell(story, "kubelet", "%s has ended", pod->key);
  pod_deinit(pod);
  array_remove(&story->pods, pod - story->pods.items);
}

/* Another one: the scheduler can place it only once it has seen what the node offers after a re-cut. */
static void on_witness_change(CliDemoStory *story, const SimApiChange *change) {
  const char *node = text_at(change->object, "spec", "nodeName");
  story->reservation_count += change->is_deletion ? -1 : !change->before;
  if (change->before && *node && !*text_at(change->before, "spec", "nodeName"))
    cli_demo_story_tell(story, "scheduler", "has seen what node %s offers now", node);
}

/* One of the agent's own pods: it asks the scheduler for slices that are to be taken away. */
static void on_reservation_change(CliDemoStory *story, const SimApiChange *change) {
  const char *node = text_at(change->object, "spec", "nodeName");
  if (!change->before) {
    story->reservation_count++;
    cli_demo_story_tell(story, "agent", "reserves what is to be taken away: pod %s", change->key);
  } else if (change->is_deletion) {
    story->reservation_count--;
    cli_demo_story_tell(story, "agent", "lets the reservation go");
  } else if (*node && !*text_at(change->before, "spec", "nodeName")) {
    cli_demo_story_tell(story, "scheduler",
                        "the reservation goes to node %s: nobody else was promised these slices", node);
  }
}

static void on_pod_change(CliDemoStory *story, const SimApiChange *change) {
  if (string_has_prefix(change->key, SIM_CLUSTER_SYSTEM_NAMESPACE "/")) {
    if (strstr(change->key, "/facet-witness-"))
      on_witness_change(story, change);
    else
      on_reservation_change(story, change);
    return;
  }
  if (!change->before)
    add_pod(story, change->key, change->object);
  CliDemoPod *pod = find_pod(story, change->key);
  if (!pod)
    return;
  if (change->is_deletion) {
    drop_pod(story, pod);
    return;
  }
  if (*text_at(change->object, "metadata", "deletionTimestamp"))
    return; /* on its way out */
  set_text(&pod->node, text_at(change->object, "spec", "nodeName"));
  CliDemoPodState state = state_of(change->object);
  if (state != pod->state)
    change_state(story, pod, state, change->object);
  tell_unschedulable(story, pod, change->object);
}

/* ---- nodes ---- */

static void count_profile(const CliDemoGpu *gpu, const bool *chosen, Text *text) {
  for (int profile = 0; profile < gpu->model->profile_count; profile++) {
    int count = 0;
    for (int i = 0; i < gpu->layout.count; i++)
      count += chosen[i] && gpu->layout.instances[i].profile == profile;
    if (count)
      text_format(text, "%s%d x %s", text->size ? ", " : "", count, gpu->model->profiles[profile].name);
  }
}

/* Slices that are wanted now and were not before, and those that have to go for them. */
static void tell_planned(CliDemoStory *story, const char *node, const CliDemoGpu *before,
                         const CliDemoGpu *after) {
  bool chosen[MIG_INSTANCES_MAX] = {false}, going[MIG_INSTANCES_MAX] = {false};
  DrawState state;
  for (int i = 0; i < before->layout.count; i++)
    going[i] =
        before->states[i] == DRAW_FREE && !cli_demo_gpu_find(after, &before->layout.instances[i], &state);
  for (int i = 0; i < after->layout.count; i++)
    chosen[i] =
        after->states[i] == DRAW_NEW && !cli_demo_gpu_find(before, &after->layout.instances[i], &state);
  CLEANUP(text_deinit) Text text = {0}, gone = {0};
  count_profile(after, chosen, &text);
  count_profile(before, going, &gone);
  if (!text.size)
    return;
  cli_demo_story_tell(story, "controller", "planned: node %s GPU %d: %s%s%s", node, after->index,
                      text_string(&text), gone.size ? " in place of free " : "", text_string(&gone));
  draw(story, after);
}

static void tell_cut(CliDemoStory *story, const char *node, const CliDemoGpu *before,
                     const CliDemoGpu *after) {
  for (int i = 0; i < after->layout.count; i++) {
    const MigInstance *instance = &after->layout.instances[i];
    DrawState state;
    bool was_cut = cli_demo_gpu_find(before, instance, &state) && state != DRAW_NEW;
    if (after->states[i] != DRAW_NEW && !was_cut)
      cli_demo_story_tell(story, "agent", "cut: node %s GPU %d: %s at slot %d", node, after->index,
                          after->model->profiles[instance->profile].name, instance->start);
  }
}

static void tell_removed(CliDemoStory *story, const char *node, const CliDemoGpu *before,
                         const CliDemoGpu *after) {
  DrawState state;
  for (int i = 0; i < before->layout.count; i++) {
    const MigInstance *instance = &before->layout.instances[i];
    if (!cli_demo_gpu_find(after, instance, &state))
      cli_demo_story_tell(story, "agent", "took away: node %s GPU %d: %s at slot %d", node, after->index,
                          after->model->profiles[instance->profile].name, instance->start);
  }
}

static void tell_offers(CliDemoStory *story, const char *node, const json_t *before, const json_t *after) {
  json_t *amounts = json_object_get(json_object_get(after, "status"), "allocatable");
  const json_t *old = json_object_get(json_object_get(before, "status"), "allocatable");
  const char *name;
  json_t *amount;
  json_object_foreach(amounts, name, amount) {
    if (mig_profile_is_resource(name) && !json_equal(amount, json_object_get(old, name)))
      cli_demo_story_tell(story, "agent", "node %s offers %s: %s", node, name, json_string_value(amount));
  }
}

static void on_node_change(CliDemoStory *story, const SimApiChange *change) {
  CliDemoGpu before, after;
  for (int g = 0; cli_demo_gpu_read(change->object, g, &after); g++) {
    if (!cli_demo_gpu_read(change->before, g, &before))
      mig_layout_init(&before.layout, after.model);
    tell_planned(story, change->key, &before, &after);
    CliDemoGpu was, is;
    if (cli_demo_gpu_read_status(change->before, g, &was) && cli_demo_gpu_read_status(change->object, g, &is))
      tell_removed(story, change->key, &was, &is);
    tell_cut(story, change->key, &before, &after);
  }
  tell_offers(story, change->key, change->before, change->object);
  const char *error = cli_demo_gpu_annotation(change->object, MIG_ANNOTATION_ERROR);
  if (error && !string_equal(error, cli_demo_gpu_annotation(change->before, MIG_ANNOTATION_ERROR)))
    cli_demo_story_tell(story, "agent", "node %s: %s", change->key, error);
}

/* ---- Events ---- */

static void on_event(CliDemoStory *story, const SimApiChange *change) {
  CLEANUP(cleanup_free)
  char *key = mem_format("%s/%s", text_at(change->object, "regarding", "namespace"),
                         text_at(change->object, "regarding", "name"));
  CliDemoPod *pod = find_pod(story, key);
  const char *reason = string_or_empty(json_string_value(json_object_get(change->object, "reason")));
  const char *note = string_or_empty(json_string_value(json_object_get(change->object, "note")));
  if (!pod)
    return;
  pod->is_noted = strcmp(reason, "NotTriggeredRepartition") == 0;
  if (!pod->is_noted)
    return;
  set_text(&pod->note, note);
  cli_demo_story_tell(story, "controller", "%s cannot be helped: %s", pod->key, note);
}

static void on_change(void *userdata, const SimApiChange *change) {
  static void (*const tellers[])(CliDemoStory * story, const SimApiChange *change) = {
      [SIM_API_NODES] = on_node_change, [SIM_API_PODS] = on_pod_change, [SIM_API_EVENTS] = on_event};
  tellers[change->kind](userdata, change);
}

/* ---- the whole ---- */

void cli_demo_story_init(CliDemoStory *story, SimCluster *cluster, bool verbose, bool colours) {
  *story = (CliDemoStory){.cluster = cluster,
                          .began_ms = cluster->host.now_ms,
                          .act_ms = cluster->host.now_ms,
                          .running_ms = cluster->host.now_ms,
                          .verbose = verbose,
                          .colours = colours};
  cluster->on_change = on_change;
  cluster->change_userdata = story;
}

void cli_demo_story_deinit(CliDemoStory *story) {
  for (size_t i = 0; i < story->pods.count; i++)
    pod_deinit(&story->pods.items[i]);
  for (size_t i = 0; i < story->lines.count; i++)
    free(story->lines.items[i].text);
  array_deinit(&story->pods);
  array_deinit(&story->lines);
}

size_t cli_demo_story_count(const CliDemoStory *story, CliDemoPodState state) {
  size_t count = 0;
  for (size_t i = 0; i < story->pods.count; i++)
    count += story->pods.items[i].state == state;
  return count;
}

void cli_demo_story_begin_act(CliDemoStory *story) {
  story->act_ms = story->running_ms = story->cluster->host.now_ms;
}

static bool plans_are_answered(const SimCluster *cluster) {
  const Map *nodes = &sim_api_store(cluster->api)->objects[SIM_API_NODES];
  for (size_t i = 0; i < nodes->count; i++)
    if (!string_equal(cli_demo_gpu_annotation(nodes->entries[i].value, MIG_ANNOTATION_SPEC_PLAN),
                      cli_demo_gpu_annotation(nodes->entries[i].value, MIG_ANNOTATION_STATUS_PLAN)))
      return false;
  return true;
}

bool cli_demo_story_is_over(void *userdata) {
  const CliDemoStory *story = userdata;
  const SimCluster *cluster = story->cluster;
  bool all_run = cli_demo_story_count(story, CLI_DEMO_POD_RUNNING) == story->pods.count;
  if (all_run && !story->reservation_count && plans_are_answered(cluster))
    return true;
  return cluster->host.now_ms >= cluster->changed_ms + QUIET_MS;
}

static void format_waiting(const CliDemoStory *story, const CliDemoPod *first, Text *out) {
  size_t count = 0;
  CLEANUP(text_deinit) Text names = {0};
  for (size_t i = 0; i < story->pods.count; i++) {
    const CliDemoPod *pod = &story->pods.items[i];
    if (pod->state == CLI_DEMO_POD_RUNNING || strcmp(pod->profile, first->profile) != 0 ||
        strcmp(pod->note, first->note) != 0)
      continue;
    if (pod < first) /* the group was told with its first pod */
      return;
    text_format(&names, "%s%s", count++ ? ", " : "", pod->key);
  }
  bool is_failed = first->state == CLI_DEMO_POD_FAILED;
  text_format(out, "%zu pod%s %s: %s (%s): %s\n", count, count == 1 ? "" : "s",
              is_failed    ? "failed"
              : count == 1 ? "still waits"
                           : "still wait",
              text_string(&names), first->profile, first->note);
}

void cli_demo_story_format_end(const CliDemoStory *story, Text *out) {
  text_format(out, "%zu of %zu pods Running in %.1f s\n", cli_demo_story_count(story, CLI_DEMO_POD_RUNNING),
              story->pods.count, (double)(story->running_ms - story->act_ms) / 1000);
  for (size_t i = 0; i < story->pods.count; i++)
    if (story->pods.items[i].state != CLI_DEMO_POD_RUNNING)
      format_waiting(story, &story->pods.items[i], out);
}

const char *cli_demo_pod_state_name(CliDemoPodState state) {
  static const char *const names[] = {[CLI_DEMO_POD_WAITING] = "waiting",
                                      [CLI_DEMO_POD_STARTING] = "starting",
                                      [CLI_DEMO_POD_RUNNING] = "Running",
                                      [CLI_DEMO_POD_FAILED] = "Failed"};
  return names[state];
}
