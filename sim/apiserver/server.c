/* SPDX-License-Identifier: Apache-2.0 */
/* A call is a small state machine on one timer:
 *
 *     ARRIVING -> ANSWERING -> gone                 the answer is made when the request arrives
 *              -> OPENING -> WATCHING -> ... -> gone
 *
 * A watch is a place in the store's history. A change only wakes it up; when its timer fires it sends all
 * there is behind its place. So events keep their order whatever the delays, and a watch that is too slow
 * finds its place forgotten, which is 410 Gone. */
#include "sim/apiserver/server.h"

#include "sim/apiserver/call.h"

#include <assert.h>
#include <inttypes.h>

enum { BOOKMARK_MS = 60000 };

uint64_t sim_api_delay(SimApi *api) {
  return api->options.latency_ms + random_below(&api->host->random, (uint64_t)api->options.jitter_ms + 1);
}

/* ---- calls ---- */

static void call_release(KubeCall *call) {
  if (call->depth || !call->is_over)
    return;
  text_deinit(&call->answer.body);
  free((char *)call->request.method);
  free((char *)call->request.path);
  free((char *)call->request.content_type);
  free((void *)call->request.body);
  free(call);
}

/* No callback comes any more; the memory goes when nobody on the stack needs it. */
static void call_end(KubeCall *call) {
  SimApi *api = call->api;
  call->is_over = true;
  timer_cancel(api->host, &call->timer);
  for (size_t i = 0; i < api->calls.count; i++)
    if (api->calls.items[i] == call) {
      array_remove(&api->calls, i);
      break;
    }
  call_release(call);
}

static void call_send_head(KubeCall *call, int status, int retry_after_s) {
  call->request.on_head(call->request.userdata, status, "application/json", retry_after_s);
}

static void call_send_body(KubeCall *call, const Text *body) {
  if (!call->is_over && body->size)
    call->request.on_body(call->request.userdata, body->bytes, body->size);
}

static void call_send_done(KubeCall *call, const Error *err) {
  if (call->is_over)
    return;
  call_end(call);
  call->request.on_done(call->request.userdata, err);
}

static void call_break(KubeCall *call) {
  Error err;
  (void)error_set(&err, ERROR_UNAVAILABLE, "the connection to the simulated API server broke");
  call_send_done(call, &err);
}

/* ---- requests ---- */

static void route(SimApi *api, const SimApiRequest *request, SimApiAnswer *ret_answer) {
  api->store.now_ms = api->host->now_ms;
  sim_api_route(&api->store, request, ret_answer);
}

static void carry_out(KubeCall *call) {
  SimApi *api = call->api;
  route(api,
        &(SimApiRequest){.method = call->request.method,
                         .path = call->request.path,
                         .content_type = call->request.content_type,
                         .body = call->request.body,
                         .body_size = call->request.body_size,
                         .wall_ms = api->host->wall_ms},
        &call->answer);
}

static bool is_too_old(const KubeCall *call) {
  return call->answer.target.version < call->api->store.forgotten[call->answer.target.kind];
}

static void arrive(KubeCall *call) {
  SimApi *api = call->api;
  timer_set(api->host, &call->timer, sim_api_delay(api));
  call->state = CALL_ANSWERING;
  call->is_lost =
      call->is_lost || api->host->now_ms < api->up_at_ms || api->host->now_ms < call->line->cut_until_ms;
  if (call->is_lost || sim_api_call_refuse(call))
    return;
  carry_out(call);
  bool is_watch = call->answer.is_watch && call->answer.status == 200;
  if (is_watch && api->gone_by_status && is_too_old(call))
    sim_api_answer_refuse(&call->answer, 410, "Expired", "too old resource version");
  else if (is_watch)
    call->state = CALL_OPENING;
  else
    sim_api_call_trouble(call);
}

static void finish(KubeCall *call) {
  if (call->is_lost || call->is_hung) {
    call_break(call);
    return;
  }
  call_send_head(call, call->answer.status, call->answer.retry_after_s);
  call_send_body(call, &call->answer.body);
  call_send_done(call, NULL);
}

/* ---- watches ---- */

static const char *event_type(const KubeCall *call, const SimApiChange *change) {
  const SimApiSelector *selector = &call->answer.target.selector;
  bool was = change->before && sim_api_selector_matches(selector, change->before);
  bool is = !change->is_deletion && sim_api_selector_matches(selector, change->object);
  return was ? (is ? "MODIFIED" : "DELETED") : is ? "ADDED" : NULL;
}

static void append_event(Text *out, const char *type, const Text *object) {
  text_append(out, "{\"type\":\"");
  text_append(out, type);
  text_append(out, "\",\"object\":");
  text_append_bytes(out, object->bytes, object->size);
  text_append(out, "}\n");
}

static void append_changes(KubeCall *call, Text *out) {
  SimApiStore *store = &call->api->store;
  size_t i = store->history.count;
  while (i > 0 && store->history.items[i - 1].version > call->place)
    i--;
  for (; i < store->history.count; i++) {
    const SimApiChange *change = &store->history.items[i];
    const char *type = change->kind == call->answer.target.kind ? event_type(call, change) : NULL;
    if (!type)
      continue;
    const Text *object = sim_api_texts_get(&store->texts, change->object);
    append_event(out, type, object);
    if (call->api->repeat_percent && random_below(&call->api->host->random, 100) < call->api->repeat_percent)
      append_event(out, type, object);
  }
  call->place = store->version;
}

static void append_bookmark(KubeCall *call, Text *out) {
  const SimApiKindInfo *info = &sim_api_kinds[call->answer.target.kind];
  CLEANUP(text_deinit) Text object = {0};
  text_format(&object,
              "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}",
              info->kind, info->api_version, call->place);
  append_event(out, "BOOKMARK", &object);
}

static void send_gone(KubeCall *call) {
  CLEANUP(text_deinit) Text status = {0}, event = {0};
  sim_api_answer_format_status(410, "Expired", "too old resource version", &status);
  append_event(&event, "ERROR", &status);
  call_send_body(call, &event);
  call_send_done(call, NULL);
}

static void rest(KubeCall *call) {
  if (call->is_over)
    return;
  uint64_t now_ms = call->api->host->now_ms;
  uint64_t at_ms = call->bookmark_at_ms < call->ends_at_ms ? call->bookmark_at_ms : call->ends_at_ms;
  timer_set(call->api->host, &call->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

static void pump(KubeCall *call) {
  uint64_t now_ms = call->api->host->now_ms;
  if (call->is_lost) {
    call_break(call);
    return;
  }
  if (now_ms < call->stalled_until_ms) {
    if (call->stalled_until_ms != HOST_NEVER)
      timer_set(call->api->host, &call->timer, call->stalled_until_ms - now_ms);
    return;
  }
  if (call->place < call->api->store.forgotten[call->answer.target.kind]) {
    send_gone(call);
    return;
  }
  CLEANUP(text_deinit) Text events = {0};
  append_changes(call, &events);
  if (now_ms >= call->bookmark_at_ms) {
    append_bookmark(call, &events);
    call->bookmark_at_ms = now_ms + BOOKMARK_MS;
  }
  call_send_body(call, &events);
  if (now_ms >= call->ends_at_ms)
    call_send_done(call, NULL);
  rest(call);
}

static void open_watch(KubeCall *call) {
  const SimApiTarget *target = &call->answer.target;
  uint64_t now_ms = call->api->host->now_ms;
  call->state = CALL_WATCHING;
  call->place = target->version;
  call->bookmark_at_ms = target->bookmarks ? now_ms + BOOKMARK_MS : HOST_NEVER;
  call->ends_at_ms = target->timeout_seconds ? now_ms + target->timeout_seconds * 1000 : HOST_NEVER;
  call_send_head(call, 200, -1);
  if (!call->is_over)
    pump(call);
}

static void wake(KubeCall *call) {
  SimApi *api = call->api;
  uint64_t wait_ms = sim_api_delay(api);
  if (call->state == CALL_WATCHING &&
      (!timer_is_set(&call->timer) || call->timer.at_ms > api->host->now_ms + wait_ms))
    timer_set(api->host, &call->timer, wait_ms);
}

static void on_store_change(void *userdata, const SimApiChange *change) {
  SimApi *api = userdata;
  for (size_t i = 0; i < api->calls.count; i++)
    if (api->calls.items[i]->answer.target.kind == change->kind)
      wake(api->calls.items[i]);
  if (api->on_change)
    api->on_change(api->userdata, change);
}

/* ---- the seam ---- */

static void on_timer(void *userdata) {
  static void (*const steps[])(KubeCall * call) = {[CALL_ARRIVING] = arrive,
                                                   [CALL_ANSWERING] = finish,
                                                   [CALL_OPENING] = open_watch,
                                                   [CALL_WATCHING] = pump};
  KubeCall *call = userdata;
  call->depth++;
  steps[call->state](call);
  call->depth--;
  call_release(call);
}

static KubeCall *start(KubeTransport *seam, const KubeRequest *request) {
  SimApiLine *line = (SimApiLine *)seam;
  SimApi *api = line->api;
  KubeCall *call = mem_alloc(sizeof *call);
  call->api = api;
  call->line = line;
  call->request = *request;
  call->timer = (HostTimer){.fire = on_timer, .userdata = call};
  call->request.method = mem_strdup(request->method);
  call->request.path = mem_strdup(request->path);
  call->request.content_type = mem_strdup(request->content_type);
  call->request.body = request->body ? mem_strndup(request->body, request->body_size) : NULL;
  *array_push(&api->calls) = call;
  line->requests++;
  line->watches += strstr(request->path, "watch=1") != NULL;
  timer_set(api->host, &call->timer, sim_api_delay(api));
  return call;
}

static void cancel(KubeTransport *seam, KubeCall *call) {
  assert(!call->is_over);
  call_end(call);
}

void sim_api_line_init(SimApi *api, SimApiLine *ret_line) {
  *ret_line = (SimApiLine){.seam = {.start = start, .cancel = cancel}, .api = api};
}

SimApi *sim_api_new(const SimApiOptions *options, Host *host) {
  SimApi *api = mem_alloc(sizeof *api);
  *api = (SimApi){.host = host, .options = *options};
  sim_api_line_init(api, &api->line);
  sim_api_store_init(&api->store);
  api->store.on_change = on_store_change;
  api->store.userdata = api;
  return api;
}

void sim_api_free(SimApi *api) {
  if (!api)
    return;
  assert(api->calls.count == 0);
  sim_api_store_deinit(&api->store);
  array_deinit(&api->calls);
  free(api);
}

KubeTransport *sim_api_seam(SimApi *api) {
  return &api->line.seam;
}

/* ---- beside the server ---- */

const SimApiStore *sim_api_store(const SimApi *api) {
  return &api->store;
}

int sim_api_create(SimApi *api, const char *path, const json_t *object, Error *err) {
  CLEANUP(text_deinit) Text body = {0};
  sim_api_encode(object, &body);
  SimApiAnswer answer;
  route(api,
        &(SimApiRequest){.method = "POST",
                         .path = path,
                         .body = text_string(&body),
                         .body_size = body.size,
                         .wall_ms = api->host->wall_ms},
        &answer);
  CLEANUP(text_deinit) Text text = answer.body;
  if (answer.status == 201)
    return 0;
  return error_set(err, ERROR_INVALID, "POST %s: %d %s", path, answer.status, text_string(&text));
}

void sim_api_patch(SimApi *api, const char *path, const json_t *patch) {
  CLEANUP(text_deinit) Text body = {0};
  sim_api_encode(patch, &body);
  SimApiAnswer answer;
  route(api,
        &(SimApiRequest){.method = "PATCH",
                         .path = path,
                         .content_type = "application/merge-patch+json",
                         .body = text_string(&body),
                         .body_size = body.size,
                         .wall_ms = api->host->wall_ms},
        &answer);
  text_deinit(&answer.body);
}

void sim_api_delete(SimApi *api, const char *path) {
  SimApiAnswer answer;
  route(api, &(SimApiRequest){.method = "DELETE", .path = path, .wall_ms = api->host->wall_ms}, &answer);
  text_deinit(&answer.body);
}

static void delete_pod(SimApi *api, const char *namespace_, const char *name, const char *query) {
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/namespaces/%s/pods/%s%s", namespace_, name, query);
  sim_api_delete(api, path);
}

size_t sim_api_count_calls(const SimApi *api) {
  return api->calls.count;
}

void sim_api_delete_pod(SimApi *api, const char *namespace_, const char *name) {
  delete_pod(api, namespace_, name, "");
}

void sim_api_remove_pod(SimApi *api, const char *namespace_, const char *name) {
  delete_pod(api, namespace_, name, "?gracePeriodSeconds=0");
}

void sim_api_listen(SimApi *api, void (*on_change)(void *userdata, const SimApiChange *change),
                    void *userdata) {
  api->on_change = on_change;
  api->userdata = userdata;
}
