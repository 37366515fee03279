/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/wire.h"

#include "base/test.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static int read_one(const char *bytes, size_t size, KubeWireField *ret_field, Error *err) {
  KubeBytes rest = {bytes, size, 100};
  return kube_wire_next(&rest, ret_field, err);
}

static void fields_of_all_wire_types_are_read(void **state) {
  Error err;
  KubeWireField field;
  KubeBytes rest = {BYTES("\x08\x96\x01"
                          "\x11"
                          "12345678"
                          "\x1a\x03"
                          "abc"
                          "\x25"
                          "1234"
                          "\xfa\xff\xff\xff\x0f\x00"),
                    0};
  assert_ok(kube_wire_next(&rest, &field, &err));
  assert_int_equal(field.number, 1);
  assert_int_equal(field.type, KUBE_WIRE_VARINT);
  assert_int_equal(field.value, 150);
  assert_ok(kube_wire_next(&rest, &field, &err));
  assert_int_equal(field.number, 2);
  assert_int_equal(field.bytes.size, 8);
  assert_memory_equal(field.bytes.at, "12345678", 8);
  assert_ok(kube_wire_next(&rest, &field, &err));
  assert_int_equal(field.number, 3);
  assert_int_equal(field.bytes.offset, 14);
  assert_memory_equal(field.bytes.at, "abc", field.bytes.size);
  assert_ok(kube_wire_next(&rest, &field, &err));
  assert_int_equal(field.type, KUBE_WIRE_FIXED32);
  assert_int_equal(field.bytes.size, 4);
  assert_ok(kube_wire_next(&rest, &field, &err));
  assert_int_equal(field.number, (1 << 29) - 1);
  assert_int_equal(rest.size, 0);
}

static void a_varint_holds_64_bits_and_no_more(void **state) {
  Error err;
  KubeWireField field;
  assert_ok(read_one(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &field, &err));
  assert_true(field.value == UINT64_MAX);
  /* Overlong, but within ten bytes: odd writers do that. */
  assert_ok(read_one(BYTES("\x88\x80\x00\x85\x80\x80\x00"), &field, &err));
  assert_int_equal(field.number, 1);
  assert_int_equal(field.value, 5);
  assert_fails(read_one(BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &field, &err),
               "the protobuf number at byte 101 does not fit into 64 bits");
  assert_fails(read_one(BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), &field, &err),
               "the protobuf number at byte 101 does not fit into 64 bits");
}

static void malformed_fields_are_refused_with_their_place(void **state) {
  Error err;
  KubeWireField field;
  assert_fails(read_one(BYTES("\x0b\x0c"), &field, &err),
               "the protobuf field 1 at byte 100 has wire type 3, which Kubernetes does not use");
  assert_fails(read_one(BYTES("\x0c"), &field, &err),
               "the protobuf field 1 at byte 100 has wire type 4, which Kubernetes does not use");
  assert_fails(read_one(BYTES("\x0f"), &field, &err),
               "the protobuf field 1 at byte 100 has wire type 7, which Kubernetes does not use");
  assert_fails(read_one(BYTES("\x02\x00"), &field, &err),
               "the protobuf field number 0 at byte 100 is not allowed");
  assert_fails(read_one(BYTES("\x82\x80\x80\x80\x10\x00"), &field, &err),
               "the protobuf field number 536870912 at byte 100 is not allowed");
  assert_fails(read_one(BYTES("\x0a\x04"
                              "abc"),
                        &field, &err),
               "the protobuf field 1 at byte 102 claims 4 bytes, but only 3 are left");
  assert_fails(read_one(BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                              "abc"),
                        &field, &err),
               "the protobuf field 1 at byte 111 claims 18446744073709551615 bytes, but only 3 are left");
  assert_fails(read_one(BYTES("\x09"
                              "1234567"),
                        &field, &err),
               "the protobuf field 1 at byte 101 claims 8 bytes, but only 7 are left");
}

static void a_header_that_is_cut_asks_for_more(void **state) {
  Error err;
  static const char header[] = "\xfa\xff\xff\xff\x0f\x80\x80\x80\x01";
  for (size_t size = 0; size < sizeof header - 1; size++) {
    KubeBytes rest = {header, size, 0};
    KubeWireField field;
    assert_int_equal(kube_wire_header(&rest, &field, &err), KUBE_WIRE_MORE);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "the protobuf message is cut off at byte %zu", 100 + size);
    assert_fails(read_one(header, size, &field, &err), wanted);
  }
  KubeBytes rest = {header, sizeof header - 1, 0};
  KubeWireField field;
  assert_ok(kube_wire_header(&rest, &field, &err));
  assert_int_equal(field.bytes.size, 1 << 21);
  assert_int_equal(rest.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_of_all_wire_types_are_read),
      cmocka_unit_test(a_varint_holds_64_bits_and_no_more),
      cmocka_unit_test(malformed_fields_are_refused_with_their_place),
      cmocka_unit_test(a_header_that_is_cut_asks_for_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
