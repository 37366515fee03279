/* SPDX-License-Identifier: Apache-2.0 */
/* The cases follow k8s.io/component-helpers/resource/helpers_test.go in kind, with numbers that tell the
 * terms of the sum apart. */
#include "base/test.h"

#include "cluster/resources.h"
#include "cluster/test_objects.h"

#define SLICE "nvidia.com/mig-1g.10gb"
#define REQUESTS(...)                                                                                        \
  { .requests = LIST_OF(ResourceText, __VA_ARGS__) }
#define SIDECAR(...)                                                                                         \
  { .restart_policy = "Always", .requests = LIST_OF(ResourceText, __VA_ARGS__) }

static int64_t compute(const Pod *pod, const char *resource) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources requests;
  Error err;
  assert_ok(pod_requests_compute(pod, &arena, &requests, &err));
  return resources_get(&requests, resource);
}

static void containers_are_summed(void **state) {
  Pod pod = {
      .common = &(PodCommon){.containers = LIST_OF(Container, REQUESTS({"cpu", "100m"}, {SLICE, "1"}),
                                                   REQUESTS({"cpu", "1"}, {SLICE, "2"}, {"memory", "1Ki"}))}};
  assert_int_equal(compute(&pod, "cpu"), 1100);
  assert_int_equal(compute(&pod, SLICE), 3);
  assert_int_equal(compute(&pod, "memory"), 1024);
}

static void a_pod_without_requests_asks_for_nothing(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Pod pod = {.common = &(PodCommon){.containers = LIST_OF(Container, {.name = "c"})}};
  Resources requests;
  Error err;
  assert_ok(pod_requests_compute(&pod, &arena, &requests, &err));
  assert_int_equal(requests.count, 0);
}

static void a_missing_request_counts_its_limit(void **state) {
  Pod pod = {
      .common = &(PodCommon){
          .containers = LIST_OF(Container, {.requests = LIST_OF(ResourceText, {"cpu", "1"}),
                                            .limits = LIST_OF(ResourceText, {"cpu", "2"}, {SLICE, "1"})})}};
  assert_int_equal(compute(&pod, "cpu"), 1000);
  assert_int_equal(compute(&pod, SLICE), 1);
}

static void the_largest_init_container_counts_where_it_exceeds_the_sum(void **state) {
  Pod pod = {.common =
                 &(PodCommon){.init_containers = LIST_OF(Container, REQUESTS({"cpu", "3"}, {"memory", "1"}),
                                                         REQUESTS({"cpu", "2"}, {"memory", "9"})),
                              .containers = LIST_OF(Container, REQUESTS({"cpu", "1"}, {"memory", "5"}),
                                                    REQUESTS({"cpu", "1"}, {"memory", "5"}))}};
  assert_int_equal(compute(&pod, "cpu"), 3000);
  assert_int_equal(compute(&pod, "memory"), 10);
}

static void a_sidecar_runs_beside_the_containers(void **state) {
  Pod pod = {.common = &(PodCommon){.init_containers = LIST_OF(Container, SIDECAR({"cpu", "2"})),
                                    .containers = LIST_OF(Container, REQUESTS({"cpu", "1"}))}};
  assert_int_equal(compute(&pod, "cpu"), 3000);
}

static void an_init_container_runs_beside_the_sidecars_before_it_only(void **state) {
  Pod pod = {.common =
                 &(PodCommon){.init_containers = LIST_OF(Container, SIDECAR({"cpu", "1"}),
                                                         REQUESTS({"cpu", "10"}), SIDECAR({"cpu", "20"})),
                              .containers = LIST_OF(Container, REQUESTS({"cpu", "1"}))}};
  assert_int_equal(compute(&pod, "cpu"), 22000); /* the sum; starting needs 1 + 10, then 1 + 20 */
  Pod late = {.common = &(PodCommon){.init_containers =
                                         LIST_OF(Container, REQUESTS({"cpu", "10"}), SIDECAR({"cpu", "1"})),
                                     .containers = LIST_OF(Container, REQUESTS({"cpu", "1"}))}};
  assert_int_equal(compute(&late, "cpu"), 10000);
  Pod early = {.common = &(PodCommon){.init_containers =
                                          LIST_OF(Container, SIDECAR({"cpu", "1"}), REQUESTS({"cpu", "10"})),
                                      .containers = LIST_OF(Container, REQUESTS({"cpu", "1"}))}};
  assert_int_equal(compute(&early, "cpu"), 11000);
}

static void pod_level_requests_replace_cpu_memory_and_huge_pages(void **state) {
  Pod pod = {
      .common = &(PodCommon){
          .containers = LIST_OF(Container, REQUESTS({"cpu", "4"}, {"memory", "4"}, {SLICE, "1"})),
          .has_pod_resources = true,
          .pod_requests = LIST_OF(ResourceText, {"cpu", "1"}, {"hugepages-2Mi", "2Mi"}, {SLICE, "7"})}};
  assert_int_equal(compute(&pod, "cpu"), 1000);
  assert_int_equal(compute(&pod, "memory"), 4);
  assert_int_equal(compute(&pod, "hugepages-2Mi"), 2 << 20);
  assert_int_equal(compute(&pod, SLICE), 1);
}

static void overhead_comes_on_top_of_everything(void **state) {
  Pod pod = {.common = &(PodCommon){.init_containers = LIST_OF(Container, REQUESTS({"cpu", "2"})),
                                    .containers = LIST_OF(Container, REQUESTS({"cpu", "1"})),
                                    .overhead = LIST_OF(ResourceText, {"cpu", "250m"}, {"memory", "64"})}};
  assert_int_equal(compute(&pod, "cpu"), 2250);
  assert_int_equal(compute(&pod, "memory"), 64);
  pod.common->has_pod_resources = true;
  pod.common->pod_requests = (__typeof__(pod.common->pod_requests))LIST_OF(ResourceText, {"cpu", "5"});
  assert_int_equal(compute(&pod, "cpu"), 5250);
}

static void a_bad_request_is_reported_with_its_container(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources requests;
  Error err;
  Pod pod = {.common = &(PodCommon){
                 .containers =
                     LIST_OF(Container, {.name = "app", .requests = LIST_OF(ResourceText, {SLICE, "one"})})}};
  assert_fails(pod_requests_compute(&pod, &arena, &requests, &err),
               "requests of container app: nvidia.com/mig-1g.10gb: "
               "\"one\" is not a quantity such as 500m, 4 or 2Gi");
  pod = (Pod){.common =
                  &(PodCommon){.init_containers = LIST_OF(
                                   Container, {.name = "i", .limits = LIST_OF(ResourceText, {"cpu", "x"})})}};
  assert_fails(pod_requests_compute(&pod, &arena, &requests, &err),
               "limits of container i: cpu: \"x\" is not a quantity such as 500m, 4 or 2Gi");
  pod = (Pod){.common = &(PodCommon){.overhead = LIST_OF(ResourceText, {"cpu", "x"})}};
  assert_fails(pod_requests_compute(&pod, &arena, &requests, &err),
               "overhead of the pod: cpu: \"x\" is not a quantity such as 500m, 4 or 2Gi");
  pod = (Pod){
      .common = &(PodCommon){.has_pod_resources = true, .pod_requests = LIST_OF(ResourceText, {"cpu", "x"})}};
  assert_fails(pod_requests_compute(&pod, &arena, &requests, &err),
               "requests of the pod: cpu: \"x\" is not a quantity such as 500m, 4 or 2Gi");
}

/* Names that differ from list to list add up; one list alone stays below the limit. */
static void the_number_of_resources_of_a_pod_is_limited(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  ResourceText items[RESOURCES_MAX + 1];
  for (int i = 0; i <= RESOURCES_MAX; i++)
    items[i] = (ResourceText){arena_format(&arena, "example.com/%d", i), "1"};
  ResourceText *last = &items[RESOURCES_MAX];
  Container containers[] = {{.requests = {items, RESOURCES_MAX}}, {.requests = {last, 1}}};
  Pod fitting = {.common = &(PodCommon){.containers = {containers, 1}}},
      summed = {.common = &(PodCommon){.containers = {containers, 2}}};
  Pod starting = {.common = &(PodCommon){.init_containers = {containers, 2}}};
  Pod overhead = {.common = &(PodCommon){.containers = {containers, 1}, .overhead = {last, 1}}};
  const Pod *const too_large[] = {&summed, &starting, &overhead};
  Resources requests;
  Error err;
  assert_ok(pod_requests_compute(&fitting, &arena, &requests, &err));
  assert_int_equal(requests.count, RESOURCES_MAX);
  for (size_t i = 0; i < COUNT_OF(too_large); i++)
    assert_fails(pod_requests_compute(too_large[i], &arena, &requests, &err),
                 "the pod asks for more than 256 different resources");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(containers_are_summed),
      cmocka_unit_test(a_pod_without_requests_asks_for_nothing),
      cmocka_unit_test(a_missing_request_counts_its_limit),
      cmocka_unit_test(the_largest_init_container_counts_where_it_exceeds_the_sum),
      cmocka_unit_test(a_sidecar_runs_beside_the_containers),
      cmocka_unit_test(an_init_container_runs_beside_the_sidecars_before_it_only),
      cmocka_unit_test(pod_level_requests_replace_cpu_memory_and_huge_pages),
      cmocka_unit_test(overhead_comes_on_top_of_everything),
      cmocka_unit_test(a_bad_request_is_reported_with_its_container),
      cmocka_unit_test(the_number_of_resources_of_a_pod_is_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
