/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/recut.h"

#include "agent/agent.h"
#include "agent/publish.h"
#include "base/backoff.h"
#include "base/host.h"
#include "base/text.h"

#include <stdio.h>

static const char *const state_names[] = {
    [AGENT_RECUT_RESERVING] = "reserve", [AGENT_RECUT_LEARNING] = "learn",
    [AGENT_RECUT_UNLISTING] = "unlist",  [AGENT_RECUT_CONFIRMING] = "confirm",
    [AGENT_RECUT_CUTTING] = "destroy",   [AGENT_RECUT_SHOWING] = "show",
    [AGENT_RECUT_SETTLING] = "settle",   [AGENT_RECUT_LINGERING] = "linger",
    [AGENT_RECUT_RELEASING] = "release", [AGENT_RECUT_OVER] = "over",
};

const char *agent_recut_state_name(AgentRecutState state) {
  assert(state < COUNT_OF(state_names));
  return state_names[state];
}

AgentRecut *agent_recut_new(const char *pod, const char *plan, AgentTargets *targets, uint64_t now_ms) {
  AgentRecut *recut = mem_alloc(sizeof *recut);
  *recut = (AgentRecut){.since_ms = now_ms, .began_ms = now_ms, .targets = *targets};
  snprintf(recut->pod, sizeof recut->pod, "%s", pod);
  snprintf(recut->plan, sizeof recut->plan, "%s", plan);
  *targets = (AgentTargets){0};
  return recut;
}

AgentRecut *agent_recut_new_orphan(const char *pod, uint64_t now_ms) {
  AgentTargets none = {0};
  AgentRecut *recut = agent_recut_new(pod, "", &none, now_ms);
  recut->state = AGENT_RECUT_SHOWING;
  recut->seen = true;
  return recut;
}

AgentRecut *agent_recut_new_witness(uint64_t now_ms) {
  AgentRecut *recut = agent_recut_new_orphan("", now_ms);
  recut->is_witness = true;
  return recut;
}

void agent_recut_free(AgentRecut *recut) {
  if (!recut)
    return;
  array_deinit(&recut->targets);
  free(recut);
}

static void enter(AgentRecut *recut, AgentRecutState state, uint64_t now_ms) {
  recut->took_ms[recut->state] = (uint32_t)(now_ms - recut->since_ms);
  recut->state = state;
  recut->since_ms = now_ms;
}

void agent_recut_renew_witness(AgentRecut *recut, uint64_t now_ms) {
  assert(recut->is_witness && recut->state <= AGENT_RECUT_LINGERING);
  recut->witness[0] = '\0';
  recut->witness_ms = 0;
  enter(recut, AGENT_RECUT_SHOWING, now_ms);
}

static AgentRecutAction lose(AgentRecut *recut, const AgentRecutView *view, bool raced, const char *reason) {
  recut->lost = true;
  recut->raced = raced;
  snprintf(recut->reason, sizeof recut->reason, "%s", reason);
  enter(recut, AGENT_RECUT_RELEASING, view->now_ms);
  return AGENT_RECUT_WAIT;
}

void agent_recut_refuse(AgentRecut *recut, const char *reason, uint64_t now_ms) {
  recut->lost = true;
  snprintf(recut->reason, sizeof recut->reason, "%s", reason);
  enter(recut, AGENT_RECUT_OVER, now_ms);
}

/* A plan that came meanwhile may want some of the targets to stay. */
static bool is_still_wanted(const AgentRecut *recut, const AgentRecutView *view) {
  for (size_t i = 0; i < recut->targets.count; i++)
    if (!agent_targets_find(view->wanted, recut->targets.items[i].uuid))
      return false;
  return true;
}

static bool is_late(const AgentRecut *recut, const AgentRecutView *view) {
  return view->now_ms - recut->since_ms >= AGENT_RECUT_PATIENCE_MS;
}

/* Whatever takes the reservation away before the first slice is destroyed loses it. */
static bool is_pod_lost(const AgentRecut *recut, const AgentRecutView *view, const char **ret_reason) {
  if (view->pod == AGENT_POD_LEAVING || (view->pod == AGENT_POD_ABSENT && recut->seen))
    *ret_reason = "somebody deleted the reservation pod";
  else if (view->pod == AGENT_POD_ENDED)
    *ret_reason = view->pod_says ? view->pod_says : "the kubelet refused the reservation pod";
  else
    return false;
  return true;
}

static AgentRecutAction reserve(AgentRecut *recut, const AgentRecutView *view) {
  const char *reason;
  if (is_pod_lost(recut, view, &reason))
    return lose(recut, view, view->pod == AGENT_POD_ENDED, reason);
  if (!is_still_wanted(recut, view))
    return lose(recut, view, true, "the slices are wanted again, or were taken");
  if (view->pod == AGENT_POD_UNSCHEDULABLE)
    return lose(recut, view, true,
                view->pod_says ? view->pod_says : "the scheduler has promised the slices to other pods");
  if (view->pod == AGENT_POD_BOUND) {
    enter(recut, AGENT_RECUT_LEARNING, view->now_ms);
    return AGENT_RECUT_ASK;
  }
  if (is_late(recut, view))
    return lose(recut, view, false, "the scheduler did not look at the reservation pod within 10 s");
  return AGENT_RECUT_WAIT;
}

/* Of the slices that exist, does the pod hold the targets and no others (unsteered: whatever others)? Those
 * that do not exist any more were destroyed by an earlier life of the agent. */
static bool holds_targets(const AgentRecut *recut, const AgentRecutView *view, const char **ret_wrong) {
  size_t right = 0;
  *ret_wrong = NULL;
  for (size_t i = 0; i < view->held->count; i++) {
    if (agent_targets_find(&recut->targets, view->held->items[i]))
      right++;
    else if (!recut->unsteered && agent_publish_find(view->observation, view->held->items[i], NULL))
      *ret_wrong = view->held->items[i];
  }
  return right == recut->targets.count && !*ret_wrong;
}

static AgentRecutAction learn(AgentRecut *recut, const AgentRecutView *view) {
  const char *reason, *wrong;
  if (is_pod_lost(recut, view, &reason))
    return lose(recut, view, view->pod == AGENT_POD_ENDED, reason);
  if (!is_still_wanted(recut, view))
    return lose(recut, view, true, "the slices are wanted again, or were taken");
  if (!view->held || !view->held->count) {
    if (is_late(recut, view))
      return lose(recut, view, false, "the kubelet did not take the reservation pod within 10 s");
    return AGENT_RECUT_ASK;
  }
  if (holds_targets(recut, view, &wrong)) {
    enter(recut, recut->unsteered ? AGENT_RECUT_CUTTING : AGENT_RECUT_UNLISTING, view->now_ms);
    return AGENT_RECUT_WAIT;
  }
  if (wrong)
    return lose(recut, view, true, "the kubelet gave the reservation pod other slices");
  return is_late(recut, view) ? lose(recut, view, true, "the kubelet gave the reservation pod too few slices")
                              : AGENT_RECUT_ASK;
}

static AgentRecutAction unlist(AgentRecut *recut, const AgentRecutView *view) {
  const char *reason;
  if (is_pod_lost(recut, view, &reason))
    return lose(recut, view, true, reason);
  if (!is_still_wanted(recut, view))
    return lose(recut, view, true, "the slices are wanted again");
  if (view->kubelet_agrees) {
    recut->unlisted_ms = view->now_ms;
    enter(recut, recut->pod[0] ? AGENT_RECUT_CONFIRMING : AGENT_RECUT_CUTTING, view->now_ms);
    return AGENT_RECUT_WAIT;
  }
  return is_late(recut, view) ? lose(recut, view, false, "the kubelet did not follow our list within 10 s")
                              : AGENT_RECUT_WAIT;
}

/* What the kubelet says now is final: it has nothing of the targets left to give to anybody. */
static AgentRecutAction confirm(AgentRecut *recut, const AgentRecutView *view) {
  const char *reason, *wrong;
  if (is_pod_lost(recut, view, &reason))
    return lose(recut, view, true, reason);
  if (!is_still_wanted(recut, view))
    return lose(recut, view, true, "the slices are wanted again, or were taken");
  if (!view->held && is_late(recut, view))
    return lose(recut, view, false, "the kubelet did not say again what the reservation pod holds in 10 s");
  if (!view->held)
    return AGENT_RECUT_ASK;
  if (!holds_targets(recut, view, &wrong))
    return lose(recut, view, true, "the reservation pod lost the slices");
  enter(recut, AGENT_RECUT_CUTTING, view->now_ms);
  return AGENT_RECUT_WAIT;
}

/* What is not wanted any more, or could not be destroyed, stays; and so does all that is left once the
 * reservation does not hold it any more. */
static AgentRecutAction cut(AgentRecut *recut, const AgentRecutView *view, const AgentTarget **ret_target) {
  for (size_t i = 0; view->pod == AGENT_POD_BOUND && i < recut->targets.count; i++) {
    const AgentTarget *target = &recut->targets.items[i];
    const GpuInstance *instance = agent_publish_find(view->observation, target->uuid, NULL);
    if (instance && agent_target_is(target, instance) && agent_targets_find(view->wanted, target->uuid)) {
      *ret_target = target;
      return AGENT_RECUT_DESTROY;
    }
  }
  enter(recut, AGENT_RECUT_SHOWING, view->now_ms);
  return AGENT_RECUT_WAIT;
}

/* What the scheduler has seen before the kubelet's write came is no testimony. */
static AgentRecutAction settle(AgentRecut *recut, const AgentRecutView *view) {
  if (view->now_ms < recut->settles_ms)
    return AGENT_RECUT_WAIT;
  if (!recut->offer)
    return AGENT_RECUT_OFFER;
  if (view->node_agrees)
    enter(recut, AGENT_RECUT_LINGERING, view->now_ms);
  return AGENT_RECUT_WAIT;
}

/* Who may not create the witness, or whose node takes no more pods, waits as long as a scheduler may be
 * behind.
 */
static AgentRecutAction linger(AgentRecut *recut, const AgentRecutView *view) {
  uint64_t waited_ms = view->now_ms - recut->since_ms;
  bool is_blind = (!recut->pod[0] && !recut->is_witness) || !view->has_node;
  bool has_testified =
      recut->witness_ms && (view->witness == AGENT_POD_BOUND || view->witness == AGENT_POD_ENDED);
  if (has_testified || waited_ms >= (is_blind ? AGENT_RECUT_BLIND_LINGER_MS : AGENT_RECUT_LINGER_MS)) {
    enter(recut, AGENT_RECUT_RELEASING, view->now_ms);
    return AGENT_RECUT_WAIT;
  }
  bool is_there = view->witness == AGENT_POD_WAITING || view->witness == AGENT_POD_UNSCHEDULABLE;
  bool is_due = !recut->witness_ms || view->now_ms - recut->witness_ms >= recut->witness_again_ms;
  if (is_blind || !is_due)
    return AGENT_RECUT_WAIT;
  recut->witness_ms = view->now_ms;
  if (is_there)
    return AGENT_RECUT_WAIT;
  recut->witness_again_ms =
      backoff_next_ms(recut->witness_again_ms, AGENT_RECUT_WITNESS_AGAIN_MS, AGENT_RECUT_LINGER_MS);
  return AGENT_RECUT_WITNESS;
}

static AgentRecutAction release(AgentRecut *recut, const AgentRecutView *view) {
  bool is_gone = view->pod == AGENT_POD_ABSENT && recut->seen;
  if (is_gone || !recut->pod[0]) {
    enter(recut, AGENT_RECUT_OVER, view->now_ms);
    return AGENT_RECUT_WAIT;
  }
  bool is_due = !recut->asked_ms || view->now_ms - recut->asked_ms >= AGENT_RECUT_RELEASE_AGAIN_MS;
  if (!is_due)
    return AGENT_RECUT_WAIT;
  recut->asked_ms = view->now_ms; /* by us, or by whoever deleted it */
  return view->pod == AGENT_POD_LEAVING ? AGENT_RECUT_WAIT : AGENT_RECUT_DELETE;
}

AgentRecutAction agent_recut_step(AgentRecut *recut, const AgentRecutView *view,
                                  const AgentTarget **ret_target) {
  recut->seen = recut->seen || view->pod != AGENT_POD_ABSENT;
  for (;;) {
    AgentRecutState before = recut->state;
    AgentRecutAction action = AGENT_RECUT_WAIT;
    switch (recut->state) {
    case AGENT_RECUT_RESERVING:
      action = reserve(recut, view);
      break;
    case AGENT_RECUT_LEARNING:
      action = learn(recut, view);
      break;
    case AGENT_RECUT_UNLISTING:
      action = unlist(recut, view);
      break;
    case AGENT_RECUT_CONFIRMING:
      action = confirm(recut, view);
      break;
    case AGENT_RECUT_CUTTING:
      action = cut(recut, view, ret_target);
      break;
    case AGENT_RECUT_SHOWING:
      if (view->node_agrees && !view->growing) {
        if (recut->unsteered && recut->settles_ms) /* NVIDIA's plugin has its shorter list only now */
          recut->settles_ms = view->now_ms + AGENT_KUBELET_LATE_MS;
        enter(recut, recut->settles_ms ? AGENT_RECUT_SETTLING : AGENT_RECUT_LINGERING, view->now_ms);
      }
      break;
    case AGENT_RECUT_SETTLING:
      action = settle(recut, view);
      break;
    case AGENT_RECUT_LINGERING:
      action = linger(recut, view);
      break;
    case AGENT_RECUT_RELEASING:
      action = release(recut, view);
      break;
    case AGENT_RECUT_OVER:
      break;
    }
    /* UNLISTING changes what is withheld: the lists are sent before the kubelet's agreement counts.
     * CONFIRMING wants a new answer. And what comes in the place of the targets is only begun after SHOWING
     * has been entered. */
    bool needs_new_view = recut->state == AGENT_RECUT_UNLISTING || recut->state == AGENT_RECUT_CONFIRMING ||
                          recut->state == AGENT_RECUT_SHOWING;
    if (action != AGENT_RECUT_WAIT || recut->state == before || needs_new_view)
      return action;
  }
}

static uint64_t linger_wake_ms(const AgentRecut *recut) {
  uint64_t again_ms = recut->witness_ms + recut->witness_again_ms;
  uint64_t last_ms = recut->since_ms + AGENT_RECUT_LINGER_MS;
  if (!recut->witness_ms)
    return recut->since_ms + AGENT_RECUT_BLIND_LINGER_MS;
  return again_ms < last_ms ? again_ms : last_ms;
}

uint64_t agent_recut_wake_ms(const AgentRecut *recut) {
  switch (recut->state) {
  case AGENT_RECUT_RESERVING:
  case AGENT_RECUT_LEARNING:
  case AGENT_RECUT_UNLISTING:
  case AGENT_RECUT_CONFIRMING:
    return recut->since_ms + AGENT_RECUT_PATIENCE_MS;
  case AGENT_RECUT_SETTLING:
    return recut->offer ? HOST_NEVER : recut->settles_ms;
  case AGENT_RECUT_LINGERING:
    return linger_wake_ms(recut);
  case AGENT_RECUT_RELEASING:
    return recut->asked_ms ? recut->asked_ms + AGENT_RECUT_RELEASE_AGAIN_MS : recut->since_ms;
  default:
    return HOST_NEVER;
  }
}

bool agent_recut_is_active(const AgentRecut *recut) {
  return recut->state < AGENT_RECUT_SHOWING;
}

bool agent_recut_withholds(const AgentRecut *recut, const char *uuid) {
  return !recut->unsteered &&
         (recut->state == AGENT_RECUT_UNLISTING || recut->state == AGENT_RECUT_CONFIRMING ||
          recut->state == AGENT_RECUT_CUTTING) &&
         agent_targets_find(&recut->targets, uuid);
}
