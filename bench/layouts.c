/* SPDX-License-Identifier: Apache-2.0 */
/* Enumerating all layouts of a GPU, beside the obvious way: place whatever fits wherever it fits, and
 * remember what was seen. */
#include "base/map.h"
#include "bench.h"
#include "mig/contract.h"

enum { RUNS = 9 };

static void count_one(const MigLayout *layout, void *userdata) {
  (*(int64_t *)userdata)++;
}

static void explore(const MigLayout *layout, Map *seen) {
  char text[MIG_STATUS_TEXT_SIZE];
  mig_status_format(layout, 0, text, sizeof text);
  if (map_put(seen, text, seen))
    return;
  for (int profile = 0; profile < layout->model->profile_count; profile++)
    for (int start = 0; start < layout->model->slot_count; start++)
      if (mig_layout_can_place(layout, profile, start)) {
        MigLayout next = *layout;
        mig_layout_place(&next, profile, start);
        explore(&next, seen);
      }
}

static int64_t explore_all(const MigModel *model) {
  CLEANUP(map_deinit) Map seen = {0};
  MigLayout empty;
  mig_layout_init(&empty, model);
  explore(&empty, &seen);
  return (int64_t)seen.count;
}

static void run_model(const MigModelRow *row) {
  double ours[RUNS], naive[RUNS];
  int64_t count = 0, naive_count = 0;
  for (int run = 0; run < RUNS; run++) {
    count = 0;
    double began = bench_cpu_s();
    mig_layout_enumerate(&row->model, count_one, &count);
    ours[run] = bench_cpu_s() - began;
    began = bench_cpu_s();
    naive_count = explore_all(&row->model);
    naive[run] = bench_cpu_s() - began;
  }
  double fast = bench_median(ours, RUNS), slow = bench_median(naive, RUNS);
  printf("%-16s %9ld layouts %10.3f ms   naive %9ld %10.3f ms %8.0fx\n", row->key, (long)count, fast * 1e3,
         (long)naive_count, slow * 1e3, slow / fast);
}

int main(void) {
  static const char *const keys[] = {"A30", "A100-80GB", "H100-SXM-80GB"};
  printf("Layouts of a GPU: enumerated, and searched for by placing whatever fits; processor time, medians "
         "of %d runs\n",
         RUNS);
  for (size_t i = 0; i < COUNT_OF(keys); i++)
    run_model(mig_model_find(keys[i]));
  return 0;
}
