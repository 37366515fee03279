/* SPDX-License-Identifier: Apache-2.0 */
/* The objects go through the tables of kube/schema.c, as a dump's do. */
#include "replay.h"

#include "cluster/snapshot.h"
#include "kube/reader.h"
#include "sched/filter.h"

#include <jansson.h>
#include <string.h>
#include <zlib.h>

typedef ARRAY(KubeObject *) Objects;

typedef struct Case {
  Objects objects; /* in the order of reading; the snapshot borrows them */
  Snapshot snapshot;
} Case;

static void case_deinit(Case *case_) {
  snapshot_deinit(&case_->snapshot);
  for (size_t i = 0; i < case_->objects.count; i++)
    kube_object_free(case_->objects.items[i]);
  array_deinit(&case_->objects);
}

static void cleanup_json(json_t **json) {
  json_decref(*json);
}

static int read_object(Case *case_, const json_t *json, const KubeType *type, void *ret_value, Error *err) {
  CLEANUP(cleanup_free) char *text = json_dumps(json, JSON_COMPACT);
  if (!text)
    return error_set(err, ERROR_INVALID, "a %s is no object", type->kind);
  KubeObject *object = NULL;
  int result = kube_object_decode(type, KUBE_JSON, text, strlen(text), &object, err);
  if (result < 0)
    return result;
  *array_push(&case_->objects) = object;
  *(void **)ret_value = object->value;
  return 0;
}

static void add_value(Snapshot *snapshot, const KubeType *type, void *value) {
  if (type == &kube_node_type)
    snapshot_add_node(snapshot, value, NULL, NULL);
  else if (type == &kube_namespace_type)
    snapshot_add_namespace(snapshot, value);
  else if (type == &kube_persistent_volume_type)
    snapshot_add_volume(snapshot, value);
  else if (type == &kube_persistent_volume_claim_type)
    snapshot_add_claim(snapshot, value);
  else if (type == &kube_storage_class_type)
    snapshot_add_storage_class(snapshot, value);
  else
    snapshot_add_pod(snapshot, value, NULL);
}

static int add_list(Case *case_, const json_t *line, const char *key, const KubeType *type, Error *err) {
  const json_t *list = json_object_get(line, key);
  for (size_t i = 0; i < json_array_size(list); i++) {
    void *value = NULL;
    int result = read_object(case_, json_array_get(list, i), type, &value, err);
    if (result < 0)
      return error_prefix(err, "%s, item %zu", key, i);
    add_value(&case_->snapshot, type, value);
  }
  return 0;
}

/* The pod in question is the one of the snapshot's that came last. */
static int read_case(const json_t *line, Case *case_, Error *err) {
  static const struct {
    const char *key;
    const KubeType *type;
  } lists[] = {{"nodes", &kube_node_type},
               {"namespaces", &kube_namespace_type},
               {"persistentVolumes", &kube_persistent_volume_type},
               {"pvs", &kube_persistent_volume_type},
               {"persistentVolumeClaims", &kube_persistent_volume_claim_type},
               {"pvcs", &kube_persistent_volume_claim_type},
               {"storageClasses", &kube_storage_class_type},
               {"pods", &kube_pod_type}};
  Pod *pod = NULL;
  case_->snapshot.is_complete = case_->snapshot.knows_volumes = true;
  for (size_t i = 0; i < COUNT_OF(lists); i++)
    if (add_list(case_, line, lists[i].key, lists[i].type, err) < 0)
      return -err->code;
  int result = read_object(case_, json_object_get(line, "pod"), &kube_pod_type, &pod, err);
  if (result < 0)
    return result;
  pod->node_name = NULL;
  snapshot_add_pod(&case_->snapshot, pod, NULL);
  return case_->snapshot.pods.count ? 0 : error_set(err, ERROR_INVALID, "the pod in question has ended");
}

static const char *text_of(const json_t *object, const char *key) {
  return string_or_empty(json_string_value(json_object_get(object, key)));
}

static bool has_part(const char *words, const char *part, size_t size) {
  for (const char *at = words; at; at = strstr(at, ", ") ? strstr(at, ", ") + 2 : NULL)
    if (strncmp(at, part, size) == 0 && (!at[size] || strncmp(at + size, ", ", 2) == 0))
      return true;
  return false;
}

/* kube-scheduler says what is insufficient in the order of a Go map: in another one each time. */
static bool are_same_words(const char *a, const char *b) {
  for (const char *at = a; at;) {
    const char *end = strstr(at, ", ");
    if (!has_part(b, at, end ? (size_t)(end - at) : strlen(at)))
      return false;
    at = end ? end + 2 : NULL;
  }
  return strlen(a) == strlen(b);
}

/* "Unschedulable" and what else the codes tell apart is about preemption, which nobody asks of a filter. */
static int check_verdict(Snapshot *snapshot, const json_t *recorded, size_t line, ReplayCounts *counts,
                         ReplayOnMismatch *on_mismatch, void *userdata, Error *err) {
  SchedVerdict verdict;
  const char *plugin = text_of(recorded, "Plugin"), *why = text_of(recorded, "Why");
  const char *name = text_of(recorded, "Node");
  int node = snapshot_find_node(snapshot, name);
  if (node < 0)
    return error_set(err, ERROR_INVALID, "there is no node \"%s\"", name);
  sched_fits(snapshot, (int)snapshot->pods.count - 1, node, &verdict);
  counts->verdicts++;
  if (strcmp(string_or_empty(verdict.plugin), plugin) == 0 && are_same_words(verdict.reason, why))
    return 0;
  counts->mismatches++;
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "line %zu, node %s: facet says %s (%s), kube-scheduler %s (%s)", line, name,
              verdict.plugin ? verdict.plugin : "it fits", verdict.reason, *plugin ? plugin : "it fits", why);
  on_mismatch(userdata, text_string(&text));
  return 0;
}

int replay_case(const char *json, size_t line, ReplayCounts *counts, ReplayOnMismatch *on_mismatch,
                void *userdata, Error *err) {
  json_error_t where;
  CLEANUP(cleanup_json) json_t *root = json_loads(json, 0, &where);
  if (!root)
    return error_set(err, ERROR_INVALID, "line %zu is no JSON: %s", line, where.text);
  CLEANUP(case_deinit) Case case_ = {0};
  snapshot_init(&case_.snapshot);
  int result = read_case(root, &case_, err);
  const json_t *verdicts = json_object_get(root, "verdicts");
  for (size_t i = 0; result == 0 && i < json_array_size(verdicts); i++)
    result =
        check_verdict(&case_.snapshot, json_array_get(verdicts, i), line, counts, on_mismatch, userdata, err);
  if (result < 0)
    return error_prefix(err, "line %zu", line);
  counts->cases++;
  return 0;
}

/* One line without its end, or 1 at the end of the file. */
static int read_line(gzFile file, Text *line, Error *err) {
  char chunk[65536];
  text_clear(line);
  while (gzgets(file, chunk, sizeof chunk)) {
    text_append(line, chunk);
    if (line->size && line->bytes[line->size - 1] == '\n')
      return 0;
  }
  int code;
  const char *message = gzerror(file, &code);
  if (code < 0)
    return error_set(err, ERROR_IO, "%s", message);
  return line->size ? 0 : 1;
}

static void cleanup_gz(gzFile *file) {
  if (*file)
    gzclose(*file);
}

int replay_file(const char *path, ReplayCounts *counts, ReplayOnMismatch *on_mismatch, void *userdata,
                Error *err) {
  CLEANUP(cleanup_gz) gzFile file = gzopen(path, "rb");
  if (!file)
    return error_set(err, ERROR_IO, "cannot open %s", path);
  CLEANUP(text_deinit) Text line = {0};
  int result;
  for (size_t number = 1; (result = read_line(file, &line, err)) == 0; number++)
    if (line.size > 1 && replay_case(text_string(&line), number, counts, on_mismatch, userdata, err) < 0)
      return error_prefix(err, "%s", path);
  return result < 0 ? error_prefix(err, "cannot read %s", path) : 0;
}
