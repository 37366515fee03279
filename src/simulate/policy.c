/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/policy.h"

#include "base/text.h"
#include "mig/scan.h"

static const SimulatePolicy *const policies[] = {&simulate_policy_facet,     &simulate_policy_facet_fifo,
                                                 &simulate_policy_first_fit, &simulate_policy_best_fit,
                                                 &simulate_policy_spread,    &simulate_policy_min_frag,
                                                 &simulate_policy_nos};

_Static_assert(COUNT_OF(policies) <= SIMULATE_POLICIES_MAX, "all of them fit into a list");

const SimulatePolicy *const *simulate_policies(int *ret_count) {
  *ret_count = (int)COUNT_OF(policies);
  return policies;
}

static const SimulatePolicy *find_policy(MigPiece piece) {
  for (size_t i = 0; i < COUNT_OF(policies); i++)
    if (strlen(policies[i]->name) == piece.size && memcmp(policies[i]->name, piece.text, piece.size) == 0)
      return policies[i];
  return NULL;
}

static int refuse(MigPiece piece, Error *err) {
  CLEANUP(text_deinit) Text known = {0};
  char excerpt[MIG_EXCERPT_SIZE];
  for (size_t i = 0; i < COUNT_OF(policies); i++)
    text_format(&known, "%s%s", i ? ", " : "", policies[i]->name);
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID, "--policy: there is no policy \"%s\"; there are %s", excerpt,
                   text_string(&known));
}

int simulate_policies_parse(const char *text, const SimulatePolicy *ret_policies[SIMULATE_POLICIES_MAX],
                            int *ret_count, Error *err) {
  int count = 0;
  if (strcmp(text, "all") == 0) {
    memcpy(ret_policies, policies, sizeof policies);
    *ret_count = (int)COUNT_OF(policies);
    return 0;
  }
  MigPiece piece;
  for (const char *rest = text; mig_scan_piece(&rest, ',', &piece);) {
    const SimulatePolicy *policy = find_policy(piece);
    if (!policy)
      return refuse(piece, err);
    for (int i = 0; i < count; i++)
      if (ret_policies[i] == policy)
        return error_set(err, ERROR_INVALID, "--policy names %s twice", policy->name);
    ret_policies[count++] = policy;
  }
  *ret_count = count;
  return 0;
}
