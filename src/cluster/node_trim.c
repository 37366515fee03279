/* SPDX-License-Identifier: Apache-2.0 */
/* A UUID is packed only where it can be written again as it was, and taken out of a wish only where it is the
 * one of the identity; whatever else stands there stays as text. */
#include "cluster/node_trim.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static GpuUuid *find_uuid(const Node *node, int index) {
  for (size_t i = 0; i < node->gpu_uuids.count; i++)
    if (node->gpu_uuids.items[i].index == index)
      return &node->gpu_uuids.items[i];
  return NULL;
}

/* ---- taking out ---- */

static bool is_ours(const char *key) {
  return string_has_prefix(key, "facet.gpu/") || string_has_prefix(key, "nos.nebuly.com/");
}

/* Whose exact status is there and can be read: bit per GPU. */
static uint64_t find_exact(const KeyValues *annotations) {
  uint64_t exact = 0;
  for (size_t i = 0; i < annotations->count; i++) {
    int index = mig_key_parse_index(annotations->items[i].key, MIG_ANNOTATION_STATUS_GPU_PREFIX);
    MigList list;
    Error err;
    if (index >= 0 && mig_list_parse(string_or_empty(annotations->items[i].value), true, &list, &err) == 0)
      exact |= UINT64_C(1) << index;
  }
  return exact;
}

static bool is_said_again(const char *key, uint64_t exact) {
  int index;
  char profile[MIG_PROFILE_NAME_SIZE];
  MigUse use;
  return mig_key_parse_count(key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use) &&
         exact >> index & 1;
}

static void drop_annotations(KeyValues *annotations) {
  uint64_t exact = find_exact(annotations);
  size_t kept = 0;
  for (size_t i = 0; i < annotations->count; i++)
    if (is_ours(annotations->items[i].key) && !is_said_again(annotations->items[i].key, exact))
      annotations->items[kept++] = annotations->items[i];
  annotations->count = kept;
}

/* ---- packing ---- */

static void pack_identity(Node *node, KeyValue *annotation, int index) {
  GpuUuid packed = {.index = (uint8_t)index};
  MigIdentity identity;
  Error err;
  if (find_uuid(node, index) || mig_identity_parse(string_or_empty(annotation->value), &identity, &err) < 0 ||
      !mig_uuid_pack(identity.uuid, packed.bytes))
    return;
  node->gpu_uuids.items[node->gpu_uuids.count++] = packed;
  annotation->value += strlen(identity.uuid) + 1;
}

/* "GPU-<uuid> 1g.10gb@6" and "GPU-<uuid>" alone. */
static void pack_spec(Node *node, KeyValue *annotation, int index) {
  GpuUuid *packed = find_uuid(node, index);
  char uuid[MIG_UUID_SIZE];
  if (!packed || packed->is_in_spec || !annotation->value || strlen(annotation->value) >= MIG_SPEC_TEXT_SIZE)
    return;
  mig_uuid_unpack(packed->bytes, uuid);
  size_t size = strlen(uuid);
  if (strncmp(annotation->value, uuid, size) != 0)
    return;
  const char *rest = annotation->value + size;
  packed->spec_is_alone = !*rest;
  packed->is_in_spec = !*rest || *rest == ' ';
  if (packed->is_in_spec)
    annotation->value = rest + !packed->spec_is_alone;
}

static void pack_all(Node *node, const char *prefix, void (*pack)(Node *, KeyValue *, int)) {
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    KeyValue *annotation = &node->meta.annotations.items[i];
    int index = mig_key_parse_index(annotation->key, prefix);
    if (index >= 0)
      pack(node, annotation, index);
  }
}

void node_trim(void *node, Arena *arena) {
  Node *trimmed = node;
  drop_annotations(&trimmed->meta.annotations);
  trimmed->gpu_uuids.items = arena_alloc(arena, (MIG_GPU_INDEX_MAX + 1) * sizeof(GpuUuid));
  pack_all(trimmed, MIG_ANNOTATION_IDENTITY_PREFIX, pack_identity);
  pack_all(trimmed, MIG_ANNOTATION_SPEC_GPU_PREFIX, pack_spec);
}

/* ---- reading ---- */

/* The UUID, a space and the rest; the UUID without the space where it is alone. */
static const char *unpack(const GpuUuid *packed, bool is_alone, const char *rest, char *room, size_t size) {
  char uuid[MIG_UUID_SIZE];
  mig_uuid_unpack(packed->bytes, uuid);
  snprintf(room, size, "%s%s%s", uuid, is_alone ? "" : " ", string_or_empty(rest));
  return room;
}

const char *node_whole_identity(const Node *node, int index, const char *text,
                                char room[MIG_IDENTITY_TEXT_SIZE]) {
  const GpuUuid *packed = find_uuid(node, index);
  return packed ? unpack(packed, false, text, room, MIG_IDENTITY_TEXT_SIZE) : text;
}

const char *node_find_identity(const Node *node, int index, char room[MIG_IDENTITY_TEXT_SIZE]) {
  const char *text = key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX, index);
  return text ? node_whole_identity(node, index, text, room) : NULL;
}

const char *node_find_spec(const Node *node, int index, char room[MIG_SPEC_TEXT_SIZE]) {
  const char *text = key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX, index);
  const GpuUuid *packed = find_uuid(node, index);
  bool is_packed = packed && packed->is_in_spec;
  return text && is_packed ? unpack(packed, packed->spec_is_alone, text, room, MIG_SPEC_TEXT_SIZE) : text;
}
