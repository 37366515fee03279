/* SPDX-License-Identifier: Apache-2.0 */
/* The table of NVML's functions, made from functions.txt: what each driver's library exports. */
#pragma once

typedef struct SimFunction {
  const char *name;
  void *function;
  int since, until; /* drivers, by the first number of their version; until 0: to this day */
} SimFunction;

/* A driver whose library the build makes. */
typedef struct SimRelease {
  int branch;
  const char *version;
} SimRelease;

extern const SimFunction sim_functions[]; /* by name */
extern const int sim_function_count;
extern const SimRelease sim_releases[]; /* oldest first */
extern const int sim_release_count;
/* Of which release this library is; 0: it serves all of them. */
extern const int sim_library_branch;
