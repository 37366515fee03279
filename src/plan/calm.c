/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/calm.h"

#include "plan/rehearse.h"
#include "plan/search.h"

/* Nothing goes, and no pod that is served gets a new slice while a free one of the kind is somewhere. */
static bool is_calm(const PlanProblem *problem, const PlanOffer *outcome, const PlanDisturbance *cost) {
  int created = 0;
  for (size_t kind = 0; kind < problem->kinds.count; kind++) {
    int lacking = 0;
    for (size_t i = 0; i < problem->waiting.count; i++) {
      const PlanClass *class_ = plan_problem_class(problem, (int)i);
      for (int n = 0; outcome->hosts[i] >= 0 && n < class_->need_count; n++)
        lacking += class_->needs[n].kind == (int)kind ? class_->needs[n].count : 0;
    }
    for (size_t host = 0; host < problem->hosts.count; host++)
      lacking -= problem->free[host * problem->kinds.count + kind];
    created += lacking > 0 ? lacking : 0;
  }
  return !cost->withdrawn && cost->created <= created && plan_offer_serves_all(problem, outcome);
}

/* The same pods on the same hosts; its slices are made afresh where the search finds something better. */
static void copy_services(const PlanProblem *problem, const PlanOffer *offer, PlanOffer *ret_copy) {
  plan_offer_init(ret_copy, problem);
  for (size_t i = 0; i < problem->waiting.count; i++)
    ret_copy->hosts[i] = offer->hosts[i];
  for (int tier = 0; tier < offer->tier_count; tier++)
    ret_copy->served[tier] = offer->served[tier];
}

bool plan_calm_down(const PlanProblem *problem, PlanOffer *offer) {
  CLEANUP(plan_offer_deinit) PlanOffer outcome = {0}, calmer = {0}, proof = {0};
  PlanDisturbance cost, cost_of_proof;
  if (!plan_search_is_possible(problem))
    return false;
  plan_rehearse(problem, offer, &outcome, &cost);
  if (is_calm(problem, &outcome, &cost))
    return false;
  copy_services(problem, &outcome, &calmer);
  if (!plan_search_calm(problem, &cost, &calmer))
    return false;
  plan_offer_prefer_oldest(&calmer, problem);
  plan_rehearse(problem, &calmer, &proof, &cost_of_proof);
  if (plan_offer_is_better(&outcome, &proof) ||
      (!plan_offer_is_better(&proof, &outcome) && !plan_disturbs_less(&cost_of_proof, &cost)))
    return false;
  plan_offer_swap(offer, &calmer);
  return true;
}
