/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/live.h"

#include "base/random.h"

enum { PODS = 500, SEEDS = 20, EVENTS = 60 };

typedef struct Crowd {
  Pod pods[PODS];
  char names[PODS][8];
  bool waits[PODS];
  LiveCluster live;
} Crowd;

static void crowd_init(Crowd *crowd, Random *random) {
  static const int64_t ages[] = {INT64_MIN, -1, 0, 1, 1700000000, INT64_MAX};
  *crowd = (Crowd){0};
  live_init(&crowd->live);
  for (int i = 0; i < PODS; i++) {
    snprintf(crowd->names[i], sizeof crowd->names[i], "p%d", i);
    crowd->pods[i] =
        (Pod){.meta = {.name = crowd->names[i],
                       .namespace_ = random_below(random, 2) ? "a" : "b",
                       .creation_time = random_below(random, 10) ? (int64_t)random_below(random, 100)
                                                                 : ages[random_below(random, 6)]},
              .priority = (int32_t)random_below(random, 2)};
  }
}

static void crowd_deinit(Crowd *crowd) {
  live_deinit(&crowd->live);
}

static void move(Crowd *crowd, int pod) {
  if (crowd->waits[pod])
    live_remove_pod(&crowd->live, &crowd->pods[pod], NULL);
  else
    live_put_pod(&crowd->live, &crowd->pods[pod], NULL);
  crowd->waits[pod] = !crowd->waits[pod];
}

static int compare_pods(const Pod *a, const Pod *b) {
  if (a->meta.creation_time != b->meta.creation_time)
    return a->meta.creation_time < b->meta.creation_time ? -1 : 1;
  int order = strcmp(a->meta.namespace_, b->meta.namespace_);
  return order ? order : strcmp(a->meta.name, b->meta.name);
}

static void assert_in_order(Snapshot *snapshot) {
  snapshot_order_pods(snapshot);
  assert_int_equal(snapshot->by_age.count, snapshot->pods.count);
  for (size_t i = 0; i < snapshot->by_age.count; i++) {
    const SnapshotQueued *queued = &snapshot->by_age.items[i];
    const SnapshotPod *pod = &snapshot->pods.items[queued->pod];
    assert_int_equal(queued->spec, pod->spec->number);
    assert_int_equal(pod->spec->priority, pod->priority);
    if (i)
      assert_true(compare_pods(snapshot->pods.items[queued[-1].pod].object, pod->object) < 0);
  }
}

static void pods_are_in_the_order_of_age_and_name_however_many_came_and_went(void **state) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    CLEANUP(crowd_deinit) Crowd crowd;
    Random random = {.state = seed};
    print_message("# seed %llu\n", (unsigned long long)seed);
    crowd_init(&crowd, &random);
    for (int event = 0; event < EVENTS; event++) {
      uint64_t moves = random_below(&random, 5) ? random_below(&random, 6) : random_below(&random, 300);
      for (uint64_t i = 0; i < moves; i++)
        move(&crowd, (int)random_below(&random, PODS));
      assert_in_order(live_snapshot(&crowd.live));
    }
  }
}

/* What is noted until somebody asks has a limit. */
static void changes_that_nobody_asks_about_take_no_memory(void **state) {
  CLEANUP(crowd_deinit) Crowd crowd;
  Random random = {.state = 1};
  crowd_init(&crowd, &random);
  for (int i = 0; i < 10000; i++) {
    move(&crowd, (int)random_below(&random, PODS));
    assert_true(live_snapshot(&crowd.live)->reordered.capacity <= 256);
  }
  assert_in_order(live_snapshot(&crowd.live));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pods_are_in_the_order_of_age_and_name_however_many_came_and_went),
      cmocka_unit_test(changes_that_nobody_asks_about_take_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
