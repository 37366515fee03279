/* SPDX-License-Identifier: Apache-2.0 */
/* Objects come one by one, whatever they come from, and go into the pool at once; sorting by name at the end
 * finds those that were listed twice. */
#include "cli/cluster_input.h"

#include "base/text.h"
#include "cli/input_file.h"
#include "cli/printable.h"
#include "cluster/node_check.h"
#include "kube/lister.h"

#include <assert.h>
#include <time.h>

/* An object with its place in the order of arrival, of which the first of equal names counts. */
typedef struct Arrival {
  const ObjectMeta *meta;
  size_t order;
} Arrival;

typedef ARRAY(Arrival) Arrivals;

/* The kinds from LISTED_COUNT on are read out of files only: to list them, the live cluster may not let us.
 */
enum {
  KIND_NODE,
  KIND_POD,
  LISTED_COUNT,
  KIND_NAMESPACE = LISTED_COUNT,
  KIND_VOLUME,
  KIND_CLAIM,
  KIND_STORAGE_CLASS,
  KIND_COUNT
};
static const KubeType *const types[KIND_COUNT] = {[KIND_NODE] = &kube_node_type,
                                                  [KIND_POD] = &kube_pod_type,
                                                  [KIND_NAMESPACE] = &kube_namespace_type,
                                                  [KIND_VOLUME] = &kube_persistent_volume_type,
                                                  [KIND_CLAIM] = &kube_persistent_volume_claim_type,
                                                  [KIND_STORAGE_CLASS] = &kube_storage_class_type};

typedef struct Reading {
  ClusterInput *input;
  Arrivals arrivals[KIND_COUNT];
  size_t count;
  bool is_full;
  const char *source; /* of what comes, for problems: "cluster.json", "standard input" */
} Reading;

/* ---- problems ---- */

static void add_problem(ClusterInput *input, const char *text) {
  CLEANUP(arena_deinit) Arena arena = {0};
  if (input->problem_count++ < CLUSTER_INPUT_PROBLEMS_MAX)
    *array_push(&input->problems) = mem_strdup(cli_printable(&arena, text));
}

void cluster_input_report(const ClusterInput *input, const char *program) {
  for (size_t i = 0; i < input->problems.count; i++)
    fprintf(stderr, "%s: %s\n", program, input->problems.items[i]);
  if (input->problem_count > input->problems.count)
    fprintf(stderr, "%s: %zu more problems of this kind are not shown\n", program,
            input->problem_count - input->problems.count);
  if (input->skipped > 0)
    fprintf(stderr, "%s: %zu object%s of kinds that planning does not read\n", program, input->skipped,
            input->skipped == 1 ? "" : "s");
}

void cluster_input_complain(const char *program, const Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  fprintf(stderr, "%s: %s\n", program, cli_printable(&arena, err->text));
}

/* ---- objects ---- */

static int kind_of(const KubeType *type) {
  for (int kind = 0; kind < KIND_COUNT; kind++)
    if (types[kind] == type)
      return kind;
  return -1;
}

/* Nor does planning read its uid. */
static void trim(KubeObject *object) {
  if (object->type != &kube_pod_type)
    return;
  Pod *pod = object->value;
  pod_trim(pod, &object->arena);
  pod->meta.uid = (ObjectUid){0};
}

static void on_object(void *userdata, KubeObject *object) {
  Reading *reading = userdata;
  int kind = kind_of(object->type);
  reading->is_full |= reading->count == CLUSTER_INPUT_OBJECTS_MAX;
  if (kind >= 0 && !reading->is_full) {
    trim(object);
    const void *kept = kube_pool_add(reading->input->pool, object->type, object->value);
    *array_push(&reading->arrivals[kind]) = (Arrival){kept, reading->count++};
  }
  kube_object_free(object);
}

static void on_bad(void *userdata, const Error *err) {
  Reading *reading = userdata;
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "skipped an object: %s, %s", reading->source, err->text);
  add_problem(reading->input, text_string(&text));
}

static int compare_names(const ObjectMeta *a, const ObjectMeta *b) {
  int by_namespace = strcmp(string_or_empty(a->namespace_), string_or_empty(b->namespace_));
  return by_namespace ? by_namespace : strcmp(string_or_empty(a->name), string_or_empty(b->name));
}

static int compare_arrivals(const void *a, const void *b) {
  const Arrival *left = a, *right = b;
  int by_name = compare_names(left->meta, right->meta);
  return by_name ? by_name : (left->order > right->order) - (left->order < right->order);
}

/* Without a name, nobody can tell whether it is the same. */
static bool is_again(const ObjectMeta *meta, const ObjectMeta *before) {
  return before && *string_or_empty(meta->name) && compare_names(meta, before) == 0;
}

static void complain_again(ClusterInput *input, const char *kind, const ObjectMeta *meta) {
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "%s %s%s%s is listed twice: the first one counts", kind,
              string_or_empty(meta->namespace_), meta->namespace_ ? "/" : "", string_or_empty(meta->name));
  add_problem(input, text_string(&text));
}

/* Sorts, and leaves each name once. */
static void settle(ClusterInput *input, Arrivals *arrivals, const char *kind) {
  size_t kept = 0;
  if (arrivals->count)
    qsort(arrivals->items, arrivals->count, sizeof *arrivals->items, compare_arrivals);
  for (size_t i = 0; i < arrivals->count; i++) {
    const ObjectMeta *meta = arrivals->items[i].meta, *before = kept ? arrivals->items[kept - 1].meta : NULL;
    if (is_again(meta, before))
      complain_again(input, kind, meta);
    else
      arrivals->items[kept++] = arrivals->items[i];
  }
  arrivals->count = kept;
}

static void hand_over(Reading *reading) {
  ClusterInput *input = reading->input;
  for (int kind = 0; kind < KIND_COUNT; kind++)
    settle(input, &reading->arrivals[kind], types[kind]->kind);
  for (size_t i = 0; i < reading->arrivals[KIND_NODE].count; i++)
    *array_push(&input->nodes) = (const Node *)reading->arrivals[KIND_NODE].items[i].meta;
  for (size_t i = 0; i < reading->arrivals[KIND_POD].count; i++)
    *array_push(&input->pods) = (const Pod *)reading->arrivals[KIND_POD].items[i].meta;
  for (int kind = LISTED_COUNT; kind < KIND_COUNT; kind++)
    for (size_t i = 0; i < reading->arrivals[kind].count; i++)
      *array_push(&input->others) = (ClusterInputOther){types[kind], reading->arrivals[kind].items[i].meta};
}

static int check_full(const Reading *reading, Error *err) {
  if (!reading->is_full)
    return 0;
  return error_set(err, ERROR_LIMIT, "more than %d nodes and pods: this is more than facet plans for",
                   CLUSTER_INPUT_OBJECTS_MAX);
}

/* ---- files ---- */

/* Where a document breaks off, what came before it counts, if anything did. */
static int read_source(Reading *reading, const KubeDumpSource *source, const char *name, Error *err) {
  reading->source = name;
  KubeDumpSink sink = {.on_object = on_object, .on_bad = on_bad, .userdata = reading};
  KubeDumpCounts counts;
  int r = kube_dump_read(source, &sink, &counts, err);
  reading->input->skipped += counts.skipped;
  if (r >= 0)
    return check_full(reading, err);
  if (err->code == ERROR_IO)
    return r;
  error_prefix(err, "%s", name);
  if (counts.objects == 0)
    return r;
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "%s; what stands behind it is not read", err->text);
  add_problem(reading->input, text_string(&text));
  reading->input->is_partial = true;
  return check_full(reading, err);
}

static int read_file(Reading *reading, const char *path, Error *err) {
  CLEANUP(cli_input_file_freep) CliInputFile *file = NULL;
  int r = cli_input_file_open(path, &file, err);
  if (r < 0)
    return r;
  KubeDumpSource source = {.read = cli_input_file_read, .userdata = file};
  return read_source(reading, &source, cli_input_file_name(file), err);
}

/* ---- the live cluster ---- */

typedef struct Live {
  CliShell shell;
  bool is_done;
  Error error;
} Live;

typedef struct Listing {
  Live *live;
  Reading *reading;
} Listing;

static void on_listed(void *userdata, KubeObject *object) {
  Listing *listing = userdata;
  on_object(listing->reading, object);
}

static void on_done(void *userdata, const Error *err) {
  Listing *listing = userdata;
  listing->live->is_done = true;
  listing->live->shell.stop = true;
  if (err)
    listing->live->error = *err;
}

static int list_type(Reading *reading, Live *live, KubeTransport *transport, const KubeType *type,
                     Error *err) {
  Listing listing = {live, reading};
  KubeListerOptions options = {
      .type = type, .on_object = on_listed, .on_done = on_done, .userdata = &listing};
  live->is_done = live->shell.stop = false;
  KubeLister *lister = kube_lister_new(transport, &options);
  cli_shell_run(&live->shell);
  kube_lister_free(lister);
  if (!live->is_done)
    return error_set(err, ERROR_UNAVAILABLE, "stopped while the API server was asked");
  if (live->error.code) {
    *err = live->error;
    return -err->code;
  }
  return check_full(reading, err);
}

static void live_deinit(Live *live) {
  cli_shell_deinit(&live->shell);
}

/* The one list is missing, the other may do. */
static int pass_over(ClusterInput *input, int kind, const Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  *array_push(&input->unseen) = mem_strdup(cli_printable(&arena, err->text));
  *(kind == KIND_NODE ? &input->sees_nodes : &input->sees_pods) = false;
  return 0;
}

static int check_any(const ClusterInput *input, Error *err) {
  if (input->sees_nodes || input->sees_pods)
    return 0;
  return error_set(err, ERROR_DENIED, "%s", input->unseen.items[0]);
}

static int read_live(Reading *reading, const ClusterInputOptions *options, Error *err) {
  CLEANUP(live_deinit) Live live = {0};
  int r = cli_shell_init(&live.shell, err);
  if (r < 0)
    return r;
  CliConnectOptions quiet = options->connect;
  quiet.log_level = quiet.log_level ? quiet.log_level : "warn";
  CLEANUP(kube_curl_freep) KubeCurl *transport = NULL;
  r = cli_connect(&live.shell, &quiet, &transport, err);
  for (int kind = 0; kind < LISTED_COUNT && r >= 0; kind++) {
    r = list_type(reading, &live, kube_curl_seam(transport), types[kind], err);
    if (r < 0 && err->code == ERROR_DENIED && options->takes_parts)
      r = pass_over(reading->input, kind, err);
  }
  return r < 0 ? r : check_any(reading->input, err);
}

/* ---- the whole ---- */

static void begin(Reading *reading, ClusterInput *ret_input) {
  assert(!ret_input->pool);
  ret_input->pool = kube_pool_new();
  ret_input->sees_nodes = ret_input->sees_pods = true;
  *reading = (Reading){.input = ret_input};
}

static int end(Reading *reading, int r) {
  kube_pool_seal(reading->input->pool);
  if (r >= 0)
    hand_over(reading);
  for (int kind = 0; kind < KIND_COUNT; kind++)
    array_deinit(&reading->arrivals[kind]);
  return r < 0 ? r : 0;
}

static int check_files(const ClusterInputOptions *options, Error *err) {
  int standard_inputs = 0;
  for (int i = 0; i < options->files.count; i++)
    standard_inputs += strcmp(options->files.items[i], "-") == 0;
  if (standard_inputs > 1)
    return error_set(err, ERROR_INVALID, "standard input can be read only once; name - once");
  return 0;
}

int cluster_input_read(const ClusterInputOptions *options, ClusterInput *ret_input, Error *err) {
  Reading reading;
  begin(&reading, ret_input);
  ret_input->knows_volumes = ret_input->is_recorded = options->files.count > 0;
  int r = options->files.count ? check_files(options, err) : read_live(&reading, options, err);
  for (int i = 0; i < options->files.count && r >= 0; i++)
    r = read_file(&reading, options->files.items[i], err);
  r = end(&reading, r);
  if (r >= 0 && options->files.count && !ret_input->nodes.count && !ret_input->problem_count)
    add_problem(ret_input,
                "there is no node in what was read; kubectl get nodes,pods -A -o json has nodes and pods");
  return r;
}

int cluster_input_read_source(const KubeDumpSource *source, const char *name, ClusterInput *ret_input,
                              Error *err) {
  Reading reading;
  begin(&reading, ret_input);
  ret_input->knows_volumes = ret_input->is_recorded = true;
  return end(&reading, read_source(&reading, source, name, err));
}

static void add_other(const ClusterInputOther *other, Snapshot *snapshot) {
  if (other->type == &kube_namespace_type)
    snapshot_add_namespace(snapshot, other->object);
  else if (other->type == &kube_persistent_volume_type)
    snapshot_add_volume(snapshot, other->object);
  else if (other->type == &kube_persistent_volume_claim_type)
    snapshot_add_claim(snapshot, other->object);
  else
    snapshot_add_storage_class(snapshot, other->object);
}

void cluster_input_fill_others(const ClusterInput *input, Snapshot *snapshot) {
  snapshot->knows_volumes = input->knows_volumes;
  for (size_t i = 0; i < input->others.count; i++)
    add_other(&input->others.items[i], snapshot);
}

void cluster_input_fill_told(ClusterInput *input, Snapshot *snapshot, SnapshotWarnings *ret_warnings) {
  SnapshotOptions options = {0};
  cluster_input_fill_others(input, snapshot);
  for (size_t i = 0; i < input->nodes.count; i++)
    snapshot_add_node(snapshot, input->nodes.items[i], &options, ret_warnings);
  for (size_t i = 0; i < snapshot->nodes.count; i++)
    node_check(snapshot, &snapshot->nodes.items[i], ret_warnings);
  for (size_t i = 0; i < input->pods.count; i++)
    snapshot_add_pod(snapshot, input->pods.items[i], ret_warnings);
}

void cluster_input_fill(ClusterInput *input, Snapshot *snapshot) {
  SnapshotWarnings warnings = {0};
  cluster_input_fill_told(input, snapshot, &warnings);
  for (size_t i = 0; i < warnings.count; i++) {
    CLEANUP(text_deinit) Text text = {0};
    text_format(&text, "%s: %s", warnings.items[i].object, warnings.items[i].text);
    add_problem(input, text_string(&text));
  }
  array_deinit(&warnings);
}

int cluster_input_open(const ClusterInputOptions *options, const char *program, ClusterInput *ret_input,
                       Snapshot *ret_snapshot, Error *err) {
  *ret_input = (ClusterInput){0};
  snapshot_init(ret_snapshot);
  int r = cluster_input_read(options, ret_input, err);
  if (r < 0)
    return r;
  cluster_input_fill(ret_input, ret_snapshot);
  cluster_input_report(ret_input, program);
  return 0;
}

int cluster_input_exit_code(const ClusterInput *input) {
  return input->is_partial ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

static int compare_node(const void *name, const void *node) {
  return strcmp(name, string_or_empty((*(const Node *const *)node)->meta.name));
}

static void note_time(const ObjectMeta *meta, int64_t *newest) {
  if (meta->creation_time > *newest)
    *newest = meta->creation_time;
}

/* When the cluster was as it is here. */
static int64_t find_time(const ClusterInput *input) {
  int64_t now = time(NULL), newest = 0;
  for (size_t i = 0; i < input->nodes.count; i++)
    note_time(&input->nodes.items[i]->meta.base, &newest);
  for (size_t i = 0; i < input->pods.count; i++) {
    const Pod *pod = input->pods.items[i];
    if (!*string_or_empty(pod->node_name) && pod->meta.creation_time <= 0)
      return now;
    note_time(&pod->meta, &newest);
  }
  return input->is_recorded && newest > 0 && newest < now ? newest : now;
}

int64_t cluster_input_old_before(const ClusterInput *input, int64_t starvation_ms) {
  return starvation_ms ? find_time(input) - starvation_ms / 1000 : 0;
}

const Node *cluster_input_find_node(const ClusterInput *input, const char *name) {
  const Node *const *found = input->nodes.count ? bsearch(name, input->nodes.items, input->nodes.count,
                                                          sizeof *input->nodes.items, compare_node)
                                                : NULL;
  return found ? *found : NULL;
}

static int compare_pod(const void *meta, const void *pod) {
  return compare_names(meta, &(*(const Pod *const *)pod)->meta);
}

const Pod *cluster_input_find_pod(const ClusterInput *input, const char *namespace_, const char *name) {
  ObjectMeta meta = {.name = name, .namespace_ = namespace_};
  const Pod *const *found = input->pods.count ? bsearch(&meta, input->pods.items, input->pods.count,
                                                        sizeof *input->pods.items, compare_pod)
                                              : NULL;
  return found ? *found : NULL;
}

void cluster_input_deinit(ClusterInput *input) {
  array_deinit(&input->nodes);
  array_deinit(&input->others);
  array_deinit(&input->pods);
  for (size_t i = 0; i < input->problems.count; i++)
    free(input->problems.items[i]);
  array_deinit(&input->problems);
  for (size_t i = 0; i < input->unseen.count; i++)
    free(input->unseen.items[i]);
  array_deinit(&input->unseen);
  kube_pool_free(input->pool);
  *input = (ClusterInput){0};
}
