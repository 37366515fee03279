/* SPDX-License-Identifier: Apache-2.0 */
/* facet manual PAGE: what the build installs as man pages, and docs/configuration.md. */
#include "cli/manual.h"

#include <string.h>

typedef struct Options {
  const char *page;
  bool list;
} Options;

static const CliOption options_table[] = {
    {"--list", CLI_FLAG, offsetof(Options, list), NULL, "Print the names of all pages with their sections."},
};

#define PREFIX "facet-"

static const CliVerb *find_verb(const char *page) {
  for (size_t i = 0; string_has_prefix(page, PREFIX) && cli_verbs[i]; i++)
    if (!cli_verbs[i]->hidden && strcmp(cli_verbs[i]->name, page + strlen(PREFIX)) == 0)
      return cli_verbs[i];
  return NULL;
}

static void list(void) {
  printf("facet.1\n");
  for (size_t i = 0; cli_verbs[i]; i++) {
    const CliManualPage *page = cli_manual_find_page(cli_verbs[i]->name);
    if (!cli_verbs[i]->hidden)
      printf(PREFIX "%s.%d\n", cli_verbs[i]->name, page ? page->section : 1);
  }
}

static int run(const CliVerb *verb, int argc, char **argv) {
  Options options = {0};
  int exit_code;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  if (options.list) {
    list();
    return CLI_EXIT_OK;
  }
  const char *page = options.page ? options.page : "facet";
  const CliVerb *about = find_verb(page);
  CLEANUP(text_deinit) Text text = {0};
  if (strcmp(page, "configuration") == 0) {
    cli_manual_configuration(&text);
  } else if (about || strcmp(page, "facet") == 0) {
    cli_manual_format(cli_verbs, about, &text);
  } else {
    fprintf(stderr, "facet manual: there is no page \"%s\"; `facet manual --list` lists them\n", page);
    return CLI_EXIT_USAGE;
  }
  fputs(text_string(&text), stdout);
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_manual = {
    .name = "manual",
    .help = "print a man page, or the reference of the configuration",
    .operand = "PAGE",
    .operand_offset = offsetof(Options, page),
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .hidden = true,
    .run = run,
};
