/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pod on its node:
 *
 *     bound -> QUEUED -> ADMITTING -> STARTING --timer--> RUNNING --(timer)--> OVER
 *                             '------------ rejected ---------------------------^
 *
 * What the API server has to hear of it is kept with the pod and sent until it was accepted. */
#include "sim/kubelet/state.h"

#include "cluster/quantity.h"

enum { TELL_AGAIN_MS = 500 };

static SimPod *find_pod(const SimKubelet *kubelet, const char *uid) {
  for (size_t i = 0; i < kubelet->pods.count; i++)
    if (strcmp(kubelet->pods.items[i]->uid, uid) == 0)
      return kubelet->pods.items[i];
  return NULL;
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

static void on_pod_timer(void *userdata) {
  SimPod *pod = userdata;
  if (pod->state == SIM_POD_RUNNING) {
    end_pod(pod);
    say(pod, "Succeeded", "");
    return;
  }
  pod->state = SIM_POD_RUNNING;
  if (pod->run_ms)
    timer_set(pod->kubelet->host, &pod->timer, pod->run_ms);
  say(pod, "Running", "");
}

void sim_pods_admitted(SimPod *pod) {
  pod->state = SIM_POD_STARTING;
  timer_set(pod->kubelet->host, &pod->timer, pod->kubelet->options.container_start_ms);
}

void sim_pods_rejected(SimPod *pod, const char *why) {
  char message[ERROR_TEXT_SIZE];
  snprintf(message, sizeof message, "Allocate failed due to %s, which is unexpected", why);
  end_pod(pod);
  say(pod, "Failed", message);
}

/* Frees it if it is gone and nothing needs it any more. */
static void release(SimPod *pod) {
  SimKubelet *kubelet = pod->kubelet;
  if (!pod->is_gone || pod->in_flight || kubelet->admission.pod == pod)
    return;
  for (size_t i = 0; i < kubelet->pods.count; i++)
    if (kubelet->pods.items[i] == pod) {
      array_remove(&kubelet->pods, i);
      break;
    }
  timer_cancel(kubelet->host, &pod->timer);
  Arena arena = pod->arena;
  arena_deinit(&arena);
  free(pod);
}

void sim_pods_withdrawn(SimPod *pod) {
  end_pod(pod);
  release(pod);
}

/* ---- pods come and go ---- */

static uint64_t read_run_ms(const Pod *pod) {
  const char *text = key_values_find(&pod->meta.annotations, SIM_KUBELET_RUN_MS);
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
  for (size_t i = 0; i < object->containers.count; i++)
    most += object->containers.items[i].limits.count + object->containers.items[i].requests.count;
  pod->needs.items = arena_alloc(&pod->arena, most * sizeof *pod->needs.items);
  for (size_t i = 0; i < object->containers.count; i++)
    read_container(pod, &object->containers.items[i]);
}

/* One that runs already was started by an earlier kubelet. */
static void add_pod(SimKubelet *kubelet, const Pod *object) {
  SimPod *pod = mem_alloc(sizeof *pod);
  *array_push(&kubelet->pods) = pod;
  pod->kubelet = kubelet;
  pod->uid = arena_strdup(&pod->arena, object->meta.uid);
  pod->namespace_ = arena_strdup(&pod->arena, string_or_empty(object->meta.namespace_));
  pod->name = arena_strdup(&pod->arena, object->meta.name);
  pod->timer = (HostTimer){.fire = on_pod_timer, .userdata = pod};
  pod->run_ms = read_run_ms(object);
  read_needs(pod, object);
  if (!string_equal(object->phase, "Running")) {
    sim_admission_next(kubelet);
    return;
  }
  pod->state = SIM_POD_RUNNING;
  if (pod->run_ms)
    timer_set(kubelet->host, &pod->timer, pod->run_ms);
}

static void forget_pod(SimPod *pod) {
  pod->is_gone = true;
  if (pod->state != SIM_POD_ADMITTING)
    end_pod(pod);
  release(pod);
}

/* Asked to go: the container ends, then the object is deleted for good. */
static void delete_pod(SimPod *pod) {
  if (pod->is_deleted)
    return;
  pod->is_deleted = true;
  if (pod->state != SIM_POD_ADMITTING)
    end_pod(pod);
  say(pod, "Succeeded", "");
}

void sim_pods_on_change(void *userdata, const void *old, const void *new_) {
  SimKubelet *kubelet = userdata;
  const Pod *before = old, *after = new_;
  SimPod *pod = find_pod(kubelet, (after ? after : before)->meta.uid);
  if (!after && pod)
    forget_pod(pod);
  if (!after)
    return;
  if (!pod && !pod_is_terminal(after)) {
    add_pod(kubelet, after);
    pod = find_pod(kubelet, after->meta.uid);
  }
  if (pod && after->meta.deletion_time)
    delete_pod(pod);
}

/* The checkpoint of pods that went while no kubelet was there. */
void sim_pods_on_synced(void *userdata) {
  SimKubelet *kubelet = userdata;
  for (size_t i = kubelet->disk->held.count; i-- > 0 && i < kubelet->disk->held.count;)
    if (!find_pod(kubelet, kubelet->disk->held.items[i]->uid))
      sim_disk_release(kubelet->disk, kubelet->disk->held.items[i]->uid);
}

/* ---- telling the API server ---- */

static void on_told(void *userdata, const KubeAnswer *answer) {
  SimPod *pod = userdata;
  SimKubelet *kubelet = pod->kubelet;
  Error err;
  pod->in_flight = false;
  /* A pod that is not there any more needs no news. */
  bool is_done = kube_answer_is_ok(answer, &err) || answer->status == 404;
  pod->is_told = is_done && pod->is_told;
  if (!pod->is_told)
    timer_set(kubelet->host, &kubelet->tell_timer, is_done ? 0 : TELL_AGAIN_MS);
  release(pod);
}

static void format_status(const SimPod *pod, Text *body) {
  bool is_running = strcmp(pod->phase, "Running") == 0, is_failed = strcmp(pod->phase, "Failed") == 0;
  text_format(body,
              "{\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"},"
              "{\"type\":\"Ready\",\"status\":\"%s\"}]",
              pod->phase, is_running ? "True" : "False");
  if (is_failed) {
    text_append(body, ",\"reason\":\"UnexpectedAdmissionError\",\"message\":");
    text_append_json(body, pod->message);
  }
  text_append(body, "}}");
}

static void tell(SimPod *pod) {
  CLEANUP(text_deinit) Text body = {0};
  CLEANUP(cleanup_free)
  char *path = mem_format("/api/v1/namespaces/%s/pods/%s%s", pod->namespace_, pod->name,
                          pod->is_deleted ? "?gracePeriodSeconds=0" : "/status");
  if (!pod->is_deleted)
    format_status(pod, &body);
  pod->in_flight = pod->is_told = true;
  kube_client_call(pod->kubelet->client,
                   &(KubeCallOptions){.method = pod->is_deleted ? "DELETE" : "PATCH",
                                      .path = path,
                                      .content_type = pod->is_deleted ? NULL : KUBE_MERGE_PATCH,
                                      .body = pod->is_deleted ? NULL : text_string(&body),
                                      .body_size = body.size,
                                      .on_answer = on_told,
                                      .userdata = pod});
}

void sim_pods_tell(void *userdata) {
  SimKubelet *kubelet = userdata;
  for (size_t i = 0; i < kubelet->pods.count; i++) {
    SimPod *pod = kubelet->pods.items[i];
    if (pod->phase && !pod->is_told && !pod->in_flight && !pod->is_gone)
      tell(pod);
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
