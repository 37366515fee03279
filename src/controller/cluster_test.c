/* SPDX-License-Identifier: Apache-2.0 */
/* A controller that followed random events, pass by pass, is held against one that learns of everything anew
 * before each pass: the same writes, the same words, the same numbers. On clusters that are too large for
 * that, because a plan that is kept leaves pods where they are, the numbers are the same, and nothing is said
 * or written twice. */
#include "controller/pass_fixture.h"
#include "plan/thing_fixture.h"

enum { NODES_MAX = 90, PODS_MAX = 300, EVENTS = 300 };

typedef struct World {
  Random random;
  int node_count, pod_count;
  Thing *nodes[NODES_MAX], *pods[PODS_MAX];
  ControllerCluster cluster;
  ControllerMemory memory, other_memory;
  uint64_t now_ms;
  int generation;
} World;

static void world_deinit(World *world) {
  controller_cluster_deinit(&world->cluster);
  controller_memory_deinit(&world->memory);
  controller_memory_deinit(&world->other_memory);
  for (int i = 0; i < NODES_MAX; i++)
    thing_free(world->nodes[i]);
  for (int i = 0; i < PODS_MAX; i++)
    thing_free(world->pods[i]);
}

static bool once_in(World *world, int times) {
  return random_below(&world->random, (uint64_t)times) == 0;
}

static const char *format(Thing *thing, const char *prefix, int number) {
  return arena_format(&thing->f.arena, "%s%03d", prefix, number);
}

static Thing *make_node(World *world, int number) {
  static const char *const statuses[] = {"", "1g.10gb@2:used", "3g.40gb@4:used", "1g.10gb@6:free",
                                         "2g.20gb@0:free"};
  Thing *thing = mem_alloc(sizeof *thing);
  thing->node = fixture_node(&thing->f, format(thing, "n", number));
  KeyValues *annotations = &thing->node->meta.annotations;
  fixture_gpu(&thing->f, thing->node, A100, statuses[random_below(&world->random, COUNT_OF(statuses))]);
  if (once_in(world, 3)) { /* it was told a plan, and did or did not do it, or failed */
    fixture_set(&thing->f, annotations, MIG_ANNOTATION_SPEC_PLAN, "p0");
    fixture_set(&thing->f, annotations, "facet.gpu/spec-gpu-0",
                arena_format(&thing->f.arena, "GPU-%s-0 1g.10gb@6,1g.10gb@5", thing->node->meta.name));
    if (once_in(world, 2))
      fixture_set(&thing->f, annotations, MIG_ANNOTATION_STATUS_PLAN, "p0");
    if (once_in(world, 3))
      fixture_set(&thing->f, annotations, MIG_ANNOTATION_ERROR, "no luck");
  }
  if (once_in(world, 20))
    fixture_set(&thing->f, annotations, "facet.gpu/keep-gpu-0", "rubbish");
  return thing;
}

static Thing *make_pod(World *world, int number) {
  static const char *const profiles[] = {"1g.10gb", "1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb"};
  Thing *thing = mem_alloc(sizeof *thing);
  thing->pod = fixture_pod(&thing->f, format(thing, "p", number),
                           profiles[random_below(&world->random, COUNT_OF(profiles))]);
  thing->pod->meta.creation_time = 1 + (int64_t)random_below(&world->random, 50);
  thing->pod->meta.uid.text = arena_format(&thing->f.arena, "uid-%d", world->generation++);
  if (once_in(world, 4))
    thing->pod->node_name =
        format(thing, "n", (int)random_below(&world->random, (uint64_t)world->node_count));
  if (once_in(world, 6))
    thing->pod->common->scheduler_name = "volcano";
  return thing;
}

static void change_node(World *world, int number) {
  Thing *old = world->nodes[number];
  if (old && once_in(world, 10)) {
    controller_cluster_remove_node(&world->cluster, old->node);
    controller_memory_forget_node(&world->memory, old->node->meta.name);
    controller_memory_forget_node(&world->other_memory, old->node->meta.name);
    world->nodes[number] = NULL;
  } else {
    world->nodes[number] = make_node(world, number);
    controller_cluster_put_node(&world->cluster, world->nodes[number]->node);
  }
  thing_free(old);
}

static void change_pod(World *world, int number) {
  Thing *old = world->pods[number];
  if (old) { /* another uid: the old one goes first, as an informer says it */
    controller_cluster_remove_pod(&world->cluster, old->pod);
    controller_memory_forget_pod(&world->memory, old->pod->meta.uid.text);
    controller_memory_forget_pod(&world->other_memory, old->pod->meta.uid.text);
  }
  world->pods[number] = old && once_in(world, 2) ? NULL : make_pod(world, number);
  if (world->pods[number])
    controller_cluster_put_pod(&world->cluster, world->pods[number]->pod);
  thing_free(old);
}

static void happen(World *world) {
  world->now_ms += once_in(world, 10) ? 20000 : random_below(&world->random, 1000);
  if (once_in(world, 4))
    change_node(world, (int)random_below(&world->random, (uint64_t)world->node_count));
  else
    change_pod(world, (int)random_below(&world->random, (uint64_t)world->pod_count));
}

static void learn_anew(const World *world, ControllerCluster *cluster) {
  controller_cluster_init(cluster);
  for (int i = 0; i < world->node_count; i++)
    if (world->nodes[i])
      controller_cluster_put_node(cluster, world->nodes[i]->node);
  for (int i = 0; i < world->pod_count; i++)
    if (world->pods[i])
      controller_cluster_put_pod(cluster, world->pods[i]->pod);
}

static ControllerView view_at(const World *world, ControllerCluster *cluster) {
  return (ControllerView){.cluster = cluster,
                          .leftover = PLAN_LEFTOVER_FILL,
                          .words_max = 1000,
                          .plan_id = "p1",
                          .now_ms = world->now_ms,
                          .now_s = 60 + (int64_t)world->now_ms / 1000,
                          .starvation_s = 100,
                          .recut_limit = 2};
}

static void assert_same_numbers(const ControllerPass *pass, const ControllerPass *other) {
  assert_int_equal(pass->pending, other->pending);
  assert_int_equal(pass->admitted, other->admitted);
  assert_int_equal(pass->already_fit, other->already_fit);
  assert_int_equal(pass->blocked, other->blocked);
  assert_int_equal(pass->ignored, other->ignored);
  assert_int_equal(pass->bound, other->bound);
}

static void assert_same(const ControllerPass *pass, const ControllerPass *other) {
  assert_same_numbers(pass, other);
  assert_int_equal(pass->writes.count, other->writes.count);
  for (size_t i = 0; i < pass->writes.count; i++) {
    assert_string_equal(pass->writes.items[i].node, other->writes.items[i].node);
    assert_string_equal(pass->writes.items[i].body, other->writes.items[i].body);
    assert_string_equal(pass->writes.items[i].summary, other->writes.items[i].summary);
  }
  assert_int_equal(pass->words.count, other->words.count);
  for (size_t i = 0; i < pass->words.count; i++) {
    assert_ptr_equal(pass->words.items[i].pod, other->words.items[i].pod);
    assert_string_equal(pass->words.items[i].note, other->words.items[i].note);
  }
  assert_true(pass->wake_ms == other->wake_ms);
}

static void assert_same_memories(const ControllerMemory *memory, const ControllerMemory *other) {
  assert_int_equal(memory->counted.items.count, other->counted.items.count);
  assert_int_equal(memory->told.count, other->told.count);
  assert_int_equal(memory->demand.count, other->demand.count);
}

static void pass(World *world, bool is_small) {
  CLEANUP(controller_cluster_deinit) ControllerCluster anew;
  CLEANUP(controller_pass_deinit) ControllerPass followed, learned;
  learn_anew(world, &anew);
  ControllerView view = view_at(world, &world->cluster), view_anew = view_at(world, &anew);
  controller_pass_compute(&view, &world->memory, &followed);
  controller_pass_compute(&view_anew, &world->other_memory, &learned);
  if (is_small)
    assert_same(&followed, &learned);
  else
    assert_same_numbers(&followed, &learned);
  assert_same_memories(&world->memory, &world->other_memory);
}

/* Nothing happened since: there is nothing to say, and what is written is what has not been seen to be known.
 */
static void pass_again(World *world) {
  CLEANUP(controller_pass_deinit) ControllerPass again;
  ControllerView view = view_at(world, &world->cluster);
  controller_pass_compute(&view, &world->memory, &again);
  assert_int_equal(again.words.count, 0);
}

static void start(World *world, uint64_t seed, int node_count, int pod_count) {
  *world =
      (World){.random = {.state = seed}, .node_count = node_count, .pod_count = pod_count, .now_ms = NOW};
  print_message("# seed %llu\n", (unsigned long long)seed);
  controller_cluster_init(&world->cluster);
  world->memory.decayed_ms = world->other_memory.decayed_ms = NOW;
  for (int i = 0; i < node_count; i++)
    change_node(world, i);
  for (int i = 0; i < pod_count; i++)
    change_pod(world, i);
}

static void passes_that_follow_say_and_write_what_passes_that_learn_anew_do(void **state) {
  for (uint64_t seed = 1; seed <= 4; seed++) {
    CLEANUP(world_deinit) World world;
    start(&world, seed, 4, 12);
    for (int event = 0; event < EVENTS; event++) {
      happen(&world);
      if (!once_in(&world, 4))
        pass(&world, true);
    }
  }
}

static void on_large_clusters_the_numbers_are_the_same_and_nothing_is_said_twice(void **state) {
  CLEANUP(world_deinit) World world;
  start(&world, 7, NODES_MAX, 60);
  for (int event = 0; event < EVENTS; event++) {
    happen(&world);
    pass(&world, false);
    pass_again(&world);
  }
  print_message("# %llu of %d plans from scratch\n", (unsigned long long)world.cluster.standing.afresh,
                2 * EVENTS);
  assert_true(world.cluster.standing.afresh < EVENTS); /* some are kept, or this shows nothing */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passes_that_follow_say_and_write_what_passes_that_learn_anew_do),
      cmocka_unit_test(on_large_clusters_the_numbers_are_the_same_and_nothing_is_said_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
