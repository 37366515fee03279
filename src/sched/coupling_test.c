/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and spreading, and that a fork counts them. The recorded verdicts (test/verdicts) go through the
 * combinations; here stands each rule with its words. */
#include "sched/sched_fixture.h"

#define PORTS    "NodePorts: node(s) didn't have free ports for the requested pod ports"
#define SPREAD   "PodTopologySpread: node(s) didn't match pod topology spread constraints"
#define NO_LABEL SPREAD " (missing required label)"

/* ---- ports ---- */

static Pod with_port(ContainerPort *port) {
  static Container containers[8];
  static int next;
  Container *container = &containers[next++ % 8];
  *container = (Container){.ports = {port, 1}};
  Pod pod = {.meta = {.name = "p"}, .common = fixture_common()};
  pod.common->containers = (__typeof__(pod.common->containers)){container, 1};
  return pod;
}

static void host_ports_collide_by_protocol_number_and_address(void **state) {
  static const struct {
    ContainerPort taken, asked;
    bool collide;
  } cases[] = {
      {{"TCP", NULL, 80}, {"TCP", NULL, 80}, true},
      {{"TCP", NULL, 80}, {NULL, "", 80}, true}, /* TCP and all addresses are what is meant by nothing */
      {{"TCP", NULL, 80}, {"UDP", NULL, 80}, false},
      {{"TCP", NULL, 80}, {"TCP", NULL, 81}, false},
      {{"TCP", "10.0.0.1", 80}, {"TCP", "10.0.0.2", 80}, false},
      {{"TCP", "10.0.0.1", 80}, {"TCP", "10.0.0.1", 80}, true},
      {{"TCP", "10.0.0.1", 80}, {"TCP", "0.0.0.0", 80}, true},
      {{"TCP", "0.0.0.0", 80}, {"TCP", "10.0.0.1", 80}, true},
      {{"TCP", NULL, 0}, {"TCP", NULL, 0}, false}, /* no host port at all */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    ContainerPort taken = cases[i].taken, asked = cases[i].asked;
    Pod holder = with_port(&taken), pod = with_port(&asked);
    fixture_node(&f, "n1", NULL);
    fixture_node(&f, "n2", NULL);
    fixture_place(&f, "n1", &holder);
    int waiting = fixture_wait(&f, &pod);
    assert_says(&f, waiting, "n1", cases[i].collide ? PORTS : "");
    assert_says(&f, waiting, "n2", "");
  }
}

static void an_init_container_holds_no_port_and_a_sidecar_does(void **state) {
  for (int sidecar = 0; sidecar < 2; sidecar++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    ContainerPort port = {NULL, NULL, 80};
    Container init = {.restart_policy = sidecar ? "Always" : NULL, .ports = {&port, 1}};
    Pod holder = {.meta = {.name = "h"}, .common = &(PodCommon){.init_containers = {&init, 1}}},
        pod = with_port(&port);
    fixture_node(&f, "n1", NULL);
    fixture_place(&f, "n1", &holder);
    int waiting = fixture_wait(&f, &pod);
    assert_says(&f, waiting, "n1", sidecar ? PORTS : "");
  }
}

static void a_port_of_a_pod_bound_in_a_fork_is_taken_until_it_is_undone(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  ContainerPort port = {NULL, NULL, 80};
  Pod pod = with_port(&port);
  fixture_node(&f, "n1", NULL);
  int first = fixture_wait(&f, &pod), second = fixture_wait(&f, &pod);
  assert_says(&f, second, "n1", "");
  size_t mark = snapshot_fork(&f.snapshot);
  fixture_bind(&f, first, "n1");
  assert_says(&f, second, "n1", PORTS);
  snapshot_rollback(&f.snapshot, mark);
  assert_says(&f, second, "n1", "");
}

/* ---- spreading ---- */

static KeyValue app_x = {"app", "x"}, app_y = {"app", "y"};

static TopologySpreadConstraint spread_by(const char *topology, int max_skew) {
  return (TopologySpreadConstraint){.topology_key = topology,
                                    .when_unsatisfiable = "DoNotSchedule",
                                    .max_skew = max_skew,
                                    .has_selector = true,
                                    .selector = {.match_labels = {&app_x, 1}}};
}

static Pod pod_x(TopologySpreadConstraint *constraint) {
  Pod pod = {.meta = {.name = "p", .namespace_ = "a", .labels = {&app_x, 1}}, .common = fixture_common()};
  if (constraint)
    pod.common->spread_constraints = (__typeof__(pod.common->spread_constraints)){constraint, 1};
  return pod;
}

/* n1, n2 in z1, n3 in z2, n4 in no zone; of x there are two pods in z1. */
static void make_zones(Fixture *f) {
  Pod x = pod_x(NULL);
  fixture_node(f, "n1", "z1");
  fixture_node(f, "n2", "z1");
  fixture_node(f, "n3", "z2");
  fixture_node(f, "n4", NULL);
  fixture_place(f, "n1", &x);
  fixture_place(f, "n2", &x);
}

static void a_domain_may_have_max_skew_more_than_the_emptiest(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint two = spread_by("zone", 2), three = spread_by("zone", 3);
  Pod narrow = pod_x(&two), wide = pod_x(&three);
  make_zones(&f);
  int pod = fixture_wait(&f, &narrow), patient = fixture_wait(&f, &wide);
  assert_says(&f, pod, "n1", SPREAD);
  assert_says(&f, pod, "n2", SPREAD);
  assert_says(&f, pod, "n3", "");
  assert_says(&f, pod, "n4", NO_LABEL);
  assert_says(&f, patient, "n1", "");
}

static void spreading_follows_what_is_bound_and_undone_in_a_fork(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint one = spread_by("zone", 2);
  Pod x = pod_x(&one);
  make_zones(&f);
  int first = fixture_wait(&f, &x), second = fixture_wait(&f, &x);
  size_t mark = snapshot_fork(&f.snapshot);
  fixture_bind(&f, first, "n3");
  assert_says(&f, second, "n1", "");
  assert_says(&f, second, "n3", "");
  snapshot_rollback(&f.snapshot, mark);
  assert_says(&f, second, "n1", SPREAD);
}

static void fewer_domains_than_min_domains_count_as_if_one_were_empty(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint one = spread_by("zone", 1), many = one;
  many.min_domains = 3;
  Pod x = pod_x(&one), picky = pod_x(&many), there = pod_x(NULL);
  make_zones(&f);
  fixture_place(&f, "n3", &there);
  fixture_place(&f, "n3", &there);
  int pod = fixture_wait(&f, &x), other = fixture_wait(&f, &picky);
  assert_says(&f, pod, "n1", "");
  assert_says(&f, other, "n1", SPREAD);
  assert_says(&f, other, "n3", SPREAD);
}

static void leaving_pods_other_namespaces_and_other_labels_are_not_counted(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint one = spread_by("zone", 1);
  Pod x = pod_x(&one), leaving = pod_x(NULL), elsewhere = pod_x(NULL), other = pod_x(NULL);
  leaving.meta.deletion_time = 1;
  elsewhere.meta.namespace_ = "b";
  other.meta.labels = (KeyValues){&app_y, 1};
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z2");
  fixture_place(&f, "n1", &leaving);
  fixture_place(&f, "n1", &elsewhere);
  fixture_place(&f, "n1", &other);
  assert_says(&f, fixture_wait(&f, &x), "n1", "");
}

static void a_soft_constraint_refuses_nothing_and_one_without_selector_counts_nobody(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologySpreadConstraint soft = spread_by("zone", 1), nobody = soft, everybody = spread_by("zone", 1);
  soft.when_unsatisfiable = "ScheduleAnyway";
  nobody.has_selector = false;
  everybody.selector.match_labels.count = 0;
  Pod a = pod_x(&soft), b = pod_x(&nobody), c = pod_x(&everybody);
  make_zones(&f);
  int one = fixture_wait(&f, &a), two = fixture_wait(&f, &b), three = fixture_wait(&f, &c);
  assert_says(&f, one, "n1", "");
  assert_says(&f, two, "n1", "");
  assert_says(&f, three, "n1", ""); /* the scheduler counts nobody for an empty selector */
}

static void match_label_keys_narrow_the_selector_to_the_pods_own_value(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  const char *keys[] = {"hash", "absent"};
  KeyValue labels_old[] = {{"app", "x"}, {"hash", "1"}}, labels_new[] = {{"app", "x"}, {"hash", "2"}};
  TopologySpreadConstraint one = spread_by("zone", 1);
  one.match_label_keys = (Strings){keys, 2};
  Pod old = pod_x(NULL), new_ = pod_x(&one), same = pod_x(&one);
  old.meta.labels = same.meta.labels = (KeyValues){labels_old, 2};
  new_.meta.labels = (KeyValues){labels_new, 2};
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z2");
  fixture_place(&f, "n1", &old);
  int fresh = fixture_wait(&f, &new_), stale = fixture_wait(&f, &same);
  assert_says(&f, fresh, "n1", "");
  assert_says(&f, stale, "n1", SPREAD);
}

/* A node that the pod cannot use has no pods in its zone, so it would hold all others back. */
static void node_inclusion_policies_say_which_nodes_count(void **state) {
  static const struct {
    const char *affinity, *taints;
    bool fits;
  } cases[] = {{NULL, NULL, false},     {NULL, "Honor", true},      {"Honor", "Ignore", false},
               {"Ignore", NULL, false}, {"Ignore", "Honor", false}, {"Honor", "Honor", true}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    TopologySpreadConstraint one = spread_by("zone", 1);
    KeyValue kind = {"kind", "gpu"};
    Taint taint = {"gpu", NULL, "NoSchedule"};
    one.node_affinity_policy = cases[i].affinity;
    one.node_taints_policy = cases[i].taints;
    Pod x = pod_x(&one), there = pod_x(NULL);
    x.common->node_selector = (KeyValues){&kind, 1};
    fixture_label(&f, fixture_node(&f, "n1", "z1"), "kind", "gpu");
    Node *tainted = fixture_node(&f, "n2", "z2");
    fixture_label(&f, tainted, "kind", "gpu");
    tainted->taints = (__typeof__(tainted->taints)){&taint, 1};
    fixture_node(&f, "n3", "z3"); /* of another kind */
    fixture_place(&f, "n1", &there);
    assert_says(&f, fixture_wait(&f, &x), "n1", cases[i].fits ? "" : SPREAD);
  }
}

static void an_invalid_selector_refuses_the_pod_with_words(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Requirement bad = {.key = "app", .operator_ = "Gt", .values = LIST_OF(const char *, "1")};
  TopologySpreadConstraint one = spread_by("zone", 1);
  one.selector.match_expressions = (__typeof__(one.selector.match_expressions)){&bad, 1};
  Pod x = pod_x(&one);
  make_zones(&f);
  assert_says(&f, fixture_wait(&f, &x), "n3",
              "PodTopologySpread: a topologySpreadConstraint of the pod has an invalid labelSelector");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(host_ports_collide_by_protocol_number_and_address),
      cmocka_unit_test(an_init_container_holds_no_port_and_a_sidecar_does),
      cmocka_unit_test(a_port_of_a_pod_bound_in_a_fork_is_taken_until_it_is_undone),
      cmocka_unit_test(a_domain_may_have_max_skew_more_than_the_emptiest),
      cmocka_unit_test(spreading_follows_what_is_bound_and_undone_in_a_fork),
      cmocka_unit_test(fewer_domains_than_min_domains_count_as_if_one_were_empty),
      cmocka_unit_test(leaving_pods_other_namespaces_and_other_labels_are_not_counted),
      cmocka_unit_test(a_soft_constraint_refuses_nothing_and_one_without_selector_counts_nobody),
      cmocka_unit_test(match_label_keys_narrow_the_selector_to_the_pods_own_value),
      cmocka_unit_test(node_inclusion_policies_say_which_nodes_count),
      cmocka_unit_test(an_invalid_selector_refuses_the_pod_with_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
