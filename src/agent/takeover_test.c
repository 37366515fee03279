/* SPDX-License-Identifier: Apache-2.0 */
/* Switching NVIDIA's device plugin off and on by the node's label. */
#include "agent/world_fixture.h"

#include "agent/leaving.h"
#include "agent/takeover.h"

#define PLUGIN "nvidia.com/gpu.deploy.device-plugin"
#define TOOK   "facet.gpu/took-over"

/* ---- the patch ---- */

typedef struct Case {
  const char *label, *took_over; /* NULL: absent */
  const char *take, *give_back;  /* NULL: nothing to do */
} Case;

#define TAKE_FROM(before)                                                                                    \
  "{\"metadata\":{\"labels\":{\"" PLUGIN "\":\"false\"},\"annotations\":{\"" TOOK "\":\"" before "\"}}}"
#define GIVE_BACK(label)                                                                                     \
  "{\"metadata\":{\"labels\":{\"" PLUGIN "\":" label "},\"annotations\":{\"" TOOK "\":null}}}"
#define FORGET "{\"metadata\":{\"annotations\":{\"" TOOK "\":null}}}"

static const Case cases[] = {
    {NULL, NULL, TAKE_FROM("absent"), NULL},
    {"true", NULL, TAKE_FROM("=true"), NULL},
    {"", NULL, TAKE_FROM("="), NULL},
    {"false", NULL, NULL, NULL}, /* somebody else's wish */
    {"false", "absent", NULL, GIVE_BACK("null")},
    {"false", "=true", NULL, GIVE_BACK("\"true\"")},
    {"false", "=", NULL, GIVE_BACK("\"\"")},
    {"false", "garbage", NULL, GIVE_BACK("null")},
    {"true", "absent", TAKE_FROM("=true"), FORGET}, /* somebody has changed it since */
    {NULL, "=true", TAKE_FROM("absent"), FORGET},
};

static void the_label_is_taken_and_given_back_as_it_was(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    KeyValue label = {PLUGIN, cases[i].label}, annotation = {TOOK, cases[i].took_over};
    Node node = {.meta = {.labels = {.items = &label, .count = cases[i].label != NULL},
                          .annotations = {.items = &annotation, .count = cases[i].took_over != NULL}}};
    CLEANUP(text_deinit) Text take = {0};
    CLEANUP(text_deinit) Text give_back = {0};
    assert_int_equal(agent_takeover_format_take(&node, &take), cases[i].take != NULL);
    assert_string_equal(text_string(&take), string_or_empty(cases[i].take));
    assert_int_equal(agent_takeover_format_give_back(&node, &give_back), cases[i].give_back != NULL);
    assert_string_equal(text_string(&give_back), string_or_empty(cases[i].give_back));
  }
}

/* ---- the agent ---- */

static void write_label(World *world, const char *key, const char *value) {
  if (value)
    json_object_set_new(metadata_of(world, "labels"), key, json_string(value));
  else
    json_object_del(metadata_of(world, "labels"), key);
  show(world, "MODIFIED");
}

static void only_who_is_told_to_takes_the_node_over(void **state) {
  World *world = *state;
  write_label(world, PLUGIN, "true");
  settle(world);
  assert_string_equal(label_of(world, PLUGIN), "true");
}

static void a_node_of_facet_is_taken_over_and_given_back_when_it_leaves(void **state) {
  World *world = *state;
  world->take_over = true;
  write_label(world, PLUGIN, "true");
  settle(world);
  assert_string_equal(label_of(world, PLUGIN), "false");
  assert_string_equal(annotation(world, TOOK), "=true");
  write_label(world, MIG_LABEL_PARTITIONING, NULL);
  run_for(world, AGENT_TAKEOVER_PAUSE_MS);
  assert_string_equal(label_of(world, PLUGIN), "true");
  assert_string_equal(annotation(world, TOOK), "(absent)");
}

static void nvidias_plugin_comes_back_only_after_ours_has_gone(void **state) {
  World *world = *state;
  world->take_over = true;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  run_for(world, AGENT_TAKEOVER_PAUSE_MS);
  write_label(world, MIG_LABEL_PARTITIONING, NULL);
  run_for(world, AGENT_KUBELET_TICK_MS + AGENT_KUBELET_LATE_MS - 1); /* this one never ticks */
  assert_string_equal(label_of(world, PLUGIN), "false");
  assert_non_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
  run_for(world, 100);
  assert_string_equal(label_of(world, PLUGIN), "(absent)");
  assert_null(memory_port_find(&world->port, FOLDER "/facet-mig-1g.10gb.sock"));
}

static void what_an_earlier_life_took_is_given_back_too(void **state) {
  World *world = *state;
  write_label(world, PLUGIN, "false");
  set_annotation(world, TOOK, "absent");
  write_label(world, MIG_LABEL_PARTITIONING, NULL);
  settle(world);
  assert_string_equal(label_of(world, PLUGIN), "(absent)");
}

static void whoever_writes_the_label_back_is_answered_without_haste(void **state) {
  World *world = *state;
  world->take_over = true;
  settle(world);
  run_for(world, AGENT_TAKEOVER_PAUSE_MS);
  int patches = world->patch_count;
  for (int i = 0; i < 100; i++) {
    write_label(world, PLUGIN, "true");
    run_for(world, AGENT_TAKEOVER_PAUSE_MS / 10);
  }
  assert_in_range(world->patch_count - patches, 10, 11);
}

static void a_refusal_is_reported_until_it_succeeds(void **state) {
  World *world = *state;
  settle(world);
  stop_agent(world);
  world->take_over = true;
  world->refuse_status = 403;
  start_agent(world);
  run_for(world, 1000);
  world->refuse_status = 0;
  run_for(world, AGENT_RETRY_FIRST_MS);
  assert_string_equal(label_of(world, PLUGIN), "false");
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_label_is_taken_and_given_back_as_it_was),
      WORLD_TEST(only_who_is_told_to_takes_the_node_over),
      WORLD_TEST(a_node_of_facet_is_taken_over_and_given_back_when_it_leaves),
      WORLD_TEST(nvidias_plugin_comes_back_only_after_ours_has_gone),
      WORLD_TEST(what_an_earlier_life_took_is_given_back_too),
      WORLD_TEST(whoever_writes_the_label_back_is_answered_without_haste),
      WORLD_TEST(a_refusal_is_reported_until_it_succeeds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
