/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/question.h"

#include "cli/cluster_input.h"

#include <stdio.h>

int cli_question_run(const CliQuestion *question, const CliVerb *verb, int argc, char **argv, void *options) {
  char program[64];
  int exit_code;
  Error err;
  if (!cli_begin(verb, argc, argv, options, &exit_code))
    return exit_code;
  snprintf(program, sizeof program, "facet %s", verb->name);
  if (question->check(options, &err) < 0) {
    cluster_input_complain(program, &err);
    return CLI_EXIT_USAGE;
  }
  exit_code = question->answer(options, &err);
  if (exit_code >= 0)
    return exit_code;
  cluster_input_complain(program, &err);
  return CLI_EXIT_FAILED;
}
