/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and annotations for the reference of the configuration. */
#pragma once

typedef struct CliManualKey {
  const char *key;    /* Markdown */
  const char *writer; /* who writes it */
  const char *text;   /* sentences */
} CliManualKey;

/* A row of zeroes is the last. */
extern const CliManualKey cli_manual_node_keys[];
