/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cli/manual.h"
#include "cli/roff.h"

#define ASSERT_ROFF(function, text, expected)                                                                \
  do {                                                                                                       \
    CLEANUP(text_deinit) Text out_ = {0};                                                                    \
    function(&out_, text, strlen(text));                                                                     \
    assert_string_equal(text_string(&out_), expected);                                                       \
  } while (0)

/* ---- roff ---- */

static void what_roff_would_read_as_its_own_is_escaped(void **state) {
  ASSERT_ROFF(cli_roff_line, "facet plan --output=json", "facet plan \\-\\-output=json\n");
  ASSERT_ROFF(cli_roff_line, ".TH is no title", "\\&.TH is no title\n");
  ASSERT_ROFF(cli_roff_line, "'0: 3g.40gb@4'", "\\&'0: 3g.40gb@4'\n");
  ASSERT_ROFF(cli_roff_line, "a\\b", "a\\eb\n");
  ASSERT_ROFF(cli_roff_line, "", "\n");
  ASSERT_ROFF(cli_roff_prose, "... but not longer", "\\&... but not longer\n");
}

static void what_stands_in_backquotes_is_bold(void **state) {
  ASSERT_ROFF(cli_roff_prose, "See `facet -h` first.", "See \\fBfacet \\%\\-h\\fR first.\n");
  ASSERT_ROFF(cli_roff_prose, "`a` and `b`", "\\fBa\\fR and \\fBb\\fR\n");
  ASSERT_ROFF(cli_roff_prose, "a single ` stays", "a single ` stays\n");
}

static void names_are_not_hyphenated(void **state) {
  ASSERT_ROFF(cli_roff_prose, "Set NO_COLOR, `--check` or /etc/x, please.",
              "Set \\%NO_COLOR, \\%\\fB\\-\\-check\\fR or \\%/etc/x, please.\n");
}

static void long_paragraphs_are_broken_and_no_line_begins_like_a_macro(void **state) {
  ASSERT_ROFF(cli_roff_prose,
              "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 .xy next",
              "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n"
              "\\&.xy next\n");
}

/* ---- a page ---- */

static int run_nothing(const CliVerb *verb, int argc, char **argv) {
  return CLI_EXIT_OK;
}

static const CliOption options[] = {
    {"--file,-f", CLI_STRINGS, 0, "FILE", "What to read."},
    {"--kind", CLI_STRING, 0, "one|two|NUMBERS", "Which (default: one)."},
    {"--check", CLI_FLAG, 0, NULL, "Look."},
};

static void a_page_is_made_of_the_verb_and_its_rows(void **state) {
  const CliVerb verb = {.name = "try",
                        .help = "try things",
                        .more = "    facet try -f x\n\nChanges nothing.\nReally.\n\nA second paragraph.",
                        .operand = "THING",
                        .options = options,
                        .option_count = COUNT_OF(options),
                        .run = run_nothing};
  CLEANUP(text_deinit) Text page = {0};
  cli_manual_format(NULL, &verb, &page);
  const char *title = strstr(text_string(&page), "\n.TH ");
  assert_non_null(title);
  assert_true(string_has_prefix(title, "\n.TH FACET\\-TRY 1 "));
  assert_string_equal(strstr(title, ".SH NAME"),
                      ".SH NAME\nfacet\\-try \\-\ntry things\n"
                      ".SH SYNOPSIS\n.B facet try\n.RI [ OPTION \"] ...\\&\"\n"
                      "\\fITHING\\fR\n"
                      ".SH DESCRIPTION\nTry things.\n"
                      ".PP\n.RS 4\n.EX\nfacet try \\-f x\n.EE\n.RE\n"
                      ".PP\nChanges nothing.\nReally.\n.PP\nA second paragraph.\n"
                      ".SH OPTIONS\n"
                      ".TP\n\\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIFILE\\fR\n"
                      "What to read.\n"
                      ".TP\n\\fB\\-\\-kind\\fR \\fBone\\fR|\\fBtwo\\fR|\\fINUMBERS\\fR\n"
                      "Which (default: one).\n"
                      ".TP\n\\fB\\-\\-check\\fR\nLook.\n"
                      ".SH SEE ALSO\n.BR facet (1)\n");
}

static void options_that_verbs_of_a_group_share_are_told_once(void **state) {
  const CliVerb one = {.name = "group one", .help = "the one", .options = options, .option_count = 1};
  const CliVerb two = {.name = "group two", .help = "the two", .options = options, .option_count = 2};
  const CliVerb *const inner[] = {&one, &two, NULL};
  const CliVerb group = {.name = "group", .help = "both", .verbs = inner};
  CLEANUP(text_deinit) Text page = {0};
  cli_manual_format(NULL, &group, &page);
  assert_string_equal(
      strstr(text_string(&page), ".SH VERBS"),
      ".SH VERBS\n"
      ".SS group one\n.B facet group one\n.RI [ OPTION \"] ...\\&\"\n.PP\nThe one.\n"
      ".PP\nOptions:\n\\%\\fB\\-\\-file\\fR.\n"
      ".SS group two\n.B facet group two\n.RI [ OPTION \"] ...\\&\"\n.PP\nThe two.\n"
      ".PP\nOptions:\n\\%\\fB\\-\\-file\\fR,\n\\%\\fB\\-\\-kind\\fR.\n"
      ".SH OPTIONS\n"
      ".TP\n\\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIFILE\\fR\nWhat to read.\n"
      ".TP\n\\fB\\-\\-kind\\fR \\fBone\\fR|\\fBtwo\\fR|\\fINUMBERS\\fR\nWhich (default: one).\n"
      ".SH SEE ALSO\n.BR facet (1)\n");
}

/* ---- the rows ---- */

static bool has_row(CliManualSection section, const char *verb) {
  for (const CliManualRow *row = cli_manual_rows[section]; row->verbs; row++)
    if (cli_manual_is_for(row, verb))
      return true;
  return false;
}

static void every_page_has_examples_and_exit_statuses(void **state) {
  for (const CliManualPage *page = cli_manual_pages; page->verb; page++) {
    assert_true(has_row(CLI_MANUAL_EXAMPLES, page->verb));
    assert_true(has_row(CLI_MANUAL_EXIT_STATUS, page->verb));
  }
  assert_true(has_row(CLI_MANUAL_EXAMPLES, "facet"));
}

static void every_row_is_a_sentence_for_pages_that_exist(void **state) {
  for (int section = 0; section < CLI_MANUAL_SECTION_COUNT; section++) {
    for (const CliManualRow *row = cli_manual_rows[section]; row->verbs; row++) {
      char verbs[128], *rest = verbs, *verb;
      snprintf(verbs, sizeof verbs, "%s", row->verbs);
      while ((verb = strsep(&rest, " ")))
        assert_true(strcmp(verb, "facet") == 0 || cli_manual_find_page(verb));
      assert_true(string_has_suffix(row->text, ".") || string_has_suffix(row->text, "?"));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_roff_would_read_as_its_own_is_escaped),
      cmocka_unit_test(what_stands_in_backquotes_is_bold),
      cmocka_unit_test(names_are_not_hyphenated),
      cmocka_unit_test(long_paragraphs_are_broken_and_no_line_begins_like_a_macro),
      cmocka_unit_test(a_page_is_made_of_the_verb_and_its_rows),
      cmocka_unit_test(options_that_verbs_of_a_group_share_are_told_once),
      cmocka_unit_test(every_page_has_examples_and_exit_statuses),
      cmocka_unit_test(every_row_is_a_sentence_for_pages_that_exist),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
