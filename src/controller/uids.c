/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/uids.h"

#include "base/memory.h"

#include <assert.h>

static uint64_t hash_of(ObjectUid uid) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  if (uid.low)
    hash = (uid.high ^ uid.low) * UINT64_C(0x9e3779b97f4a7c15);
  for (const char *at = uid.low ? "" : uid.text; *at; at++)
    hash = (hash ^ (unsigned char)*at) * 1099511628211u;
  return hash ^ hash >> 32;
}

static uint64_t hash_of_number(const void *owner, uint32_t number) {
  return hash_of(((const ControllerUids *)owner)->items.items[number]);
}

/* Where it is among the slots; SIZE_MAX: nowhere. The uid is packed if it can be. */
static size_t find(const ControllerUids *uids, ObjectUid uid) {
  const Slots *slots = &uids->slots;
  for (size_t at = slots_first(slots, hash_of(uid)); slots->items && slots->items[at];
       at = slots_next(slots, at))
    if (object_uid_equal(uids->items.items[slots->items[at] - 1], uid))
      return at;
  return SIZE_MAX;
}

bool controller_uids_add(ControllerUids *uids, ObjectUid uid) {
  assert(uid.text || uid.low);
  bool is_packed = object_uid_pack(&uid);
  if (find(uids, uid) != SIZE_MAX)
    return false;
  if (!is_packed)
    uid.text = mem_strdup(uid.text);
  *array_push(&uids->items) = uid;
  slots_put(&uids->slots, hash_of(uid), (uint32_t)uids->items.count - 1, hash_of_number, uids);
  return true;
}

static void drop(ObjectUid uid) {
  if (!uid.low)
    free((char *)uid.text);
}

void controller_uids_remove(ControllerUids *uids, ObjectUid uid) {
  if (!uid.text && !uid.low)
    return;
  (void)object_uid_pack(&uid);
  size_t at = find(uids, uid);
  if (at == SIZE_MAX)
    return;
  size_t number = uids->slots.items[at] - 1, last = uids->items.count - 1;
  slots_remove(&uids->slots, at, hash_of_number, uids);
  drop(uids->items.items[number]);
  if (number != last) {
    uids->slots.items[find(uids, uids->items.items[last])] = (uint32_t)number + 1;
    uids->items.items[number] = uids->items.items[last];
  }
  uids->items.count--;
}

void controller_uids_deinit(ControllerUids *uids) {
  for (size_t i = 0; i < uids->items.count; i++)
    drop(uids->items.items[i]);
  array_deinit(&uids->items);
  slots_deinit(&uids->slots);
}
