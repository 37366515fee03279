/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the best host for each of ten thousand pods must not ask a thousand hosts ten thousand times. A
 * host's answer to a class (a quote) stays right until the host changes, and a host that cannot serve a class
 * never will again in this draft, because a draft only takes. So quotes are remembered for a few classes, and
 * a pod costs one pass over numbers plus one new quote. */
#include "plan/greedy.h"

enum { MEMORIES = 16, PACK_STEPS = 20000 };

struct PlanQuote {
  uint32_t version; /* of the host when it was asked, plus one; 0: never asked */
  bool impossible;
  bool creates;
  int new_gpus;
  uint64_t loss;
};

struct PlanQuotes { /* what the hosts said to one class */
  int class_;       /* -1: unused */
  uint64_t loss_min;
  bool exhausted; /* no host can serve it any more */
  PlanQuote *hosts;
};

void plan_greedy_init(PlanGreedy *greedy, PlanDraft *draft) {
  *greedy = (PlanGreedy){.draft = draft, .quotes = mem_alloc(MEMORIES * sizeof *greedy->quotes)};
  for (int i = 0; i < MEMORIES; i++)
    greedy->quotes[i].hosts = mem_alloc(draft->problem->hosts.count * sizeof *greedy->quotes[i].hosts);
  plan_greedy_forget(greedy);
}

void plan_greedy_deinit(PlanGreedy *greedy) {
  for (int i = 0; i < MEMORIES; i++)
    free(greedy->quotes[i].hosts);
  free(greedy->quotes);
}

void plan_greedy_forget(PlanGreedy *greedy) {
  for (int i = 0; i < MEMORIES; i++)
    greedy->quotes[i].class_ = -1;
}

static PlanQuotes *quotes_for(PlanGreedy *greedy, int class_, uint64_t loss_min) {
  uint64_t key =
      ((uint64_t)class_ + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ loss_min * UINT64_C(0xbf58476d1ce4e5b9);
  PlanQuotes *quotes = &greedy->quotes[(key >> 40) % MEMORIES];
  if (quotes->class_ == class_ && quotes->loss_min == loss_min)
    return quotes;
  quotes->class_ = class_;
  quotes->loss_min = loss_min;
  quotes->exhausted = false;
  memset(quotes->hosts, 0, greedy->draft->problem->hosts.count * sizeof *quotes->hosts);
  return quotes;
}

/* What the host lacks for one pod of the class, by kind, where `left` is free; returns how many slices. */
static int count_missing(const PlanClass *class_, const int *left, int *missing) {
  int total = 0;
  for (int n = 0; n < class_->need_count; n++) {
    const PlanNeed *need = &class_->needs[n];
    missing[need->kind] = need->count > left[need->kind] ? need->count - left[need->kind] : 0;
    total += missing[need->kind];
  }
  return total;
}

/* `touched` may be NULL. */
static bool pack_for(const PlanProblem *problem, const PlanClass *class_, int host, const int *left,
                     const bool *touched, uint64_t loss_min, PlanPacking *ret_packing) {
  CLEANUP(cleanup_free) int *missing = mem_alloc(problem->kinds.count * sizeof *missing);
  int64_t steps = PACK_STEPS;
  ret_packing->count = 0;
  ret_packing->new_gpus = 0;
  ret_packing->loss = 0;
  if (!count_missing(class_, left, missing))
    return true;
  PlanPackQuestion question = {.problem = problem,
                               .host = host,
                               .missing = missing,
                               .touched = touched,
                               .loss_min = loss_min,
                               .steps = &steps};
  return loss_min != PLAN_ONLY_EXISTING && plan_pack(&question, ret_packing);
}

static bool pack_in_draft(const PlanDraft *draft, const PlanClass *class_, int host, uint64_t loss_min,
                          PlanPacking *ret_packing) {
  return pack_for(draft->problem, class_, host, plan_draft_free(draft, host, 0), draft->touched_gpus,
                  loss_min, ret_packing);
}

bool plan_greedy_could_serve(const PlanProblem *problem, const PlanClass *class_, int host) {
  CLEANUP(cleanup_free) int *left = mem_alloc(problem->kinds.count * sizeof *left);
  PlanPacking packing;
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    left[kind] = plan_problem_free(problem, host, (int)kind);
  return pack_for(problem, class_, host, left, NULL, 0, &packing);
}

static const PlanQuote *ask_host(PlanGreedy *greedy, PlanQuotes *quotes, int host) {
  const PlanDraft *draft = greedy->draft;
  PlanQuote *quote = &quotes->hosts[host];
  uint32_t version = draft->versions[host] + 1;
  if (quote->impossible || quote->version == version)
    return quote;
  PlanPacking packing;
  const PlanClass *class_ = &draft->problem->classes.items[quotes->class_];
  quote->version = version;
  quote->impossible =
      !plan_class_admits(class_, host) || !pack_in_draft(draft, class_, host, quotes->loss_min, &packing);
  if (!quote->impossible) {
    quote->creates = packing.count > 0;
    quote->loss = packing.loss;
    quote->new_gpus = packing.new_gpus;
  }
  return quote;
}

/* Hosts that fewer classes can use come first among equals: the others may be needed for those that cannot.
 */
static bool is_better(const PlanDraft *draft, const PlanQuote *a, int host_a, const PlanQuote *b,
                      int host_b) {
  if (a->creates != b->creates)
    return !a->creates;
  if (a->loss != b->loss)
    return a->loss < b->loss;
  if (a->new_gpus != b->new_gpus)
    return a->new_gpus < b->new_gpus;
  if (a->creates && draft->touched_hosts[host_a] != draft->touched_hosts[host_b])
    return draft->touched_hosts[host_a];
  return draft->problem->hosts.items[host_a].contention < draft->problem->hosts.items[host_b].contention;
}

static int find_best(PlanGreedy *greedy, PlanQuotes *quotes) {
  int best = -1;
  for (size_t host = 0; host < greedy->draft->problem->hosts.count; host++) {
    const PlanQuote *quote = ask_host(greedy, quotes, (int)host);
    if (!quote->impossible &&
        (best < 0 || is_better(greedy->draft, quote, (int)host, &quotes->hosts[best], best)))
      best = (int)host;
  }
  return best;
}

bool plan_greedy_serve(PlanGreedy *greedy, int waiting, uint64_t loss_min) {
  PlanDraft *draft = greedy->draft;
  int index = draft->problem->waiting.items[waiting].class_;
  const PlanClass *class_ = &draft->problem->classes.items[index];
  for (;;) {
    PlanQuotes *quotes = quotes_for(greedy, index, loss_min);
    int host = quotes->exhausted ? -1 : find_best(greedy, quotes);
    if (host < 0) {
      quotes->exhausted = true;
      return false;
    }
    PlanPacking packing;
    bool packed = pack_in_draft(draft, class_, host, loss_min, &packing);
    assert(packed);
    PlanAnswer answer = plan_draft_serve(draft, waiting, host, packing.slices, packing.count);
    if (answer == PLAN_SERVED)
      return true;
    /* A hole of this worth is needed whole, on whatever host: look for a worthier one. */
    if (answer == PLAN_OTHERS_NEED_IT && plan_class_single_kind(class_) >= 0)
      loss_min = packing.loss + 1;
    else
      quotes->hosts[host].impossible = true;
  }
}

void plan_greedy_serve_rest(PlanGreedy *greedy) {
  for (size_t waiting = 0; waiting < greedy->draft->problem->waiting.count; waiting++)
    if (greedy->draft->hosts[waiting] < 0)
      (void)plan_greedy_serve(greedy, (int)waiting, 0);
}
