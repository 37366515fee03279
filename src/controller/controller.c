/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller.h"

#include "base/log.h"
#include "cluster/node_trim.h"
#include "controller/outlook.h"
#include "controller/pass.h"
#include "controller/pod_event.h"
#include "controller/state.h"

#define COMPONENT "controller"

enum { WARNED_MAX = 1000 }; /* different warnings remembered as logged */

_Static_assert((int)CONTROLLER_WRITES_MAX + (int)CONTROLLER_EVENTS_IN_FLIGHT_MAX <= (int)KUBE_CALLS_MAX,
               "what one pass sends must fit into the client");

/* ---- when to plan ---- */

static void schedule(Controller *controller, uint64_t delay_ms) {
  uint64_t at_ms = controller->host->now_ms + delay_ms;
  if (!timer_is_set(&controller->pass_timer) || at_ms < controller->pass_timer.at_ms)
    timer_set(controller->host, &controller->pass_timer, delay_ms);
}

static void mark_dirty(Controller *controller) {
  controller->dirty = true;
  schedule(controller, controller->options.batch_idle_ms);
}

/* A pod that waits for slices opens or extends the batch window. */
static void extend_batch(Controller *controller) {
  uint64_t now_ms = controller->host->now_ms;
  if (!controller->batch_began_ms)
    controller->batch_began_ms = now_ms;
  controller->dirty = true;
  uint64_t latest_ms = controller->batch_began_ms + controller->options.batch_timeout_ms;
  uint64_t idle_ms = now_ms + controller->options.batch_idle_ms;
  uint64_t at_ms = idle_ms < latest_ms ? idle_ms : latest_ms;
  timer_set(controller->host, &controller->pass_timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

static bool waits_for_slices(const Pod *pod) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources requests;
  Error err;
  return !pod->node_name && !pod_is_terminal(pod) &&
         pod_requests_compute(pod, &arena, &requests, &err) == 0 && !plan_ignore_reason(pod, &requests);
}

static void on_pod_change(void *userdata, const void *old, const void *new_) {
  Controller *controller = userdata;
  const Pod *before = old, *after = new_;
  if (after)
    controller_cluster_put_pod(&controller->cluster, after);
  else
    controller_cluster_remove_pod(&controller->cluster, before);
  const char *gone = after ? NULL : OBJECT_UID(before->meta.uid);
  if (gone)
    controller_memory_forget_pod(&controller->memory, gone);
  bool waits = after && waits_for_slices(after);
  if (waits && !(before && waits_for_slices(before))) {
    log_debug(COMPONENT, "pod waits for slices", "pod=%s/%s", after->meta.namespace_, after->meta.name);
    extend_batch(controller);
  } else {
    mark_dirty(controller);
  }
}

static void write_free(NodeWrite *write) {
  free(write->node);
  free(write->summary);
  free(write);
}

static void forget_write(Controller *controller, const char *node) {
  NodeWrite *write = map_remove(&controller->writes, node);
  if (write)
    write_free(write);
}

static void on_node_change(void *userdata, const void *old, const void *new_) {
  Controller *controller = userdata;
  const Node *node = new_;
  if (!node) {
    const Node *gone = old;
    NodeWrite *unseen = map_find(&controller->writes, gone->meta.name);
    if (unseen && unseen->answered)
      forget_write(controller, gone->meta.name);
    controller_cluster_remove_node(&controller->cluster, gone);
    controller_memory_forget_node(&controller->memory, gone->meta.name);
    controller_counting_forget_node(&controller->counting, gone->meta.name);
    controller_observing_forget_node(&controller->observing, gone->meta.name);
    mark_dirty(controller);
    return;
  }
  controller_outlook_note_node(&controller->gate, controller->host->now_ms, old, node);
  controller_cluster_put_node(&controller->cluster, node);
  controller_counting_note_node(&controller->counting, node);
  NodeWrite *write = map_find(&controller->writes, node->meta.name);
  const char *plan = key_values_find(&node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN);
  if (write && write->answered && string_equal(plan, write->plan_id))
    forget_write(controller, node->meta.name);
  mark_dirty(controller);
}

static void on_synced(void *userdata) {
  Controller *controller = userdata;
  if (kube_informer_is_synced(controller->nodes) && kube_informer_is_synced(controller->pods))
    log_info(COMPONENT, "synced", "nodes=%zu pods=%zu", kube_informer_count(controller->nodes),
             kube_informer_count(controller->pods));
  if (kube_informer_is_synced(controller->nodes) && kube_informer_is_synced(controller->pods))
    controller_outlook_note_synced(controller->nodes);
  mark_dirty(controller);
}

static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Controller *controller = userdata;
  uint32_t held_back;
  controller_counting_note_failure(&controller->counting, "watch", err);
  if (log_gate_pass(&controller->gate, err->text, controller->host->now_ms, &held_back))
    log_warn(COMPONENT, "watching the cluster failed", "retry_ms=%llu held_back=%u err=" LOG_QUOTED,
             (unsigned long long)retry_ms, held_back, err->text);
}

/* ---- carrying out ---- */

static void go_on_leaving(Controller *controller);

/* The server understood and said no: asking the same again at once brings the same. */
static bool is_refusal(const KubeAnswer *answer) {
  return !answer->err && answer->status >= 400 && answer->status < 500 && answer->status != 429;
}

static bool is_shown(const Controller *controller, const NodeWrite *write) {
  const Node *node = kube_informer_find(controller->nodes, write->node);
  return node &&
         string_equal(key_values_find(&node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN), write->plan_id);
}

static void note_written(Controller *controller, NodeWrite *write) {
  log_info(COMPONENT, "node written", "node=%s plan=%s slices=" LOG_QUOTED, write->node, write->plan_id,
           write->summary);
  controller_memory_note_written(&controller->memory, write->node);
  controller_counting_note_written(&controller->counting, write->node, write->sent_ms);
  write->answered = true;
  write->give_up_ms = controller->host->now_ms + CONTROLLER_SEEN_MS;
  if (is_shown(controller, write)) { /* the watch was faster than the answer */
    forget_write(controller, write->node);
    schedule(controller, controller->options.batch_idle_ms);
  } else {
    schedule(controller, CONTROLLER_SEEN_MS);
  }
}

static void note_not_written(Controller *controller, NodeWrite *write, const KubeAnswer *answer,
                             const Error *why) {
  /* 422 is the guard: the node's plan is not the one that this pass saw. The next pass reads the truth. */
  bool outdated = !answer->err && (answer->status == 422 || answer->status == 409 || answer->status == 404);
  uint32_t held_back;
  controller_counting_note_not_written(&controller->counting, outdated, why);
  if (log_gate_pass(&controller->gate, why->text, controller->host->now_ms, &held_back))
    log_write(outdated ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, COMPONENT, "node not written",
              "node=%s plan=%s held_back=%u err=" LOG_QUOTED, write->node, write->plan_id, held_back,
              why->text);
  if (is_refusal(answer) && kube_informer_find(controller->nodes, write->node)) {
    controller_memory_note_refused(&controller->memory, write->node, why->text, controller->host->now_ms);
    controller_cluster_judge(&controller->cluster, write->node);
  }
  forget_write(controller, write->node);
  controller->dirty = true;
  schedule(controller, outdated ? controller->options.batch_idle_ms : CONTROLLER_SEEN_MS);
}

static void on_node_written(void *userdata, const KubeAnswer *answer) {
  NodeWrite *write = userdata;
  Controller *controller = write->controller;
  Error err;
  if (kube_answer_is_ok(answer, &err))
    note_written(controller, write);
  else
    note_not_written(controller, write, answer, &err);
  go_on_leaving(controller);
}

static void send_write(Controller *controller, const ControllerWrite *planned, const char *plan_id) {
  NodeWrite *write = mem_alloc(sizeof *write);
  *write = (NodeWrite){.controller = controller,
                       .node = mem_strdup(planned->node),
                       .summary = mem_strdup(planned->summary),
                       .sent_ms = controller->host->now_ms,
                       .give_up_ms = UINT64_MAX};
  snprintf(write->plan_id, sizeof write->plan_id, "%s", plan_id);
  NodeWrite *old = map_put(&controller->writes, planned->node, write);
  assert(!old);
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s", planned->node);
  kube_client_call(controller->client, &(KubeCallOptions){.method = "PATCH",
                                                          .path = path,
                                                          .content_type = KUBE_JSON_PATCH,
                                                          .body = planned->body,
                                                          .body_size = strlen(planned->body),
                                                          .on_answer = on_node_written,
                                                          .userdata = write});
}

static void word_free(PodWord *word) {
  free(word->uid);
  free(word->namespace_);
  free(word->name);
  free(word);
}

static void forget_word(Controller *controller, PodWord *word) {
  size_t i = 0;
  while (controller->words.items[i] != word)
    i++;
  array_remove(&controller->words, i);
  word_free(word);
}

/* What the server would not take now is said again later; what it refuses stays unsaid. */
static void on_event_written(void *userdata, const KubeAnswer *answer) {
  PodWord *word = userdata;
  Controller *controller = word->controller;
  Error err;
  bool is_ok = kube_answer_is_ok(answer, &err);
  controller_counting_note_word(&controller->counting, is_ok ? NULL : &err);
  if (!is_ok) {
    uint32_t held_back;
    if (log_gate_pass(&controller->gate, err.text, controller->host->now_ms, &held_back))
      log_warn(COMPONENT, "Event not written", "held_back=%u err=" LOG_QUOTED, held_back, err.text);
    if (!is_refusal(answer)) {
      controller_memory_untell(&controller->memory, word->uid);
      controller_cluster_tell_again(&controller->cluster, word->namespace_, word->name);
      controller->dirty = true;
      schedule(controller, CONTROLLER_REPEAT_MS);
    }
  }
  forget_word(controller, word);
  go_on_leaving(controller);
}

static void send_word(Controller *controller, const ControllerWord *said) {
  const Pod *pod = said->pod;
  log_info(COMPONENT, said->triggered ? "pod is being helped" : "pod cannot be helped",
           "pod=%s/%s note=" LOG_QUOTED, pod->meta.namespace_, pod->meta.name, said->note);
  CLEANUP(text_deinit) Text body = {0};
  controller_pod_event_format(pod, said->triggered, said->note, controller->instance,
                              controller->host->wall_ms, random_next(&controller->host->random), &body);
  CLEANUP(cleanup_free)
  char *path = mem_format("/apis/events.k8s.io/v1/namespaces/%s/events", pod->meta.namespace_);
  PodWord *word = mem_alloc(sizeof *word);
  *word = (PodWord){.controller = controller,
                    .uid = mem_strdup(OBJECT_UID(pod->meta.uid)),
                    .namespace_ = mem_strdup(pod->meta.namespace_),
                    .name = mem_strdup(pod->meta.name)};
  *array_push(&controller->words) = word;
  kube_client_call(controller->client, &(KubeCallOptions){.method = "POST",
                                                          .path = path,
                                                          .content_type = "application/json",
                                                          .body = text_string(&body),
                                                          .body_size = body.size,
                                                          .is_patient = true,
                                                          .on_answer = on_event_written,
                                                          .userdata = word});
}

static void log_outcome(Controller *controller, const ControllerPass *pass) {
  CLEANUP(cleanup_free)
  char *outcome =
      mem_format("pending=%d admitted=%d already_fit=%d blocked=%d bound=%d writes=%zu", pass->pending,
                 pass->admitted, pass->already_fit, pass->blocked, pass->bound, pass->writes.count);
  bool is_sent = pass->writes.count && !controller->options.observe;
  if (is_sent || !string_equal(outcome, controller->last_outcome))
    log_info(COMPONENT, "planned", "%s", outcome);
  free(controller->last_outcome);
  controller->last_outcome = TAKE(outcome);
  if (controller->warned.count >= WARNED_MAX)
    map_clear(&controller->warned);
  for (size_t i = 0; i < pass->warnings.count; i++) {
    const SnapshotWarning *warning = &pass->warnings.items[i];
    CLEANUP(cleanup_free) char *line = mem_format("%s: %s", warning->object, warning->text);
    if (!map_put(&controller->warned, line, controller))
      log_warn(COMPONENT, "bad input", "object=" LOG_QUOTED " err=" LOG_QUOTED, warning->object,
               warning->text);
  }
}

/* ---- the pass ---- */

/* Gives up on writes that the watch does not show. Those that are left are waited for: planning without them
 * would plan them again. An answer, the watch, or the timer at the returned time goes on. */
static uint64_t give_up_writes(Controller *controller) {
  uint64_t next_ms = UINT64_MAX;
  for (size_t i = controller->writes.count; i-- > 0;) {
    const NodeWrite *write = controller->writes.entries[i].value;
    if (controller->host->now_ms >= write->give_up_ms)
      forget_write(controller, write->node);
    else if (write->give_up_ms < next_ms)
      next_ms = write->give_up_ms;
  }
  return next_ms;
}

static void plan_and_act(Controller *controller) {
  char plan_id[MIG_PLAN_ID_SIZE];
  snprintf(plan_id, sizeof plan_id, "%llx-%llu", (unsigned long long)controller->host->wall_ms,
           (unsigned long long)++controller->passes);
  ControllerView view = {.cluster = &controller->cluster,
                         .leftover = controller->options.leftover,
                         .scheduler = controller->options.scheduler,
                         .words_max = CONTROLLER_EVENTS_IN_FLIGHT_MAX - controller->words.count,
                         .plan_id = plan_id,
                         .now_ms = controller->host->now_ms,
                         .now_s = controller->host->wall_ms / 1000,
                         .starvation_s = controller->options.starvation_ms / 1000,
                         .recut_limit = controller->options.recut_limit,
                         .clock = controller->options.clock,
                         .observe = controller->options.observe};
  CLEANUP(controller_pass_deinit) ControllerPass pass;
  uint64_t began_us = metrics_now_us(controller->counting.metrics);
  controller_pass_compute(&view, &controller->memory, &pass);
  controller_counting_note_pass(&controller->counting, &pass, began_us, controller->batch_began_ms);
  controller->passed_ms = controller->host->now_ms;
  controller->batch_began_ms = 0;
  log_outcome(controller, &pass);
  if (controller->options.observe)
    controller_observing_note(&controller->observing, &pass, controller->counting.metrics);
  for (size_t i = 0; i < pass.writes.count && !controller->options.observe; i++)
    send_write(controller, &pass.writes.items[i], plan_id);
  for (size_t i = 0; i < pass.words.count; i++)
    send_word(controller, &pass.words.items[i]);
  if (pass.wake_ms != UINT64_MAX) {
    controller->dirty = true;
    schedule(controller, pass.wake_ms > view.now_ms ? pass.wake_ms - view.now_ms : CONTROLLER_AGAIN_MS);
  }
}

static void run_pass(Controller *controller) {
  if (!controller->dirty || controller_leaving_has_begun(&controller->leaving) ||
      !controller_leads(controller) || !kube_informer_is_synced(controller->nodes) ||
      !kube_informer_is_synced(controller->pods))
    return;
  uint64_t give_up_ms = give_up_writes(controller);
  if (controller->writes.count) {
    if (give_up_ms != UINT64_MAX)
      schedule(controller, give_up_ms - controller->host->now_ms);
    return;
  }
  controller->dirty = false;
  plan_and_act(controller);
}

static void on_pass_timer(void *userdata) {
  run_pass(userdata);
}

/* ---- leading and leaving ---- */

/* Nothing of ours goes out any more. What is on its way may still arrive, and is guarded by its test. */
static void take_back(Controller *controller) {
  kube_client_free(controller->client);
  controller->client = kube_client_new(controller->host, controller->transport);
  while (controller->writes.count)
    forget_write(controller, controller->writes.entries[0].key);
  for (size_t i = 0; i < controller->words.count; i++) {
    PodWord *word = controller->words.items[i];
    controller_memory_untell(&controller->memory, word->uid);
    controller_cluster_tell_again(&controller->cluster, word->namespace_, word->name);
    word_free(word);
  }
  array_clear(&controller->words);
}

static void on_leadership(void *userdata) {
  Controller *controller = userdata;
  if (controller_leads(controller)) {
    mark_dirty(controller);
    return;
  }
  take_back(controller);
  go_on_leaving(controller);
}

void controller_reconfigure(Controller *controller, const ControllerOptions *options) {
  controller->options.batch_idle_ms = options->batch_idle_ms;
  controller->options.batch_timeout_ms = options->batch_timeout_ms;
  controller->options.starvation_ms = options->starvation_ms;
  controller->options.recut_limit = options->recut_limit;
  mark_dirty(controller);
}

bool controller_is_ready(const Controller *controller, const char **ret_why) {
  *ret_why = !kube_informer_is_synced(controller->nodes)  ? "the nodes were not listed yet"
             : !kube_informer_is_synced(controller->pods) ? "the pods were not listed yet"
                                                          : NULL;
  return !*ret_why;
}

void controller_fill_metrics(const Controller *controller) {
  controller_counting_fill(&controller->counting, controller->nodes, controller->pods,
                           controller_leads(controller));
}

bool controller_leads(const Controller *controller) {
  return !controller->leader || controller_leader_leads(controller->leader);
}

static bool is_anything_in_flight(const Controller *controller) {
  for (size_t i = 0; i < controller->writes.count; i++)
    if (!((const NodeWrite *)controller->writes.entries[i].value)->answered)
      return true;
  return controller->words.count > 0;
}

static void go_on_leaving(Controller *controller) {
  if (!is_anything_in_flight(controller))
    controller_leaving_note_idle(&controller->leaving);
}

static void give_up(void *userdata) {
  take_back(userdata);
}

void controller_leave(Controller *controller, void (*on_left)(void *userdata), void *userdata) {
  timer_cancel(controller->host, &controller->pass_timer);
  controller->leaving = (ControllerLeaving){.host = controller->host,
                                            .leader = controller->leader,
                                            .give_up = give_up,
                                            .owner = controller,
                                            .on_left = on_left,
                                            .userdata = userdata};
  controller_leaving_begin(&controller->leaving);
  go_on_leaving(controller);
}

/* ---- life ---- */

static KubeInformer *watch_type(Controller *controller, KubeTransport *transport, const KubeType *type,
                                void (*on_change)(void *, const void *, const void *)) {
  return kube_informer_new(controller->host, transport,
                           &(KubeInformerOptions){.type = type,
                                                  .trim = type == &kube_pod_type ? pod_trim : node_trim,
                                                  .on_change = on_change,
                                                  .on_synced = on_synced,
                                                  .on_trouble = on_trouble,
                                                  .userdata = controller});
}

Controller *controller_new(const ControllerOptions *options, Host *host, KubeTransport *transport) {
  Controller *controller = mem_alloc(sizeof *controller);
  controller->options = *options;
  controller->instance = mem_strdup(options->instance && *options->instance ? options->instance : "facet");
  controller->host = host;
  controller->transport = transport;
  controller->client = kube_client_new(host, transport);
  controller->pass_timer = (HostTimer){.fire = on_pass_timer, .userdata = controller};
  controller->memory.decayed_ms = host->now_ms;
  controller_cluster_init(&controller->cluster);
  controller->counting = (ControllerCounting){.metrics = options->metrics, .host = host};
  controller->nodes = watch_type(controller, transport, &kube_node_type, on_node_change);
  controller->pods = watch_type(controller, transport, &kube_pod_type, on_pod_change);
  if (options->lease)
    controller->leader = controller_leader_new(options->lease, host, transport, on_leadership, controller);
  return controller;
}

void controller_start(Controller *controller) {
  kube_informer_start(controller->nodes);
  kube_informer_start(controller->pods);
  if (controller->leader)
    controller_leader_start(controller->leader);
}

void controller_free(Controller *controller) {
  if (!controller)
    return;
  timer_cancel(controller->host, &controller->pass_timer);
  controller_leaving_deinit(&controller->leaving);
  controller_leader_free(controller->leader);
  kube_informer_free(controller->pods);
  kube_informer_free(controller->nodes);
  kube_client_free(controller->client);
  for (size_t i = 0; i < controller->writes.count; i++)
    write_free(controller->writes.entries[i].value);
  for (size_t i = 0; i < controller->words.count; i++)
    word_free(controller->words.items[i]);
  map_deinit(&controller->writes);
  array_deinit(&controller->words);
  map_deinit(&controller->warned);
  controller_cluster_deinit(&controller->cluster);
  controller_memory_deinit(&controller->memory);
  controller_counting_deinit(&controller->counting);
  controller_observing_deinit(&controller->observing);
  free(controller->last_outcome);
  free(controller->instance);
  free(controller);
}
