/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: nodes and observations in a few lines.
 *
 *     Fixture f = {0};
 *     observe(&f, "A100-80GB", "1g.10gb@6 2g.20gb@0?");   ? marks one without its compute instance,
 *                                                       ! one with a smaller one
 *     annotate(&f, "facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@5"); */
#pragma once

#include "base/test.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "gpu/driver.h"
#include "gpu/observed_testing.h"
#include "mig/test.h"

#include "cluster/object.h"

enum { FIXTURE_ANNOTATIONS_MAX = 128 };

typedef struct Fixture {
  Arena arena;
  Node node;
  KeyValue label;
  KeyValue annotations[FIXTURE_ANNOTATIONS_MAX];
  GpuObservation *observation;
} Fixture;

static inline int fixture_init(void **state) {
  Fixture *f = mem_alloc(sizeof *f);
  f->observation = mem_alloc(sizeof *f->observation);
  f->label = (KeyValue){MIG_LABEL_PARTITIONING, "mig"};
  f->node.meta = (FullMeta){
      .name = "n1", .labels = {.items = &f->label, .count = 1}, .annotations = {.items = f->annotations}};
  *state = f;
  return 0;
}

static inline int fixture_deinit(void **state) {
  Fixture *f = *state;
  arena_deinit(&f->arena);
  free(f->observation);
  free(f);
  return 0;
}

/* value NULL: takes it away. */
static inline void annotate(Fixture *f, const char *key, const char *value) {
  KeyValues *annotations = &f->node.meta.annotations;
  size_t i = 0;
  while (i < annotations->count && strcmp(annotations->items[i].key, key) != 0)
    i++;
  if (!value) {
    assert_true(i < annotations->count);
    annotations->items[i] = annotations->items[--annotations->count];
    return;
  }
  assert_true(i < FIXTURE_ANNOTATIONS_MAX);
  annotations->count += i == annotations->count;
  annotations->items[i] =
      (KeyValue){.key = arena_strdup(&f->arena, key), .value = arena_strdup(&f->arena, value)};
}

/* The next GPU, "GPU-<index>", of that row of the table, with MIG on. */
static inline GpuObserved *observe_in(GpuObservation *observation, const char *model, const char *slices) {
  const MigModelRow *row = mig_model_find(model);
  assert_non_null(row);
  GpuObserved *gpu = &observation->gpus[observation->gpu_count];
  observe_gpu(gpu, observation->gpu_count++, row, slices);
  return gpu;
}

static inline GpuObserved *observe(Fixture *f, const char *model, const char *slices) {
  return observe_in(f->observation, model, slices);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_init, fixture_deinit)
