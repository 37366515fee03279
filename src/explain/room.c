/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/room.h"

enum { LISTED_MAX = 4 /* slices that a sentence names */ };

static const char *const names[] = {
    [EXPLAIN_ROOM_SLICE] = "slice",           [EXPLAIN_ROOM_GROW] = "grow",
    [EXPLAIN_ROOM_RECUT] = "recut",           [EXPLAIN_ROOM_NONE] = "none",
    [EXPLAIN_ROOM_NO_PROFILE] = "no profile", [EXPLAIN_ROOM_CLOSED] = "closed",
};

const char *explain_room_name(ExplainRoom room) {
  assert(room < COUNT_OF(names));
  return names[room];
}

bool explain_room_is_open(ExplainRoom room) {
  return room == EXPLAIN_ROOM_SLICE || room == EXPLAIN_ROOM_GROW || room == EXPLAIN_ROOM_RECUT;
}

int explain_room_slot_gb(const MigModel *model) {
  MigProfile parsed;
  uint32_t gb;
  Error err;
  if (!model->profile_count || mig_profile_parse_name(model->profiles[0].name, &parsed, &gb, &err) < 0)
    return 0;
  return (int)gb / model->profiles[0].size;
}

uint32_t explain_room_promised(const SnapshotNode *node, const SnapshotGpu *gpu) {
  uint32_t promised = 0;
  for (uint32_t rest = gpu->existing_starts & ~gpu->used_starts; rest; rest &= rest - 1) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    int start = __builtin_ctz(rest);
    mig_profile_format_resource(gpu->model->profiles[mig_layout_find(gpu->layout, start)->profile].name,
                                resource);
    if (snapshot_free_of(node, resource) <= 0)
      promised |= UINT32_C(1) << start;
  }
  return promised;
}

uint32_t explain_room_loose(const SnapshotNode *node, const SnapshotGpu *gpu) {
  return snapshot_withdrawable(node, gpu) & ~explain_room_promised(node, gpu);
}

MigLayout explain_room_fixed(const SnapshotNode *node, const SnapshotGpu *gpu) {
  MigLayout fixed = *gpu->layout;
  for (uint32_t loose = explain_room_loose(node, gpu); loose; loose &= loose - 1)
    mig_layout_remove(&fixed, __builtin_ctz(loose));
  return fixed;
}

int explain_room_nearest(const SnapshotNode *node, const SnapshotGpu *gpu, int profile,
                         uint32_t *ret_starts) {
  MigLayout fixed = explain_room_fixed(node, gpu);
  uint32_t held = gpu->used_starts | explain_room_promised(node, gpu);
  int nearest = -1;
  for (uint32_t starts = gpu->model->profiles[profile].starts; starts; starts &= starts - 1) {
    uint32_t obstacles = mig_layout_obstacles(&fixed, profile, __builtin_ctz(starts));
    int count = __builtin_popcount(obstacles);
    if (obstacles & ~held || obstacles & gpu->keep_starts || (nearest >= 0 && count >= nearest))
      continue;
    nearest = count;
    *ret_starts = obstacles;
  }
  return nearest;
}

typedef struct Look {
  const ExplainHolding *holding;
  const ExplainCluster *cluster;
  const SnapshotNode *node;
  int node_index;
  const SnapshotGpu *gpu;
  const MigProfile *wanted;
  int profile;
  uint32_t promised; /* free slices */
  MigLayout fixed;
} Look;

static const char *name_of(const Look *look, const MigLayout *layout, int start) {
  return look->gpu->model->profiles[mig_layout_find(layout, start)->profile].name;
}

/* ---- where there is room ---- */

static void append_starts(const Look *look, Text *text, uint32_t starts) {
  for (bool is_first = true; starts; starts &= starts - 1, is_first = false)
    text_format(text, "%s%s@%d", is_first ? "" : ", ",
                name_of(look, look->gpu->layout, __builtin_ctz(starts)), __builtin_ctz(starts));
}

static int find_free_slice(const Look *look) {
  const MigLayout *layout = look->gpu->layout;
  for (int i = 0; i < layout->count; i++)
    if (layout->instances[i].profile == look->profile &&
        !((look->gpu->used_starts | look->promised) >> layout->instances[i].start & 1))
      return layout->instances[i].start;
  return -1;
}

/* The free slices that give way where the fewest do. Returns the places that they make room at, 0 where there
 * is none. */
static uint32_t find_recut(const Look *look, uint32_t *ret_giving_way) {
  uint32_t places = mig_layout_free_starts(&look->fixed, look->profile), best = 0;
  int least = MIG_INSTANCES_MAX + 1;
  for (; places; places &= places - 1) {
    uint32_t obstacles = mig_layout_obstacles(look->gpu->layout, look->profile, __builtin_ctz(places));
    int count = __builtin_popcount(obstacles);
    if (count < least) {
      least = count;
      best = 0;
      *ret_giving_way = obstacles;
    }
    if (obstacles == *ret_giving_way)
      best |= places & -places;
  }
  return best;
}

/* Which of several places is taken is the plan's matter. */
static void append_room(const Look *look, Text *text, uint32_t places) {
  text_format(text, "%s has room at slot %d%s", look->wanted->name, __builtin_ctz(places),
              places & (places - 1) ? " and others" : "");
}

static bool describe_room(const Look *look, Text *text, ExplainRoom *ret_room) {
  int start = find_free_slice(look);
  uint32_t giving_way = 0;
  *ret_room = EXPLAIN_ROOM_SLICE;
  if (start >= 0) {
    text_format(text, "%s@%d is free", look->wanted->name, start);
    return true;
  }
  uint32_t empty = mig_layout_free_starts(look->gpu->layout, look->profile);
  *ret_room = EXPLAIN_ROOM_GROW;
  if (empty && !look->gpu->blocked) {
    append_room(look, text, empty);
    return true;
  }
  uint32_t places = find_recut(look, &giving_way);
  *ret_room = EXPLAIN_ROOM_RECUT;
  if (!places)
    return false;
  append_room(look, text, places);
  text_append(text, " when free ");
  append_starts(look, text, giving_way);
  text_append(text, giving_way & (giving_way - 1) ? " give way" : " gives way");
  return true;
}

/* ---- where there is none ---- */

/* "slots 0-3 or 4-7", "one of slots 0-6", "all slots" */
static void append_places(const Look *look, Text *text) {
  const MigProfile *wanted = look->wanted;
  if (wanted->size == look->gpu->model->slot_count) {
    text_append(text, "all slots");
    return;
  }
  if (wanted->size == 1) {
    text_format(text, "one of slots %d-%d", __builtin_ctz(wanted->starts),
                31 - __builtin_clz(wanted->starts));
    return;
  }
  text_append(text, "slots ");
  uint32_t starts = wanted->starts;
  for (bool is_first = true; starts; starts &= starts - 1, is_first = false)
    text_format(text, "%s%d-%d",
                is_first                ? ""
                : starts & (starts - 1) ? ", "
                                        : " or ",
                __builtin_ctz(starts), __builtin_ctz(starts) + wanted->size - 1);
}

/* Slices in use of one profile stand together: the same pods hold them. */
static uint32_t find_alike(const Look *look, uint32_t starts) {
  int first = __builtin_ctz(starts);
  uint32_t alike = UINT32_C(1) << first;
  if (!(look->gpu->used_starts >> first & 1))
    return alike;
  for (uint32_t rest = starts & (starts - 1); rest; rest &= rest - 1) {
    int start = __builtin_ctz(rest);
    if (look->gpu->used_starts >> start & 1 &&
        mig_layout_find(&look->fixed, start)->profile == mig_layout_find(&look->fixed, first)->profile)
      alike |= UINT32_C(1) << start;
  }
  return alike;
}

static const char *why_fixed(const Look *look, int start) {
  if (look->gpu->keep_starts >> start & 1)
    return "free, but kept by " MIG_ANNOTATION_KEEP_PREFIX;
  if (look->promised >> start & 1)
    return "free, but promised to a pod that is on its way";
  return look->gpu->assumed ? "free, but only counts tell of it and not its place"
                            : "free, but may not be taken away";
}

/* "1g.10gb@0,2,3 are held each by one of ml/a, ml/b" */
static void append_hold(const Look *look, Text *text, uint32_t starts) {
  int first = __builtin_ctz(starts), count = __builtin_popcount(starts);
  const char *profile = name_of(look, &look->fixed, first);
  text_format(text, "%s@%d", profile, first);
  for (uint32_t rest = starts & (starts - 1); rest; rest &= rest - 1)
    text_format(text, ",%d", __builtin_ctz(rest));
  text_append(text, count > 1 ? " are " : " is ");
  if (!(look->gpu->used_starts >> first & 1)) {
    text_append(text, why_fixed(look, first));
    if (look->gpu->keep_starts >> first & 1)
      text_format(text, "%d", look->gpu->index);
    return;
  }
  const ExplainHolders *holders = explain_holding_find(look->holding, look->node_index, profile);
  bool is_shared = count > 1 && holders && holders->pod_count && explain_holders_sole(holders) < 0;
  text_append(text, is_shared ? "held each by " : "held by ");
  explain_holders_format(holders, look->cluster, text);
}

static void append_holds(const Look *look, Text *text, uint32_t starts) {
  int listed = 0, more = 0;
  while (starts) {
    uint32_t alike = find_alike(look, starts);
    starts &= ~alike;
    if (listed == LISTED_MAX) {
      more += __builtin_popcount(alike);
      continue;
    }
    text_append(text, listed++ ? "; " : ": ");
    append_hold(look, text, alike);
  }
  if (more)
    text_format(text, "; and %d more", more);
}

/* Everything that is in the way of any place. */
static uint32_t find_in_the_way(const Look *look) {
  uint32_t in_the_way = 0;
  for (uint32_t starts = look->wanted->starts; starts; starts &= starts - 1)
    in_the_way |= mig_layout_obstacles(&look->fixed, look->profile, __builtin_ctz(starts));
  return in_the_way;
}

/* A place of which all slots are free; -1. */
static int find_empty_place(const Look *look) {
  for (uint32_t starts = look->wanted->starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    if (!(mig_placement_mask(look->gpu->model, look->profile, start) & look->fixed.mask))
      return start;
  }
  return -1;
}

/* Slots are there, but the profile's own limit or the media engines are used up: by whom? */
static void describe_rule(const Look *look, Text *text, int start) {
  Error err;
  int r = mig_layout_why_not(&look->fixed, look->profile, start, &err);
  uint32_t using = mig_layout_obstacles(&look->fixed, look->profile, start);
  for (int i = 0; !using && i < look->fixed.count; i++)
    if (look->fixed.instances[i].profile == look->profile)
      using |= UINT32_C(1) << look->fixed.instances[i].start;
  text_append(text, r < 0 ? err.text : "it has a place");
  append_holds(look, text, using);
}

static void describe_lack(const Look *look, Text *text, ExplainGpu *gpu) {
  uint32_t in_the_way = find_in_the_way(look);
  int empty = find_empty_place(look);
  if (empty >= 0) {
    describe_rule(look, text, empty);
    return;
  }
  text_format(text, "%s needs ", look->wanted->name);
  append_places(look, text);
  append_holds(look, text, in_the_way);
  gpu->is_split = gpu->free_slots >= look->wanted->size;
  int slot_gb = explain_room_slot_gb(look->gpu->model);
  if (gpu->is_split)
    text_format(text, "; %d of %d slots (%d GB) are free, but split", gpu->free_slots, gpu->slot_count,
                gpu->free_slots * slot_gb);
}

static bool is_closed(const Look *look) {
  return look->gpu->blocked || !(look->gpu->allowed >> look->profile & 1);
}

/* A free slice serves even where nothing may be made. */
static void describe(const Look *look, Text *text, ExplainGpu *gpu) {
  if (is_closed(look) && find_free_slice(look) < 0) {
    gpu->room = EXPLAIN_ROOM_CLOSED;
    text_append(text, look->gpu->blocked ? look->gpu->blocked : MIG_ANNOTATION_ALLOWED " leaves ");
    text_format(text, look->gpu->blocked ? "%s" : "%s out", look->gpu->blocked ? "" : look->wanted->name);
    return;
  }
  if (describe_room(look, text, &gpu->room))
    return;
  gpu->room = EXPLAIN_ROOM_NONE;
  describe_lack(look, text, gpu);
}

void explain_room_find(const ExplainHolding *holding, const ExplainCluster *cluster, const Snapshot *snapshot,
                       int node, int gpu, const char *profile, Arena *arena, ExplainGpu *ret_gpu) {
  const SnapshotNode *item = &snapshot->nodes.items[node];
  Look look = {
      .holding = holding, .cluster = cluster, .node = item, .node_index = node, .gpu = &item->gpus[gpu]};
  *ret_gpu =
      (ExplainGpu){.gpu = gpu, .room = EXPLAIN_ROOM_CLOSED, .text = string_or_empty(look.gpu->blocked)};
  if (!look.gpu->model)
    return;
  look.profile = mig_model_find_profile(look.gpu->model, profile);
  look.promised = explain_room_promised(item, look.gpu);
  look.fixed = explain_room_fixed(item, look.gpu);
  ret_gpu->slot_count = look.gpu->model->slot_count;
  ret_gpu->free_slots = ret_gpu->slot_count - __builtin_popcount(look.fixed.mask);
  if (look.profile < 0) {
    ret_gpu->room = EXPLAIN_ROOM_NO_PROFILE;
    ret_gpu->text = arena_format(arena, "has no profile %s", profile);
    return;
  }
  look.wanted = &look.gpu->model->profiles[look.profile];
  uint32_t starts = 0;
  int in_the_way = explain_room_nearest(item, look.gpu, look.profile, &starts);
  ret_gpu->in_the_way = in_the_way < 0 ? EXPLAIN_FAR : in_the_way;
  CLEANUP(text_deinit) Text text = {0};
  describe(&look, &text, ret_gpu);
  ret_gpu->text = arena_strdup(arena, text_string(&text));
}
