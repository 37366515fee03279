/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler-verdicts FILE...: replays recorded verdicts of kube-scheduler, plugin by plugin and word by word.
 * Exits 1 where one differs, 2 where a file cannot be read. */
#include "replay.h"

#include "base/cleanup.h"

#include <stdio.h>

enum { MISMATCHES_SHOWN = 20 };

static void on_mismatch(void *userdata, const char *text) {
  size_t *shown = userdata;
  if ((*shown)++ < MISMATCHES_SHOWN)
    printf("%s\n", text);
}

int main(int argc, char **argv) {
  ReplayCounts counts = {0};
  size_t shown = 0;
  if (argc < 2) {
    fprintf(stderr, "usage: scheduler-verdicts FILE.jsonl[.gz]...\n");
    return 2;
  }
  for (int i = 1; i < argc; i++) {
    Error err;
    if (replay_file(argv[i], &counts, on_mismatch, &shown, &err) < 0) {
      fprintf(stderr, "scheduler-verdicts: %s\n", err.text);
      return 2;
    }
  }
  if (shown > MISMATCHES_SHOWN)
    printf("%zu more differ\n", shown - MISMATCHES_SHOWN);
  printf("%zu cases, %zu verdicts, %zu mismatches\n", counts.cases, counts.verdicts, counts.mismatches);
  return counts.mismatches > 0;
}
