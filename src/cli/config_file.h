/* SPDX-License-Identifier: Apache-2.0 */
/* --config FILE: the options of a verb in YAML, by the verb's own table. A key is an option without its
 * dashes:
 *
 *     batch-window-idle: 500ms
 *     leader-elect: true
 *
 * What the command line says wins. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "cli/option.h"

#define CLI_CONFIG_OPTION "--config"
#define CLI_CONFIG_ROWS(Struct, member)                                                                      \
  {CLI_CONFIG_OPTION, CLI_STRING, offsetof(Struct, member), "FILE",                                          \
   "Read options from this YAML file; the command line wins. SIGHUP reads it again."},                       \
  {                                                                                                          \
    "--print-config", CLI_FLAG, offsetof(Struct, member##_printed), NULL,                                    \
        "Print such a file, with every option and what it means, and end."                                   \
  }

/* Keys of nos whose meaning is that of an option of ours; its seconds are our durations without a unit. A row
 * of zeroes is the last. */
typedef struct CliConfigAlias {
  const char *theirs, *ours;
} CliConfigAlias;
extern const CliConfigAlias cli_config_aliases[];

/* All but the two options that are about the file itself. */
bool cli_config_may_hold(const CliOption *option);
/* The command line, then the file that it names, for what it left out. Texts of the file live in the arena.
 * CLI_HELP_SHOWN also where the example was printed. Errors name file and line. */
int cli_config_parse(const CliVerb *verb, int argc, char **argv, void *ret_values, Arena *texts,
                     Error *err) MUST_CHECK;
/* The same as the beginning of a verb: prints what is wrong. False: return *ret_exit. */
bool cli_config_begin(const CliVerb *verb, int argc, char **argv, void *ret_values, Arena *texts,
                      int *ret_exit);
/* A file with every option of the verb as a comment. */
void cli_config_format_example(const CliVerb *verb, Text *ret_text);
