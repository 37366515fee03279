/* SPDX-License-Identifier: Apache-2.0 */
/* Half of the steps are left out, then quarters, and so on down to single ones; what is not needed for the
 * failure stays out. When a round over single steps left out nothing, none can be spared. (Delta debugging,
 * without its rounds over complements' complements: Zeller 1999.) */
#include "sim/chaos/shrink.h"

typedef struct Search {
  ChaosHistory best;
  ChaosFails *fails;
  void *userdata;
  int tries;
} Search;

/* Positive where it still fails without these steps; then that is the best. */
static int try_without(Search *search, size_t first, size_t count, Error *err) {
  size_t all = search->best.steps.count;
  CLEANUP(cleanup_free) bool *keep = mem_alloc(all * sizeof *keep);
  for (size_t i = 0; i < all; i++)
    keep[i] = i < first || i >= first + count;
  ChaosHistory shorter;
  chaos_history_select(&search->best, keep, &shorter);
  search->tries--;
  int result = search->fails(search->userdata, &shorter, err);
  if (result > 0) {
    chaos_history_deinit(&search->best);
    search->best = shorter;
    return result;
  }
  chaos_history_deinit(&shorter);
  return result;
}

/* One round; *ret_shorter where something was left out. */
static int leave_out(Search *search, size_t size, bool *ret_shorter, Error *err) {
  *ret_shorter = false;
  for (size_t end = search->best.steps.count; end > 0 && search->tries > 0;) {
    size_t count = end < size ? end : size;
    int result = try_without(search, end - count, count, err);
    if (result < 0)
      return result;
    *ret_shorter = *ret_shorter || result > 0;
    end -= count;
  }
  return 0;
}

int chaos_shrink(const ChaosHistory *history, ChaosFails *fails, void *userdata, int tries_max,
                 ChaosHistory *ret_history, Error *err) {
  size_t count = history->steps.count;
  CLEANUP(cleanup_free) bool *keep = mem_alloc(count * sizeof *keep + 1);
  memset(keep, true, count);
  Search search = {.fails = fails, .userdata = userdata, .tries = tries_max};
  chaos_history_select(history, keep, &search.best);
  bool goes_on = count > 0, is_shorter;
  for (size_t size = (count + 1) / 2; search.tries > 0 && goes_on; size = (size + 1) / 2) {
    int result = leave_out(&search, size, &is_shorter, err);
    goes_on = size > 1 || is_shorter;
    if (result < 0) {
      chaos_history_deinit(&search.best);
      return result;
    }
  }
  *ret_history = search.best;
  return 0;
}

static int fails_by(void *userdata, const ChaosHistory *history, Error *err) {
  ChaosOutcome outcome;
  int result = chaos_trial_run(history, CHAOS_TELL_NOTHING, &outcome, err);
  return result < 0 ? result : outcome.failed && strcmp(outcome.checker, userdata) == 0;
}

int chaos_shrink_by_trials(const ChaosHistory *history, const char *checker, int tries_max,
                           ChaosHistory *ret_history, Error *err) {
  return chaos_shrink(history, fails_by, (void *)checker, tries_max, ret_history, err);
}
