/* SPDX-License-Identifier: Apache-2.0 */
/* Where the agent's CDI edits come from: a file, or nvidia-ctk, run without holding up the loop. */
#pragma once

#include "agent/cdi.h"

#include <uv.h>

typedef struct CliCdiSource CliCdiSource;

/* file NULL: the program is run as `PROGRAM cdi generate --format=json`. */
CliCdiSource *cli_cdi_source_new(uv_loop_t *loop, const char *file, const char *program);
AgentCdiSource *cli_cdi_source_seam(CliCdiSource *source);
/* Ends a program that still runs; nothing is called any more. */
void cli_cdi_source_free(CliCdiSource *source);
DEFINE_CLEANUP(CliCdiSource, cli_cdi_source_free)
