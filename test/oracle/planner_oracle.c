/* SPDX-License-Identifier: Apache-2.0 */
/* How many pods plans serve where everything is coupled, beside what an integer program says is the most.
 *
 *     planner-oracle [INSTANCES_PER_FAMILY [SEED [MILLISECONDS]]]
 *
 * The search counts its steps, so that every machine gives the same plans. With milliseconds it also has a
 * clock, as the programs do, one of processor time: other work on the machine does not shorten it.
 *
 * Each family has to reach 99 % of it in the mean and 95 % in every instance; every plan has to hold when it
 * is carried out, and no bound may be below what is possible. */
#include "ilp.h"

#include <time.h>
#include <unistd.h>

enum {
  SECONDS_MAX = 4 /* of cbc, for one instance; what it did not prove by then is compared with its bound */
};

static uint64_t seed = 20261128;
static int instances = 12;
static double milliseconds; /* 0: no clock */
static char folder[] = "/tmp/facet-oracle-XXXXXX";

typedef struct Tally {
  double sum, least;
  uint64_t least_state;
  int count, unproven, nothing, optimal;
  int admitted_sum, bound_sum; /* of the plans: for the mean gap */
  double ms_sum, ms_most;      /* of processor time: told, not judged */
} Tally;

/* What the plan claims, recounted from the nodes' status after the agents did their part. */
static void assert_holds(Family *family, uint64_t state) {
  Fixture *f = &family->fixture;
  fixture_carry_out(f);
  CLEANUP(snapshot_deinit) Snapshot after;
  snapshot_init(&after);
  for (size_t i = 0; i < f->nodes.count; i++)
    snapshot_add_node(&after, f->nodes.items[i], NULL, NULL);
  for (size_t i = 0; i < f->pods.count; i++)
    snapshot_add_pod(&after, f->pods.items[i], NULL);
  for (size_t i = 0; i < f->plan.pods.count; i++) {
    const PlanPod *pod = &f->plan.pods.items[i];
    SchedVerdict verdict;
    if (pod->node < 0)
      continue;
    if (!sched_fits(&after, (int)i, pod->node, &verdict))
      fail_msg("state %llu: %s: %s", (unsigned long long)state, verdict.plugin, verdict.reason);
    snapshot_bind(&after, (int)i, pod->node);
  }
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void begin_clock(void *userdata) {
  *(double *)userdata = now_ms();
}

static bool is_late(void *userdata) {
  return now_ms() - *(double *)userdata >= milliseconds;
}

static void compare(const FamilyMix *mix, Random *random, Tally *tally) {
  uint64_t state = random->state;
  IlpAnswer answer;
  Family family;
  family_generate(&family, mix, random);
  double began = now_ms(), clock_began;
  const PlanClock clock = {.begin = begin_clock, .is_late = is_late, .userdata = &clock_began};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE, .clock = milliseconds > 0 ? &clock : NULL};
  const Plan *plan = fixture_plan(&family.fixture, &options);
  double took = now_ms() - began;
  ilp_solve(&family, folder, SECONDS_MAX, &answer);
  int served = plan->admitted + plan->already_fit, bound = plan->bound + plan->already_fit;
  if (served > answer.bound || bound < answer.served)
    fail_msg("state %llu: served %d, bound %d, possible %d to %d", (unsigned long long)state, served, bound,
             answer.served, answer.bound);
  double ratio = answer.bound ? (double)served / answer.bound : 1;
  if (ratio < tally->least) {
    tally->least = ratio;
    tally->least_state = state;
  }
  if (ratio < 0.99)
    print_message("#   state %llu: %d nodes, %zu pods: served %d of %d%s, bound %d\n",
                  (unsigned long long)state, family.node_count, family.fixture.pods.count, served,
                  answer.bound, answer.proven ? "" : " at most", bound);
  tally->sum += ratio;
  tally->count++;
  tally->ms_sum += took;
  tally->ms_most = took > tally->ms_most ? took : tally->ms_most;
  tally->unproven += !answer.proven;
  tally->optimal += served == answer.bound;
  tally->admitted_sum += served;
  tally->bound_sum += bound;
  assert_holds(&family, state);
  family_deinit(&family);
}

static void run_family(const FamilyMix *mix) {
  if (!ilp_is_available())
    skip();
  Random random = {.state = seed};
  Tally tally = {.least = 2};
  for (int i = 0; i < instances; i++)
    compare(mix, &random, &tally);
  print_message(
      "# %s: %d instances, mean %.2f %%, least %.2f %% (state %llu), %d optimal, %d not solved in %d s; "
      "gap %.2f %%; planned in %.0f ms, at most %.0f\n",
      mix->name, tally.count, 100 * tally.sum / tally.count, 100 * tally.least,
      (unsigned long long)tally.least_state, tally.optimal, tally.unproven, SECONDS_MAX,
      tally.bound_sum ? 100.0 * (tally.bound_sum - tally.admitted_sum) / tally.bound_sum : 0,
      tally.ms_sum / tally.count, tally.ms_most);
  assert_true(tally.sum / tally.count >= 0.99);
  assert_true(tally.least >= 0.95);
}

static void pods_with_several_slices(void **state) {
  run_family(&(FamilyMix){.name = "several slices", .several_slices = true, .nodes_max = 50});
}

static void short_cpu_memory_cards_and_places(void **state) {
  run_family(&(FamilyMix){.name = "short of cpu, memory, cards", .short_cpu = true, .nodes_max = 50});
}

static void zones_and_taints(void **state) {
  run_family(&(FamilyMix){.name = "zones and taints", .constraints = true, .nodes_max = 50});
}

static void mixed_models(void **state) {
  run_family(
      &(FamilyMix){.name = "mixed models", .many_models = true, .other_profiles = true, .nodes_max = 50});
}

static void free_slices_that_may_go(void **state) {
  run_family(&(FamilyMix){.name = "free slices",
                          .free_slices = true,
                          .short_cpu = true,
                          .several_slices = true,
                          .nodes_max = 20});
}

static void everything_on_few_nodes(void **state) {
  run_family(&(FamilyMix){.name = "everything, few nodes",
                          .several_slices = true,
                          .short_cpu = true,
                          .constraints = true,
                          .many_models = true,
                          .other_profiles = true,
                          .nodes_max = 8});
}

static void everything_on_many_nodes(void **state) {
  run_family(&(FamilyMix){.name = "everything, many nodes",
                          .several_slices = true,
                          .short_cpu = true,
                          .constraints = true,
                          .many_models = true,
                          .other_profiles = true,
                          .nodes_max = 50});
}

/* They stay where something failed. */
static void remove_files(void) {
  static const char *const names[] = {"family.lp", "cbc.log"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    CLEANUP(text_deinit) Text path = {0};
    text_format(&path, "%s/%s", folder, names[i]);
    unlink(text_string(&path));
  }
  rmdir(folder);
}

int main(int argc, char **argv) {
  if (argc > 1)
    instances = (int)strtol(argv[1], NULL, 10);
  if (argc > 2)
    seed = strtoull(argv[2], NULL, 10);
  if (argc > 3)
    milliseconds = strtod(argv[3], NULL);
  if (!mkdtemp(folder))
    return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pods_with_several_slices), cmocka_unit_test(short_cpu_memory_cards_and_places),
      cmocka_unit_test(zones_and_taints),         cmocka_unit_test(mixed_models),
      cmocka_unit_test(free_slices_that_may_go),  cmocka_unit_test(everything_on_few_nodes),
      cmocka_unit_test(everything_on_many_nodes),
  };
  print_message("# seed %llu, files in %s\n", (unsigned long long)seed, folder);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  if (!failed)
    remove_files();
  return failed;
}
