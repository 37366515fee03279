/* SPDX-License-Identifier: Apache-2.0 */
/* Affinity between pods, nominated pods, gates, and what comes before all nodes: each rule with its words. */
#include "sched/sched_fixture.h"

#define PORTS    "NodePorts: node(s) didn't have free ports for the requested pod ports"
#define AFFINITY "InterPodAffinity: node(s) didn't match pod affinity rules"
#define ANTI     "InterPodAffinity: node(s) didn't match pod anti-affinity rules"
#define EXISTING "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules"

static KeyValue app_x = {"app", "x"}, app_y = {"app", "y"};

static Pod pod_x(void) {
  return (Pod){.meta = {.name = "p", .namespace_ = "a", .labels = {&app_x, 1}}, .common = fixture_common()};
}

static Pod with_port(ContainerPort *port) {
  static Container containers[8];
  static int next;
  Container *container = &containers[next++ % 8];
  *container = (Container){.ports = {port, 1}};
  Pod pod = {.meta = {.name = "p"}, .common = fixture_common()};
  pod.common->containers = (__typeof__(pod.common->containers)){container, 1};
  return pod;
}

static PodAffinityTerm near_by(const char *topology, KeyValue *label) {
  return (PodAffinityTerm){
      .topology_key = topology, .has_selector = true, .selector = {.match_labels = {label, 1}}};
}

static Pod pod_y(PodAffinityTerm *affinity, PodAffinityTerm *anti) {
  Pod pod = {.meta = {.name = "y", .namespace_ = "a", .labels = {&app_y, 1}}, .common = fixture_common()};
  if (affinity)
    pod.common->affinity_terms = (__typeof__(pod.common->affinity_terms)){affinity, 1};
  if (anti)
    pod.common->anti_affinity_terms = (__typeof__(pod.common->anti_affinity_terms)){anti, 1};
  return pod;
}

static void affinity_wants_a_matching_pod_in_the_same_domain(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PodAffinityTerm zone = near_by("zone", &app_x), host = near_by("host", &app_x);
  Pod by_zone = pod_y(&zone, NULL), by_host = pod_y(&host, NULL), x = pod_x();
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
  Pod y = pod_y(NULL, NULL), x = pod_x(), one = pod_x(), whole = pod_x();
  y.common->affinity_terms = (__typeof__(y.common->affinity_terms)){terms, 2};
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
  Pod y = pod_y(NULL, &zone), x = pod_x();
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
  Pod guard = pod_y(NULL, &zone), x = pod_x(), plain = pod_y(NULL, NULL);
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
    Pod y = pod_y(NULL, &term), x = pod_x();
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
    Pod y = pod_y(&term, NULL), x = pod_x();
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
    Pod y = pod_y(NULL, &same), z = pod_y(NULL, &different), x = pod_x();
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
  kept.common->nominated_node_name = "n1";
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
  Pod x = pod_x(), y = pod_y(&zone, NULL);
  x.common->nominated_node_name = "n1";
  fixture_node(&f, "n1", "z1");
  fixture_wait(&f, &x);
  assert_says(&f, fixture_wait(&f, &y), "n1", AFFINITY);
}

static void a_gated_pod_waits_for_its_gates_wherever_it_is(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Pod gated = {.meta = {.name = "p"},
               .common = &(PodCommon){.scheduling_gates = LIST_OF(SchedulingGate, {"quota"}, {"data"})}};
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
  Pod guard = pod_y(NULL, &zone), plain = pod_y(NULL, NULL), x = pod_x();
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
