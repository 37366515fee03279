/* SPDX-License-Identifier: Apache-2.0 */
/* No single move disturbs less. The plans are those of clusters that no exhaustive search could go through;
 * they are read as they come out, and each new slice is moved to each other place, and exchanged with each
 * other one, counting afresh what that would change. */
#include "plan/plan_fixture.h"

enum { CLUSTERS = 60, GPUS_MAX = 48 };

typedef struct Vector { /* what is compared, in this order; more of the holes is better */
  int gpus, nodes;
  int holes[MIG_PROFILES_MAX]; /* places for each plain profile, the largest first */
} Vector;

typedef struct Slice {
  int gpu, profile, start;
} Slice;

typedef struct Picture { /* of a cluster with one model, and what a plan makes of it */
  const MigModel *model;
  int gpu_count;
  int nodes[GPUS_MAX];
  MigLayout layouts[GPUS_MAX];
  int created[GPUS_MAX];
  ARRAY(Slice) slices;
} Picture;

static void take_picture(const Fixture *f, Picture *picture) {
  *picture = (Picture){.gpu_count = 0};
  for (size_t n = 0; n < f->snapshot.nodes.count; n++)
    for (int g = 0; g < f->snapshot.nodes.items[n].gpu_count; g++) {
      assert_true(picture->gpu_count < GPUS_MAX);
      picture->model = f->snapshot.nodes.items[n].gpus[g].model;
      picture->nodes[picture->gpu_count] = (int)n;
      picture->layouts[picture->gpu_count++] = *f->snapshot.nodes.items[n].gpus[g].layout;
    }
  for (size_t i = 0; i < f->plan.gpus.count; i++) {
    const PlanGpu *changed = &f->plan.gpus.items[i];
    int gpu = changed->gpu;
    for (int node = 0; node < changed->node; node++)
      gpu += f->snapshot.nodes.items[node].gpu_count;
    for (int c = 0; c < changed->create_count; c++) {
      const PlanCreate *create = &changed->creates[c];
      mig_layout_place(&picture->layouts[gpu], create->profile, create->start);
      *array_push(&picture->slices) = (Slice){gpu, create->profile, create->start};
      picture->created[gpu]++;
    }
  }
}

static void add_holes(const Picture *picture, int gpu, Vector *vector) {
  const MigModel *model = picture->model;
  for (int profile = model->profile_count - 1; profile >= 0; profile--)
    for (uint32_t starts = model->profiles[profile].kind == MIG_PLAIN ? model->profiles[profile].starts : 0;
         starts; starts &= starts - 1)
      vector->holes[profile] +=
          !(mig_placement_mask(model, profile, __builtin_ctz(starts)) & picture->layouts[gpu].mask);
}

static Vector count(const Picture *picture) {
  Vector vector = {.gpus = 0};
  for (int gpu = 0; gpu < picture->gpu_count; gpu++) {
    bool is_first = picture->created[gpu] > 0;
    vector.gpus += picture->created[gpu] > 0;
    for (int other = 0; other < gpu; other++)
      is_first &= picture->nodes[other] != picture->nodes[gpu] || !picture->created[other];
    vector.nodes += is_first;
    add_holes(picture, gpu, &vector);
  }
  return vector;
}

/* The profiles of a model come smallest first. */
static bool is_better(const Picture *picture, const Vector *a, const Vector *b) {
  if (a->gpus != b->gpus)
    return a->gpus < b->gpus;
  if (a->nodes != b->nodes)
    return a->nodes < b->nodes;
  for (int profile = picture->model->profile_count - 1; profile >= 0; profile--)
    if (a->holes[profile] != b->holes[profile])
      return a->holes[profile] > b->holes[profile];
  return false;
}

static void move(Picture *picture, Slice *slice, int gpu, int start) {
  mig_layout_remove(&picture->layouts[slice->gpu], slice->start);
  picture->created[slice->gpu]--;
  slice->gpu = gpu;
  slice->start = start;
  mig_layout_place(&picture->layouts[gpu], slice->profile, start);
  picture->created[gpu]++;
}

static void assert_no_move_is_better(Picture *picture, uint64_t seed) {
  Vector now = count(picture);
  for (size_t i = 0; i < picture->slices.count; i++) {
    Slice *slice = &picture->slices.items[i], before = *slice;
    for (int gpu = 0; gpu < picture->gpu_count; gpu++)
      for (uint32_t starts = mig_layout_free_starts(&picture->layouts[gpu], slice->profile); starts;
           starts &= starts - 1) {
        move(picture, slice, gpu, __builtin_ctz(starts));
        Vector then = count(picture);
        if (is_better(picture, &then, &now))
          fail_msg("seed %llu: %s is on GPU %d at %d, and better on GPU %d at %d", (unsigned long long)seed,
                   picture->model->profiles[slice->profile].name, before.gpu, before.start, gpu,
                   __builtin_ctz(starts));
        move(picture, slice, before.gpu, before.start);
      }
  }
}

static void assert_no_exchange_is_better(Picture *p, uint64_t seed) {
  Vector now = count(p);
  for (size_t i = 0; i < p->slices.count; i++)
    for (size_t j = i + 1; j < p->slices.count; j++) {
      Slice one = p->slices.items[i], other = p->slices.items[j];
      if (one.gpu == other.gpu || one.profile == other.profile)
        continue;
      mig_layout_remove(&p->layouts[one.gpu], one.start);
      mig_layout_remove(&p->layouts[other.gpu], other.start);
      for (uint32_t a = mig_layout_free_starts(&p->layouts[other.gpu], one.profile); a; a &= a - 1) {
        mig_layout_place(&p->layouts[other.gpu], one.profile, __builtin_ctz(a));
        for (uint32_t b = mig_layout_free_starts(&p->layouts[one.gpu], other.profile); b; b &= b - 1) {
          mig_layout_place(&p->layouts[one.gpu], other.profile, __builtin_ctz(b));
          Vector then = count(p);
          if (is_better(p, &then, &now))
            fail_msg("seed %llu: the slices on GPU %d at %d and on GPU %d at %d would better be exchanged",
                     (unsigned long long)seed, one.gpu, one.start, other.gpu, other.start);
          mig_layout_remove(&p->layouts[one.gpu], __builtin_ctz(b));
        }
        mig_layout_remove(&p->layouts[other.gpu], __builtin_ctz(a));
      }
      mig_layout_place(&p->layouts[one.gpu], one.profile, one.start);
      mig_layout_place(&p->layouts[other.gpu], other.profile, other.start);
    }
}

/* 2 to 12 nodes of one model, some slices in use, pods for a part of the room. */
static void make_cluster(Fixture *f, Random *random, const char *name, bool has_free) {
  const MigModel *model = &mig_model_find(name)->model;
  int slots = 0;
  for (int nodes = 2 + (int)random_below(random, 11), n = 0; n < nodes; n++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%02d", n));
    for (int gpus = 1 + (int)random_below(random, 4); gpus > 0; gpus--) {
      MigLayout layout;
      char status[MIG_STATUS_TEXT_SIZE];
      mig_layout_init(&layout, model);
      for (int tries = (int)random_below(random, 4); tries > 0; tries--) {
        int profile = (int)random_below(random, model->profile_count);
        int start = (int)random_below(random, model->slot_count);
        if (mig_layout_can_place(&layout, profile, start))
          mig_layout_place(&layout, profile, start);
      }
      slots += model->slot_count - __builtin_popcount(layout.mask);
      uint32_t used = has_free ? (uint32_t)random_next(random) : UINT32_MAX;
      mig_status_format(&layout, used, status, sizeof status);
      fixture_gpu(f, node, name, status);
    }
  }
  for (int left = slots * (int)(10 + random_below(random, 90)) / 100; left > 0 && f->pods.count < 60;) {
    const MigProfile *profile = &model->profiles[random_below(random, model->profile_count)];
    if (profile->kind != MIG_PLAIN)
      continue;
    fixture_pod(f, arena_format(&f->arena, "p%zu", f->pods.count), profile->name);
    left -= profile->size;
  }
}

static void check(const char *model, bool has_free, uint64_t seed) {
  Random random = {.state = seed};
  size_t slices = 0;
  for (int i = 0; i < CLUSTERS; i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    uint64_t state = random.state;
    Picture picture;
    make_cluster(&f, &random, model, has_free);
    fixture_plan(&f, NULL);
    if (f.plan.destroy)
      continue;
    take_picture(&f, &picture);
    slices += picture.slices.count;
    assert_no_move_is_better(&picture, state);
    assert_no_exchange_is_better(&picture, state);
    array_deinit(&picture.slices);
  }
  assert_true(slices > 5 * CLUSTERS);
}

static void no_single_move_disturbs_less_on_a100(void **state) {
  check(A100, false, 1);
}

static void no_single_move_disturbs_less_on_a30(void **state) {
  check(A30, false, 2);
}

static void no_single_move_disturbs_less_beside_free_slices(void **state) {
  check(A100, true, 3);
}

/* Each of two GPUs has room for one of two pods; one of them has room for both. */
static void one_gpu_is_changed_where_one_does(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "4g.40gb@0:used,1g.10gb@4:used,1g.10gb@5:used");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "4g.40gb@0:used");
  fixture_pods(&f, 2, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_int_equal(f.plan.gpus.count, 1);
  assert_int_equal(f.plan.admitted, 2);
}

static void a_pod_stays_where_its_node_selector_says(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "");
  fixture_pods(&f, 1, "p", "3g.40gb");
  fixture_pods(&f, 1, "q", "1g.10gb");
  fixture_set(&f, &f.pods.items[0]->common->node_selector, "kubernetes.io/hostname", "n1");
  fixture_set(&f, &f.pods.items[1]->common->node_selector, "kubernetes.io/hostname", "n2");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_verdicts(&f), "p0 admitted n1; q0 admitted n2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_single_move_disturbs_less_on_a100),
      cmocka_unit_test(no_single_move_disturbs_less_on_a30),
      cmocka_unit_test(no_single_move_disturbs_less_beside_free_slices),
      cmocka_unit_test(one_gpu_is_changed_where_one_does),
      cmocka_unit_test(a_pod_stays_where_its_node_selector_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
