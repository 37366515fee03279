/* SPDX-License-Identifier: Apache-2.0 */
/* Slices with a slot are placed first; the others are tried start by start, those of one profile in one
 * order only, so that equal layouts are met once. A GPU has at most a dozen slices, which keeps this small.
 */
#include "cli/mig_wish.h"

#include "gpu/observed.h"
#include "mig/scan.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

enum { ENTRY_MAX = 1024, WORD_SIZE = 128 };

#define BLANKS " \t\r\v\f" /* but for the line's end */

/* ---- text ---- */

/* Digits up to GPU_COUNT_MAX and beyond; moves behind them. */
static bool take_number(const char **text, int *ret_number) {
  int number = 0;
  if (!isdigit((unsigned char)**text))
    return false;
  for (; isdigit((unsigned char)**text) && number < 100000; (*text)++)
    number = number * 10 + (**text - '0');
  *ret_number = number;
  return true;
}

/* "3", "0-3": the indexes that are meant. */
static bool parse_range(const char *word, int *ret_first, int *ret_last) {
  if (!take_number(&word, ret_first))
    return false;
  *ret_last = *ret_first;
  if (*word == '-') {
    word++;
    if (!take_number(&word, ret_last))
      return false;
  }
  return *word == '\0' && *ret_last >= *ret_first;
}

static int add_slice(MigWishGpu *wish, const char *profile, int start, Error *err) {
  if (wish->count == MIG_INSTANCES_MAX)
    return error_set(err, ERROR_LIMIT, "more than %d slices on one GPU", MIG_INSTANCES_MAX);
  MigWishSlice *slice = &wish->slices[wish->count++];
  snprintf(slice->profile, sizeof slice->profile, "%s", profile);
  slice->start = start;
  return 0;
}

/* "3g.40gb@4", "2g.20gb", "7x1g.10gb" */
static int parse_slice(const char *word, MigWishGpu *wish, Error *err) {
  MigProfile named;
  uint32_t memory_gb;
  int count = 1, start = -1;
  char name[WORD_SIZE];
  const char *rest = word;
  int number;
  if (take_number(&rest, &number) && *rest == 'x') {
    count = number;
    word = rest + 1;
  }
  const char *at = strchr(word, '@');
  snprintf(name, sizeof name, "%.*s", at ? (int)(at - word) : WORD_SIZE - 1, word);
  const char *slot = at ? at + 1 : "0";
  if (!take_number(&slot, &number) || *slot || number >= MIG_SLOTS_MAX || count < 1 || (at && count > 1)) {
    char excerpt[MIG_EXCERPT_SIZE];
    mig_scan_excerpt(mig_scan_whole(word), excerpt);
    return error_set(err, ERROR_INVALID,
                     "\"%s\" is not a slice: one looks like 3g.40gb@4, 2g.20gb or 7x1g.10gb", excerpt);
  }
  start = at ? number : -1;
  int r = mig_profile_parse_name(name, &named, &memory_gb, err);
  for (int i = 0; i < count && r == 0; i++)
    r = add_slice(wish, named.name, start, err);
  return r;
}

static int parse_slices(const char *text, MigWishGpu *ret_wish, Error *err) {
  const char *rest = mig_scan_begin(text);
  *ret_wish = (MigWishGpu){.named = true};
  for (MigPiece piece; mig_scan_piece(&rest, ',', &piece);) {
    char word[WORD_SIZE];
    if (!mig_scan_copy(piece, word, sizeof word)) {
      char excerpt[MIG_EXCERPT_SIZE];
      mig_scan_excerpt(piece, excerpt);
      return error_set(err, ERROR_INVALID, "\"%s\" is too long for a slice", excerpt);
    }
    int r = parse_slice(word, ret_wish, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static int name_gpu(MigWish *wish, const GpuObservation *observation, int place, const MigWishGpu *slices,
                    Error *err) {
  if (wish->gpus[place].named)
    return error_set(err, ERROR_INVALID, "GPU %d is named twice", observation->gpus[place].index);
  wish->gpus[place] = *slices;
  return 0;
}

static int name_gpus(MigWish *wish, const GpuObservation *observation, const char *word,
                     const MigWishGpu *slices, Error *err) {
  int first = 0, last = -1, found = 0;
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(mig_scan_whole(word), excerpt);
  bool all = strcmp(word, "all") == 0, range = parse_range(word, &first, &last);
  if (!all && !range && strncmp(word, "GPU-", 4) != 0)
    return error_set(err, ERROR_INVALID, "\"%s\" is not a GPU: an index, a range such as 0-3, a UUID, or all",
                     excerpt);
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    if (!(all     ? gpu->mode == MIG_MODE_ON
          : range ? gpu->index >= first && gpu->index <= last
                  : strcmp(gpu->uuid, word) == 0))
      continue;
    int r = name_gpu(wish, observation, i, slices, err);
    if (r < 0)
      return r;
    found++;
  }
  if (!all && found < (range ? last - first + 1 : 1))
    return error_set(err, ERROR_NOT_FOUND, "there is no GPU %s here; `facet mig list` shows those that are",
                     excerpt);
  return 0;
}

static int parse_entry(char *entry, const GpuObservation *observation, MigWish *wish, Error *err) {
  MigWishGpu slices;
  char *colon = strchr(entry, ':');
  if (!colon)
    return error_set(err, ERROR_INVALID,
                     "no ':' between the GPU and its slices, as in 0: 3g.40gb@4,2g.20gb@0");
  int r = parse_slices(colon + 1, &slices, err);
  *colon = '\0';
  const char *rest = entry;
  for (MigPiece piece; r == 0 && mig_scan_piece(&rest, ',', &piece);) {
    char word[WORD_SIZE];
    r = mig_scan_copy(piece, word, sizeof word) ? name_gpus(wish, observation, word, &slices, err)
                                                : error_set(err, ERROR_INVALID, "a GPU's name is too long");
  }
  return r;
}

/* Moves behind the entry and its end; a comment, which reaches to the line's end, is an empty one. Whatever
 * blanks the entry has are spaces then. */
static int next_entry(const char **text, char ret_entry[ENTRY_MAX], Error *err) {
  bool is_comment = **text == '#';
  *text += is_comment ? 0 : strspn(*text, BLANKS);
  size_t size = strcspn(*text, is_comment ? "\n" : ";\n#");
  size_t kept = is_comment ? 0 : size;
  while (kept && strchr(BLANKS, (*text)[kept - 1]))
    kept--;
  if (kept >= ENTRY_MAX)
    return error_set(err, ERROR_LIMIT, "an entry is longer than %d characters", ENTRY_MAX);
  for (size_t i = 0; i < kept; i++)
    ret_entry[i] = strchr(BLANKS, (*text)[i]) ? ' ' : (*text)[i];
  ret_entry[kept] = '\0';
  *text += size;
  *text += **text == ';' || **text == '\n';
  return 0;
}

int cli_mig_wish_parse(const char *text, const GpuObservation *observation, MigWish *ret_wish, Error *err) {
  char entry[ENTRY_MAX], shown[MIG_EXCERPT_SIZE];
  *ret_wish = (MigWish){0};
  while (*text) {
    int r = next_entry(&text, entry, err);
    if (r < 0)
      return r;
    mig_scan_excerpt(mig_scan_whole(entry), shown);
    if (*entry && parse_entry(entry, observation, ret_wish, err) < 0)
      return error_prefix(err, "\"%s\"", shown);
  }
  return 0;
}

/* ---- layout ---- */

typedef struct Fitting {
  const MigLayout *now;
  uint32_t fixed_starts;
  int profiles[MIG_INSTANCES_MAX]; /* those that may go anywhere, equal ones together, large ones first */
  int count;
  MigLayout best;
  int best_kept; /* -1: none found */
} Fitting;

static bool is_kept(const MigInstance *was, const MigLayout *layout) {
  const MigInstance *is = mig_layout_find(layout, was->start);
  return is && is->profile == was->profile;
}

/* Instances of today that the layout has as well; -1 where a fixed one is missing. */
static int count_kept(const Fitting *fitting, const MigLayout *layout) {
  int kept = 0;
  for (int i = 0; i < fitting->now->count; i++) {
    const MigInstance *was = &fitting->now->instances[i];
    if (is_kept(was, layout))
      kept++;
    else if (fitting->fixed_starts >> was->start & 1)
      return -1;
  }
  return kept;
}

/* From the given one of the profile's starts on, in the driver's own order. */
static void fit_rest(Fitting *fitting, MigLayout *layout, int at, int from) {
  if (at == fitting->count) {
    int kept = count_kept(fitting, layout);
    if (kept > fitting->best_kept) {
      fitting->best_kept = kept;
      fitting->best = *layout;
    }
    return;
  }
  int index = fitting->profiles[at];
  const MigProfile *profile = &layout->model->profiles[index];
  bool equal = at + 1 < fitting->count && fitting->profiles[at + 1] == index;
  for (int k = from; k < profile->auto_start_count && fitting->best_kept < fitting->now->count; k++) {
    int start = profile->auto_starts[k];
    if (!mig_layout_can_place(layout, index, start))
      continue;
    mig_layout_place(layout, index, start);
    fit_rest(fitting, layout, at + 1, equal ? k + 1 : 0);
    mig_layout_remove(layout, start);
  }
}

static void add_anywhere(Fitting *fitting, const MigModel *model, int profile) {
  int at = fitting->count++;
  for (; at > 0; at--) {
    int before = fitting->profiles[at - 1];
    if (model->profiles[before].size > model->profiles[profile].size ||
        (model->profiles[before].size == model->profiles[profile].size && before >= profile))
      break;
    fitting->profiles[at] = before;
  }
  fitting->profiles[at] = profile;
}

static int place_wish(const MigWishGpu *wish, const GpuObserved *gpu, Fitting *fitting, MigLayout *layout,
                      Error *err) {
  for (int i = 0; i < wish->count; i++) {
    const MigWishSlice *slice = &wish->slices[i];
    int profile = mig_model_find_profile(&gpu->model, slice->profile);
    if (profile < 0)
      return error_set(err, ERROR_INVALID,
                       "GPU %d (%s) has no profile %s; `facet mig profiles` lists those that it has",
                       gpu->index, gpu->product, slice->profile);
    if (slice->start < 0) {
      add_anywhere(fitting, &gpu->model, profile);
      continue;
    }
    int r = mig_layout_why_not(layout, profile, slice->start, err);
    if (r < 0)
      return error_prefix(err, "GPU %d, %s@%d", gpu->index, slice->profile, slice->start);
    mig_layout_place(layout, profile, slice->start);
  }
  return 0;
}

/* A used slice that the wish leaves out, or has no room for. */
static int refuse_fixed(const GpuObserved *gpu, const Fitting *fitting, const MigLayout *layout, Error *err) {
  for (int i = 0; i < fitting->now->count; i++) {
    const MigInstance *instance = &fitting->now->instances[i];
    if ((fitting->fixed_starts >> instance->start & 1) && !is_kept(instance, layout))
      return error_set(err, ERROR_CONFLICT,
                       "GPU %d: %s@%d is in use and stays, and the wished slices leave no place for it",
                       gpu->index, gpu->model.profiles[instance->profile].name, instance->start);
  }
  return error_set(err, ERROR_CONFLICT, "GPU %d: slices in use are in the way of the wished ones",
                   gpu->index);
}

int cli_mig_wish_bind(const MigWishGpu *wish, const GpuObserved *gpu, uint32_t fixed_starts,
                      MigLayout *ret_layout, Error *err) {
  MigLayout now, layout;
  gpu_observed_layout(gpu, &now);
  mig_layout_init(&layout, &gpu->model);
  Fitting fitting = {.now = &now, .fixed_starts = fixed_starts, .best_kept = -1};
  int r = place_wish(wish, gpu, &fitting, &layout, err);
  if (r < 0)
    return r;
  MigLayout placed = layout;
  fit_rest(&fitting, &layout, 0, 0);
  if (fitting.best_kept >= 0) {
    *ret_layout = fitting.best;
    return 0;
  }
  Fitting free_of_use = fitting;
  free_of_use.fixed_starts = 0;
  fit_rest(&free_of_use, &placed, 0, 0);
  if (free_of_use.best_kept >= 0)
    return refuse_fixed(gpu, &fitting, &free_of_use.best, err);
  return error_set(err, ERROR_INVALID, "GPU %d (%s): the wished slices do not fit together", gpu->index,
                   gpu->product);
}
