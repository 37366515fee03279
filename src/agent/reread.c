/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reread.h"

#include "base/host.h"

#include <assert.h>
#include <stdio.h>

static void gather(AgentReread *reread, const AgentRereadView *view) {
  if (reread->state == AGENT_REREAD_SHOWN)
    reread->began_ms = view->now_ms;
  if (reread->state != AGENT_REREAD_GATHERING)
    reread->gather_ms = view->now_ms;
  reread->state = AGENT_REREAD_GATHERING;
  reread->changed_ms = view->now_ms;
  reread->seen_changes = view->changes;
}

static void show(AgentReread *reread, const AgentRereadView *view) {
  *reread = (AgentReread){.shown_changes = view->changes, .seen_changes = view->changes};
}

/* What was shown once and is no more was taken back by the plugin itself. */
static void miss(AgentReread *reread, const AgentRereadView *view) {
  if (view->changes == reread->shown_changes) {
    reread->state = AGENT_REREAD_GONE;
    reread->began_ms = view->now_ms;
  } else {
    gather(reread, view);
  }
}

static uint64_t gathered_at(const AgentReread *reread) {
  uint64_t quiet_ms = reread->changed_ms + AGENT_REREAD_GATHER_MS;
  uint64_t latest_ms = reread->gather_ms + AGENT_REREAD_GATHER_MAX_MS;
  uint64_t at_ms = quiet_ms < latest_ms ? quiet_ms : latest_ms;
  /* A pod that was deleted for slices of before: the next one may not have read yet. */
  uint64_t started_ms = reread->way == AGENT_REREAD_POD ? reread->asked_ms + AGENT_REREAD_STARTS_MS : 0;
  return at_ms > started_ms ? at_ms : started_ms;
}

static bool ask(AgentReread *reread, const AgentRereadView *view) {
  if (reread->asked_changes != view->changes)
    reread->wait_ms = 0;
  reread->state = AGENT_REREAD_ASKING;
  return true;
}

bool agent_reread_step(AgentReread *reread, const AgentRereadView *view) {
  if (view->is_answered && view->is_shown) {
    show(reread, view);
    return false;
  }
  if (!view->is_answered || reread->state == AGENT_REREAD_ASKING)
    return false;
  if (reread->state == AGENT_REREAD_SHOWN)
    miss(reread, view);
  else if (view->changes != reread->seen_changes)
    gather(reread, view);
  switch (reread->state) {
  case AGENT_REREAD_GATHERING:
    return !view->is_busy && view->now_ms >= gathered_at(reread) && ask(reread, view);
  case AGENT_REREAD_ASKED:
    return !view->is_busy && !view->is_hopeless && view->now_ms >= reread->asked_ms + reread->wait_ms &&
           ask(reread, view);
  default:
    return false;
  }
}

static void wait_longer(AgentReread *reread, uint32_t first_ms, uint64_t now_ms) {
  uint32_t wait_ms = reread->wait_ms * 2 > first_ms ? reread->wait_ms * 2 : first_ms;
  reread->wait_ms = wait_ms < AGENT_REREAD_AGAIN_MAX_MS ? wait_ms : AGENT_REREAD_AGAIN_MAX_MS;
  reread->asked_ms = now_ms;
  reread->asked_changes = reread->seen_changes;
  reread->state = AGENT_REREAD_ASKED;
}

void agent_reread_done(AgentReread *reread, AgentRereadWay way, uint64_t now_ms) {
  if (reread->state != AGENT_REREAD_ASKING) /* they are shown already */
    return;
  reread->way = way;
  reread->refusal[0] = '\0';
  wait_longer(reread, way == AGENT_REREAD_POD ? AGENT_REREAD_RESTART_MS : AGENT_REREAD_AGAIN_MS, now_ms);
}

void agent_reread_refuse(AgentReread *reread, const char *reason, uint64_t now_ms) {
  if (reread->state != AGENT_REREAD_ASKING)
    return;
  reread->way = AGENT_REREAD_NO_WAY;
  snprintf(reread->refusal, sizeof reread->refusal, "%s", reason);
  wait_longer(reread, AGENT_REREAD_REFUSED_MS, now_ms);
}

bool agent_reread_prefers_pod(const AgentReread *reread) {
  return reread->way == AGENT_REREAD_SIGNAL && reread->asked_changes == reread->seen_changes;
}

uint64_t agent_reread_wake_ms(const AgentReread *reread) {
  switch (reread->state) {
  case AGENT_REREAD_GATHERING:
    return gathered_at(reread);
  case AGENT_REREAD_ASKED:
    return reread->asked_ms + reread->wait_ms;
  default:
    return HOST_NEVER;
  }
}

uint64_t agent_reread_waits_ms(const AgentReread *reread, uint64_t now_ms) {
  assert(now_ms >= reread->began_ms);
  return reread->state == AGENT_REREAD_SHOWN ? 0 : now_ms - reread->began_ms;
}
