/* SPDX-License-Identifier: Apache-2.0 */
/* --config FILE and what SIGHUP does with it, with a verb of the test's own. */
#include "base/test.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/config_file.h"
#include "cli/reload.h"

#include <unistd.h>

typedef struct Values {
  bool quick;
  const char *file, *level;
  CliStrings names;
  int64_t count, idle_ms, timeout_ms;
  const char *config;
  bool config_printed;
} Values;

static const CliOption options[] = {
    {"--quick", CLI_FLAG, offsetof(Values, quick), NULL, "Do not wait."},
    {"--file,-f", CLI_STRING, offsetof(Values, file), "FILE", "What to read (default: nothing)."},
    {"--name,-n", CLI_STRINGS, offsetof(Values, names), "NAME", "May be repeated."},
    {"--count", CLI_NUMBER, offsetof(Values, count), "N",
     "How many, which is said here in so many words that a single line of an example cannot hold all of "
     "them."},
    {"--batch-window-idle", CLI_DURATION_MS, offsetof(Values, idle_ms), "TIME", "How long (default: 1s)."},
    {"--batch-window-timeout", CLI_DURATION_MS, offsetof(Values, timeout_ms), "TIME", "How long at most."},
    {"--log-level", CLI_STRING, offsetof(Values, level), "LEVEL", "How much."},
    CLI_CONFIG_ROWS(Values, config),
};

static int run_nothing(const CliVerb *verb, int argc, char **argv) {
  return CLI_EXIT_OK;
}

static void set_defaults(void *values) {
  *(Values *)values = (Values){.count = 3, .idle_ms = 1000, .level = "info"};
}

static const char *const live[] = {"--count", "--log-level", NULL};

static const CliVerb verb = {.name = "try",
                             .help = "try things",
                             .options = options,
                             .option_count = COUNT_OF(options),
                             .live = live,
                             .set_defaults = set_defaults,
                             .values_size = sizeof(Values),
                             .run = run_nothing};

typedef struct World {
  char path[32];
  Arena texts;
  Values values;
} World;

static int set_up(void **state) {
  World *world = mem_alloc(sizeof *world);
  snprintf(world->path, sizeof world->path, "/tmp/facet-config-XXXXXX");
  CLEANUP(cleanup_close) int fd = mkstemp(world->path);
  assert_true(fd >= 0);
  *state = world;
  return 0;
}

static int tear_down(void **state) {
  World *world = *state;
  unlink(world->path);
  arena_deinit(&world->texts);
  free(world);
  return 0;
}

static void write_config(const World *world, const char *text) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(world->path, "w");
  assert_non_null(file);
  fputs(text, file);
}

/* The file, and up to two words of the command line. */
static int parse(World *world, const char *text, const char *word, const char *other, Error *err) {
  char *arguments[] = {(char *)CLI_CONFIG_OPTION, world->path, (char *)word, (char *)other};
  write_config(world, text);
  set_defaults(&world->values);
  return cli_config_parse(&verb, 2 + (word != NULL) + (other != NULL), arguments, &world->values,
                          &world->texts, err);
}

#define ASSERT_REFUSED(text, expected)                                                                       \
  do {                                                                                                       \
    Error err;                                                                                               \
    CLEANUP(cleanup_free) char *sentence = mem_format("%s%s", world->path, expected);                        \
    assert_fails(parse(world, text, NULL, NULL, &err), sentence);                                            \
  } while (0)

/* ---- reading ---- */

static void every_kind_of_option_is_read(void **state) {
  World *world = *state;
  Error err;
  assert_ok(parse(world,
                  "# a comment\nquick: true\nfile: \"a b\"\nname: [x, y]\ncount: 7\n"
                  "batch-window-idle: 200ms\nbatch-window-timeout: 60\n",
                  NULL, NULL, &err));
  assert_true(world->values.quick);
  assert_string_equal(world->values.file, "a b");
  assert_int_equal(world->values.names.count, 2);
  assert_string_equal(world->values.names.items[1], "y");
  assert_int_equal(world->values.count, 7);
  assert_int_equal(world->values.idle_ms, 200);
  assert_int_equal(world->values.timeout_ms, 60000);
}

static void what_the_file_leaves_out_stays_at_its_default(void **state) {
  static const char *const texts[] = {"", "# nothing\n", "---\n", "quick: false\n", "name: x\n"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    World *world = *state;
    Error err;
    assert_ok(parse(world, texts[i], NULL, NULL, &err));
    assert_false(world->values.quick);
    assert_null(world->values.file);
    assert_int_equal(world->values.count, 3);
  }
}

static void the_command_line_wins_wherever_it_stands(void **state) {
  World *world = *state;
  Error err;
  assert_ok(parse(world, "count: 7\nquick: true\nname: [x]\n", "--count", "9", &err));
  assert_int_equal(world->values.count, 9);
  assert_true(world->values.quick);
  assert_ok(parse(world, "count: 7\nquick: true\nname: [x]\n", "--quick=false", "--name=y", &err));
  assert_false(world->values.quick);
  assert_int_equal(world->values.names.count, 1);
  assert_string_equal(world->values.names.items[0], "y");
}

static void the_names_of_nos_are_taken(void **state) {
  World *world = *state;
  Error err;
  assert_ok(parse(world, "batchWindowTimeoutSeconds: 60\nbatchWindowIdleSeconds: 10\n", NULL, NULL, &err));
  assert_int_equal(world->values.timeout_ms, 60000);
  assert_int_equal(world->values.idle_ms, 10000);
}

/* ---- mistakes ---- */

static void an_unknown_key_is_refused_with_its_line_and_the_nearest_name(void **state) {
  World *world = *state;
  ASSERT_REFUSED("count: 1\n\nbatch-window-idel: 1s\n",
                 " line 3: there is no option \"batch-window-idel\"; did you mean batch-window-idle?");
  ASSERT_REFUSED("batchWindowIdle: 1s\n",
                 " line 1: there is no option \"batchWindowIdle\"; did you mean batch-window-idle?");
  ASSERT_REFUSED("log_level: info\n", " line 1: there is no option \"log_level\"; did you mean log-level?");
  ASSERT_REFUSED("knownMigGeometries: []\n", " line 1: there is no option \"knownMigGeometries\"; "
                                             "`facet try --print-config` lists them");
  ASSERT_REFUSED("--count: 1\n", " line 1: there is no option \"--count\"; did you mean count?");
}

static void the_file_cannot_name_another_file(void **state) {
  World *world = *state;
  ASSERT_REFUSED("config: x\n",
                 " line 1: there is no option \"config\"; `facet try --print-config` lists them");
}

static void a_wrong_value_is_refused_with_its_line(void **state) {
  World *world = *state;
  ASSERT_REFUSED("count: many\n", " line 1: --count wants a number, not \"many\"");
  ASSERT_REFUSED("\nquick: yes\n", " line 2: --quick is true or false, not \"yes\"");
  ASSERT_REFUSED("batch-window-idle: soon\n",
                 " line 1: --batch-window-idle wants a duration such as 200ms or 2s, not \"soon\"");
  ASSERT_REFUSED("count: [1]\n", " line 1: count wants one value, not a list or mapping");
  ASSERT_REFUSED("name:\n- a\n- b: c\n", " line 1: name wants one value, not a list or mapping");
  ASSERT_REFUSED("count:\n", " line 1: count has no value; leave the line out for the default");
  ASSERT_REFUSED("file: null\n", " line 1: file has no value; leave the line out for the default");
  ASSERT_REFUSED("file: \"a\\0b\"\n", " line 1: file contains a NUL character");
}

static void a_wrong_value_is_refused_even_where_the_command_line_wins(void **state) {
  World *world = *state;
  Error err;
  CLEANUP(cleanup_free)
  char *expected = mem_format("%s line 1: --count wants a number, not \"many\"", world->path);
  assert_fails(parse(world, "count: many\n", "--count", "9", &err), expected);
}

static void an_option_that_is_set_twice_is_refused(void **state) {
  World *world = *state;
  ASSERT_REFUSED("count: 1\nquick: true\ncount: 1\n", " line 3: count was set in line 1 already");
  ASSERT_REFUSED("batch-window-idle: 1s\nbatchWindowIdleSeconds: 1\n",
                 " line 2: batchWindowIdleSeconds was set in line 1 already");
}

static void what_is_no_mapping_is_refused(void **state) {
  World *world = *state;
  ASSERT_REFUSED("- count\n", " line 1: a configuration is made of \"option: value\" lines");
  ASSERT_REFUSED("\ncount\n", " line 2: a configuration is made of \"option: value\" lines");
  ASSERT_REFUSED("[a]: b\n", " line 1: a key is the name of an option, not a list or mapping");
  ASSERT_REFUSED("count: 1\n  quick: true\n",
                 " is not valid YAML: mapping values are not allowed in this context (line 2)");
}

static void a_file_that_is_not_there_is_said(void **state) {
  World *world = *state;
  char *arguments[] = {(char *)"--config=/nowhere/facet.yaml"};
  Error err;
  set_defaults(&world->values);
  assert_fails(cli_config_parse(&verb, 1, arguments, &world->values, &world->texts, &err),
               "the configuration /nowhere/facet.yaml does not exist; check --config");
}

/* ---- the example ---- */

static void the_example_names_every_option_and_is_a_configuration_itself(void **state) {
  World *world = *state;
  CLEANUP(text_deinit) Text text = {0};
  cli_config_format_example(&verb, &text);
  assert_true(string_has_prefix(
      text_string(&text),
      "# Configuration of `facet try --config FILE`: all of its options. The command line wins.\n"
      "\n"
      "# Do not wait.\n"
      "#quick: true|false\n"
      "\n"
      "# What to read (default: nothing).\n"
      "#file: FILE\n"));
  assert_non_null(
      strstr(text_string(&text),
             "\n# How many, which is said here in so many words that a single line of an example cannot "
             "hold all of\n# them.\n#count: N\n"));
  assert_null(strstr(text_string(&text), "config:"));
  Error err;
  assert_ok(parse(world, text_string(&text), NULL, NULL, &err));
}

/* ---- SIGHUP ---- */

static Text said;

static void listen_to_log(void *userdata, LogLevel level, const char *component, const char *message,
                          const char *fields) {
  text_format(&said, "%s: %s;", message, fields);
}

static void on_apply(void *userdata, const void *values) {
  ++*(int *)userdata;
}

static void what_can_change_does_and_the_rest_is_named(void **state) {
  World *world = *state;
  Error err;
  int applied = 0;
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = listen_to_log});
  assert_ok(parse(world, "count: 1\nfile: a\n", NULL, NULL, &err));
  char *arguments[] = {(char *)CLI_CONFIG_OPTION, world->path, (char *)"--batch-window-idle=5s"};
  world->values.idle_ms = 5000;
  CLEANUP(cli_reload_deinit)
  CliReload reload = {.verb = &verb,
                      .argc = 3,
                      .argv = arguments,
                      .values = &world->values,
                      .apply = on_apply,
                      .userdata = &applied};
  cli_reload_run(&reload);
  assert_int_equal(applied, 0);
  write_config(world, "count: 2\nfile: b\nlog-level: debug\nbatch-window-idle: 9s\n");
  cli_reload_run(&reload);
  assert_int_equal(applied, 1);
  assert_int_equal(world->values.count, 2);
  assert_string_equal(world->values.level, "debug");
  assert_string_equal(world->values.file, "a");
  assert_int_equal(world->values.idle_ms, 5000); /* the command line's */
  write_config(world, "count: many\n");
  cli_reload_run(&reload);
  assert_int_equal(applied, 1);
  CLEANUP(cleanup_free)
  char *expected = mem_format("the configuration was read again: ;"
                              "the configuration was read again: ;"
                              "an option changed that needs a restart; the old value stays: option=--file;"
                              "option changed: option=--count;option changed: option=--log-level;"
                              "the configuration was not read again: everything stays as it is: "
                              "err=\"%s line 1: --count wants a number, not \\\"many\\\"\";",
                              world->path);
  assert_string_equal(text_string(&said), expected);
  text_deinit(&said);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(every_kind_of_option_is_read),
      TEST(what_the_file_leaves_out_stays_at_its_default),
      TEST(the_command_line_wins_wherever_it_stands),
      TEST(the_names_of_nos_are_taken),
      TEST(an_unknown_key_is_refused_with_its_line_and_the_nearest_name),
      TEST(the_file_cannot_name_another_file),
      TEST(a_wrong_value_is_refused_with_its_line),
      TEST(a_wrong_value_is_refused_even_where_the_command_line_wins),
      TEST(an_option_that_is_set_twice_is_refused),
      TEST(what_is_no_mapping_is_refused),
      TEST(a_file_that_is_not_there_is_said),
      TEST(the_example_names_every_option_and_is_a_configuration_itself),
      TEST(what_can_change_does_and_the_rest_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
