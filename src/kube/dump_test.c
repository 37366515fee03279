/* SPDX-License-Identifier: Apache-2.0 */
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
     "item 2, line 3: cannot read the Pod b: \"labels\" is a number at byte 112 where an object was "
     "expected\n"
     "item 3, line 4: found '7' at byte 117 where an object was expected\n"
     "item 4, line 5: this is no Kubernetes object: it has no kind\n",
     NULL},
    {"a bad document does not stop the others",
     "\n{\"kind\":\"Pod\",\"spec\":{\"priority\":1.5}}\n" NODE("c"), "Node /c", 0,
     "line 2: cannot read a Pod: \"priority\": the number at byte 34 is not a 64-bit integer\n", NULL},
    {"broken JSON", "{\"kind\":\"List\",\n\"items\":[{},\n{\"a\":tru}]}", "", 0, "",
     "line 3: found '}' at byte 37 where true, false or null was expected"},
    {"what comes before broken JSON is read", NODE("a") "\n{\"kind\":\n", "Node /a", 0, "",
     "line 3: the JSON ends at byte 49 where the end of a value was expected"},
    {"an object without a kind", " {\"a\":1}", "", 0, "",
     "line 1: this is no Kubernetes object: it has no kind" HOW},
    {"no JSON", "\napiVersion: v1\n", "", 0, "", "line 2: no JSON object begins here" HOW},
    {"an array", "[]", "", 0, "", "line 1: no JSON object begins here" HOW},
    {"nothing", "", "", 0, "", "line 1: no JSON object begins here" HOW},
    {"UTF-16", "\xff\xfe{", "", 0, "", "the file is in UTF-16; save it as UTF-8"},
};

static void dumps_of_all_shapes_are_read(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const Case *c = &cases[i];
    CLEANUP(collected_deinit) Collected collected = {0};
    KubeDumpReader reader = {.on_object = collect_object, .on_bad = collect_bad, .userdata = &collected};
    Error err = {0};
    int result = kube_dump_read(&reader, c->json, strlen(c->json), &err);
    testing_assert_text(c->name, err.text, string_or_empty(c->error));
    assert_true(c->error ? result < 0 : result == 0);
    testing_assert_text(c->name, text_string(&collected.bad), c->bad);
    testing_assert_text(c->name, text_string(&collected.objects), c->objects);
    assert_int_equal(reader.skipped, c->skipped);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dumps_of_all_shapes_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
