/* SPDX-License-Identifier: Apache-2.0 */
/* facet.gpu/profiles: what a node's driver says about its GPU models, so that a planner can plan for a model
 * that it has never heard of.
 *
 *     NVIDIA-A30/4 1g.6gb:4x1@0,1,2,3 2g.12gb:2x2@0,2 4g.24gb:1x4@0;NVIDIA-...
 *     |          | |      | | |                                    the next model
 *     model      | |      | | slots where it may start
 *                | |      | slots that it takes
 *                | |      instances at most
 *                | profile
 *                slots of the GPU
 *
 * The text carries what placement needs. The rest - engines, memory, the driver's own order of preference -
 * is taken from the table where it knows the model. */
#include "mig/contract.h"

#include "base/memory.h"
#include "base/text.h"
#include "mig/scan.h"

#include <string.h>

enum { PROFILE_TEXT_SIZE = MIG_PROFILE_NAME_SIZE + 16 + 3 * MIG_SLOTS_MAX };

/* Every report is compared with all this, so it is written without printf(). */
static void append_profile(Text *text, const MigProfile *profile) {
  text_append(text, " ");
  text_append(text, profile->name);
  text_append(text, ":");
  text_append_number(text, profile->instance_count_max);
  text_append(text, "x");
  text_append_number(text, profile->size);
  const char *separator = "@";
  for (uint32_t starts = profile->starts; starts; starts &= starts - 1) {
    text_append(text, separator);
    text_append_number(text, (unsigned)__builtin_ctz(starts));
    separator = ",";
  }
}

static void append_model(Text *text, const MigModel *model) {
  text_format(text, "%s/%d", model->name, model->slot_count);
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].starts)
      append_profile(text, &model->profiles[i]);
}

void mig_profiles_format(const MigModel *const *models, int count, char *ret_text, size_t size) {
  size_t used = 0;
  ret_text[0] = '\0';
  for (int i = 0; i < count; i++) {
    CLEANUP(text_deinit) Text one = {0};
    text_append(&one, used ? ";" : "");
    append_model(&one, models[i]);
    if (!models[i]->slot_count || used + one.size >= size)
      continue;
    memcpy(ret_text + used, text_string(&one), one.size + 1);
    used += one.size;
  }
}

static int refuse_profile(MigPiece piece, Error *err) {
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID,
                   "\"%s\" is not a profile with its placements: one looks like 1g.6gb:4x1@0,1,2,3", excerpt);
}

/* "0,2,4"; false where it is something else or names a slot twice. */
static bool parse_starts(const char *text, uint32_t *ret_starts) {
  uint32_t starts = 0, start;
  do {
    if (!mig_scan_number(&text, MIG_SLOTS_MAX - 1, &start) || starts >> start & 1)
      return false;
    starts |= UINT32_C(1) << start;
  } while (mig_scan_word(&text, ","));
  *ret_starts = starts;
  return !*text;
}

static void set_ascending_order(MigProfile *profile, uint32_t starts) {
  for (int start = 0; start < MIG_SLOTS_MAX; start++)
    if (starts >> start & 1)
      profile->auto_starts[profile->auto_start_count++] = (uint8_t)start;
}

static int parse_profile(const char *text, MigProfile *ret_profile, Error *err) {
  char name[PROFILE_TEXT_SIZE];
  const char *colon = strchr(text, ':');
  if (!colon || !mig_scan_copy((MigPiece){.text = text, .size = (size_t)(colon - text)}, name, sizeof name))
    return refuse_profile(mig_scan_whole(text), err);
  MigProfile profile;
  uint32_t memory_gb, count, size;
  int r = mig_profile_parse_name(name, &profile, &memory_gb, err);
  if (r < 0)
    return r;
  const char *rest = colon + 1;
  if (!mig_scan_number(&rest, MIG_INSTANCES_MAX, &count) || !mig_scan_word(&rest, "x") ||
      !mig_scan_number(&rest, MIG_SLOTS_MAX, &size) || !mig_scan_word(&rest, "@") ||
      !parse_starts(rest, &profile.starts))
    return refuse_profile(mig_scan_whole(text), err);
  profile.instance_count_max = (uint8_t)count;
  profile.size = (uint8_t)size;
  profile.nvml_index = profile.nvml_id = -1;
  set_ascending_order(&profile, profile.starts);
  *ret_profile = profile;
  return 0;
}

/* The driver's order of preference where the table knows it; starts that it does not know come last. */
static void set_known_order(MigProfile *profile, const MigProfile *known) {
  uint32_t rest = profile->starts;
  profile->auto_start_count = 0;
  for (int i = 0; i < known->auto_start_count; i++) {
    uint8_t start = known->auto_starts[i];
    if (!(rest >> start & 1))
      continue;
    profile->auto_starts[profile->auto_start_count++] = start;
    rest &= ~(UINT32_C(1) << start);
  }
  set_ascending_order(profile, rest);
}

/* What the table knows, with the placements that the driver reported. */
static MigProfile merge(const MigProfile *reported, const MigProfile *known) {
  MigProfile merged = *known;
  merged.size = reported->size;
  merged.starts = reported->starts;
  merged.instance_count_max = reported->instance_count_max;
  set_known_order(&merged, known);
  return merged;
}

static void complete_from_table(MigModel *model) {
  const MigModelRow *row = mig_model_find(model->name);
  if (!row)
    return;
  model->memory_mib = row->model.memory_mib;
  model->mode_needs_reset = row->model.mode_needs_reset;
  for (int i = 0; i < model->profile_count; i++) {
    int known = mig_model_find_profile(&row->model, model->profiles[i].name);
    if (known >= 0)
      model->profiles[i] = merge(&model->profiles[i], &row->model.profiles[known]);
  }
}

/* "NVIDIA-A30/4" */
static int parse_head(MigPiece piece, MigModel *model, Error *err) {
  char text[MIG_MODEL_NAME_SIZE + 4], excerpt[MIG_EXCERPT_SIZE];
  uint32_t slots;
  if (mig_scan_copy(piece, text, sizeof text) && strchr(text, '/')) {
    const char *rest = strchr(text, '/');
    MigPiece name = {.text = text, .size = (size_t)(rest - text)};
    bool known = mig_scan_word(&rest, "/") && mig_scan_number(&rest, MIG_SLOTS_MAX, &slots) && slots > 0;
    if (known && !*rest && mig_scan_label(name, model->name, sizeof model->name)) {
      model->slot_count = (uint8_t)slots;
      return 0;
    }
  }
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID,
                   "\"%s\" is not a model with its number of slots: one looks like NVIDIA-A30/4", excerpt);
}

static int add_profile(MigModel *model, MigPiece piece, Error *err) {
  char text[PROFILE_TEXT_SIZE];
  if (!mig_scan_copy(piece, text, sizeof text))
    return refuse_profile(piece, err);
  if (model->profile_count == MIG_PROFILES_MAX)
    return error_set(err, ERROR_LIMIT, "more than %d profiles", MIG_PROFILES_MAX);
  return parse_profile(text, &model->profiles[model->profile_count++], err);
}

static int parse_model(MigPiece piece, MigModel *ret_model, Error *err) {
  CLEANUP(cleanup_free) char *text = mem_strndup(piece.text, piece.size);
  MigModel model = {0};
  const char *rest = text;
  MigPiece part;
  mig_scan_piece(&rest, ' ', &part);
  int r = parse_head(part, &model, err);
  if (r < 0)
    return r;
  while (mig_scan_piece(&rest, ' ', &part)) {
    r = add_profile(&model, part, err);
    if (r < 0)
      return error_prefix(err, "GPU model %s", model.name);
  }
  r = mig_model_check(&model, err);
  if (r < 0)
    return r;
  complete_from_table(&model);
  *ret_model = model;
  return 0;
}

static int add_model(MigPiece piece, MigModel *models, int *count, Error *err) {
  if (*count == MIG_NODE_MODELS_MAX)
    return error_set(err, ERROR_LIMIT, "more than %d GPU models on one node", MIG_NODE_MODELS_MAX);
  MigModel *model = &models[*count];
  int r = parse_model(piece, model, err);
  if (r < 0)
    return r;
  for (int i = 0; i < *count; i++)
    if (strcmp(models[i].name, model->name) == 0)
      return error_set(err, ERROR_INVALID, "GPU model %s is there twice", model->name);
  ++*count;
  return 0;
}

int mig_profiles_parse(const char *text, MigModel *ret_models, int *ret_count, Error *err) {
  if (strlen(text) >= MIG_PROFILES_TEXT_MAX)
    return error_set(err, ERROR_LIMIT, "the profiles of a node take %zu bytes, more than %d", strlen(text),
                     MIG_PROFILES_TEXT_MAX - 1);
  int count = 0;
  const char *rest = mig_scan_begin(text);
  for (MigPiece piece; mig_scan_piece(&rest, ';', &piece);) {
    int r = add_model(piece, ret_models, &count, err);
    if (r < 0)
      return r;
  }
  *ret_count = count;
  return 0;
}
