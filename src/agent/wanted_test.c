/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/wanted.h"

enum { NOW_MS = 1000000 };

static void compute(const Fixture *f, AgentTransactions *transactions, AgentWanted *ret_wanted) {
  const AgentWantedView view = {.node = &f->node, .observation = f->observation, .now_ms = NOW_MS};
  agent_wanted_compute(&view, transactions, ret_wanted);
}

/* "create 1g.10gb@6 on 0", "clear 1g.10gb@6 on 0", "done"; then ", skipped 2" and "; problem". */
static const char *wanted_with(Fixture *f, AgentTransactions *transactions) {
  AgentWanted wanted;
  CLEANUP(text_deinit) Text text = {0};
  compute(f, transactions, &wanted);
  if (wanted.step == AGENT_STEP_JOB)
    text_format(&text, "%s %s@%d on %d", wanted.job.kind == GPU_JOB_CREATE ? "create" : "clear",
                wanted.profile, wanted.job.start, wanted.gpu);
  else
    text_append(&text, "done");
  if (wanted.skipped)
    text_format(&text, ", skipped %d", wanted.skipped);
  if (wanted.problem[0])
    text_format(&text, "; %s", wanted.problem);
  return arena_strdup(&f->arena, text_string(&text));
}

static const char *wanted_of(Fixture *f) {
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  return wanted_with(f, transactions);
}

/* Creates what is wanted until nothing is, as the driver would; "1g.10gb@6 1g.10gb@5". */
static const char *carry_out(Fixture *f) {
  CLEANUP(text_deinit) Text text = {0};
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  AgentWanted wanted;
  for (int i = 0; i < 100; i++) {
    compute(f, transactions, &wanted);
    if (wanted.step == AGENT_STEP_DONE)
      return arena_strdup(&f->arena, text_string(&text));
    assert_int_equal(wanted.job.kind, GPU_JOB_CREATE);
    char slice[64];
    snprintf(slice, sizeof slice, "%s@%d", wanted.profile, wanted.job.start);
    text_format(&text, "%s%s", text.size ? " " : "", slice);
    observe_slice(&f->observation->gpus[wanted.gpu], slice);
  }
  fail_msg("it never ends: %s", text_string(&text));
  return NULL;
}

/* ---- one GPU, one annotation ---- */

typedef struct Case {
  const char *what;
  const char *slices;
  const char *key, *value;
  const char *expected;
} Case;

#define SPEC "facet.gpu/spec-gpu-0"

static const Case cases[] = {
    {"nothing is wanted", "", "other", "x", "done"},
    {"no slices are wanted", "1g.10gb@6", SPEC, "GPU-0", "done"},
    {"the first of the list comes first", "", SPEC, "GPU-0 1g.10gb@6,2g.20gb@0,1g.10gb@5",
     "create 1g.10gb@6 on 0"},
    {"what exists is passed over", "1g.10gb@6", SPEC, "GPU-0 1g.10gb@6,2g.20gb@0,1g.10gb@5",
     "create 2g.20gb@0 on 0"},
    {"all exists", "1g.10gb@6 2g.20gb@0", SPEC, "GPU-0 1g.10gb@6,2g.20gb@0", "done"},
    {"what is not wanted stays", "3g.40gb@4 1g.10gb@0", SPEC, "GPU-0 1g.10gb@0", "done"},
    {"a taken place is passed over", "2g.20gb@4", SPEC, "GPU-0 1g.10gb@5,1g.10gb@6",
     "create 1g.10gb@6 on 0, skipped 1"},
    {"all places are taken", "7g.80gb@0", SPEC, "GPU-0 1g.10gb@5,1g.10gb@6", "done, skipped 2"},
    {"another profile at the place", "1g.10gb@6", SPEC, "GPU-0 1g.10gb+me@6", "done, skipped 1"},
    {"an incomplete instance is completed", "1g.10gb@6?", SPEC, "GPU-0 1g.10gb@6", "create 1g.10gb@6 on 0"},
    {"half an instance of another profile makes room", "1g.10gb@6?", SPEC, "GPU-0 1g.10gb+me@6",
     "clear 1g.10gb@6 on 0"},
    {"half an instance that a plan leaves out goes", "1g.10gb@6? 1g.10gb@5", SPEC, "GPU-0",
     "clear 1g.10gb@6 on 0"},
    {"one with smaller compute instances is somebody's", "3g.40gb@4!", SPEC, "GPU-0 1g.10gb@6",
     "done, skipped 1"},
    {"half an instance may be another program's, which completes it", "1g.10gb@6?", "other", "x", "done"},
    {"half an instance of a plan for another GPU stays", "1g.10gb@6?", SPEC, "GPU-9",
     "done; GPU 0 is GPU-0, but the plan was made for GPU-9: nothing was changed on it"},
    {"another GPU's plan", "", SPEC, "GPU-9 1g.10gb@6",
     "done; GPU 0 is GPU-0, but the plan was made for GPU-9: nothing was changed on it"},
    {"garbage", "", SPEC, "GPU-0 one slice, please",
     "done; annotation facet.gpu/spec-gpu-0: \"one slice\" is not a slice: one looks like 1g.10gb@6"},
    {"nothing at all", "", SPEC, "",
     "done; annotation facet.gpu/spec-gpu-0: \"\" is not the UUID of a GPU: one looks like "
     "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3"},
    {"a profile of another model, the rest goes on", "", SPEC, "GPU-0 1g.5gb@6,1g.10gb@5",
     "create 1g.10gb@5 on 0; GPU 0 (NVIDIA-A100-SXM4-80GB) has no profile 1g.5gb"},
    {"a place that the profile cannot have, the rest goes on", "", SPEC,
     "GPU-0 3g.40gb@1,1g.10gb@31,1g.10gb@5",
     "create 1g.10gb@5 on 0; GPU 0 (NVIDIA-A100-SXM4-80GB) cannot have 3g.40gb at slot 1; "
     "GPU 0 (NVIDIA-A100-SXM4-80GB) cannot have 1g.10gb at slot 31"},
    {"a GPU that is not there", "", "facet.gpu/spec-gpu-3", "GPU-3 1g.10gb@6",
     "done; the plan speaks of GPU 3, but this node has none"},
    {"a key that is none", "", "facet.gpu/spec-gpu-03", "GPU-3 1g.10gb@6", "done"},
    {"counts go where the driver would put them", "", "nos.nebuly.com/spec-gpu-0-3g.40gb", "1",
     "create 3g.40gb@4 on 0"},
    {"counts that exist", "1g.10gb@2", "nos.nebuly.com/spec-gpu-0-1g.10gb", "1", "done"},
    {"counts of nothing", "1g.10gb@2", "nos.nebuly.com/spec-gpu-0-1g.10gb", "0", "done"},
    {"more than there is room for", "4g.40gb@0 3g.40gb@4", "nos.nebuly.com/spec-gpu-0-1g.10gb", "7",
     "done, skipped 1"},
    {"counts complete an instance", "1g.10gb@2?", "nos.nebuly.com/spec-gpu-0-1g.10gb", "1",
     "create 1g.10gb@2 on 0"},
    {"an incomplete one that no count wants", "1g.10gb@2?", "nos.nebuly.com/spec-gpu-0-1g.10gb", "0", "done"},
    {"a count that is none", "", "nos.nebuly.com/spec-gpu-0-1g.10gb", "some",
     "done; annotation nos.nebuly.com/spec-gpu-0-1g.10gb: \"some\" is not a number of slices"},
    {"an empty count", "", "nos.nebuly.com/spec-gpu-0-1g.10gb", "",
     "done; annotation nos.nebuly.com/spec-gpu-0-1g.10gb: \"\" is not a number of slices"},
    {"a negative count", "", "nos.nebuly.com/spec-gpu-0-1g.10gb", "-1",
     "done; annotation nos.nebuly.com/spec-gpu-0-1g.10gb: \"-1\" is not a number of slices"},
    {"a count beyond any GPU", "", "nos.nebuly.com/spec-gpu-0-1g.10gb", "33",
     "done; annotation nos.nebuly.com/spec-gpu-0-1g.10gb: \"33\" is not a number of slices"},
    {"a count of another model's profile", "", "nos.nebuly.com/spec-gpu-0-1g.5gb", "1",
     "done; GPU 0 (NVIDIA-A100-SXM4-80GB) has no profile 1g.5gb"},
    {"a count for another GPU", "", "nos.nebuly.com/spec-gpu-1-1g.10gb", "1", "done"},
    {"a status is no wish", "", "nos.nebuly.com/status-gpu-0-1g.10gb-free", "1", "done"},
};

static void one_annotation_and_one_gpu(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    void *own;
    fixture_init(&own);
    Fixture *f = own;
    observe(f, "A100-80GB", cases[i].slices);
    annotate(f, cases[i].key, cases[i].value);
    const char *wanted = wanted_of(f);
    if (strcmp(wanted, cases[i].expected) != 0)
      fail_msg("%s: \"%s\" where \"%s\" is expected", cases[i].what, wanted, cases[i].expected);
    fixture_deinit(&own);
  }
}

static void a_job_names_the_gpu_by_its_uuid_and_the_slice_by_numbers(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "7g.80gb@0");
  observe(f, "A100-80GB", "");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1 3g.40gb@4");
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  AgentWanted wanted;
  compute(f, transactions, &wanted);
  assert_int_equal(wanted.step, AGENT_STEP_JOB);
  assert_int_equal(wanted.job.kind, GPU_JOB_CREATE);
  assert_string_equal(wanted.job.uuid, "GPU-1");
  assert_int_equal(wanted.job.nvml_id, 9); /* nvidia-smi mig -lgip on an A100 */
  assert_int_equal(wanted.job.start, 4);
  assert_int_equal(wanted.job.size, 4);
  assert_int_equal(wanted.gpu, 1);
}

/* ---- orders and failures ---- */

static void a_plan_is_carried_out_in_its_order(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  annotate(f, SPEC, "GPU-0 1g.10gb@6,1g.10gb@5,1g.10gb@4,1g.10gb@3,1g.10gb@2,2g.20gb@0");
  assert_string_equal(carry_out(f), "1g.10gb@6 1g.10gb@5 1g.10gb@4 1g.10gb@3 1g.10gb@2 2g.20gb@0");
}

static void counts_are_carried_out_larger_profiles_first(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@0");
  annotate(f, "nos.nebuly.com/spec-gpu-0-1g.10gb", "3");
  annotate(f, "nos.nebuly.com/spec-gpu-0-3g.40gb", "1");
  const char *created = carry_out(f);
  assert_true(string_has_prefix(created, "3g.40gb@4 1g.10gb@"));
  assert_int_equal(f->observation->gpus[0].instance_count, 4);
}

static void the_exact_form_wins_over_counts(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  annotate(f, "nos.nebuly.com/spec-gpu-0-7g.80gb", "1");
  annotate(f, SPEC, "GPU-0 1g.10gb@3");
  assert_string_equal(carry_out(f), "1g.10gb@3");
}

static void gpus_are_served_one_after_the_other(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  observe(f, "NVIDIA H100 80GB HBM3", "");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 2g.20gb@0");
  assert_string_equal(carry_out(f), "2g.20gb@0 1g.10gb@6");
}

static void a_bad_wish_for_one_gpu_does_not_stop_the_next(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  observe(f, "A100-80GB", "");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-7 1g.10gb@6");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6");
  assert_string_equal(wanted_of(f), "create 1g.10gb@6 on 1; GPU 0 is GPU-0, but the plan was made for GPU-7: "
                                    "nothing was changed on it");
}

/* The driver refuses the job that is wanted next. */
static void refuse(Fixture *f, AgentTransactions *transactions) {
  AgentWanted wanted;
  Error refusal, err;
  compute(f, transactions, &wanted);
  assert_int_equal(wanted.step, AGENT_STEP_JOB);
  error_set(&refusal, ERROR_GPU, "no");
  assert_int_equal(gpu_transaction_note(agent_wanted_transaction(transactions, wanted.job.uuid), &wanted.job,
                                        wanted.profile, &f->observation->gpus[wanted.gpu], &refusal, &err),
                   -ERROR_GPU);
}

static void what_failed_is_not_tried_again_and_the_rest_goes_on(void **state) {
  Fixture *f = *state;
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  observe(f, "A100-80GB", "");
  observe(f, "A100-80GB", "");
  annotate(f, SPEC, "GPU-0 1g.10gb@6,1g.10gb@4");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6");
  refuse(f, transactions);
  assert_string_equal(wanted_with(f, transactions), "create 1g.10gb@4 on 0");
  refuse(f, transactions);
  assert_string_equal(wanted_with(f, transactions), "create 1g.10gb@6 on 1");
}

static void a_count_that_failed_at_its_place_ends(void **state) {
  Fixture *f = *state;
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  observe(f, "A100-80GB", "");
  annotate(f, "nos.nebuly.com/spec-gpu-0-7g.80gb", "1");
  refuse(f, transactions);
  assert_string_equal(wanted_with(f, transactions), "done");
}

/* ---- half of a slice ---- */

static void half_of_a_slice_is_cleared_away_when_nobody_completed_it_in_10_s(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6? 3g.40gb@0!");
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS + 1;
  assert_string_equal(wanted_of(f), "done");
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS;
  assert_string_equal(wanted_of(f), "clear 1g.10gb@6 on 0");
}

static void half_of_a_slice_is_cleared_away_where_the_wish_cannot_be_understood(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A100-80GB", "1g.10gb@6? 3g.40gb@0");
  gpu->instances[0].bare_since_ms = NOW_MS - AGENT_BARE_MS;
  annotate(f, SPEC, "GPU-0 9g.5gb@77");
  assert_string_equal(wanted_of(f),
                      "clear 1g.10gb@6 on 0; annotation facet.gpu/spec-gpu-0: \"9g.5gb@77\" is not a "
                      "slice: one looks like 1g.10gb@6");
}

static void half_of_a_slice_stays_where_people_say_so(void **state) {
  static const char *const words[][2] = {{"facet.gpu/exclude-gpus", "0"},
                                         {"facet.gpu/keep-gpu-0", "1g.10gb@6"},
                                         {"facet.gpu/keep-gpu-0", "the last one"}};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    void *own;
    fixture_init(&own);
    Fixture *f = own;
    observe(f, "A100-80GB", "1g.10gb@6?");
    annotate(f, SPEC, "GPU-0");
    annotate(f, words[i][0], words[i][1]);
    assert_string_equal(wanted_of(f), "done");
    fixture_deinit(&own);
  }
}

static void problems_that_do_not_fit_are_cut(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < 20; i++) {
    observe(f, "A100-80GB", "");
    annotate(f, arena_format(&f->arena, "facet.gpu/spec-gpu-%d", i), "GPU-of-another-node 1g.10gb@6");
  }
  CLEANUP(cleanup_free) AgentTransactions *transactions = mem_alloc(sizeof *transactions);
  AgentWanted wanted;
  compute(f, transactions, &wanted);
  assert_int_equal(strlen(wanted.problem), sizeof wanted.problem - 1);
}

/* ---- hands off ---- */

static void a_gpu_without_mig_or_without_a_model_is_left_alone(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "")->mode = MIG_MODE_OFF;
  observe(f, "A100-80GB", "")->mode = MIG_MODE_PENDING;
  observe(f, "A100-80GB", "")->model.profile_count = 0;
  for (int i = 0; i < 3; i++)
    annotate(f, arena_format(&f->arena, "facet.gpu/spec-gpu-%d", i),
             arena_format(&f->arena, "GPU-%d 1g.10gb@6", i));
  assert_string_equal(wanted_of(f), "done");
}

static void an_excluded_gpu_is_left_alone(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  observe(f, "A100-80GB", "");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@6");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@5");
  annotate(f, "facet.gpu/exclude-gpus", "0,7");
  assert_string_equal(carry_out(f), "1g.10gb@5");
}

static void an_exclusion_that_cannot_be_read_excludes_all(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@6");
  annotate(f, "facet.gpu/exclude-gpus", "the first one");
  assert_string_equal(wanted_of(f), "done");
}

static void only_the_label_hands_a_node_over(void **state) {
  Fixture *f = *state;
  assert_true(agent_wanted_is_managed(&f->node));
  f->label.value = "mps";
  assert_false(agent_wanted_is_managed(&f->node));
  f->node.meta.labels.count = 0;
  assert_false(agent_wanted_is_managed(&f->node));
}

static void anything_but_false_is_a_pause(void **state) {
  static const struct {
    const char *value;
    bool paused;
  } pauses[] = {{"true", true}, {"false", false}, {"yes", true}, {"", true}};
  Fixture *f = *state;
  assert_false(agent_wanted_is_paused(&f->node));
  for (size_t i = 0; i < COUNT_OF(pauses); i++) {
    annotate(f, "facet.gpu/paused", pauses[i].value);
    assert_true(agent_wanted_is_paused(&f->node) == pauses[i].paused);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_annotation_and_one_gpu),
      FIXTURE_TEST(a_job_names_the_gpu_by_its_uuid_and_the_slice_by_numbers),
      FIXTURE_TEST(a_plan_is_carried_out_in_its_order),
      FIXTURE_TEST(counts_are_carried_out_larger_profiles_first),
      FIXTURE_TEST(the_exact_form_wins_over_counts),
      FIXTURE_TEST(gpus_are_served_one_after_the_other),
      FIXTURE_TEST(a_bad_wish_for_one_gpu_does_not_stop_the_next),
      FIXTURE_TEST(what_failed_is_not_tried_again_and_the_rest_goes_on),
      FIXTURE_TEST(a_count_that_failed_at_its_place_ends),
      FIXTURE_TEST(half_of_a_slice_is_cleared_away_when_nobody_completed_it_in_10_s),
      FIXTURE_TEST(half_of_a_slice_is_cleared_away_where_the_wish_cannot_be_understood),
      cmocka_unit_test(half_of_a_slice_stays_where_people_say_so),
      FIXTURE_TEST(problems_that_do_not_fit_are_cut),
      FIXTURE_TEST(a_gpu_without_mig_or_without_a_model_is_left_alone),
      FIXTURE_TEST(an_excluded_gpu_is_left_alone),
      FIXTURE_TEST(an_exclusion_that_cannot_be_read_excludes_all),
      FIXTURE_TEST(only_the_label_hands_a_node_over),
      FIXTURE_TEST(anything_but_false_is_a_pause),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
