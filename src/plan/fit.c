/* SPDX-License-Identifier: Apache-2.0 */
/* A host gives what its GPUs' cuts give together (cuts.h). So the question is whether one cut for each GPU
 * can be chosen that together cover the demand, and it is answered by the first of these that knows:
 *
 *   counts     no kind may be asked more often than all GPUs have it, nor more slots than there are;
 *   memory     what covers more than this fits; what asks less than this does not;
 *   choosing   GPU by GPU, the cut that covers most first. A choice is left out that covers no more of
 *              anything than another, or leaves more slots to the other GPUs than they have. A rest that was
 *              in vain on as many GPUs before is so again.
 *
 * Hosts whose GPUs are alike share all that. Where numbers do not tell all - bound pods count on free slices
 * that might go - the packing is asked, and its answers are remembered by the demand's hash. */
#include "plan/fit.h"

#include "plan/frame.h"

enum {
  KNOWN_MAX = 32,       /* answers that are compared with, of each frame, of each sort */
  VAIN_SIZE = 1 << 10,  /* remembered rests */
  CHOICES_MAX = 3000,   /* for one question; more is a no */
  PACK_STEPS = 20000,   /* of the packing, for one question */
  MEMORY_SIZE = 1 << 14 /* answers of the packing */
};

typedef struct Known {
  PlanAmount items[KNOWN_MAX];
  int count, next;
} Known;

typedef struct Frame { /* hosts that are alike */
  uint64_t hash;
  bool is_counted;
  int *fixed; /* by kind: free slices that stay whatever is done */
  int *most;  /* by kind: that the GPUs have */
  int gpu_count;
  int *gpus;       /* indexes of cuts; equal ones stand together */
  int *slots_from; /* by position: slots that this GPU and those behind it have at most */
  Known yes, no;
} Frame;

typedef struct Vain {
  uint32_t question; /* in which that was */
  int position;
  PlanAmount rest;
} Vain;

typedef struct Choice { /* of a cut for a GPU */
  PlanAmount rest;      /* of the demand */
  int slots;            /* of the rest */
  int cut;
} Choice;

struct PlanFits {
  const PlanProblem *problem;
  PlanMeans means;
  PlanBudget *budget;
  int words;
  int *frame_of; /* by host */
  ARRAY(Frame) frames;
  PlanCutTable table;
  int chosen[MIG_GPU_INDEX_MAX + 1]; /* cuts, by position */
  Vain *vain;                        /* NULL: none yet */
  uint32_t question;
  bool is_in_doubt;      /* some no may be wrong */
  int choices_left;      /* for this question */
  ARRAY(Choice) choices; /* a stack: those of each open position */
  uint64_t *memory;      /* NULL: none yet */
  int *kept;             /* by kind: of no interest */
};

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

/* ---- what hosts have ---- */

/* Do floating claims need slices that might go? Numbers do not tell which. Those of a profile that
 * nobody asks for count as well. */
static bool has_claims(const PlanFits *fits, int host) {
  const PlanProblem *problem = fits->problem;
  const PlanHost *from = &problem->hosts.items[host];
  CLEANUP(cleanup_free) int *loose = mem_alloc(problem->stocks.count * sizeof *loose);
  bool claims = false;
  for (int gpu = from->first_gpu; gpu < from->first_gpu + from->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(problem, gpu);
    for (uint32_t starts = plan_problem_withdrawable(problem, gpu); starts; starts &= starts - 1)
      loose[model->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile]]++;
  }
  for (size_t stock = 0; stock < problem->stocks.count; stock++)
    claims |= loose[stock] &&
              snapshot_free_of(plan_problem_node(problem, host), problem->stocks.items[stock]) < loose[stock];
  return claims;
}

static bool count_most(const PlanFits *fits, Frame *frame) {
  bool fits_bytes = true;
  for (int i = frame->gpu_count - 1; i >= 0; i--) {
    const PlanCuts *cuts = &fits->table.cuts.items[frame->gpus[i]];
    frame->slots_from[i] = frame->slots_from[i + 1] + cuts->slots_most;
    for (int kind = 0; kind < (int)fits->problem->kinds.count; kind++) {
      frame->most[kind] += cuts->most.of_kind[kind];
      fits_bytes &= frame->most[kind] <= PLAN_AMOUNT_MAX;
    }
  }
  return fits_bytes;
}

static int compare_ints(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

static void init_frame(PlanFits *fits, Frame *frame, int host) {
  const PlanHost *from = &fits->problem->hosts.items[host];
  size_t kinds = fits->problem->kinds.count;
  frame->fixed = mem_alloc(kinds * sizeof *frame->fixed);
  frame->most = mem_alloc(kinds * sizeof *frame->most);
  frame->gpu_count = from->gpu_count;
  frame->gpus = mem_alloc((size_t)from->gpu_count * sizeof *frame->gpus);
  frame->slots_from = mem_alloc(((size_t)from->gpu_count + 1) * sizeof *frame->slots_from);
  for (int kind = 0; kind < (int)kinds; kind++)
    frame->fixed[kind] = plan_cut_table_fixed(&fits->table, host, kind);
  frame->is_counted = fits->means != PLAN_BY_WITHDRAWAL || !has_claims(fits, host);
  int64_t before = fits->table.steps;
  for (int i = 0; i < from->gpu_count && frame->is_counted; i++) {
    frame->gpus[i] = plan_cut_table_find(&fits->table, from->first_gpu + i);
    frame->is_counted = fits->table.cuts.items[frame->gpus[i]].is_whole;
  }
  plan_budget_take(fits->budget, 1 + fits->table.steps - before);
  if (!frame->is_counted)
    return;
  if (frame->gpu_count)
    qsort(frame->gpus, (size_t)frame->gpu_count, sizeof *frame->gpus, compare_ints);
  frame->is_counted = count_most(fits, frame);
}

static Frame *frame_of(PlanFits *fits, int host) {
  if (fits->frame_of[host] >= 0)
    return &fits->frames.items[fits->frame_of[host]];
  uint64_t hash = plan_frame_of(fits->problem, host);
  size_t frame = 0;
  while (frame < fits->frames.count && fits->frames.items[frame].hash != hash)
    frame++;
  fits->frame_of[host] = (int)frame;
  if (frame == fits->frames.count) {
    array_push(&fits->frames)->hash = hash;
    init_frame(fits, &fits->frames.items[frame], host);
  }
  return &fits->frames.items[frame];
}

PlanFits *plan_fits_new(const PlanProblem *problem, PlanMeans means, PlanBudget *budget) {
  PlanFits *fits = mem_alloc(sizeof *fits);
  *fits = (PlanFits){.problem = problem,
                     .means = means,
                     .budget = budget,
                     .words = (int)(problem->kinds.count + 7) / 8,
                     .frame_of = mem_alloc(problem->hosts.count * sizeof *fits->frame_of),
                     .kept = mem_alloc(problem->kinds.count * sizeof *fits->kept)};
  plan_cut_table_init(&fits->table, problem, means);
  for (size_t host = 0; host < problem->hosts.count; host++)
    fits->frame_of[host] = -1;
  return fits;
}

void plan_fits_free(PlanFits *fits) {
  if (!fits)
    return;
  for (size_t i = 0; i < fits->frames.count; i++) {
    free(fits->frames.items[i].fixed);
    free(fits->frames.items[i].most);
    free(fits->frames.items[i].gpus);
    free(fits->frames.items[i].slots_from);
  }
  array_deinit(&fits->frames);
  array_deinit(&fits->choices);
  plan_cut_table_deinit(&fits->table);
  free(fits->frame_of);
  free(fits->vain);
  free(fits->memory);
  free(fits->kept);
  free(fits);
}

/* ---- choosing ---- */

/* Fewest slots left first; no rest contains another. */
static void add_choice(PlanFits *fits, size_t base, const Choice *choice) {
  size_t place = base, kept, end = fits->choices.count;
  Choice *choices = fits->choices.items;
  for (; place < end && choices[place].slots <= choice->slots; place++)
    if (plan_amount_contains(&choice->rest, &choices[place].rest, fits->words))
      return;
  kept = place;
  for (size_t i = place; i < end; i++)
    if (!plan_amount_contains(&choices[i].rest, &choice->rest, fits->words))
      choices[kept++] = choices[i];
  fits->choices.count = kept;
  array_push(&fits->choices);
  for (size_t i = kept; i > place; i--)
    fits->choices.items[i] = fits->choices.items[i - 1];
  fits->choices.items[place] = *choice;
}

static void add_choices(PlanFits *fits, const Frame *frame, int position, const PlanAmount *rest) {
  const PlanCuts *cuts = &fits->table.cuts.items[frame->gpus[position]];
  size_t base = fits->choices.count;
  for (size_t i = 0; i < cuts->items.count; i++) {
    Choice choice = {.rest = plan_amount_rest(rest, &cuts->items.items[i], fits->words), .cut = (int)i};
    choice.slots = plan_amount_slots(&choice.rest, fits->problem);
    if (choice.slots <= frame->slots_from[position + 1])
      add_choice(fits, base, &choice);
  }
  fits->choices_left -= 1 + (int)cuts->items.count / 16;
}

static bool is_nothing(const PlanAmount *amount, int words) {
  uint64_t all = 0;
  for (int i = 0; i < words; i++)
    all |= amount->words[i];
  return !all;
}

/* The last GPU has to cover what is left. */
static bool choose_last(PlanFits *fits, const Frame *frame, const PlanAmount *rest) {
  const PlanCuts *cuts = &fits->table.cuts.items[frame->gpus[frame->gpu_count - 1]];
  for (int i = 0; i < (int)cuts->items.count; i++)
    if (plan_amount_contains(&cuts->items.items[i], rest, fits->words)) {
      fits->chosen[frame->gpu_count - 1] = i;
      return true;
    }
  return false;
}

static Vain *vain_of(const PlanFits *fits, int position, const PlanAmount *rest) {
  uint64_t hash = (uint64_t)position;
  for (int i = 0; i < fits->words; i++)
    hash = mix(hash + rest->words[i]);
  return &fits->vain[hash & (VAIN_SIZE - 1)];
}

static bool was_in_vain(const PlanFits *fits, int position, const PlanAmount *rest) {
  if (!fits->vain)
    return false;
  const Vain *vain = vain_of(fits, position, rest);
  return vain->question == fits->question && vain->position == position &&
         memcmp(&vain->rest, rest, sizeof *rest) == 0;
}

/* Do the GPUs from this position on cover the rest? */
static bool choose(PlanFits *fits, const Frame *frame, int position, const PlanAmount *rest) {
  if (is_nothing(rest, fits->words))
    return true;
  if (position == frame->gpu_count - 1)
    return choose_last(fits, frame, rest);
  if (position == frame->gpu_count || fits->choices_left <= 0 || was_in_vain(fits, position, rest))
    return false;
  size_t base = fits->choices.count;
  bool covered = false;
  add_choices(fits, frame, position, rest);
  for (size_t i = base; i < fits->choices.count && !covered; i++) {
    PlanAmount next = fits->choices.items[i].rest;
    fits->chosen[position] = fits->choices.items[i].cut;
    covered = choose(fits, frame, position + 1, &next);
  }
  fits->choices.count = base;
  if (covered)
    return true;
  if (!fits->vain)
    fits->vain = mem_alloc(VAIN_SIZE * sizeof *fits->vain);
  *vain_of(fits, position, rest) = (Vain){.question = fits->question, .position = position, .rest = *rest};
  return false;
}

/* ---- asking ---- */

static bool knows(const PlanFits *fits, const Known *known, const PlanAmount *demand, bool yes) {
  for (int i = 0; i < known->count; i++)
    if (yes ? plan_amount_contains(&known->items[i], demand, fits->words)
            : plan_amount_contains(demand, &known->items[i], fits->words))
      return true;
  return false;
}

static void learn(Known *known, const PlanAmount *demand) {
  known->items[known->next] = *demand;
  known->next = (known->next + 1) % KNOWN_MAX;
  known->count += known->count < KNOWN_MAX;
}

/* What the GPUs have to give. False where they certainly cannot. */
static bool get_demand(const PlanFits *fits, const Frame *frame, const int *asked, PlanAmount *ret_demand) {
  *ret_demand = (PlanAmount){.words = {0}};
  for (int kind = 0; kind < (int)fits->problem->kinds.count; kind++) {
    int lacking = asked[kind] - frame->fixed[kind];
    if (lacking > frame->most[kind])
      return false;
    ret_demand->of_kind[kind] = (uint8_t)(lacking > 0 ? lacking : 0);
  }
  return plan_amount_slots(ret_demand, fits->problem) <= frame->slots_from[0];
}

static bool ask_counts(PlanFits *fits, Frame *frame, const int *asked) {
  PlanAmount demand;
  if (!get_demand(fits, frame, asked, &demand) || knows(fits, &frame->no, &demand, false))
    return false;
  if (knows(fits, &frame->yes, &demand, true))
    return true;
  fits->question++;
  fits->choices_left = CHOICES_MAX;
  bool covered = choose(fits, frame, 0, &demand);
  plan_budget_take(fits->budget, 1 + (CHOICES_MAX - fits->choices_left));
  if (covered || fits->choices_left > 0)
    learn(covered ? &frame->yes : &frame->no, &demand);
  else
    fits->is_in_doubt = true;
  return covered;
}

static bool ask_packing(PlanFits *fits, const Frame *frame, int host, const int *asked) {
  uint64_t key = frame->hash;
  for (size_t kind = 0; kind < fits->problem->kinds.count; kind++)
    if (asked[kind])
      key = mix(key + ((uint64_t)kind << 32 | (uint64_t)asked[kind]));
  key &= ~UINT64_C(1);
  if (!fits->memory)
    fits->memory = mem_alloc(MEMORY_SIZE * sizeof *fits->memory);
  uint64_t *answer = &fits->memory[key >> 1 & (MEMORY_SIZE - 1)];
  if ((*answer & ~UINT64_C(1)) == key)
    return *answer & 1;
  PlanPacking packing;
  int64_t steps = PACK_STEPS;
  const PlanRealiseQuestion question = {
      .problem = fits->problem, .host = host, .asked = asked, .means = fits->means};
  bool found = plan_realise_pack(&question, &steps, fits->kept, &packing);
  plan_budget_take(fits->budget, 1 + PACK_STEPS - steps);
  fits->is_in_doubt |= !found && steps <= 0;
  *answer = key | found;
  return found;
}

static bool has_free(const PlanFits *fits, int host, const int *asked) {
  for (int kind = 0; kind < (int)fits->problem->kinds.count; kind++)
    if (asked[kind] > fits->problem->free[(size_t)host * fits->problem->kinds.count + (size_t)kind])
      return false;
  return true;
}

bool plan_fits_ask(PlanFits *fits, int host, const int *asked) {
  if (fits->means == PLAN_BY_EXISTING)
    return has_free(fits, host, asked);
  Frame *frame = frame_of(fits, host);
  return frame->is_counted ? ask_counts(fits, frame, asked) : ask_packing(fits, frame, host, asked);
}

bool plan_fits_are_certain(const PlanFits *fits) {
  return !fits->is_in_doubt;
}

static int kind_of_slice(const PlanProblem *problem, const PlanSlice *slice) {
  int kind = 0;
  while (plan_problem_model(problem, slice->gpu)->profile_of_kind[kind] != slice->profile)
    kind++;
  return kind;
}

/* What each GPU is to give: the demand, as far as its cut goes. False where there is no way. */
static bool share_out(PlanFits *fits, Frame *frame, PlanAmount demand, PlanAmount *ret_amounts) {
  fits->question++;
  fits->choices_left = CHOICES_MAX;
  for (int i = 0; i < frame->gpu_count; i++)
    fits->chosen[i] = -1;
  if (!choose(fits, frame, 0, &demand))
    return false;
  for (int i = 0; i < frame->gpu_count && fits->chosen[i] >= 0; i++) {
    const PlanCuts *cuts = &fits->table.cuts.items[frame->gpus[i]];
    PlanAmount rest = plan_amount_rest(&demand, &cuts->items.items[fits->chosen[i]], fits->words);
    ret_amounts[i] = plan_amount_rest(&demand, &rest, fits->words);
    demand = rest;
  }
  return true;
}

bool plan_fits_pack(PlanFits *fits, int host, const int *asked, int *ret_kept, PlanPacking *ret_packing) {
  const PlanHost *on = &fits->problem->hosts.items[host];
  PlanAmount amounts[MIG_GPU_INDEX_MAX + 1] = {0};
  bool is_taken[MIG_GPU_INDEX_MAX + 1] = {false};
  Frame *frame = frame_of(fits, host);
  PlanAmount demand;
  plan_packing_clear(ret_packing);
  if (!frame->is_counted || !get_demand(fits, frame, asked, &demand) ||
      !share_out(fits, frame, demand, amounts))
    return false;
  for (int i = 0; i < frame->gpu_count; i++) { /* which of the GPUs that are alike does not matter */
    int gpu = 0;
    while (is_taken[gpu] || plan_cut_table_find(&fits->table, on->first_gpu + gpu) != frame->gpus[i])
      gpu++;
    is_taken[gpu] = true;
    if (!plan_cuts_place(fits->problem, on->first_gpu + gpu, fits->means, &amounts[i], ret_packing))
      return false;
  }
  for (int kind = 0; kind < (int)fits->problem->kinds.count; kind++)
    ret_kept[kind] = asked[kind];
  for (int i = 0; i < ret_packing->count; i++)
    ret_kept[kind_of_slice(fits->problem, &ret_packing->slices[i])]--;
  return true;
}
