/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_gate.h"

#include <stddef.h>

/* FNV-1a. Two texts that share a hash only share a minute of silence. */
static uint64_t hash_of(const char *text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
  return hash;
}

static bool is_shut(const LogGateText *text, uint64_t now_ms) {
  return now_ms < text->shut_until_ms;
}

static LogGateText *find(LogGate *gate, uint64_t hash) {
  for (int i = 0; i < LOG_GATE_TEXTS_MAX; i++)
    if (gate->texts[i].shut_until_ms && gate->texts[i].hash == hash)
      return &gate->texts[i];
  return NULL;
}

/* The place of the text whose minute is over the longest, or NULL while all of them are shut. */
static LogGateText *find_place(LogGate *gate, uint64_t now_ms) {
  LogGateText *oldest = &gate->texts[0];
  for (int i = 1; i < LOG_GATE_TEXTS_MAX; i++)
    if (gate->texts[i].shut_until_ms < oldest->shut_until_ms)
      oldest = &gate->texts[i];
  return is_shut(oldest, now_ms) ? NULL : oldest;
}

bool log_gate_pass(LogGate *gate, const char *text, uint64_t now_ms, uint32_t *ret_held_back) {
  uint64_t hash = hash_of(text);
  LogGateText *known = find(gate, hash);
  if (known && is_shut(known, now_ms)) {
    known->held_back++;
    return false;
  }
  LogGateText *place = known ? known : find_place(gate, now_ms);
  if (!place) {
    gate->held_back++;
    return false;
  }
  *ret_held_back = place->held_back + gate->held_back;
  gate->held_back = 0;
  *place = (LogGateText){.hash = hash, .shut_until_ms = now_ms + LOG_GATE_MS};
  return true;
}
