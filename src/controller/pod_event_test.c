/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "controller/pod_event.h"

#include "base/memory.h"

#include <jansson.h>

enum { UNIQUE = 0xabcd };
static const int64_t WALL_MS = 1767225599007; /* 2025-12-31T23:59:59.007Z, 0x19b76daa41f */

/* The Event as jansson reads it; the caller releases it. */
static json_t *event_of(const Pod *pod, const char *note) {
  CLEANUP(text_deinit) Text body = {0};
  controller_pod_event_format(pod, false, note, "host", WALL_MS, UNIQUE, &body);
  json_error_t error;
  json_t *event = json_loads(text_string(&body), JSON_REJECT_DUPLICATES, &error);
  if (!event)
    fail_msg("%s in %s", error.text, text_string(&body));
  return event;
}

static void cleanup_json(json_t **json) {
  json_decref(*json);
}

static const char *note_of(const json_t *event) {
  return json_string_value(json_object_get(event, "note"));
}

static const char *name_of(const json_t *event) {
  return json_string_value(json_object_get(json_object_get(event, "metadata"), "name"));
}

static void an_event_says_who_what_when_and_why(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  CLEANUP(text_deinit) Text body = {0};
  controller_pod_event_format(&pod, true, "Creating \"slices\"", "facet-7f", WALL_MS, UNIQUE, &body);
  assert_string_equal(
      text_string(&body),
      "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"p0.19b76daa41fabcd\","
      "\"namespace\":\"demo\"},\"eventTime\":\"2025-12-31T23:59:59.007000Z\","
      "\"reportingController\":\"facet.gpu/controller\",\"reportingInstance\":\"facet-7f\","
      "\"action\":\"Repartition\",\"reason\":\"TriggeredRepartition\",\"type\":\"Normal\","
      "\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"namespace\":\"demo\",\"name\":\"p0\","
      "\"uid\":\"u-1\"},\"note\":\"Creating \\\"slices\\\"\"}");
}

static void a_refusal_has_its_own_reason(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  CLEANUP(cleanup_json) json_t *event = event_of(&pod, "no room");
  assert_string_equal(json_string_value(json_object_get(event, "reason")), "NotTriggeredRepartition");
  assert_string_equal(note_of(event), "no room");
}

static void the_unique_part_keeps_four_digits(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  CLEANUP(text_deinit) Text body = {0};
  controller_pod_event_format(&pod, true, "", "host", WALL_MS, 0x70007, &body);
  assert_non_null(strstr(text_string(&body), "\"p0.19b76daa41f0007\""));
}

static void a_name_of_any_length_gives_a_legal_event_name(void **state) {
  char name[254];
  for (size_t size = 1; size < sizeof name; size++) {
    memset(name, 'a', size);
    name[size] = '\0';
    const Pod pod = {.meta = {.name = name, .namespace_ = "demo", .uid.text = "u-1"}};
    CLEANUP(cleanup_json) json_t *event = event_of(&pod, "");
    size_t kept = strchr(name_of(event), '.') - name_of(event);
    assert_int_equal(kept, size < 200 ? size : 200);
    assert_string_equal(name_of(event) + kept, ".19b76daa41fabcd");
    /* What the Event speaks of is never cut. */
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "regarding"), "name")),
                        name);
  }
}

static void a_name_is_not_cut_behind_a_dot_or_a_dash(void **state) {
  char name[254];
  memset(name, 'a', sizeof name - 1);
  name[253] = '\0';
  memcpy(name + 197, "-.-", 3); /* the 200th character is the last '-' */
  const Pod pod = {.meta = {.name = name, .namespace_ = "demo", .uid.text = "u-1"}};
  CLEANUP(cleanup_json) json_t *event = event_of(&pod, "");
  assert_int_equal(strcspn(name_of(event), ".-"), 197);
  assert_string_equal(name_of(event) + 197, ".19b76daa41fabcd");
}

static void a_note_up_to_the_limit_stays_whole_and_a_longer_one_ends_in_dots(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  for (size_t size = CONTROLLER_NOTE_SIZE_MAX - 2; size < CONTROLLER_NOTE_SIZE_MAX + 3; size++) {
    CLEANUP(cleanup_free) char *note = mem_alloc(size + 1);
    memset(note, 'x', size);
    CLEANUP(cleanup_json) json_t *event = event_of(&pod, note);
    const char *said = note_of(event);
    if (size <= CONTROLLER_NOTE_SIZE_MAX) {
      assert_string_equal(said, note);
    } else {
      assert_int_equal(strlen(said), CONTROLLER_NOTE_SIZE_MAX);
      assert_string_equal(said + CONTROLLER_NOTE_SIZE_MAX - 4, "x...");
    }
  }
}

/* jansson refuses a text that is no UTF-8, so a character cut in two fails in event_of(). */
static void a_note_is_never_cut_inside_a_character(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  for (size_t shift = 0; shift < 4; shift++) {
    CLEANUP(text_deinit) Text note = {0};
    text_append_bytes(&note, "abc", shift);
    while (note.size < 2 * CONTROLLER_NOTE_SIZE_MAX)
      text_append(&note, "\xf0\x9f\x98\x80");
    CLEANUP(cleanup_json) json_t *event = event_of(&pod, text_string(&note));
    assert_int_equal(strlen(note_of(event)), shift + (CONTROLLER_NOTE_SIZE_MAX - 3 - shift) / 4 * 4 + 3);
  }
}

static void control_characters_and_quotes_stay_what_they_are(void **state) {
  const Pod pod = {.meta = {.name = "p0", .namespace_ = "demo", .uid.text = "u-1"}};
  static const char note[] = "tab\t newline\n bell\a \"quoted\" back\\slash";
  CLEANUP(cleanup_json) json_t *event = event_of(&pod, note);
  assert_string_equal(note_of(event), note);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_event_says_who_what_when_and_why),
      cmocka_unit_test(a_refusal_has_its_own_reason),
      cmocka_unit_test(the_unique_part_keeps_four_digits),
      cmocka_unit_test(a_name_of_any_length_gives_a_legal_event_name),
      cmocka_unit_test(a_name_is_not_cut_behind_a_dot_or_a_dash),
      cmocka_unit_test(a_note_up_to_the_limit_stays_whole_and_a_longer_one_ends_in_dots),
      cmocka_unit_test(a_note_is_never_cut_inside_a_character),
      cmocka_unit_test(control_characters_and_quotes_stay_what_they_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
