/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "kube/program.h"

#include <signal.h>

typedef struct Heard {
  int ends;
  KubeProgramFate fate;
  int number;
  Text output, words;
} Heard;

static void cleanup_heard(Heard *heard) {
  text_deinit(&heard->output);
  text_deinit(&heard->words);
}

static void on_end(void *userdata, const KubeProgramEnd *end) {
  Heard *heard = userdata;
  heard->ends++;
  heard->fate = end->fate;
  heard->number = end->number;
  text_append(&heard->output, text_string(end->output));
  text_append(&heard->words, text_string(end->words));
}

static KubeProgram *start(uv_loop_t *loop, const char *script, uint32_t timeout_ms, Heard *heard) {
  const char *const args[] = {"sh", "-c", script, NULL}, *const env[] = {"GREETING=hello",
                                                                         "PATH=/usr/bin:/bin", NULL};
  return kube_program_start(loop, &(KubeProgramOptions){.file = "/bin/sh",
                                                        .args = args,
                                                        .env = env,
                                                        .timeout_ms = timeout_ms,
                                                        .output_max = 100,
                                                        .on_end = on_end,
                                                        .userdata = heard});
}

/* Nothing is left of it on the loop. */
static void run_it(const char *script, uint32_t timeout_ms, Heard *heard) {
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  start(&loop, script, timeout_ms, heard);
  assert_int_equal(heard->ends, 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(heard->ends, 1);
}

static void what_it_writes_and_how_it_ends_is_told(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  run_it("echo $GREETING; echo oh >&2; cat; exit 3", 60000, &heard);
  assert_int_equal(heard.fate, KUBE_PROGRAM_ENDED);
  assert_int_equal(heard.number, 3);
  assert_string_equal(text_string(&heard.output), "hello\n");
  assert_string_equal(text_string(&heard.words), "oh\n");
}

static void a_signal_is_told(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  run_it("kill -TERM $$", 60000, &heard);
  assert_int_equal(heard.fate, KUBE_PROGRAM_KILLED);
  assert_int_equal(heard.number, SIGTERM);
}

static void one_that_takes_too_long_is_killed_and_its_children_not_waited_for(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  run_it("sleep 600 & echo begun; sleep 600", 300, &heard);
  assert_int_equal(heard.fate, KUBE_PROGRAM_TOO_SLOW);
}

static void output_has_a_limit(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  run_it("printf %0100d 0", 60000, &heard);
  assert_int_equal(heard.fate, KUBE_PROGRAM_ENDED);
  assert_int_equal(heard.output.size, 100);
  CLEANUP(cleanup_heard) Heard longer = {0};
  run_it("printf %0101d 0; exec sleep 600", 60000, &longer);
  assert_int_equal(longer.fate, KUBE_PROGRAM_TOO_LONG);
}

static void what_cannot_be_started_is_told_from_the_loop(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  uv_loop_t loop;
  const char *const args[] = {"nothing", NULL}, *const env[] = {NULL};
  assert_int_equal(uv_loop_init(&loop), 0);
  kube_program_start(&loop, &(KubeProgramOptions){.file = "/nowhere/nothing",
                                                  .args = args,
                                                  .env = env,
                                                  .timeout_ms = 60000,
                                                  .on_end = on_end,
                                                  .userdata = &heard});
  assert_int_equal(heard.ends, 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(heard.fate, KUBE_PROGRAM_NOT_STARTED);
  assert_int_equal(heard.number, UV_ENOENT);
}

static void one_that_is_cancelled_is_killed_and_says_nothing(void **state) {
  CLEANUP(cleanup_heard) Heard heard = {0};
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0);
  kube_program_cancel(start(&loop, "exec sleep 600", 60000, &heard));
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(heard.ends, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_it_writes_and_how_it_ends_is_told),
      cmocka_unit_test(a_signal_is_told),
      cmocka_unit_test(one_that_takes_too_long_is_killed_and_its_children_not_waited_for),
      cmocka_unit_test(output_has_a_limit),
      cmocka_unit_test(what_cannot_be_started_is_told_from_the_loop),
      cmocka_unit_test(one_that_is_cancelled_is_killed_and_says_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
