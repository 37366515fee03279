/* SPDX-License-Identifier: Apache-2.0 */
/* Ports, spreading, affinity between pods, nominated pods, and that a fork counts them. The recorded verdicts
 * (test/verdicts) go through the combinations; here stands each rule with its words. */
#include "sched/sched_fixture.h"

#define PORTS    "NodePorts: node(s) didn't have free ports for the requested pod ports"
#define SPREAD   "PodTopologySpread: node(s) didn't match pod topology spread constraints"
#define NO_LABEL SPREAD " (missing required label)"
#define AFFINITY "InterPodAffinity: node(s) didn't match pod affinity rules"
#define ANTI     "InterPodAffinity: node(s) didn't match pod anti-affinity rules"
#define EXISTING "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules"

/* ---- ports ---- */

static Pod with_port(ContainerPort *port) {
  static Container containers[8];
  static int next;
  Container *container = &containers[next++ % 8];
  *container = (Container){.ports = {port, 1}};
  return (Pod){.meta = {.name = "p"}, .containers = {container, 1}};
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
    Pod holder = {.meta = {.name = "h"}, .init_containers = {&init, 1}}, pod = with_port(&port);
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
  Pod pod = {.meta = {.name = "p", .namespace_ = "a", .labels = {&app_x, 1}}};
  if (constraint)
    pod.spread_constraints = (__typeof__(pod.spread_constraints)){constraint, 1};
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
    x.node_selector = (KeyValues){&kind, 1};
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

/* ---- affinity ---- */

static PodAffinityTerm near_by(const char *topology, KeyValue *label) {
  return (PodAffinityTerm){
      .topology_key = topology, .has_selector = true, .selector = {.match_labels = {label, 1}}};
}

static Pod pod_y(PodAffinityTerm *affinity, PodAffinityTerm *anti) {
  Pod pod = {.meta = {.name = "y", .namespace_ = "a", .labels = {&app_y, 1}}};
  if (affinity)
    pod.affinity_terms = (__typeof__(pod.affinity_terms)){affinity, 1};
  if (anti)
    pod.anti_affinity_terms = (__typeof__(pod.anti_affinity_terms)){anti, 1};
  return pod;
}

static void affinity_wants_a_matching_pod_in_the_same_domain(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm zone = near_by("zone", &app_x), host = near_by("host", &app_x);
  Pod by_zone = pod_y(&zone, NULL), by_host = pod_y(&host, NULL), x = pod_x(NULL);
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z1");
  fixture_node(&f, "n3", "z2");
  fixture_node(&f, "n4", NULL);
  fixture_place(&f, "n1", &x);
  int loose = fixture_wait(&f, &by_zone), close = fixture_wait(&f, &by_host);
  assert_says(&f, loose, "n1", "");
  assert_says(&f, loose, "n2", "");
  assert_says(&f, loose, "n3", AFFINITY);
  assert_says(&f, loose, "n4", AFFINITY);
  assert_says(&f, close, "n1", "");
  assert_says(&f, close, "n2", AFFINITY);
}

static void the_first_of_a_series_that_wants_its_own_kind_may_go_anywhere(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm own = near_by("zone", &app_y), other = near_by("zone", &app_x);
  Pod series = pod_y(&own, NULL), lonely = pod_y(&other, NULL);
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z2");
  fixture_node(&f, "n3", NULL);
  int first = fixture_wait(&f, &series), second = fixture_wait(&f, &series),
      never = fixture_wait(&f, &lonely);
  assert_says(&f, first, "n1", "");
  assert_says(&f, first, "n3", AFFINITY); /* the topology has to be there all the same */
  assert_says(&f, never, "n1", AFFINITY);
  fixture_bind(&f, first, "n1");
  assert_says(&f, second, "n1", "");
  assert_says(&f, second, "n2", AFFINITY);
}

static void all_affinity_terms_must_mean_the_same_pod(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  KeyValue tier = {"tier", "1"}, both[] = {{"app", "x"}, {"tier", "1"}};
  PodAffinityTerm terms[] = {near_by("zone", &app_x), near_by("zone", &tier)};
  Pod y = pod_y(NULL, NULL), x = pod_x(NULL), one = pod_x(NULL), whole = pod_x(NULL);
  y.affinity_terms = (__typeof__(y.affinity_terms)){terms, 2};
  one.meta.labels = (KeyValues){&tier, 1};
  whole.meta.labels = (KeyValues){both, 2};
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z2");
  fixture_place(&f, "n1", &x);
  fixture_place(&f, "n1", &one);
  fixture_place(&f, "n2", &whole);
  int pod = fixture_wait(&f, &y);
  assert_says(&f, pod, "n1", AFFINITY);
  assert_says(&f, pod, "n2", "");
}

static void anti_affinity_refuses_the_domains_of_matching_pods(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm zone = near_by("zone", &app_x);
  Pod y = pod_y(NULL, &zone), x = pod_x(NULL);
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z1");
  fixture_node(&f, "n3", "z2");
  fixture_node(&f, "n4", NULL);
  fixture_place(&f, "n1", &x);
  int pod = fixture_wait(&f, &y);
  assert_says(&f, pod, "n1", ANTI);
  assert_says(&f, pod, "n2", ANTI);
  assert_says(&f, pod, "n3", "");
  assert_says(&f, pod, "n4", ""); /* in no domain at all */
}

static void pods_that_are_there_keep_others_away_by_their_anti_affinity(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm zone = near_by("zone", &app_x);
  Pod guard = pod_y(NULL, &zone), x = pod_x(NULL), plain = pod_y(NULL, NULL);
  fixture_node(&f, "n1", "z1");
  fixture_node(&f, "n2", "z2");
  fixture_place(&f, "n1", &guard);
  int pod = fixture_wait(&f, &x), other = fixture_wait(&f, &plain), second = fixture_wait(&f, &guard);
  assert_says(&f, pod, "n1", EXISTING);
  assert_says(&f, pod, "n2", "");
  assert_says(&f, other, "n1", "");
  fixture_bind(&f, second, "n2"); /* planned pods keep others away too */
  assert_says(&f, pod, "n2", EXISTING);
  assert_true(sched_is_coupled(&f.snapshot, pod));
  assert_false(sched_is_coupled(&f.snapshot, other));
}

/* The namespaces a: team 1, b: team 2; c is not known. */
static void add_namespaces(Fixture *f) {
  static KeyValue one = {"team", "1"}, two = {"team", "2"};
  static const Namespace a = {.meta = {.name = "a", .labels = {&one, 1}}};
  static const Namespace b = {.meta = {.name = "b", .labels = {&two, 1}}};
  snapshot_add_namespace(&f->snapshot, &a);
  snapshot_add_namespace(&f->snapshot, &b);
}

static void a_term_means_the_pods_own_namespace_unless_it_names_others(void **state) {
  static KeyValue team_2 = {"team", "2"}, name_c = {"kubernetes.io/metadata.name", "c"};
  static const char *names[] = {"c"};
  const struct {
    const char *where; /* the namespace of the pod that is there */
    bool names, selects, selects_all, selects_by_name;
    bool refuses;
  } cases[] = {
      {"a", false, false, false, false, true},  /* its own */
      {"b", false, false, false, false, false}, /* another */
      {"c", true, false, false, false, true},   /* a named one */
      {"a", true, false, false, false, false},  /* its own is not meant any more */
      {"b", false, true, false, false, true},   /* chosen by its labels */
      {"a", false, true, false, false, false},  {"b", false, false, true, false, true},
      {"c", false, false, true, false, true}, /* an empty selector means all */
      {"c", true, true, false, false, true},    {"b", true, true, false, false, true},
      {"c", false, true, false, false, true}, /* nobody knows its labels: in doubt it is meant */
      {"c", false, false, false, true, true}, /* but of its name all are sure */
      {"b", false, false, false, true, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    PodAffinityTerm term = near_by("host", &app_x);
    term.has_namespace_selector = cases[i].selects || cases[i].selects_all || cases[i].selects_by_name;
    if (cases[i].names)
      term.namespaces = (Strings){names, 1};
    if (cases[i].selects)
      term.namespace_selector.match_labels = (KeyValues){&team_2, 1};
    if (cases[i].selects_by_name)
      term.namespace_selector.match_labels = (KeyValues){&name_c, 1};
    Pod y = pod_y(NULL, &term), x = pod_x(NULL);
    x.meta.namespace_ = cases[i].where;
    add_namespaces(&f);
    fixture_node(&f, "n1", NULL);
    fixture_place(&f, "n1", &x);
    int pod = fixture_wait(&f, &y);
    assert_says(&f, pod, "n1", cases[i].refuses ? ANTI : "");
  }
}

static void in_doubt_affinity_is_not_satisfied_by_a_pod_of_an_unknown_namespace(void **state) {
  for (int complete = 0; complete < 2; complete++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    KeyValue team = {"team", "2"};
    PodAffinityTerm term = near_by("host", &app_x);
    term.has_namespace_selector = true;
    term.namespace_selector.match_labels = (KeyValues){&team, 1};
    Pod y = pod_y(&term, NULL), x = pod_x(NULL);
    x.meta.namespace_ = "c";
    f.snapshot.is_complete = complete;
    fixture_node(&f, "n1", NULL);
    fixture_place(&f, "n1", &x);
    assert_says(&f, fixture_wait(&f, &y), "n1", AFFINITY);
  }
}

static void label_keys_of_terms_are_merged_where_no_api_server_did(void **state) {
  const char *keys[] = {"hash"};
  for (int complete = 0; complete < 2; complete++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    KeyValue old[] = {{"app", "x"}, {"hash", "1"}}, young[] = {{"app", "y"}, {"hash", "2"}};
    PodAffinityTerm same = near_by("host", &app_x), different = same;
    same.match_label_keys = (Strings){keys, 1};
    different.mismatch_label_keys = (Strings){keys, 1};
    Pod y = pod_y(NULL, &same), z = pod_y(NULL, &different), x = pod_x(NULL);
    x.meta.labels = (KeyValues){old, 2};
    y.meta.labels = z.meta.labels = (KeyValues){young, 2};
    f.snapshot.is_complete = complete; /* then the selector says all there is */
    fixture_node(&f, "n1", NULL);
    fixture_place(&f, "n1", &x);
    int first = fixture_wait(&f, &y), second = fixture_wait(&f, &z);
    assert_says(&f, first, "n1", complete ? ANTI : "");
    assert_says(&f, second, "n1", ANTI);
  }
}

/* ---- nominated pods, gates, order ---- */

static void a_nominated_pod_keeps_its_place_from_pods_of_its_priority_and_below(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  ContainerPort port = {NULL, NULL, 80};
  Pod kept = with_port(&port), lower = with_port(&port), higher = with_port(&port);
  kept.nominated_node_name = "n1";
  kept.priority = lower.priority = 5;
  higher.priority = 6;
  fixture_node(&f, "n1", NULL);
  fixture_node(&f, "n2", NULL);
  int nominated = fixture_wait(&f, &kept), below = fixture_wait(&f, &lower),
      above = fixture_wait(&f, &higher);
  uint64_t before = snapshot_hash(&f.snapshot);
  assert_says(&f, below, "n1", PORTS);
  assert_says(&f, below, "n2", "");
  assert_says(&f, above, "n1", "");
  assert_says(&f, nominated, "n1", "");
  assert_true(before == snapshot_hash(&f.snapshot));
}

static void a_nominated_pod_satisfies_nobodys_affinity(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm zone = near_by("zone", &app_x);
  Pod x = pod_x(NULL), y = pod_y(&zone, NULL);
  x.nominated_node_name = "n1";
  fixture_node(&f, "n1", "z1");
  fixture_wait(&f, &x);
  assert_says(&f, fixture_wait(&f, &y), "n1", AFFINITY);
}

static void a_gated_pod_waits_for_its_gates_wherever_it_is(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Pod gated = {.meta = {.name = "p"}, .scheduling_gates = LIST_OF(SchedulingGate, {"quota"}, {"data"})};
  fixture_node(&f, "n1", NULL);
  assert_says(&f, fixture_wait(&f, &gated), "n1",
              "SchedulingGates: waiting for scheduling gates: [quota data]");
}

static void names_that_exclude_each_other_are_a_conflict_before_any_node(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Requirement names[] = {{"metadata.name", "In", LIST_OF(const char *, "n1")},
                         {"metadata.name", "In", LIST_OF(const char *, "n2")}};
  NodeSelectorTerm term = {.match_fields = {names, 2}};
  Pod pod = {.meta = {.name = "p"}, .has_required_node_affinity = true, .required_terms = {&term, 1}};
  fixture_node(&f, "n1", NULL)->unschedulable = true;
  assert_says(&f, fixture_wait(&f, &pod), "n1", "NodeAffinity: pod affinity terms conflict");
}

static void pods_without_ties_are_not_coupled_and_cost_no_class(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(text_deinit) Text key = {0};
  PodAffinityTerm zone = near_by("zone", &app_x);
  Pod guard = pod_y(NULL, &zone), plain = pod_y(NULL, NULL), x = pod_x(NULL);
  fixture_node(&f, "n1", "z1");
  fixture_place(&f, "n1", &guard);
  int untied = fixture_wait(&f, &plain), tied = fixture_wait(&f, &x);
  sched_coupling_add_key(&f.snapshot, untied, &key);
  assert_string_equal(text_string(&key), "");
  sched_coupling_add_key(&f.snapshot, tied, &key);
  assert_string_not_equal(text_string(&key), "");
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
      cmocka_unit_test(affinity_wants_a_matching_pod_in_the_same_domain),
      cmocka_unit_test(the_first_of_a_series_that_wants_its_own_kind_may_go_anywhere),
      cmocka_unit_test(all_affinity_terms_must_mean_the_same_pod),
      cmocka_unit_test(anti_affinity_refuses_the_domains_of_matching_pods),
      cmocka_unit_test(pods_that_are_there_keep_others_away_by_their_anti_affinity),
      cmocka_unit_test(a_term_means_the_pods_own_namespace_unless_it_names_others),
      cmocka_unit_test(in_doubt_affinity_is_not_satisfied_by_a_pod_of_an_unknown_namespace),
      cmocka_unit_test(label_keys_of_terms_are_merged_where_no_api_server_did),
      cmocka_unit_test(a_nominated_pod_keeps_its_place_from_pods_of_its_priority_and_below),
      cmocka_unit_test(a_nominated_pod_satisfies_nobodys_affinity),
      cmocka_unit_test(a_gated_pod_waits_for_its_gates_wherever_it_is),
      cmocka_unit_test(names_that_exclude_each_other_are_a_conflict_before_any_node),
      cmocka_unit_test(pods_without_ties_are_not_coupled_and_cost_no_class),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
