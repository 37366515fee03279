/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "cli/contexts.h"

#include <sys/stat.h>

typedef struct World {
  char folder[32];
} World;

static void write_file(const World *world, const char *name, const char *text) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%s", world->folder, name);
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
}

static int set_up(void **state) {
  World *world = mem_alloc(sizeof *world);
  snprintf(world->folder, sizeof world->folder, "/tmp/facet-contexts-XXXXXX");
  assert_non_null(mkdtemp(world->folder));
  CLEANUP(cleanup_free) char *kube = mem_format("%s/.kube", world->folder);
  assert_int_equal(mkdir(kube, 0700), 0);
  write_file(world, ".kube/config", "contexts:\n- name: home\n");
  write_file(world, "a", "contexts:\n- name: one\n- name: two\n  context: {cluster: c}\n");
  write_file(world, "b", "contexts:\n- context: {}\n- name: \"with\\ttab\"\n- name: three\n");
  write_file(world, "broken", "contexts: [\n");
  assert_int_equal(setenv("HOME", world->folder, 1), 0);
  assert_int_equal(unsetenv("KUBECONFIG"), 0);
  *state = world;
  return 0;
}

static int tear_down(void **state) {
  World *world = *state;
  static const char *const names[] = {".kube/config", ".kube", "a", "b", "broken", ""};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    CLEANUP(cleanup_free) char *path = mem_format("%s/%s", world->folder, names[i]);
    remove(path);
  }
  free(world);
  return 0;
}

static void assert_lists(const char *path, const char *expected) {
  CLEANUP(text_deinit) Text names = {0};
  cli_contexts_list(path, &names);
  assert_string_equal(text_string(&names), expected);
}

static void the_file_that_is_given_counts_alone(void **state) {
  const World *world = *state;
  CLEANUP(cleanup_free) char *path = mem_format("%s/a", world->folder);
  assert_int_equal(setenv("KUBECONFIG", "/nowhere", 1), 0);
  assert_lists(path, "one\ntwo\n");
  assert_lists("~/a", "one\ntwo\n");
}

static void all_files_of_the_variable_count_and_those_that_cannot_be_read_do_not(void **state) {
  const World *world = *state;
  CLEANUP(cleanup_free)
  char *list = mem_format("%s/broken:%s/b::/nowhere:%s/a", world->folder, world->folder, world->folder);
  assert_int_equal(setenv("KUBECONFIG", list, 1), 0);
  assert_lists(NULL, "three\none\ntwo\n");
}

static void without_both_it_is_that_of_the_home_folder(void **state) {
  assert_lists(NULL, "home\n");
  assert_int_equal(unsetenv("HOME"), 0);
  assert_lists("~/no-such-file", "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(the_file_that_is_given_counts_alone),
      TEST(all_files_of_the_variable_count_and_those_that_cannot_be_read_do_not),
      TEST(without_both_it_is_that_of_the_home_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
