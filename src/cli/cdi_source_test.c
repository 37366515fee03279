/* SPDX-License-Identifier: Apache-2.0 */
/* The CDI edits from files and from programs, on a real loop. */
#include "base/test.h"

#include "cli/cdi_source.h"

#include <sys/stat.h>
#include <unistd.h>

typedef struct World {
  uv_loop_t loop;
  char folder[64], path[96];
  int answers;
  Text text;
  Error err;
} World;

static int world_init(void **state) {
  World *world = calloc(1, sizeof *world);
  uv_loop_init(&world->loop);
  snprintf(world->folder, sizeof world->folder, "/tmp/facet-cdi-source-test-XXXXXX");
  assert_non_null(mkdtemp(world->folder));
  snprintf(world->path, sizeof world->path, "%s/it", world->folder);
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&world->loop), 0); /* no handle is left */
  unlink(world->path);
  rmdir(world->folder);
  text_deinit(&world->text);
  free(world);
  return 0;
}

static void on_edits(void *userdata, const char *text, const Error *err) {
  World *world = userdata;
  world->answers++;
  text_append(&world->text, string_or_empty(text));
  if (err)
    world->err = *err;
}

static void write_it(const World *world, const char *text) {
  FILE *file = fopen(world->path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(world->path, 0755), 0);
}

static void ask(World *world, const char *file, const char *program) {
  CLEANUP(cli_cdi_source_freep) CliCdiSource *source = cli_cdi_source_new(&world->loop, file, program);
  AgentCdiSource *seam = cli_cdi_source_seam(source);
  seam->ask(seam, on_edits, world);
  assert_int_equal(world->answers, 0); /* never from inside */
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_int_equal(world->answers, 1);
}

static void a_file_is_read(void **state) {
  World *world = *state;
  write_it(world, "{\"a\":1}");
  ask(world, world->path, NULL);
  assert_string_equal(text_string(&world->text), "{\"a\":1}");
}

static void a_file_that_is_not_there_is_named(void **state) {
  World *world = *state;
  ask(world, world->path, NULL);
  char expected[160];
  snprintf(expected, sizeof expected, "reading the CDI edits %s: No such file or directory", world->path);
  assert_string_equal(world->err.text, expected);
}

static void a_program_is_run_and_its_output_taken_whole(void **state) {
  World *world = *state;
  write_it(world, "#!/bin/sh\necho \"$*\"\necho noise >&2\nhead -c 300000 /dev/zero | tr '\\0' x\n");
  ask(world, NULL, world->path);
  assert_int_equal(world->err.code, 0);
  assert_true(string_has_prefix(text_string(&world->text), "cdi generate --format=json\nxxxx"));
  assert_int_equal(world->text.size, strlen("cdi generate --format=json\n") + 300000);
}

static void a_program_that_fails_is_quoted(void **state) {
  World *world = *state;
  write_it(world, "#!/bin/sh\necho 'no driver' >&2\nexit 3\n");
  ask(world, NULL, world->path);
  char expected[200];
  snprintf(expected, sizeof expected, "`%s cdi generate --format=json` ended with exit status 3: no driver",
           world->path);
  assert_string_equal(world->err.text, expected);
  assert_string_equal(text_string(&world->text), "");
}

static void a_program_that_is_not_there_is_named(void **state) {
  World *world = *state;
  ask(world, NULL, world->path);
  char expected[240];
  snprintf(expected, sizeof expected,
           "cannot run %s: no such file or directory; name the program with --nvidia-ctk, or its output with "
           "--cdi-edits",
           world->path);
  assert_string_equal(world->err.text, expected);
}

static void too_much_output_ends_the_program(void **state) {
  World *world = *state;
  write_it(world, "#!/bin/sh\nexec cat /dev/zero\n");
  ask(world, NULL, world->path);
  assert_string_equal(world->err.text, "nvidia-ctk wrote more than 4194304 bytes");
}

static void a_source_that_goes_ends_its_program_and_says_nothing(void **state) {
  World *world = *state;
  write_it(world, "#!/bin/sh\nexec sleep 1000\n");
  CliCdiSource *source = cli_cdi_source_new(&world->loop, NULL, world->path);
  AgentCdiSource *seam = cli_cdi_source_seam(source);
  seam->ask(seam, on_edits, world);
  uv_run(&world->loop, UV_RUN_NOWAIT);
  cli_cdi_source_free(source);
  uv_run(&world->loop, UV_RUN_DEFAULT);
  assert_int_equal(world->answers, 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(a_file_is_read),
      CASE(a_file_that_is_not_there_is_named),
      CASE(a_program_is_run_and_its_output_taken_whole),
      CASE(a_program_that_fails_is_quoted),
      CASE(a_program_that_is_not_there_is_named),
      CASE(too_much_output_ends_the_program),
      CASE(a_source_that_goes_ends_its_program_and_says_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
