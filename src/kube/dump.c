/* SPDX-License-Identifier: Apache-2.0 */
/* A dump is in memory as a whole, so it is read in two steps: each document is first passed over, which
 * proves its JSON sound and finds its members in whatever order (kubectl writes "items" before "kind"), and
 * then its items are decoded one by one. An item that makes no sense is reported and the next one is read. */
#include "kube/decode.h"
#include "kube/json_pull.h"
#include "kube/json_scan.h"

#include <assert.h>
#include <string.h>

#define HOW_TO_DUMP "make the file with: kubectl get nodes,pods -A -o json"

typedef struct Dump {
  KubeDumpReader *reader;
  KubeBytes unread; /* behind the line counted last */
  size_t line;
} Dump;

/* The members of a document, or of an item, that say what it is. */
typedef struct Outline {
  KubeBytes document;
  KubeBytes api_version;
  KubeBytes kind;
  KubeBytes items; /* the array, or null; size 0 where there is none */
} Outline;

/* The line of a byte; to be asked in ascending order. */
static size_t find_line(Dump *dump, uint64_t offset) {
  while (dump->unread.offset < offset) {
    size_t size = (size_t)(offset - dump->unread.offset);
    const char *newline = memchr(dump->unread.at, '\n', size);
    kube_bytes_advance(&dump->unread, newline ? (size_t)(newline - dump->unread.at) + 1 : size);
    dump->line += newline != NULL;
  }
  return dump->line;
}

static bool is_word(KubeBytes text, const char *word) {
  return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

static int outline_member(KubeJson *json, const KubeJsonText *name, Outline *outline, Error *err) {
  KubeBytes *text = kube_json_text_equal(name, "kind")         ? &outline->kind
                    : kube_json_text_equal(name, "apiVersion") ? &outline->api_version
                                                               : NULL;
  if (text && kube_json_kind(json) == KUBE_JSON_KIND_STRING) {
    KubeJsonText value;
    int result = kube_json_read_text(json, &value, err);
    if (result == 0)
      *text = value.raw;
    return result;
  }
  KubeJsonKind kind = kube_json_kind(json);
  bool items =
      kube_json_text_equal(name, "items") && (kind == KUBE_JSON_KIND_ARRAY || kind == KUBE_JSON_KIND_NULL);
  return kube_json_skip(json, items ? &outline->items : NULL, err);
}

static int outline_read(KubeBytes document, Outline *ret_outline, Error *err) {
  KubeJson json = {.rest = document};
  KubeJsonText name;
  Outline outline = {.document = document};
  int result = kube_json_open(&json, '{', err);
  while (result == 0) {
    result = kube_json_next_name(&json, &name, err);
    if (result == 0)
      result = outline_member(&json, &name, &outline, err);
  }
  if (result < 0)
    return result;
  *ret_outline = outline;
  return 0;
}

/* NULL for kinds that we do not read; a Node of another API group than the core is none of ours. */
static const KubeType *find_type(const Outline *outline) {
  static const KubeType *const types[] = {&kube_pod_type, &kube_node_type};
  if (outline->api_version.size > 0 && !is_word(outline->api_version, "v1"))
    return NULL;
  for (size_t i = 0; i < COUNT_OF(types); i++)
    if (is_word(outline->kind, types[i]->kind))
      return types[i];
  return NULL;
}

static int read_object(KubeDumpReader *reader, const Outline *outline, Error *err) {
  if (outline->kind.size == 0)
    return error_set(err, ERROR_INVALID, "this is no Kubernetes object: it has no kind");
  const KubeType *type = find_type(outline);
  if (!type) {
    reader->skipped++;
    return 0;
  }
  KubeObject *object = NULL;
  int result = kube_object_decode_bytes(type, KUBE_JSON, outline->document, &object, err);
  if (result == 0)
    reader->on_object(reader->userdata, object);
  return result;
}

/* The items of a PodList have no kind of their own. */
static KubeBytes item_kind(const Outline *list) {
  static const char suffix[] = "List";
  KubeBytes kind = list->kind;
  size_t size = strlen(suffix);
  if (kind.size >= size && memcmp(kind.at + kind.size - size, suffix, size) == 0)
    kind.size -= size;
  return kind;
}

static int read_item(Dump *dump, const Outline *list, KubeBytes bytes, Error *err) {
  Outline item = {0};
  int result = outline_read(bytes, &item, err);
  if (result < 0)
    return result;
  if (item.kind.size == 0) {
    item.kind = item_kind(list);
    item.api_version = list->api_version;
  }
  return read_object(dump->reader, &item, err);
}

static void read_items(Dump *dump, const Outline *list) {
  KubeJson json = {.rest = list->items};
  KubeBytes item = {0};
  Error bad;
  if (kube_json_kind(&json) == KUBE_JSON_KIND_NULL)
    return;
  int result = kube_json_open(&json, '[', &bad);
  assert(result == 0);
  for (size_t i = 1; kube_json_next_item(&json, &bad) == 0; i++) {
    result = kube_json_skip(&json, &item, &bad);
    assert(result == 0);
    if (read_item(dump, list, item, &bad) < 0) {
      error_prefix(&bad, "item %zu, line %zu", i, find_line(dump, item.offset));
      dump->reader->on_bad(dump->reader->userdata, &bad);
    }
  }
}

static int fail_document(Dump *dump, uint64_t offset, Error *err) {
  return error_prefix(err, "line %zu", find_line(dump, offset));
}

static int read_document(Dump *dump, KubeJson *json, Error *err) {
  KubeBytes document = {0};
  Outline outline = {0};
  if (kube_json_kind(json) != KUBE_JSON_KIND_OBJECT) {
    error_set(err, ERROR_INVALID, "no JSON object begins here; " HOW_TO_DUMP);
    return fail_document(dump, json->rest.offset, err);
  }
  if (kube_json_skip(json, &document, err) < 0)
    return fail_document(dump, json->rest.offset, err);
  if (outline_read(document, &outline, err) < 0)
    return fail_document(dump, document.offset, err);
  if (outline.items.size > 0) {
    read_items(dump, &outline);
    return 0;
  }
  if (outline.kind.size == 0) {
    error_set(err, ERROR_INVALID, "this is no Kubernetes object: it has no kind; " HOW_TO_DUMP);
    return fail_document(dump, document.offset, err);
  }
  Error bad;
  if (read_object(dump->reader, &outline, &bad) < 0) {
    fail_document(dump, document.offset, &bad);
    dump->reader->on_bad(dump->reader->userdata, &bad);
  }
  return 0;
}

/* Windows' PowerShell writes such marks in front of what it redirects into a file. */
static int take_byte_order_mark(KubeBytes *rest, Error *err) {
  if (rest->size >= 3 && memcmp(rest->at, "\xef\xbb\xbf", 3) == 0)
    kube_bytes_advance(rest, 3);
  bool utf16 =
      rest->size >= 2 && (memcmp(rest->at, "\xff\xfe", 2) == 0 || memcmp(rest->at, "\xfe\xff", 2) == 0);
  return utf16 ? error_set(err, ERROR_INVALID, "the file is in UTF-16; save it as UTF-8") : 0;
}

int kube_dump_read(KubeDumpReader *reader, const char *bytes, size_t size, Error *err) {
  assert(reader->on_object && reader->on_bad);
  KubeJson json = {.rest = {bytes, size, 0}};
  Dump dump = {.reader = reader, .unread = json.rest, .line = 1};
  int result = take_byte_order_mark(&json.rest, err);
  while (result == 0) {
    result = read_document(&dump, &json, err);
    if (kube_json_kind(&json) == KUBE_JSON_KIND_NONE && json.rest.size == 0)
      break;
  }
  return result;
}
