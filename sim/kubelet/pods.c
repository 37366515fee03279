/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pod on its node:
 *
 *     bound -> QUEUED -> ADMITTING -> STARTING --timer--> RUNNING --(timer)--> OVER
 *                             |           '-- deleted -> STOPPING --timer-------^
 *                             '------------ rejected ---------------------------'
 *
 * What it holds is free again when it is OVER; only then the API server hears the last phase, and when it has
 * accepted that, it is told to delete a pod that was asked to go. News is kept with the pod and sent until it
 * was accepted. */
#include "sim/kubelet/state.h"

#include "cluster/quantity.h"

enum { TELL_AGAIN_MS = 500 };

static SimPod *find_pod(const SimKubelet *kubelet, const char *uid) {
  for (size_t i = 0; i < kubelet->pods.count; i++)
    if (strcmp(kubelet->pods.items[i]->uid, uid) == 0)
      return kubelet->pods.items[i];
  return NULL;
}

bool sim_pods_is_known(const SimKubelet *kubelet, const char *uid) {
  const SimPod *pod = find_pod(kubelet, uid);
  return pod && !pod->is_gone;
}

static void say(SimPod *pod, const char *phase, const char *message) {
  pod->phase = phase;
  snprintf(pod->message, sizeof pod->message, "%s", message);
  pod->is_told = false;
  timer_set(pod->kubelet->host, &pod->kubelet->tell_timer, 0);
}

static void end_pod(SimPod *pod) {
  timer_cancel(pod->kubelet->host, &pod->timer);
  pod->state = SIM_POD_OVER;
  sim_disk_release(pod->kubelet->disk, pod->uid);
}

/* Frees it if it is gone and nothing needs it any more. */
static void release(SimPod *pod) {
  SimKubelet *kubelet = pod->kubelet;
  if (!pod->is_gone || pod->in_flight || pod->state != SIM_POD_OVER)
    return;
  for (size_t i = 0; i < kubelet->pods.count; i++)
    if (kubelet->pods.items[i] == pod) {
      array_remove(&kubelet->pods, i);
      break;
    }
  Arena arena = pod->arena;
  arena_deinit(&arena);
  free(pod);
}

static void run_pod(SimPod *pod) {
  pod->state = SIM_POD_RUNNING;
  pod->has_run = true;
  if (pod->run_ms)
    timer_set(pod->kubelet->host, &pod->timer, pod->run_ms);
}

/* Its container has ended, or there never was one. */
static void finish_pod(SimPod *pod) {
  end_pod(pod);
  say(pod, pod->has_run ? "Succeeded" : "Failed", "");
  release(pod);
}

static void on_pod_timer(void *userdata) {
  SimPod *pod = userdata;
  if (pod->state != SIM_POD_STARTING) {
    finish_pod(pod);
    return;
  }
  run_pod(pod);
  say(pod, "Running", "");
}

void sim_pods_admitted(SimPod *pod) {
  pod->state = SIM_POD_STARTING;
  if (!pod->never_starts)
    timer_set(pod->kubelet->host, &pod->timer, pod->kubelet->options.container_start_ms);
}

static bool is_plugin_away(const SimPod *pod) {
  for (size_t i = 0; i < pod->needs.count; i++) {
    const SimResource *resource = sim_endpoint_find(pod->kubelet, pod->needs.items[i].resource);
    if (resource && (!resource->endpoint || !resource->is_listed))
      return true;
  }
  return false;
}

void sim_pods_rejected(SimPod *pod, const char *why) {
  const SimKubeletOptions *options = &pod->kubelet->options;
  if (options->on_rejected)
    options->on_rejected(options->userdata, &(SimRejection){.namespace_ = pod->namespace_,
                                                            .pod = pod->name,
                                                            .why = why,
                                                            .is_plugin_away = is_plugin_away(pod)});
  char message[ERROR_TEXT_SIZE];
  snprintf(message, sizeof message, "Allocate failed due to %s, which is unexpected", why);
  end_pod(pod);
  say(pod, "Failed", message);
}

void sim_pods_withdrawn(SimPod *pod) {
  finish_pod(pod);
}

/* ---- pods come and go ---- */

static uint64_t read_run_ms(const Pod *pod) {
  const char *text = key_values_find(&pod_common(pod)->annotations, SIM_KUBELET_RUN_MS);
  return text ? strtoull(text, NULL, 10) : 0;
}

static void read_container(SimPod *pod, const Container *container) {
  const ResourceTexts *asked = container->limits.count ? &container->limits : &container->requests;
  for (size_t i = 0; i < asked->count; i++) {
    int64_t count;
    Error err;
    if (!strchr(asked->items[i].key, '/') ||
        quantity_parse(asked->items[i].value, QUANTITY_UNITS, &count, &err) < 0 || count <= 0)
      continue;
    pod->needs.items[pod->needs.count++] =
        (SimNeed){.container = arena_strdup(&pod->arena, string_or_empty(container->name)),
                  .resource = arena_strdup(&pod->arena, asked->items[i].key),
                  .count = (size_t)count};
  }
}

static void read_needs(SimPod *pod, const Pod *object) {
  size_t most = 0;
  for (size_t i = 0; i < pod_common(object)->containers.count; i++)
    most += pod_common(object)->containers.items[i].limits.count +
            pod_common(object)->containers.items[i].requests.count;
  pod->needs.items = arena_alloc(&pod->arena, most * sizeof *pod->needs.items);
  for (size_t i = 0; i < pod_common(object)->containers.count; i++)
    read_container(pod, &pod_common(object)->containers.items[i]);
}

static bool holds_all(const SimPod *pod) {
  for (size_t i = 0; i < pod->needs.count; i++)
    if (!sim_disk_find(pod->kubelet->disk, pod->uid, pod->needs.items[i].container,
                       pod->needs.items[i].resource))
      return false;
  return true;
}

/* One that runs already was started by an earlier kubelet, and one that is over only has to be deleted. Where
 * the API server only says that it runs, because it has lost its end, it begins anew. */
static SimPod *add_pod(SimKubelet *kubelet, const Pod *object) {
  SimPod *pod = mem_alloc(sizeof *pod);
  *array_push(&kubelet->pods) = pod;
  pod->kubelet = kubelet;
  pod->uid = arena_strdup(&pod->arena, OBJECT_UID(object->meta.uid));
  pod->namespace_ = arena_strdup(&pod->arena, string_or_empty(object->meta.namespace_));
  pod->name = arena_strdup(&pod->arena, object->meta.name);
  pod->timer = (HostTimer){.fire = on_pod_timer, .userdata = pod};
  pod->run_ms = read_run_ms(object);
  pod->never_starts = key_values_find(&object->meta.labels, SIM_KUBELET_NO_IMAGE) != NULL;
  read_needs(pod, object);
  if (pod_is_terminal(object))
    end_pod(pod);
  else if (string_equal(pod_common(object)->phase, "Running") && holds_all(pod))
    run_pod(pod);
  else
    sim_admission_next(kubelet);
  return pod;
}

/* A container needs its time to end; whoever is being admitted is stopped by the admission. */
static void stop_pod(SimPod *pod) {
  if (pod->state == SIM_POD_QUEUED) {
    finish_pod(pod);
  } else if (pod->state == SIM_POD_STARTING || pod->state == SIM_POD_RUNNING) {
    pod->state = SIM_POD_STOPPING;
    timer_set(pod->kubelet->host, &pod->timer, pod->kubelet->options.container_stop_ms);
  } else {
    timer_set(pod->kubelet->host, &pod->kubelet->tell_timer, 0);
    release(pod);
  }
}

void sim_pods_on_change(void *userdata, const void *old, const void *new_) {
  SimKubelet *kubelet = userdata;
  const Pod *before = old, *after = new_;
  SimPod *pod = find_pod(kubelet, OBJECT_UID((after ? after : before)->meta.uid));
  bool is_leaving = after && after->meta.deletion_time;
  if (!pod && after && (is_leaving || !pod_is_terminal(after)))
    pod = add_pod(kubelet, after);
  if (!pod || (after && (!is_leaving || pod->is_deleted)))
    return;
  pod->is_deleted = true;
  pod->is_gone = !after;
  stop_pod(pod);
}

/* The checkpoint of pods that went while no kubelet was there. Before that nobody is admitted. */
void sim_pods_on_synced(void *userdata) {
  SimKubelet *kubelet = userdata;
  for (size_t i = 0; i < kubelet->disk->held.count;) {
    CLEANUP(cleanup_free) char *uid = mem_strdup(kubelet->disk->held.items[i]->uid); /* goes with it */
    if (find_pod(kubelet, uid))
      i++;
    else
      sim_disk_release(kubelet->disk, uid); /* with all further ones of it */
  }
  sim_admission_next(kubelet);
}

/* ---- telling the API server ---- */

static SimNews find_news(const SimPod *pod) {
  if (pod->is_gone || pod->in_flight)
    return SIM_NEWS_NONE;
  if (pod->phase && !pod->is_told)
    return SIM_NEWS_PHASE;
  bool shall_go = pod->is_deleted && pod->state == SIM_POD_OVER && !pod->is_removed;
  return shall_go ? SIM_NEWS_DELETION : SIM_NEWS_NONE;
}

static void on_told(void *userdata, const KubeAnswer *answer) {
  SimPod *pod = userdata;
  SimKubelet *kubelet = pod->kubelet;
  Error err;
  SimNews news = pod->in_flight;
  pod->in_flight = SIM_NEWS_NONE;
  /* A pod that is not there any more needs no news, and one of another uid is not ours to delete. */
  bool is_done = kube_answer_is_ok(answer, &err) || answer->status == 404 ||
                 (answer->status == 409 && news == SIM_NEWS_DELETION);
  if (news == SIM_NEWS_DELETION)
    pod->is_removed = is_done;
  else
    pod->is_told = is_done && pod->is_told;
  if (find_news(pod))
    timer_set(kubelet->host, &kubelet->tell_timer, is_done ? 0 : TELL_AGAIN_MS);
  release(pod);
}

static void format_status(const SimPod *pod, Text *body) {
  bool is_running = strcmp(pod->phase, "Running") == 0;
  text_format(body,
              "{\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"},"
              "{\"type\":\"Ready\",\"status\":\"%s\"}]",
              pod->phase, is_running ? "True" : "False");
  if (pod->message[0]) {
    text_append(body, ",\"reason\":\"UnexpectedAdmissionError\",\"message\":");
    text_append_json(body, pod->message);
  }
  text_append(body, "}}");
}

static void send(SimPod *pod, const char *method, const char *subresource, const char *content_type,
                 const Text *body) {
  CLEANUP(cleanup_free)
  char *path = mem_format("/api/v1/namespaces/%s/pods/%s%s", pod->namespace_, pod->name, subresource);
  kube_client_call(pod->kubelet->client, &(KubeCallOptions){.method = method,
                                                            .path = path,
                                                            .content_type = content_type,
                                                            .body = text_string(body),
                                                            .body_size = body->size,
                                                            .on_answer = on_told,
                                                            .userdata = pod});
}

static void tell(SimPod *pod, SimNews news) {
  CLEANUP(text_deinit) Text body = {0};
  pod->in_flight = news;
  if (news == SIM_NEWS_DELETION) {
    text_format(&body, "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}", pod->uid);
    send(pod, "DELETE", "", "application/json", &body);
    return;
  }
  pod->is_told = true;
  format_status(pod, &body);
  send(pod, "PATCH", "/status", KUBE_MERGE_PATCH, &body);
}

void sim_pods_tell(void *userdata) {
  SimKubelet *kubelet = userdata;
  for (size_t i = 0; i < kubelet->pods.count; i++) {
    SimNews news = find_news(kubelet->pods.items[i]);
    if (news)
      tell(kubelet->pods.items[i], news);
  }
}

void sim_pods_deinit(SimKubelet *kubelet) {
  for (size_t i = 0; i < kubelet->pods.count; i++) {
    SimPod *pod = kubelet->pods.items[i];
    timer_cancel(kubelet->host, &pod->timer);
    Arena arena = pod->arena;
    arena_deinit(&arena);
    free(pod);
  }
  array_deinit(&kubelet->pods);
}
