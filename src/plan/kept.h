/* SPDX-License-Identifier: Apache-2.0 */
/* A large plan that outlives its pass and follows events, where each waiting pod asks one slice and is not
 * tied to others. Mostly the hosts of each are all alike to it, and no host runs short of anything but
 * slices: there numbers alone decide who is served (hole.h), so they are counted anew after each event, and
 * only who is concerned gets or loses a place. Elsewhere the plan is `searched`: after an event those who are
 * concerned look for a place, host by host (kept_search.c). What the files plan/kept*.c share;
 * plan/standing.h is what others see.
 *
 *     line   the pods that ask one kind on hosts of one signature: who comes first is served first
 *     queue  those of one line and tier, oldest first: first those that take a free slice, then those that
 *            get a new one, then those that stay blocked
 *     cut    GPUs of one pool with the same slots occupied and the same slices planned
 *     item   a waiting pod, and its place */
#pragma once

#include "plan/bulk_state.h"
#include "plan/offer.h"
#include "plan/plan.h"

enum {
  KEPT_NONE = -1,
  KEPT_OUTSIDE = -2, /* cannot be kept up: all is planned afresh */
  KEPT_BASES = 256,
};

typedef struct KeptItem {
  int pod; /* index in the snapshot; -1: the item is free */
  int line, tier, class_;
  int64_t creation;
  int host; /* -1: not served */
  int gpu;  /* of its new slice; -1: it takes a free one */
  int seat; /* on its host's list */
  uint8_t start;
  bool is_changed; /* noted in `changed` */
} KeptItem;

typedef struct KeptLine {
  int kind;
  int pool, rank; /* -1: there is only what is free already */
  uint64_t signature;
  bool has_home;
  int slot_count, slice_count;
  int64_t free;     /* slices of the kind that are free on these hosts */
  ARRAY(int) homes; /* hosts that may have one left */
} KeptLine;

typedef struct KeptQueue {
  ARRAY(int) items;
  bool is_hungry;       /* searched: somebody came or lost a place since all hosts were asked */
  int existing, served; /* as it is: of the first `served`, the first `existing` take free slices */
  int existing_wanted, served_wanted; /* as it should be */
} KeptQueue;

typedef struct KeptTier {
  int32_t priority;
  bool is_old;
  KeptQueue *queues; /* by line */
} KeptTier;

typedef struct KeptPlanned {
  uint8_t rank, start;
} KeptPlanned;

typedef struct KeptCut {
  int pool;
  uint32_t base, occupied;            /* slots before the plan, and with it */
  int state;                          /* in the states of the pool's shape */
  KeptPlanned planned[MIG_SLOTS_MAX]; /* by start */
  int planned_count;
  ARRAY(int) gpus;
} KeptCut;

typedef struct KeptPool {
  PlanHoles base, now; /* before the plan, and with it */
  ARRAY(int) cuts;
} KeptPool;

typedef struct KeptHost {
  ARRAY(int) items; /* served here */
  int created;      /* of them by new slices */
  bool has_withdrawable, is_recut, is_changed;
  bool is_opened;   /* searched: it has more to give than when all who wait asked it last */
  bool lacked_room; /* for some class, so nobody asked whether anything else is in its way */
} KeptHost;

typedef struct PlanKept {
  PlanProblem problem; /* its waiting pods are those of the last plan from scratch; its hosts follow */
  Snapshot *snapshot;
  ARRAY(KeptItem) items;
  ARRAY(int) free_items;
  ARRAY(int) item_of_pod; /* by pod of the snapshot; -1: ignored */
  ARRAY(int) changed;     /* items whose place is another */
  ARRAY(int) changed_hosts;
  ARRAY(KeptTier) tiers;
  ARRAY(int) tier_order; /* the first to be served first */
  KeptLine *lines;
  int line_count, *line_order; /* smallest slices first */
  int *line_of_class;
  const char **reasons;     /* by class: why its pods are blocked, as of the last plan from scratch; NULL */
  ARRAY(int) class_of_spec; /* plus one; 0: not known yet */
  Map class_keys;           /* text -> class + 1 */
  Text key;                 /* scratch */
  bool has_rules;           /* some pod on a node keeps others away */
  PlanStates *states;       /* by shape */
  KeptPool *pools;
  ARRAY(KeptCut) cuts;
  Intern cut_numbers;
  int *bases; /* by pool, by occupied slots below KEPT_BASES: the cut plus one; 0: not known */
  int *cut_of_gpu, *seat_of_gpu; /* -1: the GPU may not be changed now, or cannot be counted */
  Slots created_items;           /* items that get a new slice, by its GPU and start */
  int *left;                     /* by host, by kind: free slices that nobody takes */
  bool *is_home;                 /* by host, by kind: listed among the line's homes */
  int *line_at;                  /* by host, by kind: the line that may take them; -1 */
  KeptHost *hosts;
  int *host_of_node;
  int64_t *most;     /* by resource: the most that any class takes */
  bool is_searched;  /* numbers do not decide; each class is a line of its own */
  int64_t *rooms;    /* searched: as PlanProblem.rooms, less what those take who are served */
  ARRAY(int) opened; /* hosts */
  int existing;      /* pods that take free slices */
  int withdrawable_hosts, recut_hosts;
  int created, created_hosts; /* new slices, and hosts that get some */
  int64_t old_before;
} PlanKept;

/* ---- plan.c ---- */
/* As plan_compute(). True where the plan can be kept: then ret_kept holds it, and reasons that live in
 * ret_plan. With less than `searched_min` pods times hosts no plan is searched. */
bool plan_compute_kept(Snapshot *snapshot, const PlanOptions *options, size_t searched_min, Plan *ret_plan,
                       PlanKept *ret_kept);

/* ---- kept_build.c ---- */
/* Takes the problem over, with what the offer serves by now; false where such a plan cannot be kept. */
bool plan_kept_build(PlanKept *kept, PlanProblem *problem, const PlanOffer *offer, size_t searched_min);
void plan_kept_deinit(PlanKept *kept);

/* ---- kept_queue.c ---- */
int plan_kept_find_tier(PlanKept *kept, int32_t priority, bool is_old);
bool plan_kept_is_old(const PlanKept *kept, int64_t creation);
/* Pods whose age nobody knows come before the old ones and have waited less: where ages matter, they are not
 * kept. */
bool plan_kept_knows_age(const PlanKept *kept, int64_t creation);
KeptQueue *plan_kept_queue(const PlanKept *kept, const KeptItem *item);
/* Puts the item into its queue; whoever is served but comes behind it now hands its place over. */
void plan_kept_enqueue(PlanKept *kept, int item);
/* Takes it out; its place is free. `pod` has its name. */
void plan_kept_dequeue(PlanKept *kept, int item, const Pod *pod);
/* The item's place is gone: the last of those that have a place gives up his. */
void plan_kept_lose(PlanKept *kept, int item);
/* How many of each queue should be served; and how many could be if there were no tiers. */
void plan_kept_count(PlanKept *kept);
int plan_kept_count_without_tiers(const PlanKept *kept);

/* ---- kept_place.c ---- */
void plan_kept_release(PlanKept *kept, int item);
void plan_kept_hand_over(PlanKept *kept, int from, int to);
void plan_kept_put(PlanKept *kept, int item, int host, int gpu, int start);
bool plan_kept_take_existing(PlanKept *kept, int item);
/* The rank of the kind on the GPU, which is in a pool; -1: it has none there. */
int plan_kept_rank_on(const PlanKept *kept, int kind, int gpu);
void plan_kept_note_change(PlanKept *kept, int item);
/* A new slice for the item, for which others may have to move; false where no place was found. */
bool plan_kept_create(PlanKept *kept, int item);
/* The GPU's slots before the plan; UINT32_MAX and is_open false: it may not be changed. Nothing is planned
 * there. */
void plan_kept_set_gpu(PlanKept *kept, int gpu, bool is_open, uint32_t occupied);
/* Whose slice begins there; KEPT_NONE: nobody's. */
int plan_kept_item_at(const PlanKept *kept, int gpu, int start);
/* The item gets its new slice, which its GPU does not show yet. */
void plan_kept_note_created(PlanKept *kept, int item);
/* The slices that are noted of the GPU, all at once. */
void plan_kept_plan_gpu(PlanKept *kept, int gpu);
void plan_kept_note_home(PlanKept *kept, int host, int kind);

/* ---- kept_search.c ---- */
int64_t *plan_kept_rooms(const PlanKept *kept, int host);
/* One pod of the class more or less is on the host. */
void plan_kept_change_room(PlanKept *kept, const PlanClass *class_, int host, int sign);
void plan_kept_open_host(PlanKept *kept, int host);
/* Everybody who can be served beside the others gets a place; who is larger or of a lower tier gives way.
 * False where a plan from scratch may do better. */
bool plan_kept_search(PlanKept *kept);
/* No plan can serve more pods, those on free slices counted. */
int plan_kept_bound(const PlanKept *kept);

/* ---- kept.c ---- */
/* Could pods run short of anything but slices on the host? Not where there is room for the most demanding one
 * on each slot and slice. */
bool plan_kept_is_roomy(const PlanKept *kept, int host);
/* The events. False: the plan cannot be kept. */
void plan_kept_pod_gone(PlanKept *kept, int gone, int moved, const Pod *pod);
bool plan_kept_pod_came(PlanKept *kept, int pod);
/* The number of a spec that no pod has any more: whoever comes with it is not known. */
void plan_kept_spec_gone(PlanKept *kept, int spec);
bool plan_kept_node_changed(PlanKept *kept, int node);
/* Serves whom it should. */
bool plan_kept_settle(PlanKept *kept, int64_t old_before);
