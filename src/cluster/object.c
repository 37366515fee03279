/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/object.h"

#include "mig/contract.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VERSION_DIGITS_MAX = 18 }; /* far below the highest bit */

const char *key_values_find(const KeyValues *list, const char *key) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].key, key) == 0)
      return list->items[i].value;
  return NULL;
}

const char *key_values_find_index(const KeyValues *list, const char *prefix, int index) {
  char key[MIG_KEY_SIZE];
  snprintf(key, sizeof key, "%s%d", prefix, index);
  return key_values_find(list, key);
}

/* ---- uids and versions ---- */

static const int uid_groups[] = {8, 4, 4, 4, 12};

static int hex_value(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_packed_uid(const ObjectUid *uid) {
  return uid->low >> 62 == 2;
}

bool object_uid_pack(ObjectUid *uid) {
  if (is_packed_uid(uid) || !uid->text)
    return true;
  uint64_t high = 0, low = 0;
  const char *at = uid->text;
  for (size_t group = 0; group < COUNT_OF(uid_groups); group++) {
    if (group && *at++ != '-')
      return false;
    for (int i = 0; i < uid_groups[group]; i++, at++) {
      if (hex_value(*at) < 0)
        return false;
      high = high << 4 | low >> 60;
      low = low << 4 | (uint64_t)hex_value(*at);
    }
  }
  if (*at || low >> 62 != 2)
    return false;
  *uid = (ObjectUid){.high = high, .low = low};
  return true;
}

const char *object_uid(const ObjectUid *uid, char room[OBJECT_UID_SIZE]) {
  if (!is_packed_uid(uid))
    return uid->text;
  char *out = room;
  int digit = 0;
  for (size_t group = 0; group < COUNT_OF(uid_groups); group++) {
    if (group)
      *out++ = '-';
    for (int i = 0; i < uid_groups[group]; i++, digit++)
      *out++ =
          "0123456789abcdef"[(digit < 16 ? uid->high >> (60 - 4 * digit) : uid->low >> (124 - 4 * digit)) &
                             15];
  }
  *out = '\0';
  return room;
}

bool object_uid_equal(ObjectUid a, ObjectUid b) {
  (void)object_uid_pack(&a), (void)object_uid_pack(&b);
  if (is_packed_uid(&a) || is_packed_uid(&b))
    return a.high == b.high && a.low == b.low;
  return string_equal(a.text, b.text);
}

static const uint64_t PACKED_VERSION = UINT64_C(1) << 63;

bool object_version_pack(ObjectVersion *version) {
  if (version->number & PACKED_VERSION || !version->text)
    return true;
  uint64_t number = 0;
  const char *at = version->text;
  if (*at < '1' || *at > '9')
    return false;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (at - version->text == VERSION_DIGITS_MAX)
      return false;
    number = number * 10 + (uint64_t)(*at - '0');
  }
  if (*at)
    return false;
  version->number = number | PACKED_VERSION;
  return true;
}

const char *object_version(const ObjectVersion *version, char room[OBJECT_VERSION_SIZE]) {
  if (!(version->number & PACKED_VERSION))
    return version->text;
  snprintf(room, OBJECT_VERSION_SIZE, "%" PRIu64, version->number & ~PACKED_VERSION);
  return room;
}

bool object_version_equal(ObjectVersion a, ObjectVersion b) {
  (void)object_version_pack(&a), (void)object_version_pack(&b);
  if ((a.number | b.number) & PACKED_VERSION)
    return a.number == b.number;
  return string_equal(a.text, b.text);
}

/* ---- pods and nodes ---- */

const PodCommon pod_common_empty;

void pod_trim(void *pod, Arena *arena) {
  (void)arena;
  Pod *trimmed = pod;
  PodCommon *common = trimmed->common;
  size_t kept = 0;
  for (size_t i = 0; i < common->volumes.count; i++)
    if (common->volumes.items[i].claim_name || common->volumes.items[i].is_ephemeral)
      common->volumes.items[kept++] = common->volumes.items[i];
  common->volumes.count = kept;
  common->annotations.count = 0;
  for (size_t i = 0; i < common->owners.count; i++)
    if (!string_equal(common->owners.items[i].kind, "DaemonSet"))
      common->owners.items[i].name = NULL;
}

bool pod_is_terminal(const Pod *pod) {
  const char *phase = pod_common(pod)->phase;
  return string_equal(phase, "Succeeded") || string_equal(phase, "Failed");
}

bool pod_is_reservation(const Pod *pod) {
  return key_values_find(&pod->meta.labels, MIG_LABEL_RESERVATION) != NULL;
}

static const Condition *find_condition(const Condition *conditions, size_t count, const char *type) {
  for (size_t i = 0; i < count; i++)
    if (string_equal(conditions[i].type, type))
      return &conditions[i];
  return NULL;
}

const Condition *pod_find_condition(const Pod *pod, const char *type) {
  return find_condition(pod_common(pod)->conditions.items, pod_common(pod)->conditions.count, type);
}

const Condition *node_find_condition(const Node *node, const char *type) {
  return find_condition(node->conditions.items, node->conditions.count, type);
}
