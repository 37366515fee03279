/* SPDX-License-Identifier: Apache-2.0 */
/* Finding models and reading names.
 *
 * One GPU goes by several spellings. They differ only in what a Kubernetes label can hold and in what GPU
 * feature discovery appends, so both sides of a comparison are brought to the label form first:
 *
 *     NVML                 "NVIDIA A100-SXM4-80GB"
 *     label                "NVIDIA-A100-SXM4-80GB"
 *     label, sliced GPU    "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb"
 *     label, shared GPU    "NVIDIA-A100-SXM4-80GB-SHARED"
 *     R450 drivers         "A100-SXM4-80GB"
 *
 * A profile goes by its NVML name ("1g.10gb+me"), and where '+' is not allowed, in annotation keys and
 * resource names, by its key ("1g.10gb.me"). */
#include "mig/model.h"

#include "base/text.h"
#include "mig/scan.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What may follow "<slices>g.<memory>gb", as NVML writes it and as keys do. */
static const struct {
  const char *name, *key;
  MigProfileKind kind;
} suffixes[] = {
    {"", "", MIG_PLAIN},
    {"+me", ".me", MIG_ME},
    {"+gfx", ".gfx", MIG_GFX},
    {"-me", "-me", MIG_NO_ME},
    {"+me.all", ".me.all", MIG_ALL_ME},
};

enum { MEMORY_GB_MAX = 9999 };

void mig_model_format_label(const char *product_name, char *ret_label, size_t size) {
  assert(size > 0);
  size_t used = 0;
  for (const char *p = product_name; *p && used + 1 < size; p++) {
    if (*p == ' ')
      ret_label[used++] = '-';
    else if (isalnum((unsigned char)*p) || strchr("-_.", *p))
      ret_label[used++] = *p;
  }
  ret_label[used] = '\0';
}

/* A product name, and what GPU feature discovery appends to its label. */
enum { FULL_LABEL_SIZE = 2 * MIG_MODEL_NAME_SIZE };

/* The label without what was appended. */
static void format_bare_label(const char *product, char ret_label[FULL_LABEL_SIZE]) {
  mig_model_format_label(product, ret_label, FULL_LABEL_SIZE);
  char *sliced = strstr(ret_label, "-MIG-");
  if (sliced)
    *sliced = '\0';
  if (string_has_suffix(ret_label, "-SHARED"))
    ret_label[strlen(ret_label) - strlen("-SHARED")] = '\0';
}

static const char *without_vendor(const char *label) {
  return string_has_prefix(label, "NVIDIA-") ? label + strlen("NVIDIA-") : label;
}

static bool row_has_label(const MigModelRow *row, const char *label) {
  for (int i = 0; i < MIG_PRODUCT_NAMES_MAX && row->product_names[i]; i++) {
    char own[MIG_MODEL_NAME_SIZE];
    mig_model_format_label(row->product_names[i], own, sizeof own);
    if (strcmp(without_vendor(own), without_vendor(label)) == 0)
      return true;
  }
  return false;
}

const MigModelRow *mig_model_find(const char *product) {
  char label[FULL_LABEL_SIZE];
  format_bare_label(product, label);
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    if (strcmp(rows[i].key, label) == 0 || row_has_label(&rows[i], label))
      return &rows[i];
  return NULL;
}

/* "H100-80GB" leaves out parts of "H100-SXM-80GB". */
static bool is_short_for(const char *name, const char *key) {
  while (*name) {
    size_t size = strcspn(name, "-"), key_size = strcspn(key, "-");
    if (!*key)
      return false;
    if (size == key_size && strncasecmp(name, key, size) == 0)
      name += size + (name[size] == '-');
    key += key_size + (key[key_size] == '-');
  }
  return true;
}

const MigModelRow *mig_model_find_short(const char *name) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; *name && i < count; i++)
    if (rows[i].placements_known && is_short_for(name, rows[i].key))
      return &rows[i];
  return NULL;
}

char *mig_model_format_known(void) {
  CLEANUP(text_deinit) Text known = {0};
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    if (rows[i].placements_known)
      text_format(&known, "%s%s", known.size ? ", " : "", rows[i].key);
  return text_take(&known);
}

const MigModelRow *mig_model_find_pci(uint32_t pci_device_id) {
  if (!pci_device_id)
    return NULL;
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < MIG_PRODUCT_NAMES_MAX && rows[i].pci_ids[k]; k++)
      if (rows[i].pci_ids[k] == pci_device_id)
        return &rows[i];
  return NULL;
}

int mig_model_find_profile(const MigModel *model, const char *name) {
  for (int i = 0; i < model->profile_count; i++)
    if (strcmp(model->profiles[i].name, name) == 0)
      return i;
  return -1;
}

const MigProfile *mig_model_find_nvml_id(const MigModel *model, int nvml_id) {
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].nvml_id == nvml_id)
      return &model->profiles[i];
  return NULL;
}

/* The driver's order must name every legal start once and nothing else. */
static bool auto_starts_match(const MigProfile *profile) {
  uint32_t seen = 0;
  for (int i = 0; i < profile->auto_start_count; i++) {
    if (profile->auto_starts[i] >= MIG_SLOTS_MAX)
      return false;
    seen |= UINT32_C(1) << profile->auto_starts[i];
  }
  return seen == profile->starts && profile->auto_start_count == __builtin_popcount(profile->starts);
}

static int check_placements(const MigModel *model, const MigProfile *profile, Error *err) {
  if (profile->size < 1 || profile->size > model->slot_count)
    return error_set(err, ERROR_INVALID, "%s takes %d of %d slots", profile->name, profile->size,
                     model->slot_count);
  if (!profile->starts)
    return error_set(err, ERROR_INVALID, "%s has no slot to start at", profile->name);
  int last_start = 31 - __builtin_clz(profile->starts);
  if (last_start + profile->size > model->slot_count)
    return error_set(err, ERROR_INVALID, "%s at slot %d reaches beyond the last of %d slots", profile->name,
                     last_start, model->slot_count);
  if (profile->instance_count_max < 1 || profile->instance_count_max > MIG_SLOTS_MAX)
    return error_set(err, ERROR_INVALID, "%s may exist %d times, which is not between 1 and %d",
                     profile->name, profile->instance_count_max, MIG_SLOTS_MAX);
  if (!auto_starts_match(profile))
    return error_set(err, ERROR_INVALID, "the driver's order for %s does not name each of its starts once",
                     profile->name);
  return 0;
}

static int check_profile(const MigModel *model, int index, Error *err) {
  const MigProfile *profile = &model->profiles[index];
  MigProfile named;
  uint32_t memory_gb;
  int r = mig_profile_parse_name(profile->name, &named, &memory_gb, err);
  if (r < 0)
    return r;
  if (named.kind != profile->kind || named.slice_count != profile->slice_count)
    return error_set(err, ERROR_INVALID, "%s is not what its name says", profile->name);
  if (mig_model_find_profile(model, profile->name) != index)
    return error_set(err, ERROR_INVALID, "%s is there twice", profile->name);
  /* No axis: the placements of this model are not known, and nothing can be placed on it. */
  if (!model->slot_count && !profile->size && !profile->starts)
    return 0;
  return check_placements(model, profile, err);
}

static int check_profiles(const MigModel *model, Error *err) {
  if (model->slot_count > MIG_SLOTS_MAX)
    return error_set(err, ERROR_LIMIT, "%d slots are more than %d", model->slot_count, MIG_SLOTS_MAX);
  if (model->profile_count > MIG_PROFILES_MAX)
    return error_set(err, ERROR_LIMIT, "%d profiles are more than %d", model->profile_count,
                     MIG_PROFILES_MAX);
  for (int i = 0; i < model->profile_count; i++) {
    int r = check_profile(model, i, err);
    if (r < 0)
      return r;
  }
  return 0;
}

int mig_model_check(const MigModel *model, Error *err) {
  if (!model->name[0])
    return error_set(err, ERROR_INVALID, "a GPU model has no name");
  int r = check_profiles(model, err);
  if (r < 0)
    return error_prefix(err, "GPU model %s", model->name);
  return 0;
}

/* "<slices>g.<memory>gb"; *text then stands on the suffix. */
static bool parse_numbers(const char **text, uint32_t *ret_slices, uint32_t *ret_memory_gb) {
  return mig_scan_number(text, MIG_SLOTS_MAX, ret_slices) && *ret_slices > 0 && mig_scan_word(text, "g.") &&
         mig_scan_number(text, MEMORY_GB_MAX, ret_memory_gb) && mig_scan_word(text, "gb");
}

static int refuse_name(const char *name, const char *forms, Error *err) {
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(mig_scan_whole(name), excerpt);
  return error_set(err, ERROR_INVALID, "\"%s\" is not a MIG profile: one looks like %s", excerpt, forms);
}

int mig_profile_parse_name(const char *name, MigProfile *ret_profile, uint32_t *ret_memory_gb, Error *err) {
  static const char forms[] = "1g.10gb, 1g.10gb+me, 1g.24gb+gfx, 1g.24gb+me.all or 1g.24gb-me";
  const char *rest = name;
  uint32_t slices, memory_gb;
  if (strlen(name) >= MIG_PROFILE_NAME_SIZE || !parse_numbers(&rest, &slices, &memory_gb))
    return refuse_name(name, forms, err);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    if (strcmp(rest, suffixes[i].name) != 0)
      continue;
    *ret_profile = (MigProfile){.kind = suffixes[i].kind, .slice_count = (uint8_t)slices};
    memcpy(ret_profile->name, name, strlen(name) + 1);
    *ret_memory_gb = memory_gb;
    return 0;
  }
  return refuse_name(name, forms, err);
}

void mig_profile_format_key(const char *name, char *ret_key) {
  assert(strlen(name) < MIG_PROFILE_NAME_SIZE);
  do
    *ret_key++ = *name == '+' ? '.' : *name;
  while (*name++);
}

int mig_profile_parse_key(const char *key, char *ret_name, Error *err) {
  static const char forms[] = "1g.10gb, 1g.10gb.me, 1g.24gb.gfx, 1g.24gb.me.all or 1g.24gb-me";
  const char *rest = key;
  uint32_t slices, memory_gb;
  if (strlen(key) >= MIG_PROFILE_NAME_SIZE || !parse_numbers(&rest, &slices, &memory_gb))
    return refuse_name(key, forms, err);
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    if (strcmp(rest, suffixes[i].key) != 0)
      continue;
    snprintf(ret_name, MIG_PROFILE_NAME_SIZE, "%ug.%ugb%s", slices, memory_gb, suffixes[i].name);
    return 0;
  }
  return refuse_name(key, forms, err);
}

void mig_profile_format_resource(const char *name, char *ret_resource) {
  memcpy(ret_resource, MIG_RESOURCE_PREFIX, sizeof MIG_RESOURCE_PREFIX);
  mig_profile_format_key(name, ret_resource + strlen(MIG_RESOURCE_PREFIX));
}

bool mig_profile_is_resource(const char *resource) {
  return string_has_prefix(resource, MIG_RESOURCE_PREFIX);
}

int mig_profile_parse_resource(const char *resource, char *ret_name, Error *err) {
  if (!mig_profile_is_resource(resource)) {
    char excerpt[MIG_EXCERPT_SIZE];
    mig_scan_excerpt(mig_scan_whole(resource), excerpt);
    return error_set(err, ERROR_INVALID, "\"%s\" is not a MIG resource: it does not begin with %s", excerpt,
                     MIG_RESOURCE_PREFIX);
  }
  return mig_profile_parse_key(resource + strlen(MIG_RESOURCE_PREFIX), ret_name, err);
}
