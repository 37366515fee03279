/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of slices, "1g.10gb@6:used,2g.20gb@0:free", and the two annotations made of them.
 *
 * Text and model meet in two steps, because they fail for different reasons: parsing tells whether the text
 * is a list of slices at all; binding, whether this GPU can look like that. */
#include "mig/contract.h"

#include "mig/scan.h"

#include <assert.h>
#include <string.h>

enum { ITEM_TEXT_SIZE = MIG_PROFILE_NAME_SIZE + 16 };

static const char *const use_suffixes[] = {
    [MIG_USE_NONE] = "", [MIG_USE_FREE] = ":free", [MIG_USE_USED] = ":used"};

static int refuse_item(MigPiece piece, bool with_use, Error *err) {
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID, "\"%s\" is not a slice: one looks like %s", excerpt,
                   with_use ? "1g.10gb@6:used or 1g.10gb@6:free" : "1g.10gb@6");
}

static bool parse_use(const char *text, bool with_use, MigUse *ret_use) {
  for (MigUse use = MIG_USE_NONE; use <= MIG_USE_USED; use++)
    if (strcmp(text, use_suffixes[use]) == 0 && with_use == (use != MIG_USE_NONE)) {
      *ret_use = use;
      return true;
    }
  return false;
}

static int parse_item(MigPiece piece, bool with_use, MigListItem *ret_item, Error *err) {
  char text[ITEM_TEXT_SIZE];
  if (!mig_scan_copy(piece, text, sizeof text) || !strchr(text, '@'))
    return refuse_item(piece, with_use, err);
  char *at = strchr(text, '@');
  *at = '\0';
  MigProfile named;
  uint32_t memory_gb, start;
  int r = mig_profile_parse_name(text, &named, &memory_gb, err);
  if (r < 0)
    return r;
  const char *rest = at + 1;
  MigUse use;
  if (!mig_scan_number(&rest, MIG_SLOTS_MAX - 1, &start) || !parse_use(rest, with_use, &use))
    return refuse_item(piece, with_use, err);
  *ret_item = (MigListItem){.start = (int)start, .use = use};
  memcpy(ret_item->profile, named.name, sizeof named.name);
  return 0;
}

static int add_item(MigList *list, const MigListItem *item, Error *err) {
  if (list->count == MIG_INSTANCES_MAX)
    return error_set(err, ERROR_LIMIT, "more than %d slices on one GPU", MIG_INSTANCES_MAX);
  for (int i = 0; i < list->count; i++)
    if (list->items[i].start == item->start)
      return error_set(err, ERROR_INVALID, "two slices start at slot %d: %s and %s", item->start,
                       list->items[i].profile, item->profile);
  list->items[list->count++] = *item;
  return 0;
}

int mig_list_parse(const char *text, bool with_use, MigList *ret_list, Error *err) {
  MigList list = {0};
  const char *rest = mig_scan_begin(text);
  for (MigPiece piece; mig_scan_piece(&rest, ',', &piece);) {
    MigListItem item;
    int r = parse_item(piece, with_use, &item, err);
    if (r < 0)
      return r;
    r = add_item(&list, &item, err);
    if (r < 0)
      return r;
  }
  *ret_list = list;
  return 0;
}

bool mig_list_has(const MigList *list, const char *profile, int start) {
  for (int i = 0; i < list->count; i++)
    if (list->items[i].start == start && strcmp(list->items[i].profile, profile) == 0)
      return true;
  return false;
}

void mig_list_from_layout(const MigLayout *layout, MigList *ret_list) {
  *ret_list = (MigList){.count = layout->count};
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    MigListItem *item = &ret_list->items[i];
    memcpy(item->profile, layout->model->profiles[instance->profile].name, sizeof item->profile);
    item->start = instance->start;
  }
}

int mig_list_bind(const MigList *list, const MigModel *model, MigLayout *ret_layout, Error *err) {
  MigLayout layout;
  mig_layout_init(&layout, model);
  for (int i = 0; i < list->count; i++) {
    const MigListItem *item = &list->items[i];
    int profile = mig_model_find_profile(model, item->profile);
    if (profile < 0)
      return error_set(err, ERROR_INVALID, "%s has no profile %s", model->name, item->profile);
    int r = mig_layout_why_not(&layout, profile, item->start, err);
    if (r < 0)
      return r;
    mig_layout_place(&layout, profile, item->start);
  }
  *ret_layout = layout;
  return 0;
}

static void write_list(const MigList *list, char *ret_text, size_t size) {
  size_t used = 0;
  ret_text[0] = '\0';
  for (int i = 0; i < list->count; i++) {
    const MigListItem *item = &list->items[i];
    used += (size_t)snprintf(ret_text + used, size - used, "%s%s@%d%s", i ? "," : "", item->profile,
                             item->start, use_suffixes[item->use]);
    assert(used < size);
  }
}

int mig_spec_parse(const char *text, MigSpec *ret_spec, Error *err) {
  MigSpec spec;
  const char *rest = text;
  MigPiece uuid;
  mig_scan_piece(&rest, ' ', &uuid);
  int r = mig_scan_uuid(uuid, spec.uuid, sizeof spec.uuid, err);
  if (r < 0)
    return r;
  r = mig_list_parse(rest ? rest : "", false, &spec.list, err);
  if (r < 0)
    return r;
  *ret_spec = spec;
  return 0;
}

void mig_spec_format(const char *uuid, const MigList *list, char *ret_text, size_t size) {
  MigList wanted = *list;
  for (int i = 0; i < wanted.count; i++)
    wanted.items[i].use = MIG_USE_NONE;
  int used = snprintf(ret_text, size, "%s%s", uuid, wanted.count ? " " : "");
  assert(used > 0 && (size_t)used < size);
  write_list(&wanted, ret_text + used, size - (size_t)used);
}

void mig_status_format(const MigLayout *layout, uint32_t used_starts, char *ret_text, size_t size) {
  MigList list;
  mig_list_from_layout(layout, &list);
  for (int i = 0; i < list.count; i++)
    list.items[i].use = used_starts >> list.items[i].start & 1 ? MIG_USE_USED : MIG_USE_FREE;
  write_list(&list, ret_text, size);
}

int mig_status_parse(const char *text, const MigModel *model, MigLayout *ret_layout,
                     uint32_t *ret_used_starts, Error *err) {
  MigList list;
  int r = mig_list_parse(text, true, &list, err);
  if (r < 0)
    return r;
  r = mig_list_bind(&list, model, ret_layout, err);
  if (r < 0)
    return r;
  *ret_used_starts = 0;
  for (int i = 0; i < list.count; i++)
    if (list.items[i].use == MIG_USE_USED)
      *ret_used_starts |= UINT32_C(1) << list.items[i].start;
  return 0;
}
