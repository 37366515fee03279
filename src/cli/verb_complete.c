/* SPDX-License-Identifier: Apache-2.0 */
/* facet complete WORD...: what the completions of the shells ask, and kubectl by the name
 * kubectl_complete-facet. All words belong to the line that is being typed, "--help" too. */
#include "cli/complete.h"
#include "cli/contexts.h"

static int run(const CliVerb *verb, int argc, char **argv) {
  const CliCompletion completion = {.verbs = cli_verbs, .list_contexts = cli_contexts_list};
  CLEANUP(text_deinit) Text answer = {0};
  cli_complete(&completion, argc, argv, &answer);
  fputs(text_string(&answer), stdout);
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_complete = {
    .name = "complete",
    .help = "what a shell may offer for the word that is being typed; not for people",
    .hidden = true,
    .run = run,
};
