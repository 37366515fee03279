/* SPDX-License-Identifier: Apache-2.0 */
/* The man pages, one per verb and facet(1), and docs/configuration.md: all of them printed out of the tables
 * of verbs and options and out of what stands here beyond these. */
#pragma once

#include "base/text.h"
#include "cli/verb.h"

/* One entry of a section. */
typedef struct CliManualRow {
  const char *verbs; /* which pages: "plan explain"; "facet": the page facet(1) */
  const char *term;  /* "KUBECONFIG"; of an example the command */
  const char *text;  /* sentences; what stands in `...` is set off */
} CliManualRow;

/* A verb's page. */
typedef struct CliManualPage {
  const char *verb;
  int section; /* 1; 8 for what an administrator runs */
  const char *see_also;
} CliManualPage;

/* In this order the sections stand on a page. */
typedef enum CliManualSection {
  CLI_MANUAL_DESCRIPTION, /* paragraphs behind those of the help; without terms */
  CLI_MANUAL_EXIT_STATUS,
  CLI_MANUAL_ENVIRONMENT,
  CLI_MANUAL_FILES,
  CLI_MANUAL_SIGNALS,
  CLI_MANUAL_EXAMPLES,
  CLI_MANUAL_SECTION_COUNT
} CliManualSection;

/* All end with a row of zeroes. */
extern const CliManualPage cli_manual_pages[]; /* every verb that is not hidden has one */
extern const CliManualRow *const cli_manual_rows[CLI_MANUAL_SECTION_COUNT];

/* Is this row for the page of that verb ("facet": the page facet(1))? */
bool cli_manual_is_for(const CliManualRow *row, const char *verb);
/* NULL where the verb has none. */
const CliManualPage *cli_manual_find_page(const char *verb);

/* roff by man(7), for groff and mandoc. verb: NULL for facet(1). */
void cli_manual_format(const CliVerb *const *verbs, const CliVerb *verb, Text *ret_text);
/* Markdown: options of controller and agent, labels, annotations, variables, metrics. */
void cli_manual_configuration(Text *ret_text);
