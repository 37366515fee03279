/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet check` shows, in its forms. */
#pragma once

#include "base/text.h"
#include "check/check.h"

#include <jansson.h>

typedef struct CliCheckView {
  const CheckCluster *cluster;
  const CheckFindings *findings;
  const char *const *unseen; /* sentences: what could not be looked at */
  size_t unseen_count;
  Arena arena; /* of what is printed */
} CliCheckView;

/* Findings of one rule that say the same of several objects share a place. */
void cli_check_table(CliCheckView *view, Text *out);
json_t *cli_check_tree(CliCheckView *view);
