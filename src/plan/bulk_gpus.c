/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/bulk_gpus.h"

void plan_pool_gpus_init(PlanPoolGpus *pool, int *gpus, int *hosts, int *states, size_t count) {
  *pool = (PlanPoolGpus){.word_count = (count + 63) / 64};
  pool->gpus = gpus;
  pool->hosts = hosts;
  pool->states = states;
  pool->changed = mem_alloc(pool->word_count * sizeof *pool->changed);
  pool->near = mem_alloc(pool->word_count * sizeof *pool->near);
  pool->group = mem_alloc(PLAN_PREFERENCES * pool->word_count * sizeof *pool->group);
}

void plan_pool_gpus_deinit(PlanPoolGpus *pool) {
  for (size_t i = 0; i < pool->buckets.count; i++)
    free(pool->buckets.items[i].bits);
  array_deinit(&pool->buckets);
  free(pool->changed);
  free(pool->near);
  free(pool->group);
}

void plan_pool_gpus_open(PlanPoolGpus *pool, int state) {
  while ((int)pool->buckets.count <= state)
    array_push(&pool->buckets);
  pool->buckets.items[state].bits = mem_alloc(pool->word_count * sizeof(uint64_t));
}

void plan_pool_gpus_group(PlanPoolGpus *pool, const int *states, size_t count) {
  uint64_t *changed = pool->group, *near = changed + pool->word_count, *others = near + pool->word_count;
  memset(others, 0, pool->word_count * sizeof *others);
  for (size_t i = 0; i < count; i++) {
    const uint64_t *bits = pool->buckets.items[states[i]].bits;
    for (size_t word = 0; word < pool->word_count; word++)
      others[word] |= bits[word];
  }
  for (size_t word = 0; word < pool->word_count; word++) {
    uint64_t all = others[word];
    changed[word] = all & pool->changed[word];
    near[word] = all & pool->near[word] & ~pool->changed[word];
    others[word] = all & ~pool->near[word] & ~pool->changed[word];
  }
}
