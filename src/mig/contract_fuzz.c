/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for the strings of the public contract. What is understood is written again and understood
 * as the same. The first byte chooses the string. */
#include "mig/contract.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const MigModel *a100(void) {
  return &mig_model_find("A100-80GB")->model;
}

static void spec(const char *text) {
  Error err;
  MigSpec first, second;
  if (mig_spec_parse(text, &first, &err) < 0)
    return;
  char again[MIG_SPEC_TEXT_SIZE];
  mig_spec_format(first.uuid, &first.list, again, sizeof again);
  assert(mig_spec_parse(again, &second, &err) == 0);
  assert(strcmp(first.uuid, second.uuid) == 0 && first.list.count == second.list.count);
  MigLayout layout;
  if (mig_list_bind(&first.list, a100(), &layout, &err) == 0)
    assert(mig_layout_check(&layout, &err) == 0);
}

static void status(const char *text) {
  Error err;
  MigLayout first, second;
  uint32_t used, used_again;
  if (mig_status_parse(text, a100(), &first, &used, &err) < 0)
    return;
  assert(mig_layout_check(&first, &err) == 0);
  char again[MIG_STATUS_TEXT_SIZE];
  mig_status_format(&first, used, again, sizeof again);
  assert(mig_status_parse(again, a100(), &second, &used_again, &err) == 0);
  assert(mig_layout_equal(&first, &second) && used == used_again);
}

static void identity(const char *text) {
  Error err;
  MigIdentity first, second;
  if (mig_identity_parse(text, &first, &err) < 0)
    return;
  char again[MIG_IDENTITY_TEXT_SIZE];
  mig_identity_format(&first, again, sizeof again);
  assert(mig_identity_parse(again, &second, &err) == 0);
  assert(strcmp(first.uuid, second.uuid) == 0 && strcmp(first.model, second.model) == 0 &&
         first.mode == second.mode);
}

static void profiles(const char *text) {
  Error err;
  static MigModel models[MIG_NODE_MODELS_MAX];
  int count = 0;
  if (mig_profiles_parse(text, models, &count, &err) < 0)
    return;
  for (int i = 0; i < count; i++)
    assert(mig_model_check(&models[i], &err) == 0);
}

static void small(const char *text) {
  Error err;
  uint64_t indexes;
  int index, count;
  char names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE], name[MIG_PROFILE_NAME_SIZE];
  MigUse use;
  (void)!mig_exclude_parse(text, &indexes, &err);
  (void)!mig_allowed_parse(text, names, &count, &err);
  (void)!mig_profile_parse_resource(text, name, &err);
  (void)mig_key_parse_index(text, MIG_ANNOTATION_SPEC_GPU_PREFIX);
  (void)mig_key_parse_count(text, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, name, &use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const strings[])(const char *) = {spec, status, identity, profiles, small};
  if (size < 1)
    return 0;
  CLEANUP(cleanup_free) char *text = mem_strndup((const char *)data + 1, size - 1);
  strings[data[0] % COUNT_OF(strings)](text);
  return 0;
}
