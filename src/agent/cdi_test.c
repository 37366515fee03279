/* SPDX-License-Identifier: Apache-2.0 */
/* The CDI files of a node, in a folder of this test's own. */
#include "agent/agent_fixture.h"

#include "agent/cdi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EDITS "{\"cdiVersion\":\"0.5.0\",\"containerEdits\":{\"env\":[\"DRIVER=%s\"]}}"

typedef struct World {
  AgentCdiSource source; /* first: the seam's pointer is the world's */
  AgentOnCdiEdits *on_edits;
  void *edits_userdata;
  int questions;
  bool is_cancelled;
  Host host;
  Fixture *f;
  AgentCdi *cdi;
  char folder[64], cdi_folder[96];
  int changes;
} World;

static void ask(AgentCdiSource *source, AgentOnCdiEdits *on_edits, void *userdata) {
  World *world = (World *)source;
  world->on_edits = on_edits;
  world->edits_userdata = userdata;
  world->questions++;
}

static void cancel(AgentCdiSource *source) {
  ((World *)source)->is_cancelled = true;
}

static void on_change(void *userdata) {
  ((World *)userdata)->changes++;
}

static void answer(World *world, const char *driver) {
  char text[256];
  snprintf(text, sizeof text, EDITS, driver);
  world->on_edits(world->edits_userdata, text, NULL);
}

static void write_file(const World *world, const char *name, const char *text) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%s", world->folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

/* NULL where it is not there. */
static const char *read_file(World *world, const char *id) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/facet-%s.json", world->cdi_folder, id);
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "r");
  char text[4096];
  if (!file)
    return NULL;
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  return arena_strdup(&world->f->arena, text);
}

static void start(World *world) {
  const AgentCdiOptions options = {
      .source = &world->source, .folder = world->cdi_folder, .proc = world->folder};
  world->cdi = agent_cdi_new(&options, &world->host, on_change, world);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
  return remove(path);
}

static void remove_all(const char *path) {
  (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  void *fixture;
  fixture_init(&fixture);
  world->f = fixture;
  world->source = (AgentCdiSource){.ask = ask, .cancel = cancel};
  host_init(&world->host, 1);
  snprintf(world->folder, sizeof world->folder, "/tmp/facet-cdi-test-XXXXXX");
  assert_non_null(mkdtemp(world->folder));
  snprintf(world->cdi_folder, sizeof world->cdi_folder, "%s/cdi", world->folder);
  CLEANUP(cleanup_free) char *driver = mem_format("%s/driver", world->folder);
  CLEANUP(cleanup_free) char *caps = mem_format("%s/driver/nvidia-caps", world->folder);
  mkdir(driver, 0755);
  mkdir(caps, 0755);
  write_file(world, "devices", "238 nvidia-caps\n");
  write_file(world, "driver/nvidia-caps/mig-minors",
             "gpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\ngpu0/gi2/access 21\ngpu0/gi2/ci0/access 22\n");
  snprintf(world->f->observation->driver_version, sizeof world->f->observation->driver_version, "550");
  start(world);
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  agent_cdi_free(world->cdi);
  assert_true(host_next_ms(&world->host) == HOST_NEVER);
  remove_all(world->folder);
  void *fixture = world->f;
  fixture_deinit(&fixture);
  host_deinit(&world->host);
  free(world);
  return 0;
}

static bool is_ready(World *world, const char *id) {
  return agent_cdi_is_ready(world->cdi, world->f->observation, id);
}

static bool prepare(World *world) {
  return agent_cdi_prepare(world->cdi, world->f->observation);
}

/* Two slices, and edits for driver 550. */
static void begin(World *world) {
  observe(world->f, "A30", "1g.6gb@0 1g.6gb@1");
  assert_false(prepare(world));
  answer(world, "550");
  assert_true(prepare(world));
}

/* ---- files ---- */

static void without_a_source_everything_is_ready(void **state) {
  World *world = *state;
  assert_null(agent_cdi_new(&(AgentCdiOptions){0}, &world->host, on_change, world));
  assert_true(agent_cdi_prepare(NULL, world->f->observation));
  assert_true(agent_cdi_is_ready(NULL, world->f->observation, "MIG-0-0"));
  agent_cdi_clean(NULL, world->f->observation);
  assert_null(agent_cdi_trouble(NULL));
}

static void a_slice_is_ready_when_its_file_is_there(void **state) {
  World *world = *state;
  observe(world->f, "A30", "1g.6gb@0");
  assert_false(prepare(world));
  assert_false(is_ready(world, "MIG-0-0")); /* nobody knows the edits yet */
  answer(world, "550");
  assert_int_equal(world->changes, 1);
  assert_null(read_file(world, "MIG-0-0"));
  assert_true(is_ready(world, "MIG-0-0"));
  assert_string_equal(
      read_file(world, "MIG-0-0"),
      "{\"cdiVersion\":\"0.5.0\",\"kind\":\"facet.gpu/gpu\",\"containerEdits\":{\"env\":[\"DRIVER=550\"]},"
      "\"devices\":[{\"name\":\"MIG-0-0\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia0\"},"
      "{\"path\":\"/dev/nvidia-caps/"
      "nvidia-cap12\",\"type\":\"c\",\"major\":238,\"minor\":12,\"fileMode\":292},"
      "{\"path\":\"/dev/nvidia-caps/"
      "nvidia-cap13\",\"type\":\"c\",\"major\":238,\"minor\":13,\"fileMode\":292}"
      "]}}]}\n");
  assert_false(is_ready(world, "MIG-none"));
  assert_false(is_ready(world, "../MIG"));
}

static void a_file_that_somebody_removed_is_written_again(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  CLEANUP(cleanup_free) char *path = mem_format("%s/facet-MIG-0-0.json", world->cdi_folder);
  assert_int_equal(unlink(path), 0);
  assert_true(is_ready(world, "MIG-0-0"));
  assert_non_null(read_file(world, "MIG-0-0"));
}

static void a_slice_that_comes_back_as_another_instance_gets_another_file(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  world->f->observation->gpus[0].instances[0].gpu_instance_id = 2;
  assert_true(is_ready(world, "MIG-0-0"));
  assert_non_null(strstr(read_file(world, "MIG-0-0"), "nvidia-cap21"));
}

static void the_file_of_a_slice_that_is_gone_is_removed(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0") && is_ready(world, "MIG-0-1"));
  world->f->observation->gpus[0].instance_count = 1;
  agent_cdi_clean(world->cdi, world->f->observation);
  assert_non_null(read_file(world, "MIG-0-0"));
  assert_null(read_file(world, "MIG-0-1"));
}

static void what_an_earlier_life_left_is_removed_or_written_anew(void **state) {
  World *world = *state;
  mkdir(world->cdi_folder, 0755);
  write_file(world, "cdi/facet-MIG-0-0.json", "old");
  write_file(world, "cdi/facet-MIG-gone.json", "old");
  write_file(world, "cdi/.facet-new", "half");
  write_file(world, "cdi/nvidia.yaml", "not ours");
  begin(world);
  assert_null(read_file(world, "MIG-gone"));
  assert_string_equal(read_file(world, "MIG-0-0"), "old");
  assert_true(is_ready(world, "MIG-0-0"));
  assert_non_null(strstr(read_file(world, "MIG-0-0"), "DRIVER=550"));
  CLEANUP(cleanup_free) char *temporary = mem_format("%s/.facet-new", world->cdi_folder);
  CLEANUP(cleanup_free) char *foreign = mem_format("%s/nvidia.yaml", world->cdi_folder);
  assert_int_not_equal(access(temporary, F_OK), 0);
  assert_int_equal(access(foreign, F_OK), 0);
}

static void the_files_stay_when_the_agent_ends(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  agent_cdi_free(world->cdi);
  assert_non_null(read_file(world, "MIG-0-0"));
  start(world);
}

/* ---- the edits ---- */

static void another_driver_gives_other_edits_and_other_files(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  snprintf(world->f->observation->driver_version, sizeof world->f->observation->driver_version, "570");
  assert_true(prepare(world));
  assert_int_equal(world->questions, 2);
  assert_true(is_ready(world, "MIG-0-0")); /* it was announced: it stays while nvidia-ctk works */
  answer(world, "570");
  assert_true(is_ready(world, "MIG-0-0"));
  assert_non_null(strstr(read_file(world, "MIG-0-0"), "DRIVER=570"));
}

static void edits_that_cannot_be_had_are_asked_for_again(void **state) {
  World *world = *state;
  observe(world->f, "A30", "1g.6gb@0");
  Error err = {0};
  assert_false(prepare(world));
  (void)error_set(&err, ERROR_IO, "cannot run nvidia-ctk: no such file");
  world->on_edits(world->edits_userdata, NULL, &err);
  assert_string_equal(agent_cdi_trouble(world->cdi),
                      "cannot run nvidia-ctk: no such file; slices are not offered until then");
  assert_false(prepare(world));
  assert_int_equal(world->questions, 1);
  host_advance(&world->host, AGENT_CDI_RETRY_MS, 0);
  host_run_timers(&world->host);
  assert_int_equal(world->changes, 2);
  assert_false(prepare(world));
  assert_int_equal(world->questions, 2);
  answer(world, "550");
  assert_null(agent_cdi_trouble(world->cdi));
  assert_true(is_ready(world, "MIG-0-0"));
}

static void without_the_edits_of_a_new_driver_the_old_ones_are_said_to_stay(void **state) {
  World *world = *state;
  Error err = {0};
  begin(world);
  snprintf(world->f->observation->driver_version, sizeof world->f->observation->driver_version, "570");
  assert_true(prepare(world));
  (void)error_set(&err, ERROR_IO, "cannot run nvidia-ctk: no such file");
  world->on_edits(world->edits_userdata, NULL, &err);
  assert_true(is_ready(world, "MIG-0-0"));
  assert_string_equal(
      agent_cdi_trouble(world->cdi),
      "cannot run nvidia-ctk: no such file; containers get what belonged to the driver before until then");
}

static void an_open_question_is_cancelled_at_the_end(void **state) {
  World *world = *state;
  assert_false(prepare(world));
  agent_cdi_free(world->cdi);
  assert_true(world->is_cancelled);
  start(world);
}

/* ---- trouble ---- */

/* A file in the place of the folder: nobody can write below it, not even root. */
static void block_folder(World *world) {
  remove_all(world->cdi_folder);
  write_file(world, "cdi", "");
}

static void a_slice_without_a_file_is_not_ready_and_says_why(void **state) {
  World *world = *state;
  block_folder(world);
  begin(world);
  assert_false(is_ready(world, "MIG-0-0"));
  char expected[256];
  snprintf(expected, sizeof expected,
           "writing the CDI file %s/facet-MIG-0-0.json: Not a directory; the slice is not offered until then",
           world->cdi_folder);
  assert_string_equal(agent_cdi_trouble(world->cdi), expected);
  assert_int_equal(unlink(world->cdi_folder), 0);
  assert_true(is_ready(world, "MIG-0-0"));
  assert_null(agent_cdi_trouble(world->cdi));
}

static void a_full_disk_leaves_no_half_of_a_file(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  CLEANUP(cleanup_free) char *temporary = mem_format("%s/.facet-new", world->cdi_folder);
  assert_int_equal(symlink("/dev/full", temporary), 0); /* every write fails with ENOSPC */
  assert_false(is_ready(world, "MIG-0-1"));
  assert_null(read_file(world, "MIG-0-1"));
  assert_non_null(strstr(agent_cdi_trouble(world->cdi), "No space left on device"));
  assert_true(is_ready(world, "MIG-0-1")); /* the next try made its own file */
}

static void what_was_announced_stays_while_its_file_cannot_be_renewed(void **state) {
  World *world = *state;
  begin(world);
  assert_true(is_ready(world, "MIG-0-0"));
  block_folder(world);
  assert_true(is_ready(world, "MIG-0-0"));
  assert_non_null(agent_cdi_trouble(world->cdi));
}

static void capabilities_that_the_driver_does_not_tell_are_a_trouble(void **state) {
  World *world = *state;
  begin(world);
  write_file(world, "driver/nvidia-caps/mig-minors", "config 1\n");
  assert_false(is_ready(world, "MIG-0-0"));
  assert_string_equal(
      agent_cdi_trouble(world->cdi),
      "the driver's list of MIG capabilities (mig-minors) has no gpu0/gi1/access; the slice is not "
      "offered until then");
}

/* ---- killed at any change of a file ---- */

/* In place of libc's: the n-th change of a file kills this process, before or after it is done. 0: none does.
 */
static int kill_at;
static bool kills_after;

static void count_down(bool is_after) {
  if (kill_at && is_after == kills_after && --kill_at == 0)
    raise(SIGKILL);
}

#define COUNTED(call)                                                                                        \
  do {                                                                                                       \
    count_down(false);                                                                                       \
    long result = (call);                                                                                    \
    count_down(true);                                                                                        \
    return (__typeof__(result))result;                                                                       \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
  COUNTED(syscall(SYS_write, fd, bytes, size));
}

int rename(const char *from, const char *to) {
  COUNTED((int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char *path) {
  COUNTED((int)syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int unlinkat(int fd, const char *path, int flags) {
  COUNTED((int)syscall(SYS_unlinkat, fd, path, flags));
}

/* What an agent does with its files: one slice has gone, one stays, one has come. */
static void renew_files(World *world) {
  prepare(world);
  if (world->questions)
    answer(world, "551");
  prepare(world);
  is_ready(world, "MIG-0-0");
  is_ready(world, "MIG-0-1");
  agent_cdi_clean(world->cdi, world->f->observation);
}

static bool survives(World *world, int n, bool after) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    kills_after = after;
    kill_at = n;
    renew_files(world);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status);
}

static int count_files(const World *world) {
  DIR *folder = opendir(world->cdi_folder);
  int count = 0;
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder));)
    count += !string_equal(entry->d_name, ".") && !string_equal(entry->d_name, "..");
  closedir(folder);
  return count;
}

static void killed_at_any_change_of_a_file_the_next_start_writes_the_same(void **state) {
  int kills[2] = {0, 0};
  for (int after = 0; after < 2; after++)
    for (int n = 1;; n++, kills[after]++) {
      void *own;
      world_init(&own);
      World *world = own;
      begin(world);
      assert_true(is_ready(world, "MIG-0-1"));
      write_file(world, "cdi/facet-MIG-0-7.json", "{}"); /* of a slice that is gone */
      agent_cdi_free(world->cdi);
      start(world);
      world->questions = 0;
      bool is_over = survives(world, n, after);
      renew_files(world);
      assert_non_null(strstr(read_file(world, "MIG-0-0"), "DRIVER=551"));
      assert_non_null(strstr(read_file(world, "MIG-0-1"), "DRIVER=551"));
      assert_int_equal(count_files(world), 2);
      world_deinit(&own);
      if (is_over)
        break;
    }
  assert_int_equal(kills[0], kills[1]);
  assert_in_range(kills[0], 5, 100); /* one file goes, two are written and renamed */
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(without_a_source_everything_is_ready),
      CASE(a_slice_is_ready_when_its_file_is_there),
      CASE(a_file_that_somebody_removed_is_written_again),
      CASE(a_slice_that_comes_back_as_another_instance_gets_another_file),
      CASE(the_file_of_a_slice_that_is_gone_is_removed),
      CASE(what_an_earlier_life_left_is_removed_or_written_anew),
      CASE(the_files_stay_when_the_agent_ends),
      CASE(another_driver_gives_other_edits_and_other_files),
      CASE(edits_that_cannot_be_had_are_asked_for_again),
      CASE(without_the_edits_of_a_new_driver_the_old_ones_are_said_to_stay),
      CASE(an_open_question_is_cancelled_at_the_end),
      CASE(a_slice_without_a_file_is_not_ready_and_says_why),
      CASE(a_full_disk_leaves_no_half_of_a_file),
      CASE(what_was_announced_stays_while_its_file_cannot_be_renewed),
      CASE(capabilities_that_the_driver_does_not_tell_are_a_trouble),
      cmocka_unit_test(killed_at_any_change_of_a_file_the_next_start_writes_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
