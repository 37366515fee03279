/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller_fixture.h"

static Text said; /* warnings of the controller that runs */

static void listen_to_log(void *userdata, LogLevel level, const char *component, const char *message,
                          const char *fields) {
  if (level == LOG_LEVEL_WARN)
    text_format(&said, "%s %s\n", message, fields);
}

static int set_up(void **state) {
  int r = world_init(state);
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = listen_to_log});
  return r;
}

static int tear_down(void **state) {
  int r = world_deinit(state);
  text_deinit(&said);
  return r;
}

static void set_label(World *world, const char *name, const char *value) {
  json_t *labels = json_object_get(json_object_get(node_of(world, name), "metadata"), "labels");
  json_object_set_new(labels, "nos.nebuly.com/gpu-partitioning", json_string(value));
}

static void a_cluster_in_order_gets_no_warning(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  run_for(world, 60000);
  assert_string_equal(text_string(&said), "");
}

static void a_cluster_without_a_labelled_node_is_told_once(void **state) {
  World *world = *state;
  answer_lists(world);
  run_for(world, 60000);
  assert_string_equal(text_string(&said),
                      "no node is handed to facet: nothing is planned nodes=0 hint=\"kubectl label node NODE "
                      "nos.nebuly.com/gpu-partitioning=mig; `facet check` tells more\"\n");
}

#define LEFT(node, value)                                                                                    \
  "a node is left alone node=" node                                                                          \
  " held_back=0 err=\"the label nos.nebuly.com/gpu-partitioning says \\\"" value "\\\", "                    \
  "which is neither mig nor mps: nothing happens on this node until it says mig\"\n"

static void a_label_with_an_unknown_value_is_told_when_it_comes(void **state) {
  World *world = *state;
  add_node(world, "n1");
  add_node(world, "n2");
  set_label(world, "n1", "MIG");
  answer_lists(world);
  assert_string_equal(text_string(&said), LEFT("n1", "MIG"));
  text_clear(&said);
  show_node(world, "n1");
  assert_string_equal(text_string(&said), "");
  set_label(world, "n2", "yes");
  show_node(world, "n2");
  assert_string_equal(text_string(&said), LEFT("n2", "yes"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_cluster_in_order_gets_no_warning, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_cluster_without_a_labelled_node_is_told_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_label_with_an_unknown_value_is_told_when_it_comes, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
