/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cli/verb.h"

#include "base/memory.h"

typedef struct Values {
  bool quick;
  const char *file;
  CliStrings names;
  int64_t count;
  int64_t delay_ms;
  const char *operand;
} Values;

static const CliOption options[] = {
    {"--quick", CLI_FLAG, offsetof(Values, quick), NULL, "Do not wait."},
    {"--file,-f", CLI_STRING, offsetof(Values, file), "FILE", "What to read (default: nothing)."},
    {"--name,-n", CLI_STRINGS, offsetof(Values, names), "NAME", "May be repeated."},
    {"--count", CLI_NUMBER, offsetof(Values, count), "N", "How many (default: 3)."},
    {"--delay", CLI_DURATION_MS, offsetof(Values, delay_ms), "TIME", "How long (default: 1s)."},
    {"--file-format-that-is-long", CLI_STRING, offsetof(Values, file), "FORMAT", "Has no short form."},
};

static int run_nothing(const CliVerb *verb, int argc, char **argv) {
  return CLI_EXIT_OK;
}

static const CliVerb verb = {.name = "try",
                             .help = "try things",
                             .more = "More about it.",
                             .options = options,
                             .option_count = COUNT_OF(options),
                             .run = run_nothing};

/* Parses "a b c", whose words must outlive the values. */
static int parse(char *line, Values *values, Error *err) {
  char *arguments[2 * CLI_ARGUMENTS_MAX + 16];
  int count = 0;
  for (char *word; (word = strsep(&line, " "));)
    if (*word)
      arguments[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
  *values = (Values){.count = 3, .delay_ms = 1000};
  return cli_options_parse(&verb, count, arguments, values, err);
}

/* ---- the operand ---- */

static const CliVerb with_operand = {.name = "look",
                                     .help = "look at things",
                                     .operand = "THING",
                                     .operand_offset = offsetof(Values, operand),
                                     .options = options,
                                     .option_count = COUNT_OF(options),
                                     .run = run_nothing};

/* As parse(), with the verb that takes one. */
static int parse_operand(char *line, Values *values, Error *err) {
  char *arguments[8];
  int count = 0;
  for (char *word; (word = strsep(&line, " "));)
    arguments[count++] = word;
  *values = (Values){0};
  return cli_options_parse(&with_operand, count, arguments, values, err);
}

static void an_operand_may_stand_before_between_and_behind_options(void **state) {
  char lines[][40] = {"thing --file x", "--file x thing", "--quick thing --file=x"};
  for (size_t i = 0; i < COUNT_OF(lines); i++) {
    Values values;
    Error err;
    assert_int_equal(parse_operand(lines[i], &values, &err), 0);
    assert_string_equal(values.operand, "thing");
    assert_string_equal(values.file, "x");
  }
}

static void a_second_operand_is_refused(void **state) {
  char line[] = "one two";
  Values values;
  Error err;
  assert_fails(parse_operand(line, &values, &err), "unexpected argument \"two\"; see `facet look --help`");
}

/* ---- values ---- */

static void without_options_the_defaults_stay(void **state) {
  char line[] = "";
  Values values;
  Error err;
  assert_int_equal(parse(line, &values, &err), 0);
  assert_false(values.quick);
  assert_null(values.file);
  assert_int_equal(values.names.count, 0);
  assert_int_equal(values.count, 3);
  assert_int_equal(values.delay_ms, 1000);
}

static void every_kind_is_read_in_both_forms(void **state) {
  static const char *const lines[] = {
      "--quick --file a --name b --count 7 --delay 5s",
      "--file=a --delay=5s --count=7 --name=b --quick",
      "-f a -n b --quick --count 7 --delay 5000ms",
  };
  for (size_t i = 0; i < COUNT_OF(lines); i++) {
    CLEANUP(cleanup_free) char *line = mem_strdup(lines[i]);
    Values values;
    Error err;
    assert_ok(parse(line, &values, &err));
    assert_true(values.quick);
    assert_string_equal(values.file, "a");
    assert_int_equal(values.names.count, 1);
    assert_string_equal(values.names.items[0], "b");
    assert_int_equal(values.count, 7);
    assert_int_equal(values.delay_ms, 5000);
  }
}

static void a_flag_may_be_taken_back(void **state) {
  char line[] = "--quick --quick=false", again[] = "--quick=false --quick=true";
  Values values;
  Error err;
  assert_ok(parse(line, &values, &err));
  assert_false(values.quick);
  assert_ok(parse(again, &values, &err));
  assert_true(values.quick);
}

static void a_repeated_option_collects_and_a_plain_one_takes_the_last(void **state) {
  char line[] = "-n a --name=b --name c --file first --file=second";
  Values values;
  Error err;
  assert_ok(parse(line, &values, &err));
  assert_int_equal(values.names.count, 3);
  assert_string_equal(values.names.items[0], "a");
  assert_string_equal(values.names.items[1], "b");
  assert_string_equal(values.names.items[2], "c");
  assert_string_equal(values.file, "second");
}

static void a_value_may_be_empty_hold_an_equals_sign_or_look_like_an_option(void **state) {
  static const struct {
    const char *line, *file;
  } values_of[] = {{"--file=", ""},
                   {"--file ''", ""},
                   {"--file=a=b", "a=b"},
                   {"--file --quick", "--quick"},
                   {"-f -h", "-h"}};
  for (size_t i = 0; i < COUNT_OF(values_of); i++) {
    CLEANUP(cleanup_free) char *line = mem_strdup(values_of[i].line);
    Values values;
    Error err;
    assert_ok(parse(line, &values, &err));
    assert_string_equal(values.file, values_of[i].file);
    assert_false(values.quick);
  }
}

static void an_option_is_not_taken_for_one_that_begins_like_it(void **state) {
  char line[] = "--file-format-that-is-long x";
  Values values;
  Error err;
  assert_ok(parse(line, &values, &err));
  assert_string_equal(values.file, "x");
}

static void durations_have_units(void **state) {
  static const struct {
    const char *text;
    int64_t ms;
  } durations[] = {{"0", 0},
                   {"0ms", 0},
                   {"200ms", 200},
                   {"2s", 2000},
                   {"2", 2000},
                   {"3m", 180000},
                   {"2h", 7200000},
                   {"596h", 2145600000},
                   {"2147483647ms", INT32_MAX},
                   {"2147483s", 2147483000}};
  for (size_t i = 0; i < COUNT_OF(durations); i++) {
    CLEANUP(cleanup_free) char *line = mem_format("--delay %s", durations[i].text);
    Values values;
    Error err;
    assert_ok(parse(line, &values, &err));
    assert_true(values.delay_ms == durations[i].ms);
  }
}

static void as_many_values_as_the_limit_are_taken(void **state) {
  CLEANUP(cleanup_free) char *line = mem_alloc(CLI_ARGUMENTS_MAX * 5 + 6);
  for (int i = 0; i < CLI_ARGUMENTS_MAX; i++)
    memcpy(line + i * 5, "-n a ", 5);
  CLEANUP(cleanup_free) char *longer = mem_format("%s-n a", line);
  Values values;
  Error err;
  assert_ok(parse(line, &values, &err));
  assert_int_equal(values.names.count, CLI_ARGUMENTS_MAX);
  assert_fails(parse(longer, &values, &err), "--name was given more than 64 times");
}

/* ---- mistakes ---- */

static void every_mistake_is_said_in_words(void **state) {
  static const struct {
    const char *line, *text;
  } mistakes[] = {
      {"--file", "--file needs a value (FILE)"},
      {"--quick -n", "-n needs a value (NAME)"},
      {"--quick=yes", "--quick is true or false, not \"yes\""},
      {"--quick=", "--quick is true or false, not \"\""},
      {"--count many", "--count wants a number, not \"many\""},
      {"--count=", "--count wants a number, not \"\""},
      {"--count 3x", "--count wants a number, not \"3x\""},
      {"--count -1", "--count wants a number, not \"-1\""},
      {"--count 9223372036854775808", "--count wants a number, not \"9223372036854775808\""},
      {"--delay soon", "--delay wants a duration such as 200ms or 2s, not \"soon\""},
      {"--delay 2d", "--delay wants a duration such as 200ms or 2s, not \"2d\""},
      {"--delay 597h", "--delay wants at most 596h, not \"597h\""},
      {"--delay -1s", "--delay wants a duration such as 200ms or 2s, not \"-1s\""},
      {"--delay 2s2s", "--delay wants a duration such as 200ms or 2s, not \"2s2s\""},
      {"--delay 2147484s", "--delay wants at most 596h, not \"2147484s\""},
      {"--delay=", "--delay wants a duration such as 200ms or 2s, not \"\""},
      {"--fiel a", "unknown option --fiel; did you mean --file?"},
      {"--nmae=a", "unknown option --nmae=a; did you mean --name?"},
      {"--frobnicate", "unknown option --frobnicate; see `facet try --help`"},
      {"-x", "unknown option -x; see `facet try --help`"},
      {"-fa", "unknown option -fa; see `facet try --help`"},
      {"-", "unknown option -; see `facet try --help`"},
      {"--an-option-that-is-longer-than-any-option-of-ours-ever-was",
       "unknown option --an-option-that-is-longer-than-any-option-of-ours-ever-was; see `facet try --help`"},
      {"nodes.json", "unexpected argument \"nodes.json\"; see `facet try --help`"},
  };
  for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
    CLEANUP(cleanup_free) char *line = mem_strdup(mistakes[i].line);
    Values values;
    Error err;
    assert_fails(parse(line, &values, &err), mistakes[i].text);
  }
}

/* ---- the nearest word ---- */

static void the_nearest_word_is_found_where_at_most_half_of_it_is_wrong(void **state) {
  static const char *const verbs[] = {"controller", "agent", "plan", "demo", "version"};
  static const struct {
    const char *word, *nearest;
  } words[] = {{"plan", "plan"},
               {"plna", "plan"},
               {"controler", "controller"},
               {"kontroller", "controller"},
               {"agnt", "agent"},
               {"demmo", "demo"},
               {"x", NULL},
               {"xyz", NULL},
               {"", NULL},
               {"foo", NULL},
               {"controllers-of-all", NULL},
               {"versoin", "version"},
               {"contraller!", "controller"}};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    const char *nearest = cli_nearest(words[i].word, verbs, COUNT_OF(verbs));
    if (words[i].nearest)
      assert_string_equal(nearest, words[i].nearest);
    else
      assert_null(nearest);
  }
}

static void of_equally_near_words_the_first_is_taken(void **state) {
  static const char *const words[] = {"--bat", "--cat", "--hat"};
  assert_string_equal(cli_nearest("--rat", words, COUNT_OF(words)), "--bat");
  assert_null(cli_nearest("--rat", words, 0));
}

/* ---- what is printed ---- */

/* What the verb prints to the stream while it begins with these arguments; the caller frees. */
static char *print_beginning(FILE *stream, char *line, bool expect_go_on, int expect_exit) {
  char *text = mem_alloc(4096);
  CLEANUP(cleanup_fclose) FILE *file = tmpfile();
  assert_non_null(file);
  fflush(stream);
  int saved = dup(fileno(stream));
  dup2(fileno(file), fileno(stream));
  char *arguments[] = {line};
  Values values = {0};
  int exit_code = -1;
  bool goes_on = cli_begin(&verb, 1, arguments, &values, &exit_code);
  fflush(stream);
  dup2(saved, fileno(stream));
  close(saved);
  rewind(file);
  text[fread(text, 1, 4095, file)] = '\0';
  assert_true(goes_on == expect_go_on);
  if (!goes_on)
    assert_int_equal(exit_code, expect_exit);
  return text;
}

static void help_is_printed_from_the_table(void **state) {
  char long_form[] = "--help", short_form[] = "-h";
  char *words[] = {long_form, short_form};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    CLEANUP(cleanup_free) char *printed = print_beginning(stdout, words[i], false, CLI_EXIT_OK);
    assert_string_equal(printed, "facet try: try things\n"
                                 "\n"
                                 "More about it.\n"
                                 "\n"
                                 "Options:\n"
                                 "  --quick                        Do not wait.\n"
                                 "  -f, --file FILE                What to read (default: nothing).\n"
                                 "  -n, --name NAME                May be repeated.\n"
                                 "  --count N                      How many (default: 3).\n"
                                 "  --delay TIME                   How long (default: 1s).\n"
                                 "  --file-format-that-is-long FORMAT Has no short form.\n");
  }
}

static void a_mistake_is_printed_with_the_verb_and_ends_with_2(void **state) {
  char line[] = "--quikc";
  CLEANUP(cleanup_free) char *printed = print_beginning(stderr, line, false, CLI_EXIT_USAGE);
  assert_string_equal(printed, "facet try: unknown option --quikc; did you mean --quick?\n");
}

static void a_good_beginning_prints_nothing(void **state) {
  char line[] = "--quick";
  CLEANUP(cleanup_free) char *printed = print_beginning(stderr, line, true, 0);
  assert_string_equal(printed, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_operand_may_stand_before_between_and_behind_options),
      cmocka_unit_test(a_second_operand_is_refused),
      cmocka_unit_test(without_options_the_defaults_stay),
      cmocka_unit_test(every_kind_is_read_in_both_forms),
      cmocka_unit_test(a_flag_may_be_taken_back),
      cmocka_unit_test(a_repeated_option_collects_and_a_plain_one_takes_the_last),
      cmocka_unit_test(a_value_may_be_empty_hold_an_equals_sign_or_look_like_an_option),
      cmocka_unit_test(an_option_is_not_taken_for_one_that_begins_like_it),
      cmocka_unit_test(durations_have_units),
      cmocka_unit_test(as_many_values_as_the_limit_are_taken),
      cmocka_unit_test(every_mistake_is_said_in_words),
      cmocka_unit_test(the_nearest_word_is_found_where_at_most_half_of_it_is_wrong),
      cmocka_unit_test(of_equally_near_words_the_first_is_taken),
      cmocka_unit_test(help_is_printed_from_the_table),
      cmocka_unit_test(a_mistake_is_printed_with_the_verb_and_ends_with_2),
      cmocka_unit_test(a_good_beginning_prints_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
