/* SPDX-License-Identifier: Apache-2.0 */
/* A continue token is "<version>:<key>": the next page begins behind that key, at that version of the store.
 */
#include "sim/apiserver/page.h"

#include <inttypes.h>
#include <string.h>

static int compare_entries(const void *a, const void *b) {
  const MapEntry *left = a, *right = b;
  return strcmp(left->key, right->key);
}

/* Sorted by key, as etcd has them. Reordering a map's entries spoils its slots: it is only walked afterwards.
 */
static void sort(Map *objects) {
  if (objects->count)
    qsort(objects->entries, objects->count, sizeof *objects->entries, compare_entries);
}

static bool read_token(const char *token, uint64_t *ret_version, const char **ret_after) {
  char *end;
  *ret_version = strtoull(token, &end, 10);
  *ret_after = end + 1;
  return end != token && *end == ':';
}

static void append_items(SimApiTexts *texts, const Map *objects, const SimApiTarget *target,
                         const char *after, Text *items, const char **ret_last) {
  uint64_t count = 0;
  *ret_last = NULL;
  const char *last = NULL;
  for (size_t i = 0; i < objects->count; i++) {
    const MapEntry *entry = &objects->entries[i];
    if (strcmp(entry->key, after) <= 0 || !sim_api_selector_matches(&target->selector, entry->value))
      continue;
    if (target->limit && count == target->limit) {
      *ret_last = last;
      return;
    }
    const Text *text = sim_api_texts_get(texts, entry->value);
    text_append(items, count++ ? "," : "");
    text_append_bytes(items, text->bytes, text->size);
    last = entry->key;
  }
}

void sim_api_page_answer(SimApiStore *store, const SimApiTarget *target, SimApiAnswer *answer) {
  uint64_t version = store->version;
  const char *after = "", *last;
  CLEANUP(map_deinit) Map objects = {0};
  CLEANUP(text_deinit) Text items = {0};
  if (target->continue_[0] && !read_token(target->continue_, &version, &after)) {
    sim_api_answer_refuse(answer, 400, "BadRequest", "continue key is not valid");
    return;
  }
  if (sim_api_store_list_at(store, target->kind, version, &objects) == SIM_API_STORE_GONE) {
    sim_api_answer_refuse(answer, 410, "Expired", "The provided continue parameter is too old");
    return;
  }
  sort(&objects);
  append_items(&store->texts, &objects, target, after, &items, &last);
  text_format(&answer->body,
              "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"",
              sim_api_kinds[target->kind].kind, sim_api_kinds[target->kind].api_version, version);
  if (last)
    text_format(&answer->body, ",\"continue\":\"%" PRIu64 ":%s\"", version, last);
  text_append(&answer->body, "},\"items\":[");
  text_append_bytes(&answer->body, items.bytes, items.size);
  text_append(&answer->body, "]}");
}
