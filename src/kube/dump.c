/* SPDX-License-Identifier: Apache-2.0 */
/* One object of a dump: which kind it is, and what becomes of it. kubectl writes apiVersion and kind in front
 * of all else, so that a look at the first members is mostly enough; an object that says it later is looked
 * through, and one that does not say it is what its list is a list of. */
#include "kube/dump.h"

#include "cluster/object.h"
#include "kube/dump_parts.h"

#include <assert.h>
#include <string.h>

/* The members of an object that say what it is. */
typedef struct Outline {
  KubeBytes api_version; /* size 0: not said */
  KubeBytes kind;
} Outline;

static bool is_word(KubeBytes text, const char *word) {
  return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

static KubeBytes word_of(const char *word) {
  return (KubeBytes){word, strlen(word), 0};
}

static KubeBytes *find_place(Outline *outline, const KubeJsonText *name) {
  return kube_json_text_equal(name, "kind")         ? &outline->kind
         : kube_json_text_equal(name, "apiVersion") ? &outline->api_version
                                                    : NULL;
}

/* Stops behind the first member that is neither kind nor apiVersion, unless `to_the_end`. */
static int read_outline(KubeJson *json, bool to_the_end, Outline *outline, Error *err) {
  KubeJsonText name, value;
  int result = kube_json_open(json, '{', err);
  while (result == 0) {
    result = kube_json_next_name(json, &name, err);
    if (result != 0)
      break;
    KubeBytes *place = find_place(outline, &name);
    if (!place && !to_the_end)
      break;
    if (!place || kube_json_kind(json) != KUBE_JSON_KIND_STRING) {
      result = kube_json_skip(json, NULL, err);
      continue;
    }
    result = kube_json_read_text(json, &value, err);
    if (result == 0)
      *place = value.raw;
  }
  return result < 0 ? result : 0;
}

/* The items of a PodList have no kind of their own. */
static void ask_list(const KubeDumpWords *words, Outline *outline) {
  static const char suffix[] = "List";
  KubeBytes kind = word_of(words->kind);
  size_t size = strlen(suffix);
  if (kind.size <= size || memcmp(kind.at + kind.size - size, suffix, size) != 0)
    return;
  kind.size -= size;
  outline->kind = kind;
  outline->api_version = word_of(words->api_version);
}

/* "/api/v1/pods" is of "v1", "/apis/storage.k8s.io/v1/storageclasses" of "storage.k8s.io/v1". */
static bool is_api_of(const KubeType *type, KubeBytes api_version) {
  const char *path = type->path;
  path += strncmp(path, "/apis/", 6) == 0 ? 6 : strlen("/api/");
  const char *end = strrchr(path, '/');
  return (size_t)(end - path) == api_version.size && memcmp(path, api_version.at, api_version.size) == 0;
}

/* NULL for kinds that we do not read; a Node of another API group than the core is none of ours. */
static const KubeType *find_type(const Outline *outline) {
  for (size_t i = 0; i < kube_type_count; i++)
    if (is_word(outline->kind, kube_types[i]->kind) &&
        (outline->api_version.size == 0 || is_api_of(kube_types[i], outline->api_version)))
      return kube_types[i];
  return NULL;
}

static int find_outline(const KubeDumpItem *item, KubeJson *json, Outline *outline, Error *err) {
  int result = read_outline(json, false, outline, err);
  if (result == 0 && outline->kind.size == 0)
    ask_list(item->words, outline);
  if (result < 0 || outline->kind.size > 0)
    return result;
  *json = (KubeJson){.rest = item->json};
  result = read_outline(json, true, outline, err);
  if (result < 0 || outline->kind.size > 0)
    return result;
  if (!item->is_last_word)
    return KUBE_DUMP_NO_KIND;
  *json = (KubeJson){.rest = item->json};
  return error_set(err, ERROR_INVALID, "this is no Kubernetes object: it has no kind");
}

static int skip_object(KubeDump *dump, KubeJson *json, Error *err) {
  int result = kube_json_skip(json, NULL, err);
  if (result == 0)
    result = kube_json_check_end(json, err);
  dump->counts.skipped += result == 0;
  return result;
}

static int read_object(KubeDump *dump, const KubeType *type, KubeJson *json, Error *err) {
  KubeJson start = *json;
  KubeObject *object = NULL;
  int result = kube_object_decode_json(type, json, &object, err);
  if (result < 0)
    return result;
  const ObjectMeta *meta = object->value;
  if (!meta->name) {
    error_set(err, ERROR_INVALID, "this %s has no name", type->kind);
    kube_object_free(object);
    *json = start;
    return -err->code;
  }
  dump->counts.objects++;
  dump->sink->on_object(dump->sink->userdata, object);
  return 0;
}

int kube_dump_fail_at(KubeDumpPlace place, Error *err) {
  return error_prefix(err, "line %zu, column %zu", place.line, place.column);
}

/* As jq makes of several files: its objects would be missed in silence. */
static bool is_list_of_ours(const Outline *outline) {
  static const char *const kinds[] = {"List", "NodeList", "PodList"};
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (is_word(outline->kind, kinds[i]))
      return outline->api_version.size == 0 || is_word(outline->api_version, "v1");
  return false;
}

int kube_dump_try(KubeDump *dump, const KubeDumpItem *item, Error *err) {
  KubeJson json = {.rest = item->json};
  Outline outline = {0};
  int result = find_outline(item, &json, &outline, err);
  if (result == 0) {
    const KubeType *type = find_type(&outline);
    json = (KubeJson){.rest = item->json};
    if (item->number && is_list_of_ours(&outline))
      result = error_set(err, ERROR_INVALID, "a list in a list is not read: put one behind the other");
    else
      result = type ? read_object(dump, type, &json, err) : skip_object(dump, &json, err);
  }
  if (result >= 0)
    return result;
  if (item->number)
    error_prefix(err, "item %zu", item->number);
  return kube_dump_fail_at(item->locate(item->userdata, json.rest.offset), err);
}

void kube_dump_report(KubeDump *dump, const Error *bad) {
  dump->counts.bad++;
  dump->sink->on_bad(dump->sink->userdata, bad);
}

int kube_dump_take(KubeDump *dump, const KubeDumpItem *item) {
  Error bad;
  int result = kube_dump_try(dump, item, &bad);
  if (result < 0)
    kube_dump_report(dump, &bad);
  return result < 0 ? 0 : result;
}

/* ---- which format ---- */

enum { SNIFF_SIZE = 4096 };

/* Windows' PowerShell writes such marks in front of what it redirects into a file. */
static size_t mark_size(const char *bytes, size_t size) {
  return size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool is_utf16(const char *bytes, size_t size) {
  return size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0);
}

/* Reads until there is a byte that is no space, which tells the format. Of much space before it only the last
 * bytes are kept, and then lines are counted from there. */
static int sniff(KubeDump *dump, char *bytes, size_t *ret_size, size_t *ret_first, Error *err) {
  size_t size = 0, first = 0, more = 1;
  while (more > 0 && (first == size || size < 3)) {
    if (size == SNIFF_SIZE)
      size = 0;
    int result = dump->source->read(dump->source->userdata, bytes + size, SNIFF_SIZE - size, &more, err);
    if (result < 0)
      return result;
    size += more;
    first = mark_size(bytes, size);
    first += kube_json_fast_space(bytes + first, size - first);
  }
  *ret_size = size;
  *ret_first = first;
  return 0;
}

static int read_any(KubeDump *dump, Error *err) {
  char bytes[SNIFF_SIZE];
  size_t size = 0, first = 0;
  int result = sniff(dump, bytes, &size, &first, err);
  if (result < 0)
    return result;
  if (is_utf16(bytes, size))
    return error_set(err, ERROR_INVALID, "the file is in UTF-16; save it as UTF-8");
  if (first == size)
    return error_set(err, ERROR_INVALID, "the file is empty; " KUBE_DUMP_HOW);
  bool is_json = bytes[first] == '{' || bytes[first] == '[';
  size_t mark = mark_size(bytes, size);
  return is_json ? kube_dump_json(dump, bytes + mark, size - mark, err)
                 : kube_dump_yaml(dump, bytes + mark, size - mark, err);
}

int kube_dump_read(const KubeDumpSource *source, const KubeDumpSink *sink, KubeDumpCounts *ret_counts,
                   Error *err) {
  assert(source->read && sink->on_object && sink->on_bad);
  KubeDump dump = {.source = source, .sink = sink};
  int result = read_any(&dump, err);
  *ret_counts = dump.counts;
  return result;
}
