/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a verb that is asked about a cluster: plan, explain, view. */
#pragma once

#include "base/error.h"
#include "cli/verb.h"

typedef struct CliQuestion {
  /* Do the options make sense? A sentence that says what does not makes the exit code 2. */
  int (*check)(const void *options, Error *err);
  /* The exit code, or negative with a sentence, which makes it 1. */
  int (*answer)(const void *options, Error *err);
} CliQuestion;

/* options: the verb's struct with its defaults, filled from the command line. Returns the exit code. */
int cli_question_run(const CliQuestion *question, const CliVerb *verb, int argc, char **argv, void *options);
