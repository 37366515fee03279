/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/cdi_spec.h"

#define COMMON                                                                                               \
  "{\"deviceNodes\":[{\"path\":\"/dev/nvidiactl\"}],\"hooks\":[{\"hookName\":\"createContainer\"}]}"
#define GENERATED                                                                                            \
  "{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\",\"containerEdits\":" COMMON                         \
  ",\"devices\":[{\"name\":\"all\",\"containerEdits\":{}},"                                                  \
  "{\"name\":\"1\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia1\"},"                        \
  "{\"path\":\"/dev/dri/card1\"}]}}]}"
#define BEGINNING "{\"cdiVersion\":\"0.5.0\",\"kind\":\"facet.gpu/gpu\",\"containerEdits\":" COMMON
#define CAP(minor)                                                                                           \
  "{\"path\":\"/dev/nvidia-caps/nvidia-cap" minor "\",\"type\":\"c\",\"major\":238,\"minor\":" minor         \
  ",\"fileMode\":292}"

static const AgentCdiKernel kernel = {
    .mig_minors = "config 1\nmonitor 2\ngpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\ngpu0/gi13/access 120\n",
    .numbers =
        "Character devices:\n  1 mem\n238 nvidia-caps\n239 nvidia-caps-imex-channels\n\nBlock devices:\n",
};

static const char *format(Fixture *f, const char *generated, const GpuObserved *gpu,
                          const GpuInstance *instance) {
  CLEANUP(agent_cdi_edits_freep) AgentCdiEdits *edits = NULL;
  CLEANUP(text_deinit) Text spec = {0};
  Error err = {0};
  assert_ok(agent_cdi_edits_parse(generated, &edits, &err));
  assert_ok(agent_cdi_spec_format(edits, &kernel, gpu, instance, &spec, &err));
  return arena_strdup(&f->arena, text_string(&spec));
}

static void a_slice_gets_the_common_edits_its_gpu_and_its_two_capabilities(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A30", "1g.6gb@0");
  assert_string_equal(format(f, GENERATED, gpu, &gpu->instances[0]),
                      BEGINNING ",\"devices\":[{\"name\":\"MIG-0-0\",\"containerEdits\":{\"deviceNodes\":["
                                "{\"path\":\"/dev/nvidia0\"}," CAP("12") "," CAP("13") "]}}]}\n");
}

static void a_whole_gpu_gets_what_nvidia_ctk_says_of_it(void **state) {
  Fixture *f = *state;
  observe(f, "A30", "");
  const GpuObserved *gpu = observe(f, "A30", "");
  assert_string_equal(format(f, GENERATED, gpu, NULL),
                      BEGINNING ",\"devices\":[{\"name\":\"GPU-1\",\"containerEdits\":{\"deviceNodes\":["
                                "{\"path\":\"/dev/nvidia1\"},{\"path\":\"/dev/dri/card1\"}]}}]}\n");
}

static void a_whole_gpu_that_it_does_not_know_gets_its_node(void **state) {
  Fixture *f = *state;
  const GpuObserved *gpu = observe(f, "A30", "");
  assert_string_equal(format(f, GENERATED, gpu, NULL),
                      BEGINNING ",\"devices\":[{\"name\":\"GPU-0\",\"containerEdits\":{\"deviceNodes\":["
                                "{\"path\":\"/dev/nvidia0\"}]}}]}\n");
}

static void a_driver_below_another_root_has_its_nodes_there(void **state) {
  Fixture *f = *state;
  const GpuObserved *gpu = observe(f, "A30", "");
  const char *spec = format(f,
                            "{\"cdiVersion\":\"0.5.0\",\"containerEdits\":{\"deviceNodes\":[{\"path\":"
                            "\"/dev/nvidiactl\",\"hostPath\":\"/run/nvidia/driver/dev/nvidiactl\"}]}}",
                            gpu, NULL);
  assert_non_null(
      strstr(spec, "{\"path\":\"/dev/nvidia0\",\"hostPath\":\"/run/nvidia/driver/dev/nvidia0\"}"));
}

typedef struct Bad {
  const char *generated, *text;
} Bad;

static void edits_that_are_none_are_named(void **state) {
  static const Bad cases[] = {
      {"---\ncdiVersion: 0.5.0\n", "the CDI edits are not JSON (line 1: '[' or '{' expected near '-'): make "
                                   "them with `nvidia-ctk cdi generate "
                                   "--format=json`"},
      {"{}", "the CDI edits have no cdiVersion or no containerEdits: make them with `nvidia-ctk cdi generate "
             "--format=json`"},
      {"{\"cdiVersion\":\"0.5.0\",\"containerEdits\":[]}",
       "the CDI edits have no cdiVersion or no containerEdits: make them with `nvidia-ctk cdi generate "
       "--format=json`"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    AgentCdiEdits *edits = NULL;
    Error err = {0};
    assert_fails(agent_cdi_edits_parse(cases[i].generated, &edits, &err), cases[i].text);
  }
}

static void refuse(Fixture *f, const AgentCdiKernel *said, const GpuObserved *gpu, const char *text) {
  CLEANUP(agent_cdi_edits_freep) AgentCdiEdits *edits = NULL;
  CLEANUP(text_deinit) Text spec = {0};
  Error err = {0};
  assert_ok(agent_cdi_edits_parse(GENERATED, &edits, &err));
  assert_fails(agent_cdi_spec_format(edits, said, gpu, &gpu->instances[0], &spec, &err), text);
  assert_int_equal(spec.size, 0);
}

static void numbers_that_the_kernel_does_not_tell_are_named(void **state) {
  Fixture *f = *state;
  GpuObserved *gpu = observe(f, "A30", "1g.6gb@0");
  refuse(f, &(AgentCdiKernel){kernel.mig_minors, "Character devices:\n  1 mem\n"}, gpu,
         "/proc/devices has no nvidia-caps: is the nvidia module loaded?");
  gpu->instances[0].gpu_instance_id = 13; /* its compute instance is missing */
  refuse(f, &kernel, gpu, "the driver's list of MIG capabilities (mig-minors) has no gpu0/gi13/ci0/access");
  gpu->instances[0].gpu_instance_id = 3;
  refuse(f, &kernel, gpu, "the driver's list of MIG capabilities (mig-minors) has no gpu0/gi3/access");
  gpu->minor = -1;
  refuse(f, &kernel, gpu, "NVML does not tell the number of GPU 0's node in /dev");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_slice_gets_the_common_edits_its_gpu_and_its_two_capabilities),
      FIXTURE_TEST(a_whole_gpu_gets_what_nvidia_ctk_says_of_it),
      FIXTURE_TEST(a_whole_gpu_that_it_does_not_know_gets_its_node),
      FIXTURE_TEST(a_driver_below_another_root_has_its_nodes_there),
      cmocka_unit_test(edits_that_are_none_are_named),
      FIXTURE_TEST(numbers_that_the_kernel_does_not_tell_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
