/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/index.h"

#include "base/test.h"

#include "base/random.h"

static KubeKept *make(KubeShelf *shelf, const char *namespace_, const char *name) {
  Pod pod = {.meta = {.name = name, .namespace_ = namespace_}, .common = &(PodCommon){.phase = NULL}};
  return kube_shelf_keep(shelf, &pod);
}

static void empty(KubeShelf *shelf, KubeIndex *index) {
  for (size_t i = 0; i < index->items.count; i++)
    kube_shelf_release(shelf, index->items.items[i]);
  kube_index_deinit(index);
  kube_shelf_free(shelf);
}

static void an_object_is_found_by_namespace_and_name(void **state) {
  KubeShelf *shelf = kube_shelf_new(&kube_pod_type);
  KubeIndex index = {0};
  assert_null(kube_index_find_key(&index, "demo/a"));
  KubeKept *demo = make(shelf, "demo", "a"), *other = make(shelf, "other", "a"),
           *bare = make(shelf, NULL, "a");
  assert_null(kube_index_put(&index, demo));
  assert_null(kube_index_put(&index, other));
  assert_null(kube_index_put(&index, bare));
  assert_ptr_equal(kube_index_find_key(&index, "demo/a"), demo);
  assert_ptr_equal(kube_index_find_key(&index, "other/a"), other);
  assert_ptr_equal(kube_index_find_key(&index, "a"), bare);
  assert_ptr_equal(kube_index_find(&index, &(ObjectMeta){.name = "a", .namespace_ = ""}), bare);
  assert_ptr_equal(kube_index_find(&index, &(ObjectMeta){.name = "a", .namespace_ = "demo"}), demo);
  assert_null(kube_index_find_key(&index, "dem/a"));
  assert_null(kube_index_find_key(&index, "demo/ab"));
  assert_null(kube_index_remove(&index, &(ObjectMeta){.name = "b"}));
  empty(shelf, &index);
}

static void one_of_the_same_name_takes_the_place(void **state) {
  KubeShelf *shelf = kube_shelf_new(&kube_pod_type);
  KubeIndex index = {0};
  KubeKept *first = make(shelf, "demo", "a"), *second = make(shelf, "demo", "a");
  kube_index_put(&index, first);
  kube_index_put(&index, make(shelf, "demo", "b"));
  assert_ptr_equal(kube_index_put(&index, second), first);
  assert_int_equal(index.items.count, 2);
  assert_ptr_equal(index.items.items[0], second);
  kube_shelf_release(shelf, first);
  empty(shelf, &index);
}

/* Hundreds come and go; each that is there is found, and stands where a removal's rule puts it. */
static void coming_and_going_in_any_order_loses_none(void **state) {
  enum { PLACES = 300, ROUNDS = 20000 };
  Random random = {.state = 20261130};
  KubeShelf *shelf = kube_shelf_new(&kube_pod_type);
  KubeIndex index = {0};
  KubeKept *there[PLACES] = {NULL};
  for (int round = 0; round < ROUNDS; round++) {
    size_t at = random_below(&random, PLACES);
    char name[32], key[64];
    snprintf(name, sizeof name, "p%zu", at / 3);
    snprintf(key, sizeof key, "n%zu/%s", at % 3, name);
    assert_ptr_equal(kube_index_find_key(&index, key), there[at]);
    key[2] = '\0';
    KubeKept *last = index.items.count ? index.items.items[index.items.count - 1] : NULL;
    if (there[at]) {
      size_t place = 0;
      while (index.items.items[place] != there[at])
        place++;
      assert_ptr_equal(kube_index_remove(&index, &(ObjectMeta){.name = name, .namespace_ = key}), there[at]);
      assert_true(last == there[at] || index.items.items[place] == last);
      kube_shelf_release(shelf, there[at]);
      there[at] = NULL;
    } else {
      there[at] = make(shelf, key, name);
      assert_null(kube_index_put(&index, there[at]));
    }
  }
  empty(shelf, &index);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_object_is_found_by_namespace_and_name),
      cmocka_unit_test(one_of_the_same_name_takes_the_place),
      cmocka_unit_test(coming_and_going_in_any_order_loses_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
