/* SPDX-License-Identifier: Apache-2.0 */
/* Field selectors, "spec.nodeName=n1,status.phase!=Succeeded", and label selectors,
 * "app=web,tier!=db,new,!old" (without sets). */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

enum { SIM_API_TERMS_MAX = 8, SIM_API_TERM_SIZE = 320 /* a label's key has up to 317 characters */ };

typedef enum SimApiOperator { SIM_API_EQUALS, SIM_API_DIFFERS, SIM_API_EXISTS, SIM_API_LACKS } SimApiOperator;

typedef struct SimApiTerm {
  const char *section, *field;   /* static: "spec", "nodeName"; NULL: it is about a label */
  char label[SIM_API_TERM_SIZE]; /* its key */
  SimApiOperator operator_;
  char value[SIM_API_TERM_SIZE];
} SimApiTerm;

/* All terms must hold; none holds for everything. */
typedef struct SimApiSelector {
  SimApiTerm terms[SIM_API_TERMS_MAX];
  int count;
} SimApiSelector;

/* They add the terms of the text to the selector. */
int sim_api_selector_parse_fields(const char *text, SimApiSelector *selector, Error *err) MUST_CHECK;
int sim_api_selector_parse_labels(const char *text, SimApiSelector *selector, Error *err) MUST_CHECK;
bool sim_api_selector_matches(const SimApiSelector *selector, const json_t *object);
