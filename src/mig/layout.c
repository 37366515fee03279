/* SPDX-License-Identifier: Apache-2.0 */
/* What NVIDIA allows on one GPU comes down to four rules (MIG User Guide, "Supported MIG profiles"):
 *
 *   start    an instance starts only where its profile's placements say
 *   slots    memory slots are not shared
 *   count    a profile has an instance limit of its own
 *   media    the extra engines of +me exist once: different +me profiles exclude each other (A30's 1g+me and
 *            2g+me), and +me.all takes every media engine, so only -me instances fit beside it (nvml.h)
 *
 * No rule ever becomes less strict when an instance is added. Hence every part of a legal layout is legal,
 * any order of creation reaches it, and placing in the order of the start slots enumerates each layout
 * exactly once. */
#include "mig/layout.h"

#include <assert.h>
#include <string.h>

typedef enum Refusal { ALLOWED, REFUSED_START, REFUSED_SLOTS, REFUSED_COUNT, REFUSED_MEDIA } Refusal;

static uint32_t slots_mask(const MigProfile *profile, int start) {
  uint64_t slots = (UINT64_C(1) << profile->size) - 1;
  return (uint32_t)(slots << start);
}

static bool has_start(const MigProfile *profile, int start) {
  return start >= 0 && start < MIG_SLOTS_MAX && profile->starts >> start & 1;
}

uint32_t mig_placement_mask(const MigModel *model, int profile, int start) {
  assert(profile >= 0 && profile < model->profile_count && has_start(&model->profiles[profile], start));
  return slots_mask(&model->profiles[profile], start);
}

void mig_layout_init(MigLayout *layout, const MigModel *model) {
  *layout = (MigLayout){.model = model};
}

bool mig_layout_equal(const MigLayout *a, const MigLayout *b) {
  if (a->count != b->count || a->mask != b->mask)
    return false;
  for (int i = 0; i < a->count; i++)
    if (a->instances[i].profile != b->instances[i].profile || a->instances[i].start != b->instances[i].start)
      return false;
  return true;
}

int mig_layout_count(const MigLayout *layout, int profile) {
  int count = 0;
  for (int i = 0; i < layout->count; i++)
    count += layout->instances[i].profile == profile;
  return count;
}

const MigInstance *mig_layout_find(const MigLayout *layout, int start) {
  for (int i = 0; i < layout->count; i++)
    if (layout->instances[i].start == start)
      return &layout->instances[i];
  return NULL;
}

static const MigProfile *profile_of(const MigLayout *layout, const MigInstance *instance) {
  return &layout->model->profiles[instance->profile];
}

/* How often one profile may exist is its own limit's business; this is about two different needs. */
static bool media_clash(const MigProfile *a, const MigProfile *b) {
  if (a->kind == MIG_ALL_ME)
    return b->kind != MIG_NO_ME;
  if (b->kind == MIG_ALL_ME)
    return a->kind != MIG_NO_ME;
  return a->kind == MIG_ME && b->kind == MIG_ME && a != b;
}

static const MigInstance *find_overlap(const MigLayout *layout, uint32_t mask) {
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    if (slots_mask(profile_of(layout, instance), instance->start) & mask)
      return instance;
  }
  return NULL;
}

static const MigInstance *find_media_clash(const MigLayout *layout, const MigProfile *profile) {
  for (int i = 0; i < layout->count; i++)
    if (media_clash(profile, profile_of(layout, &layout->instances[i])))
      return &layout->instances[i];
  return NULL;
}

static Refusal refusal(const MigLayout *layout, int index, int start) {
  assert(index >= 0 && index < layout->model->profile_count);
  const MigProfile *profile = &layout->model->profiles[index];
  if (!has_start(profile, start))
    return REFUSED_START;
  if (slots_mask(profile, start) & layout->mask)
    return REFUSED_SLOTS;
  if (mig_layout_count(layout, index) >= profile->instance_count_max)
    return REFUSED_COUNT;
  if (find_media_clash(layout, profile))
    return REFUSED_MEDIA;
  return ALLOWED;
}

bool mig_layout_can_place(const MigLayout *layout, int profile, int start) {
  return refusal(layout, profile, start) == ALLOWED;
}

int mig_layout_why_not(const MigLayout *layout, int profile, int start, Error *err) {
  const MigModel *model = layout->model;
  const MigProfile *wanted = &model->profiles[profile];
  const MigInstance *other = NULL;
  switch (refusal(layout, profile, start)) {
  case ALLOWED:
    return 0;
  case REFUSED_START:
    return error_set(err, ERROR_INVALID, "%s cannot start at slot %d of %s", wanted->name, start,
                     model->name);
  case REFUSED_SLOTS:
    other = find_overlap(layout, slots_mask(wanted, start));
    return error_set(err, ERROR_INVALID, "%s@%d overlaps %s@%d", wanted->name, start,
                     profile_of(layout, other)->name, other->start);
  case REFUSED_COUNT:
    return error_set(err, ERROR_INVALID, "%s can have only %d of %s", model->name, wanted->instance_count_max,
                     wanted->name);
  case REFUSED_MEDIA:
    break;
  }
  other = find_media_clash(layout, wanted);
  return error_set(err, ERROR_INVALID, "%s@%d and %s@%d need the same media engines", wanted->name, start,
                   profile_of(layout, other)->name, other->start);
}

uint32_t mig_layout_obstacles(const MigLayout *layout, int profile, int start) {
  const MigProfile *wanted = &layout->model->profiles[profile];
  uint32_t mask = mig_placement_mask(layout->model, profile, start), obstacles = 0;
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    const MigProfile *existing = profile_of(layout, instance);
    if (slots_mask(existing, instance->start) & mask || media_clash(wanted, existing))
      obstacles |= UINT32_C(1) << instance->start;
  }
  return obstacles;
}

uint32_t mig_layout_free_starts(const MigLayout *layout, int profile) {
  uint32_t free_starts = 0;
  for (int start = 0; start < layout->model->slot_count; start++)
    if (mig_layout_can_place(layout, profile, start))
      free_starts |= UINT32_C(1) << start;
  return free_starts;
}

/* Keeps the instances in the order of their starts. */
static void insert(MigLayout *layout, int profile, int start) {
  int place = layout->count;
  while (place > 0 && layout->instances[place - 1].start > start)
    place--;
  memmove(&layout->instances[place + 1], &layout->instances[place],
          (size_t)(layout->count - place) * sizeof layout->instances[0]);
  layout->instances[place] = (MigInstance){.profile = (uint8_t)profile, .start = (uint8_t)start};
  layout->mask |= slots_mask(&layout->model->profiles[profile], start);
  layout->count++;
}

static void assert_sound(const MigLayout *layout) {
  Error err;
  int r = mig_layout_check(layout, &err);
  assert(r == 0);
}

void mig_layout_place(MigLayout *layout, int profile, int start) {
  assert(mig_layout_can_place(layout, profile, start));
  insert(layout, profile, start);
  assert_sound(layout);
}

void mig_layout_remove(MigLayout *layout, int start) {
  const MigInstance *instance = mig_layout_find(layout, start);
  assert(instance);
  size_t place = (size_t)(instance - layout->instances);
  layout->mask &= ~slots_mask(profile_of(layout, instance), start);
  memmove(&layout->instances[place], &layout->instances[place + 1],
          (layout->count - place - 1) * sizeof layout->instances[0]);
  layout->count--;
  assert_sound(layout);
}

int mig_layout_auto_start(const MigLayout *layout, int profile) {
  const MigProfile *wanted = &layout->model->profiles[profile];
  for (int i = 0; i < wanted->auto_start_count; i++)
    if (mig_layout_can_place(layout, profile, wanted->auto_starts[i]))
      return wanted->auto_starts[i];
  return -1;
}

/* Builds the layout again, instance by instance, under the rules: what cannot be built is not sound. */
int mig_layout_check(const MigLayout *layout, Error *err) {
  MigLayout again;
  mig_layout_init(&again, layout->model);
  if (layout->count > MIG_INSTANCES_MAX)
    return error_set(err, ERROR_INVALID, "a layout has %d instances, more than %d", layout->count,
                     MIG_INSTANCES_MAX);
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    if (instance->profile >= layout->model->profile_count)
      return error_set(err, ERROR_INVALID, "%s has no profile %d", layout->model->name, instance->profile);
    int last_start = i > 0 ? layout->instances[i - 1].start : -1;
    if (instance->start <= last_start)
      return error_set(err, ERROR_INVALID, "the instances at slots %d and %d are not in order", last_start,
                       instance->start);
    int r = mig_layout_why_not(&again, instance->profile, instance->start, err);
    if (r < 0)
      return r;
    insert(&again, instance->profile, instance->start);
  }
  if (layout->mask != again.mask)
    return error_set(err, ERROR_INVALID, "the mask is 0x%x where the instances occupy 0x%x", layout->mask,
                     again.mask);
  return 0;
}

typedef struct Enumeration {
  MigLayout layout;
  void (*visit)(const MigLayout *layout, void *userdata);
  void *userdata;
} Enumeration;

/* Visits what is there, then everything with one more instance behind it. */
static void enumerate_from(Enumeration *enumeration, int first_start) {
  MigLayout *layout = &enumeration->layout;
  enumeration->visit(layout, enumeration->userdata);
  for (int start = first_start; start < layout->model->slot_count; start++)
    for (int profile = 0; profile < layout->model->profile_count; profile++) {
      if (!mig_layout_can_place(layout, profile, start))
        continue;
      mig_layout_place(layout, profile, start);
      enumerate_from(enumeration, start + layout->model->profiles[profile].size);
      mig_layout_remove(layout, start);
    }
}

void mig_layout_enumerate(const MigModel *model, void (*visit)(const MigLayout *layout, void *userdata),
                          void *userdata) {
  Enumeration enumeration = {.visit = visit, .userdata = userdata};
  mig_layout_init(&enumeration.layout, model);
  enumerate_from(&enumeration, 0);
}

bool mig_layout_is_maximal(const MigLayout *layout) {
  for (int profile = 0; profile < layout->model->profile_count; profile++)
    if (mig_layout_free_starts(layout, profile))
      return false;
  return true;
}
