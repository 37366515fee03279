/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/random.h"
#include "sim/apiserver/store.h"

static void assert_same(const json_t *value) {
  CLEANUP(text_deinit) Text text = {0};
  CLEANUP(cleanup_free) char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  sim_api_encode(value, &text);
  assert_string_equal(text_string(&text), expected);
}

static void every_kind_of_value_is_written_as_jansson_writes_it(void **state) {
  static const char *const texts[] = {
      "{}",
      "[]",
      "{\"b\":1,\"a\":[true,false,null,-7,9223372036854775807,0.1,1e300,-2.5],\"\":{\"\":[]}}",
      "[[[]],{},[{}],\"\"]",
      "\"\\u0001\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\\u007f\\u00e9\\u20ac\\ud83d\\ude00\"",
      "{\"a\\nb\\\"\":\"x\"}",
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    json_error_t problem;
    json_auto_t *value = json_loads(texts[i], JSON_DECODE_ANY, &problem);
    assert_non_null(value);
    assert_same(value);
  }
}

static void every_byte_that_needs_an_escape_gets_it_wherever_it_stands(void **state) {
  for (int byte = 0; byte < 0x80; byte++) {
    const char c = (char)byte;
    const char text[] = {c, 'a', c, c, 'b', 'c', c};
    json_auto_t *value = json_stringn(text, sizeof text);
    assert_same(value);
  }
}

static json_t *draw(Random *random, int depth) {
  char key[24];
  uint64_t kind = random_below(random, depth ? 5 : 3);
  if (kind == 0)
    return json_integer((json_int_t)random_next(random));
  if (kind == 1)
    return json_string(random_below(random, 2) ? "a \"quoted\" word" : "plain");
  if (kind == 2)
    return random_below(random, 2) ? json_null() : json_boolean(random_below(random, 2));
  json_t *value = kind == 3 ? json_array() : json_object();
  for (uint64_t i = random_below(random, 6); i > 0; i--) {
    snprintf(key, sizeof key, "k%u", (unsigned)random_below(random, 1000));
    if (kind == 3)
      json_array_append_new(value, draw(random, depth - 1));
    else
      json_object_set_new(value, key, draw(random, depth - 1));
  }
  return value;
}

static void random_trees_are_written_as_jansson_writes_them(void **state) {
  Random random = {.state = 1};
  for (int i = 0; i < 500; i++) {
    json_auto_t *value = draw(&random, 5);
    assert_same(value);
  }
}

static void put(SimApiStore *store, const char *key, int value) {
  sim_api_store_put(store, SIM_API_NODES, key,
                    json_pack("{s:{s:s},s:i}", "metadata", "name", key, "v", value));
}

/* More than are kept, and in an order in which they drive each other out. */
static void the_text_of_each_version_is_its_own(void **state) {
  SimApiStore store;
  sim_api_store_init(&store);
  for (int i = 0; i < 2 * SIM_API_TEXTS_MAX + 3; i++)
    put(&store, i % 2 ? "a" : "b", i);
  sim_api_store_remove(&store, SIM_API_NODES, "a");
  for (int round = 0; round < 2; round++)
    for (size_t i = 0; i < store.history.count; i++) {
      size_t at = round ? store.history.count - 1 - i : i;
      const json_t *object = store.history.items[at].object;
      CLEANUP(cleanup_free) char *expected = json_dumps(object, JSON_COMPACT);
      assert_string_equal(text_string(sim_api_texts_get(&store.texts, object)), expected);
      assert_string_equal(text_string(sim_api_texts_get(&store.texts, object)), expected);
    }
  sim_api_store_deinit(&store);
}

static void the_text_of_a_version_is_made_once(void **state) {
  SimApiStore store;
  sim_api_store_init(&store);
  put(&store, "a", 1);
  const json_t *object = sim_api_store_find(&store, SIM_API_NODES, "a");
  const char *text = text_string(sim_api_texts_get(&store.texts, object));
  json_auto_t *other = json_deep_copy(object);
  json_object_set_new(other, "v", json_integer(2));
  /* No such thing exists in a store: two objects of one version. */
  assert_ptr_equal(text_string(sim_api_texts_get(&store.texts, other)), text);
  assert_non_null(strstr(text, "\"v\":1"));
  sim_api_store_deinit(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_value_is_written_as_jansson_writes_it),
      cmocka_unit_test(every_byte_that_needs_an_escape_gets_it_wherever_it_stands),
      cmocka_unit_test(random_trees_are_written_as_jansson_writes_them),
      cmocka_unit_test(the_text_of_each_version_is_its_own),
      cmocka_unit_test(the_text_of_a_version_is_made_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
