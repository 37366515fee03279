/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/world_fixture.h"

#include "agent/migmode.h"

#define MODE  "facet.gpu/mig-mode"
#define ERROR "facet.gpu/error"
#define WHOLE "nvidia.com/gpu"

/* ---- judging ---- */

static GpuObserved *observe_off(Fixture *f, const char *model) {
  GpuObserved *gpu = observe(f, model, "");
  gpu->mode = MIG_MODE_OFF;
  return gpu;
}

static void only_where_people_say_so(void **state) {
  Fixture *f = *state;
  AgentMigMode mode = {0};
  const Map nobody = {0};
  const GpuObserved *gpu = observe_off(f, "NVIDIA H100 80GB HBM3");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &nobody), AGENT_MIGMODE_NOTHING);
  annotate(f, MODE, "yes");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &nobody), AGENT_MIGMODE_NOTHING);
  annotate(f, MODE, "auto");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &nobody), AGENT_MIGMODE_ENABLE);
  annotate(f, MODE, NULL);
  mode.is_on = true;
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &nobody), AGENT_MIGMODE_ENABLE);
  annotate(f, MODE, "off"); /* the node says otherwise */
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &nobody), AGENT_MIGMODE_NOTHING);
}

static void not_on_gpus_that_are_used_excluded_bad_or_paused(void **state) {
  Fixture *f = *state;
  const AgentMigMode mode = {.is_on = true};
  CLEANUP(map_deinit) Map held = {0};
  GpuObserved *gpu = observe_off(f, "NVIDIA H100 80GB HBM3");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, NULL), AGENT_MIGMODE_BUSY);
  map_put(&held, "GPU-0", f);
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &held), AGENT_MIGMODE_BUSY);
  map_clear(&held);
  annotate(f, "facet.gpu/exclude-gpus", "0");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &held), AGENT_MIGMODE_NOTHING);
  annotate(f, "facet.gpu/exclude-gpus", NULL);
  annotate(f, "facet.gpu/paused", "true");
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &held), AGENT_MIGMODE_NOTHING);
  annotate(f, "facet.gpu/paused", NULL);
  gpu->trouble[0] = 'x';
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &held), AGENT_MIGMODE_NOTHING);
  gpu->trouble[0] = '\0';
  gpu->mig_capable = false;
  assert_int_equal(agent_migmode_judge(&mode, &f->node, gpu, &held), AGENT_MIGMODE_NOTHING);
}

static void a_gpu_that_needs_a_reset_is_told_what_to_do(void **state) {
  Fixture *f = *state;
  const AgentMigMode mode = {.is_on = true};
  const Map nobody = {0};
  char text[ERROR_TEXT_SIZE];
  observe_off(f, "NVIDIA H100 80GB HBM3");
  GpuObserved *gpu = observe_off(f, "A100-80GB");
  AgentMigModeVerdict verdict = agent_migmode_judge(&mode, &f->node, gpu, &nobody);
  assert_int_equal(verdict, AGENT_MIGMODE_RESET);
  agent_migmode_format(gpu, verdict, text, sizeof text);
  assert_string_equal(text,
                      "GPU 1 is not in MIG mode, and needs a reset for it: drain the node, then `nvidia-smi "
                      "-i 1 -mig 1` and `nvidia-smi --gpu-reset -i 1`, or reboot");
  gpu->mode = MIG_MODE_PENDING;
  agent_migmode_format(gpu, agent_migmode_judge(&mode, &f->node, gpu, &nobody), text, sizeof text);
  assert_string_equal(text,
                      "GPU 1 needs a reset for its MIG mode: drain the node, then `nvidia-smi --gpu-reset -i "
                      "1`, or reboot");
}

/* ---- the agent ---- */

static GpuObserved *add_off(World *world, const char *model) {
  world->truth->gpu_count = 0;
  GpuObserved *gpu = observe_in(world->truth, model, "");
  gpu->mode = MIG_MODE_OFF;
  return gpu;
}

static void an_idle_gpu_leaves_the_offer_first_and_then_gets_its_mode(void **state) {
  World *world = *state;
  add_off(world, "NVIDIA H100 80GB HBM3");
  settle(world);
  assert_string_equal(amount(world, "allocatable", WHOLE), "1");
  world->scheduler_is_behind = true;
  set_annotation(world, MODE, "auto");
  run_for(world, 20000);
  assert_string_equal(amount(world, "allocatable", WHOLE), "0");
  assert_null(strstr(text_string(&world->story), "enable"));
  world->scheduler_is_behind = false;
  bind_witness(world);
  run_for(world, AGENT_MIGMODE_SETTLE_MS + 2000);
  assert_non_null(strstr(text_string(&world->story), "enable GPU-0;"));
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-H100-80GB-HBM3 mig=on");
  assert_string_equal(amount(world, "allocatable", WHOLE), "0");
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void who_was_promised_the_gpu_gets_it(void **state) {
  World *world = *state;
  add_off(world, "NVIDIA H100 80GB HBM3");
  settle(world);
  set_annotation(world, MODE, "auto");
  run_for(world, 2000);
  text_append(&world->kubelet.held, "GPU-0");
  run_for(world, 20000);
  assert_null(strstr(text_string(&world->story), "enable"));
  assert_string_equal(amount(world, "allocatable", WHOLE), "1");
  assert_non_null(strstr(annotation(world, ERROR),
                         "GPU 0 is not in MIG mode: it is switched on when no pod uses the GPU any more"));
}

static void a_mode_that_cannot_be_set_gives_the_gpu_back(void **state) {
  World *world = *state;
  add_off(world, "NVIDIA H100 80GB HBM3");
  settle(world);
  set_annotation(world, MODE, "auto");
  run_for(world, 2000);
  error_set(&world->driver_error, ERROR_GPU, "switching MIG mode on for GPU 0: no");
  run_for(world, AGENT_MIGMODE_SETTLE_MS);
  world->driver_error = (Error){0};
  run_for(world, 3000);
  assert_string_equal(amount(world, "allocatable", WHOLE), "1");
  assert_non_null(strstr(annotation(world, ERROR), "switching MIG mode on for GPU 0: no"));
  assert_string_equal(text_string(&world->events), "MigModeFailed: switching MIG mode on for GPU 0: no;");
  run_for(world, AGENT_MIGMODE_RETRY_MS + AGENT_MIGMODE_SETTLE_MS + 3000);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-H100-80GB-HBM3 mig=on");
}

static void a_mode_that_a_reboot_took_away_is_told(void **state) {
  World *world = *state;
  add_off(world, "NVIDIA H100 80GB HBM3");
  set_annotation(world, "facet.gpu/gpu-0", "GPU-0 NVIDIA-H100-80GB-HBM3 mig=on");
  settle(world);
  assert_non_null(
      strstr(annotation(world, ERROR),
             "GPU 0 has lost its MIG mode, as GPUs of its kind do when the node reboots: `nvidia-smi -i "
             "0 -mig 1`, or annotate the node with facet.gpu/mig-mode=auto"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(only_where_people_say_so),
      FIXTURE_TEST(not_on_gpus_that_are_used_excluded_bad_or_paused),
      FIXTURE_TEST(a_gpu_that_needs_a_reset_is_told_what_to_do),
      WORLD_TEST(an_idle_gpu_leaves_the_offer_first_and_then_gets_its_mode),
      WORLD_TEST(who_was_promised_the_gpu_gets_it),
      WORLD_TEST(a_mode_that_cannot_be_set_gives_the_gpu_back),
      WORLD_TEST(a_mode_that_a_reboot_took_away_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
