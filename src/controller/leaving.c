/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/leaving.h"

#include "base/log.h"

#include <assert.h>

#define COMPONENT "controller"

static void finish(void *userdata) {
  ControllerLeaving *leaving = userdata;
  timer_cancel(leaving->host, &leaving->timer);
  leaving->on_left(leaving->userdata);
}

static void on_lease_late(void *userdata) {
  log_warn(COMPONENT,
           "the Lease could not be given back in time: the next controller waits until it runs out", "%s",
           "");
  finish(userdata);
}

static void give_lease_back(ControllerLeaving *leaving) {
  leaving->is_draining = false;
  leaving->timer.fire = on_lease_late;
  timer_set(leaving->host, &leaving->timer, CONTROLLER_LEAVE_MS - CONTROLLER_DRAIN_MS);
  if (leaving->leader)
    controller_leader_leave(leaving->leader, finish, leaving);
  else
    finish(leaving);
}

static void on_drain_late(void *userdata) {
  ControllerLeaving *leaving = userdata;
  log_warn(COMPONENT, "the API server did not answer in time: what was sent is given up", "%s", "");
  leaving->give_up(leaving->owner);
  give_lease_back(leaving);
}

void controller_leaving_begin(ControllerLeaving *leaving) {
  assert(leaving->on_left && leaving->give_up);
  leaving->is_draining = true;
  leaving->timer = (HostTimer){.fire = on_drain_late, .userdata = leaving};
  timer_set(leaving->host, &leaving->timer, CONTROLLER_DRAIN_MS);
}

bool controller_leaving_has_begun(const ControllerLeaving *leaving) {
  return leaving->on_left != NULL;
}

void controller_leaving_note_idle(ControllerLeaving *leaving) {
  if (leaving->is_draining)
    give_lease_back(leaving);
}

void controller_leaving_deinit(ControllerLeaving *leaving) {
  if (leaving->host)
    timer_cancel(leaving->host, &leaving->timer);
}
