/* SPDX-License-Identifier: Apache-2.0 */
/* The quick way says what the careful one says, of sound values and of damaged ones. FACET_SEED=n replays a
 * run. */
#include "kube/json_fast.h"

#include "base/test.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "kube/json_scan.h"
#include "kube/reader.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 40000, LARGEST = 400 };

static uint64_t seed_of_run(void) {
  const char *text = getenv("FACET_SEED");
  return text ? strtoull(text, NULL, 10) : 20261128;
}

/* ---- an oracle: one byte at a time ---- */

static size_t slow_plain(const char *text, size_t size) {
  size_t i = 0;
  while (i < size && text[i] != '"' && text[i] != '\\' && (unsigned char)text[i] >= 0x20)
    i++;
  return i;
}

static size_t slow_space(const char *text, size_t size) {
  size_t i = 0;
  while (i < size && kube_json_is_space(text[i]))
    i++;
  return i;
}

/* The size of the value by the careful scan; 0 where it is broken or goes on. */
static size_t slow_skip(const char *text, size_t size, int depth) {
  KubeJsonScan scan = {.outer = KUBE_JSON_DEPTH_MAX - depth};
  KubeBytes rest = {text, size, 0};
  Error err;
  return kube_json_scan(&scan, &rest, &err) == KUBE_JSON_DONE ? (size_t)rest.offset : 0;
}

/* Where the value ends by counting brackets byte by byte; 0 where it goes on. */
static size_t slow_end(const char *text, size_t size) {
  bool in_string = false, escaped = false;
  int depth = 0;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    bool is_escaped = escaped && c != '\n';
    escaped = false;
    if (in_string && !is_escaped) {
      escaped = c == '\\';
      in_string = c != '"' && c != '\n';
    } else if (!in_string) {
      in_string = c == '"';
      depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    if (!in_string && depth <= 0)
      return i + 1;
  }
  return 0;
}

/* ---- random JSON ---- */

static void put_random(Random *random, Text *out, int depth);

static void put_space(Random *random, Text *out) {
  static const char *const spaces[] = {"", "", " ", "\n    ", "\n                    ", "\t\r\n"};
  text_append(out, spaces[random_below(random, COUNT_OF(spaces))]);
}

static void put_text(Random *random, Text *out) {
  static const char *const pieces[] = {
      "a", "kubernetes.io/hostname", "\\\"", "\\\\", "\\u00e9", "{", "]", "\xc3\xa9", ": ,"};
  text_append(out, "\"");
  for (uint64_t n = random_below(random, 6); n > 0; n--)
    text_append(out, pieces[random_below(random, COUNT_OF(pieces))]);
  text_append(out, "\"");
}

static void put_brackets(Random *random, Text *out, int depth) {
  bool object = random_below(random, 2);
  text_append(out, object ? "{" : "[");
  uint64_t count = random_below(random, 4);
  for (uint64_t i = 0; i < count; i++) {
    text_append(out, i ? "," : "");
    put_space(random, out);
    if (object) {
      put_text(random, out);
      put_space(random, out);
      text_append(out, ":");
    }
    put_random(random, out, depth + 1);
  }
  put_space(random, out);
  text_append(out, object ? "}" : "]");
}

static void put_random(Random *random, Text *out, int depth) {
  static const char *const scalars[] = {"0", "-1.5e+3", "true", "false", "null", "12345678901234567890"};
  put_space(random, out);
  if (depth < 6 && random_below(random, 3))
    put_brackets(random, out, depth);
  else if (random_below(random, 2))
    put_text(random, out);
  else
    text_append(out, scalars[random_below(random, COUNT_OF(scalars))]);
}

static void damage(Random *random, Text *json) {
  static const char interesting[] = "\"\\{}[]:,\n 0tu\x01\xff";
  for (uint64_t n = random_below(random, 3); n > 0 && json->size > 0; n--)
    json->bytes[random_below(random, json->size)] = interesting[random_below(random, sizeof interesting - 1)];
  if (random_below(random, 4) == 0)
    json->size = random_below(random, json->size + 1);
}

/* In memory of exactly its size, so that a sanitizer sees the first byte read behind it. */
static char *exact(const Text *json) {
  char *copy = mem_alloc(json->size ? json->size : 1);
  memcpy(copy, text_string(json), json->size);
  return copy;
}

static void the_quick_way_says_what_the_careful_one_says(void **state) {
  Random random = {seed_of_run()};
  for (int round = 0; round < ROUNDS; round++) {
    CLEANUP(text_deinit) Text json = {0};
    put_random(&random, &json, 0);
    text_append(&json, " ");
    damage(&random, &json);
    CLEANUP(cleanup_free) char *text = exact(&json);
    int depth = (int)random_below(&random, 8);
    size_t quick = kube_json_fast_skip(text, json.size, depth), careful = slow_skip(text, json.size, depth);
    if (quick != careful)
      fail_msg("seed %llu, round %d, depth %d: %zu bytes instead of %zu of: %.*s",
               (unsigned long long)seed_of_run(), round, depth, quick, careful, (int)json.size, text);
    assert_int_equal(kube_json_fast_plain(text, json.size), slow_plain(text, json.size));
    assert_int_equal(kube_json_fast_space(text, json.size), slow_space(text, json.size));
  }
}

/* The end by pieces of a random size; 0 where it goes on. */
static size_t find_end(Random *random, const char *text, size_t size) {
  KubeJsonEnd end = {0};
  KubeBytes all = {text, size, 0};
  while (all.size > 0) {
    size_t piece = 1 + random_below(random, all.size < 200 ? all.size : 200);
    CLEANUP(cleanup_free) char *copy = mem_alloc(piece);
    memcpy(copy, all.at, piece);
    KubeBytes rest = {copy, piece, all.offset};
    bool found = kube_json_end_find(&end, &rest);
    if (found)
      return (size_t)rest.offset;
    assert_int_equal(rest.size, 0);
    kube_bytes_advance(&all, piece);
  }
  return 0;
}

static void an_end_is_found_where_counting_finds_it_at_any_split(void **state) {
  Random random = {seed_of_run()};
  for (int round = 0; round < ROUNDS; round++) {
    CLEANUP(text_deinit) Text json = {0};
    put_brackets(&random, &json, 0);
    damage(&random, &json);
    if (!json.size || !strchr("{[\"", *json.bytes) || !*json.bytes)
      continue;
    size_t found = find_end(&random, json.bytes, json.size), wanted = slow_end(json.bytes, json.size);
    if (found != wanted)
      fail_msg("seed %llu, round %d: %zu instead of %zu of: %.*s", (unsigned long long)seed_of_run(), round,
               found, wanted, (int)json.size, json.bytes);
  }
}

static void a_value_ends_wherever_the_blocks_of_bytes_begin(void **state) {
  for (size_t before = 0; before < LARGEST; before++) {
    CLEANUP(text_deinit) Text json = {0};
    text_append(&json, "[\"");
    for (size_t i = 0; i < before; i++)
      text_append(&json, i % 3 ? "\\\"" : "]");
    text_append(&json, "\"]");
    KubeJsonEnd end = {0};
    size_t size = json.size;
    text_append(&json, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    KubeBytes rest = {text_string(&json), json.size, 0};
    assert_true(kube_json_end_find(&end, &rest));
    assert_int_equal(rest.offset, size);
  }
}

static void an_end_of_line_ends_a_string(void **state) {
  static const char json[] = "{\"a\": \"b,\n \"c\": 1}\n,";
  KubeJsonEnd end = {0};
  KubeBytes rest = {json, strlen(json), 0};
  assert_true(kube_json_end_find(&end, &rest));
  assert_string_equal(rest.at, "\n,");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_quick_way_says_what_the_careful_one_says),
      cmocka_unit_test(an_end_is_found_where_counting_finds_it_at_any_split),
      cmocka_unit_test(a_value_ends_wherever_the_blocks_of_bytes_begin),
      cmocka_unit_test(an_end_of_line_ends_a_string),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
