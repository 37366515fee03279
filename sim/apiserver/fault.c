/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong between the server and its clients. A watch that is behind keeps its order: only streams of
 * different kinds, or of different clients, are seen in another order than things happened. */
#include "sim/apiserver/call.h"

bool sim_api_call_refuse(KubeCall *call) {
  SimApi *api = call->api;
  SimApiFailure *failure = &api->failure;
  if (!failure->count || (failure->only_patches && strcmp(call->request.method, "PATCH") != 0))
    return false;
  failure->count--;
  call->answer.retry_after_s = failure->retry_after_s;
  sim_api_answer_refuse(&call->answer, failure->status,
                        failure->status == 409 ? "Conflict" : "ServiceUnavailable",
                        "the simulated API server was told to fail");
  return true;
}

/* Something happens to the answer only where the server has done its work. */
void sim_api_call_trouble(KubeCall *call) {
  SimApi *api = call->api;
  if (api->lose_count) {
    api->lose_count--;
    call->is_lost = true;
  } else if (api->hang_count && call->request.timeout_ms) {
    api->hang_count--;
    call->is_hung = true;
    timer_set(api->host, &call->timer, call->request.timeout_ms);
  }
}

void sim_api_fail(SimApi *api, const SimApiFailure *failure) {
  api->failure = *failure;
}

void sim_api_fail_next(SimApi *api, uint32_t count, int status) {
  sim_api_fail(api, &(SimApiFailure){.count = count, .status = status, .retry_after_s = -1});
}

void sim_api_lose_next(SimApi *api, uint32_t count) {
  api->lose_count = count;
}

void sim_api_hang_next(SimApi *api, uint32_t count) {
  api->hang_count = count;
}

/* Soon, and whatever else was to happen. */
static void break_soon(KubeCall *call) {
  call->is_lost = true;
  call->stalled_until_ms = 0;
  timer_set(call->api->host, &call->timer, sim_api_delay(call->api));
}

void sim_api_cut_watches(SimApi *api) {
  for (size_t i = 0; i < api->calls.count; i++)
    if (api->calls.items[i]->state == CALL_WATCHING)
      break_soon(api->calls.items[i]);
}

static void stall(KubeCall *call, uint64_t until_ms) {
  call->stalled_until_ms = until_ms;
  if (until_ms == HOST_NEVER)
    timer_cancel(call->api->host, &call->timer);
}

static uint64_t until(const SimApi *api, uint64_t duration_ms) {
  return api->host->now_ms + duration_ms;
}

void sim_api_stall_watches(SimApi *api, SimApiKind kind, uint64_t duration_ms) {
  for (size_t i = 0; i < api->calls.count; i++)
    if (api->calls.items[i]->state == CALL_WATCHING && api->calls.items[i]->answer.target.kind == kind)
      stall(api->calls.items[i], until(api, duration_ms));
}

static KubeCall *find_watch(const SimApi *api, size_t which) {
  for (size_t i = 0; i < api->calls.count; i++) {
    KubeCall *call = api->calls.items[(which + i) % api->calls.count];
    if (call->state == CALL_WATCHING)
      return call;
  }
  return NULL;
}

void sim_api_stall_watch(SimApi *api, size_t which, uint64_t duration_ms) {
  KubeCall *call = find_watch(api, which);
  if (call)
    stall(call, until(api, duration_ms));
}

void sim_api_silence_watch(SimApi *api, size_t which) {
  KubeCall *call = find_watch(api, which);
  if (call)
    stall(call, HOST_NEVER);
}

void sim_api_repeat_events(SimApi *api, uint32_t percent) {
  api->repeat_percent = percent;
}

void sim_api_compact(SimApi *api) {
  sim_api_store_compact(&api->store);
}

void sim_api_set_gone_by_status(SimApi *api, bool by_status) {
  api->gone_by_status = by_status;
}

/* What arrives meanwhile is not carried out. */
void sim_api_line_cut(SimApiLine *line, uint64_t duration_ms) {
  SimApi *api = line->api;
  line->cut_until_ms = until(api, duration_ms);
  for (size_t i = 0; i < api->calls.count; i++)
    if (api->calls.items[i]->line == line)
      break_soon(api->calls.items[i]);
}

/* What arrives while it is down finds nobody, what was answered already has taken effect. */
void sim_api_restart(SimApi *api, uint64_t down_ms, uint64_t lost_ms) {
  uint64_t now_ms = api->host->now_ms;
  for (size_t i = 0; i < api->calls.count; i++)
    break_soon(api->calls.items[i]);
  api->up_at_ms = now_ms + down_ms;
  if (!lost_ms)
    return;
  api->store.now_ms = now_ms;
  sim_api_store_rewind(&api->store, now_ms > lost_ms ? now_ms - lost_ms : 0);
}
