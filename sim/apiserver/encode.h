/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values as text, byte for byte as json_dumps(value, JSON_COMPACT) writes them, in a third of the time:
 * the server's objects are trees, so nobody looks for circles in them, and they hold valid UTF-8. */
#pragma once

#include "base/text.h"

#include <jansson.h>
#include <stdint.h>

void sim_api_encode(const json_t *value, Text *out); /* appends */

enum { SIM_API_TEXTS_MAX = 256 };

typedef struct SimApiKeptText {
  uint64_t version; /* 0: none */
  Text text;
} SimApiKeptText;

/* Texts of stored objects by resourceVersion: what has a version never changes, and its writer, every watch
 * and every list ask for the same text. Of two that share a place the one that was asked for last stays. A
 * SimApiTexts of zeroes is empty. */
typedef struct SimApiTexts {
  SimApiKeptText kept[SIM_API_TEXTS_MAX]; /* at version % SIM_API_TEXTS_MAX */
} SimApiTexts;

void sim_api_texts_deinit(SimApiTexts *texts);
/* Of an object that the store has, or had; lent until the next call. */
const Text *sim_api_texts_get(SimApiTexts *texts, const json_t *object);
