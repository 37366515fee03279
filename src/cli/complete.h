/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell may offer for the word that is being typed, out of the tables of verbs and options. One answer
 * for all shells, in the form that cobra gave kubectl (and kubectl asks of its plugins):
 *
 *     plan<TAB>say what facet would do for the pods that wait, on the cluster or on a kubectl dump
 *     ...
 *     :4
 *
 * a candidate a line with what it means, and at the end what the shell shall do with them. */
#pragma once

#include "base/text.h"
#include "cli/verb.h"

/* cobra's numbers: https://github.com/spf13/cobra/blob/main/site/content/completions/_index.md */
enum {
  CLI_COMPLETE_FILES = 0, /* where there is no candidate, the shell offers files */
  CLI_COMPLETE_WORDS = 4, /* nothing else */
  CLI_COMPLETE_FOLDERS = 16,
};

typedef struct CliCompletion {
  const CliVerb *const *verbs; /* NULL behind the last */
  /* Appends the names of the kubeconfig's contexts, each on a line; path: of --kubeconfig, or NULL. Whatever
   * is wrong makes the list shorter. */
  void (*list_contexts)(const char *path, Text *ret_names);
} CliCompletion;

/* words: those behind the program's name; the last one is being typed, "" where nothing of it is there yet.
 */
void cli_complete(const CliCompletion *completion, int count, char *const *words, Text *ret_answer);
