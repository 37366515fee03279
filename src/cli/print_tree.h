/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of values on standard output, as a verb's `-o json` or `-o yaml`. */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <jansson.h>

/* True for "json" and "yaml". */
bool cli_print_tree_knows(const char *format);
/* Of a verb that also has a table: -o wants one of the three. */
int cli_print_tree_check(const char *format, Error *err) MUST_CHECK;
/* In that format, with a line's end. Members stand in the order in which they were added. */
void cli_print_tree(const json_t *root, const char *format);
/* Appends the tree as YAML. What YAML could take for something else than the text that it is stands in
 * quotes. */
void cli_print_tree_yaml(const json_t *root, Text *out);
