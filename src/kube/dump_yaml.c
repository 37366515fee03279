/* SPDX-License-Identifier: Apache-2.0 */
/* YAML becomes JSON object by object, and is then read as all JSON is; a row of marks says for each value
 * where in the file it stood. Plain words are what JSON knows under the same name (null, true, a number),
 * else texts, so that nobody's label "no" becomes false.
 *
 * libyaml's events are used, not its trees: memory holds one object at a time. Aliases (*name) are not read,
 * so that a file cannot blow up by repeating itself; kubectl writes none. */
#include "kube/dump_parts.h"

#include "base/array.h"
#include "kube/yaml_clean.h"

#include <strings.h>
#include <yaml.h>

/* From this byte of the JSON on, values stood at this place of the file. */
typedef struct Mark {
  size_t at;
  KubeDumpPlace place;
} Mark;

/* The JSON of one object under way. */
typedef struct Rendered {
  Text json;
  ARRAY(Mark) marks;
  Error bad; /* set: the object cannot be read, though it is YAML */
  KubeDumpPlace bad_place;
} Rendered;

/* An item that has no kind, in a list that has not said its own yet. */
typedef struct Pending {
  char *json;
  size_t size;
  Mark mark;
  size_t number;
} Pending;

enum { RAW_SIZE = 4096 };

/* Bytes of the source that were not made text yet. */
typedef struct Raw {
  char bytes[RAW_SIZE];
  size_t at, size;
  bool is_end; /* there are no more */
} Raw;

typedef struct YamlDump {
  KubeDump *dump;
  Raw raw;
  const char *head; /* what was read of the stream before libyaml came */
  size_t head_size;
  Error source_error;
  yaml_parser_t parser;
  KubeDumpWords words;
  Rendered document, item;
  ARRAY(Pending) pending;
  size_t pending_size;
} YamlDump;

static void rendered_clear(Rendered *rendered) {
  text_clear(&rendered->json);
  array_clear(&rendered->marks);
  rendered->bad.code = 0;
}

/* ---- events ---- */

static size_t read_head(YamlDump *self, char *buffer, size_t room) {
  size_t size = self->head_size < room ? self->head_size : room;
  memcpy(buffer, self->head, size);
  self->head += size;
  self->head_size -= size;
  return size;
}

/* A whole character, or the end. */
static int refill(YamlDump *self) {
  Raw *raw = &self->raw;
  const KubeDumpSource *source = self->dump->source;
  while (raw->size - raw->at < KUBE_YAML_CHARACTER_MAX && !raw->is_end) {
    raw->size -= raw->at;
    memmove(raw->bytes, raw->bytes + raw->at, raw->size);
    raw->at = 0;
    size_t more = read_head(self, raw->bytes + raw->size, RAW_SIZE - raw->size);
    if (!more && source->read(source->userdata, raw->bytes + raw->size, RAW_SIZE - raw->size, &more,
                              &self->source_error) < 0)
      return -1;
    raw->size += more;
    raw->is_end = more == 0;
  }
  return 0;
}

/* Fills the room, so that what libyaml finds first does not depend on the pieces that the source has. */
static int read_source(void *userdata, unsigned char *buffer, size_t room, size_t *ret_size) {
  YamlDump *self = userdata;
  Raw *raw = &self->raw;
  size_t size = 0;
  do {
    size_t taken;
    if (refill(self) < 0)
      return 0;
    size += kube_yaml_clean(raw->bytes + raw->at, raw->size - raw->at, raw->is_end, (char *)buffer + size,
                            room - size, &taken);
    raw->at += taken;
  } while (room - size >= KUBE_YAML_CHARACTER_MAX && (raw->at < raw->size || !raw->is_end));
  *ret_size = size;
  return 1;
}

static KubeDumpPlace place_of(yaml_mark_t mark) {
  return (KubeDumpPlace){mark.line + 1, mark.column + 1};
}

static int fail_parser(YamlDump *self, Error *err) {
  const yaml_parser_t *parser = &self->parser;
  if (self->source_error.code) {
    *err = self->source_error;
    return -err->code;
  }
  if (parser->error == YAML_READER_ERROR)
    return error_set(err, ERROR_INVALID, "this is no YAML text: %s (byte %zu)",
                     parser->problem ? parser->problem : "it cannot be read", parser->problem_offset);
  error_set(err, ERROR_INVALID, "not valid YAML: %s%s%s",
            parser->problem ? parser->problem : "the parser gave up", parser->context ? " " : "",
            parser->context ? parser->context : "");
  return kube_dump_fail_at(place_of(parser->problem_mark), err);
}

static int next_event(YamlDump *self, yaml_event_t *ret_event, Error *err) {
  return yaml_parser_parse(&self->parser, ret_event) ? 0 : fail_parser(self, err);
}

/* ---- to JSON ---- */

static void set_bad(Rendered *rendered, yaml_mark_t at, const char *text) {
  if (rendered->bad.code)
    return;
  error_set(&rendered->bad, ERROR_INVALID, "%s", text);
  rendered->bad_place = place_of(at);
}

static void put(Rendered *rendered, const char *text) {
  if (rendered->json.size < KUBE_OBJECT_SIZE_MAX)
    text_append(&rendered->json, text);
}

/* NUL has no place in a C string; it becomes what the JSON reader makes of it too. */
static void put_text(Rendered *rendered, const yaml_event_t *event) {
  CLEANUP(text_deinit) Text plain = {0};
  const char *text = (const char *)event->data.scalar.value;
  size_t size = event->data.scalar.length;
  if (memmem(text, size, KUBE_YAML_MARK, strlen(KUBE_YAML_MARK)))
    set_bad(rendered, event->start_mark, "the text holds bytes that are not UTF-8, or control characters");
  while (strlen(text) < size) {
    size_t piece = strlen(text);
    text_append(&plain, text);
    text_append(&plain, "\xef\xbf\xbd");
    text += piece + 1;
    size -= piece + 1;
  }
  text_append(&plain, text);
  if (rendered->json.size + plain.size > KUBE_OBJECT_SIZE_MAX)
    set_bad(rendered, event->start_mark, "the object is too large: at most 8 MiB are read");
  else
    text_append_json(&rendered->json, text_string(&plain));
}

static bool is_one_of(const char *text, const char *const words[3]) {
  return strcmp(text, words[0]) == 0 || strcmp(text, words[1]) == 0 || strcmp(text, words[2]) == 0;
}

/* What JSON calls a plain word, or NULL where it is a text. */
static const char *plain_word(const yaml_event_t *event) {
  static const char *const nulls[] = {"null", "Null", "NULL"}, *const trues[] = {"true", "True", "TRUE"},
                           *const falses[] = {"false", "False", "FALSE"};
  const char *text = (const char *)event->data.scalar.value;
  size_t size = event->data.scalar.length;
  if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || event->data.scalar.tag)
    return NULL;
  if (size == 0 || strcmp(text, "~") == 0 || is_one_of(text, nulls))
    return "null";
  if (is_one_of(text, trues) || is_one_of(text, falses))
    return is_one_of(text, trues) ? "true" : "false";
  bool may_be_number = *text == '-' || (*text >= '0' && *text <= '9');
  return may_be_number && kube_json_fast_skip(text, size + 1, 0) == size ? text : NULL;
}

static void put_scalar(Rendered *rendered, const yaml_event_t *event) {
  const char *word = plain_word(event);
  if (word)
    put(rendered, word);
  else
    put_text(rendered, event);
}

static int render_node(YamlDump *self, Rendered *rendered, yaml_event_t *event, int depth, Error *err);

static int render_entries(YamlDump *self, Rendered *rendered, bool is_map, int depth, Error *err) {
  for (size_t i = 0;; i++) {
    CLEANUP(yaml_event_delete) yaml_event_t event = {0};
    int result = next_event(self, &event, err);
    if (result < 0)
      return result;
    if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT)
      return 0;
    bool is_key = is_map && i % 2 == 0;
    put(rendered, i == 0 ? "" : is_map && !is_key ? ":" : ",");
    if (is_key && event.type == YAML_SCALAR_EVENT) {
      put_text(rendered, &event);
      continue;
    }
    if (is_key)
      set_bad(rendered, event.start_mark, "a key is no text");
    result = render_node(self, rendered, &event, depth, err);
    if (result < 0)
      return result;
  }
}

/* The node that begins with this event, with all events up to its end. */
static int render_node(YamlDump *self, Rendered *rendered, yaml_event_t *event, int depth, Error *err) {
  *array_push(&rendered->marks) = (Mark){rendered->json.size, place_of(event->start_mark)};
  if (event->type == YAML_SCALAR_EVENT) {
    put_scalar(rendered, event);
    return 0;
  }
  if (event->type == YAML_ALIAS_EVENT) {
    set_bad(rendered, event->start_mark, "aliases (*name) are not read; write the value out");
    return 0;
  }
  if (depth == KUBE_JSON_DEPTH_MAX) {
    error_set(err, ERROR_LIMIT, "values are nested deeper than %d", KUBE_JSON_DEPTH_MAX);
    return kube_dump_fail_at(place_of(event->start_mark), err);
  }
  bool is_map = event->type == YAML_MAPPING_START_EVENT;
  put(rendered, is_map ? "{" : "[");
  int result = render_entries(self, rendered, is_map, depth + 1, err);
  put(rendered, is_map ? "}" : "]");
  return result;
}

/* ---- objects ---- */

static KubeDumpPlace locate(void *userdata, uint64_t offset) {
  const Rendered *rendered = userdata;
  size_t low = 0, high = rendered->marks.count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (rendered->marks.items[middle].at <= (offset & ~KUBE_OFFSET_UNTOLD))
      low = middle;
    else
      high = middle;
  }
  return rendered->marks.items[low].place;
}

/* Reports it where it is bad; KUBE_DUMP_NO_KIND where the list may still say what it is. */
static int take(YamlDump *self, Rendered *rendered, size_t number, bool is_last_word) {
  if (rendered->bad.code) {
    if (number)
      error_prefix(&rendered->bad, "item %zu", number);
    kube_dump_fail_at(rendered->bad_place, &rendered->bad);
    kube_dump_report(self->dump, &rendered->bad);
    return 0;
  }
  KubeDumpItem item = {.json = {text_string(&rendered->json), rendered->json.size, KUBE_OFFSET_UNTOLD},
                       .words = &self->words,
                       .is_last_word = is_last_word,
                       .number = number,
                       .locate = locate,
                       .userdata = rendered};
  return kube_dump_take(self->dump, &item);
}

static int keep_pending(YamlDump *self, size_t number, Error *err) {
  self->pending_size += self->item.json.size;
  if (self->pending_size > KUBE_DUMP_PENDING_MAX)
    return error_set(err, ERROR_LIMIT,
                     "the items have no kind, and their list has not said its own after %d MiB; "
                     "put \"kind\" in front of \"items\"",
                     KUBE_DUMP_PENDING_MAX >> 20);
  Pending *pending = array_push(&self->pending);
  pending->mark = self->item.marks.items[0];
  pending->number = number;
  pending->size = self->item.json.size;
  pending->json = text_take(&self->item.json);
  return 0;
}

static void take_pending(YamlDump *self) {
  for (size_t i = 0; i < self->pending.count; i++) {
    Pending *pending = &self->pending.items[i];
    rendered_clear(&self->item);
    text_append_bytes(&self->item.json, pending->json, pending->size);
    *array_push(&self->item.marks) = pending->mark;
    take(self, &self->item, pending->number, true);
    free(pending->json);
  }
  array_clear(&self->pending);
  self->pending_size = 0;
}

static int read_items(YamlDump *self, Error *err) {
  for (size_t number = 1;; number++) {
    CLEANUP(yaml_event_delete) yaml_event_t event = {0};
    int result = next_event(self, &event, err);
    if (result < 0 || event.type == YAML_SEQUENCE_END_EVENT)
      return result;
    rendered_clear(&self->item);
    result = render_node(self, &self->item, &event, 2, err);
    if (result == 0 && take(self, &self->item, number, false) == KUBE_DUMP_NO_KIND)
      result = keep_pending(self, number, err);
    if (result < 0)
      return result;
  }
}

/* ---- documents ---- */

static void note_word(YamlDump *self, const char *key, const yaml_event_t *event) {
  char *word = strcmp(key, "kind") == 0         ? self->words.kind
               : strcmp(key, "apiVersion") == 0 ? self->words.api_version
                                                : NULL;
  if (word && event->type == YAML_SCALAR_EVENT && event->data.scalar.length < KUBE_DUMP_WORD_SIZE)
    memcpy(word, event->data.scalar.value, event->data.scalar.length + 1); /* libyaml puts a NUL behind it */
}

static int read_member(YamlDump *self, const char *key, bool *is_list, Error *err) {
  CLEANUP(yaml_event_delete) yaml_event_t event = {0};
  int result = next_event(self, &event, err);
  if (result < 0)
    return result;
  bool is_items = strcmp(key, "items") == 0;
  if (is_items && (event.type == YAML_SEQUENCE_START_EVENT ||
                   (event.type == YAML_SCALAR_EVENT && string_equal(plain_word(&event), "null")))) {
    *is_list = true;
    return event.type == YAML_SEQUENCE_START_EVENT ? read_items(self, err) : 0;
  }
  note_word(self, key, &event);
  return render_node(self, &self->document, &event, 1, err);
}

/* YAML that is cut off between two lines is YAML, only shorter. What kubectl writes says the list's kind
 * behind its items, so that it is missed then. */
static int fail_cut(yaml_mark_t end, Error *err) {
  error_set(err, ERROR_INVALID, "the list ends without its kind: was the file cut off?");
  return kube_dump_fail_at(place_of(end), err);
}

/* Behind the start of the mapping at the top. */
static int read_mapping(YamlDump *self, yaml_mark_t start, Error *err) {
  bool is_list = false;
  yaml_mark_t end = start;
  put(&self->document, "{");
  for (size_t i = 0;; i++) {
    CLEANUP(yaml_event_delete) yaml_event_t event = {0};
    int result = next_event(self, &event, err);
    if (result < 0)
      return result;
    if (event.type == YAML_MAPPING_END_EVENT) {
      end = event.end_mark;
      break;
    }
    if (event.type != YAML_SCALAR_EVENT) {
      error_set(err, ERROR_INVALID, "a key is no text");
      return kube_dump_fail_at(place_of(event.start_mark), err);
    }
    put(&self->document, i ? "," : "");
    put_text(&self->document, &event);
    put(&self->document, ":");
    size_t size = self->document.json.size;
    result = read_member(self, (const char *)event.data.scalar.value, &is_list, err);
    if (result < 0)
      return result;
    put(&self->document, self->document.json.size == size ? "null" : "");
  }
  put(&self->document, "}");
  take_pending(self);
  if (is_list && !*self->words.kind)
    return fail_cut(end, err);
  if (is_list || take(self, &self->document, 0, false) != KUBE_DUMP_NO_KIND)
    return 0;
  error_set(err, ERROR_INVALID, "this is no Kubernetes object: it has no kind; " KUBE_DUMP_HOW);
  return kube_dump_fail_at(place_of(start), err);
}

static int read_document(YamlDump *self, const yaml_event_t *event, Error *err) {
  self->words = (KubeDumpWords){0};
  rendered_clear(&self->document);
  *array_push(&self->document.marks) = (Mark){0, place_of(event->start_mark)};
  if (event->type == YAML_MAPPING_START_EVENT)
    return read_mapping(self, event->start_mark, err);
  if (event->type == YAML_SEQUENCE_START_EVENT) {
    int result = read_items(self, err);
    take_pending(self);
    return result;
  }
  if (event->type == YAML_SCALAR_EVENT && string_equal(plain_word(event), "null"))
    return 0;
  error_set(err, ERROR_INVALID, "no Kubernetes object begins here; " KUBE_DUMP_HOW);
  return kube_dump_fail_at(place_of(event->start_mark), err);
}

static int read_stream(YamlDump *self, Error *err) {
  for (;;) {
    CLEANUP(yaml_event_delete) yaml_event_t event = {0};
    int result = next_event(self, &event, err);
    if (result < 0 || event.type == YAML_STREAM_END_EVENT)
      return result;
    if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT ||
        event.type == YAML_DOCUMENT_END_EVENT)
      continue;
    result = read_document(self, &event, err);
    if (result < 0)
      return result;
  }
}

static void rendered_deinit(Rendered *rendered) {
  text_deinit(&rendered->json);
  array_deinit(&rendered->marks);
}

static void deinit(YamlDump *self) {
  yaml_parser_delete(&self->parser);
  rendered_deinit(&self->document);
  rendered_deinit(&self->item);
  for (size_t i = 0; i < self->pending.count; i++)
    free(self->pending.items[i].json);
  array_deinit(&self->pending);
}

int kube_dump_yaml(KubeDump *dump, const char *bytes, size_t size, Error *err) {
  CLEANUP(deinit) YamlDump self = {.dump = dump, .head = bytes, .head_size = size};
  if (!yaml_parser_initialize(&self.parser))
    mem_fail();
  yaml_parser_set_encoding(&self.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input(&self.parser, read_source, &self);
  int result = read_stream(&self, err);
  if (result < 0)
    take_pending(&self);
  return result;
}
