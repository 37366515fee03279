/* SPDX-License-Identifier: Apache-2.0 */
/* Field selectors: "spec.nodeName=n1,status.phase!=Succeeded". */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

enum { SIM_API_TERMS_MAX = 4, SIM_API_TERM_SIZE = 256 };

typedef struct SimApiTerm {
  const char *section, *field; /* static: "spec", "nodeName" */
  char value[SIM_API_TERM_SIZE];
  bool is_negated;
} SimApiTerm;

/* All terms must hold; none holds for everything. */
typedef struct SimApiSelector {
  SimApiTerm terms[SIM_API_TERMS_MAX];
  int count;
} SimApiSelector;

/* Adds the terms of the text to the selector. */
int sim_api_selector_parse(const char *text, SimApiSelector *selector, Error *err) MUST_CHECK;
bool sim_api_selector_matches(const SimApiSelector *selector, const json_t *object);
