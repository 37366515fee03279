/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for longer and longer: twice as long each time, up to a most. */
#pragma once

#include <stdint.h>

/* What to wait after `delay_ms`; 0: nothing has failed yet. */
static inline uint32_t backoff_next_ms(uint64_t delay_ms, uint32_t first_ms, uint32_t most_ms) {
  uint64_t next_ms = delay_ms ? delay_ms * 2 : first_ms;
  return next_ms < most_ms ? (uint32_t)next_ms : most_ms;
}
