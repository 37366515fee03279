/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "kube/dump_testing.h"
#include "kube/reader_testing.h"

typedef struct Collected {
  Text objects; /* "Pod a/b, " */
  Text bad;     /* one line each */
} Collected;

static void collect_object(void *userdata, KubeObject *object) {
  Collected *collected = userdata;
  const ObjectMeta *meta = object->value;
  text_format(&collected->objects, "%s%s %s/%s", collected->objects.size ? ", " : "", object->type->kind,
              string_or_empty(meta->namespace_), string_or_empty(meta->name));
  kube_object_free(object);
}

static void collect_bad(void *userdata, const Error *err) {
  Collected *collected = userdata;
  text_format(&collected->bad, "%s\n", err->text);
}

static void collected_deinit(Collected *collected) {
  text_deinit(&collected->objects);
  text_deinit(&collected->bad);
}

typedef struct Case {
  const char *name;
  const char *json;
  const char *objects;
  size_t skipped;
  const char *bad;
  const char *error; /* NULL: the dump is read */
} Case;

#define POD(name)                                                                                            \
  "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\"}}"
#define NODE(name) "{\"kind\":\"Node\",\"metadata\":{\"name\":\"" name "\"}}"
#define HOW        "; make the file with: kubectl get nodes,pods -A -o json"

static const Case cases[] = {
    {"kubectl's list of mixed kinds, items before kind",
     "{\"apiVersion\":\"v1\",\"items\":[" NODE("a") "," POD(
         "b") ",{\"kind\":\"Service\"}],\"kind\":\"List\"}",
     "Node /a, Pod n/b", 1, "", NULL},
    {"the items of a PodList have no kind",
     "{\"items\":[{\"metadata\":{\"name\":\"x\"}}],\"kind\":\"PodList\",\"apiVersion\":\"v1\"}", "Pod /x", 0,
     "", NULL},
    {"the items of a NodeList have no kind",
     "{\"kind\":\"NodeList\",\"items\":[{\"metadata\":{\"name\":\"x\"}}]}", "Node /x", 0, "", NULL},
    {"the items of a list of another kind are skipped",
     "{\"kind\":\"ServiceList\",\"items\":[{\"metadata\":{}},{}]}", "", 2, "", NULL},
    {"one object", POD("p"), "Pod n/p", 0, "", NULL},
    {"several documents", POD("p") "\n" NODE("a") " {\"kind\":\"List\",\"items\":[" NODE("b") "]}\n",
     "Pod n/p, Node /a, Node /b", 0, "", NULL},
    {"a Node of another API group",
     "{\"kind\":\"Node\",\"apiVersion\":\"management.cattle.io/v3\",\"metadata\":{\"name\":\"x\"}}", "", 1,
     "", NULL},
    {"an empty list", "{\"kind\":\"List\",\"items\":[]}", "", 0, "", NULL},
    {"a list without items", "{\"kind\":\"PodList\",\"items\":null}", "", 0, "", NULL},
    {"a byte order mark", "\xef\xbb\xbf" POD("p"), "Pod n/p", 0, "", NULL},
    {"a bad item does not stop the others",
     "{\"kind\":\"List\",\"items\":[\n" NODE(
         "a") ",\n{\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\",\"labels\":3}},\n"
              "7,\n{\"metadata\":{}},\n" NODE("c") "]}",
     "Node /a, Node /c", 0,
     "line 3, column 47: item 2: cannot read the Pod b: \"labels\" is a number where an object was expected\n"
     "line 4, column 1: item 3: found '7' where an object was expected\n"
     "line 5, column 1: item 4: this is no Kubernetes object: it has no kind\n",
     NULL},
    {"a bad document does not stop the others",
     "\n{\"kind\":\"Pod\",\"spec\":{\"priority\":1.5}}\n" NODE("c"), "Node /c", 0,
     "line 2, column 34: cannot read a Pod: \"priority\": the number is not a 64-bit integer\n", NULL},
    {"a broken item between sound brackets does not stop the others",
     "{\"kind\":\"List\",\n\"items\":[" NODE("a") ",\n{\"kind\":\"Pod\",\"metadata\":{\"name\":tru}},\n" NODE(
         "b") "]}",
     "Node /a, Node /b", 0,
     "line 3, column 34: item 2: cannot read a Pod: \"name\" is true or false where a string was expected\n",
     NULL},
    {"a quote that is missing spoils one item",
     "{\"kind\":\"List\",\n\"items\":[" NODE("a") ",\n{\"kind\":\"Pod\",\"metadata\":{\"name\":\"b,"
                                                  "\n\"labels\":{\"a\":\"b\"}}},\n" NODE("c") "]}",
     "Node /a, Node /c", 0,
     "line 3, column 37: item 2: cannot read a Pod: found byte 0x0a where a string without control "
     "characters was expected\n",
     NULL},
    {"what comes before broken JSON is read", NODE("a") "\n{\"kind\":\n", "Node /a", 0, "",
     "line 3, column 1: the JSON ends where the end of a value was expected"},
    {"the object that a list breaks off in is named",
     "{\"kind\":\"List\",\"items\":[" NODE(
         "a") ",\n {\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"b\",\n",
     "Node /a", 0, "",
     "line 3, column 1: item 2: cannot read the Pod n/b: the JSON ends where a string was expected"},
    {"a list that ends behind an item", "{\"kind\":\"List\",\"items\":[" NODE("a") ",\n", "Node /a", 0, "",
     "line 2, column 1: the JSON ends in the middle of a list"},
    {"a word that is none in front of the items",
     "{\"kind\":\"List\",\n\"metadata\":{\"a\":[1 2]},\"items\":[]}", "", 0, "",
     "line 2, column 20: found '2' where ',' or the closing bracket was expected"},
    {"a word that is none behind the items",
     "{\"kind\":\"List\",\n\"items\":[" NODE("a") "],\n\"metadata\":{\"a\":[1 2]}}", "Node /a", 0, "",
     "line 3, column 20: found '2' where ',' or the closing bracket was expected"},
    {"a word among the items that is none", "{\"kind\":\"List\",\"items\":[" NODE("a") ",\n\n tatus,{}]}",
     "Node /a", 0, "", "line 3, column 3: found 'a' where true, false or null was expected"},
    {"items twice", "{\"kind\":\"List\",\"items\":[" NODE("a") "],\"items\":[" NODE("b") "]}",
     "Node /a, Node /b", 0, "", NULL},
    {"an array of objects", "[" NODE("a") ", " POD("b") "]", "Node /a, Pod n/b", 0, "", NULL},
    {"a list in a list is no other kind", "[{\"kind\":\"List\",\"items\":[" NODE("a") "]}, " NODE("b") "]",
     "Node /b", 0, "line 1, column 2: item 1: a list in a list is not read: put one behind the other\n",
     NULL},
    {"an array in an array", "[[" NODE("a") "]]", "", 0,
     "line 1, column 2: item 1: found '[' where an object was expected\n", NULL},
    {"an object without a kind", " {\"a\":1}", "", 0, "",
     "line 1, column 2: this is no Kubernetes object: it has no kind" HOW},
    {"an empty array", "[]", "", 0, "", NULL},
    {"nothing", " \n", "", 0, "", "the file is empty" HOW},
    {"JSON, and then none", NODE("a") "\nx", "Node /a", 0, "",
     "line 2, column 1: no JSON object begins here" HOW},
    {"UTF-16", "\xff\xfe{", "", 0, "", "the file is in UTF-16; save it as UTF-8"},

    {"a list in YAML, as kubectl prints it",
     "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Node\n  metadata:\n    name: a\n- apiVersion: v1\n  "
     "kind: Pod\n"
     "  metadata:\n    name: \"7\"\n    namespace: n\n  spec:\n    priority: 7\n- kind: Service\nkind: "
     "List\nmetadata:\n  resourceVersion: \"\"\n",
     "Node /a, Pod n/7", 1, "", NULL},
    {"documents in YAML",
     "# two\n---\nkind: Node\nmetadata: {name: a}\n---\n---\nkind: Pod\nmetadata:\n  name: b\n...\n",
     "Node /a, Pod /b", 0, "", NULL},
    {"the items of a PodList in YAML, whose kind comes behind them",
     "items:\n- metadata: {name: a}\n- metadata: {name: b}\nkind: PodList\n", "Pod /a, Pod /b", 0, "", NULL},
    {"a sequence in YAML", "- kind: Node\n  metadata: {name: a}\n", "Node /a", 0, "", NULL},
    {"a bad item in YAML does not stop the others",
     "kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: a\n    labels:\n      x: 7\n- kind: Node\n  "
     "metadata:\n    name: b\n- 7\n",
     "Node /b", 0,
     "line 7, column 10: item 1: cannot read the Pod a: \"labels\" is a number where a string was expected\n"
     "line 11, column 3: item 3: found '7' where an object was expected\n",
     NULL},
    {"an alias in YAML is not followed",
     "kind: List\nitems:\n- &a\n  kind: Node\n  metadata: {name: b}\n- *a\n", "Node /b", 0,
     "line 6, column 3: item 2: aliases (*name) are not read; write the value out\n", NULL},
    {"broken YAML", "kind: List\nitems:\n- kind: Node\n  metadata: {name: b}\n- kind: [\n", "Node /b", 0, "",
     "line 6, column 1: not valid YAML: did not find expected node content while parsing a flow node"},
    {"YAML that is cut off between two items",
     "apiVersion: v1\nitems:\n- kind: Node\n  metadata: {name: b}\n", "Node /b", 0, "",
     "line 5, column 1: the list ends without its kind: was the file cut off?"},
    {"a table is no YAML", "NAME  STATUS\nn1    Ready\n", "", 0, "",
     "line 1, column 1: no Kubernetes object begins here" HOW},
    {"YAML without a kind", "\na: 1\n", "", 0, "",
     "line 2, column 1: this is no Kubernetes object: it has no kind" HOW},
    {"YAML of bytes that are no text", "a\xff", "", 0, "",
     "line 1, column 1: no Kubernetes object begins here" HOW},
    {"bytes in YAML that are no text spoil one object",
     "kind: List\nitems:\n- kind: Node\n  metadata: {name: a}\n- kind: Node\n  metadata:\n    name: b\xff\n"
     "- kind: Node\n  metadata: {name: \"c\x1b\"}\n- kind: Node\n  metadata: {\xff: d}\n- kind: Node\n  "
     "metadata: {name: \xc3\xa4}\n",
     "Node /a, Node /\xc3\xa4", 0,
     "line 7, column 11: item 2: the text holds bytes that are not UTF-8, or control characters\n"
     "line 9, column 20: item 3: the text holds bytes that are not UTF-8, or control characters\n"
     "line 11, column 14: item 4: the text holds bytes that are not UTF-8, or control characters\n",
     NULL},
};

static void read_case(const Case *c, size_t piece) {
  CLEANUP(collected_deinit) Collected collected = {0};
  KubeDumpSink sink = {.on_object = collect_object, .on_bad = collect_bad, .userdata = &collected};
  KubeDumpCounts counts;
  Error err = {0};
  int result = dump_read_bytes(c->json, strlen(c->json), piece, &sink, &counts, &err);
  testing_assert_text(c->name, err.text, string_or_empty(c->error));
  assert_true(c->error ? result < 0 : result == 0);
  testing_assert_text(c->name, text_string(&collected.bad), c->bad);
  testing_assert_text(c->name, text_string(&collected.objects), c->objects);
  assert_int_equal(counts.skipped, c->skipped);
}

static void dumps_of_all_shapes_are_read_at_any_split(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    for (size_t piece = 1; piece < 200; piece = piece < 20 ? piece + 1 : piece * 3)
      read_case(&cases[i], piece);
}

static void much_space_may_come_first(void **state) {
  CLEANUP(text_deinit) Text json = {0};
  for (int i = 0; i < 5000; i++)
    text_append(&json, i % 100 ? " " : "\n");
  text_append(&json, NODE("a"));
  CLEANUP(collected_deinit) Collected collected = {0};
  KubeDumpSink sink = {.on_object = collect_object, .on_bad = collect_bad, .userdata = &collected};
  KubeDumpCounts counts;
  Error err;
  assert_int_equal(dump_read_bytes(json.bytes, json.size, 1000, &sink, &counts, &err), 0);
  assert_string_equal(text_string(&collected.objects), "Node /a");
}

static void an_object_that_is_too_large_is_passed_over_at_any_split(void **state) {
  static const size_t pieces[] = {64 << 10, 256 << 10, 16 << 20};
  CLEANUP(text_deinit) Text json = {0};
  CLEANUP(cleanup_free) char *filler = mem_alloc(KUBE_OBJECT_SIZE_MAX + 1);
  memset(filler, 'x', KUBE_OBJECT_SIZE_MAX);
  text_append(&json,
              "{\"kind\":\"List\",\"items\":[" NODE("a") ",\n {\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"");
  text_append(&json, filler);
  text_append(&json, "\"\n}},\n" NODE("b") ",\n  7]}");
  for (size_t i = 0; i < COUNT_OF(pieces); i++) {
    CLEANUP(collected_deinit) Collected collected = {0};
    KubeDumpSink sink = {.on_object = collect_object, .on_bad = collect_bad, .userdata = &collected};
    KubeDumpCounts counts;
    Error err;
    assert_int_equal(dump_read_bytes(json.bytes, json.size, pieces[i], &sink, &counts, &err), 0);
    assert_string_equal(text_string(&collected.objects), "Node /a, Node /b");
    assert_string_equal(text_string(&collected.bad),
                        "line 2, column 2: item 2: the object is larger than 8388608 bytes\n"
                        "line 6, column 3: item 4: found '7' where an object was expected\n");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dumps_of_all_shapes_are_read_at_any_split),
      cmocka_unit_test(much_space_may_come_first),
      cmocka_unit_test(an_object_that_is_too_large_is_passed_over_at_any_split),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
