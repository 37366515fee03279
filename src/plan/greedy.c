/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the best host for each of ten thousand pods must not ask a thousand hosts ten thousand times. A
 * host's answer to a set of slices (a quote) stays right until the host changes, and a host without room for
 * them never has room again in this draft, because a draft only takes - unless slices are withdrawn there. So
 * quotes are remembered for a few sets, and a pod costs one pass over numbers plus one new quote. */
#include "plan/greedy.h"

#include "plan/recut.h"
#include "sched/filter.h"

enum {
  MEMORIES = 32,
  PACK_STEPS = 20000,
  PASSES_MAX = 8,
  RANKINGS = 64,
  ASIDE_MAX = 256, /* hosts that other pods keep away; beyond that all are looked at */
};

/* Each includes those before it. A withdrawal makes room, so it ends EXHAUSTED_GROWTH; the others last. */
enum { EXHAUSTED_EXISTING = 1, EXHAUSTED_GROWTH = 2, EXHAUSTED_RECUT = 4 };

typedef struct Quote {
  uint32_t version;  /* of the host when it was asked, plus one; 0: never asked */
  uint32_t openings; /* of the host then */
  bool impossible;   /* for good, or until slices are withdrawn there */
  bool creates;
  bool is_touched; /* the host was changed already */
  int withdrawn;
  int new_gpus;
  uint64_t loss;
} Quote;

typedef struct Ranked {
  Quote quote;
  int host;
} Ranked;

struct PlanQuotes { /* what the hosts said to one set of slices */
  int asks;         /* as in PlanClass; -1: unused */
  uint64_t loss_min;
  uint32_t number;      /* of the asking: hosts are asked afresh when the memory is used for something else */
  Quote *hosts;         /* NULL until it is used */
  int latest;           /* the host that was asked last, which is often the one that is chosen; -1 */
  PlanPacking *packing; /* its answer */
};

/* The hosts that one class may use, best first, on large clusters: then not all are looked at for each pod.
 * A host that was changed is put in again, and what is known of it from before is left out once it comes up.
 */
struct PlanRanking {
  int class_; /* -1: unused */
  uint32_t quotes_number;
  size_t seen; /* of the draft's journal */
  ARRAY(Ranked) heap;
};

void plan_greedy_init(PlanGreedy *greedy, PlanDraft *draft) {
  const PlanProblem *problem = draft->problem;
  *greedy = (PlanGreedy){.draft = draft,
                         .ranked_hosts_min = PLAN_RANKED_HOSTS_MIN,
                         .refusal_words = (problem->hosts.count + 63) / 64};
  greedy->quotes = mem_alloc(MEMORIES * sizeof *greedy->quotes);
  greedy->rankings = mem_alloc(RANKINGS * sizeof *greedy->rankings);
  for (int i = 0; i < RANKINGS; i++)
    greedy->rankings[i].class_ = -1;
  greedy->refusals = mem_alloc(problem->classes.count * greedy->refusal_words * sizeof *greedy->refusals);
  greedy->exhausted = mem_alloc(problem->classes.count * sizeof *greedy->exhausted);
  greedy->exhausted_after = mem_alloc(problem->classes.count * sizeof *greedy->exhausted_after);
  plan_greedy_forget(greedy);
}

void plan_greedy_deinit(PlanGreedy *greedy) {
  for (int i = 0; i < MEMORIES; i++) {
    free(greedy->quotes[i].hosts);
    free(greedy->quotes[i].packing);
  }
  free(greedy->quotes);
  for (int i = 0; i < RANKINGS; i++)
    array_deinit(&greedy->rankings[i].heap);
  free(greedy->rankings);
  free(greedy->refusals);
  free(greedy->exhausted);
  free(greedy->exhausted_after);
}

void plan_greedy_forget(PlanGreedy *greedy) {
  for (int i = 0; i < MEMORIES; i++)
    greedy->quotes[i].asks = -1;
  for (size_t i = 0; i < greedy->draft->problem->classes.count; i++)
    greedy->exhausted[i] &= EXHAUSTED_EXISTING;
}

static uint64_t *refusals_of(const PlanGreedy *greedy, int class_, int host) {
  return &greedy->refusals[(size_t)class_ * greedy->refusal_words + (size_t)host / 64];
}

static PlanQuotes *quotes_for(PlanGreedy *greedy, int asks, uint64_t loss_min) {
  uint64_t key =
      ((uint64_t)asks + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ loss_min * UINT64_C(0xbf58476d1ce4e5b9);
  PlanQuotes *quotes = &greedy->quotes[(key >> 40) % MEMORIES];
  if (quotes->asks == asks && quotes->loss_min == loss_min)
    return quotes;
  size_t hosts_size = greedy->draft->problem->hosts.count * sizeof *quotes->hosts;
  if (!quotes->hosts) { /* few are used where few pods wait */
    quotes->hosts = mem_alloc(hosts_size);
    quotes->packing = mem_alloc(sizeof *quotes->packing);
  }
  quotes->asks = asks;
  quotes->loss_min = loss_min;
  quotes->number = ++greedy->askings;
  quotes->latest = -1;
  memset(quotes->hosts, 0, hosts_size);
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

static bool pack_in_draft(const PlanDraft *draft, const PlanClass *class_, int host, uint64_t loss_min,
                          PlanPacking *ret_packing) {
  const PlanProblem *problem = draft->problem;
  CLEANUP(cleanup_free) int *missing = mem_alloc(problem->kinds.count * sizeof *missing);
  int64_t steps = PACK_STEPS;
  if (loss_min == PLAN_RECUT)
    return plan_recut(problem, class_, host, draft->touched_gpus, ret_packing);
  plan_packing_clear(ret_packing);
  if (!count_missing(class_, plan_draft_free(draft, host, 0), missing))
    return true;
  PlanPackQuestion question = {.problem = problem,
                               .host = host,
                               .missing = missing,
                               .touched = draft->touched_gpus,
                               .loss_min = loss_min,
                               .steps = &steps};
  return loss_min != PLAN_ONLY_EXISTING && plan_pack(&question, ret_packing);
}

bool plan_greedy_could_serve(const PlanProblem *problem, const PlanClass *class_, int host) {
  PlanPacking packing;
  return plan_recut(problem, class_, host, NULL, &packing);
}

static const Quote *ask_host(const PlanGreedy *greedy, PlanQuotes *quotes, const PlanClass *class_,
                             int host) {
  Quote *quote = &quotes->hosts[host];
  uint32_t version = greedy->draft->versions[host] + 1, openings = greedy->draft->openings[host];
  if (quote->version == version || (quote->impossible && quote->openings == openings))
    return quote;
  const PlanPacking *packing = quotes->packing;
  quote->version = version;
  quote->openings = openings;
  quote->impossible = !pack_in_draft(greedy->draft, class_, host, quotes->loss_min, quotes->packing);
  quote->creates = packing->count > 0;
  quote->is_touched = greedy->draft->touched_hosts[host];
  quote->withdrawn = packing->withdrawn;
  quote->loss = packing->loss;
  quote->new_gpus = packing->new_gpus;
  quotes->latest = host;
  return quote;
}

/* Hosts that fewer classes can use come first among equals: the others may be needed for those that cannot.
 */
static bool is_better(const PlanDraft *draft, const Quote *a, int host_a, const Quote *b, int host_b) {
  if (a->creates != b->creates)
    return !a->creates;
  if (a->withdrawn != b->withdrawn)
    return a->withdrawn < b->withdrawn;
  if (a->loss != b->loss)
    return a->loss < b->loss;
  if (a->new_gpus != b->new_gpus)
    return a->new_gpus < b->new_gpus;
  if (a->creates && a->is_touched != b->is_touched)
    return a->is_touched;
  return draft->problem->hosts.items[host_a].contention < draft->problem->hosts.items[host_b].contention;
}

/* Does the host run short of anything but slices for this class, as it is in the draft? Then it always will.
 */
static bool runs_short(PlanGreedy *greedy, int class_, int host) {
  const PlanProblem *problem = greedy->draft->problem;
  SchedVerdict verdict;
  if (sched_resources_fit(problem->classes.items[class_].example, plan_problem_node(problem, host), true,
                          verdict.reason, sizeof verdict.reason))
    return false;
  *refusals_of(greedy, class_, host) |= UINT64_C(1) << host % 64;
  return true;
}

/* Pods are only ever added, so who is not wanted beside another, or lacks a port, never will be; the others
 * may be once the next one is placed. */
static bool is_for_good(const PlanClass *asking, const SchedVerdict *verdict) {
  return !pod_common(asking->example->object)->affinity_terms.count &&
         (strcmp(verdict->plugin, "InterPodAffinity") == 0 || strcmp(verdict->plugin, "NodePorts") == 0);
}

/* Other pods keep this one away from the host. */
static bool is_kept_away(const PlanGreedy *greedy, int class_, int host) {
  const PlanProblem *problem = greedy->draft->problem;
  const PlanClass *asking = &problem->classes.items[class_];
  SchedVerdict verdict;
  if (!asking->is_coupled ||
      sched_agrees(problem->snapshot, asking->pod, problem->hosts.items[host].node, &verdict))
    return false;
  if (is_for_good(asking, &verdict))
    *refusals_of(greedy, class_, host) |= UINT64_C(1) << host % 64;
  return true;
}

/* A thousand classes that differ in their cpu meet a thousand full hosts, so those that run short are passed
 * over in the same walk. */
static int find_best(PlanGreedy *greedy, PlanQuotes *quotes, int class_) {
  const PlanDraft *draft = greedy->draft;
  const PlanProblem *problem = draft->problem;
  const PlanClass *asking = &problem->classes.items[class_];
  int best = -1, refused = -1; /* the best of those that run short */
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    if (!plan_class_admits(asking, host) || *refusals_of(greedy, class_, host) >> host % 64 & 1)
      continue;
    const Quote *quote = ask_host(greedy, quotes, asking, host);
    if (quote->impossible || (best >= 0 && !is_better(draft, quote, host, &quotes->hosts[best], best)) ||
        is_kept_away(greedy, class_, host))
      continue;
    if (!runs_short(greedy, class_, host))
      best = host;
    else if (refused < 0 || is_better(draft, quote, host, &quotes->hosts[refused], refused))
      refused = host;
  }
  if (refused >= 0 &&
      (best < 0 || !is_better(draft, &quotes->hosts[best], best, &quotes->hosts[refused], refused)))
    greedy->draft->scheduler_refused = true;
  return best;
}

/* As is_better(), equals by their order. The quotes are those that were true when the entries were made; a
 * host that was touched since is in again. */
static bool goes_first(const PlanDraft *draft, const Ranked *a, const Ranked *b) {
  if (is_better(draft, &a->quote, a->host, &b->quote, b->host))
    return true;
  return !is_better(draft, &b->quote, b->host, &a->quote, a->host) && a->host < b->host;
}

static void sink(const PlanDraft *draft, struct PlanRanking *ranking, size_t place) {
  Ranked *heap = ranking->heap.items, moved = heap[place];
  for (;;) {
    size_t child = 2 * place + 1;
    if (child + 1 < ranking->heap.count && goes_first(draft, &heap[child + 1], &heap[child]))
      child++;
    if (child >= ranking->heap.count || !goes_first(draft, &heap[child], &moved))
      break;
    heap[place] = heap[child];
    place = child;
  }
  heap[place] = moved;
}

static void rise(const PlanDraft *draft, struct PlanRanking *ranking) {
  size_t place = ranking->heap.count - 1;
  Ranked *heap = ranking->heap.items, moved = heap[place];
  for (; place && goes_first(draft, &moved, &heap[(place - 1) / 2]); place = (place - 1) / 2)
    heap[place] = heap[(place - 1) / 2];
  heap[place] = moved;
}

static void drop_first(const PlanDraft *draft, struct PlanRanking *ranking) {
  ranking->heap.items[0] = ranking->heap.items[--ranking->heap.count];
  if (ranking->heap.count)
    sink(draft, ranking, 0);
}

/* False where the host can do nothing for the class. */
static bool add_host(PlanGreedy *greedy, PlanQuotes *quotes, struct PlanRanking *ranking, int host) {
  const PlanClass *asking = &greedy->draft->problem->classes.items[ranking->class_];
  if (!plan_class_admits(asking, host) || *refusals_of(greedy, ranking->class_, host) >> host % 64 & 1)
    return false;
  const Quote *quote = ask_host(greedy, quotes, asking, host);
  if (!quote->impossible)
    *array_push(&ranking->heap) = (Ranked){.quote = *quote, .host = host};
  return !quote->impossible;
}

static void rank_all(PlanGreedy *greedy, PlanQuotes *quotes, struct PlanRanking *ranking) {
  array_clear(&ranking->heap);
  ranking->quotes_number = quotes->number;
  ranking->seen = greedy->draft->journal.count;
  for (int host = 0; host < (int)greedy->draft->problem->hosts.count; host++)
    (void)add_host(greedy, quotes, ranking, host);
  for (size_t place = ranking->heap.count / 2; place-- > 0;)
    sink(greedy->draft, ranking, place);
}

static struct PlanRanking *ranking_for(PlanGreedy *greedy, PlanQuotes *quotes, int class_) {
  struct PlanRanking *ranking = &greedy->rankings[class_];
  const PlanDraft *draft = greedy->draft;
  if (ranking->class_ != class_ || ranking->quotes_number != quotes->number) {
    ranking->class_ = class_;
    rank_all(greedy, quotes, ranking);
  }
  for (; ranking->seen < draft->journal.count; ranking->seen++)
    if (add_host(greedy, quotes, ranking, draft->journal.items[ranking->seen]))
      rise(draft, ranking);
  return ranking;
}

static bool is_ranked(const PlanGreedy *greedy) {
  const PlanProblem *problem = greedy->draft->problem;
  return problem->hosts.count >= greedy->ranked_hosts_min && problem->classes.count <= RANKINGS;
}

static bool is_outdated(const PlanGreedy *greedy, const PlanQuotes *quotes, int class_, const Ranked *entry) {
  return entry->quote.version != greedy->draft->versions[entry->host] + 1 ||
         quotes->hosts[entry->host].impossible ||
         *refusals_of(greedy, class_, entry->host) >> entry->host % 64 & 1;
}

/* As find_best(), where the class is ranked. */
static int find_ranked(PlanGreedy *greedy, PlanQuotes *quotes, int class_) {
  struct PlanRanking *ranking = ranking_for(greedy, quotes, class_);
  Ranked aside[ASIDE_MAX];
  int aside_count = 0, found = -1;
  for (; ranking->heap.count && aside_count < ASIDE_MAX; drop_first(greedy->draft, ranking)) {
    const Ranked *first = &ranking->heap.items[0];
    if (is_outdated(greedy, quotes, class_, first))
      continue;
    if (is_kept_away(greedy, class_, first->host)) {
      aside[aside_count++] = *first;
      continue;
    }
    found = first->host;
    if (!runs_short(greedy, class_, found))
      break;
    found = -1;
    greedy->draft->scheduler_refused = true;
  }
  for (int i = 0; i < aside_count; i++) {
    *array_push(&ranking->heap) = aside[i];
    rise(greedy->draft, ranking);
  }
  return found < 0 && aside_count == ASIDE_MAX ? find_best(greedy, quotes, class_) : found;
}

static uint8_t exhaustion_of(uint64_t loss_min) {
  if (loss_min == PLAN_ONLY_EXISTING)
    return EXHAUSTED_EXISTING;
  if (loss_min == PLAN_RECUT)
    return EXHAUSTED_RECUT;
  return loss_min == 0 ? EXHAUSTED_GROWTH : 0;
}

/* What no host could do for a coupled class, one may be able to do once another pod is placed. */
static void note_exhaustion(PlanGreedy *greedy, int class_, uint64_t loss_min) {
  if (greedy->exhausted_after[class_] != greedy->draft->services)
    greedy->exhausted[class_] &= greedy->draft->problem->classes.items[class_].is_coupled ? 0 : UINT8_MAX;
  greedy->exhausted[class_] |= exhaustion_of(loss_min);
  greedy->exhausted_after[class_] = greedy->draft->services;
}

static bool is_exhausted(const PlanGreedy *greedy, int class_, uint64_t loss_min) {
  if (greedy->draft->problem->classes.items[class_].is_coupled &&
      greedy->exhausted_after[class_] != greedy->draft->services)
    return false;
  uint8_t least = loss_min == PLAN_ONLY_EXISTING ? EXHAUSTED_EXISTING
                  : loss_min == PLAN_RECUT       ? EXHAUSTED_RECUT
                                                 : EXHAUSTED_GROWTH;
  return greedy->exhausted[class_] >= least;
}

static void note_opening(PlanGreedy *greedy) {
  for (size_t i = 0; i < greedy->draft->problem->classes.count; i++)
    greedy->exhausted[i] &= (uint8_t)~EXHAUSTED_GROWTH;
}

static PlanAnswer carry_out(PlanGreedy *greedy, int waiting, int host, const PlanPacking *packing) {
  if (!packing->withdrawn)
    return plan_draft_serve(greedy->draft, waiting, host, packing->slices, packing->count);
  PlanAnswer answer = plan_draft_recut(greedy->draft, waiting, host, packing);
  if (answer == PLAN_SERVED)
    note_opening(greedy);
  return answer;
}

/* Of a host that said what it costs. */
static const PlanPacking *packing_of(const PlanGreedy *greedy, PlanQuotes *quotes, const PlanClass *asking,
                                     int host) {
  if (quotes->latest == host && quotes->hosts[host].version == greedy->draft->versions[host] + 1)
    return quotes->packing;
  bool packed = pack_in_draft(greedy->draft, asking, host, quotes->loss_min, quotes->packing);
  assert(packed);
  quotes->latest = host;
  return quotes->packing;
}

bool plan_greedy_serve(PlanGreedy *greedy, int waiting, uint64_t loss_min) {
  PlanDraft *draft = greedy->draft;
  int class_ = draft->problem->waiting.items[waiting].class_;
  const PlanClass *asking = &draft->problem->classes.items[class_];
  while (!is_exhausted(greedy, class_, loss_min)) {
    PlanQuotes *quotes = quotes_for(greedy, asking->asks, loss_min);
    int host = is_ranked(greedy) ? find_ranked(greedy, quotes, class_) : find_best(greedy, quotes, class_);
    if (host < 0) {
      note_exhaustion(greedy, class_, loss_min);
      return false;
    }
    const PlanPacking *packing = packing_of(greedy, quotes, asking, host);
    PlanAnswer answer = carry_out(greedy, waiting, host, packing);
    if (answer == PLAN_SERVED)
      return true;
    if (answer == PLAN_SCHEDULER_REFUSED)
      *refusals_of(greedy, class_, host) |= UINT64_C(1) << host % 64;
    else if (plan_class_single_kind(asking) >= 0 && loss_min != PLAN_RECUT)
      loss_min = packing->loss + 1; /* no hole of this worth can be spared, on whatever host */
    else
      quotes->hosts[host].impossible = true;
  }
  return false;
}

/* A coupled pod may have waited for one behind it: the queue is gone through again while that helps. */
void plan_greedy_serve_range(PlanGreedy *greedy, size_t first, size_t end, uint64_t loss_min) {
  PlanDraft *draft = greedy->draft;
  int before, passes = 0;
  do {
    before = draft->services;
    for (size_t waiting = first; waiting < end; waiting++)
      if (draft->hosts[waiting] < 0)
        (void)plan_greedy_serve(greedy, (int)waiting, loss_min);
  } while (draft->problem->is_coupled && draft->services > before && ++passes < PASSES_MAX);
}

void plan_greedy_serve_rest(PlanGreedy *greedy) {
  plan_greedy_serve_range(greedy, 0, greedy->draft->problem->waiting.count, 0);
}
