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

typedef struct LivePod LivePod;
struct LivePod {
  union {
    const Pod *object; /* borrowed; its namespace and name never change */
    LivePod *next;     /* of the spare records */
  };
  uint32_t number; /* in LivePods.items */
  int place;
  int spec; /* where it waits or is placed */
  LiveStanding standing;
};

enum { LIVE_PODS_BLOCK = 128 };

typedef struct LivePods {
  ARRAY(LivePod *) items;  /* in the order in which they came, a removal moves the last into the gap */
  ARRAY(LivePod *) blocks; /* owned: the records, LIVE_PODS_BLOCK in each, never moved */
  LivePod *spare;          /* records that nobody has */
  Slots slots;
} LivePods;

/* NULL where there is none. */
LivePod *live_pods_find(const LivePods *pods, const Pod *object);
/* Of a pod that is not there. */
LivePod *live_pods_add(LivePods *pods, const Pod *object);
void live_pods_remove(LivePods *pods, LivePod *pod);
void live_pods_deinit(LivePods *pods);
