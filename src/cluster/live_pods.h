/* SPDX-License-Identifier: Apache-2.0 */
/* The pods of a live cluster, found by namespace and name. A hundred thousand of them are kept, so that each
 * record is small, and no key is copied: it is read out of the object. Private to live.c. */
#pragma once

#include "base/array.h"
#include "base/slots.h"
#include "cluster/object.h"

typedef enum LiveStanding {
  LIVE_AWAY,    /* it has ended, or is on a node that is not there */
  LIVE_WAITING, /* `place` is its index in snapshot.pods */
  LIVE_PLACED,  /* `place` is its index in snapshot.placed */
  LIVE_STRAY,   /* its node is not there; `place` is its index in live->strays */
} LiveStanding;

typedef struct LivePod {
  const Pod *object; /* borrowed; its namespace and name never change. NULL: nobody has the record */
  int place;         /* of a record that nobody has, the number of the next of these, or -1 */
  LiveStanding standing;
} LivePod;

enum { LIVE_PODS_BLOCK = 128 };

typedef struct LivePods {
  ARRAY(LivePod *) blocks; /* owned: the records by number, LIVE_PODS_BLOCK in each, never moved */
  uint32_t count;          /* numbers below were given out */
  int spare;               /* number of a record that nobody has any more, plus one; 0: none */
  Slots slots;
} LivePods;

/* The record with a number below `count`; its object is NULL where nobody has it. */
static inline LivePod *live_pods_at(const LivePods *pods, uint32_t number) {
  return &pods->blocks.items[number / LIVE_PODS_BLOCK][number % LIVE_PODS_BLOCK];
}

/* NULL where there is none. */
LivePod *live_pods_find(const LivePods *pods, const Pod *object);
/* Of a pod that is not there. */
LivePod *live_pods_add(LivePods *pods, const Pod *object);
void live_pods_remove(LivePods *pods, LivePod *pod);
void live_pods_deinit(LivePods *pods);
