/* SPDX-License-Identifier: Apache-2.0 */
/* What passes remember: how nodes answered, what pods were told, which slices were asked for lately. All of
 * it can be lost at any time: the next pass reads the cluster again, and at worst says something twice. */
#include "controller/memory.h"

#include "plan/fill.h"

static void node_memory_free(ControllerNodeMemory *node) {
  free(node->refusal);
  free(node->held);
  array_deinit(&node->recuts_ms);
  free(node);
}

static void told_free(ControllerTold *told) {
  free(told->note);
  free(told);
}

void controller_memory_deinit(ControllerMemory *memory) {
  for (size_t i = 0; i < memory->nodes.count; i++)
    node_memory_free(memory->nodes.entries[i].value);
  for (size_t i = 0; i < memory->told.count; i++)
    told_free(memory->told.entries[i].value);
  for (size_t i = 0; i < memory->hushed.count; i++)
    free(memory->hushed.entries[i].value);
  map_deinit(&memory->nodes);
  map_deinit(&memory->told);
  map_deinit(&memory->hushed);
  controller_uids_deinit(&memory->counted);
  array_deinit(&memory->demand);
}

void controller_memory_forget_pod(ControllerMemory *memory, const char *uid) {
  ControllerTold *told = map_remove(&memory->told, uid);
  if (told)
    told_free(told);
  free(map_remove(&memory->hushed, uid));
  controller_uids_remove(&memory->counted, (ObjectUid){.text = uid});
}

void controller_memory_forget_node(ControllerMemory *memory, const char *name) {
  ControllerNodeMemory *node = map_remove(&memory->nodes, name);
  if (node)
    node_memory_free(node);
}

static ControllerNodeMemory *get_node(ControllerMemory *memory, const char *name) {
  ControllerNodeMemory *node = map_find(&memory->nodes, name);
  if (!node) {
    node = mem_alloc(sizeof *node);
    map_put(&memory->nodes, name, node);
  }
  return node;
}

static void hold(ControllerNodeMemory *node, char *why) {
  free(node->held);
  node->held = why;
}

static uint64_t retry_after(int failures) {
  uint64_t delay = CONTROLLER_RETRY_FIRST_MS;
  for (int i = 1; i < failures && delay < CONTROLLER_RETRY_MAX_MS; i++)
    delay *= 2;
  return delay < CONTROLLER_RETRY_MAX_MS ? delay : CONTROLLER_RETRY_MAX_MS;
}

/* The plan's clock starts when this process first sees it: a restarted controller waits once more, which is
 * safe. */
static void start_clock(ControllerNodeMemory *node, const char *plan, bool failed, uint64_t now_ms) {
  bool same = strcmp(node->plan, plan) == 0 && node->failed == failed;
  if (same)
    return;
  snprintf(node->plan, sizeof node->plan, "%s", plan);
  node->failed = failed;
  node->since_ms = now_ms;
  if (failed)
    node->failures++;
}

static uint64_t judge_unanswered(ControllerNodeMemory *node, const char *name, const char *plan,
                                 const char *error, uint64_t now_ms) {
  start_clock(node, plan, false, now_ms);
  uint64_t open_until = node->since_ms + CONTROLLER_ANSWER_MS;
  if (now_ms < open_until) {
    hold(node, NULL);
    return open_until;
  }
  const char *what = error ? "its agent says: " : "is the facet agent running there?";
  hold(node, mem_format("node %s has not answered plan %s for %d s; %s%s", name, plan,
                        CONTROLLER_ANSWER_MS / 1000, what, string_or_empty(error)));
  return UINT64_MAX;
}

static uint64_t judge_failed(ControllerNodeMemory *node, const char *name, const char *plan,
                             const char *error, uint64_t now_ms) {
  start_clock(node, plan, true, now_ms);
  uint64_t closed_until = node->since_ms + retry_after(node->failures);
  if (now_ms >= closed_until) {
    hold(node, NULL);
    return UINT64_MAX;
  }
  hold(node, mem_format("node %s could not carry out its last plan and is given time: %s", name, error));
  return closed_until;
}

static uint64_t judge_answer(ControllerNodeMemory *mine, const Node *node, uint64_t now_ms) {
  const KeyValues *annotations = &node->meta.annotations;
  const char *spec = key_values_find(annotations, MIG_ANNOTATION_SPEC_PLAN);
  const char *status = key_values_find(annotations, MIG_ANNOTATION_STATUS_PLAN);
  const char *error = key_values_find(annotations, MIG_ANNOTATION_ERROR);
  if (spec && !string_equal(spec, status))
    return judge_unanswered(mine, node->meta.name, spec, error, now_ms);
  if (spec && error)
    return judge_failed(mine, node->meta.name, spec, error, now_ms);
  mine->failures = 0;
  mine->failed = false;
  mine->plan[0] = '\0';
  hold(mine, NULL);
  return UINT64_MAX;
}

/* Of most nodes there is nothing to remember. */
static bool owes_nothing(const Node *node) {
  const KeyValues *annotations = &node->meta.annotations;
  const char *spec = key_values_find(annotations, MIG_ANNOTATION_SPEC_PLAN);
  return !spec || (string_equal(spec, key_values_find(annotations, MIG_ANNOTATION_STATUS_PLAN)) &&
                   !key_values_find(annotations, MIG_ANNOTATION_ERROR));
}

uint64_t controller_memory_judge_node(ControllerMemory *memory, const Node *node, uint64_t now_ms) {
  if (owes_nothing(node) && !map_find(&memory->nodes, node->meta.name))
    return UINT64_MAX;
  ControllerNodeMemory *mine = get_node(memory, node->meta.name);
  uint64_t wake_ms = judge_answer(mine, node, now_ms);
  if (mine->held || now_ms >= mine->refused_until_ms)
    return wake_ms;
  hold(mine, mem_format("the API server refuses to write the plan to node %s, which is given time: %s",
                        node->meta.name, mine->refusal));
  return wake_ms < mine->refused_until_ms ? wake_ms : mine->refused_until_ms;
}

static void forget_old_recuts(ControllerNodeMemory *node, uint64_t now_ms) {
  while (node->recuts_ms.count && now_ms - node->recuts_ms.items[0] >= CONTROLLER_RECUT_SPAN_MS)
    array_remove(&node->recuts_ms, 0);
}

void controller_memory_note_recut(ControllerMemory *memory, const char *node, uint64_t now_ms) {
  ControllerNodeMemory *mine = get_node(memory, node);
  forget_old_recuts(mine, now_ms);
  *array_push(&mine->recuts_ms) = now_ms;
}

bool controller_memory_is_recut_out(ControllerMemory *memory, const char *node, int limit, uint64_t now_ms,
                                    uint64_t *wake_ms) {
  ControllerNodeMemory *mine = map_find(&memory->nodes, node);
  if (!mine || limit <= 0)
    return false;
  forget_old_recuts(mine, now_ms);
  if (mine->recuts_ms.count < (size_t)limit)
    return false;
  uint64_t again_ms = mine->recuts_ms.items[mine->recuts_ms.count - (size_t)limit] + CONTROLLER_RECUT_SPAN_MS;
  if (again_ms < *wake_ms)
    *wake_ms = again_ms;
  return true;
}

void controller_memory_note_written(ControllerMemory *memory, const char *node) {
  ControllerNodeMemory *mine = map_find(&memory->nodes, node);
  if (!mine)
    return;
  mine->refusals = 0;
  mine->refused_until_ms = 0;
}

void controller_memory_note_refused(ControllerMemory *memory, const char *node, const char *why,
                                    uint64_t now_ms) {
  ControllerNodeMemory *mine = get_node(memory, node);
  free(mine->refusal);
  mine->refusal = mem_strdup(why);
  if (++mine->refusals > 1)
    mine->refused_until_ms = now_ms + retry_after(mine->refusals - 1);
}

const char *controller_memory_find_hold(const ControllerMemory *memory, const char *node) {
  const ControllerNodeMemory *mine = map_find(&memory->nodes, node);
  return mine ? mine->held : NULL;
}

bool controller_memory_is_news(const ControllerMemory *memory, const Pod *pod, bool triggered,
                               const char *note, uint64_t now_ms, uint64_t *wake_ms) {
  const char *uid = OBJECT_UID(pod->meta.uid);
  const ControllerTold *told = uid ? map_find(&memory->told, uid) : NULL;
  if (!uid)
    return false;
  if (!told)
    return true;
  if (told->triggered == triggered && strcmp(told->note, note) == 0)
    return false;
  uint64_t quiet_until_ms = told->at_ms + CONTROLLER_REPEAT_MS;
  if (triggered || told->triggered || now_ms >= quiet_until_ms)
    return true;
  if (quiet_until_ms < *wake_ms)
    *wake_ms = quiet_until_ms;
  return false;
}

void controller_memory_tell(ControllerMemory *memory, const Pod *pod, bool triggered, const char *note,
                            uint64_t now_ms) {
  const char *uid = OBJECT_UID(pod->meta.uid);
  assert(uid);
  ControllerTold *told = map_find(&memory->told, uid);
  if (!told) {
    told = mem_alloc(sizeof *told);
    map_put(&memory->told, uid, told);
  }
  free(map_remove(&memory->hushed, uid));
  free(told->note);
  *told = (ControllerTold){.at_ms = now_ms, .triggered = triggered, .note = mem_strdup(note)};
}

bool controller_memory_hush(ControllerMemory *memory, const Pod *pod, uint64_t now_ms, uint64_t *wake_ms) {
  const char *uid = OBJECT_UID(pod->meta.uid);
  if (!uid)
    return true;
  uint64_t *since_ms = map_find(&memory->hushed, uid);
  if (!since_ms) {
    since_ms = mem_alloc(sizeof *since_ms);
    *since_ms = now_ms;
    map_put(&memory->hushed, uid, since_ms);
  }
  uint64_t end_ms = *since_ms + CONTROLLER_ANSWER_MS;
  if (now_ms < end_ms && end_ms < *wake_ms)
    *wake_ms = end_ms;
  return now_ms < end_ms;
}

void controller_memory_untell(ControllerMemory *memory, const char *uid) {
  ControllerTold *told = map_find(&memory->told, uid);
  if (told)
    told->note[0] = '\0';
}

void controller_memory_decay(ControllerMemory *memory, uint64_t now_ms) {
  double factor = plan_fill_left((int64_t)(now_ms - memory->decayed_ms));
  memory->decayed_ms = now_ms;
  for (size_t i = memory->demand.count; i-- > 0;) {
    memory->demand.items[i].weight *= factor;
    if (memory->demand.items[i].weight < 0.01)
      array_remove(&memory->demand, i);
  }
}

static PlanDemand *get_demand(ControllerMemory *memory, const char *profile) {
  for (size_t i = 0; i < memory->demand.count; i++)
    if (strcmp(memory->demand.items[i].profile, profile) == 0)
      return &memory->demand.items[i];
  PlanDemand *demand = array_push(&memory->demand);
  snprintf(demand->profile, sizeof demand->profile, "%s", profile);
  return demand;
}

void controller_memory_count_demand(ControllerMemory *memory, const SnapshotPod *pod) {
  ObjectUid uid = pod->object->meta.uid;
  if ((!uid.text && !uid.low) || !controller_uids_add(&memory->counted, uid))
    return;
  for (size_t i = 0; i < pod->spec->requests.count; i++) {
    char profile[MIG_PROFILE_NAME_SIZE];
    Error err;
    const Resource *request = &pod->spec->requests.items[i];
    if (mig_profile_is_resource(request->name) &&
        mig_profile_parse_resource(request->name, profile, &err) == 0)
      get_demand(memory, profile)->weight += (double)request->amount;
  }
}
