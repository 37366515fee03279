/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is read once from its beginning to its end, or standard input; what gzip compressed comes out
 * as it went in. */
#pragma once

#include "base/error.h"

#include <stddef.h>

typedef struct CliInputFile CliInputFile;

/* "-" is standard input. */
int cli_input_file_open(const char *path, CliInputFile **ret_file, Error *err) MUST_CHECK;
void cli_input_file_free(CliInputFile *file);
DEFINE_CLEANUP(CliInputFile, cli_input_file_free)
/* The path, or "standard input". */
const char *cli_input_file_name(const CliInputFile *file);
/* At least one byte, or *ret_size 0 at the end. Errors name the file. `file` is a CliInputFile: this is the
 * read of a KubeDumpSource. */
int cli_input_file_read(void *userdata, char *buffer, size_t room, size_t *ret_size, Error *err) MUST_CHECK;
