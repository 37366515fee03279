/* SPDX-License-Identifier: Apache-2.0 */
/* A page from top to bottom: NAME, SYNOPSIS and OPTIONS are the verb's tables, DESCRIPTION is what its help
 * says and what manual_rows.c adds, the other sections are rows. In roff a line must not begin with '.' or
 * '\'', a backslash is written \e, and a dash that may be copied \-. */
#include "cli/manual.h"

#include "cli/option.h"
#include "cli/roff.h"

#include <ctype.h>
#include <string.h>

/* Of the last change of what the pages say: the same sources give the same pages. */
#define DATE "2026-11-29"

static const char *const titles[CLI_MANUAL_SECTION_COUNT] = {
    [CLI_MANUAL_DESCRIPTION] = "DESCRIPTION", [CLI_MANUAL_EXIT_STATUS] = "EXIT STATUS",
    [CLI_MANUAL_ENVIRONMENT] = "ENVIRONMENT", [CLI_MANUAL_FILES] = "FILES",
    [CLI_MANUAL_SIGNALS] = "SIGNALS",         [CLI_MANUAL_EXAMPLES] = "EXAMPLES",
};

/* ---- the rows ---- */

static bool has_word(const char *words, const char *word) {
  size_t size = strlen(word);
  for (const char *at = words; *at;) {
    size_t length = strcspn(at, " ");
    if (length == size && strncmp(at, word, size) == 0)
      return true;
    at += length + (at[length] == ' ');
  }
  return false;
}

bool cli_manual_is_for(const CliManualRow *row, const char *verb) {
  return has_word(row->verbs, verb);
}

const CliManualPage *cli_manual_find_page(const char *verb) {
  for (const CliManualPage *page = cli_manual_pages; page->verb; page++)
    if (strcmp(page->verb, verb) == 0)
      return page;
  return NULL;
}

/* ---- text ---- */

/* "own the GPUs ..." as a sentence. */
static void append_sentence(Text *out, const char *help) {
  CLEANUP(text_deinit) Text sentence = {0};
  text_format(&sentence, "%c%s.", toupper((unsigned char)*help), help + 1);
  cli_roff_prose(out, text_string(&sentence), sentence.size);
}

static bool is_literal(const char *line) {
  return strncmp(line, "    ", 4) == 0;
}

/* Help as `facet VERB --help` shows it: paragraphs, and lines that are meant as they stand. */
static void append_help(Text *out, const char *help) {
  bool literal = false;
  for (const char *line = help; *line;) {
    size_t size = strcspn(line, "\n");
    if (size && is_literal(line) != literal)
      text_append(out, literal ? ".EE\n.RE\n.PP\n" : ".PP\n.RS 4\n.EX\n");
    else if (!size && !literal && line[1] && !is_literal(line + 1))
      text_append(out, ".PP\n");
    if (size)
      literal = is_literal(line);
    if (literal && size)
      cli_roff_line(out, line + 4, size - 4);
    else if (size)
      cli_roff_prose(out, line, size);
    line += size + (line[size] == '\n');
  }
  if (literal)
    text_append(out, ".EE\n.RE\n");
}

/* ---- the parts of a page ---- */

static void append_synopsis(Text *out, const CliVerb *verb) {
  text_append(out, ".B facet ");
  cli_roff_text(out, verb->name, strlen(verb->name));
  if (verb->verbs)
    text_append(out, "\n.I VERB");
  if (verb->option_count || verb->verbs)
    text_append(out, "\n.RI [ OPTION \"] ...\\&\"");
  if (verb->operand) {
    text_append(out, "\n\\fI");
    cli_roff_text(out, verb->operand, strlen(verb->operand));
    text_append(out, "\\fR");
  }
  text_append(out, "\n");
}

/* Words in capitals are to be replaced, others are meant as they are: "all|xids|NUMBERS". */
static void append_argument(Text *out, const char *argument) {
  for (const char *word = argument; *word;) {
    size_t size = strcspn(word, "|");
    cli_roff_in(out, islower((unsigned char)*word) ? 'B' : 'I', word, size);
    text_append(out, word[size] ? "|" : "");
    word += size + (word[size] == '|');
  }
}

static void append_option(Text *out, const CliOption *option) {
  size_t size = cli_option_name_size(option);
  text_append(out, ".TP\n");
  if (option->name[size]) {
    cli_roff_in(out, 'B', option->name + size + 1, strlen(option->name + size + 1));
    text_append(out, ", ");
  }
  cli_roff_in(out, 'B', option->name, size);
  if (option->argument) {
    text_append(out, " ");
    append_argument(out, option->argument);
  }
  text_append(out, "\n");
  cli_roff_prose(out, option->help, strlen(option->help));
}

static void append_options(Text *out, const CliVerb *verb) {
  for (size_t i = 0; i < verb->option_count; i++)
    append_option(out, &verb->options[i]);
}

static void append_example(Text *out, const CliManualRow *row) {
  cli_roff_prose(out, row->text, strlen(row->text));
  text_append(out, ".PP\n.RS 4\n.EX\n");
  cli_roff_line(out, row->term, strlen(row->term));
  text_append(out, ".EE\n.RE\n");
}

static void append_row(Text *out, CliManualSection section, const CliManualRow *row, bool is_first) {
  if (!is_first && (!row->term || section == CLI_MANUAL_EXAMPLES))
    text_append(out, ".PP\n");
  if (section == CLI_MANUAL_EXAMPLES) {
    append_example(out, row);
    return;
  }
  if (row->term) {
    text_append(out, ".TP\n");
    cli_roff_in(out, 'B', row->term, strlen(row->term));
    text_append(out, "\n");
  }
  cli_roff_prose(out, row->text, strlen(row->text));
}

/* is_first: nothing stands in the section before. */
static void append_rows(Text *out, CliManualSection section, const char *name, bool is_first) {
  for (const CliManualRow *row = cli_manual_rows[section]; row->verbs; row++) {
    if (!cli_manual_is_for(row, name))
      continue;
    if (is_first)
      text_format(out, ".SH %s\n", titles[section]);
    append_row(out, section, row, is_first);
    is_first = false;
  }
}

static void append_later_sections(Text *out, const char *name) {
  for (CliManualSection section = CLI_MANUAL_DESCRIPTION + 1; section < CLI_MANUAL_SECTION_COUNT; section++)
    append_rows(out, section, name, true);
}

/* "facet(1), facet-plan(1)". */
static void append_see_also(Text *out, const char *pages) {
  text_append(out, ".SH SEE ALSO\n");
  for (const char *page = pages; *page;) {
    size_t size = strcspn(page, "("), rest = strcspn(page, ",");
    text_append(out, ".BR ");
    cli_roff_text(out, page, size);
    text_format(out, " %.*s\n", (int)(rest - size) + (page[rest] == ','), page + size);
    page += rest + strspn(page + rest, ", ");
  }
}

static void append_head(Text *out, const char *name, int section, const char *help) {
  text_append(out, ".\\\" Printed by facet out of the tables of its options: see src/cli/manual.h.\n.TH ");
  for (const char *p = name; *p; p++)
    text_format(out, "%s%c", *p == '-' ? "\\" : "", toupper((unsigned char)*p));
  text_format(out, " %d " DATE " \"facet " FACET_VERSION "\" \"facet manual\"\n.ad l\n.SH NAME\n", section);
  cli_roff_text(out, name, strlen(name));
  text_append(out, " \\-\n");
  cli_roff_prose(out, help, strlen(help));
  text_append(out, ".SH SYNOPSIS\n");
}

/* ---- pages ---- */

static void append_description(Text *out, const CliVerb *verb) {
  append_sentence(out, verb->help);
  if (!verb->more)
    return;
  text_append(out, is_literal(verb->more) ? "" : ".PP\n");
  append_help(out, verb->more);
}

static bool has_option(const CliVerb *verb, const CliOption *option) {
  for (size_t i = 0; i < verb->option_count; i++)
    if (strcmp(verb->options[i].name, option->name) == 0 && strcmp(verb->options[i].help, option->help) == 0)
      return true;
  return false;
}

/* Has an earlier verb of the group the same option? */
static bool is_told(const CliVerb *group, size_t until, const CliOption *option) {
  for (size_t i = 0; i < until; i++)
    if (has_option(group->verbs[i], option))
      return true;
  return false;
}

/* A verb that has verbs: each with its own words and the names of its options, which are told once. */
static void append_verbs(Text *out, const CliVerb *verb) {
  text_append(out, ".SH VERBS\n");
  for (size_t i = 0; verb->verbs[i]; i++) {
    const CliVerb *inner = verb->verbs[i];
    text_append(out, ".SS ");
    cli_roff_line(out, inner->name, strlen(inner->name));
    append_synopsis(out, inner);
    text_append(out, ".PP\n");
    append_description(out, inner);
    text_append(out, ".PP\nOptions:\n");
    for (size_t j = 0; j < inner->option_count; j++) {
      text_append(out, "\\%");
      cli_roff_in(out, 'B', inner->options[j].name, cli_option_name_size(&inner->options[j]));
      text_append(out, j + 1 < inner->option_count ? ",\n" : ".\n");
    }
  }
  text_append(out, ".SH OPTIONS\n");
  for (size_t i = 0; verb->verbs[i]; i++)
    for (size_t j = 0; j < verb->verbs[i]->option_count; j++)
      if (!is_told(verb, i, &verb->verbs[i]->options[j]))
        append_option(out, &verb->verbs[i]->options[j]);
}

static void append_verb_page(Text *out, const CliVerb *verb) {
  CLEANUP(text_deinit) Text name = {0}, see = {0};
  const CliManualPage *page = cli_manual_find_page(verb->name);
  text_format(&name, "facet-%s", verb->name);
  append_head(out, text_string(&name), page ? page->section : 1, verb->help);
  append_synopsis(out, verb);
  text_append(out, ".SH DESCRIPTION\n");
  append_description(out, verb);
  append_rows(out, CLI_MANUAL_DESCRIPTION, verb->name, false);
  if (verb->option_count)
    text_append(out, ".SH OPTIONS\n");
  append_options(out, verb);
  if (verb->verbs)
    append_verbs(out, verb);
  append_later_sections(out, verb->name);
  text_append(&see, "facet(1)");
  text_append_item(&see, ", ", page ? page->see_also : NULL);
  append_see_also(out, text_string(&see));
}

static void append_verb_list(Text *out, const CliVerb *const *verbs, Text *see) {
  text_append(out, ".SH VERBS\n");
  for (size_t i = 0; verbs[i]; i++) {
    const CliManualPage *page = cli_manual_find_page(verbs[i]->name);
    if (verbs[i]->hidden || !page)
      continue;
    text_append(out, ".TP\n.BR facet\\-");
    cli_roff_text(out, verbs[i]->name, strlen(verbs[i]->name));
    text_format(out, " (%d)\n", page->section);
    cli_roff_prose(out, verbs[i]->help, strlen(verbs[i]->help));
    text_format(see, "%sfacet-%s(%d)", see->size ? ", " : "", verbs[i]->name, page->section);
  }
}

static void append_program_page(Text *out, const CliVerb *const *verbs) {
  CLEANUP(text_deinit) Text see = {0};
  append_head(out, "facet", 1, "cut GPUs to fit the pods that wait");
  text_append(out, ".B facet\n.I VERB\n.RI [ OPTION \"] ...\\&\"\n.br\n.B kubectl facet\n.I VERB\n"
                   ".RI [ OPTION \"] ...\\&\"\n");
  append_rows(out, CLI_MANUAL_DESCRIPTION, "facet", true);
  append_verb_list(out, verbs, &see);
  text_append(out, ".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nList the verbs; behind a verb, say "
                   "what it and its options do.\n.TP\n\\fB\\-\\-version\\fR\nPrint the version.\n");
  append_later_sections(out, "facet");
  text_append_item(&see, ", ", "kubectl(1)");
  append_see_also(out, text_string(&see));
}

void cli_manual_format(const CliVerb *const *verbs, const CliVerb *verb, Text *ret_text) {
  if (verb)
    append_verb_page(ret_text, verb);
  else
    append_program_page(ret_text, verbs);
}
