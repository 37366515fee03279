/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "gpu/observed_testing.h"
#include "gpu/transaction.h"

typedef struct World {
  GpuObserved gpu;
  GpuPlaces goal;
  GpuTransaction transaction;
  const char *stays; /* slices that may not be destroyed: "1g.10gb@0 1g.10gb@1" */
  Text story;
} World;

static const MigProfile *profile_of(const World *world, int nvml_id) {
  return mig_model_find_nvml_id(&world->gpu.model, nvml_id);
}

static void aim(World *world, const char *slices) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(slices);
  char *rest = copy, *slice;
  world->goal.count = 0;
  while ((slice = strsep(&rest, " "))) {
    char name[MIG_PROFILE_NAME_SIZE];
    int start;
    if (sscanf(slice, "%23[^@]@%d", name, &start) != 2)
      continue;
    const MigProfile *profile = &world->gpu.model.profiles[mig_model_find_profile(&world->gpu.model, name)];
    gpu_places_add(&world->goal, (GpuPlace){profile->nvml_id, (uint8_t)start, profile->size});
  }
}

static void begin(World *world, const char *slices, const char *goal, bool is_all_or_nothing) {
  *world = (World){.stays = ""};
  observe_gpu(&world->gpu, 0, mig_model_find("A100-80GB"), slices);
  aim(world, goal);
  gpu_transaction_begin(&world->transaction, &world->gpu, is_all_or_nothing);
}

static void describe(const World *world, const GpuInstance *instance, Text *text) {
  text_format(text, "%s@%d", profile_of(world, instance->nvml_id)->name, instance->start);
}

static bool may_destroy(void *userdata, const GpuObserved *gpu, const GpuInstance *instance) {
  const World *world = userdata;
  CLEANUP(text_deinit) Text name = {0};
  describe(world, instance, &name);
  return !strstr(world->stays, text_string(&name));
}

static GpuStep next(World *world, GpuJob *ret_job) {
  return gpu_transaction_next(&world->transaction, &world->gpu, &world->goal, may_destroy, world, ret_job);
}

static void carry_out(World *world, const GpuJob *job) {
  GpuObserved *gpu = &world->gpu;
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].start == job->start && gpu->instances[i].nvml_id == job->nvml_id)
      gpu->instances[i--] = gpu->instances[--gpu->instance_count];
  if (job->kind == GPU_JOB_DESTROY)
    return;
  char slice[64];
  snprintf(slice, sizeof slice, "%s@%d", profile_of(world, job->nvml_id)->name, job->start);
  observe_slice(gpu, slice);
}

static int note(World *world, const GpuJob *job, const GpuObserved *gpu, int code, const char *text) {
  Error result = {0}, err;
  if (code)
    error_set(&result, (ErrorCode)code, "%s", text);
  return gpu_transaction_note(&world->transaction, job, profile_of(world, job->nvml_id)->name, gpu, &result,
                              &err);
}

/* Goes on to the end. A job on `broken` ("create 1g.10gb@6") fails. */
static const char *run(World *world, const char *broken) {
  GpuJob job;
  text_clear(&world->story);
  for (int i = 0; i < 100 && next(world, &job) == GPU_STEP_JOB; i++) {
    CLEANUP(text_deinit) Text step = {0};
    text_format(&step, "%s %s@%d", job.kind == GPU_JOB_CREATE ? "create" : "destroy",
                profile_of(world, job.nvml_id)->name, job.start);
    bool fails = broken && strstr(broken, text_string(&step));
    if (!fails)
      carry_out(world, &job);
    text_format(&world->story, "%s%s;", text_string(&step), fails ? " fails" : "");
    int r = note(world, &job, &world->gpu, fails ? ERROR_GPU : 0, "no");
    assert_int_equal(r, fails ? -ERROR_GPU : 0);
  }
  return text_string(&world->story);
}

static void assert_layout(World *world, const char *expected) {
  CLEANUP(text_deinit) Text text = {0};
  for (int start = 0; start < MIG_SLOTS_MAX; start++)
    for (int i = 0; i < world->gpu.instance_count; i++)
      if (world->gpu.instances[i].start == start) {
        text_append(&text, text.size ? " " : "");
        describe(world, &world->gpu.instances[i], &text);
      }
  assert_string_equal(text_string(&text), expected);
}

static void end(World *world) {
  text_deinit(&world->story);
}

static const char *sentence(const World *world) {
  static char text[ERROR_TEXT_SIZE];
  gpu_transaction_format(&world->transaction, text, sizeof text);
  return text;
}

/* ---- forward ---- */

static void the_smallest_set_of_steps_destructions_first(void **state) {
  static const struct {
    const char *slices, *goal, *steps, *after;
  } changes[] = {
      {"1g.10gb@0", "1g.10gb@0", "", "1g.10gb@0"},
      {"", "1g.10gb@6 2g.20gb@0", "create 1g.10gb@6;create 2g.20gb@0;", "2g.20gb@0 1g.10gb@6"},
      {"1g.10gb@0 1g.10gb@1 3g.40gb@4", "2g.20gb@0 3g.40gb@4",
       "destroy 1g.10gb@0;destroy 1g.10gb@1;create 2g.20gb@0;", "2g.20gb@0 3g.40gb@4"},
      {"7g.80gb@0", "", "destroy 7g.80gb@0;", ""},
      {"1g.10gb@3", "1g.10gb+me@3", "destroy 1g.10gb@3;create 1g.10gb+me@3;", "1g.10gb+me@3"},
      {"1g.10gb@3?", "1g.10gb@3", "create 1g.10gb@3;", "1g.10gb@3"},
      {"1g.10gb@3?", "2g.20gb@2", "destroy 1g.10gb@3;create 2g.20gb@2;", "2g.20gb@2"},
  };
  for (size_t i = 0; i < COUNT_OF(changes); i++) {
    World world;
    begin(&world, changes[i].slices, changes[i].goal, true);
    assert_string_equal(run(&world, NULL), changes[i].steps);
    assert_layout(&world, changes[i].after);
    assert_int_equal(world.transaction.state, GPU_TRANSACTION_DONE);
    assert_string_equal(sentence(&world), "");
    end(&world);
  }
}

static void what_may_not_go_is_waited_for(void **state) {
  World world;
  GpuJob job;
  begin(&world, "1g.10gb@4 1g.10gb@0", "3g.40gb@4", true);
  world.stays = "1g.10gb@4 1g.10gb@0";
  assert_int_equal(next(&world, &job), GPU_STEP_BLOCKED);
  world.stays = "1g.10gb@0";
  assert_string_equal(run(&world, NULL), "destroy 1g.10gb@4;create 3g.40gb@4;");
  end(&world);
}

static void a_goal_may_change_on_the_way(void **state) {
  World world;
  GpuJob job;
  begin(&world, "", "1g.10gb@6", false);
  run(&world, NULL);
  aim(&world, "1g.10gb@6 1g.10gb@5");
  assert_int_equal(next(&world, &job), GPU_STEP_JOB);
  assert_int_equal(job.start, 5);
  end(&world);
}

/* ---- failures ---- */

static void growth_leaves_out_what_fails_and_keeps_the_rest(void **state) {
  World world;
  begin(&world, "1g.10gb@0", "1g.10gb@0 1g.10gb@6 1g.10gb@5", false);
  world.stays = "1g.10gb@0";
  assert_string_equal(run(&world, "create 1g.10gb@6"), "create 1g.10gb@6 fails;create 1g.10gb@5;");
  assert_string_equal(sentence(&world), "creating 1g.10gb at slot 6 of GPU 0 failed: no");
  assert_true(gpu_transaction_is_sound(&world.transaction));
  end(&world);
}

static void all_or_nothing_takes_back_what_it_made(void **state) {
  World world;
  begin(&world, "1g.10gb@0", "1g.10gb@0 1g.10gb@6 1g.10gb@5", true);
  assert_string_equal(run(&world, "create 1g.10gb@5"),
                      "create 1g.10gb@6;create 1g.10gb@5 fails;destroy 1g.10gb@6;");
  assert_layout(&world, "1g.10gb@0");
  assert_int_equal(world.transaction.state, GPU_TRANSACTION_UNDONE);
  end(&world);
}

static void after_a_destruction_the_last_layout_comes_back(void **state) {
  World world;
  begin(&world, "1g.10gb@4 1g.10gb@5 1g.10gb@0", "1g.10gb@0 3g.40gb@4 1g.10gb@1", false);
  assert_string_equal(run(&world, "create 3g.40gb@4"),
                      "destroy 1g.10gb@4;destroy 1g.10gb@5;create 3g.40gb@4 fails;"
                      "create 1g.10gb@4;create 1g.10gb@5;");
  assert_layout(&world, "1g.10gb@0 1g.10gb@4 1g.10gb@5");
  assert_string_equal(sentence(&world),
                      "creating 3g.40gb at slot 4 of GPU 0 failed: no; its last layout was restored");
  end(&world);
}

/* What was created meanwhile was offered, and perhaps promised: it may not be taken back. */
static void what_was_offered_meanwhile_stays_and_the_rest_comes_back(void **state) {
  World world;
  begin(&world, "1g.10gb@4 1g.10gb@5 1g.10gb@6", "2g.20gb@4 2g.20gb@0", false);
  GpuJob job;
  while (next(&world, &job) == GPU_STEP_JOB && job.kind == GPU_JOB_DESTROY) {
    carry_out(&world, &job);
    assert_int_equal(note(&world, &job, &world.gpu, 0, ""), 0);
  }
  world.stays = "2g.20gb@4";
  assert_string_equal(run(&world, "create 2g.20gb@0"),
                      "create 2g.20gb@4;create 2g.20gb@0 fails;create 1g.10gb@6;");
  assert_string_equal(
      sentence(&world),
      "creating 2g.20gb at slot 0 of GPU 0 failed: no; its last layout could not be restored in full");
  end(&world);
}

static void a_slice_that_cannot_be_destroyed_ends_the_change(void **state) {
  World world;
  begin(&world, "1g.10gb@4 1g.10gb@5", "3g.40gb@4", false);
  assert_string_equal(run(&world, "destroy 1g.10gb@5"),
                      "destroy 1g.10gb@4;destroy 1g.10gb@5 fails;create 1g.10gb@4;");
  assert_layout(&world, "1g.10gb@4 1g.10gb@5");
  end(&world);
}

/* Its compute instance is gone, the rest is held by somebody. */
static void half_a_destruction_is_undone_by_creating_again(void **state) {
  World world;
  GpuJob job;
  begin(&world, "1g.10gb@4", "3g.40gb@4", false);
  assert_int_equal(next(&world, &job), GPU_STEP_JOB);
  world.gpu.instances[0].uuid[0] = '\0';
  assert_int_equal(note(&world, &job, &world.gpu, ERROR_GPU, "in use"), -ERROR_GPU);
  assert_string_equal(run(&world, NULL), "create 1g.10gb@4;");
  assert_string_equal(sentence(&world),
                      "destroying 1g.10gb at slot 4 of GPU 0 failed: in use; its last layout was restored");
  end(&world);
}

static void undoing_goes_on_after_a_failure_and_says_what_is_lost(void **state) {
  World world;
  begin(&world, "1g.10gb@4 1g.10gb@5", "3g.40gb@4", false);
  assert_string_equal(run(&world, "create 3g.40gb@4 create 1g.10gb@4"),
                      "destroy 1g.10gb@4;destroy 1g.10gb@5;create 3g.40gb@4 fails;create 1g.10gb@4 fails;"
                      "create 1g.10gb@5;");
  assert_string_equal(sentence(&world),
                      "creating 3g.40gb at slot 4 of GPU 0 failed: no; its last layout could not be restored "
                      "in full: creating 1g.10gb at slot 4 of GPU 0 failed: no");
  end(&world);
}

/* ---- what the driver says and shows ---- */

static void what_the_driver_shows_counts_whatever_it_says(void **state) {
  World world;
  GpuJob job;
  begin(&world, "", "1g.10gb@6", false);
  assert_int_equal(next(&world, &job), GPU_STEP_JOB);
  GpuObserved empty = world.gpu;
  carry_out(&world, &job);
  assert_int_equal(note(&world, &job, &world.gpu, ERROR_GPU, "it says no"), 0);
  assert_int_equal(note(&world, &job, &empty, 0, ""), -ERROR_GPU);
  assert_string_equal(sentence(&world), "creating 1g.10gb at slot 6 of GPU 0 failed: the driver reported "
                                        "success, but the slice is not there");
  end(&world);
}

static void a_worker_that_dies_is_tried_three_times(void **state) {
  World world;
  GpuJob job;
  begin(&world, "", "1g.10gb@6", false);
  for (int i = 1; i < GPU_TRANSACTION_TRIES_MAX; i++) {
    assert_int_equal(next(&world, &job), GPU_STEP_JOB);
    assert_int_equal(note(&world, &job, NULL, ERROR_TIMEOUT, "it hangs"), GPU_TRANSACTION_AGAIN);
  }
  assert_int_equal(next(&world, &job), GPU_STEP_JOB);
  assert_int_equal(note(&world, &job, NULL, ERROR_TIMEOUT, "it hangs"), -ERROR_TIMEOUT);
  assert_int_equal(next(&world, &job), GPU_STEP_OVER);
  assert_string_equal(sentence(&world), "creating 1g.10gb at slot 6 of GPU 0 failed: it hangs");
  end(&world);
}

static void a_way_back_that_hangs_is_given_up(void **state) {
  World world;
  GpuJob job;
  begin(&world, "1g.10gb@4 1g.10gb@5", "3g.40gb@4", false);
  GpuStep step;
  int hangs = 0;
  while ((step = next(&world, &job)) == GPU_STEP_JOB && hangs < 100) {
    bool dies = job.kind == GPU_JOB_CREATE;
    if (!dies)
      carry_out(&world, &job);
    int r = note(&world, &job, dies ? NULL : &world.gpu, dies ? ERROR_TIMEOUT : 0, "it hangs");
    assert_true(r != 0 || !dies);
    hangs += dies;
  }
  assert_int_equal(step, GPU_STEP_OVER);
  assert_int_equal(hangs, 2 * GPU_TRANSACTION_TRIES_MAX);
  end(&world);
}

static void the_next_life_undoes_to_what_it_is_told(void **state) {
  World world;
  begin(&world, "", "3g.40gb@4", false);
  const MigProfile *small = &world.gpu.model.profiles[mig_model_find_profile(&world.gpu.model, "1g.10gb")];
  gpu_transaction_add_good(&world.transaction, (GpuPlace){small->nvml_id, 4, small->size});
  assert_string_equal(run(&world, "create 3g.40gb@4"), "create 3g.40gb@4 fails;create 1g.10gb@4;");
  end(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_smallest_set_of_steps_destructions_first),
      cmocka_unit_test(what_may_not_go_is_waited_for),
      cmocka_unit_test(a_goal_may_change_on_the_way),
      cmocka_unit_test(growth_leaves_out_what_fails_and_keeps_the_rest),
      cmocka_unit_test(all_or_nothing_takes_back_what_it_made),
      cmocka_unit_test(after_a_destruction_the_last_layout_comes_back),
      cmocka_unit_test(what_was_offered_meanwhile_stays_and_the_rest_comes_back),
      cmocka_unit_test(a_slice_that_cannot_be_destroyed_ends_the_change),
      cmocka_unit_test(half_a_destruction_is_undone_by_creating_again),
      cmocka_unit_test(undoing_goes_on_after_a_failure_and_says_what_is_lost),
      cmocka_unit_test(what_the_driver_shows_counts_whatever_it_says),
      cmocka_unit_test(a_worker_that_dies_is_tried_three_times),
      cmocka_unit_test(a_way_back_that_hangs_is_given_up),
      cmocka_unit_test(the_next_life_undoes_to_what_it_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
