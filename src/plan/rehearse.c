/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/rehearse.h"

bool plan_disturbs_less(const PlanDisturbance *cost, const PlanDisturbance *than) {
  return cost->withdrawn != than->withdrawn ? cost->withdrawn < than->withdrawn
                                            : cost->created < than->created;
}

void plan_serve_tiers(PlanGreedy *greedy, const PlanOffer *offer) {
  const PlanProblem *problem = greedy->draft->problem;
  size_t end;
  for (size_t first = 0; first < problem->waiting.count; first = end) {
    end = plan_problem_tier_end(problem, first);
    plan_draft_apply(greedy->draft, offer, first, end);
    if (offer->withdrawals.count)
      plan_greedy_forget(greedy); /* there is more room than before */
    plan_greedy_serve_range(greedy, first, end, 0);
    plan_greedy_serve_range(greedy, first, end, PLAN_RECUT);
  }
}

void plan_rehearse(const PlanProblem *problem, const PlanOffer *offer, PlanOffer *ret_outcome,
                   PlanDisturbance *ret_cost) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  plan_serve_tiers(&greedy, offer);
  plan_draft_reprieve(&draft);
  plan_draft_get_offer(&draft, ret_outcome);
  *ret_cost = (PlanDisturbance){.withdrawn = (int)draft.withdrawn.count, .created = (int)draft.slices.count};
}
