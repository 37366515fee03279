/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot that followed thousands of random events is held against one that is taken afresh of the same
 * objects. */
#include "base/test.h"

#include "cluster/live.h"
#include "cluster/test_objects.h"

#include "base/random.h"

#define SLICE_1G "nvidia.com/mig-1g.10gb"

enum { NODES = 6, PODS = 40, EVENTS = 4000, SEEDS = 6 };

/* What there is, by number; NULL where nothing is. Each object has memory of its own, as in an informer,
 * which ends when the object is replaced. */
typedef struct World {
  Node *nodes[NODES];
  Pod *pods[PODS];
  const char *held[NODES];
  bool growth_only[NODES];
  LiveCluster live;
} World;

static const char *const node_names[NODES] = {"n0", "n1", "n2", "n3", "n4", "n5"};
static const char *const statuses[] = {"", "1g.10gb@6:free", "1g.10gb@6:used,2g.20gb@4:free",
                                       "1g.10gb@0:used,1g.10gb@1:used,3g.40gb@4:free", "rubbish"};
static const char *const amounts[] = {"1", "2", "0", "many"};

static void copy_pair(KeyValue *pair, const char *key, const char *value) {
  *pair = (KeyValue){.key = mem_strdup(key), .value = mem_strdup(value)};
}

static void free_pairs(KeyValues *pairs) {
  for (size_t i = 0; i < pairs->count; i++) {
    free((char *)pairs->items[i].key);
    free((char *)pairs->items[i].value);
  }
  free(pairs->items);
}

static void node_free(Node *node) {
  if (!node)
    return;
  free((char *)node->meta.name);
  free_pairs(&node->meta.labels);
  free_pairs(&node->meta.annotations);
  free_pairs((KeyValues *)&node->allocatable);
  free(node);
}

static void pod_free(Pod *pod) {
  if (!pod)
    return;
  free((char *)pod->meta.name);
  free((char *)pod->node_name);
  free((char *)pod->common->nominated_node_name);
  free_pairs((KeyValues *)&pod_common(pod)->containers.items[0].requests);
  free(pod->common->containers.items);
  free(pod->common);
  free(pod);
}

static Node *make_node(Random *random, int number) {
  Node *node = mem_alloc(sizeof *node);
  node->meta.name = mem_strdup(node_names[number]);
  node->meta.labels = (KeyValues){mem_alloc(sizeof(KeyValue)), 1};
  copy_pair(&node->meta.labels.items[0], "nos.nebuly.com/gpu-partitioning",
            random_below(random, 5) ? "mig" : "no");
  node->meta.annotations = (KeyValues){mem_alloc(5 * sizeof(KeyValue)), 3};
  KeyValue *annotations = node->meta.annotations.items;
  copy_pair(&annotations[0], "facet.gpu/gpu-0", "GPU-a NVIDIA-A100-SXM4-80GB mig=on");
  copy_pair(&annotations[1], "facet.gpu/status-gpu-0", statuses[random_below(random, COUNT_OF(statuses))]);
  copy_pair(&annotations[2], "facet.gpu/keep-gpu-0", "2g.20gb@4");
  if (!random_below(random, 3)) { /* a plan that takes slices away and is not answered */
    node->meta.annotations.count = 5;
    copy_pair(&annotations[3], "facet.gpu/spec-gpu-0", "GPU-a 4g.40gb@0");
    copy_pair(&annotations[4], "nos.nebuly.com/spec-partitioning-plan", "p7");
  }
  node->allocatable = (ResourceTexts){mem_alloc(2 * sizeof(KeyValue)), 2};
  copy_pair(&node->allocatable.items[0], "cpu", amounts[random_below(random, COUNT_OF(amounts))]);
  copy_pair(&node->allocatable.items[1], "pods", "20");
  return node;
}

static Pod *make_pod(Random *random, int number) {
  static const char *const phases[] = {"Pending", "Running", "Running", "Succeeded"};
  char name[16];
  snprintf(name, sizeof name, "p%d", number);
  Pod *pod = mem_alloc(sizeof *pod);
  pod->common = mem_alloc(sizeof *pod->common);
  pod->meta.name = mem_strdup(name);
  pod->meta.namespace_ = "demo";
  pod->meta.creation_time = (int64_t)random_below(random, 3);
  pod->priority = (int32_t)random_below(random, 2);
  pod->common->phase = phases[random_below(random, COUNT_OF(phases))];
  if (random_below(random, 2))
    pod->node_name = mem_strdup(node_names[random_below(random, NODES)]);
  else if (!random_below(random, 4))
    pod->common->nominated_node_name = mem_strdup(node_names[random_below(random, NODES)]);
  pod->common->containers.items = mem_alloc(sizeof(Container));
  pod->common->containers.count = 1;
  pod->common->containers.items[0].name = "c";
  if (!random_below(random, 5)) {
    static KeyValue reservation = {.key = MIG_LABEL_RESERVATION, .value = ""};
    pod->meta.labels = (KeyValues){&reservation, 1};
  }
  ResourceTexts *requests = &pod_common(pod)->containers.items[0].requests;
  *requests = (ResourceTexts){mem_alloc(2 * sizeof(KeyValue)), 2};
  copy_pair(&requests->items[0], "cpu", amounts[random_below(random, COUNT_OF(amounts))]);
  copy_pair(&requests->items[1], SLICE_1G, amounts[random_below(random, 3)]);
  return pod;
}

static void change_node(World *world, Random *random) {
  int number = (int)random_below(random, NODES);
  Node *old = world->nodes[number];
  if (old && !random_below(random, 6)) {
    live_remove_node(&world->live, old->meta.name, NULL);
    world->nodes[number] = NULL;
    world->held[number] = NULL;
    world->growth_only[number] = false;
  } else {
    world->nodes[number] = make_node(random, number);
    live_put_node(&world->live, world->nodes[number], NULL);
  }
  node_free(old);
}

static void change_pod(World *world, Random *random) {
  int number = (int)random_below(random, PODS);
  Pod *old = world->pods[number];
  if (old && !random_below(random, 3)) {
    live_remove_pod(&world->live, old, NULL);
    world->pods[number] = NULL;
  } else {
    world->pods[number] = make_pod(random, number);
    live_put_pod(&world->live, world->pods[number], NULL);
  }
  pod_free(old);
}

static void change_hold(World *world, Random *random) {
  int number = (int)random_below(random, NODES);
  if (!world->nodes[number])
    return;
  world->held[number] = random_below(random, 2) ? "it owes an answer" : NULL;
  world->growth_only[number] = random_below(random, 2);
  live_hold_node(&world->live, node_names[number], world->held[number], world->growth_only[number], NULL);
}

static void take_afresh(const World *world, Snapshot *snapshot) {
  CLEANUP(map_deinit) Map held = {0}, growth_only = {0};
  const SnapshotOptions options = {.held = &held, .growth_only = &growth_only};
  snapshot_init(snapshot);
  for (int i = 0; i < NODES; i++) {
    if (world->held[i])
      map_put(&held, node_names[i], (void *)world->held[i]);
    if (world->growth_only[i])
      map_put(&growth_only, node_names[i], &held);
  }
  for (int i = 0; i < NODES; i++)
    if (world->nodes[i])
      snapshot_add_node(snapshot, world->nodes[i], &options, NULL);
  for (int i = 0; i < PODS; i++)
    if (world->pods[i])
      snapshot_add_pod(snapshot, world->pods[i], NULL);
}

static void assert_equal_words(const char *a, const char *b) {
  assert_true((a == NULL) == (b == NULL));
  if (a)
    assert_string_equal(a, b);
}

static void assert_has_all(const Resources *left, const Resources *right) {
  for (size_t i = 0; i < left->count; i++)
    assert_int_equal(left->items[i].amount, resources_get(right, left->items[i].name));
}

static void assert_equal_resources(const Resources *left, const Resources *right) {
  assert_has_all(left, right);
  assert_has_all(right, left);
}

static void assert_equal_gpus(const SnapshotNode *left, const SnapshotNode *right) {
  assert_int_equal(left->gpu_count, right->gpu_count);
  for (int i = 0; i < left->gpu_count; i++) {
    const SnapshotGpu *a = &left->gpus[i], *b = &right->gpus[i];
    assert_true(a->model == b->model && a->existing_starts == b->existing_starts &&
                a->layout->mask == b->layout->mask);
    assert_true(a->used_starts == b->used_starts && a->keep_starts == b->keep_starts && a->mode == b->mode);
    assert_equal_words(a->blocked, b->blocked);
    char uuids[2][MIG_UUID_SIZE];
    assert_string_equal(snapshot_gpu_uuid(left, a, uuids[0]), snapshot_gpu_uuid(right, b, uuids[1]));
  }
}

static void assert_equal_nodes(const SnapshotNode *left, const SnapshotNode *right) {
  assert_ptr_equal(left->object, right->object);
  assert_equal_resources(&left->allocatable, &right->allocatable);
  assert_equal_resources(&left->requested, &right->requested);
  assert_equal_resources(&left->bound, &right->bound);
  assert_int_equal(left->pod_count, right->pod_count);
  assert_int_equal(left->pod_max, right->pod_max);
  assert_true(left->managed == right->managed && left->may_change == right->may_change &&
              left->being_recut == right->being_recut && left->growth_only == right->growth_only);
  assert_equal_words(left->blocked, right->blocked);
  assert_equal_words(left->spec_plan, right->spec_plan);
  assert_equal_gpus(left, right);
}

static int find_pod(const Snapshot *snapshot, const Pod *object) {
  for (size_t i = 0; i < snapshot->pods.count; i++)
    if (snapshot->pods.items[i].object == object)
      return (int)i;
  fail_msg("pod %s does not wait", object->meta.name);
  return -1;
}

/* Pods are of one spec here where they are there. */
static void assert_equal_pods(const Snapshot *left, const Snapshot *right) {
  assert_int_equal(left->pods.count, right->pods.count);
  for (size_t i = 0; i < left->pods.count; i++) {
    const SnapshotPod *a = &left->pods.items[i], *b = &right->pods.items[find_pod(right, a->object)];
    assert_true(a->creation_time == b->creation_time && a->priority == b->priority && a->node == b->node);
    assert_equal_words(a->spec->invalid, b->spec->invalid);
    assert_equal_resources(&a->spec->requests, &b->spec->requests);
    for (size_t k = 0; k < i; k++) {
      const SnapshotPod *other = &right->pods.items[find_pod(right, left->pods.items[k].object)];
      assert_true((left->pods.items[k].spec == a->spec) == (other->spec == b->spec));
    }
  }
}

static void assert_equal_nominated(const Snapshot *left, const Snapshot *right) {
  assert_int_equal(left->nominated.count, right->nominated.count);
  for (size_t i = 0; i < left->nominated.count; i++) {
    bool found = false;
    for (size_t k = 0; k < right->nominated.count; k++)
      found |= left->pods.items[left->nominated.items[i]].object ==
               right->pods.items[right->nominated.items[k]].object;
    assert_true(found);
  }
}

static void assert_equal_placed(const Snapshot *left, const Snapshot *right) {
  assert_int_equal(left->placed.count, right->placed.count);
  for (size_t i = 0; i < left->placed.count; i++) {
    const SnapshotPlaced *a = &left->placed.items[i], *b = NULL;
    for (size_t k = 0; k < right->placed.count; k++)
      if (right->placed.items[k].object == a->object)
        b = &right->placed.items[k];
    assert_non_null(b);
    assert_string_equal(left->nodes.items[a->node].name, right->nodes.items[b->node].name);
    assert_equal_resources(&left->specs.items[a->spec]->requests, &right->specs.items[b->spec]->requests);
  }
}

static void assert_follows(World *world) {
  CLEANUP(snapshot_deinit) Snapshot fresh;
  Snapshot *snapshot = live_snapshot(&world->live);
  take_afresh(world, &fresh);
  assert_int_equal(snapshot->nodes.count, fresh.nodes.count);
  for (size_t i = 0; i < fresh.nodes.count; i++) {
    int node = snapshot_find_node(snapshot, fresh.nodes.items[i].name);
    assert_true(node >= 0);
    assert_equal_nodes(&snapshot->nodes.items[node], &fresh.nodes.items[i]);
  }
  assert_equal_pods(snapshot, &fresh);
  assert_equal_nominated(snapshot, &fresh);
  assert_equal_placed(snapshot, &fresh);
}

static void world_deinit(World *world) {
  live_deinit(&world->live);
  for (int i = 0; i < NODES; i++)
    node_free(world->nodes[i]);
  for (int i = 0; i < PODS; i++)
    pod_free(world->pods[i]);
}

static void it_says_what_a_fresh_snapshot_would_after_every_event(void **state) {
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    CLEANUP(world_deinit) World world = {0};
    Random random = {.state = seed};
    print_message("# seed %llu\n", (unsigned long long)seed);
    live_init(&world.live);
    for (int event = 0; event < EVENTS; event++) {
      uint64_t what = random_below(&random, 20);
      if (what == 0)
        change_node(&world, &random);
      else if (what < 3)
        change_hold(&world, &random);
      else
        change_pod(&world, &random);
      if (random_below(&random, 4)) /* several at once, too */
        assert_follows(&world);
    }
  }
}

/* Each pod is of a template that was never there before. */
static void what_came_and_went_leaves_nothing_behind(void **state) {
  CLEANUP(live_deinit) LiveCluster live;
  ResourceText cpu = {"cpu", "1"};
  const Node node = {.meta = {.name = "n1"}, .allocatable = {&cpu, 1}};
  char label[16];
  live_init(&live);
  live_put_node(&live, &node, NULL);
  size_t bytes = live_snapshot(&live)->arena.total;
  for (int i = 0; i < 5000; i++) {
    LiveChange came, went;
    snprintf(label, sizeof label, "app-%d", i);
    const Pod pod = {.meta = {.name = "p", .labels = LIST_OF(KeyValue, {"app", label})},
                     .node_name = i % 2 ? "n1" : NULL};
    live_put_pod(&live, &pod, &came);
    live_remove_pod(&live, &pod, &went);
    assert_false(came.all || went.all); /* nothing was read afresh */
    assert_int_equal(went.spec_gone, 0);
  }
  const Snapshot *snapshot = live_snapshot(&live);
  assert_int_equal(snapshot->specs.count, 1);
  assert_int_equal(snapshot->specs.items[0]->holders, 0);
  assert_int_equal(snapshot->arena.total, bytes);
  assert_int_equal(snapshot->nodes.items[0].pod_count, 0);
}

/* What plans read of it stands where it stood. */
static void a_node_that_reports_again_takes_no_more_memory(void **state) {
  CLEANUP(live_deinit) LiveCluster live;
  static const char *const reports[] = {"", "1g.10gb@6:used", "1g.10gb@6:free,2g.20gb@4:free"};
  ResourceText cpu = {"cpu", "1"};
  KeyValue annotations[] = {{"facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=on"},
                            {"facet.gpu/status-gpu-0", ""}};
  const Node node = {.meta = {.name = "n1",
                              .labels = LIST_OF(KeyValue, {MIG_LABEL_PARTITIONING, "mig"}),
                              .annotations = {annotations, 2}},
                     .allocatable = {&cpu, 1}};
  live_init(&live);
  live_put_node(&live, &node, NULL);
  const SnapshotNode *item = live_snapshot(&live)->nodes.items;
  const SnapshotGpuBrief *briefs = item->briefs;
  const Resource *room = item->amounts;
  for (size_t i = 0; i < 300; i++) {
    annotations[1].value = reports[i % COUNT_OF(reports)];
    live_put_node(&live, &node, NULL);
    assert_int_equal(item->gpu_count, 1);
    assert_true(item->briefs[0].occupied == snapshot_occupied(item->gpus[0].layout));
    assert_true(item->briefs == briefs && item->allocatable.items == room);
  }
  assert_false(live.is_stale);
}

/* Beyond so many, reading all once is quicker. */
static void nodes_that_come_together_are_read_together(void **state) {
  CLEANUP(live_deinit) LiveCluster live;
  enum { COUNT = LIVE_NODES_AT_ONCE + 1 };
  char names[COUNT + 1][8];
  Node nodes[COUNT + 1];
  const Pod pod = {.meta = {.name = "p"}, .node_name = "n0"};
  live_init(&live);
  live_put_pod(&live, &pod, NULL);
  for (int i = 0; i <= COUNT; i++) {
    snprintf(names[i], sizeof names[i], "n%d", i);
    nodes[i] = (Node){.meta = {.name = names[i]}};
  }
  live_put_node(&live, &nodes[COUNT], NULL);
  (void)live_snapshot(&live);
  for (int i = 0; i < COUNT; i++) {
    LiveChange change;
    assert_int_equal(live.is_stale, false);
    live_put_node(&live, &nodes[i], &change);
    assert_true(change.all);
  }
  assert_true(live.is_stale);
  const Snapshot *snapshot = live_snapshot(&live);
  assert_int_equal(snapshot->nodes.count, COUNT + 1);
  assert_int_equal(snapshot->placed.count, 1);
  live_remove_node(&live, "n0", NULL);
  assert_false(live.is_stale);
  assert_int_equal(snapshot->placed.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_came_and_went_leaves_nothing_behind),
      cmocka_unit_test(a_node_that_reports_again_takes_no_more_memory),
      cmocka_unit_test(nodes_that_come_together_are_read_together),
      cmocka_unit_test(it_says_what_a_fresh_snapshot_would_after_every_event),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
