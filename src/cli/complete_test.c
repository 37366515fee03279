/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cli/complete.h"

enum { WORDS_MAX = 12 };

static int run_nothing(const CliVerb *verb, int argc, char **argv) {
  return CLI_EXIT_OK;
}

static const CliOption options[] = {
    {"--file,-f", CLI_STRINGS, 0, "FILE", "What to read."},
    {"--kubeconfig", CLI_STRING, 0, "FILE", "Where."},
    {"--context", CLI_STRING, 0, "NAME", "Which."},
    {"--output,-o", CLI_STRING, 0, "table|json|yaml", "Format."},
    {"--ignore", CLI_STRING, 0, "all|xids|NUMBERS", "What not to see."},
    {"--folder", CLI_STRING, 0, "FOLDER", "Where to."},
    {"--count", CLI_NUMBER, 0, "N", "How many."},
    {"--check", CLI_FLAG, 0, NULL, "Look."},
};

#define VERB(words, ...)                                                                                     \
  { .name = (words), .help = "help of " words, .run = run_nothing, __VA_ARGS__ }

static const CliVerb plan = VERB("plan", .options = options, .option_count = COUNT_OF(options));
static const CliVerb place = VERB("place", .operand = "FILE", .options = options, .option_count = 1);
static const CliVerb explain = VERB("explain", .operand = "POD", .options = options, .option_count = 1);
static const CliVerb secret = VERB("secret", .hidden = true);
static const CliVerb mig_list = VERB("mig list", .options = options, .option_count = 1);
static const CliVerb mig_load = VERB("mig load", .operand = "FILE");
static const CliVerb *const mig_verbs[] = {&mig_list, &mig_load, NULL};
static const CliVerb mig = VERB("mig", .verbs = mig_verbs);
static const CliVerb *const verbs[] = {&plan, &place, &explain, &secret, &mig, NULL};
const CliVerb cli_verb_version = VERB("version", .hidden = false);

static void list_contexts(const char *path, Text *ret_names) {
  text_format(ret_names, "one-of-%s\nother\n", path ? path : "default");
}

/* The line, split at its blanks; what is typed last may be empty. */
static void assert_offers(const char *line, const char *expected) {
  char copy[256], *words[WORDS_MAX];
  int count = 0;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word = copy, *next; word; word = next) {
    next = strchr(word, ' ');
    if (next)
      *next++ = '\0';
    assert_true(count < WORDS_MAX);
    words[count++] = word;
  }
  const CliCompletion completion = {.verbs = verbs, .list_contexts = list_contexts};
  CLEANUP(text_deinit) Text answer = {0};
  cli_complete(&completion, count, words, &answer);
  assert_string_equal(text_string(&answer), expected);
}

static void verbs_are_offered_with_their_meaning_but_not_the_hidden_ones(void **state) {
  static const char all[] =
      "plan\thelp of plan\nplace\thelp of place\nexplain\thelp of explain\nmig\thelp of mig\n:4\n";
  assert_offers("", all);
  assert_offers("pl", "plan\thelp of plan\nplace\thelp of place\n:4\n");
  assert_offers("s", ":4\n");
  const CliCompletion completion = {.verbs = verbs, .list_contexts = list_contexts};
  CLEANUP(text_deinit) Text answer = {0};
  cli_complete(&completion, 0, NULL, &answer);
  assert_string_equal(text_string(&answer), all);
}

static void a_second_word_is_a_verb_where_the_first_has_verbs(void **state) {
  assert_offers("mig ", "list\thelp of mig list\nload\thelp of mig load\n:4\n");
  assert_offers("mig li", "list\thelp of mig list\n:4\n");
  assert_offers("mig -", "--help\tlist the verbs\n:4\n");
  assert_offers("mig list --f", "--file\tWhat to read.\n:4\n");
  assert_offers("mig load ", ":0\n");
}

static void behind_a_word_that_is_no_verb_nothing_is_offered(void **state) {
  assert_offers("plam ", ":4\n");
  assert_offers("mig plan --", ":4\n");
}

static void help_and_version_are_offered_to_who_types_a_dash(void **state) {
  assert_offers("-", "--help\tlist the verbs\n--version\thelp of version\n:4\n");
  assert_offers("plan --h", "--help\tsay what this verb and its options do\n:4\n");
}

static void options_are_offered_once_but_those_that_may_be_repeated_again(void **state) {
  assert_offers("plan --c", "--context\tWhich.\n--count\tHow many.\n--check\tLook.\n:4\n");
  assert_offers("plan --check --c", "--context\tWhich.\n--count\tHow many.\n:4\n");
  assert_offers("plan --count=3 --check=false --c", "--context\tWhich.\n:4\n");
  assert_offers("plan -o json --o", ":4\n");
  assert_offers("plan -f a --f", "--file\tWhat to read.\n--folder\tWhere to.\n:4\n");
  assert_offers("mig list ", "--file\tWhat to read.\n--help\tsay what this verb and its options do\n:4\n");
}

static void values_are_the_words_of_the_table(void **state) {
  assert_offers("plan --output ", "table\njson\nyaml\n:4\n");
  assert_offers("plan -o j", "json\n:4\n");
  assert_offers("plan --output=", "--output=table\n--output=json\n--output=yaml\n:4\n");
  assert_offers("plan --output=y", "--output=yaml\n:4\n");
  assert_offers("plan --ignore ", "all\nxids\n:4\n");
  assert_offers("plan --check=", "--check=true\n--check=false\n:4\n");
  assert_offers("plan --count ", ":4\n");
  assert_offers("plan --nothing=", ":4\n");
}

static void files_and_folders_are_left_to_the_shell(void **state) {
  assert_offers("plan -f ", ":0\n");
  assert_offers("plan --file=sub/", ":0\n");
  assert_offers("plan --folder ", ":16\n");
  assert_offers("place ", ":0\n");
  assert_offers("place x ", "--file\tWhat to read.\n--help\tsay what this verb and its options do\n:4\n");
  assert_offers("place x y", ":4\n");
  assert_offers("place -f x ", ":0\n");
  assert_offers("explain ", ":4\n");
  assert_offers("plan x", ":4\n");
}

static void contexts_are_those_of_the_kubeconfig_that_was_given(void **state) {
  assert_offers("plan --context ", "one-of-default\nother\n:4\n");
  assert_offers("plan --kubeconfig here --context o", "one-of-here\nother\n:4\n");
  assert_offers("plan --kubeconfig=there --context=on", "--context=one-of-there\n:4\n");
}

static void words_of_any_length_are_harmless(void **state) {
  char line[240];
  memset(line, 'x', sizeof line - 1);
  line[sizeof line - 1] = '\0';
  assert_offers(line, ":4\n");
  memcpy(line, "plan --output=", strlen("plan --output="));
  assert_offers(line, ":4\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verbs_are_offered_with_their_meaning_but_not_the_hidden_ones),
      cmocka_unit_test(a_second_word_is_a_verb_where_the_first_has_verbs),
      cmocka_unit_test(behind_a_word_that_is_no_verb_nothing_is_offered),
      cmocka_unit_test(help_and_version_are_offered_to_who_types_a_dash),
      cmocka_unit_test(options_are_offered_once_but_those_that_may_be_repeated_again),
      cmocka_unit_test(values_are_the_words_of_the_table),
      cmocka_unit_test(files_and_folders_are_left_to_the_shell),
      cmocka_unit_test(contexts_are_those_of_the_kubeconfig_that_was_given),
      cmocka_unit_test(words_of_any_length_are_harmless),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
