/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/shelf.h"

#include "kube/reader_testing.h"

#include "base/array.h"
#include "base/memory.h"
#include "base/random.h"

/* The objects of testdata/FILE.json, one by one, on a shelf and as they are. */
typedef struct Stage {
  KubeShelf *shelf;
  ARRAY(KubeKept *) kept;
  Text plain;
} Stage;

static void add(void *userdata, KubeObject *object) {
  Stage *stage = userdata;
  testing_print_message(&stage->plain, "", object->type->message, object->value);
  *array_push(&stage->kept) = kube_shelf_keep(stage->shelf, object->value);
  kube_object_free(object);
}

static void read_list(const KubeType *type, const char *json, size_t size, Stage *stage) {
  Error err;
  const char *version, *continue_;
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(type, KUBE_JSON, add, stage);
  assert_int_equal(kube_list_reader_feed(reader, json, size, &err), 0);
  assert_int_equal(kube_list_reader_finish(reader, &version, &continue_, &err), 0);
}

static void release_all(Stage *stage) {
  for (size_t i = 0; i < stage->kept.count; i++)
    kube_shelf_release(stage->shelf, stage->kept.items[i]);
  assert_int_equal(kube_shelf_count(stage->shelf), 0);
  array_deinit(&stage->kept);
  text_deinit(&stage->plain);
  kube_shelf_free(stage->shelf);
}

/* All are kept before the first is looked at, so that one cannot spoil another. */
static void compare_file(const KubeType *type, const char *file) {
  CLEANUP(text_deinit) Text json = testing_read_format(file, KUBE_JSON), kept = {0};
  Stage stage = {.shelf = kube_shelf_new(type)};
  read_list(type, json.bytes, json.size, &stage);
  for (size_t i = 0; i < stage.kept.count; i++)
    testing_print_message(&kept, "", type->message, stage.kept.items[i]->value);
  assert_true(stage.plain.size > 0);
  testing_assert_text(file, text_string(&kept), text_string(&stage.plain));
  release_all(&stage);
}

static void what_goes_in_comes_out(void **state) {
  compare_file(&kube_pod_type, "pods");
  compare_file(&kube_node_type, "nodes");
}

#define POD(name, uid, app)                                                                                  \
  "{\"metadata\":{\"namespace\":\"demo\",\"name\":\"" name "\",\"uid\":\"" uid                               \
  "\",\"resourceVersion\":\"7\",\"labels\":{\"app\":\"" app "\"}},"                                          \
  "\"spec\":{\"containers\":[{\"name\":\"main\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}}"
#define PODS(items) "{\"kind\":\"PodList\",\"items\":[" items "]}"

static Stage read_pods(const char *json) {
  Stage stage = {.shelf = kube_shelf_new(&kube_pod_type)};
  read_list(&kube_pod_type, json, strlen(json), &stage);
  return stage;
}

static const Pod *pod_at(const Stage *stage, size_t i) {
  return (const Pod *)stage->kept.items[i]->value;
}

static void equal_lists_are_kept_once(void **state) {
  Stage stage = read_pods(PODS(POD("a", "1", "web") "," POD("b", "2", "web") "," POD("c", "3", "db")));
  assert_ptr_equal(pod_at(&stage, 0)->meta.labels.items, pod_at(&stage, 1)->meta.labels.items);
  assert_ptr_equal(pod_common(pod_at(&stage, 0))->containers.items,
                   pod_common(pod_at(&stage, 1))->containers.items);
  assert_ptr_equal(pod_common(pod_at(&stage, 0))->containers.items,
                   pod_common(pod_at(&stage, 2))->containers.items);
  assert_ptr_equal(pod_at(&stage, 0)->common, pod_at(&stage, 2)->common);
  assert_ptr_not_equal(pod_at(&stage, 0)->meta.labels.items, pod_at(&stage, 2)->meta.labels.items);
  assert_string_equal(pod_at(&stage, 1)->meta.name, "b");
  assert_string_equal(OBJECT_UID(pod_at(&stage, 1)->meta.uid), "2");
  release_all(&stage);
}

static void what_nobody_names_any_more_is_given_back(void **state) {
  Stage stage = read_pods(PODS(POD("a", "1", "web") "," POD("b", "2", "web")));
  size_t count = kube_shelf_count(stage.shelf);
  kube_shelf_release(stage.shelf, stage.kept.items[1]);
  stage.kept.count--;
  assert_int_equal(kube_shelf_count(stage.shelf), count); /* the other pod names it all */
  assert_string_equal(pod_at(&stage, 0)->meta.labels.items[0].value, "web");
  release_all(&stage);
}

static void an_object_lives_as_long_as_anybody_holds_it(void **state) {
  Stage stage = read_pods(PODS(POD("a", "1", "web")));
  kube_shelf_hold(stage.kept.items[0]);
  kube_shelf_release(stage.shelf, stage.kept.items[0]);
  assert_string_equal(pod_at(&stage, 0)->meta.name, "a");
  assert_string_equal(pod_common(pod_at(&stage, 0))->containers.items[0].name, "main");
  release_all(&stage);
}

static void what_an_object_lacks_is_absent(void **state) {
  Stage stage = read_pods(PODS("{\"metadata\":{\"name\":\"n\"}}"));
  assert_string_equal(pod_at(&stage, 0)->meta.name, "n");
  assert_null(pod_at(&stage, 0)->meta.namespace_);
  assert_null(pod_at(&stage, 0)->meta.uid.text);
  assert_null(pod_at(&stage, 0)->meta.resource_version.text);
  release_all(&stage);
}

/* Thousands come and go; those that are there are as they were, and in the end nothing is left. */
static void coming_and_going_in_any_order_leaves_nothing(void **state) {
  enum { PLACES = 300, ROUNDS = 20000 };
  Random random = {.state = 20261129};
  KubeShelf *shelf = kube_shelf_new(&kube_pod_type);
  KubeKept *places[PLACES] = {NULL};
  for (int round = 0; round < ROUNDS; round++) {
    size_t at = random_below(&random, PLACES);
    char name[16], label[16], scheduler[16];
    snprintf(name, sizeof name, "p%zu", at);
    snprintf(label, sizeof label, "%zu", at % 7);
    snprintf(scheduler, sizeof scheduler, "s%zu", at % 3);
    KeyValue labels[] = {{"app", label}, {"tier", "x"}};
    PodCommon common = {.scheduler_name = scheduler, .node_selector = {labels, at % 2}};
    Pod pod = {.meta = {.name = name, .uid.text = name, .labels = {labels, 1 + at % 2}}, .common = &common};
    if (places[at]) {
      const Pod *kept = (const Pod *)places[at]->value;
      assert_string_equal(kept->meta.name, name);
      assert_string_equal(kept->meta.labels.items[0].value, label);
      assert_string_equal(kept->common->scheduler_name, scheduler);
      assert_int_equal(kept->common->node_selector.count, at % 2);
      kube_shelf_release(shelf, places[at]);
    }
    places[at] = random_below(&random, 3) ? kube_shelf_keep(shelf, &pod) : NULL;
    assert_true(kube_shelf_count(shelf) <= 3 + 7 + 14 + 3 + 24);
  }
  for (size_t i = 0; i < PLACES; i++)
    kube_shelf_release(shelf, places[i]);
  assert_int_equal(kube_shelf_count(shelf), 0);
  kube_shelf_free(shelf);
}

static void an_object_keeps_its_extra_list(void **state) {
  GpuUuid uuids[] = {{.index = 0, .bytes = {1, 2}}, {.index = 7, .bytes = {3}}};
  Node nodes[] = {{.meta.name = "n1", .gpu_uuids = {uuids, 2}}, {.meta.name = "n2"}};
  KubeShelf *shelf = kube_shelf_new(&kube_node_type);
  KubeKept *first = kube_shelf_keep(shelf, &nodes[0]), *second = kube_shelf_keep(shelf, &nodes[1]);
  const Node *kept = (const Node *)first->value;
  memset(uuids, 0xff, sizeof uuids);
  assert_string_equal(kept->meta.name, "n1");
  assert_int_equal(kept->gpu_uuids.count, 2);
  assert_int_equal(kept->gpu_uuids.items[1].index, 7);
  assert_int_equal(kept->gpu_uuids.items[1].bytes[0], 3);
  assert_int_equal(((const Node *)second->value)->gpu_uuids.count, 0);
  kube_shelf_release(shelf, first);
  kube_shelf_release(shelf, second);
  kube_shelf_free(shelf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_goes_in_comes_out),
      cmocka_unit_test(an_object_keeps_its_extra_list),
      cmocka_unit_test(equal_lists_are_kept_once),
      cmocka_unit_test(what_nobody_names_any_more_is_given_back),
      cmocka_unit_test(an_object_lives_as_long_as_anybody_holds_it),
      cmocka_unit_test(what_an_object_lacks_is_absent),
      cmocka_unit_test(coming_and_going_in_any_order_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
