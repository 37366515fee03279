/* SPDX-License-Identifier: Apache-2.0 */
/* VolumeRestrictions, VolumeBinding and VolumeZone, and what is said of objects that nobody knows. */
#include "sched/sched_fixture.h"

#define REACH   "VolumeBinding: node(s) didn't match PersistentVolume's node affinity"
#define NONE    "VolumeBinding: node(s) didn't find available persistent volumes to bind"
#define UNBOUND "VolumeBinding: pod has unbound immediate PersistentVolumeClaims"
#define ZONE    "VolumeZone: node(s) had no available volume zone"
#define IN_USE                                                                                               \
  "VolumeRestrictions: node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "  \
  "already in-use by another pod"

static KeyValue bound_mark = {"pv.kubernetes.io/bind-completed", "yes"};

/* Of the claim a/data. */
static Volume data_volume = {.name = "v", .claim_name = "data"};

static Pod with_data(void) {
  Pod pod = {.meta = {.name = "p", .namespace_ = "a"}, .common = fixture_common()};
  pod.common->volumes = (__typeof__(pod.common->volumes)){&data_volume, 1};
  return pod;
}

/* n1 in z1, n2 in z2; volumes are known. */
static void make_nodes(Fixture *f) {
  f->snapshot.knows_volumes = true;
  fixture_node(f, "n1", "z1");
  fixture_node(f, "n2", "z2");
}

static PersistentVolumeClaim claim_of(const char *volume) {
  return (PersistentVolumeClaim){.meta = {.name = "data", .namespace_ = "a", .annotations = {&bound_mark, 1}},
                                 .volume_name = volume};
}

static PersistentVolumeClaim unbound_claim(const char *class_) {
  static ResourceText room = {"storage", "5Gi"};
  return (PersistentVolumeClaim){.meta = {.name = "data", .namespace_ = "a", .uid.text = "u"},
                                 .requests = {&room, 1},
                                 .storage_class_name = class_};
}

static void where_volumes_are_never_read_they_are_left_to_the_scheduler(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Pod pod = with_data();
  fixture_node(&f, "n1", "z1");
  int waiting = fixture_wait(&f, &pod);
  assert_says(&f, waiting, "n1", "");
  assert_false(sched_has_volumes(&f.snapshot, waiting));
}

static void an_unknown_claim_is_named_and_never_guessed(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Pod pod = with_data();
  make_nodes(&f);
  assert_says(&f, fixture_wait(&f, &pod), "n1", "VolumeRestrictions: unknown volume claim a/data");
}

static void a_claim_that_does_not_exist_has_the_schedulers_words(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Volume scratch = {.name = "scratch", .is_ephemeral = true};
  Pod pod = with_data(),
      other = {.meta = {.name = "p", .namespace_ = "a"}, .common = &(PodCommon){.volumes = {&scratch, 1}}};
  make_nodes(&f);
  f.snapshot.is_complete = true;
  int first = fixture_wait(&f, &pod), second = fixture_wait(&f, &other);
  assert_says(&f, first, "n1", "VolumeRestrictions: persistentvolumeclaim \"data\" not found");
  assert_says(&f, second, "n1",
              "VolumeBinding: waiting for ephemeral volume controller to create the persistentvolumeclaim "
              "\"p-scratch\"");
}

static void the_volume_behind_a_bound_claim_is_named_where_nobody_knows_it(void **state) {
  for (int complete = 0; complete < 2; complete++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Pod pod = with_data();
    PersistentVolumeClaim claim = claim_of("pv");
    make_nodes(&f);
    f.snapshot.is_complete = complete;
    snapshot_add_claim(&f.snapshot, &claim);
    assert_says(&f, fixture_wait(&f, &pod), "n1",
                complete ? "VolumeZone: persistentvolume \"pv\" not found"
                         : "VolumeZone: unknown volume pv of claim a/data");
  }
}

static void lost_and_leaving_claims_hold_the_pod_back(void **state) {
  for (int leaving = 0; leaving < 2; leaving++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Pod pod = with_data();
    PersistentVolumeClaim claim = claim_of("pv");
    claim.meta.deletion_time = leaving;
    claim.phase = leaving ? "Bound" : "Lost";
    make_nodes(&f);
    snapshot_add_claim(&f.snapshot, &claim);
    assert_says(&f, fixture_wait(&f, &pod), "n1",
                leaving ? "VolumeBinding: persistentvolumeclaim \"data\" is being deleted"
                        : "VolumeBinding: persistentvolumeclaim \"data\" bound to non-existent "
                          "persistentvolume \"pv\"");
  }
}

static void a_bound_volume_must_be_reachable_from_the_node(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Pod pod = with_data();
  PersistentVolumeClaim claim = claim_of("pv");
  Requirement zone = {"zone", "In", LIST_OF(const char *, "z2")};
  NodeSelectorTerm term = {.match_expressions = {&zone, 1}};
  PersistentVolume volume = {
      .meta = {.name = "pv"}, .has_required_node_affinity = true, .required_terms = {&term, 1}};
  make_nodes(&f);
  snapshot_add_claim(&f.snapshot, &claim);
  snapshot_add_volume(&f.snapshot, &volume);
  int waiting = fixture_wait(&f, &pod);
  assert_says(&f, waiting, "n1", REACH);
  assert_says(&f, waiting, "n2", "");
}

static void the_zones_of_a_volume_are_those_of_the_node(void **state) {
  static const struct {
    const char *volume_key, *zones, *node_key, *node_zone;
    bool fits;
  } cases[] = {
      {"topology.kubernetes.io/zone", "z1", "topology.kubernetes.io/zone", "z1", true},
      {"topology.kubernetes.io/zone", "z2", "topology.kubernetes.io/zone", "z1", false},
      {"topology.kubernetes.io/zone", "z2__ z1", "topology.kubernetes.io/zone", "z1", true},
      {"topology.kubernetes.io/zone", "z2__", "topology.kubernetes.io/zone", "z1", true}, /* unreadable */
      {"failure-domain.beta.kubernetes.io/zone", "z1", "topology.kubernetes.io/zone", "z1", true},
      {"topology.kubernetes.io/zone", "z1", "failure-domain.beta.kubernetes.io/zone", "z1", false},
      {"topology.kubernetes.io/zone", "z1", "topology.kubernetes.io/region", "e", false},
      {"topology.kubernetes.io/zone", "z1", "rack", "r1", true}, /* a node without any such label */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Pod pod = with_data();
    PersistentVolumeClaim claim = claim_of("pv");
    KeyValue label = {cases[i].volume_key, cases[i].zones};
    PersistentVolume volume = {.meta = {.name = "pv", .labels = {&label, 1}}};
    f.snapshot.knows_volumes = true;
    fixture_label(&f, fixture_node(&f, "n1", NULL), cases[i].node_key, cases[i].node_zone);
    snapshot_add_claim(&f.snapshot, &claim);
    snapshot_add_volume(&f.snapshot, &volume);
    assert_says(&f, fixture_wait(&f, &pod), "n1", cases[i].fits ? "" : ZONE);
  }
}

static const StorageClass immediate = {
    .meta = {.name = "now"}, .provisioner = "disk", .binding_mode = "Immediate"};
static const StorageClass waits = {
    .meta = {.name = "later"}, .provisioner = "disk", .binding_mode = "WaitForFirstConsumer"};
static const StorageClass local = {.meta = {.name = "local"},
                                   .provisioner = "kubernetes.io/no-provisioner",
                                   .binding_mode = "WaitForFirstConsumer"};

static void an_unbound_claim_waits_only_where_its_class_says_so(void **state) {
  static const struct {
    const char *class_, *says;
  } cases[] = {{"now", UNBOUND},
               {"later", ""},
               {NULL, UNBOUND},
               {"other", "VolumeBinding: unknown storage class other of volume claim a/data"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Pod pod = with_data();
    PersistentVolumeClaim claim = unbound_claim(cases[i].class_);
    make_nodes(&f);
    snapshot_add_storage_class(&f.snapshot, &immediate);
    snapshot_add_storage_class(&f.snapshot, &waits);
    snapshot_add_claim(&f.snapshot, &claim);
    assert_says(&f, fixture_wait(&f, &pod), "n1", cases[i].says);
  }
}

static void a_class_makes_volumes_only_in_its_topologies(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  TopologyRequirement zone = {"zone", LIST_OF(const char *, "z2", "z3")};
  TopologyTerm terms[] = {{{0}}, {.requirements = {&zone, 1}}}; /* an empty term means no node */
  StorageClass class_ = waits;
  class_.allowed_topologies = (__typeof__(class_.allowed_topologies)){terms, 2};
  PersistentVolumeClaim claim = unbound_claim("later");
  Pod pod = with_data();
  make_nodes(&f);
  snapshot_add_storage_class(&f.snapshot, &class_);
  snapshot_add_claim(&f.snapshot, &claim);
  int waiting = fixture_wait(&f, &pod);
  assert_says(&f, waiting, "n1", NONE);
  assert_says(&f, waiting, "n2", "");
}

static void a_volume_that_is_being_made_for_a_node_is_only_there(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  KeyValue selected = {"volume.kubernetes.io/selected-node", "n2"};
  PersistentVolumeClaim claim = unbound_claim("later");
  claim.meta.annotations = (KeyValues){&selected, 1};
  Pod pod = with_data();
  make_nodes(&f);
  snapshot_add_storage_class(&f.snapshot, &waits);
  snapshot_add_claim(&f.snapshot, &claim);
  int waiting = fixture_wait(&f, &pod);
  assert_says(&f, waiting, "n1", NONE);
  assert_says(&f, waiting, "n2", "");
}

/* A ready volume of the class local on n1. */
static PersistentVolume local_volume(void) {
  static ResourceText room = {"storage", "10Gi"};
  static const char *names[] = {"n1"};
  static Requirement host = {"host", "In", {names, 1}};
  static NodeSelectorTerm term = {.match_expressions = {&host, 1}};
  return (PersistentVolume){.meta = {.name = "pv"},
                            .capacity = {&room, 1},
                            .storage_class_name = "local",
                            .phase = "Available",
                            .has_required_node_affinity = true,
                            .required_terms = {&term, 1}};
}

static void a_ready_volume_serves_a_claim_that_it_suits(void **state) {
  for (int i = 0; i < 9; i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    KeyValue label = {"kind", "ssd"};
    ResourceText small = {"storage", "4Gi"};
    const char *modes[] = {"ReadWriteMany"};
    PersistentVolume volume = local_volume();
    PersistentVolumeClaim claim = unbound_claim("local");
    Pod pod = with_data();
    if (i == 1)
      volume.capacity = (ResourceTexts){&small, 1};
    if (i == 2)
      volume.phase = "Released";
    if (i == 3)
      volume.volume_mode = "Block";
    if (i == 4)
      claim.access_modes = (Strings){modes, 1};
    if (i == 5) {
      claim.has_selector = true;
      claim.selector.match_labels = (KeyValues){&label, 1};
    }
    if (i == 6) {
      volume.has_claim = true;
      volume.claim_namespace = "a";
      volume.claim_name = "other";
    }
    if (i == 7) /* meant for the claim: its phase does not matter then */
      volume = (PersistentVolume){.meta = volume.meta,
                                  .capacity = volume.capacity,
                                  .storage_class_name = "local",
                                  .has_claim = true,
                                  .claim_namespace = "a",
                                  .claim_name = "data",
                                  .claim_uid = "u"};
    if (i == 8)
      volume.meta.deletion_time = 1;
    make_nodes(&f);
    snapshot_add_storage_class(&f.snapshot, &local);
    snapshot_add_claim(&f.snapshot, &claim);
    snapshot_add_volume(&f.snapshot, &volume);
    int waiting = fixture_wait(&f, &pod);
    assert_says(&f, waiting, "n1", i == 0 || i == 7 ? "" : NONE);
    assert_says(&f, waiting, "n2", i == 7 ? "" : NONE);
  }
}

static void a_ready_volume_serves_one_planned_pod(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PersistentVolume volume = local_volume();
  Volume other_volume = {.name = "v", .claim_name = "other"};
  PersistentVolumeClaim claim = unbound_claim("local"), other = claim;
  Pod pod = with_data(), second = with_data();
  other.meta.name = "other";
  second.common->volumes = (__typeof__(second.common->volumes)){&other_volume, 1};
  make_nodes(&f);
  snapshot_add_storage_class(&f.snapshot, &local);
  snapshot_add_claim(&f.snapshot, &claim);
  snapshot_add_claim(&f.snapshot, &other);
  snapshot_add_volume(&f.snapshot, &volume);
  int first = fixture_wait(&f, &pod), next = fixture_wait(&f, &second);
  assert_true(sched_is_coupled(&f.snapshot, next));
  assert_says(&f, next, "n1", "");
  size_t mark = snapshot_fork(&f.snapshot);
  fixture_bind(&f, first, "n1");
  assert_says(&f, next, "n1", NONE);
  snapshot_rollback(&f.snapshot, mark);
  assert_says(&f, next, "n1", "");
}

static void a_pod_follows_the_one_that_binds_their_common_claim(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  PersistentVolumeClaim claim = unbound_claim("later");
  Pod pod = with_data();
  make_nodes(&f);
  snapshot_add_storage_class(&f.snapshot, &waits);
  snapshot_add_claim(&f.snapshot, &claim);
  int first = fixture_wait(&f, &pod), second = fixture_wait(&f, &pod);
  assert_says(&f, second, "n1", "");
  fixture_bind(&f, first, "n2");
  assert_says(&f, second, "n1", NONE);
  assert_says(&f, second, "n2", "");
}

static void a_claim_for_one_pod_has_one_pod(void **state) {
  for (int taken = 0; taken < 2; taken++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    const char *modes[] = {"ReadWriteOncePod"};
    PersistentVolumeClaim claim = claim_of("pv");
    PersistentVolume volume = {.meta = {.name = "pv"}};
    Pod pod = with_data();
    claim.access_modes = (Strings){modes, 1};
    make_nodes(&f);
    snapshot_add_claim(&f.snapshot, &claim);
    snapshot_add_volume(&f.snapshot, &volume);
    if (taken)
      fixture_place(&f, "n2", &pod);
    int first = fixture_wait(&f, &pod), second = fixture_wait(&f, &pod);
    assert_says(&f, first, "n1", taken ? IN_USE : "");
    if (taken)
      continue;
    fixture_bind(&f, first, "n1");
    assert_says(&f, second, "n1", IN_USE);
    assert_says(&f, second, "n2", IN_USE);
  }
}

static void an_ephemeral_claim_must_belong_to_its_pod(void **state) {
  for (int owned = 0; owned < 2; owned++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Volume scratch = {.name = "scratch", .is_ephemeral = true};
    OwnerReference owner = {.kind = "Pod", .name = "p", .controller = true};
    PersistentVolumeClaim claim = unbound_claim("later");
    Pod pod = {.meta = {.name = "p", .namespace_ = "a"}, .common = &(PodCommon){.volumes = {&scratch, 1}}};
    claim.meta.name = "p-scratch";
    if (owned)
      claim.meta.owners = (__typeof__(claim.meta.owners)){&owner, 1};
    make_nodes(&f);
    snapshot_add_storage_class(&f.snapshot, &waits);
    snapshot_add_claim(&f.snapshot, &claim);
    assert_says(&f, fixture_wait(&f, &pod), "n1",
                owned ? "" : "VolumeBinding: PVC a/p-scratch was not created for pod a/p (pod is not owner)");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(where_volumes_are_never_read_they_are_left_to_the_scheduler),
      cmocka_unit_test(an_unknown_claim_is_named_and_never_guessed),
      cmocka_unit_test(a_claim_that_does_not_exist_has_the_schedulers_words),
      cmocka_unit_test(the_volume_behind_a_bound_claim_is_named_where_nobody_knows_it),
      cmocka_unit_test(lost_and_leaving_claims_hold_the_pod_back),
      cmocka_unit_test(a_bound_volume_must_be_reachable_from_the_node),
      cmocka_unit_test(the_zones_of_a_volume_are_those_of_the_node),
      cmocka_unit_test(an_unbound_claim_waits_only_where_its_class_says_so),
      cmocka_unit_test(a_class_makes_volumes_only_in_its_topologies),
      cmocka_unit_test(a_volume_that_is_being_made_for_a_node_is_only_there),
      cmocka_unit_test(a_ready_volume_serves_a_claim_that_it_suits),
      cmocka_unit_test(a_ready_volume_serves_one_planned_pod),
      cmocka_unit_test(a_pod_follows_the_one_that_binds_their_common_claim),
      cmocka_unit_test(a_claim_for_one_pod_has_one_pod),
      cmocka_unit_test(an_ephemeral_claim_must_belong_to_its_pod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
