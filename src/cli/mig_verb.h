/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs below `facet mig` share. */
#pragma once

#include "cli/mig_gpus.h"
#include "cli/verb.h"

#define CLI_MIG_LIBRARY_OPTION(Options, field)                                                               \
  {                                                                                                          \
    "--nvml-library", CLI_STRING, offsetof(Options, field), "FILE",                                          \
        "NVIDIA's libnvidia-ml.so.1 (default: looked for in the usual places)."                              \
  }

/* Says on standard error where it is none. */
bool cli_mig_knows_output(const CliVerb *verb, const char *output);

extern const CliVerb cli_mig_verb_apply;
extern const CliVerb cli_mig_verb_clear;
extern const CliVerb cli_mig_verb_restore;
