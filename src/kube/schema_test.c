/* SPDX-License-Identifier: Apache-2.0 */
/* The tables hold together. That their numbers are right is shown by the fixtures of the readers' tests,
 * which have a value in every field. */
#include "base/test.h"

#include "base/cleanup.h"
#include "cluster/object.h"
#include "kube/schema.h"

#include <stdbool.h>

static size_t size_of(const KubeField *field) {
  switch (field->kind) {
  case KUBE_STRING:
    return sizeof(const char *);
  case KUBE_UID:
    return sizeof(ObjectUid);
  case KUBE_VERSION:
    return sizeof(ObjectVersion);
  case KUBE_INT32:
    return sizeof(int32_t);
  case KUBE_BOOL:
    return sizeof(bool);
  case KUBE_TIME:
    return sizeof(int64_t);
  case KUBE_MESSAGE:
    return 0;
  default:
    return sizeof(Strings);
  }
}

/* Marks the bytes that the field fills in its struct; no two fields may share one. */
static void claim(unsigned char *claimed, size_t struct_size, size_t offset, size_t size) {
  assert_true(offset + size <= struct_size);
  assert_true(size == 0 || offset % size == 0 || (size == sizeof(Strings) && offset % sizeof(void *) == 0));
  for (size_t i = 0; i < size; i++)
    assert_int_equal(claimed[offset + i]++, 0);
}

/* The bytes of a struct, and of the part that it points to. */
typedef struct Claims {
  unsigned char claimed[1024];
  size_t size;
  struct Claims *part;
  size_t part_offset;
} Claims;

static void check_message(const KubeMessage *message, Claims *claims, size_t base);

static void check_field(const KubeField *field, Claims *claims, size_t base) {
  bool nested = field->kind == KUBE_MESSAGE || field->kind == KUBE_LIST;
  assert_true(field->number > 0);
  assert_true(*field->name || (field->kind == KUBE_MESSAGE && field->offset == 0)); /* embedded */
  assert_int_equal(field->message != NULL, nested);
  assert_int_equal(field->item_size != 0, field->kind == KUBE_LIST);
  if (field->part) { /* parts have none of their own */
    assert_true(claims->part && base == 0);
    assert_int_equal(field->part, claims->part_offset);
    claims = claims->part;
  }
  claim(claims->claimed, claims->size, base + field->offset, size_of(field));
  if (field->present_offset >= 0) {
    assert_int_equal(field->kind, KUBE_MESSAGE);
    claim(claims->claimed, claims->size, base + (size_t)field->present_offset, sizeof(bool));
  }
  if (field->kind == KUBE_MESSAGE)
    check_message(field->message, claims, base + field->offset);
  if (field->kind == KUBE_LIST) {
    Claims item = {.size = field->item_size};
    assert_true(field->item_size <= sizeof item.claimed && field->message->field_count > 0);
    check_message(field->message, &item, 0);
  }
}

static void check_message(const KubeMessage *message, Claims *claims, size_t base) {
  for (size_t i = 0; i < message->field_count; i++) {
    const KubeField *field = &message->fields[i];
    check_field(field, claims, base);
    for (size_t j = 0; j < i; j++) {
      assert_true(message->fields[j].number < field->number);
      assert_string_not_equal(message->fields[j].name, field->name);
    }
  }
}

static void check_type(const KubeType *type, Claims *claims, Claims *part) {
  *part = (Claims){.size = type->part_size};
  *claims = (Claims){.size = type->size, .part = type->part ? part : NULL, .part_offset = type->part};
  assert_true(type->size <= sizeof claims->claimed && type->part_size <= sizeof part->claimed);
  if (type->part)
    claim(claims->claimed, claims->size, type->part, sizeof(void *));
  if (type->extra)
    claim(claims->claimed, claims->size, type->extra, sizeof(Strings));
  check_message(type->message, claims, 0);
}

static void check_every_word(const Claims *claims) {
  for (size_t i = 0; i < claims->size; i += sizeof(void *))
    assert_true(claims->claimed[i]);
}

static const KubeType *const types[] = {&kube_pod_type,
                                        &kube_node_type,
                                        &kube_namespace_type,
                                        &kube_persistent_volume_type,
                                        &kube_persistent_volume_claim_type,
                                        &kube_storage_class_type,
                                        &kube_lease_type};

static void fields_are_ordered_unique_and_do_not_overlap(void **state) {
  for (size_t i = 0; i < COUNT_OF(types); i++)
    check_type(types[i], &(Claims){0}, &(Claims){0});
}

/* Every byte of the structs is some field's, but for the padding: nothing of cluster/object.h was forgotten.
 */
static void every_field_of_the_structs_is_read(void **state) {
  for (size_t t = 0; t < COUNT_OF(types); t++) {
    Claims claims, part;
    check_type(types[t], &claims, &part);
    check_every_word(&claims);
    check_every_word(&part);
  }
}

static void objects_begin_with_their_metadata(void **state) {
  assert_int_equal(offsetof(Pod, meta), 0);
  assert_int_equal(offsetof(Node, meta), 0);
  assert_string_equal(kube_pod_type.path, "/api/v1/pods");
  assert_string_equal(kube_node_type.path, "/api/v1/nodes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_ordered_unique_and_do_not_overlap),
      cmocka_unit_test(every_field_of_the_structs_is_read),
      cmocka_unit_test(objects_begin_with_their_metadata),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
