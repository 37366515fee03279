/* SPDX-License-Identifier: Apache-2.0 */
/* Names that somebody may have meant. */
#pragma once

#include "base/text.h"
#include "cluster/object.h"

#include <stddef.h>

enum { CLI_NEAREST_MAX = 5 };

/* Appends "ml/train-0, ml/train-1": pods whose names contain the word or begin as it does, or are spelt
 * alike. */
void cli_nearest_pods(const Pod *const *pods, size_t count, const char *word, Text *text);
