/* SPDX-License-Identifier: Apache-2.0 */
/* Would it help if these pods ended?
 *
 * A pod that ends frees what it asks and the slices that it holds. Where it is not known which slices those
 * are (holder.h), it has to help whichever they are: every possible world is planned, and the first one in
 * which the subject is not served ends the question with no. Worlds that differ only in which of two equal
 * GPUs is concerned are the same one. */
#include "explain/inquiry.h"

#include "explain/candidate.h"
#include "explain/edit.h"

enum {
  STEPS_MAX = 2000, /* choices looked at for one question */
  WORLDS_MAX = 64,  /* for one question; more are a no */
  HELPING_MAX = 3,  /* advices of this kind that are enough */
  FAILING_MAX = 8,  /* in a row, where there are more pods than tries: the nearest ones were first */
  TOGETHER_MAX = 8, /* pods that end together */
  SETS_MAX = 24,    /* of pods that end together */
  PAIRS_MAX = 64,   /* on nodes, where all pairs are tried */
  PROFILES_MAX = 8, /* that pods hold together */
  SLICES_MAX = 63,  /* in use of one profile on one node */
};

typedef struct Slice {
  int gpu, start;
} Slice;

/* What is freed of one profile: so many of these slices. */
typedef struct Release {
  char profile[MIG_PROFILE_NAME_SIZE];
  Slice slices[SLICES_MAX];
  int slice_count;
  int64_t least, most; /* how many are freed */
} Release;

typedef struct Question {
  Explanation *explanation;
  const size_t *pods;
  int pod_count;
  int node;                  /* that all of them are on */
  const ExplainBundle *also; /* changes that are made besides; NULL */
  Release releases[PROFILES_MAX];
  int release_count;
  uint32_t freed[MIG_GPU_INDEX_MAX + 1]; /* starts, by GPU of the node: the world that is being made */
  int steps;
  Map worlds; /* seen */
  ExplainAnswer answer;
} Question;

static void question_deinit(Question *question) {
  map_deinit(&question->worlds);
}

static const SnapshotNode *node_of(const Question *question) {
  return &question->explanation->snapshot.nodes.items[question->node];
}

/* ---- worlds ---- */

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* GPUs as texts, in order: two worlds with the same texts are the same for the planner but for names. */
static void format_world(const Question *question, Text *text) {
  const SnapshotNode *node = node_of(question);
  CLEANUP(arena_deinit) Arena arena = {0};
  const char *gpus[MIG_GPU_INDEX_MAX + 1];
  for (int g = 0; g < node->gpu_count; g++) {
    const SnapshotGpu *gpu = &node->gpus[g];
    char status[MIG_STATUS_TEXT_SIZE] = "";
    if (gpu->model)
      mig_status_format(gpu->layout, gpu->used_starts & ~question->freed[g], status, sizeof status);
    gpus[g] = arena_format(&arena, "%s %x %x %d%d%d %s", gpu->model_label, gpu->keep_starts, gpu->allowed,
                           gpu->assumed, gpu->excluded, gpu->blocked != NULL, status);
  }
  if (node->gpu_count)
    qsort(gpus, (size_t)node->gpu_count, sizeof *gpus, compare_texts);
  for (int g = 0; g < node->gpu_count; g++)
    text_format(text, "%s\n", gpus[g]);
}

/* Plans the world; true where the subject is served, or was in an equal world. */
static bool serves_in_world(Question *question) {
  CLEANUP(text_deinit) Text key = {0};
  if (question->steps++ == STEPS_MAX)
    return false;
  format_world(question, &key);
  if (map_find(&question->worlds, text_string(&key)))
    return true;
  if (question->worlds.count == WORLDS_MAX)
    return false;
  map_put(&question->worlds, text_string(&key), question);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(text_deinit) Text words = {0}, commands = {0};
  explain_trial_init(&trial, question->explanation->cluster);
  if (question->also &&
      !explain_bundle_apply(question->explanation, question->also, &trial, &words, &commands))
    return false;
  for (int i = 0; i < question->pod_count; i++)
    explain_trial_remove_pod(&trial, question->pods[i]);
  size_t node = explain_node_index(question->explanation, question->node);
  for (int g = 0; g < node_of(question)->gpu_count; g++)
    if (question->freed[g])
      explain_edit_free_slices(&trial, node, &node_of(question)->gpus[g], question->freed[g]);
  return explain_try(question->explanation, &trial, &question->answer);
}

static bool serves_in_all_worlds(Question *question, int release);

static bool serves_with(Question *question, const Release *release, uint64_t chosen, int next) {
  for (uint64_t rest = chosen; rest; rest &= rest - 1) {
    const Slice *slice = &release->slices[__builtin_ctzll(rest)];
    question->freed[slice->gpu] |= UINT32_C(1) << slice->start;
  }
  bool serves = serves_in_all_worlds(question, next);
  for (uint64_t rest = chosen; rest; rest &= rest - 1) {
    const Slice *slice = &release->slices[__builtin_ctzll(rest)];
    question->freed[slice->gpu] &= ~(UINT32_C(1) << slice->start);
  }
  return serves;
}

/* The next larger number with as many bits. */
static uint64_t next_choice(uint64_t choice) {
  assert(choice);
  uint64_t carried = choice + (choice & -choice);
  return carried | ((choice ^ carried) >> (2 + __builtin_ctzll(choice)));
}

/* Every choice of `count` of the slices. */
static bool serves_with_any(Question *question, const Release *release, int64_t count, int next) {
  if (count == 0)
    return serves_with(question, release, 0, next);
  uint64_t end = UINT64_C(1) << release->slice_count;
  for (uint64_t choice = (UINT64_C(1) << count) - 1; choice < end; choice = next_choice(choice))
    if (!serves_with(question, release, choice, next))
      return false;
  return true;
}

static bool serves_in_all_worlds(Question *question, int release) {
  if (release == question->release_count)
    return serves_in_world(question);
  const Release *freed = &question->releases[release];
  for (int64_t count = freed->least; count <= freed->most; count++)
    if (!serves_with_any(question, freed, count, release + 1))
      return false;
  return true;
}

/* ---- what is freed ---- */

static bool collect_slices(const Question *question, Release *release) {
  const SnapshotNode *node = node_of(question);
  for (int g = 0; g < node->gpu_count; g++)
    for (int i = 0; node->gpus[g].model && i < node->gpus[g].layout->count; i++) {
      const MigInstance *instance = &node->gpus[g].layout->instances[i];
      if (!(node->gpus[g].used_starts >> instance->start & 1) ||
          strcmp(node->gpus[g].model->profiles[instance->profile].name, release->profile) != 0)
        continue;
      if (release->slice_count == SLICES_MAX)
        return false;
      release->slices[release->slice_count++] = (Slice){.gpu = g, .start = instance->start};
    }
  return true;
}

static int64_t asked_by(const Question *question, const ExplainHolders *holders) {
  int64_t asked = 0;
  for (size_t i = 0; i < holders->pod_count; i++)
    for (int p = 0; p < question->pod_count; p++)
      asked += holders->pods[i] == question->pods[p] ? holders->counts[i] : 0;
  return asked;
}

/* Where more is asked than in use, the others may hold all that they ask, or the pods that end may. */
static bool find_release(Question *question, const ExplainHolders *holders) {
  int64_t asked = asked_by(question, holders);
  if (!asked)
    return true;
  if (question->release_count == PROFILES_MAX)
    return false;
  Release *release = &question->releases[question->release_count++];
  memcpy(release->profile, holders->profile, sizeof release->profile);
  if (!collect_slices(question, release))
    return false;
  bool is_certain = holders->is_complete || holders->is_short;
  int64_t others = holders->asked - asked;
  release->most = asked < release->slice_count ? asked : release->slice_count;
  release->least = is_certain ? release->most : release->slice_count - others;
  release->least = release->least < 0 ? 0 : release->least > release->most ? release->most : release->least;
  return true;
}

/* Is the subject served once these pods, all of one node, have ended? */
static bool ask_with(Question *question, Explanation *explanation, const size_t *pods, int count,
                     const ExplainBundle *also) {
  *question = (Question){.explanation = explanation, .pods = pods, .pod_count = count, .also = also};
  question->node = snapshot_find_node(&explanation->snapshot, explanation->cluster->pods[pods[0]]->node_name);
  assert(question->node >= 0 && count <= EXPLAIN_TRIAL_EDITS_MAX);
  const ExplainNodeHolders *on_node = &explanation->holding.nodes[question->node];
  for (size_t i = 0; i < on_node->count; i++)
    if (!find_release(question, &on_node->items[i]))
      return false;
  return serves_in_all_worlds(question, 0);
}

static bool ask(Question *question, Explanation *explanation, const size_t *pods, int count) {
  return ask_with(question, explanation, pods, count, NULL);
}

bool explain_ends_serve(Explanation *explanation, const ExplainBundle *bundle, ExplainAnswer *ret_answer) {
  CLEANUP(question_deinit) Question question;
  bool serves = ask_with(&question, explanation, bundle->pods, bundle->pod_count, bundle);
  *ret_answer = question.answer;
  return serves;
}

static bool advise_end(Explanation *explanation, const size_t *pods, int count) {
  CLEANUP(question_deinit) Question question;
  if (!ask(&question, explanation, pods, count))
    return false;
  CLEANUP(text_deinit) Text text = {0};
  text_append(&text, "when ");
  for (int i = 0; i < count; i++) {
    text_append(&text, i == 0 ? "" : i == count - 1 ? " and " : ", ");
    explain_pod_format(explanation->cluster->pods[pods[i]], &text);
  }
  text_append(&text, count == 1 ? " ends" : " have ended");
  ExplainAdvice *advice =
      explain_add_advice(explanation, EXPLAIN_END, text_string(&text), NULL, &question.answer);
  memcpy(advice->pods, pods, (size_t)count * sizeof *pods);
  advice->pod_count = count;
  return true;
}

/* ---- one alone ---- */

static int try_singles(Explanation *explanation, const ExplainCandidates *candidates) {
  bool is_long = candidates->count > (size_t)explanation->tries_left;
  int helping = 0, failing = 0;
  size_t i = 0;
  for (; i < candidates->count && helping < HELPING_MAX && explanation->tries_left > 0; i++) {
    bool helps = advise_end(explanation, &candidates->items[i].pod, 1);
    helping += helps;
    failing = helps ? 0 : failing + 1;
    if (is_long && failing == FAILING_MAX)
      break;
  }
  explanation->all_ends_tried = i == candidates->count && explanation->tries_left > 0;
  explanation->more_ends = helping == HELPING_MAX ? (int)(candidates->count - i) : 0;
  return helping;
}

/* ---- several together ---- */

typedef struct PodSet {
  size_t pods[TOGETHER_MAX];
  int count;
} PodSet;
typedef ARRAY(PodSet) PodSets;

static bool add_to_set(PodSet *set, const ExplainHolders *holders) {
  for (size_t i = 0; holders && i < holders->pod_count; i++) {
    bool is_there = false;
    for (int k = 0; k < set->count; k++)
      is_there |= set->pods[k] == holders->pods[i];
    if (is_there)
      continue;
    if (set->count == TOGETHER_MAX)
      return false;
    set->pods[set->count++] = holders->pods[i];
  }
  return holders && holders->pod_count;
}

/* Everybody who may hold what is in the way at the place that is nearest to being free. */
static bool find_set(const Explanation *explanation, int n, const SnapshotGpu *gpu, PodSet *ret_set) {
  int profile = gpu->model ? mig_model_find_profile(gpu->model, explanation->needs[0].profile) : -1;
  uint32_t starts = 0;
  *ret_set = (PodSet){0};
  if (profile < 0 || explain_room_nearest(&explanation->snapshot.nodes.items[n], gpu, profile, &starts) < 2)
    return false;
  for (; starts; starts &= starts - 1) {
    const MigInstance *instance = mig_layout_find(gpu->layout, __builtin_ctz(starts));
    if (!add_to_set(ret_set, explain_holding_find(&explanation->holding, n,
                                                  gpu->model->profiles[instance->profile].name)))
      return false;
  }
  return ret_set->count > 1;
}

static int compare_sets(const void *a, const void *b) {
  return ((const PodSet *)a)->count - ((const PodSet *)b)->count;
}

/* Sets of the nodes that stand for their groups. */
static void list_sets(const Explanation *explanation, PodSets *ret_sets) {
  for (size_t i = 0; i < explanation->groups.count; i++) {
    int n = explanation->groups.items[i].node;
    const SnapshotNode *node = &explanation->snapshot.nodes.items[n];
    for (int g = 0; g < node->gpu_count; g++) {
      PodSet set;
      if (find_set(explanation, n, &node->gpus[g], &set))
        *array_push(ret_sets) = set;
    }
  }
  if (ret_sets->count)
    qsort(ret_sets->items, ret_sets->count, sizeof ret_sets->items[0], compare_sets);
}

/* Leaves out who is not needed. */
static void shrink(Explanation *explanation, PodSet *set) {
  for (int left_out = 0; left_out < set->count && set->count > 2;) {
    PodSet smaller = *set;
    memmove(&smaller.pods[left_out], &smaller.pods[left_out + 1],
            (size_t)(set->count - left_out - 1) * sizeof smaller.pods[0]);
    smaller.count--;
    CLEANUP(question_deinit) Question question;
    if (ask(&question, explanation, smaller.pods, smaller.count))
      *set = smaller;
    else
      left_out++;
  }
}

static bool try_set(Explanation *explanation, PodSet set) {
  {
    CLEANUP(question_deinit) Question question;
    if (!ask(&question, explanation, set.pods, set.count))
      return false;
  }
  shrink(explanation, &set);
  return advise_end(explanation, set.pods, set.count);
}

/* On small clusters all pairs of one node: where the place is not known, or memory and slices are short. */
static bool try_pairs(Explanation *explanation, const ExplainCandidates *candidates) {
  int pairs = 0;
  for (size_t i = 0; i < candidates->count; i++)
    for (size_t k = i + 1; k < candidates->count; k++) {
      if (candidates->items[i].node != candidates->items[k].node)
        continue;
      if (pairs++ == PAIRS_MAX || explanation->tries_left <= 0)
        return false;
      const size_t both[] = {candidates->items[i].pod, candidates->items[k].pod};
      if (advise_end(explanation, both, 2))
        return true;
    }
  return false;
}

static void try_together(Explanation *explanation, const ExplainCandidates *candidates) {
  PodSets sets = {0};
  int helping = 0;
  list_sets(explanation, &sets);
  bool has_pair = sets.count && sets.items[0].count == 2 && try_set(explanation, sets.items[0]);
  if (!has_pair)
    has_pair = try_pairs(explanation, candidates);
  for (size_t i = 0; !has_pair && i < sets.count && i < SETS_MAX && !helping; i++)
    helping += try_set(explanation, sets.items[i]);
  array_deinit(&sets);
}

void explain_ends_find(Explanation *explanation) {
  ExplainCandidates candidates = {0};
  if (!explanation->need_count)
    return;
  explain_candidates_find(explanation, &candidates);
  if (!try_singles(explanation, &candidates))
    try_together(explanation, &candidates);
  array_deinit(&candidates);
}
