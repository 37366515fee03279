/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/option.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 40, NEAR_MAX = 3 };

/* ---- nearest word ---- */

static size_t smallest(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

static size_t edit_distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  size_t row[WORD_MAX + 1];
  if (n > WORD_MAX || m > WORD_MAX)
    return SIZE_MAX;
  for (size_t j = 0; j <= m; j++)
    row[j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t above = row[j];
      row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
      diagonal = above;
    }
  }
  return row[m];
}

/* At most half of the word may be wrong: anything is near to two letters. */
const char *cli_nearest(const char *word, const char *const *candidates, size_t count) {
  const char *nearest = NULL;
  size_t half = strlen(word) / 2, least = (half < NEAR_MAX ? half : NEAR_MAX) + 1;
  for (size_t i = 0; i < count; i++) {
    size_t distance = edit_distance(word, candidates[i]);
    if (distance < least) {
      least = distance;
      nearest = candidates[i];
    }
  }
  return nearest;
}

/* ---- options ---- */

size_t cli_option_name_size(const CliOption *option) {
  return strcspn(option->name, ",");
}

int cli_option_find_live(const CliVerb *verb, const CliOption *option) {
  size_t size = cli_option_name_size(option);
  for (int i = 0; verb->live && verb->live[i]; i++)
    if (strlen(verb->live[i]) == size && strncmp(verb->live[i], option->name, size) == 0)
      return i;
  return -1;
}

/* Is it "--name", "--name=value" or the short form? *ret_value is the part behind '=', or NULL. */
static bool matches(const CliOption *option, const char *argument, const char **ret_value) {
  size_t size = cli_option_name_size(option);
  const char *short_form = option->name[size] ? option->name + size + 1 : NULL;
  *ret_value = NULL;
  if (short_form && strcmp(argument, short_form) == 0)
    return true;
  if (strncmp(argument, option->name, size) != 0)
    return false;
  if (argument[size] == '=')
    *ret_value = argument + size + 1;
  return argument[size] == '=' || argument[size] == '\0';
}

const CliOption *cli_option_find(const CliVerb *verb, const char *argument, const char **ret_value) {
  for (size_t i = 0; i < verb->option_count; i++)
    if (matches(&verb->options[i], argument, ret_value))
      return &verb->options[i];
  return NULL;
}

static int parse_number(const CliOption *option, const char *text, int64_t *ret_value, Error *err) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || value < 0)
    return error_set(err, ERROR_INVALID, "%.*s wants a number, not \"%s\"", (int)cli_option_name_size(option),
                     option->name, text);
  *ret_value = value;
  return 0;
}

static int parse_duration(const CliOption *option, const char *text, int64_t *ret_value, Error *err) {
  static const struct {
    const char *unit;
    int64_t ms;
  } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  bool is_number = end != text && !errno && value >= 0;
  for (size_t i = 0; is_number && i < COUNT_OF(units); i++) {
    if (strcmp(end, units[i].unit) != 0)
      continue;
    if (value > INT32_MAX / units[i].ms)
      return error_set(err, ERROR_INVALID, "%.*s wants at most 596h, not \"%s\"",
                       (int)cli_option_name_size(option), option->name, text);
    *ret_value = value * units[i].ms;
    return 0;
  }
  return error_set(err, ERROR_INVALID, "%.*s wants a duration such as 200ms or 2s, not \"%s\"",
                   (int)cli_option_name_size(option), option->name, text);
}

static int parse_flag(const CliOption *option, const char *text, bool *ret_value, Error *err) {
  bool is_true = strcmp(text, "true") == 0;
  if (!is_true && strcmp(text, "false") != 0)
    return error_set(err, ERROR_INVALID, "%.*s is true or false, not \"%s\"",
                     (int)cli_option_name_size(option), option->name, text);
  *ret_value = is_true;
  return 0;
}

int cli_option_store(const CliOption *option, const char *value, void *values, Error *err) {
  void *place = (char *)values + option->offset;
  switch (option->kind) {
  case CLI_FLAG:
    return parse_flag(option, value, place, err);
  case CLI_STRING:
    *(const char **)place = value;
    return 0;
  case CLI_STRINGS: {
    CliStrings *strings = place;
    if (strings->count == CLI_ARGUMENTS_MAX)
      return error_set(err, ERROR_LIMIT, "%.*s was given more than %d times",
                       (int)cli_option_name_size(option), option->name, CLI_ARGUMENTS_MAX);
    strings->items[strings->count++] = value;
    return 0;
  }
  case CLI_NUMBER:
    return parse_number(option, value, place, err);
  case CLI_DURATION_MS:
    return parse_duration(option, value, place, err);
  }
  return error_set(err, ERROR_INVALID, "option %s has no kind", option->name);
}

static int refuse_unknown(const CliVerb *verb, const char *argument, Error *err) {
  const char *names[32];
  char copies[32][WORD_MAX + 1];
  size_t count = verb->option_count < COUNT_OF(names) ? verb->option_count : COUNT_OF(names);
  for (size_t i = 0; i < count; i++) {
    snprintf(copies[i], sizeof copies[i], "%.*s", (int)cli_option_name_size(&verb->options[i]),
             verb->options[i].name);
    names[i] = copies[i];
  }
  char word[WORD_MAX + 1];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(argument, "="), argument);
  const char *nearest = cli_nearest(word, names, count);
  if (nearest)
    return error_set(err, ERROR_INVALID, "unknown option %s; did you mean %s?", argument, nearest);
  return error_set(err, ERROR_INVALID, "unknown option %s; see `facet %s --help`", argument, verb->name);
}

/* The argument that is no option; a second one is refused. */
static int take_operand(const CliVerb *verb, const char *argument, void *values, Error *err) {
  const char **place = verb->operand ? (const char **)((char *)values + verb->operand_offset) : NULL;
  if (!place || *place)
    return error_set(err, ERROR_INVALID, "unexpected argument \"%s\"; see `facet %s --help`", argument,
                     verb->name);
  *place = argument;
  return 0;
}

int cli_options_parse_given(const CliVerb *verb, int argc, char **argv, void *ret_values, CliGiven *ret_given,
                            Error *err) {
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      cli_verb_print_help(verb);
      return CLI_HELP_SHOWN;
    }
    const char *value;
    const CliOption *option = cli_option_find(verb, argv[i], &value);
    if (!option && argv[i][0] != '-') {
      int r = take_operand(verb, argv[i], ret_values, err);
      if (r < 0)
        return r;
      continue;
    }
    if (!option)
      return refuse_unknown(verb, argv[i], err);
    if (option->kind == CLI_FLAG && !value)
      value = "true";
    if (!value) {
      if (++i == argc)
        return error_set(err, ERROR_INVALID, "%s needs a value (%s)", argv[i - 1], option->argument);
      value = argv[i];
    }
    int r = cli_option_store(option, value, ret_values, err);
    if (r < 0)
      return r;
    if (ret_given)
      ret_given->options[option - verb->options] = true;
  }
  return 0;
}

int cli_options_parse(const CliVerb *verb, int argc, char **argv, void *ret_values, Error *err) {
  return cli_options_parse_given(verb, argc, argv, ret_values, NULL, err);
}

void cli_verb_print_help(const CliVerb *verb) {
  printf("facet %s: %s\n", verb->name, verb->help);
  if (verb->operand)
    printf("\nUsage: facet %s %s [OPTIONS]\n", verb->name, verb->operand);
  if (verb->more)
    printf("\n%s\n", verb->more);
  if (verb->option_count)
    printf("\nOptions:\n");
  for (size_t i = 0; i < verb->option_count; i++) {
    const CliOption *option = &verb->options[i];
    CLEANUP(text_deinit) Text left = {0};
    const char *short_form =
        option->name[cli_option_name_size(option)] ? option->name + cli_option_name_size(option) + 1 : NULL;
    text_format(&left, "%s%s%.*s%s%s", string_or_empty(short_form), short_form ? ", " : "",
                (int)cli_option_name_size(option), option->name, option->argument ? " " : "",
                string_or_empty(option->argument));
    printf("  %-30s %s\n", text_string(&left), option->help);
  }
}

bool cli_may_go_on(const CliVerb *verb, int r, const Error *err, int *ret_exit) {
  if (r == 0)
    return true;
  *ret_exit = CLI_EXIT_OK;
  if (r < 0) {
    fprintf(stderr, "facet %s: %s\n", verb->name, err->text);
    *ret_exit = CLI_EXIT_USAGE;
  }
  return false;
}

bool cli_begin(const CliVerb *verb, int argc, char **argv, void *ret_values, int *ret_exit) {
  Error err;
  int r = cli_options_parse(verb, argc, argv, ret_values, &err);
  return cli_may_go_on(verb, r, &err, ret_exit);
}
