/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/halves.h"

enum { NOW_MS = 1000000 };

typedef struct Left {
  Fixture *f;
  AgentTransactions *transactions;
  AgentHalves halves;
  uint64_t now_ms;
} Left;

static void left_init(Left *left, Fixture *f) {
  *left = (Left){.f = f, .transactions = mem_alloc(sizeof *left->transactions), .now_ms = NOW_MS};
}

static void left_deinit(Left *left) {
  free(left->transactions);
  agent_halves_deinit(&left->halves);
}

static const AgentHalf *next(Left *left) {
  const AgentWantedView view = {
      .node = &left->f->node, .observation = left->f->observation, .now_ms = left->now_ms};
  return agent_halves_next(&left->halves, &view, left->transactions);
}

/* How long until it is tried, in steps of a second. */
static uint64_t wait_for_next(Left *left) {
  for (uint64_t ms = 0; ms <= 2 * AGENT_HALF_MOST_MS; ms += 1000, left->now_ms += 1000)
    if (next(left))
      return ms;
  return 0;
}

/* "1g.10gb@6", bare for long; the transaction has tried it in vain. */
static GpuObserved *give_up(Left *left) {
  GpuObserved *gpu = observe(left->f, "A100-80GB", "1g.10gb@6?");
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS;
  GpuTransaction *transaction = agent_wanted_begin(left->transactions, gpu);
  gpu_places_add(&transaction->failed,
                 (GpuPlace){gpu->instances[0].nvml_id, gpu->instances[0].start, gpu->instances[0].size});
  return gpu;
}

static const char *said(Left *left) {
  CLEANUP(text_deinit) Text text = {0};
  agent_halves_append(&left->halves, &text);
  return arena_strdup(&left->f->arena, text_string(&text));
}

static void it_is_tried_after_longer_and_longer_waits(void **state) {
  static const uint64_t waits_s[] = {30, 60, 120, 240, 480, 600, 600};
  Left left;
  left_init(&left, *state);
  give_up(&left);
  for (size_t i = 0; i < COUNT_OF(waits_s); i++)
    assert_int_equal(wait_for_next(&left), waits_s[i] * 1000);
  left_deinit(&left);
}

static void the_job_is_for_the_half_only_as_long_as_it_is_one(void **state) {
  Left left;
  GpuJob job;
  left_init(&left, *state);
  GpuObserved *gpu = give_up(&left);
  assert_null(next(&left));
  left.now_ms += AGENT_HALF_FIRST_MS;
  agent_halves_set_job(next(&left), &job);
  assert_int_equal(job.kind, GPU_JOB_DESTROY);
  assert_true(job.is_bare && job.start == 6 && job.size == 1 && job.nvml_id == gpu->instances[0].nvml_id);
  assert_string_equal(job.uuid, gpu->uuid);
  left_deinit(&left);
}

static void it_is_told_of_until_it_is_gone(void **state) {
  Left left;
  left_init(&left, *state);
  GpuObserved *gpu = give_up(&left);
  assert_null(next(&left));
  assert_string_equal(
      said(&left), "half of 1g.10gb at slot 6 of GPU 0 is left: the driver neither completed nor removed it; "
                   "facet goes on trying, at least every 10 minutes");
  gpu->instance_count = 0;
  assert_null(next(&left));
  assert_string_equal(said(&left), "");
  left_deinit(&left);
}

static void what_its_transaction_still_works_at_is_not_touched(void **state) {
  Left left;
  left_init(&left, *state);
  give_up(&left);
  left.transactions->items[0].failed.count = 0;
  assert_int_equal(wait_for_next(&left), 0);
  left.transactions->count = 0; /* a new plan */
  assert_int_equal(wait_for_next(&left), 0);
  assert_string_equal(said(&left), "");
  left_deinit(&left);
}

static void a_transaction_that_was_undone_has_given_up(void **state) {
  Left left;
  left_init(&left, *state);
  give_up(&left);
  left.transactions->items[0].failed.count = 0;
  left.transactions->items[0].state = GPU_TRANSACTION_UNDONE;
  assert_int_equal(wait_for_next(&left), AGENT_HALF_FIRST_MS);
  left_deinit(&left);
}

static void what_is_young_or_kept_or_excluded_is_not_touched(void **state) {
  static const char *const words[][2] = {{"facet.gpu/exclude-gpus", "0"},
                                         {"facet.gpu/keep-gpu-0", "1g.10gb@6"}};
  Left left;
  left_init(&left, *state);
  GpuObserved *gpu = give_up(&left);
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS + 1;
  assert_null(next(&left));
  assert_string_equal(said(&left), "");
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS;
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    annotate(left.f, words[i][0], words[i][1]);
    assert_int_equal(wait_for_next(&left), 0);
    left.f->node.meta.annotations.count = 0;
  }
  left_deinit(&left);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(it_is_tried_after_longer_and_longer_waits),
      FIXTURE_TEST(the_job_is_for_the_half_only_as_long_as_it_is_one),
      FIXTURE_TEST(it_is_told_of_until_it_is_gone),
      FIXTURE_TEST(what_its_transaction_still_works_at_is_not_touched),
      FIXTURE_TEST(a_transaction_that_was_undone_has_given_up),
      FIXTURE_TEST(what_is_young_or_kept_or_excluded_is_not_touched),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
