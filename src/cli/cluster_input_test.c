/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster_input.h"

#include "base/test.h"

#include "base/text.h"
#include "kube/dump_testing.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

static int read_text(const char *text, ClusterInput *input, Error *err) {
  DumpBytes bytes = {text, strlen(text), 100};
  KubeDumpSource source = {.read = dump_bytes_read, .userdata = &bytes};
  return cluster_input_read_source(&source, "file.json", input, err);
}

/* "n1 n2 | ns/a ns/b" */
static char *names_of(const ClusterInput *input) {
  Text names = {0};
  for (size_t i = 0; i < input->nodes.count; i++)
    text_format(&names, "%s ", input->nodes.items[i]->meta.name);
  text_append(&names, "|");
  for (size_t i = 0; i < input->pods.count; i++)
    text_format(&names, " %s/%s", string_or_empty(input->pods.items[i]->meta.namespace_),
                input->pods.items[i]->meta.name);
  return text_take(&names);
}

#define NODE(name)    "{\"kind\":\"Node\",\"metadata\":{\"name\":\"" name "\"}}"
#define POD(ns, name) "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\"}}"

static void objects_come_sorted_and_each_once(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  assert_int_equal(read_text("[" POD("b", "x") "," NODE("n2") "," POD("a", "y") "," POD("b", "x") "," NODE(
                                 "n1") "," POD("a", "x") ",{\"kind\":\"Service\"}]",
                             &input, &err),
                   0);
  CLEANUP(cleanup_free) char *names = names_of(&input);
  assert_string_equal(names, "n1 n2 | a/x a/y b/x");
  assert_int_equal(input.problem_count, 1);
  assert_string_equal(input.problems.items[0], "Pod b/x is listed twice: the first one counts");
  assert_int_equal(input.skipped, 1);
  assert_int_equal(cluster_input_exit_code(&input), CLI_EXIT_OK);
}

static void of_equal_names_the_first_one_counts(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  assert_int_equal(read_text("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"priority\":1}}"
                             "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"priority\":2}}",
                             &input, &err),
                   0);
  assert_int_equal(input.pods.count, 1);
  assert_int_equal(input.pods.items[0]->priority, 1);
}

static void objects_are_found_by_name(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  assert_int_equal(read_text(POD("b", "x") POD("a", "x") NODE("n1") NODE("n2") NODE("n3"), &input, &err), 0);
  assert_ptr_equal(cluster_input_find_node(&input, "n2"), input.nodes.items[1]);
  assert_null(cluster_input_find_node(&input, "n4"));
  assert_ptr_equal(cluster_input_find_pod(&input, "b", "x"), input.pods.items[1]);
  assert_null(cluster_input_find_pod(&input, "c", "x"));
  assert_null(cluster_input_find_pod(&input, NULL, "x"));
}

static void what_comes_before_a_break_counts(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  assert_int_equal(read_text("{\"kind\":\"List\",\"items\":[" NODE("n1") ",{\"kind\":", &input, &err), 0);
  assert_int_equal(input.nodes.count, 1);
  assert_string_equal(input.problems.items[0],
                      "file.json: line 1, column 74: item 2: the JSON ends where the end of a value was "
                      "expected; what stands behind it is not read");
  assert_int_equal(cluster_input_exit_code(&input), CLI_EXIT_FAILED);
}

static void a_file_that_holds_nothing_to_work_on_is_an_error(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  assert_true(read_text("{\"kind\":", &input, &err) < 0);
  assert_string_equal(err.text,
                      "file.json: line 1, column 9: the JSON ends where the end of a value was expected");
}

static void problems_are_fit_for_a_terminal_and_counted_beyond_the_limit(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < CLUSTER_INPUT_PROBLEMS_MAX + 5; i++)
    text_append(&text, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"\\u001b[2J\",\"labels\":7}}");
  assert_int_equal(read_text(text_string(&text), &input, &err), 0);
  assert_int_equal(input.problems.count, CLUSTER_INPUT_PROBLEMS_MAX);
  assert_int_equal(input.problem_count, CLUSTER_INPUT_PROBLEMS_MAX + 5);
  assert_string_equal(input.problems.items[0],
                      "skipped an object: file.json, line 1, column 55: cannot read the Pod ?[2J: \"labels\" "
                      "is a number where an object was expected");
}

static void a_snapshot_is_filled_and_its_warnings_are_problems(void **state) {
  Error err;
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  assert_int_equal(read_text(NODE("n1") POD("a", "x") "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n2\","
                                                      "\"labels\":{\"nvidia.com/gpu.count\":\"x\"}}}",
                             &input, &err),
                   0);
  cluster_input_fill(&input, &snapshot);
  assert_int_equal(snapshot.nodes.count, 2);
  assert_int_equal(snapshot.pods.count, 1);
  assert_string_equal(
      input.problems.items[0],
      "node n2: the label nvidia.com/gpu.count says \"x\", which is no number of GPUs from 0 to 64");
}

static void a_file_is_as_old_as_the_newest_object_in_it(void **state) {
#define BORN(name, time)                                                                                     \
  "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"creationTimestamp\":\"" time "\"}}"
  static const struct {
    const char *json;
    int64_t old_before; /* 0: by the clock */
  } cases[] = {
      {BORN("a", "2020-01-01T00:00:00Z") BORN("b", "2020-01-01T01:00:00Z") NODE("n"), 1577840400 - 60},
      {BORN("a", "2020-01-01T01:00:00Z") BORN("b", "2020-01-01T00:00:00Z"), 1577840400 - 60},
      {BORN("a", "2020-01-01T01:00:00Z") POD("n", "who-knows"), 0},
      {BORN("a", "9999-01-01T00:00:00Z"), 0}, /* the clock of whoever wrote that was wrong */
      {NODE("n"), 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    Error err;
    CLEANUP(cluster_input_deinit) ClusterInput input = {0};
    assert_int_equal(read_text(cases[i].json, &input, &err), 0);
    int64_t old_before = cluster_input_old_before(&input, 60000);
    if (cases[i].old_before)
      assert_int_equal(old_before, cases[i].old_before);
    else
      assert_true(old_before > 1577840400 + 3600);
    assert_int_equal(cluster_input_old_before(&input, 0), 0);
  }
}

/* ---- files ---- */

static void write_file(const char *path, const char *text, size_t size) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, size, file), size);
}

static void write_gzip(const char *path, const char *text) {
  gzFile file = gzopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
  gzclose(file);
}

static int go_to_scratch(void **state) {
  static char folder[] = "/tmp/facet-input-XXXXXX";
  return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_scratch(void **state) {
  static const char *const names[] = {"a.json", "b.json.gz", "c.yaml", "cut.gz"};
  char folder[256];
  for (size_t i = 0; i < COUNT_OF(names); i++)
    unlink(names[i]);
  return getcwd(folder, sizeof folder) && rmdir(folder) == 0 ? 0 : -1;
}

static void several_files_of_all_sorts_are_one_cluster(void **state) {
  Error err;
  ClusterInputOptions options = {.files = {.items = {"a.json", "b.json.gz", "c.yaml"}, .count = 3}};
  CLEANUP(cluster_input_deinit) ClusterInput input = {0};
  write_file("a.json", NODE("n1"), strlen(NODE("n1")));
  write_gzip("b.json.gz", "[" POD("a", "x") "]");
  write_file("c.yaml", "kind: Pod\nmetadata: {name: y}\n", 29);
  assert_int_equal(cluster_input_read(&options, &input, &err), 0);
  CLEANUP(cleanup_free) char *names = names_of(&input);
  assert_string_equal(names, "n1 | /y a/x");
}

static void a_gzip_file_that_is_cut_or_damaged_says_so(void **state) {
  Error err;
  ClusterInputOptions options = {.files = {.items = {"cut.gz"}, .count = 1}};
  CLEANUP(cluster_input_deinit) ClusterInput cut = {0}, damaged = {0};
  write_gzip("cut.gz", "[" POD("a", "x") "]");
  assert_int_equal(truncate("cut.gz", 40), 0);
  assert_true(cluster_input_read(&options, &cut, &err) < 0);
  assert_string_equal(err.text,
                      "cut.gz: the gzip file ends in the middle: it was not copied or downloaded whole");
  write_file("cut.gz", "\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff", 16);
  assert_true(cluster_input_read(&options, &damaged, &err) < 0);
  assert_true(string_has_prefix(err.text, "cut.gz: the gzip file is damaged: "));
}

static void a_file_that_cannot_be_read_is_an_error(void **state) {
  Error err;
  ClusterInputOptions absent = {.files = {.items = {"nothing"}, .count = 1}},
                      folder = {.files = {.items = {"."}, .count = 1}},
                      twice = {.files = {.items = {"-", "-"}, .count = 2}};
  CLEANUP(cluster_input_deinit) ClusterInput first = {0}, second = {0}, third = {0};
  assert_true(cluster_input_read(&absent, &first, &err) < 0);
  assert_string_equal(err.text, "cannot open nothing: No such file or directory");
  assert_true(cluster_input_read(&folder, &second, &err) < 0);
  assert_string_equal(err.text, "cannot read .: Is a directory");
  assert_true(cluster_input_read(&twice, &third, &err) < 0);
  assert_string_equal(err.text, "standard input can be read only once; name - once");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(objects_come_sorted_and_each_once),
      cmocka_unit_test(of_equal_names_the_first_one_counts),
      cmocka_unit_test(objects_are_found_by_name),
      cmocka_unit_test(what_comes_before_a_break_counts),
      cmocka_unit_test(a_file_that_holds_nothing_to_work_on_is_an_error),
      cmocka_unit_test(problems_are_fit_for_a_terminal_and_counted_beyond_the_limit),
      cmocka_unit_test(a_snapshot_is_filled_and_its_warnings_are_problems),
      cmocka_unit_test(a_file_is_as_old_as_the_newest_object_in_it),
      cmocka_unit_test(several_files_of_all_sorts_are_one_cluster),
      cmocka_unit_test(a_gzip_file_that_is_cut_or_damaged_says_so),
      cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
  };
  return cmocka_run_group_tests(tests, go_to_scratch, remove_scratch);
}
