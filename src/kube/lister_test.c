/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/lister.h"

#include "base/test.h"

#include "base/text.h"
#include "cluster/object.h"
#include "kube/fake_transport.h"

typedef struct Stage {
  FakeTransport fake;
  KubeLister *lister;
  Text diary;
} Stage;

static void on_object(void *userdata, KubeObject *object) {
  Stage *stage = userdata;
  const ObjectMeta *meta = object->value;
  text_format(&stage->diary, "+%s ", string_or_empty(meta->name));
  kube_object_free(object);
}

static void on_done(void *userdata, const Error *err) {
  Stage *stage = userdata;
  text_format(&stage->diary, "done: %s", err ? err->text : "all");
}

static int set_up(void **state) {
  Stage *stage = mem_alloc(sizeof *stage);
  fake_init(&stage->fake);
  KubeListerOptions options = {
      .type = &kube_node_type, .on_object = on_object, .on_done = on_done, .userdata = stage};
  stage->lister = kube_lister_new(&stage->fake.seam, &options);
  *state = stage;
  return 0;
}

static int tear_down(void **state) {
  Stage *stage = *state;
  size_t open = 0;
  kube_lister_free(stage->lister);
  for (size_t i = 0; i < stage->fake.calls.count; i++)
    open += !stage->fake.calls.items[i]->is_over;
  fake_deinit(&stage->fake);
  text_deinit(&stage->diary);
  free(stage);
  return open ? -1 : 0;
}

#define PAGE(continue_token, name)                                                                           \
  "{\"kind\":\"NodeList\",\"metadata\":{\"continue\":\"" continue_token                                      \
  "\"},\"items\":[{\"metadata\":{\"name\":\"" name "\"}}]}"

static void pages_are_asked_for_one_after_the_other(void **state) {
  Stage *stage = *state;
  assert_string_equal(fake_open_call(&stage->fake)->request.method, "GET");
  assert_string_equal(fake_open_call(&stage->fake)->request.path, "/api/v1/nodes?limit=500");
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("a/b=", "n1"));
  assert_string_equal(fake_open_call(&stage->fake)->request.path,
                      "/api/v1/nodes?limit=500&continue=a%2Fb%3D");
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("", "n2"));
  assert_string_equal(text_string(&stage->diary), "+n1 +n2 done: all");
  assert_int_equal(stage->fake.calls.count, 2);
}

static void a_refusal_ends_it_with_the_servers_words(void **state) {
  Stage *stage = *state;
  fake_answer(fake_open_call(&stage->fake), 403,
              "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"nodes is "
              "forbidden\",\"reason\":\"Forbidden\",\"code\":403}");
  assert_non_null(strstr(text_string(&stage->diary), "nodes is forbidden"));
  assert_true(string_has_prefix(text_string(&stage->diary), "done: "));
}

static void a_page_that_the_server_has_forgotten_ends_it(void **state) {
  Stage *stage = *state;
  fake_answer(fake_open_call(&stage->fake), 200, PAGE("x", "n1"));
  fake_answer(fake_open_call(&stage->fake), 410,
              "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"too "
              "old\",\"reason\":\"Expired\",\"code\":410}");
  assert_true(string_has_prefix(text_string(&stage->diary), "+n1 done: "));
  assert_non_null(strstr(text_string(&stage->diary), "too old"));
}

static void a_broken_connection_ends_it(void **state) {
  Stage *stage = *state;
  fake_break(fake_open_call(&stage->fake));
  assert_string_equal(text_string(&stage->diary), "done: the connection broke");
}

static void an_answer_that_is_no_list_ends_it(void **state) {
  Stage *stage = *state;
  fake_answer(fake_open_call(&stage->fake), 200, "{\"kind\":\"PodList\"}");
  assert_true(string_has_prefix(text_string(&stage->diary), "done: list of Nodes: "));
}

static void half_an_answer_ends_it(void **state) {
  Stage *stage = *state;
  fake_answer(fake_open_call(&stage->fake), 200, "{\"kind\":\"NodeList\",");
  assert_string_equal(text_string(&stage->diary),
                      "done: list of Nodes: the answer ends in the middle, after 19 bytes");
}

static void freeing_it_cancels_what_is_under_way(void **state) {
  Stage *stage = *state;
  KubeCall *call = fake_open_call(&stage->fake);
  fake_head(call, 200, -1);
  fake_body(call, "{\"kind\":");
  kube_lister_free(TAKE(stage->lister));
  assert_true(call->was_cancelled);
  assert_int_equal(stage->diary.size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(pages_are_asked_for_one_after_the_other),
      TEST(a_refusal_ends_it_with_the_servers_words),
      TEST(a_page_that_the_server_has_forgotten_ends_it),
      TEST(a_broken_connection_ends_it),
      TEST(an_answer_that_is_no_list_ends_it),
      TEST(half_an_answer_ends_it),
      TEST(freeing_it_cancels_what_is_under_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
