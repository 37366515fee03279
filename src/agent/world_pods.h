/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: the API server of the played world (world_fixture.h), as far as it is about the agent's own
 * pods: one reservation and one witness. */
#pragma once

#include "agent/world_node.h"

/* ---- the reservation pod ---- */

static inline void set_pod(World *world, const char *section, const char *field, json_t *value) {
  json_object_set_new(json_object_get(world->pod, section), field, value);
  show_pod(world, "MODIFIED");
}

static inline void bind_pod(World *world) {
  set_pod(world, "spec", "nodeName", json_string("n1"));
}

static inline void refuse_to_schedule(World *world, const char *message) {
  set_pod(world, "status", "conditions",
          json_pack("[{s:s, s:s, s:s, s:s}]", "type", "PodScheduled", "status", "False", "reason",
                    "Unschedulable", "message", message));
}

static inline void remove_pod(World *world) {
  show_pod(world, "DELETED");
  json_decref(TAKE(world->pod));
  free(TAKE(world->kubelet.reservation));
  text_clear(&world->kubelet.reserved);
}

/* ---- the witness pod ---- */

static inline void bind_witness(World *world) {
  json_object_set_new(json_object_get(world->witness, "spec"), "nodeName", json_string("n1"));
  show_one_pod(world, "MODIFIED", world->witness);
}

static inline void remove_witness(World *world) {
  show_one_pod(world, "DELETED", world->witness);
  json_decref(TAKE(world->witness));
}

static inline void answer_witness(World *world, KubeCall *call) {
  if (world->refuse_witness) {
    fake_answer(call, world->refuse_witness,
                "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  if (world->witness) /* of an earlier one that is on its way out */
    remove_witness(world);
  world->witness = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(world->witness);
  json_object_set_new(world->witness, "status", json_pack("{s:s}", "phase", "Pending"));
  json_object_set_new(json_object_get(world->witness, "metadata"), "namespace", json_string("facet-system"));
  json_object_set_new(json_object_get(world->witness, "metadata"), "uid", json_string("w1"));
  fake_answer(call, 201, "{}");
  show_one_pod(world, "ADDED", world->witness);
  if (!world->scheduler_is_mute && !world->scheduler_is_behind)
    bind_witness(world);
}

static inline bool witness_turn(World *world) {
  KubeCall *call;
  if ((call = find_call_of(world, "POST", PODS, false)) &&
      strstr(call->request.body, "\"name\":\"facet-witness-")) {
    answer_witness(world, call);
  } else if ((call = find_call_of(world, "DELETE", PODS "/facet-witness-", false))) {
    const json_t *name = json_object_get(json_object_get(world->witness, "metadata"), "name");
    bool is_there = name && string_has_suffix(call->request.path, json_string_value(name));
    fake_answer(call, is_there ? 200 : 404, "{}");
    if (is_there)
      remove_witness(world);
  } else {
    return false;
  }
  return true;
}

/* ---- the reservation pod, again ---- */

static inline void answer_reservation(World *world, KubeCall *call) {
  text_append(&world->story, "reserve;");
  if (world->refuse_pod) {
    fake_answer(call, world->refuse_pod, "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  if (world->pod) /* of a re-cut that is on its way out: this world has one place for them */
    remove_pod(world);
  world->pod = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(world->pod);
  const json_t *name = json_object_get(json_object_get(world->pod, "metadata"), "name");
  world->kubelet.reservation = mem_strdup(json_string_value(name));
  json_object_set_new(world->pod, "status", json_pack("{s:s}", "phase", "Pending"));
  json_object_set_new(json_object_get(world->pod, "metadata"), "namespace", json_string("facet-system"));
  json_object_set_new(json_object_get(world->pod, "metadata"), "uid", json_string("r1"));
  fake_answer(call, 201, "{}");
  show_pod(world, "ADDED");
  if (!world->scheduler_is_mute)
    bind_pod(world);
}

static inline void answer_release(World *world, KubeCall *call) {
  text_append(&world->story, "release;");
  if (!world->pod) {
    fake_answer(call, 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"no\"}");
    return;
  }
  assert_true(string_has_suffix(call->request.path, json_string_value(json_object_get(
                                                        json_object_get(world->pod, "metadata"), "name"))));
  fake_answer(call, 200, "{}");
  set_pod(world, "metadata", "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
  if (!world->pod_stays)
    remove_pod(world);
}

static inline bool pods_turn(World *world) {
  KubeCall *call;
  if ((call = find_call_of(world, "POST", PODS, false))) {
    answer_reservation(world, call);
  } else if ((call = find_call_of(world, "DELETE", PODS, false))) {
    answer_release(world, call);
  } else if ((call = find_call_of(world, "GET", PODS, false))) {
    answer_lists(world, call, world->pod, world->witness);
  } else if ((call = find_call_of(world, "GET", PODS, true)) && call != world->pod_watch) {
    world->pod_watch = call;
    fake_head(call, 200, -1);
    if (world->pod)
      show_pod(world, "MODIFIED");
    if (world->witness)
      show_one_pod(world, "MODIFIED", world->witness);
  } else {
    return false;
  }
  return true;
}

/* "again 2;" for the second time. */
static inline bool repetition_turn(World *world) {
  KubeCall *call =
      find_call_of(world, "PATCH", "/apis/events.k8s.io/v1/namespaces/default/events/n1.", false);
  if (!call)
    return false;
  json_t *event = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  json_t *series = json_object_get(event, "series");
  assert_string_equal(call->request.content_type, KUBE_MERGE_PATCH);
  assert_true(json_is_string(json_object_get(series, "lastObservedTime")));
  text_format(&world->events, "again %d;", (int)json_integer_value(json_object_get(series, "count")));
  json_decref(event);
  fake_answer(call, world->refuse_repetition ? world->refuse_repetition : 200, "{}");
  return true;
}

/* Events on the node: "RepartitionFailed: <note>;" in world->events. */
static inline bool events_turn(World *world) {
  if (repetition_turn(world))
    return true;
  KubeCall *call = find_call_of(world, "POST", "/apis/events.k8s.io/v1/namespaces/default/events", false);
  if (!call)
    return false;
  json_t *event = json_loads(call->request.body, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(event);
  assert_string_equal(json_string_value(json_object_get(json_object_get(event, "regarding"), "name")), "n1");
  text_format(&world->events, "%s: %s;", json_string_value(json_object_get(event, "reason")),
              json_string_value(json_object_get(event, "note")));
  json_decref(event);
  fake_answer(call, 201, "{}");
  return true;
}

static inline bool api_turn(World *world) {
  KubeCall *call = find_call(world, "PATCH", false);
  if (world->api_is_mute)
    return false;
  if (call) {
    answer_patch(world, call);
    return true;
  }
  call = find_call(world, "GET", false);
  if (call) {
    answer_list(world, call, world->node);
    return true;
  }
  return begin_watch(world) || events_turn(world) || witness_turn(world) || pods_turn(world);
}
