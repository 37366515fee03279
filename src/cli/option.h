/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of reading options that the command line and the configuration file share. */
#pragma once

#include "cli/verb.h"

enum { CLI_OPTIONS_MAX = 64 /* of one verb */ };

/* Which options of the verb the command line gave, by their place in its table. */
typedef struct CliGiven {
  bool options[CLI_OPTIONS_MAX];
} CliGiven;

/* Of "--file" in "--file,-f". */
size_t cli_option_name_size(const CliOption *option);
/* "--name", "--name=value" or the short form; ret_value: the part behind '=', or NULL. NULL: no such option.
 */
const CliOption *cli_option_find(const CliVerb *verb, const char *argument, const char **ret_value);
/* Its place among the verb's live ones, or -1. */
int cli_option_find_live(const CliVerb *verb, const CliOption *option);
/* The value as text into the verb's struct. Texts are borrowed. */
int cli_option_store(const CliOption *option, const char *value, void *values, Error *err) MUST_CHECK;
/* As cli_options_parse(); ret_given may be NULL. */
int cli_options_parse_given(const CliVerb *verb, int argc, char **argv, void *ret_values, CliGiven *ret_given,
                            Error *err) MUST_CHECK;
/* What cli_begin() does with the result of parsing. */
bool cli_may_go_on(const CliVerb *verb, int r, const Error *err, int *ret_exit);
