/* SPDX-License-Identifier: Apache-2.0 */
/* All rules together. */
#include "check/check_fixture.h"

static void a_cluster_that_is_in_order_has_no_findings(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, PRESENT, A100, EMPTY, {"nvidia.com/mig.strategy", "mixed"},
       {"nvidia.com/gpu.deploy.device-plugin", "false"}, {"nvidia.com/gpu.deploy.mig-manager", "false"});
  NODE(&bench, "cpu", {"capacity cpu", "8"});
  POD(&bench, "controller", "cpu", FACET("controller"));
  POD(&bench, "agent", "n1", FACET("agent"));
  bench_waiting(&bench, "p", "nvidia.com/mig-1g.10gb");
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  bench_run(&bench, &findings);
  assert_int_equal(findings.items.count, 0);
}

static void an_empty_cluster_is_no_trouble_for_any_rule(void **state) {
  Bench bench;
  bench_init(&bench);
  bench.cluster = (CheckCluster){.namespace_ = "f", .controller_account = "c", .agent_account = "a"};
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  bench_run(&bench, &findings);
  assert_int_equal(findings.items.count, 0);
}

static void objects_without_names_are_no_trouble_for_any_rule(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, NULL, MIG, PRESENT, {"facet.gpu/error", ""}, {"nvidia.com/gpu.replicas", ""});
  POD(&bench, NULL, "", {"app", "nvidia-mig-manager"})->meta.namespace_ = NULL;
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  bench_run(&bench, &findings);
  assert_true(findings.items.count > 0);
}

static void errors_come_first_and_the_rest_stays_in_order(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1", MIG, A100, EMPTY, {"facet.gpu/paused", "true"}, {"nvidia.com/gpu.replicas", "2"});
  NODE(&bench, "n2", {"nos.nebuly.com/gpu-partitioning", "x"}, PRESENT);
  NODE(&bench, "n3", {"nos.nebuly.com/gpu-partitioning", "y"}, PRESENT);
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  CLEANUP(text_deinit) Text order = {0};
  bench_run(&bench, &findings);
  for (size_t i = 0; i < findings.items.count; i++)
    text_format(&order, "%s %s;", findings.items.items[i].rule, findings.items.items[i].object);
  assert_string_equal(text_string(&order), "label node n2;label node n3;sharing node n1;paused node n1;");
  assert_int_equal(check_count(&findings, CHECK_ERROR), 2);
  assert_int_equal(check_count(&findings, CHECK_WARNING), 1);
  assert_int_equal(check_count(&findings, CHECK_NOTE), 1);
}

/* A dump may hold any name; what people paste into a shell must not run it. */
static void names_are_quoted_in_commands(void **state) {
  Bench bench;
  bench_init(&bench);
  NODE(&bench, "n1; rm -rf '$HOME'", {"nos.nebuly.com/gpu-partitioning", "x"}, PRESENT);
  bench_expect(&bench, "label",
               "error node n1; rm -rf '$HOME': the label nos.nebuly.com/gpu-partitioning says \"x\", which "
               "is neither mig nor mps: nothing happens on this node until it says mig\n"
               "  $ kubectl label node 'n1; rm -rf '\\''$HOME'\\''' nos.nebuly.com/gpu-partitioning=mig "
               "--overwrite\n");
}

static void long_commands_are_whole(void **state) {
  Bench bench;
  bench_init(&bench);
  static char name[4000];
  memset(name, 'n', sizeof name - 1);
  NODE(&bench, name, {"nos.nebuly.com/gpu-partitioning", "x"}, PRESENT);
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  bench_run(&bench, &findings);
  assert_true(string_has_suffix(findings.items.items[0].command, " --overwrite"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cluster_that_is_in_order_has_no_findings),
      cmocka_unit_test(an_empty_cluster_is_no_trouble_for_any_rule),
      cmocka_unit_test(objects_without_names_are_no_trouble_for_any_rule),
      cmocka_unit_test(errors_come_first_and_the_rest_stays_in_order),
      cmocka_unit_test(names_are_quoted_in_commands),
      cmocka_unit_test(long_commands_are_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
