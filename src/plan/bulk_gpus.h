/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs of one pool, told apart by their state, as bits: a GPU changes its state in a few instructions,
 * and those of any states are gone through in the order of their names without being sorted. Part of
 * bulk_place.c. */
#pragma once

#include "plan/bulk_state.h"

typedef struct PlanBucket { /* the GPUs in one state */
  uint64_t *bits;           /* by place; NULL: there never was one */
  int count;
} PlanBucket;

typedef struct PlanPoolGpus {
  int *gpus;    /* those that can be counted, by place: indexes of PlanProblem.gpus, ascending; borrowed */
  int *hosts;   /* by place: on which they are; borrowed */
  int *states;  /* by place; borrowed */
  int model;    /* of all of them; -1: they differ */
  size_t count; /* places */
  size_t word_count;         /* of 64 places each */
  uint64_t *changed;         /* bit per place: the GPU was changed */
  uint64_t *near;            /* some GPU of its host was */
  uint64_t *group;           /* scratch, three times: plan_pool_gpus_group() */
  ARRAY(PlanBucket) buckets; /* by state */
} PlanPoolGpus;

/* A group of GPUs that are equally good but for what was changed already: first those that were, then those
 * on hosts of which some GPU was, then the others. */
enum { PLAN_PREFERENCES = 3 };

/* Makes room for so many places, none of which is taken yet; `gpus`, `hosts` and `states` have it. */
void plan_pool_gpus_init(PlanPoolGpus *pool, int *gpus, int *hosts, int *states, size_t count);
void plan_pool_gpus_deinit(PlanPoolGpus *pool);

static inline bool plan_bit(const uint64_t *bits, unsigned place) {
  return bits[place / 64] >> place % 64 & 1;
}
static inline void plan_bit_set(uint64_t *bits, unsigned place) {
  bits[place / 64] |= UINT64_C(1) << place % 64;
}

/* So many of them from `place` on: 64 at most. */
static inline void plan_bits_set(uint64_t *bits, unsigned place, unsigned count) {
  uint64_t all = UINT64_MAX >> (64 - count);
  bits[place / 64] |= all << place % 64;
  if (place % 64 + count > 64)
    bits[place / 64 + 1] |= all >> (64 - place % 64);
}

/* Makes the bucket of the state. */
void plan_pool_gpus_open(PlanPoolGpus *pool, int state);
/* Into the bucket of its state. */
static inline void plan_pool_gpus_put(PlanPoolGpus *pool, unsigned place) {
  int state = pool->states[place];
  if (state >= (int)pool->buckets.count || !pool->buckets.items[state].bits)
    plan_pool_gpus_open(pool, state);
  plan_bit_set(pool->buckets.items[state].bits, place);
  pool->buckets.items[state].count++;
}
/* Out of it. */
static inline void plan_pool_gpus_take(PlanPoolGpus *pool, unsigned place) {
  PlanBucket *bucket = &pool->buckets.items[pool->states[place]];
  assert(plan_bit(bucket->bits, place));
  bucket->bits[place / 64] &= ~(UINT64_C(1) << place % 64);
  bucket->count--;
}
/* These of one word of places, from one bucket into another. */
static inline void plan_pool_gpus_move(PlanPoolGpus *pool, size_t word, uint64_t bits, int from, int to) {
  if (to >= (int)pool->buckets.count || !pool->buckets.items[to].bits)
    plan_pool_gpus_open(pool, to);
  PlanBucket *left = &pool->buckets.items[from], *entered = &pool->buckets.items[to];
  assert((left->bits[word] & bits) == bits);
  left->bits[word] &= ~bits;
  left->count -= __builtin_popcountll(bits);
  entered->bits[word] |= bits;
  entered->count += __builtin_popcountll(bits);
}
/* The GPUs in any of these states, by preference: pool->group is so many words for each. They stay in their
 * buckets. */
void plan_pool_gpus_group(PlanPoolGpus *pool, const int *states, size_t count);
