/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "kube/lease.h"

/* What kube-apiserver 1.36 answers for a Lease that client-go holds. */
static const char of_client_go[] =
    "{\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/v1\",\"metadata\":{\"name\":\"kube-scheduler\","
    "\"namespace\":\"kube-system\",\"uid\":\"3c4e\",\"resourceVersion\":\"812\",\"managedFields\":[{"
    "\"manager\":"
    "\"kube-scheduler\"}]},\"spec\":{\"holderIdentity\":\"host_8a1f\",\"leaseDurationSeconds\":15,"
    "\"acquireTime\":\"2026-01-01T00:00:00.250000Z\",\"renewTime\":\"2026-01-01T00:00:08.000001Z\","
    "\"leaseTransitions\":3}}";

static const KubeLease lease = {.holder = "host \"a\"",
                                .duration_s = 15,
                                .acquired_ms = 1767225600250,
                                .renewed_ms = 1767225608000,
                                .transitions = 3,
                                .version = "812"};

static void a_lease_of_client_go_is_read(void **state) {
  KubeLease read;
  Error err;
  assert_ok(kube_lease_decode(KUBE_JSON, of_client_go, strlen(of_client_go), &read, &err));
  assert_string_equal(read.holder, "host_8a1f");
  assert_int_equal(read.duration_s, 15);
  assert_true(read.acquired_ms == 1767225600000 && read.renewed_ms == 1767225608000);
  assert_int_equal(read.transitions, 3);
  assert_string_equal(read.version, "812");
}

static void a_lease_in_protobuf_is_read(void **state) {
  /* coordination/v1 generated.proto, with the envelope of an answer; the spec's times are {1: seconds, 2:
   * nanos}. */
  static const unsigned char bytes[] = "k8s\0"
                                       "\x0a\x04\x0a\x00\x12\x00" /* typeMeta */
                                       "\x12\x1b"
                                       "\x0a\x06\x32\x04"
                                       "4711" /* metadata.resourceVersion */
                                       "\x12\x11"
                                       "\x0a\x01"
                                       "h"
                                       "\x10\x0f"
                                       "\x1a\x04\x08\x05\x10\x01"
                                       "\x22\x02\x08\x07"
                                       "\x28\x02";
  KubeLease read;
  Error err;
  assert_ok(kube_lease_decode(KUBE_PROTOBUF, bytes, sizeof bytes - 1, &read, &err));
  assert_string_equal(read.holder, "h");
  assert_int_equal(read.duration_s, 15);
  assert_true(read.acquired_ms == 5000 && read.renewed_ms == 7000);
  assert_int_equal(read.transitions, 2);
  assert_string_equal(read.version, "4711");
}

static void an_empty_lease_has_no_holder(void **state) {
  static const char text[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"renewTime\":null}}";
  KubeLease read;
  Error err;
  assert_ok(kube_lease_decode(KUBE_JSON, text, strlen(text), &read, &err));
  assert_string_equal(read.holder, "");
  assert_int_equal(read.duration_s, 0);
}

static void what_has_no_version_is_no_lease(void **state) {
  KubeLease read;
  Error err;
  assert_fails(kube_lease_decode(KUBE_JSON, "{}", 2, &read, &err),
               "the API server's answer is not a Lease: it has no resourceVersion");
}

static void a_new_lease_and_a_patch_are_written(void **state) {
#define SPEC                                                                                                 \
  "\"spec\":{\"holderIdentity\":\"host \\\"a\\\"\",\"leaseDurationSeconds\":15,\"acquireTime\":"             \
  "\"2026-01-01T00:00:00.250000Z\",\"renewTime\":\"2026-01-01T00:00:08.000000Z\",\"leaseTransitions\":3}}"
  CLEANUP(text_deinit) Text object = {0}, patch = {0};
  kube_lease_format_object(&lease, "facet-system", "facet-controller", &object);
  assert_string_equal(
      text_string(&object),
      "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"namespace\":"
      "\"facet-system\",\"name\":\"facet-controller\"}," SPEC);
  kube_lease_format_patch(&lease, &patch);
  assert_string_equal(text_string(&patch), "{\"metadata\":{\"resourceVersion\":\"812\"}," SPEC);
}

static void leases_are_the_same_whatever_their_version(void **state) {
  KubeLease other = lease;
  other.renewed_ms += 900; /* whole seconds are all that is read */
  snprintf(other.version, sizeof other.version, "813");
  assert_true(kube_lease_is_same(&lease, &other));
  other.renewed_ms += 100;
  assert_false(kube_lease_is_same(&lease, &other));
  other = lease;
  other.holder[0] = 'H';
  assert_false(kube_lease_is_same(&lease, &other));
  other = lease;
  other.transitions++;
  assert_false(kube_lease_is_same(&lease, &other));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_lease_of_client_go_is_read),
      cmocka_unit_test(a_lease_in_protobuf_is_read),
      cmocka_unit_test(an_empty_lease_has_no_holder),
      cmocka_unit_test(what_has_no_version_is_no_lease),
      cmocka_unit_test(a_new_lease_and_a_patch_are_written),
      cmocka_unit_test(leases_are_the_same_whatever_their_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
