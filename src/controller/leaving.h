/* SPDX-License-Identifier: Apache-2.0 */
/* A controller's end:
 *
 *     begin --what was sent is answered, or given up after 500 ms--> the Lease is given back --> on_left
 *                                                                     (given up after 900 ms) */
#pragma once

#include "base/host.h"
#include "controller/leader.h"

enum {
  CONTROLLER_DRAIN_MS = 500,
  CONTROLLER_LEAVE_MS = 900,
};

typedef struct ControllerLeaving {
  Host *host;
  ControllerLeader *leader; /* NULL: there is no Lease */
  HostTimer timer;
  bool is_draining;
  void (*give_up)(void *owner); /* takes back what is in flight */
  void *owner;
  void (*on_left)(void *userdata); /* NULL: not begun */
  void *userdata;
} ControllerLeaving;

/* The struct comes filled, but for timer and is_draining, and on_left last: it says that the end has begun.
 */
void controller_leaving_begin(ControllerLeaving *leaving);
bool controller_leaving_has_begun(const ControllerLeaving *leaving);
/* Nothing is in flight any more. May call on_left. */
void controller_leaving_note_idle(ControllerLeaving *leaving);
void controller_leaving_deinit(ControllerLeaving *leaving);
