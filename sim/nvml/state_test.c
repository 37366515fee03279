/* SPDX-License-Identifier: Apache-2.0 */
/* The state's text and the description of a machine: what is written is read again, and nothing else is. */
#include "base/memory.h"
#include "base/random.h"
#include "sim/nvml/fixture.h"

#include <inttypes.h>

static const char full_text[] = "facet-sim-nvml 1\n"
                                "driver 550.163.01\n"
                                "seed 0000000000000001\n"
                                "serial 5\n"
                                "gpu on on NVIDIA A100-SXM4-80GB\n"
                                "  gi 3g.40gb start 0 serial 2\n"
                                "    ci 0 slices 2 start 0 mig 1 serial 3 processes 255\n"
                                "  gi 1g.10gb start 6 serial 1\n"
                                "    ci 0 slices 1 start 0 mig 0 serial 5\n"
                                "gpu off on NVIDIA A30\n"
                                "end\n";

static void a_state_is_written_as_it_was_read(void **test_state) {
  SimState state;
  Error err = {0};
  assert_ok(sim_state_parse(full_text, &state, &err));
  assert_ok(sim_state_check(&state, &err));
  assert_int_equal(state.gpu_count, 2);
  assert_int_equal(state.gpus[0].gi_count, 2);
  assert_false(state.gpus[1].mig_on);
  assert_true(state.gpus[1].mig_on_pending);
  CLEANUP(text_deinit) Text text = {0};
  sim_state_format(&state, &text);
  assert_string_equal(text_string(&text), full_text);
}

/* Whatever the calls can reach survives the text. */
static void random_states_survive_the_text(void **test_state) {
  uint64_t seed = 20261122;
  printf("# seed=%" PRIu64 "\n", seed);
  Random random = {.state = seed};
  SimNvml *nvml = fixture_start("A100-SXM4-80GB,A30,RTX-PRO-6000,H100-80GB-HBM3", NULL);
  for (int round = 0; round < 2000; round++) {
    NvmlDevice gpu = fixture_gpu((unsigned)random_below(&random, 4));
    NvmlGpuInstanceProfileInfo profile;
    NvmlGpuInstance instance;
    NvmlComputeInstance compute;
    if (nvmlDeviceGetGpuInstanceProfileInfo(gpu, (unsigned)random_below(&random, 17), &profile) ==
        NVML_SUCCESS)
      (void)nvmlDeviceCreateGpuInstance(gpu, profile.id, &instance);
    if (nvmlDeviceGetGpuInstanceById(gpu, (unsigned)random_below(&random, 15), &instance) == NVML_SUCCESS) {
      (void)nvmlGpuInstanceCreateComputeInstance(instance, (unsigned)random_below(&random, 5), &compute);
      if (nvmlGpuInstanceGetComputeInstanceById(instance, (unsigned)random_below(&random, 7), &compute) ==
          NVML_SUCCESS)
        (void)nvmlComputeInstanceDestroy(compute);
      (void)nvmlGpuInstanceDestroy(instance);
    }
    SimState state, again;
    Error err = {0};
    CLEANUP(text_deinit) Text text = {0};
    CLEANUP(text_deinit) Text text_again = {0};
    assert_ok(sim_nvml_load(nvml, &state, &err));
    sim_state_format(&state, &text);
    assert_ok(sim_state_parse(text_string(&text), &again, &err));
    sim_state_format(&again, &text_again);
    assert_string_equal(text_string(&text), text_string(&text_again));
  }
  fixture_stop(nvml);
}

static void a_text_cut_anywhere_is_refused(void **test_state) {
  SimState state;
  Error err = {0};
  for (size_t size = 0; size < sizeof full_text - 1; size++) {
    CLEANUP(cleanup_free) char *cut = mem_strndup(full_text, size);
    assert_true(sim_state_parse(cut, &state, &err) < 0);
    assert_int_equal(err.code, ERROR_PROTOCOL);
  }
}

/* No flipped byte may bring the simulator into a state that its calls could not reach. */
static void a_text_with_a_wrong_byte_is_refused_or_still_a_state(void **test_state) {
  for (size_t i = 0; i < sizeof full_text - 1; i++)
    for (int byte = 1; byte < 256; byte++) {
      char text[sizeof full_text];
      memcpy(text, full_text, sizeof text);
      text[i] = (char)byte;
      SimState state;
      Error err = {0};
      if (sim_state_parse(text, &state, &err) == 0)
        assert_ok(sim_state_check(&state, &err));
    }
}

static void wrong_lines_are_named(void **test_state) {
  static const struct {
    const char *lines, *expected;
  } cases[] = {
      {"gpu on on NVIDIA T4\n", "line 5, \"gpu on on NVIDIA T4\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 9g.9gb start 0 serial 1\n",
       "line 6, \" gi 9g.9gb start 0 serial 1\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 1g.6gb start 4 serial 1\n",
       "line 6, \" gi 1g.6gb start 4 serial 1\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 1g.6gb start 0 serial 9\n",
       "line 6, \" gi 1g.6gb start 0 serial 9\", makes no sense there"},
      {"gpu off off NVIDIA A30\n gi 1g.6gb start 0 serial 1\n",
       "line 6, \" gi 1g.6gb start 0 serial 1\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 1g.6gb start 0 serial 1\n gi 2g.12gb start 0 serial 2\n",
       "line 7, \" gi 2g.12gb start 0 serial 2\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 1g.6gb start 0 serial 1\n ci 0 slices 2 start 0 mig 0 serial 2\n",
       "line 7, \" ci 0 slices 2 start 0 mig 0 serial 2\", makes no sense there"},
      {"gpu on on NVIDIA A30\n gi 1g.6gb start 0 serial 1\n ci 0 slices 1 start 0 mig 4 serial 2\n",
       "line 7, \" ci 0 slices 1 start 0 mig 4 serial 2\", makes no sense there"},
      {" ci 0 slices 1 start 0 mig 0 serial 2\n",
       "line 5, \" ci 0 slices 1 start 0 mig 0 serial 2\", makes no sense there"},
      {"hello\n", "line 5, \"hello\", makes no sense there"},
      {"", "the last line, \"end\", is missing: the file was cut"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(cleanup_free)
    char *text = mem_format("facet-sim-nvml 1\ndriver 550.1\nseed 0\nserial 5\n%s", cases[i].lines);
    SimState state;
    Error err = {0};
    assert_fails(sim_state_parse(text, &state, &err), cases[i].expected);
  }
}

static void machines_are_lists_of_models(void **test_state) {
  SimState state;
  Error err = {0};
  assert_ok(sim_state_parse_machine("2xA100-SXM4-80GB,NVIDIA A30:mig=off,NVIDIA-H100-80GB-HBM3,A100-80GB",
                                    &state, &err));
  assert_int_equal(state.gpu_count, 5);
  assert_string_equal(state.gpus[1].product, "NVIDIA A100-SXM4-80GB");
  assert_true(state.gpus[1].mig_on);
  assert_string_equal(state.gpus[2].product, "NVIDIA A30");
  assert_false(state.gpus[2].mig_on);
  assert_string_equal(state.gpus[3].product, "NVIDIA H100 80GB HBM3");
  assert_string_equal(state.gpus[4].product, "NVIDIA A100-SXM4-80GB");
  assert_ok(sim_state_parse_machine("32xA30", &state, &err));
  assert_int_equal(state.gpu_count, 32);
}

static void wrong_machines_are_explained(void **test_state) {
  static const struct {
    const char *machine, *expected;
  } cases[] = {
      {"", "simulated machine: no model \"\" is known"},
      {"T4", "simulated machine: no model \"T4\" is known"},
      {"A30,", "simulated machine: no model \"\" is known"},
      {"RTX PRO 5000 Blackwell",
       "simulated machine: \"RTX PRO 5000 Blackwell\" cannot be simulated: nobody knows its placements"},
      {"A30:mig=maybe", "simulated machine: \"A30:mig=maybe\": only :mig=on or :mig=off may stand behind a "
                        "model"},
      {"33xA30", "simulated machine: \"33xA30\": a simulated machine has 1 to 32 GPUs"},
      {"0xA30", "simulated machine: \"0xA30\": a simulated machine has 1 to 32 GPUs"},
      {"99999999999999999999xA30",
       "simulated machine: \"99999999999999999999xA30\": a simulated machine has 1 to 32 GPUs"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimState state;
    Error err = {0};
    assert_fails(sim_state_parse_machine(cases[i].machine, &state, &err), cases[i].expected);
  }
}

static void every_kind_of_line_reads_as_it_is_written(void **test_state) {
  static const char text[] = "facet-sim-nvml 1\n"
                             "driver 550.163.01\n"
                             "seed 00000000000000ff\n"
                             "serial 4\n"
                             "option handles alias\n"
                             "option latency 0.5\n"
                             "option root /tmp/x\n"
                             "gpu on off NVIDIA A100-SXM4-80GB\n"
                             "  gi 2g.20gb start 0 serial 3\n"
                             "    ci 0 slices 2 start 0 mig 1 serial 4 processes 2 busy 99\n"
                             "  gi 3g.40gb start 4 serial 1 busy 12345678901\n"
                             "gpu off off NVIDIA A30\n"
                             "  lost\n"
                             "  compute-mode 3\n"
                             "client 4711 gpu 0 gi 3 ci 0 memory 12 python3 train.py\n"
                             "client 1 gpu 1 gi -1 ci -1 memory 0 a b\n"
                             "event 7 gpu 1 type 8 data 79 gi -1 ci -1\n"
                             "event 9 gpu 0 type 256 data 0 gi 3 ci 0\n"
                             "end\n";
  SimState state;
  Error err = {0};
  CLEANUP(text_deinit) Text formatted = {0};
  assert_ok(sim_state_parse(text, &state, &err));
  assert_ok(sim_state_check(&state, &err));
  sim_state_format(&state, &formatted);
  assert_string_equal(text_string(&formatted), text);
}

static void newer_lines_that_make_no_sense_are_refused(void **test_state) {
  static const char *const lines[] = {
      "option uuids odd",
      "option uuids random now",
      "lost and found",
      "compute-mode 4",
      "client 5 gpu 3 gi -1 ci -1 memory 0 x",
      "client 5 gpu 0 gi 3 ci -1 memory 0 x",
      "client 5 gpu 0 gi -1 ci -1 memory 0 ",
      "event 0 gpu 0 type 8 data 79 gi -1 ci -1",
      "event 1 gpu 5 type 8 data 79 gi -1 ci -1",
      "event 1 gpu 0 type 8 data 79",
      "  gi 1g.6gb start 0 serial 0 busy",
      "  gi 1g.6gb start 0 serial 0 processes 1",
  };
  for (size_t i = 0; i < COUNT_OF(lines); i++) {
    CLEANUP(text_deinit) Text text = {0};
    char complaint[128];
    SimState state;
    Error err = {0};
    text_format(&text,
                "facet-sim-nvml 1\ndriver 550.163.01\nseed 0\nserial 0\ngpu on on NVIDIA A30\n%s\nend\n",
                lines[i]);
    assert_int_equal(sim_state_parse(text_string(&text), &state, &err), -ERROR_PROTOCOL);
    snprintf(complaint, sizeof complaint, "line 6, \"%s\", makes no sense there", lines[i]);
    assert_string_equal(err.text, complaint);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_line_reads_as_it_is_written),
      cmocka_unit_test(newer_lines_that_make_no_sense_are_refused),
      cmocka_unit_test(a_state_is_written_as_it_was_read),
      cmocka_unit_test(random_states_survive_the_text),
      cmocka_unit_test(a_text_cut_anywhere_is_refused),
      cmocka_unit_test(a_text_with_a_wrong_byte_is_refused_or_still_a_state),
      cmocka_unit_test(wrong_lines_are_named),
      cmocka_unit_test(machines_are_lists_of_models),
      cmocka_unit_test(wrong_machines_are_explained),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
