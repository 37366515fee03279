/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the options are read again, as at the start. What can change in a running program does; of
 * everything else the log says that it needs a restart. A file with a mistake changes nothing. */
#pragma once

#include "base/arena.h"
#include "cli/verb.h"

enum { CLI_RELOAD_LIVE_MAX = 8 };

typedef struct CliReload {
  const CliVerb *verb; /* with its live options and defaults */
  int argc;
  char **argv;
  void *values;                                 /* the verb's struct, in use; live options change in it */
  int (*check)(const void *values, Error *err); /* the verb's own rules; may be NULL */
  void (*apply)(void *userdata, const void *values); /* something live changed */
  void *userdata;
  char *texts[CLI_RELOAD_LIVE_MAX]; /* of live options that are texts; owned */
} CliReload;

void cli_reload_run(CliReload *reload);
void cli_reload_deinit(CliReload *reload);
