/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a failure that repeats from filling the disk: the same text is let through at most once a minute, and
 * at most LOG_GATE_TEXTS_MAX different texts in that time. What was held back is counted, and the next line
 * that passes can say how much it was. A gate of zeroes is usable; nothing has to be freed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LOG_GATE_MS = 60000, LOG_GATE_TEXTS_MAX = 32 };

typedef struct LogGateText {
  uint64_t hash; /* of a text that passed */
  uint64_t shut_until_ms;
  uint32_t held_back; /* of this text since */
} LogGateText;

typedef struct LogGate {
  LogGateText texts[LOG_GATE_TEXTS_MAX];
  uint32_t held_back; /* texts for which there was no place */
} LogGate;

/* May this text be logged now? Then ret_held_back says how many lines were not since. */
bool log_gate_pass(LogGate *gate, const char *text, uint64_t now_ms, uint32_t *ret_held_back);
