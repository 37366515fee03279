/* SPDX-License-Identifier: Apache-2.0 */
/* Machine files: the one that uses everything, and those that make no sense. */
#include "sim/nvml/machine_file.h"

#include "base/memory.h"
#include "base/test.h"

#include <string.h>

static int load(const char *text, SimMachineFile *ret_file, Error *err) {
  char path[] = "/tmp/facet-sim-machine-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
  int result = sim_machine_file_load(path, ret_file, err);
  unlink(path);
  /* The file's name is another one each time. */
  char *named = strstr(err->text, path);
  if (named)
    memmove(named, named + strlen(path), strlen(named + strlen(path)) + 1);
  return result;
}

static const char whole_text[] = "driver: 535\n"
                                 "gpus:\n"
                                 "  - model: A100-SXM4-80GB\n"
                                 "    count: 2\n"
                                 "    instances:\n"
                                 "      - 3g.40gb@4\n"
                                 "      - {gi: 2g.20gb, ci: [1c@1]}\n"
                                 "      - {gi: 1g.10gb@2, ci: []}\n"
                                 "  - {model: NVIDIA H100 80GB HBM3, mig: off, pending: on, lost: yes}\n"
                                 "processes:\n"
                                 "  - {on: 0/2/0, pid: 4711, name: python3 train.py, memory-mib: 1024}\n"
                                 "  - {on: 1, pid: 12, memory-mib: 0}\n"
                                 "options:\n"
                                 "  uuids: random\n"
                                 "  linger-ms: 40\n"
                                 "faults:\n"
                                 "  - nvmlGpuInstanceDestroy IN_USE call=2 times=3\n";

static void everything_that_may_stand_there(void **test_state) {
  static const char expected[] = "facet-sim-nvml 1\ndriver \nseed 0000000000000000\nserial 10\n"
                                 "option uuids random\noption linger-ms 40\n"
                                 "gpu on on NVIDIA A100-SXM4-80GB\n"
                                 "  gi 2g.20gb start 0 serial 3\n"
                                 "    ci 0 slices 1 start 1 mig 1 serial 4\n"
                                 "  gi 1g.10gb start 2 serial 5\n"
                                 "  gi 3g.40gb start 4 serial 1\n"
                                 "    ci 0 slices 3 start 0 mig 0 serial 2\n"
                                 "gpu on on NVIDIA A100-SXM4-80GB\n"
                                 "  gi 2g.20gb start 0 serial 8\n"
                                 "    ci 0 slices 1 start 1 mig 1 serial 9\n"
                                 "  gi 1g.10gb start 2 serial 10\n"
                                 "  gi 3g.40gb start 4 serial 6\n"
                                 "    ci 0 slices 3 start 0 mig 0 serial 7\n"
                                 "gpu off on NVIDIA H100 80GB HBM3\n"
                                 "  lost\n"
                                 "client 4711 gpu 0 gi 2 ci 0 memory 1024 python3 train.py\n"
                                 "client 12 gpu 1 gi -1 ci -1 memory 0 process\n"
                                 "end\n";
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  CLEANUP(text_deinit) Text formatted = {0}, fault = {0};
  Error err = {0};
  assert_ok(load(whole_text, file, &err));
  sim_state_format(&file->state, &formatted);
  assert_string_equal(text_string(&formatted), expected);
  assert_string_equal(file->driver, "535");
  assert_int_equal(file->faults.count, 1);
  sim_fault_format(&file->faults.list[0], &fault);
  assert_string_equal(text_string(&fault), "nvmlGpuInstanceDestroy IN_USE call=2 times=3");
}

static void what_makes_no_sense_is_named_with_its_line(void **test_state) {
  static const struct {
    const char *text, *complaint;
  } cases[] = {
      {"", " holds nothing"},
      {"gpus: [", ", line 2: no YAML: did not find expected node content"},
      {"- a\n", ", line 1: here must be \"key: value\" lines"},
      {"driver: 550\n", ", line 1: a machine needs gpus"},
      {"gpus: A30\n", ", line 1: gpus must be a list"},
      {"gpus: []\n", ", line 1: a machine needs gpus"},
      {"gpus:\n- {count: 2}\n", ", line 2: a GPU needs its model"},
      {"gpus:\n- {model: T4}\n", ", line 2: simulated machine: no model \"T4\" is known"},
      {"gpus:\n- {model: 'A30,A30'}\n", ", line 2: \"A30,A30\" is no model"},
      {"gpus:\n- {model: A30, count: 0}\n", ", line 2: a simulated machine has 1 to 32 GPUs"},
      {"gpus:\n- {model: A30, count: 33}\n", ", line 2: count is \"33\": not a number up to 32"},
      {"gpus:\n- {model: A30, count: 32}\n- {model: A30}\n",
       ", line 3: a simulated machine has 1 to 32 GPUs"},
      {"gpus:\n- {model: A30, mig: maybe}\n", ", line 2: mig is \"maybe\": neither on nor off"},
      {"gpus:\n- {model: A30, weight: 5}\n", ", line 2: \"weight\" is no key that may stand here"},
      {"gpus:\n- {model: A30}\ngpus: []\n", ", line 3: \"gpus\" stands here twice"},
      {"gpus:\n- {model: A30, mig: off, instances: [1g.6gb]}\n", ", line 2: instances need MIG mode: on"},
      {"gpus:\n- model: A30\n  instances: [9g.6gb]\n",
       ", line 3: \"9g.6gb\" is no instance of NVIDIA A30: such as 1g.6gb or 1g.6gb@0"},
      {"gpus:\n- model: A30\n  instances: [2g.12gb@1]\n",
       ", line 3: 2g.12gb@1 cannot be there: Invalid Argument"},
      {"gpus:\n- model: A30\n  instances: [4g.24gb, 1g.6gb]\n",
       ", line 3: 1g.6gb cannot be there: Insufficient Resources"},
      {"gpus:\n- model: A30\n  instances: [[1g.6gb]]\n", ", line 3: here must be \"key: value\" lines"},
      {"gpus:\n- model: A30\n  instances: &all [*all]\n", ", line 3: here must be \"key: value\" lines"},
      {"gpus:\n- model: A30\n  instances: [{[a]: b}]\n", ", line 3: \"...\" is no key that may stand here"},
      {"gpus:\n- A30\n", ", line 2: here must be \"key: value\" lines"},
      {"gpus:\n- model: A30\n  instances: [{ci: [1c]}]\n",
       ", line 3: an instance needs gi, such as gi: 1g.6gb"},
      {"gpus:\n- model: A30\n  instances: [{gi: 2g.12gb, ci: [3c]}]\n",
       ", line 3: 2g.12gb holds no compute instance of 3 slices"},
      {"gpus:\n- model: A30\n  instances: [{gi: 2g.12gb, ci: [1c@0, 1c@0]}]\n",
       ", line 3: no compute instance of 1 slices can be there: Insufficient Resources"},
      {"gpus:\n- model: A30\n  instances: [{gi: 2g.12gb, ci: [half]}]\n",
       ", line 3: \"half\" is no compute instance: such as 2c or 2c@1"},
      {"gpus: [{model: A30}]\nprocesses:\n- {on: 0/3, pid: 1}\n",
       ", line 3: simulated GPUs: there is no 0/3 for process 1 to be on"},
      {"gpus: [{model: A30}]\nprocesses:\n- {on: here, pid: 1}\n",
       ", line 3: \"here\" is no place: GPU, GPU/GI or GPU/GI/CI"},
      {"gpus: [{model: A30}]\nprocesses:\n- {on: 0}\n",
       ", line 3: a process needs on (such as 0/13/0), pid and a short name"},
      {"gpus: [{model: A30}]\noptions: {uuids: odd}\n",
       ", line 2: uuids is \"odd\": neither place nor random"},
      {"gpus: [{model: A30}]\noptions: [uuids]\n", ", line 2: here must be \"key: value\" lines"},
      {"gpus: [{model: A30}]\nfaults:\n- nvmlInit\n",
       ", line 3: fault \"nvmlInit\": needs a function and an effect"},
      {"gpus: [{model: A30}]\nfaults:\n- [a]\n", ", line 3: a fault is one text: FUNCTION EFFECT ..."},
  };
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Error err = {0};
    assert_true(load(cases[i].text, file, &err) < 0);
    assert_string_equal(err.text, cases[i].complaint);
  }
}

/* Whatever comes out is a machine that can be. */
static void a_file_with_a_wrong_byte_is_refused_or_still_a_machine(void **test_state) {
  static const char bytes[] = {'\0', '\n', ':', '-', '9', '@', '[', '&', '*', 'x', '\x80'};
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  int refused = 0;
  for (size_t at = 0; at < sizeof whole_text - 1; at++) {
    char text[sizeof whole_text];
    Error err = {0};
    memcpy(text, whole_text, sizeof text);
    text[at] = bytes[at * 7 % sizeof bytes];
    if (load(text, file, &err) == 0)
      assert_ok(sim_state_check(&file->state, &err));
    else
      refused++;
  }
  assert_true(refused > 100);
}

static void a_file_that_is_not_there_is_named(void **test_state) {
  CLEANUP(cleanup_free) SimMachineFile *file = mem_alloc(sizeof *file);
  Error err = {0};
  assert_int_equal(sim_machine_file_load("/nonexistent/m.yaml", file, &err), -ERROR_IO);
  assert_string_equal(err.text, "cannot read /nonexistent/m.yaml: No such file or directory");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_that_may_stand_there),
      cmocka_unit_test(what_makes_no_sense_is_named_with_its_line),
      cmocka_unit_test(a_file_with_a_wrong_byte_is_refused_or_still_a_machine),
      cmocka_unit_test(a_file_that_is_not_there_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
