/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/relied.h"

#define STATUS   "facet.gpu/status-gpu-0"
#define IDENTITY "facet.gpu/gpu-0"

static void say(Fixture *f, const char *uuid, const char *status) {
  annotate(f, IDENTITY, arena_format(&f->arena, "%s NVIDIA-A100-SXM4-80GB mig=on", uuid));
  annotate(f, STATUS, status);
}

/* "1g.10gb@6 2g.20gb@0", of the first GPU. */
static const char *lost(Fixture *f, const AgentRelied *relied, bool is_answered) {
  const AgentWantedView view = {.node = &f->node, .observation = f->observation, .is_answered = is_answered};
  const GpuObserved *gpu = &f->observation->gpus[0];
  GpuPlaces places = {0};
  CLEANUP(text_deinit) Text text = {0};
  bool is_any = agent_relied_find_lost(relied, &view, gpu, &places);
  assert_int_equal(is_any, places.count > 0);
  for (int i = 0; i < places.count; i++)
    text_format(&text, "%s%s@%d", i ? " " : "",
                mig_model_find_nvml_id(&gpu->model, places.items[i].nvml_id)->name, places.items[i].start);
  return arena_strdup(&f->arena, text_string(&text));
}

static void used_slices_that_a_gpu_lost_while_nobody_looked_are_known_from_the_node(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "1g.10gb@5");
  say(f, "GPU-0", "2g.20gb@0:used,1g.10gb@4:free,1g.10gb@5:used,1g.10gb@6:used");
  agent_relied_read(&relied, &f->node, f->observation);
  assert_string_equal(lost(f, &relied, true), "2g.20gb@0 1g.10gb@6");
}

static void what_is_back_is_not_lost(void **state) {
  Fixture *f = *state;
  Map held = {0};
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "");
  say(f, "GPU-0", "1g.10gb@6:used");
  agent_relied_read(&relied, &f->node, f->observation);
  observe_slices(&f->observation->gpus[0], "1g.10gb@6");
  assert_string_equal(lost(f, &relied, true), "");
  agent_relied_note(&relied, &held, f->observation);
  f->observation->gpus[0].instance_count = 0; /* somebody's hand, later */
  assert_string_equal(lost(f, &relied, true), "");
}

static void another_gpu_at_the_place_of_the_old_one_lost_nothing(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "");
  say(f, "GPU-7", "1g.10gb@6:used");
  agent_relied_read(&relied, &f->node, f->observation);
  assert_string_equal(lost(f, &relied, true), "");
}

static void a_status_that_cannot_be_read_says_nothing(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "");
  say(f, "GPU-0", "everything");
  agent_relied_read(&relied, &f->node, f->observation);
  assert_string_equal(lost(f, &relied, true), "");
}

static void a_newer_wish_counts_more_than_what_the_node_says(void **state) {
  Fixture *f = *state;
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "");
  say(f, "GPU-0", "1g.10gb@6:used");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 3g.40gb@4");
  agent_relied_read(&relied, &f->node, f->observation);
  assert_string_equal(lost(f, &relied, false), "");
  assert_string_equal(lost(f, &relied, true), "1g.10gb@6");
}

static void a_slice_that_goes_while_a_pod_holds_it_is_lost(void **state) {
  Fixture *f = *state;
  CLEANUP(map_deinit) Map held = {0};
  CLEANUP(agent_relied_deinit) AgentRelied relied = {0};
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 3g.40gb@4");
  map_put(&held, "MIG-0-6", f);
  agent_relied_note(&relied, &held, f->observation);
  assert_string_equal(lost(f, &relied, false), "");
  f->observation->gpus[0].instance_count = 0;
  agent_relied_note(&relied, &held, f->observation);
  assert_string_equal(lost(f, &relied, false), "1g.10gb@6");
  map_clear(&held); /* its pod has ended */
  agent_relied_note(&relied, &held, f->observation);
  assert_string_equal(lost(f, &relied, false), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(used_slices_that_a_gpu_lost_while_nobody_looked_are_known_from_the_node),
      FIXTURE_TEST(what_is_back_is_not_lost),
      FIXTURE_TEST(another_gpu_at_the_place_of_the_old_one_lost_nothing),
      FIXTURE_TEST(a_status_that_cannot_be_read_says_nothing),
      FIXTURE_TEST(a_newer_wish_counts_more_than_what_the_node_says),
      FIXTURE_TEST(a_slice_that_goes_while_a_pod_holds_it_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
