/* SPDX-License-Identifier: Apache-2.0 */
/* A document is a list as long as it shows "items"; until then its text is kept, for it may be an object of
 * its own. Lines are counted up to a mark that follows the items:
 *
 *     | ... read, gone ... | item (gathered where it spans two pieces) | rest of the piece |
 *                          ^ mark
 */
#include "kube/dump_parts.h"
#include "kube/list.h"

#include "base/array.h"

#include <string.h>

enum { PIECE = 256 << 10 };

/* A place in the stream whose line is known. All offsets here are untold ones: errors say line and column. */
typedef struct Mark {
  uint64_t offset;
  size_t line;         /* from 0 */
  uint64_t line_start; /* offset of the line's first byte */
} Mark;

/* An item that has no kind, in a list that has not said its own yet. */
typedef struct Pending {
  size_t at, size; /* in the text of all of them */
  Mark mark;
  size_t number;
} Pending;

typedef struct JsonDump {
  KubeDump *dump;
  KubeJsonList list;
  bool in_document, is_list;
  bool has_no_items; /* says "items": null */
  bool is_placed;    /* the error has its line already */
  KubeDumpWords words;
  Text document; /* as long as it is no list */
  Mark document_mark;
  KubeBytes piece; /* what is being fed */
  KubeBytes *rest; /* what is left of it */
  Mark mark;
  Mark large_mark; /* while is_in_large */
  bool is_in_large;
  size_t item_count;
  Text pending_text;
  ARRAY(Pending) pending;
} JsonDump;

/* ---- lines ---- */

static void move_mark(Mark *mark, KubeBytes bytes, uint64_t offset) {
  const char *at = bytes.at + (mark->offset - bytes.offset), *end = bytes.at + (offset - bytes.offset);
  while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
    at++;
    mark->line++;
    mark->line_start = bytes.offset + (uint64_t)(at - bytes.at);
  }
  mark->offset = offset;
}

static void move_in_piece(JsonDump *self, uint64_t offset) {
  if (offset > self->mark.offset && self->mark.offset >= self->piece.offset)
    move_mark(&self->mark, self->piece, offset);
}

static KubeDumpPlace place_of(const Mark *mark) {
  return (KubeDumpPlace){mark->line + 1, (size_t)(mark->offset - mark->line_start) + 1};
}

/* A stretch of bytes, and the mark where it begins. */
typedef struct Stretch {
  KubeBytes bytes;
  Mark mark;
} Stretch;

static KubeDumpPlace locate(void *userdata, uint64_t offset) {
  const Stretch *stretch = userdata;
  Mark mark = stretch->mark;
  uint64_t end = stretch->bytes.offset + stretch->bytes.size;
  move_mark(&mark, stretch->bytes, offset < end ? offset : end);
  return place_of(&mark);
}

/* ---- objects ---- */

static int try_object(JsonDump *self, Stretch *stretch, size_t number, bool is_last_word, Error *err) {
  KubeDumpItem item = {.json = stretch->bytes,
                       .words = &self->words,
                       .is_last_word = is_last_word,
                       .number = number,
                       .locate = locate,
                       .userdata = stretch};
  return kube_dump_try(self->dump, &item, err);
}

static int take_object(JsonDump *self, Stretch *stretch, size_t number, bool is_last_word) {
  Error bad;
  int result = try_object(self, stretch, number, is_last_word, &bad);
  if (result < 0)
    kube_dump_report(self->dump, &bad);
  return result;
}

static int keep_pending(JsonDump *self, const Stretch *stretch, Error *err) {
  if (self->pending_text.size + stretch->bytes.size > KUBE_DUMP_PENDING_MAX)
    return error_set(err, ERROR_LIMIT,
                     "the items have no kind, and their list has not said its own after %d MiB; "
                     "put \"kind\" in front of \"items\"",
                     KUBE_DUMP_PENDING_MAX >> 20);
  *array_push(&self->pending) =
      (Pending){self->pending_text.size, stretch->bytes.size, stretch->mark, self->item_count};
  text_append_bytes(&self->pending_text, stretch->bytes.at, stretch->bytes.size);
  return 0;
}

/* Of an item that is too large only the beginning is there: its lines are counted as they pass, by a mark of
 * their own, up to this place of the piece. */
static void follow_large(JsonDump *self, uint64_t offset) {
  const Text *kept = &self->list.value.kept;
  if (!self->is_in_large) {
    KubeBytes bytes = {text_string(kept), kept->size, self->mark.offset};
    self->large_mark = self->mark;
    move_mark(&self->large_mark, bytes, bytes.offset + bytes.size);
    self->is_in_large = true;
  }
  move_mark(&self->large_mark, self->piece, offset);
}

static void report_large(JsonDump *self, uint64_t end) {
  Error bad;
  error_set(&bad, ERROR_LIMIT, "item %zu: the object is larger than %d bytes", self->item_count,
            KUBE_OBJECT_SIZE_MAX);
  kube_dump_fail_at(place_of(&self->mark), &bad);
  kube_dump_report(self->dump, &bad);
  follow_large(self, end);
  self->mark = self->large_mark;
  self->is_in_large = false;
}

static int on_item(void *userdata, KubeBytes bytes, Error *err) {
  JsonDump *self = userdata;
  move_in_piece(self, bytes.offset);
  Stretch stretch = {bytes, self->mark};
  self->item_count++;
  if (self->list.value.is_cut) {
    report_large(self, self->rest->offset);
    return 0;
  }
  int result = take_object(self, &stretch, self->item_count, false);
  if (bytes.offset < self->piece.offset)
    move_mark(&self->mark, bytes, bytes.offset + bytes.size);
  return result == KUBE_DUMP_NO_KIND ? keep_pending(self, &stretch, err) : 0;
}

static void take_pending(JsonDump *self) {
  for (size_t i = 0; i < self->pending.count; i++) {
    const Pending *pending = &self->pending.items[i];
    KubeBytes bytes = {text_string(&self->pending_text) + pending->at, pending->size, pending->mark.offset};
    take_object(self, &(Stretch){bytes, pending->mark}, pending->number, true);
  }
  array_clear(&self->pending);
  text_deinit(&self->pending_text);
}

/* ---- documents ---- */

static void note_word(KubeBytes value, char word[KUBE_DUMP_WORD_SIZE]) {
  KubeJson json = {.rest = value};
  KubeJsonText text;
  Error ignored;
  if (kube_json_read_text(&json, &text, &ignored) == 0 && text.raw.size < KUBE_DUMP_WORD_SIZE) {
    memcpy(word, text.raw.at, text.raw.size);
    word[text.raw.size] = '\0';
  }
}

static int on_member(void *userdata, KubeJsonListMember member, KubeBytes value, Error *err) {
  JsonDump *self = userdata;
  KubeJson json = {.rest = value};
  if (member == KUBE_JSON_LIST_KIND)
    note_word(value, self->words.kind);
  if (member == KUBE_JSON_LIST_API_VERSION)
    note_word(value, self->words.api_version);
  if (member == KUBE_JSON_LIST_ITEMS)
    self->has_no_items = kube_json_kind(&json) == KUBE_JSON_KIND_NULL;
  return 0;
}

/* What stands in front of the items was passed over in haste; its grammar is made good for here. */
static int on_items(void *userdata, uint64_t offset, Error *err) {
  JsonDump *self = userdata;
  KubeJsonScan scan = {0};
  if (self->is_list) /* it says its items twice */
    return 0;
  uint64_t from = self->document_mark.offset + self->document.size;
  text_append_bytes(&self->document, self->piece.at + (from - self->piece.offset), (size_t)(offset - from));
  KubeBytes bytes = {text_string(&self->document), self->document.size, self->document_mark.offset};
  KubeBytes rest = bytes;
  self->is_list = true;
  self->list.take_others = KUBE_JSON_PASS;
  if (kube_json_scan(&scan, &rest, err) < 0) {
    self->is_placed = true;
    return kube_dump_fail_at(locate(&(Stretch){bytes, self->document_mark}, rest.offset), err);
  }
  text_clear(&self->document);
  return 0;
}

/* The mark stands where a word began that goes on in this piece, and is wrong here. */
static void catch_up(JsonDump *self) {
  const Text *kept = &self->list.value.kept;
  if (self->mark.offset + kept->size == self->piece.offset)
    move_mark(&self->mark, (KubeBytes){text_string(kept), kept->size, self->mark.offset}, self->piece.offset);
}

static int fail_here(JsonDump *self, uint64_t offset, Error *err) {
  catch_up(self);
  move_in_piece(self, offset);
  return kube_dump_fail_at(place_of(&self->mark), err);
}

static int begin_document(JsonDump *self, const KubeBytes *rest, Error *err) {
  if (*rest->at != '{' && *rest->at != '[') {
    error_set(err, ERROR_INVALID, "no JSON object begins here; " KUBE_DUMP_HOW);
    return fail_here(self, rest->offset, err);
  }
  move_in_piece(self, rest->offset);
  Text kept = self->list.value.kept;
  self->in_document = true;
  self->is_list = *rest->at == '[';
  self->has_no_items = false;
  self->list = (KubeJsonList){.take_others = KUBE_JSON_SEEK, .value.kept = kept};
  self->document_mark = self->mark;
  self->words = (KubeDumpWords){0};
  self->item_count = 0;
  text_clear(&self->document);
  return 0;
}

/* An array is a list without a word about itself. */
static void open_array(JsonDump *self, KubeBytes *rest) {
  self->list.is_bare = true;
  self->list.state = KUBE_JSON_LIST_FIRST_ITEM;
  kube_bytes_advance(rest, 1);
}

static Stretch document_of(const JsonDump *self) {
  KubeBytes bytes = {text_string(&self->document), self->document.size, self->document_mark.offset};
  return (Stretch){bytes, self->document_mark};
}

static int check_empty_list(JsonDump *self, Error *err) {
  Stretch document = document_of(self);
  KubeJson json = {.rest = document.bytes};
  int result = kube_json_skip(&json, NULL, err);
  return result < 0 ? kube_dump_fail_at(locate(&document, json.rest.offset), err) : 0;
}

static int end_document(JsonDump *self, Error *err) {
  Stretch document = document_of(self);
  self->in_document = false;
  if (self->is_list) {
    take_pending(self);
    return 0;
  }
  if (self->has_no_items)
    return check_empty_list(self, err);
  if (take_object(self, &document, 0, false) != KUBE_DUMP_NO_KIND)
    return 0;
  error_set(err, ERROR_INVALID, "this is no Kubernetes object: it has no kind; " KUBE_DUMP_HOW);
  return kube_dump_fail_at(place_of(&document.mark), err);
}

static int keep_document(JsonDump *self, KubeBytes part, Error *err) {
  if (self->document.size + part.size > KUBE_OBJECT_SIZE_MAX) {
    error_set(err, ERROR_LIMIT, "the object is larger than %d MiB", KUBE_OBJECT_SIZE_MAX >> 20);
    return kube_dump_fail_at(place_of(&self->document_mark), err);
  }
  text_append_bytes(&self->document, part.at, part.size);
  return 0;
}

static int feed_document(JsonDump *self, KubeBytes *rest, Error *err) {
  const KubeJsonListSink sink = {.on_member = on_member,
                                 .on_items = on_items,
                                 .on_item = on_item,
                                 .userdata = self,
                                 .any_items = true,
                                 .cuts_items = true};
  KubeBytes part = *rest;
  self->rest = rest;
  int result = kube_json_list_feed(&self->list, &sink, rest, err);
  if (result < 0)
    return self->is_placed ? result : fail_here(self, rest->offset, err);
  part.size = (size_t)(rest->offset - part.offset);
  if (!self->is_list) {
    int kept = keep_document(self, part, err);
    if (kept < 0)
      return kept;
  }
  return result == KUBE_JSON_DONE ? end_document(self, err) : 0;
}

static int feed(JsonDump *self, KubeBytes piece, Error *err) {
  self->piece = piece;
  KubeBytes rest = piece;
  int result = 0;
  while (result == 0) {
    if (!self->in_document) {
      kube_bytes_advance(&rest, kube_json_fast_space(rest.at, rest.size));
      if (rest.size == 0)
        break;
      result = begin_document(self, &rest, err);
      if (result == 0 && self->is_list)
        open_array(self, &rest);
    }
    if (result == 0)
      result = feed_document(self, &rest, err);
    if (rest.size == 0)
      break;
  }
  bool in_item = self->in_document && self->list.state == KUBE_JSON_LIST_IN_ITEM;
  move_in_piece(self, in_item ? self->list.value.offset : piece.offset + piece.size);
  if (in_item && self->list.value.is_cut)
    follow_large(self, piece.offset + piece.size);
  return result;
}

/* The stream is over. What it breaks off in is named, as far as it goes. */
static int finish(JsonDump *self, Error *err) {
  if (!self->in_document)
    return 0;
  take_pending(self);
  bool in_item = self->list.state == KUBE_JSON_LIST_IN_ITEM;
  const Text *kept = in_item ? &self->list.value.kept : &self->document;
  if (in_item || !self->is_list) {
    Mark mark = in_item ? self->mark : self->document_mark;
    Stretch stretch = {{text_string(kept), kept->size, mark.offset}, mark};
    int result = try_object(self, &stretch, in_item ? self->item_count + 1 : 0, true, err);
    if (result < 0)
      return result;
  }
  error_set(err, ERROR_INVALID, "the JSON ends in the middle of a list");
  return kube_dump_fail_at(place_of(&self->mark), err);
}

static void deinit(JsonDump *self) {
  kube_json_value_deinit(&self->list.value);
  text_deinit(&self->document);
  text_deinit(&self->pending_text);
  array_deinit(&self->pending);
}

static int read_all(JsonDump *self, char *buffer, const char *bytes, size_t size, Error *err) {
  KubeBytes piece = {bytes, size, KUBE_OFFSET_UNTOLD};
  int result = 0;
  while (result == 0 && piece.size > 0) {
    result = feed(self, piece, err);
    piece = (KubeBytes){buffer, 0, piece.offset + piece.size};
    if (result == 0)
      result = self->dump->source->read(self->dump->source->userdata, buffer, PIECE, &piece.size, err);
  }
  return result < 0 ? result : finish(self, err);
}

int kube_dump_json(KubeDump *dump, const char *bytes, size_t size, Error *err) {
  CLEANUP(cleanup_free) char *buffer = mem_alloc(PIECE);
  CLEANUP(deinit)
  JsonDump self = {.dump = dump, .mark = {.offset = KUBE_OFFSET_UNTOLD, .line_start = KUBE_OFFSET_UNTOLD}};
  return read_all(&self, buffer, bytes, size, err);
}
