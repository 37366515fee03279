/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/pool.h"

#include "kube/reader_testing.h"

#include "base/memory.h"

/* The objects of testdata/FILE.json, one by one, through a pool and as they are. */
typedef struct Stage {
  KubePool *pool;
  Text plain, pooled;
} Stage;

static void add(void *userdata, KubeObject *object) {
  Stage *stage = userdata;
  ObjectMeta *meta = object->value;
  meta->resource_version.text = NULL;
  testing_print_message(&stage->plain, "", object->type->message, object->value);
  const void *kept = kube_pool_add(stage->pool, object->type, object->value);
  const KubeType *type = object->type;
  kube_object_free(object);
  testing_print_message(&stage->pooled, "", type->message, kept);
}

static void read_list(const KubeType *type, const char *json, size_t size, KubeOnObject *on_object,
                      void *userdata) {
  Error err;
  const char *version, *continue_;
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(type, KUBE_JSON, on_object, userdata);
  assert_int_equal(kube_list_reader_feed(reader, json, size, &err), 0);
  assert_int_equal(kube_list_reader_finish(reader, &version, &continue_, &err), 0);
}

static void compare_file(const KubeType *type, const char *file) {
  CLEANUP(text_deinit) Text json = testing_read_format(file, KUBE_JSON);
  Stage stage = {.pool = kube_pool_new()};
  read_list(type, json.bytes, json.size, add, &stage);
  assert_true(stage.plain.size > 0);
  testing_assert_text(file, text_string(&stage.pooled), text_string(&stage.plain));
  text_deinit(&stage.plain);
  text_deinit(&stage.pooled);
  kube_pool_free(stage.pool);
}

static void what_goes_in_comes_out(void **state) {
  compare_file(&kube_pod_type, "pods");
  compare_file(&kube_node_type, "nodes");
}

typedef struct Kept {
  KubePool *pool;
  const Pod *pods[4];
  size_t count;
} Kept;

static void keep(void *userdata, KubeObject *object) {
  Kept *kept = userdata;
  assert_true(kept->count < COUNT_OF(kept->pods));
  kept->pods[kept->count++] = kube_pool_add(kept->pool, object->type, object->value);
  kube_object_free(object);
}

#define POD(name, tier)                                                                                      \
  "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"labels\":{\"app\":\"web\",\"tier\":\"" tier    \
  "\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"2\"}}}]}}"

static void what_is_equal_is_kept_once(void **state) {
  static const char json[] =
      "{\"kind\":\"PodList\",\"items\":[" POD("a", "x") "," POD("b", "x") "," POD("c", "y") "]}";
  Kept kept = {.pool = kube_pool_new()};
  read_list(&kube_pod_type, json, strlen(json), keep, &kept);
  const Pod *a = kept.pods[0], *b = kept.pods[1], *c = kept.pods[2];
  assert_string_equal(a->meta.name, "a");
  assert_string_equal(b->meta.name, "b");
  assert_ptr_equal(a->meta.namespace_, c->meta.namespace_);
  assert_ptr_equal(a->meta.labels.items, b->meta.labels.items);
  assert_ptr_not_equal(a->meta.labels.items, c->meta.labels.items);
  assert_ptr_equal(a->meta.labels.items[0].value, c->meta.labels.items[0].value);
  assert_ptr_equal(pod_common(a)->containers.items, pod_common(c)->containers.items);
  assert_null(pod_common(a)->tolerations.items);
  kube_pool_free(kept.pool);
}

static void many_pods_of_one_template_cost_little_more_than_their_structs(void **state) {
  enum { PODS = 20000 };
  CLEANUP(kube_pool_freep) KubePool *pool = kube_pool_new();
  KeyValue labels[] = {{"app", "web"}}, requests[] = {{"cpu", "2"}, {"memory", "8Gi"}};
  for (int i = 0; i < PODS; i++) {
    char name[32];
    snprintf(name, sizeof name, "web-%d", i);
    Container container = {.name = "c", .requests = {requests, 2}};
    Pod pod = {.meta = {.name = name, .namespace_ = "n", .labels = {labels, 1}},
               .common = &(PodCommon){.containers = {&container, 1}}};
    const Pod *kept = kube_pool_add(pool, &kube_pod_type, &pod);
    assert_string_equal(kept->meta.name, name);
  }
  assert_in_range(kube_pool_size(pool), PODS * sizeof(Pod), PODS * (sizeof(Pod) + 32));
  size_t size = kube_pool_size(pool);
  kube_pool_seal(pool);
  assert_true(kube_pool_size(pool) < size);
}

static void long_texts_are_kept_too(void **state) {
  CLEANUP(kube_pool_freep) KubePool *pool = kube_pool_new();
  CLEANUP(cleanup_free) char *text = mem_alloc((64 << 10) + 1);
  memset(text, 'x', 64 << 10);
  KeyValue annotations[] = {{"a", text}, {"b", text}};
  for (int i = 0; i < 3; i++) {
    Node node = {.meta = {.name = "n", .annotations = {annotations, 2}}};
    const Node *kept = kube_pool_add(pool, &kube_node_type, &node);
    assert_int_equal(strlen(kept->meta.annotations.items[0].value), 64 << 10);
    assert_ptr_equal(kept->meta.annotations.items[0].value, kept->meta.annotations.items[1].value);
  }
  assert_in_range(kube_pool_size(pool), 64 << 10, 256 << 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_goes_in_comes_out),
      cmocka_unit_test(what_is_equal_is_kept_once),
      cmocka_unit_test(many_pods_of_one_template_cost_little_more_than_their_structs),
      cmocka_unit_test(long_texts_are_kept_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
