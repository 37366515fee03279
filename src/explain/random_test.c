/* SPDX-License-Identifier: Apache-2.0 */
/* Advice against the truth: on random small clusters somebody holds each slice, and only the test knows who.
 *
 *   - whoever the advice says should end is taken away together with the very slices that it holds: then the
 *     planner has to serve the pod, on the objects as the test made them
 *   - where no single pod is advised, and all were tried, each pod whose slices are known is taken away in
 * turn: then the planner must not serve it
 *
 * A seed as argument replays a run; each failure prints its own. */
#include "explain/explain_fixture.h"

#include "base/random.h"
#include "base/test_seed.h"

enum { CLUSTERS = 400, HELD_MAX = 64 };

static uint64_t seed = 20261128;

/* What the test knows: who holds which slice. */
typedef struct Held {
  size_t pod;
  int node, gpu, start;
} Held;

typedef struct Truth {
  Scene scene;
  Held held[HELD_MAX];
  int held_count;
  int gpus[3]; /* by node */
} Truth;

static const char *const models[] = {A100, A30, A100_40};

static void hold(Truth *truth, Random *random, Node *node, int n, int gpu, const MigProfile *profile,
                 int start) {
  Fixture *f = &truth->scene.f;
  Pod *pod = scene_running(&truth->scene, arena_format(&f->arena, "r%zu", f->pods.count), profile->name,
                           node->meta.name);
  fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", (int)random_below(random, 3)));
  assert_true(truth->held_count < HELD_MAX);
  truth->held[truth->held_count++] = (Held){.pod = f->pods.count - 1, .node = n, .gpu = gpu, .start = start};
}

static void add_gpu(Truth *truth, Random *random, Node *node, int n, const char *name) {
  const MigModel *model = &mig_model_find(name)->model;
  MigLayout layout;
  uint32_t used = 0;
  char status[MIG_STATUS_TEXT_SIZE];
  mig_layout_init(&layout, model);
  for (int tries = (int)random_below(random, 12); tries > 0; tries--) {
    int profile = (int)random_below(random, model->profile_count);
    int start = (int)random_below(random, model->slot_count);
    if (model->profiles[profile].kind == MIG_PLAIN && mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  for (int i = 0; i < layout.count; i++)
    if (random_below(random, 4)) {
      used |= UINT32_C(1) << layout.instances[i].start;
      hold(truth, random, node, n, truth->gpus[n], &model->profiles[layout.instances[i].profile],
           layout.instances[i].start);
    }
  mig_status_format(&layout, used, status, sizeof status);
  fixture_gpu(&truth->scene.f, node, name, status);
  truth->gpus[n]++;
}

static void make_cluster(Truth *truth, Random *random) {
  Fixture *f = &truth->scene.f;
  const char *model = models[random_below(random, COUNT_OF(models))];
  int nodes = 1 + (int)random_below(random, 3);
  for (int n = 0; n < nodes; n++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%d", n));
    fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                arena_format(&f->arena, "%d", 2 + (int)random_below(random, 12)));
    for (int gpus = 1 + (int)random_below(random, 2); gpus > 0; gpus--)
      add_gpu(truth, random, node, n, model);
    if (!random_below(random, 6))
      fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
    if (!random_below(random, 6))
      fixture_set(f, &node->meta.annotations, MIG_ANNOTATION_EXCLUDE, "0");
  }
  for (int pods = (int)random_below(random, 3); pods >= 0; pods--) {
    const MigModel *asked = &mig_model_find(model)->model;
    const MigProfile *profile = &asked->profiles[random_below(random, asked->profile_count)];
    Pod *pod = fixture_pod(f, arena_format(&f->arena, "w%d", pods), profile->name);
    if (!random_below(random, 4)) {
      const MigProfile *second = &asked->profiles[random_below(random, asked->profile_count)];
      fixture_ask_slices(f, pod, second->name, 1 + (int)random_below(random, 2));
    }
    fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%d", (int)random_below(random, 4)));
    pod->priority = (int32_t)random_below(random, 2);
  }
}

/* Writes the status of the GPU without what these pods hold. */
static void free_slices(Truth *truth, const size_t *pods, int count, bool is_undo) {
  for (int h = 0; h < truth->held_count; h++) {
    const Held *held = &truth->held[h];
    Node *node = truth->scene.f.nodes.items[held->node];
    for (int p = 0; p < count; p++) {
      if (held->pod != pods[p])
        continue;
      const char *key = arena_format(&truth->scene.f.arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", held->gpu);
      char *status = arena_strdup(&truth->scene.f.arena, key_values_find(&node->meta.annotations, key));
      char *found = strstr(status, arena_format(&truth->scene.f.arena, "@%d:", held->start));
      assert_non_null(found);
      memcpy(strchr(found, ':') + 1, is_undo ? "used" : "free", 4);
      fixture_set(&truth->scene.f, &node->meta.annotations, key, status);
    }
  }
}

/* By the planner alone, on the objects as they are now. */
static bool is_served(Truth *truth, size_t subject) {
  Fixture *f = &truth->scene.f;
  bool found = false;
  fixture_plan(f, NULL);
  for (size_t i = 0; i < f->plan.pods.count; i++)
    if (f->snapshot.pods.items[i].object == f->pods.items[subject])
      found = f->plan.pods.items[i].node >= 0;
  fixture_forget_plan(f);
  return found;
}

/* Is the subject served on the cluster without these pods? */
static bool is_served_without(Truth *truth, const size_t *pods, int count, size_t subject) {
  Fixture *f = &truth->scene.f;
  const char *phases[8];
  for (int i = 0; i < count; i++) {
    phases[i] = f->pods.items[pods[i]]->common->phase;
    f->pods.items[pods[i]]->common->phase = "Succeeded";
  }
  free_slices(truth, pods, count, false);
  bool served = is_served(truth, subject);
  free_slices(truth, pods, count, true);
  for (int i = 0; i < count; i++)
    f->pods.items[pods[i]]->common->phase = phases[i];
  return served;
}

/* The word behind `begin` in the text, up to a space, a comma or the end; NULL where `begin` is not there. */
static const char *word_after(Truth *truth, const char *text, const char *begin) {
  const char *found = strstr(text, begin);
  return found ? arena_strndup(&truth->scene.f.arena, found + strlen(begin),
                               strcspn(found + strlen(begin), " ,"))
               : NULL;
}

static Node *node_named(Truth *truth, const char *name) {
  for (size_t i = 0; i < truth->scene.f.nodes.count; i++)
    if (strcmp(truth->scene.f.nodes.items[i]->meta.name, name) == 0)
      return truth->scene.f.nodes.items[i];
  fail_msg("no node %s", name);
  return NULL;
}

/* "remove KEY from node NAME" */
static bool helps_without_annotation(Truth *truth, const char *text, size_t subject) {
  KeyValues *annotations = &node_named(truth, word_after(truth, text, "from node "))->meta.annotations;
  const char *key = word_after(truth, text, "remove ");
  for (size_t i = 0; i < annotations->count; i++) {
    if (strcmp(annotations->items[i].key, key) != 0)
      continue;
    annotations->items[i].key = "removed";
    bool served = is_served(truth, subject);
    annotations->items[i].key = key;
    return served;
  }
  return false;
}

/* "if it asks PROFILE in place of PROFILE", "if it asks cpu 3 in place of 4" */
static bool helps_asking(Truth *truth, const char *text, size_t subject) {
  ResourceTexts *requests = &pod_common(truth->scene.f.pods.items[subject])->containers.items[0].requests;
  const char *cpu = word_after(truth, text, "if it asks cpu ");
  const char *profile = word_after(truth, text, "if it asks ");
  char asked[MIG_RESOURCE_NAME_SIZE], other[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(word_after(truth, text, "in place of "), asked);
  mig_profile_format_resource(profile, other);
  bool served = false;
  for (size_t i = 0; i < requests->count; i++) {
    ResourceText before = requests->items[i];
    if (strcmp(before.key, cpu ? "cpu" : asked) != 0)
      continue;
    if (cpu)
      requests->items[i].value = cpu;
    else
      requests->items[i].key = other;
    served = is_served(truth, subject);
    requests->items[i] = before;
  }
  return served;
}

static bool helps_with_priority(Truth *truth, const char *text, size_t subject) {
  Pod *pod = truth->scene.f.pods.items[subject];
  int32_t before = pod->priority;
  pod->priority = (int32_t)strtol(word_after(truth, text, "with a priority of "), NULL, 10);
  bool served = is_served(truth, subject);
  pod->priority = before;
  return served;
}

/* "one more KEY, in a node like NAME" */
static bool helps_with_gpu(Truth *truth, const char *text, size_t subject) {
  Fixture *f = &truth->scene.f;
  const MigModelRow *row = mig_model_find(word_after(truth, text, "one more "));
  const Node *like = node_named(truth, word_after(truth, text, "in a node like "));
  Node *node = fixture_node(f, "one-more");
  node->allocatable = like->allocatable;
  fixture_gpu(f, node, row->model.name, "");
  bool served = is_served(truth, subject);
  f->nodes.count--;
  return served;
}

/* "when POD ends, and remove KEY from node NAME, and if POD asks cpu 3 in place of 4": everything is done by
 * its words, tried, and undone. */
static bool helps_together(Truth *truth, const ExplainAdvice *advice, size_t subject) {
  KeyValue *removed[8], before[8];
  int count = 0;
  for (const char *text = advice->text; (text = strstr(text, "remove ")); text++) {
    KeyValues *annotations = &node_named(truth, word_after(truth, text, "from node "))->meta.annotations;
    for (size_t i = 0; i < annotations->count; i++)
      if (strcmp(annotations->items[i].key, word_after(truth, text, "remove ")) == 0) {
        removed[count] = &annotations->items[i];
        before[count++] = annotations->items[i];
        annotations->items[i].key = "removed";
      }
  }
  ResourceTexts *requests = &pod_common(truth->scene.f.pods.items[subject])->containers.items[0].requests;
  const char *cpu = word_after(truth, advice->text, " asks cpu ");
  ResourceText *request = NULL, asked = {0};
  for (size_t i = 0; cpu && i < requests->count; i++)
    if (strcmp(requests->items[i].key, "cpu") == 0) {
      request = &requests->items[i];
      asked = *request;
      request->value = cpu;
    }
  assert_true(count + (request != NULL) + advice->pod_count > 1);
  bool served = is_served_without(truth, advice->pods, advice->pod_count, subject);
  if (request)
    *request = asked;
  while (count-- > 0)
    *removed[count] = before[count];
  return served;
}

static bool helps(Truth *truth, const ExplainAdvice *advice, size_t subject) {
  switch (advice->kind) {
  case EXPLAIN_SETTING:
    return helps_without_annotation(truth, advice->text, subject);
  case EXPLAIN_ASK:
    return helps_asking(truth, advice->text, subject);
  case EXPLAIN_PRIORITY:
    return helps_with_priority(truth, advice->text, subject);
  case EXPLAIN_GPU:
    return helps_with_gpu(truth, advice->text, subject);
  case EXPLAIN_END:
    return is_served_without(truth, advice->pods, advice->pod_count, subject);
  case EXPLAIN_SEVERAL:
    return helps_together(truth, advice, subject);
  default:
    return false; /* nothing in these clusters calls for it */
  }
}

static void check_advice(Truth *truth, const Explanation *explanation, uint64_t from, int advised[]) {
  bool single = false;
  for (size_t i = 0; i < explanation->advice.count; i++) {
    const ExplainAdvice *advice = &explanation->advice.items[i];
    advised[advice->kind]++;
    single |= advice->kind == EXPLAIN_END && advice->pod_count == 1;
    if (!helps(truth, advice, explanation->subject))
      fail_msg("state %llu: \"%s\" does not help", (unsigned long long)from, advice->text);
  }
  if (single || !explanation->all_ends_tried)
    return;
  for (int h = 0; h < truth->held_count; h++) {
    const Held *held = &truth->held[h];
    const SnapshotGpu *gpu = &explanation->snapshot.nodes.items[held->node].gpus[held->gpu];
    const MigProfile *profile = &gpu->model->profiles[mig_layout_find(gpu->layout, held->start)->profile];
    const ExplainHolders *holders = explain_holding_find(&explanation->holding, held->node, profile->name);
    if (explain_holders_sole(holders) == (int64_t)held->pod &&
        is_served_without(truth, &held->pod, 1, explanation->subject))
      fail_msg("state %llu: the end of %s would help, and nobody says so", (unsigned long long)from,
               truth->scene.f.pods.items[held->pod]->meta.name);
  }
}

static void advice_holds_whoever_has_which_slice(void **state) {
  Random random = {.state = seed};
  int blocked = 0, advised[EXPLAIN_GPU + 1] = {0};
  print_message("# seed %llu\n", (unsigned long long)seed);
  for (int i = 0; i < CLUSTERS; i++) {
    uint64_t from = random.state;
    Truth truth = {0};
    make_cluster(&truth, &random);
    const Explanation *explanation = scene_explain(&truth.scene, "w0");
    if (explanation->verdict == EXPLAIN_BLOCKED) {
      blocked++;
      check_advice(&truth, explanation, from, advised);
    }
    scene_deinit(&truth.scene);
  }
  print_message("# %d pods blocked", blocked);
  for (int kind = 0; kind <= EXPLAIN_GPU; kind++)
    print_message(", %d x %s", advised[kind], explain_advice_name((ExplainAdviceKind)kind));
  print_message("\n");
  assert_true(blocked >= CLUSTERS / 8 && advised[EXPLAIN_END] >= CLUSTERS / 16);
  assert_true(advised[EXPLAIN_SETTING] && advised[EXPLAIN_ASK] && advised[EXPLAIN_SEVERAL] &&
              advised[EXPLAIN_PRIORITY] && advised[EXPLAIN_GPU]);
}

static void the_words_of_a_run_do_not_depend_on_the_run(void **state) {
  Random random = {.state = seed + 1};
  for (int i = 0; i < CLUSTERS / 4; i++) {
    Truth truth = {0};
    make_cluster(&truth, &random);
    const char *advice = scene_advice(&truth.scene, "w0"), *groups = scene_groups(&truth.scene, "w0");
    assert_string_equal(scene_advice(&truth.scene, "w0"), advice);
    assert_string_equal(scene_groups(&truth.scene, "w0"), groups);
    scene_deinit(&truth.scene);
  }
}

int main(int argc, char **argv) {
  test_seed_read(argc, argv, &seed, NULL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(advice_holds_whoever_has_which_slice),
      cmocka_unit_test(the_words_of_a_run_do_not_depend_on_the_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
