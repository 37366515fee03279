/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a test with random instances: TEST [SEED [INSTANCES]] replays one, or runs for longer.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

/* What is not given stays as it is. `instances` may be NULL. */
static inline void test_seed_read(int argc, char **argv, uint64_t *seed, int *instances) {
  if (argc > 1)
    *seed = strtoull(argv[1], NULL, 10);
  if (argc > 2 && instances)
    *instances = (int)strtol(argv[2], NULL, 10);
#ifdef __SANITIZE_ADDRESS__
  /* Ten times slower, and what is found without sanitizers need not be found again. */
  else if (instances)
    *instances = (*instances + 4) / 5;
#endif
}
