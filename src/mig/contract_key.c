/* SPDX-License-Identifier: Apache-2.0 */
/* Annotation keys with a GPU index in them, and the counts that nos' keys carry.
 *
 * Counts do not say where the slices are. The driver places them itself when it is not told where, and nos
 * never tells it, so its own order of preference is the best guess: large profiles first, as each small one
 * could otherwise stand in the way of a large one. */
#include "mig/contract.h"

#include "base/text.h"
#include "mig/scan.h"

#include <assert.h>
#include <string.h>

static const char *const use_suffixes[] = {
    [MIG_USE_NONE] = "", [MIG_USE_FREE] = "-free", [MIG_USE_USED] = "-used"};

int mig_key_parse_index(const char *key, const char *prefix) {
  uint32_t index;
  if (!mig_scan_word(&key, prefix) || !mig_scan_number(&key, MIG_GPU_INDEX_MAX, &index) || *key)
    return -1;
  return (int)index;
}

/* Takes "-free" or "-used" off the end. */
static MigUse cut_use(char *text) {
  for (MigUse use = MIG_USE_FREE; use <= MIG_USE_USED; use++)
    if (string_has_suffix(text, use_suffixes[use])) {
      text[strlen(text) - strlen(use_suffixes[use])] = '\0';
      return use;
    }
  return MIG_USE_NONE;
}

bool mig_key_parse_count(const char *key, const char *prefix, int *ret_index, char *ret_profile,
                         MigUse *ret_use) {
  uint32_t index;
  char profile_key[MIG_KEY_SIZE];
  if (!mig_scan_word(&key, prefix) || !mig_scan_number(&key, MIG_GPU_INDEX_MAX, &index) ||
      !mig_scan_word(&key, "-") || !mig_scan_copy(mig_scan_whole(key), profile_key, sizeof profile_key))
    return false;
  MigUse use = cut_use(profile_key);
  Error err;
  if (mig_profile_parse_key(profile_key, ret_profile, &err) < 0)
    return false;
  *ret_index = (int)index;
  *ret_use = use;
  return true;
}

void mig_key_format_count(const char *prefix, int index, const char *profile, MigUse use, char *ret_key,
                          size_t size) {
  assert(index >= 0 && index <= MIG_GPU_INDEX_MAX);
  char profile_key[MIG_PROFILE_NAME_SIZE];
  mig_profile_format_key(profile, profile_key);
  int used = snprintf(ret_key, size, "%s%d-%s%s", prefix, index, profile_key, use_suffixes[use]);
  assert(used > 0 && (size_t)used < size);
}

static bool is_larger(const MigProfile *a, const MigProfile *b) {
  return a->size != b->size ? a->size > b->size : a->slice_count > b->slice_count;
}

/* The largest profile that is not in `done`. */
static int next_largest(const MigModel *model, uint32_t done) {
  int largest = -1;
  for (int i = 0; i < model->profile_count; i++)
    if (!(done >> i & 1) && (largest < 0 || is_larger(&model->profiles[i], &model->profiles[largest])))
      largest = i;
  return largest;
}

static int place_count(MigLayout *layout, int profile, int count, Error *err) {
  const char *name = layout->model->profiles[profile].name;
  if (count < 0)
    return error_set(err, ERROR_INVALID, "%d is not a count of %s", count, name);
  for (int i = 0; i < count; i++) {
    int start = mig_layout_auto_start(layout, profile);
    if (start < 0)
      return error_set(err, ERROR_INVALID, "%s has room for %d of %s where %d are counted",
                       layout->model->name, i, name, count);
    mig_layout_place(layout, profile, start);
  }
  return 0;
}

int mig_counts_bind(const MigModel *model, const int counts[MIG_PROFILES_MAX], MigLayout *ret_layout,
                    Error *err) {
  MigLayout layout;
  mig_layout_init(&layout, model);
  uint32_t done = 0;
  for (int i = 0; i < model->profile_count; i++) {
    int profile = next_largest(model, done);
    int r = place_count(&layout, profile, counts[profile], err);
    if (r < 0)
      return r;
    done |= UINT32_C(1) << profile;
  }
  *ret_layout = layout;
  return 0;
}
