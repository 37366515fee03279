/* SPDX-License-Identifier: Apache-2.0 */
/* A verb of the command line: one file each, one row in main.c's table. Options are a table too; parsing,
 * help, completion (cli/complete.h), man pages and the reference of the configuration (cli/manual.h) come
 * from it. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
  CLI_EXIT_OK = 0,
  CLI_EXIT_FAILED = 1,    /* the thing asked for could not be done */
  CLI_EXIT_USAGE = 2,     /* the command line makes no sense */
  CLI_EXIT_BLOCKED = 2,   /* --check: there is something to see to */
  CLI_ARGUMENTS_MAX = 64, /* values of one repeated option */
};

typedef enum CliKind {
  CLI_FLAG,        /* bool; --name or --name=true, and --name=false */
  CLI_STRING,      /* const char * */
  CLI_STRINGS,     /* CliStrings, may be repeated */
  CLI_NUMBER,      /* int64_t, not negative */
  CLI_DURATION_MS, /* int64_t; "200ms", "2s", "1m"; a bare number is seconds */
} CliKind;

typedef struct CliStrings {
  const char *items[CLI_ARGUMENTS_MAX];
  int count;
} CliStrings;

typedef struct CliOption {
  const char *name; /* "--kubeconfig"; a short form may follow after a comma: "--file,-f" */
  CliKind kind;
  size_t offset;        /* of the value in the verb's own struct */
  const char *argument; /* "FILE"; "table|json": words that are meant as they are; NULL for flags */
  const char *help;     /* one sentence; with "(default: X)" */
} CliOption;

typedef struct CliVerb {
  const char *name;
  const char *help;    /* one line */
  const char *more;    /* a paragraph for `facet VERB --help`; NULL */
  const char *operand; /* "POD": one argument without a dash, may come anywhere; NULL: the verb takes none */
  size_t operand_offset; /* of its const char * in the verb's own struct */
  const CliOption *options;
  size_t option_count;
  const char *const *live;            /* options that SIGHUP changes, NULL behind the last; or NULL */
  void (*set_defaults)(void *values); /* of the verb's own struct; NULL where nobody but the verb asks */
  size_t values_size;                 /* of it */
  const struct CliVerb *const *verbs; /* of the second word, NULL behind the last; they are named with both */
  bool hidden;
  int (*run)(const struct CliVerb *verb, int argc,
             char **argv); /* arguments behind the verb; the exit code */
} CliVerb;

enum { CLI_HELP_SHOWN = 1 }; /* condition of cli_options_parse: --help was asked for and printed */

/* Fills the struct at `ret_values` (set to its defaults by the caller). Errors name the option and, for an
 * unknown one, the nearest that exists. */
int cli_options_parse(const CliVerb *verb, int argc, char **argv, void *ret_values, Error *err) MUST_CHECK;
void cli_verb_print_help(const CliVerb *verb);
/* The usual beginning of a verb: parses, prints what is wrong. Negative: return the exit code in ret_exit. */
bool cli_begin(const CliVerb *verb, int argc, char **argv, void *ret_values, int *ret_exit);
/* The candidate that is closest to the word (edit distance), or NULL where none is near. */
const char *cli_nearest(const char *word, const char *const *candidates, size_t count);

/* All of them, as the help lists them, NULL behind the last. */
extern const CliVerb *const cli_verbs[];

extern const CliVerb cli_verb_agent;
extern const CliVerb cli_verb_check;
extern const CliVerb cli_verb_complete;
extern const CliVerb cli_verb_controller;
extern const CliVerb cli_verb_debug;
extern const CliVerb cli_verb_demo;
extern const CliVerb cli_verb_explain;
extern const CliVerb cli_verb_manual;
extern const CliVerb cli_verb_mig;
extern const CliVerb cli_verb_nvml_worker;
extern const CliVerb cli_verb_plan;
extern const CliVerb cli_verb_simulate;
extern const CliVerb cli_verb_version;
extern const CliVerb cli_verb_view;
