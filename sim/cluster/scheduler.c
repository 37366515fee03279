/* SPDX-License-Identifier: Apache-2.0 */
/* Each round looks at everything: a snapshot of the watched nodes and pods, in which pods that were bound a
 * moment ago already sit on their nodes (assumed), although the watch does not show it yet. */
#include "sim/cluster/scheduler.h"

#include "base/text.h"
#include "sched/filter.h"

#include <assert.h>

enum { REASONS_MAX = 32, BIND_AGAIN_MS = 500 };

typedef struct Word { /* a binding or a condition on its way */
  SimScheduler *scheduler;
  char *uid, *path;
  const char *method, *content_type; /* static */
  Text body;
  KubeOnAnswer *on_answer;
  HostTimer timer; /* until it is sent */
} Word;

struct SimScheduler {
  Host *host;
  KubeClient *client;
  KubeInformer *nodes, *pods;
  HostTimer timer;
  Map assumed; /* uid -> node name, owned */
  Map told;    /* uid -> message of the condition that was sent, owned */
  ARRAY(Word *) words;
  bool is_paused;
  uint32_t slow_percent, slow_max_ms, wander_percent;
};

static void schedule(SimScheduler *scheduler) {
  if (!timer_is_set(&scheduler->timer))
    timer_set(scheduler->host, &scheduler->timer, SIM_SCHEDULER_DELAY_MS);
}

/* ---- requests ---- */

static void remember(Map *map, const char *uid, const char *text) {
  free(map_put(map, uid, mem_strdup(text)));
}

static void drop_word(Word *word) {
  SimScheduler *scheduler = word->scheduler;
  for (size_t i = 0; i < scheduler->words.count; i++)
    if (scheduler->words.items[i] == word) {
      array_remove(&scheduler->words, i);
      break;
    }
  timer_cancel(scheduler->host, &word->timer);
  text_deinit(&word->body);
  free(word->uid);
  free(word->path);
  free(word);
}

static void send(void *userdata) {
  Word *word = userdata;
  kube_client_call(word->scheduler->client, &(KubeCallOptions){.method = word->method,
                                                               .path = word->path,
                                                               .content_type = word->content_type,
                                                               .body = text_string(&word->body),
                                                               .body_size = word->body.size,
                                                               .on_answer = word->on_answer,
                                                               .userdata = word});
}

/* A word about the pod whose body is to be filled in and which is to be sent. */
static Word *new_word(SimScheduler *scheduler, const Pod *pod, const char *subresource) {
  Word *word = mem_alloc(sizeof *word);
  *word = (Word){.scheduler = scheduler, .uid = mem_strdup(OBJECT_UID(pod->meta.uid))};
  word->path =
      mem_format("/api/v1/namespaces/%s/pods/%s/%s", pod->meta.namespace_, pod->meta.name, subresource);
  word->timer = (HostTimer){.fire = send, .userdata = word};
  *array_push(&scheduler->words) = word;
  return word;
}

/* Where nobody knows whether it was bound, nothing else is promised of what it asked for: it is bound again,
 * which the server refuses if it is, and then it is where it was sent until our watch shows it. (The real one
 * may promise a slice twice here.) */
static void on_bound(void *userdata, const KubeAnswer *answer) {
  Word *word = userdata;
  Error err;
  if (answer->err) {
    timer_set(word->scheduler->host, &word->timer, BIND_AGAIN_MS);
    return;
  }
  if (!kube_answer_is_ok(answer, &err) && !strstr(err.text, "is already assigned to node")) {
    free(map_remove(&word->scheduler->assumed, word->uid));
    schedule(word->scheduler);
  }
  drop_word(word);
}

static uint64_t binding_delay(SimScheduler *scheduler) {
  Random *random = &scheduler->host->random;
  bool is_slow = scheduler->slow_percent && random_below(random, 100) < scheduler->slow_percent;
  return is_slow ? random_below(random, (uint64_t)scheduler->slow_max_ms + 1) : 0;
}

static void bind_pod(SimScheduler *scheduler, const Pod *pod, const char *node) {
  Word *word = new_word(scheduler, pod, "binding");
  word->method = "POST";
  word->content_type = "application/json";
  word->on_answer = on_bound;
  text_append(&word->body,
              "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"target\":{\"kind\":\"Node\",\"name\":");
  text_append_json(&word->body, node);
  text_append(&word->body, "}}");
  remember(&scheduler->assumed, OBJECT_UID(pod->meta.uid), node);
  timer_set(scheduler->host, &word->timer, binding_delay(scheduler));
}

static void on_told(void *userdata, const KubeAnswer *answer) {
  Word *word = userdata;
  Error err;
  if (!kube_answer_is_ok(answer, &err)) {
    free(map_remove(&word->scheduler->told, word->uid));
    schedule(word->scheduler);
  }
  drop_word(word);
}

static void tell(SimScheduler *scheduler, const Pod *pod, const char *message) {
  const char *before = map_find(&scheduler->told, OBJECT_UID(pod->meta.uid));
  if (before && strcmp(before, message) == 0)
    return;
  Word *word = new_word(scheduler, pod, "status");
  word->method = "PATCH";
  word->content_type = KUBE_MERGE_PATCH;
  word->on_answer = on_told;
  text_append(&word->body, "{\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
                           "\"reason\":\"Unschedulable\",\"message\":");
  text_append_json(&word->body, message);
  text_append(&word->body, "}]}}");
  remember(&scheduler->told, OBJECT_UID(pod->meta.uid), message);
  send(word);
}

/* ---- why not ---- */

typedef struct Reasons {
  struct {
    char text[256];
    int count;
  } items[REASONS_MAX];
  size_t count;
} Reasons;

static void count_reason(Reasons *reasons, const char *text, size_t size) {
  for (size_t i = 0; i < reasons->count; i++)
    if (strlen(reasons->items[i].text) == size && strncmp(reasons->items[i].text, text, size) == 0) {
      reasons->items[i].count++;
      return;
    }
  if (reasons->count == REASONS_MAX)
    return;
  snprintf(reasons->items[reasons->count].text, sizeof reasons->items[0].text, "%.*s", (int)size, text);
  reasons->items[reasons->count++].count = 1;
}

/* A node may lack several things: each counts. */
static void count_verdict(Reasons *reasons, const SchedVerdict *verdict) {
  for (const char *text = verdict->reason; *text;) {
    const char *comma = strstr(text, ", ");
    size_t size = comma ? (size_t)(comma - text) : strlen(text);
    count_reason(reasons, text, size);
    text += size + (comma ? 2 : 0);
  }
}

static void format_reasons(const Reasons *reasons, size_t node_count, Text *message) {
  text_format(message, "0/%zu nodes are available", node_count);
  for (size_t i = 0; i < reasons->count; i++)
    text_format(message, "%s %d %s", i ? "," : ":", reasons->items[i].count, reasons->items[i].text);
  text_append(message, ".");
}

/* ---- one round ---- */

static int compare_nodes(const void *a, const void *b) {
  return strcmp(((const Node *)a)->meta.name, ((const Node *)b)->meta.name);
}

/* First the important ones, then the oldest, then by name. */
static int compare_pods(const void *a, const void *b) {
  const Pod *left = a, *right = b;
  if (left->priority != right->priority)
    return left->priority > right->priority ? -1 : 1;
  if (left->meta.creation_time != right->meta.creation_time)
    return left->meta.creation_time < right->meta.creation_time ? -1 : 1;
  return strcmp(left->meta.name, right->meta.name);
}

/* Without facet's label and annotations a node's status speaks for itself. */
static Node plain_node(const Node *node, Arena *arena) {
  Node plain = *node;
  plain.meta.annotations = (KeyValues){0};
  plain.meta.labels.items = arena_alloc(arena, node->meta.labels.count * sizeof *plain.meta.labels.items);
  plain.meta.labels.count = 0;
  for (size_t i = 0; i < node->meta.labels.count; i++)
    if (strcmp(node->meta.labels.items[i].key, MIG_LABEL_PARTITIONING) != 0)
      plain.meta.labels.items[plain.meta.labels.count++] = node->meta.labels.items[i];
  return plain;
}

static void add_nodes(SimScheduler *scheduler, Arena *arena, Snapshot *snapshot) {
  size_t count = kube_informer_count(scheduler->nodes);
  Node *nodes = arena_alloc(arena, (count + 1) * sizeof *nodes);
  for (size_t i = 0; i < count; i++)
    nodes[i] = plain_node(kube_informer_at(scheduler->nodes, i), arena);
  qsort(nodes, count, sizeof *nodes, compare_nodes);
  for (size_t i = 0; i < count; i++)
    snapshot_add_node(snapshot, &nodes[i], &(SnapshotOptions){0}, NULL);
}

static void add_pods(SimScheduler *scheduler, Arena *arena, Snapshot *snapshot) {
  size_t count = kube_informer_count(scheduler->pods);
  Pod *pods = arena_alloc(arena, (count + 1) * sizeof *pods);
  for (size_t i = 0; i < count; i++) {
    pods[i] = *(const Pod *)kube_informer_at(scheduler->pods, i);
    if (!pods[i].node_name)
      pods[i].node_name = map_find(&scheduler->assumed, OBJECT_UID(pods[i].meta.uid));
  }
  qsort(pods, count, sizeof *pods, compare_pods);
  for (size_t i = 0; i < count; i++)
    snapshot_add_pod(snapshot, &pods[i], NULL);
}

static bool is_ours(const Pod *pod) {
  bool is_for_us =
      !pod_common(pod)->scheduler_name || strcmp(pod_common(pod)->scheduler_name, "default-scheduler") == 0;
  return is_for_us && !pod_common(pod)->scheduling_gates.count && !pod->meta.deletion_time;
}

static size_t first_node(SimScheduler *scheduler, size_t count) {
  Random *random = &scheduler->host->random;
  bool wanders = scheduler->wander_percent && count && random_below(random, 100) < scheduler->wander_percent;
  return wanders ? random_below(random, count) : 0;
}

static void place_pod(SimScheduler *scheduler, Snapshot *snapshot, int index) {
  const SnapshotPod *pod = &snapshot->pods.items[index];
  Reasons reasons; /* 8 KB */
  reasons.count = 0;
  size_t count = snapshot->nodes.count, first = first_node(scheduler, count);
  for (size_t i = 0; i < count; i++) {
    int node = (int)((first + i) % count);
    SchedVerdict verdict;
    if (sched_fits(snapshot, index, node, &verdict)) {
      bind_pod(scheduler, pod->object, snapshot->nodes.items[node].name);
      snapshot_bind(snapshot, index, node);
      return;
    }
    count_verdict(&reasons, &verdict);
  }
  CLEANUP(text_deinit) Text message = {0};
  format_reasons(&reasons, snapshot->nodes.count, &message);
  tell(scheduler, pod->object, text_string(&message));
}

/* Else there is nothing to look at the cluster for. */
static bool has_queue(const SimScheduler *scheduler) {
  size_t count = kube_informer_count(scheduler->pods);
  for (size_t i = 0; i < count; i++) {
    const Pod *pod = kube_informer_at(scheduler->pods, i);
    bool is_bound = pod->node_name && *pod->node_name;
    if (!is_bound && is_ours(pod) && !map_find(&scheduler->assumed, OBJECT_UID(pod->meta.uid)))
      return true;
  }
  return false;
}

static void on_timer(void *userdata) {
  SimScheduler *scheduler = userdata;
  if (scheduler->is_paused || !kube_informer_is_synced(scheduler->nodes) ||
      !kube_informer_is_synced(scheduler->pods) || !has_queue(scheduler))
    return;
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  add_nodes(scheduler, &arena, &snapshot);
  add_pods(scheduler, &arena, &snapshot);
  for (size_t i = 0; i < snapshot.pods.count; i++)
    if (is_ours(snapshot.pods.items[i].object))
      place_pod(scheduler, &snapshot, (int)i);
}

/* ---- watches ---- */

static void on_node_change(void *userdata, const void *old, const void *new_) {
  schedule(userdata);
}

static void on_pod_change(void *userdata, const void *old, const void *new_) {
  SimScheduler *scheduler = userdata;
  const Pod *before = old, *after = new_;
  if (!after || after->node_name)
    free(map_remove(&scheduler->assumed, OBJECT_UID((after ? after : before)->meta.uid)));
  if (!after)
    free(map_remove(&scheduler->told, OBJECT_UID(before->meta.uid)));
  schedule(scheduler);
}

static void on_synced(void *userdata) {
  schedule(userdata);
}

int64_t sim_scheduler_node_version(const SimScheduler *scheduler, const char *node) {
  const Node *known = kube_informer_find(scheduler->nodes, node);
  return known ? strtoll(string_or_empty(OBJECT_VERSION(known->meta.resource_version)), NULL, 10) : 0;
}

/* The informers try again by themselves. */
static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
}

static KubeInformer *watch_type(SimScheduler *scheduler, KubeTransport *transport, const KubeType *type,
                                void (*on_change)(void *userdata, const void *old, const void *new_)) {
  return kube_informer_new(scheduler->host, transport,
                           &(KubeInformerOptions){.type = type,
                                                  .on_change = on_change,
                                                  .on_synced = on_synced,
                                                  .on_trouble = on_trouble,
                                                  .userdata = scheduler});
}

SimScheduler *sim_scheduler_new(Host *host, KubeTransport *transport) {
  SimScheduler *scheduler = mem_alloc(sizeof *scheduler);
  scheduler->host = host;
  scheduler->client = kube_client_new(host, transport);
  scheduler->timer = (HostTimer){.fire = on_timer, .userdata = scheduler};
  scheduler->nodes = watch_type(scheduler, transport, &kube_node_type, on_node_change);
  scheduler->pods = watch_type(scheduler, transport, &kube_pod_type, on_pod_change);
  return scheduler;
}

void sim_scheduler_start(SimScheduler *scheduler) {
  kube_informer_start(scheduler->nodes);
  kube_informer_start(scheduler->pods);
}

void sim_scheduler_pause(SimScheduler *scheduler, bool is_paused) {
  scheduler->is_paused = is_paused;
  schedule(scheduler);
}

void sim_scheduler_delay_bindings(SimScheduler *scheduler, uint32_t percent, uint32_t max_ms) {
  scheduler->slow_percent = percent;
  scheduler->slow_max_ms = max_ms;
}

void sim_scheduler_wander(SimScheduler *scheduler, uint32_t percent) {
  scheduler->wander_percent = percent;
}

static void free_texts(Map *map) {
  for (size_t i = 0; i < map->count; i++)
    free(map->entries[i].value);
  map_deinit(map);
}

void sim_scheduler_free(SimScheduler *scheduler) {
  if (!scheduler)
    return;
  timer_cancel(scheduler->host, &scheduler->timer);
  kube_informer_free(scheduler->pods);
  kube_informer_free(scheduler->nodes);
  kube_client_free(scheduler->client);
  while (scheduler->words.count)
    drop_word(scheduler->words.items[0]);
  array_deinit(&scheduler->words);
  free_texts(&scheduler->assumed);
  free_texts(&scheduler->told);
  free(scheduler);
}
