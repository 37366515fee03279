/* SPDX-License-Identifier: Apache-2.0 */
/* The verb as a user runs it. The first argument is the executable. */
#include "base/test.h"

#include "base/text.h"

#include <sys/wait.h>

enum { ARGUMENTS_MAX = 12 };

static const char *executable;

typedef struct Run {
  Text output; /* both streams */
  int exit_code;
} Run;

static void run_demo(const char *const *arguments, Run *ret_run) {
  const char *line[ARGUMENTS_MAX + 3] = {executable, "demo"};
  for (int i = 0; arguments[i]; i++)
    line[i + 2] = arguments[i];
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    execv(executable, (char *const *)line);
    _exit(127);
  }
  close(ends[1]);
  *ret_run = (Run){0};
  char buffer[4096];
  for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;)
    text_append_bytes(&ret_run->output, buffer, (size_t)size);
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  ret_run->exit_code = WEXITSTATUS(status);
}

/* The output must end in these lines; "<s>" stands for a time. */
static void assert_ends_with(const Text *output, const char *expected) {
  CLEANUP(text_deinit) Text seen = {0};
  for (const char *p = text_string(output); *p;) {
    const char *in = string_has_prefix(p, "Running in ") ? p + strlen("Running in ") : NULL;
    size_t digits = in ? strspn(in, "0123456789.") : 0;
    if (digits)
      text_append(&seen, "Running in <s>");
    else
      text_append_bytes(&seen, p, 1);
    p = digits ? in + digits : p + 1;
  }
  if (!string_has_suffix(text_string(&seen), expected))
    fail_msg("the output does not end in \"%s\":\n%s", expected, text_string(output));
}

static void the_demo_ends_by_itself_and_says_how_many_pods_run(void **state) {
  static const struct {
    const char *arguments[ARGUMENTS_MAX];
    int exit_code;
    const char *end;
  } cases[] = {
      {{"--fast"}, 0, "\n3 of 3 pods Running in <s> s\n"},
      {{"--speed", "20", "--verbose"}, 0, "\n3 of 3 pods Running in <s> s\n"},
      {{"--fast", "--pods", "5x1g.10gb"}, 0, "\n5 of 5 pods Running in <s> s\n"},
      {{"--fast", "--gpus", "2xH100-80GB", "--pods", "3x2g.20gb,1x7g.80gb"},
       0,
       "\n4 of 4 pods Running in <s> s\n"},
      {{"--fast", "--nodes", "3", "--pods", "21x1g.10gb"}, 0, "\n21 of 21 pods Running in <s> s\n"},
      {{"--fast", "--gpus", "A30", "--no-color"},
       1,
       "\n4 of 5 pods Running in <s> s\n1 pod still waits: demo/p-5 (1g.6gb): all free slots for 1g.6gb are "
       "needed by 4 "
       "pods that are served instead\n"},
      {{"--gpus", "K80"}, 2, "GB300, RTX-PRO-6000\n"},
      {{"--speed", "0"}, 2, "facet demo: --speed wants a factor such as 0.5 or 10, not \"0\"\n"},
      {{"--quick"}, 2, "facet demo: unknown option --quick; see `facet demo --help`\n"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Run run;
    run_demo(cases[i].arguments, &run);
    assert_ends_with(&run.output, cases[i].end);
    assert_int_equal(run.exit_code, cases[i].exit_code);
    text_deinit(&run.output);
  }
}

static void the_timeline_tells_each_step_and_shows_the_slots(void **state) {
  static const char *const arguments[] = {"--fast", NULL};
  static const char *const steps[] = {
      "creates pods demo/p-1 to p-5, which ask for a slice 1g.10gb each",
      "demo/p-1 waits: 0/1 nodes are available: 1 Insufficient nvidia.com/mig-1g.10gb.",
      "planned: node gpu-1 GPU 0: 5 x 1g.10gb, 1 x 2g.20gb",
      "|2g.20gb new      |1g.10gb+|1g.10gb+|1g.10gb+|1g.10gb+|1g.10gb+|   .    |",
      "cut: node gpu-1 GPU 0: 1g.10gb at slot 6",
      "node gpu-1 offers nvidia.com/mig-1g.10gb: 1",
      "demo/p-1 goes to node gpu-1",
      "demo/p-1 runs on gpu-1 with MIG-",
      "5 of 5 pods Running in ",
      "deletes pods demo/p-1 to p-3",
      "creates pod demo/p-6, which asks for a slice 3g.40gb",
      "planned: node gpu-1 GPU 0: 1 x 3g.40gb in place of free 3 x 1g.10gb",
      "|2g.20gb free     |1g.10gb*|1g.10gb*|3g.40gb new                        |",
      "reserves what is to be taken away: pod facet-system/facet-reservation-",
      "the reservation goes to node gpu-1: nobody else was promised these slices",
      "took away: node gpu-1 GPU 0: 1g.10gb at slot 4",
      "cut: node gpu-1 GPU 0: 3g.40gb at slot 4",
      "node gpu-1 offers nvidia.com/mig-3g.40gb: 1",
      "demo/p-6 runs on gpu-1 with MIG-",
      "has seen what node gpu-1 offers now",
      "lets the reservation go",
      "|2g.20gb free     |1g.10gb*|1g.10gb*|3g.40gb used                       |",
  };
  Run run;
  run_demo(arguments, &run);
  const char *rest = text_string(&run.output);
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    const char *found = strstr(rest, steps[i]);
    if (!found) {
      fail_msg("\"%s\" is not told, or too early:\n%s", steps[i], text_string(&run.output));
      return;
    }
    rest = found;
  }
  assert_null(strchr(text_string(&run.output), '\033'));
  text_deinit(&run.output);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_demo_ends_by_itself_and_says_how_many_pods_run),
      cmocka_unit_test(the_timeline_tells_each_step_and_shows_the_slots),
  };
  executable = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
