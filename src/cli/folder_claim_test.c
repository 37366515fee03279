/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "cli/folder_claim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static int make_folder(void **state) {
  *state = mem_strdup("/tmp/facet-claim-XXXXXX");
  return mkdtemp(*state) ? 0 : -1;
}

static int remove_folder(void **state) {
  rmdir(*state);
  free(*state);
  return 0;
}

static void the_first_has_it_and_the_second_hears_so(void **state) {
  const char *folder = *state;
  CLEANUP(cleanup_close) int first = -1;
  int second = -1;
  Error err = {0};
  assert_ok(cli_folder_claim(folder, &first, &err));
  CLEANUP(cleanup_free)
  char *words = mem_format("another facet agent serves the device plugin folder %s", folder);
  assert_fails(cli_folder_claim(folder, &second, &err), words);
  assert_int_equal(second, -1);
}

static void it_is_free_again_when_it_was_closed(void **state) {
  Error err = {0};
  for (int life = 0; life < 3; life++) {
    CLEANUP(cleanup_close) int fd = -1;
    assert_ok(cli_folder_claim(*state, &fd, &err));
  }
}

static pid_t start_an_agent(const char *folder) {
  int begun[2];
  assert_int_equal(pipe(begun), 0);
  pid_t agent = fork();
  if (agent == 0) {
    int fd;
    Error err = {0};
    char is_ours = cli_folder_claim(folder, &fd, &err) == 0;
    (void)!write(begun[1], &is_ours, 1);
    pause();
  }
  char is_ours = 0;
  assert_int_equal(read(begun[0], &is_ours, 1), 1);
  assert_true(is_ours);
  close(begun[0]);
  close(begun[1]);
  return agent;
}

static void a_killed_agent_leaves_no_claim_behind(void **state) {
  CLEANUP(cleanup_close) int fd = -1;
  Error err = {0};
  pid_t agent = start_an_agent(*state);
  assert_true(cli_folder_claim(*state, &fd, &err) < 0);
  kill(agent, SIGKILL);
  assert_int_equal(waitpid(agent, NULL, 0), agent);
  assert_ok(cli_folder_claim(*state, &fd, &err));
}

/* An NVML worker that hangs in the driver may outlive its agent. */
static void programs_that_the_agent_starts_do_not_inherit_it(void **state) {
  CLEANUP(cleanup_close) int fd = -1;
  Error err = {0};
  assert_ok(cli_folder_claim(*state, &fd, &err));
  assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void a_folder_that_is_not_there_is_named(void **state) {
  int fd = -1;
  Error err = {0};
  CLEANUP(cleanup_free) char *folder = mem_format("%s/none", (const char *)*state);
  CLEANUP(cleanup_free)
  char *words = mem_format("the device plugin folder %s cannot be opened: No such file or directory", folder);
  assert_fails(cli_folder_claim(folder, &fd, &err), words);
  assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_first_has_it_and_the_second_hears_so), TEST(it_is_free_again_when_it_was_closed),
      TEST(a_killed_agent_leaves_no_claim_behind),    TEST(programs_that_the_agent_starts_do_not_inherit_it),
      TEST(a_folder_that_is_not_there_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
