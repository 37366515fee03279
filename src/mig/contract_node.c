/* SPDX-License-Identifier: Apache-2.0 */
/* Short values about a node's GPUs: which GPU stands at an index, and what people allow or exclude. */
#include "mig/contract.h"

#include "mig/scan.h"

#include <assert.h>
#include <string.h>

static const char *const mode_words[] = {
    [MIG_MODE_OFF] = "mig=off", [MIG_MODE_ON] = "mig=on", [MIG_MODE_PENDING] = "mig=pending"};

static int parse_model(MigPiece piece, char ret_model[MIG_MODEL_NAME_SIZE], Error *err) {
  if (mig_scan_label(piece, ret_model, MIG_MODEL_NAME_SIZE))
    return 0;
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID, "\"%s\" is not a GPU model: one looks like NVIDIA-A100-SXM4-80GB",
                   excerpt);
}

static int parse_mode(MigPiece piece, MigMode *ret_mode, Error *err) {
  for (MigMode mode = MIG_MODE_OFF; mode <= MIG_MODE_PENDING; mode++)
    if (strlen(mode_words[mode]) == piece.size && memcmp(mode_words[mode], piece.text, piece.size) == 0) {
      *ret_mode = mode;
      return 0;
    }
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID, "\"%s\" is not one of %s, %s, %s", excerpt, mode_words[MIG_MODE_OFF],
                   mode_words[MIG_MODE_ON], mode_words[MIG_MODE_PENDING]);
}

int mig_identity_parse(const char *text, MigIdentity *ret_identity, Error *err) {
  MigIdentity identity;
  MigPiece uuid, model, mode;
  const char *rest = text;
  bool has_parts = mig_scan_piece(&rest, ' ', &uuid) && mig_scan_piece(&rest, ' ', &model);
  if (!has_parts || !rest) {
    char excerpt[MIG_EXCERPT_SIZE];
    mig_scan_excerpt(mig_scan_whole(text), excerpt);
    return error_set(err, ERROR_INVALID,
                     "\"%s\" does not identify a GPU: expected its UUID, its model and its MIG mode",
                     excerpt);
  }
  mode = mig_scan_whole(rest);
  int r = mig_scan_uuid(uuid, identity.uuid, sizeof identity.uuid, err);
  if (r < 0)
    return r;
  r = parse_model(model, identity.model, err);
  if (r < 0)
    return r;
  r = parse_mode(mode, &identity.mode, err);
  if (r < 0)
    return r;
  *ret_identity = identity;
  return 0;
}

void mig_identity_format(const MigIdentity *identity, char *ret_text, size_t size) {
  int used =
      snprintf(ret_text, size, "%s %s %s", identity->uuid, identity->model, mode_words[identity->mode]);
  assert(used > 0 && (size_t)used < size);
}

static bool dash_is_before(int byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void mig_uuid_unpack(const uint8_t bytes[16], char ret_uuid[MIG_UUID_SIZE]) {
  static const char digits[] = "0123456789abcdef";
  char *at = stpcpy(ret_uuid, "GPU-");
  for (int i = 0; i < 16; i++) {
    if (dash_is_before(i))
      *at++ = '-';
    *at++ = digits[bytes[i] >> 4];
    *at++ = digits[bytes[i] & 15];
  }
  *at = '\0';
}

static int digit_of(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

/* Read as if all were well, and then held against what would be written. */
bool mig_uuid_pack(const char *uuid, uint8_t ret_bytes[16]) {
  uint8_t bytes[16];
  char again[MIG_UUID_SIZE];
  const char *at = uuid + strlen("GPU-");
  mig_uuid_unpack((const uint8_t[16]){0}, again);
  if (strlen(uuid) != strlen(again))
    return false;
  for (int i = 0; i < 16; i++, at += 2) {
    at += dash_is_before(i);
    bytes[i] = (uint8_t)(digit_of(at[0]) << 4 | digit_of(at[1]));
  }
  mig_uuid_unpack(bytes, again);
  if (strcmp(again, uuid) != 0)
    return false;
  memcpy(ret_bytes, bytes, sizeof bytes);
  return true;
}

int mig_exclude_parse(const char *text, uint64_t *ret_indexes, Error *err) {
  uint64_t indexes = 0;
  const char *rest = mig_scan_begin(text);
  for (MigPiece piece; mig_scan_piece(&rest, ',', &piece);) {
    const char *p = piece.text;
    uint32_t index;
    if (!mig_scan_number(&p, MIG_GPU_INDEX_MAX, &index) || p != piece.text + piece.size) {
      char excerpt[MIG_EXCERPT_SIZE];
      mig_scan_excerpt(piece, excerpt);
      return error_set(err, ERROR_INVALID, "\"%s\" is not a GPU index from 0 to %d", excerpt,
                       MIG_GPU_INDEX_MAX);
    }
    indexes |= UINT64_C(1) << index;
  }
  *ret_indexes = indexes;
  return 0;
}

static bool has_name(char names[][MIG_PROFILE_NAME_SIZE], int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (strcmp(names[i], name) == 0)
      return true;
  return false;
}

static int parse_profile(MigPiece piece, MigProfile *ret_profile, Error *err) {
  /* Anything longer than this is no profile, whatever is cut off. */
  char name[MIG_EXCERPT_SIZE + 1];
  MigPiece start = {.text = piece.text, .size = piece.size < sizeof name ? piece.size : sizeof name - 1};
  bool copied = mig_scan_copy(start, name, sizeof name);
  assert(copied);
  uint32_t memory_gb;
  return mig_profile_parse_name(name, ret_profile, &memory_gb, err);
}

int mig_allowed_parse(const char *text, char ret_names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE],
                      int *ret_count, Error *err) {
  int count = 0;
  const char *rest = mig_scan_begin(text);
  for (MigPiece piece; mig_scan_piece(&rest, ',', &piece);) {
    MigProfile profile;
    int r = parse_profile(piece, &profile, err);
    if (r < 0)
      return r;
    if (has_name(ret_names, count, profile.name))
      continue;
    if (count == MIG_PROFILES_MAX)
      return error_set(err, ERROR_LIMIT, "more than %d profiles", MIG_PROFILES_MAX);
    memcpy(ret_names[count++], profile.name, MIG_PROFILE_NAME_SIZE);
  }
  *ret_count = count;
  return 0;
}

bool mig_label_explain(const char *value, char ret_text[MIG_LABEL_TEXT_SIZE]) {
  char excerpt[MIG_EXCERPT_SIZE];
  if (!value || strcmp(value, "mig") == 0)
    return false;
  mig_scan_excerpt(mig_scan_whole(value), excerpt);
  if (strcmp(value, "mps") == 0)
    snprintf(ret_text, MIG_LABEL_TEXT_SIZE,
             "the label " MIG_LABEL_PARTITIONING
             " says mps, which facet does not serve yet: nothing happens on this node "
             "until it says mig, which ends MPS sharing there");
  else
    snprintf(ret_text, MIG_LABEL_TEXT_SIZE,
             "the label " MIG_LABEL_PARTITIONING
             " says \"%s\", which is neither mig nor mps: nothing happens on this "
             "node until it says mig",
             excerpt);
  return true;
}
