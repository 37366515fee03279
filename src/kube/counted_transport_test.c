/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "kube/counted_transport.h"
#include "kube/fake_transport.h"

typedef struct World {
  Host host;
  FakeTransport fake;
  KubeCounted *counted;
  char told[256];   /* "GET 200 5;" and so on */
  int heads, dones; /* as the owner heard */
  size_t body_size;
  KubeCall *call;
  bool cancels_at_head, cancels_at_body;
} World;

static void on_counted(void *userdata, const char *method, int status, uint64_t took_ms) {
  World *world = userdata;
  size_t used = strlen(world->told);
  snprintf(world->told + used, sizeof world->told - used, "%s %d %d;", method, status, (int)took_ms);
}

static void on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  World *world = userdata;
  world->heads++;
  if (world->cancels_at_head)
    kube_transport_cancel(kube_counted_seam(world->counted), world->call);
}

static void on_body(void *userdata, const void *bytes, size_t size) {
  World *world = userdata;
  world->body_size += size;
  if (world->cancels_at_body)
    kube_transport_cancel(kube_counted_seam(world->counted), world->call);
}

static void on_done(void *userdata, const Error *err) {
  ((World *)userdata)->dones++;
}

static int set_up(void **state) {
  World *world = mem_alloc(sizeof *world);
  host_init(&world->host, 1);
  host_advance(&world->host, 1000, 0);
  fake_init(&world->fake);
  world->counted = kube_counted_new(&world->host, &world->fake.seam, on_counted, world);
  *state = world;
  return 0;
}

static int tear_down(void **state) {
  World *world = *state;
  kube_counted_free(world->counted);
  fake_deinit(&world->fake);
  host_deinit(&world->host);
  free(world);
  return 0;
}

/* Starts a call; returns it as the inner transport has it. */
static KubeCall *start(World *world, const char *method, const char *path) {
  world->call = kube_transport_start(kube_counted_seam(world->counted), &(KubeRequest){.method = method,
                                                                                       .path = path,
                                                                                       .on_head = on_head,
                                                                                       .on_body = on_body,
                                                                                       .on_done = on_done,
                                                                                       .userdata = world});
  return fake_open_call(&world->fake);
}

static void an_answer_is_passed_on_and_counted_once(void **state) {
  World *world = *state;
  KubeCall *inner = start(world, "PATCH", "/x");
  assert_string_equal(inner->request.path, "/x");
  host_advance(&world->host, 1007, 0);
  fake_answer(inner, 409, "hello");
  assert_string_equal(world->told, "PATCH 409 7;");
  assert_int_equal(world->heads * 100 + world->dones * 10 + (int)world->body_size, 115);
}

static void a_connection_that_breaks_is_no_answer(void **state) {
  World *world = *state;
  KubeCall *inner = start(world, "GET", "/x");
  fake_head(inner, 200, -1);
  fake_break(inner);
  assert_string_equal(world->told, "GET 0 0;");
  assert_int_equal(world->dones, 1);
}

static void a_watch_is_counted_when_it_opens(void **state) {
  World *world = *state;
  KubeCall *inner = start(world, "GET", "/x?watch=1&y");
  fake_head(inner, 200, -1);
  assert_string_equal(world->told, "WATCH 200 0;");
  fake_break(inner);
  assert_string_equal(world->told, "WATCH 200 0;");
  fake_break(start(world, "GET", "/x?watch=1&y"));
  assert_string_equal(world->told, "WATCH 200 0;WATCH 0 0;");
}

static void a_call_may_be_cancelled_at_any_time(void **state) {
  World *world = *state;
  const KubeCall *inner = start(world, "GET", "/x");
  kube_transport_cancel(kube_counted_seam(world->counted), world->call);
  assert_true(inner->was_cancelled);
  world->cancels_at_head = true;
  KubeCall *watch = start(world, "GET", "/x?watch=1");
  fake_head(watch, 200, -1);
  assert_true(watch->was_cancelled);
  world->cancels_at_head = false;
  world->cancels_at_body = true;
  KubeCall *third = start(world, "GET", "/x");
  fake_head(third, 200, -1);
  fake_body(third, "b");
  assert_true(third->was_cancelled);
  assert_int_equal(world->dones, 0);
  assert_string_equal(world->told, "WATCH 200 0;");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(an_answer_is_passed_on_and_counted_once),
      TEST(a_connection_that_breaks_is_no_answer),
      TEST(a_watch_is_counted_when_it_opens),
      TEST(a_call_may_be_cancelled_at_any_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
