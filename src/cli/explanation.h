/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet explain` says, for people and for programs. */
#pragma once

#include "base/text.h"
#include "explain/explain.h"

#include <jansson.h>

/* The short answer first, then other ways, then each node and GPU; bounded. */
void cli_explanation_table(const Explanation *explanation, Text *out);
json_t *cli_explanation_tree(const Explanation *explanation);
