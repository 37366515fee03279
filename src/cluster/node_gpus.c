/* SPDX-License-Identifier: Apache-2.0 */
/* From a node's annotations to GPUs that can be planned.
 *
 *     facet.gpu/gpu-0         which GPU, its model, MIG mode          else the label nvidia.com/gpu.product
 *     facet.gpu/profiles      what MIG allows on that model           else the built-in table
 *     facet.gpu/status-gpu-0  instances, their places and use         else nos' counts, places guessed
 *     facet.gpu/exclude-gpus, keep-gpu-0, allowed-profiles, paused    what people want
 *
 * Whatever cannot be understood blocks the GPUs it speaks of, with the reason in words, and nothing else. */
#include "cluster/node_report.h"
#include "cluster/node_trim.h"
#include "cluster/snapshot_parts.h"
#include "mig/scan.h"

#include "base/text.h"

#include <assert.h>
#include <string.h>

#define LABEL_PRODUCT "nvidia.com/gpu.product"
#define LABEL_COUNT   "nvidia.com/gpu.count"

/* One facet.gpu/profiles text, understood; in the snapshot's arena, shared by all nodes that say the same. */
typedef struct NodeProfiles {
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  const char *problem; /* why it could not be read; NULL */
} NodeProfiles;

/* The reading of one node. */
typedef struct Reader {
  Snapshot *snapshot;
  SnapshotNode *node;
  SnapshotWarnings *warnings;
  NodeReport report;
  const NodeProfiles *profiles; /* NULL where not reported */
  uint64_t excluded;            /* bit per GPU index */
  char allowed[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE];
  int allowed_count;       /* meaningful where report.allowed is there */
  const char *unreadable;  /* why an annotation that speaks of all GPUs cannot be read; NULL */
  bool has_unknown_layout; /* of some GPU nobody can tell what exists */
} Reader;

/* Warns of a text that cannot be read and returns the sentence. */
static const char *complain(Reader *reader, const char *key, const char *problem) {
  Arena *arena = &reader->node->arena;
  const char *text = arena_format(arena, "%s cannot be read: %s", key, problem);
  snapshot_warn(reader->snapshot, reader->warnings, arena_format(arena, "node %s", reader->node->name), text);
  return text;
}

/* Of a text that anybody may have written, what a log and a terminal can bear. */
static const char *excerpt_of(Reader *reader, const char *text) {
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(mig_scan_whole(string_or_empty(text)), excerpt);
  return arena_strdup(&reader->node->arena, excerpt);
}

/* The first reason stands. */
static void block(SnapshotGpu *gpu, const char *reason) {
  if (!gpu->blocked)
    gpu->blocked = reason;
}

static void block_unreadable(Reader *reader, SnapshotGpu *gpu, const char *text) {
  block(gpu,
        arena_format(&reader->node->arena, "GPU %d of node %s: %s", gpu->index, reader->node->name, text));
}

/* Of an annotation whose key ends in the GPU's index. */
static void reject_annotation(Reader *reader, SnapshotGpu *gpu, const char *prefix, const Error *err) {
  const char *key = arena_format(&reader->node->arena, "%s%d", prefix, gpu->index);
  block_unreadable(reader, gpu, complain(reader, key, err->text));
}

/* "0" to "limit". */
static bool parse_number(const char *text, int limit, int *ret_number) {
  size_t size = strlen(text);
  if (size == 0 || size > 3 || strspn(text, "0123456789") != size)
    return false;
  int number = 0;
  for (const char *p = text; *p; p++)
    number = number * 10 + (*p - '0');
  if (number > limit)
    return false;
  *ret_number = number;
  return true;
}

/* Thousands of equal nodes say the same: each text is understood once. */
static const NodeProfiles *find_profiles(Snapshot *snapshot, const char *text) {
  NodeProfiles *profiles = map_find(&snapshot->profiles, text);
  if (profiles)
    return profiles;
  profiles = arena_alloc(&snapshot->arena, sizeof *profiles);
  Error err;
  if (mig_profiles_parse(text, profiles->models, &profiles->count, &err) < 0) {
    profiles->count = 0;
    profiles->problem = arena_strdup(&snapshot->arena, err.text);
  }
  map_put(&snapshot->profiles, text, profiles);
  return profiles;
}

/* The annotations that speak of all GPUs of the node. */
static void read_node_annotations(Reader *reader) {
  const NodeReport *report = &reader->report;
  Error err;
  if (report->bad_key)
    complain(reader, report->bad_key, "no GPU index from 0 to 63 is at its end");
  if (report->profiles) {
    reader->profiles = find_profiles(reader->snapshot, report->profiles);
    if (reader->profiles->problem)
      reader->unreadable = complain(reader, MIG_ANNOTATION_PROFILES, reader->profiles->problem);
  }
  if (report->exclude && mig_exclude_parse(report->exclude, &reader->excluded, &err) < 0)
    reader->unreadable = complain(reader, MIG_ANNOTATION_EXCLUDE, err.text);
  if (report->allowed &&
      mig_allowed_parse(report->allowed, reader->allowed, &reader->allowed_count, &err) < 0)
    reader->unreadable = complain(reader, MIG_ANNOTATION_ALLOWED, err.text);
}

/* Where the agent did not say which GPU this is, the node's label tells the model, and a slice that was
 * counted proves that MIG is on. */
static void read_identity(Reader *reader, SnapshotGpu *gpu) {
  char whole[MIG_IDENTITY_TEXT_SIZE];
  const char *text = reader->report.gpus[gpu->index].identity;
  if (text)
    text = node_whole_identity(reader->node->object, gpu->index, text, whole);
  MigIdentity identity = {.mode = MIG_MODE_ON};
  Error err;
  if (text && mig_identity_parse(text, &identity, &err) < 0)
    reject_annotation(reader, gpu, MIG_ANNOTATION_IDENTITY_PREFIX, &err);
  if (!text) {
    const char *product = key_values_find(&reader->node->object->meta.labels, LABEL_PRODUCT);
    mig_model_format_label(string_or_empty(product), identity.model, sizeof identity.model);
  }
  gpu->model_label = snapshot_share_name(reader->snapshot, identity.model);
  gpu->mode = identity.mode;
}

/* Each label is looked up once. */
static const MigModelRow *find_row(Snapshot *snapshot, const char *label) {
  const MigModelRow *row = map_find(&snapshot->rows, label);
  if (row)
    return row;
  row = mig_model_find(label);
  if (row)
    map_put(&snapshot->rows, label, (void *)row);
  return row;
}

/* What the driver reports wins over the table: it may know a profile that the table does not. */
static const MigModel *find_model(const Reader *reader, const char *label) {
  for (int i = 0; reader->profiles && i < reader->profiles->count; i++)
    if (strcmp(reader->profiles->models[i].name, label) == 0)
      return &reader->profiles->models[i];
  const MigModelRow *row = find_row(reader->snapshot, label);
  return row && row->placements_known ? &row->model : NULL;
}

static void check_mode(Reader *reader, SnapshotGpu *gpu) {
  Arena *arena = &reader->node->arena;
  if (gpu->mode == MIG_MODE_OFF)
    block(gpu, arena_format(arena, "MIG mode is off on GPU %d of node %s", gpu->index, reader->node->name));
  if (gpu->mode == MIG_MODE_PENDING)
    block(gpu, arena_format(arena, "MIG mode is pending on GPU %d of node %s: the GPU needs a reset first",
                            gpu->index, reader->node->name));
}

/* A name in the table is not enough: some rows have no placements. */
static void check_model(Reader *reader, SnapshotGpu *gpu) {
  if (gpu->model)
    return;
  Arena *arena = &reader->node->arena;
  if (gpu->model_label[0])
    block(gpu, arena_format(arena,
                            "GPU %d of node %s is a %s: facet does not know what MIG allows on it, and "
                            "%s does not say so",
                            gpu->index, reader->node->name, gpu->model_label, MIG_ANNOTATION_PROFILES));
  else
    block(gpu,
          arena_format(arena, "GPU %d of node %s: neither %s%d nor the label %s tells its model", gpu->index,
                       reader->node->name, MIG_ANNOTATION_IDENTITY_PREFIX, gpu->index, LABEL_PRODUCT));
}

/* nos' annotations "...status-gpu-<i>-<profile>-free|used" of one GPU. Returns the first bad one, or NULL. */
static const KeyValue *sum_counts(const Reader *reader, const SnapshotGpu *gpu, int counts[MIG_PROFILES_MAX],
                                  int used[MIG_PROFILES_MAX]) {
  const KeyValues *annotations = &reader->node->object->meta.annotations;
  for (size_t i = 0; i < annotations->count; i++) {
    const KeyValue *annotation = &annotations->items[i];
    int index, count;
    char name[MIG_PROFILE_NAME_SIZE];
    MigUse use;
    if (!mig_key_parse_count(annotation->key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, name, &use) ||
        index != gpu->index)
      continue;
    int profile = mig_model_find_profile(gpu->model, name);
    if (profile < 0 || use == MIG_USE_NONE ||
        !parse_number(string_or_empty(annotation->value), MIG_INSTANCES_MAX, &count))
      return annotation;
    counts[profile] += count;
    used[profile] += use == MIG_USE_USED ? count : 0;
  }
  return NULL;
}

/* Which instances are in use is not said either: the first ones of each profile stand for them. */
static uint32_t guess_used(const MigLayout *layout, int used[MIG_PROFILES_MAX]) {
  uint32_t used_starts = 0;
  for (int i = 0; i < layout->count; i++)
    if (used[layout->instances[i].profile]-- > 0)
      used_starts |= UINT32_C(1) << layout->instances[i].start;
  return used_starts;
}

static void read_counts(Reader *reader, SnapshotGpu *gpu, MigLayout *layout) {
  int counts[MIG_PROFILES_MAX] = {0}, used[MIG_PROFILES_MAX] = {0};
  Error err;
  gpu->assumed = true;
  const KeyValue *bad = sum_counts(reader, gpu, counts, used);
  if (bad) {
    block_unreadable(reader, gpu,
                     complain(reader, bad->key,
                              arena_format(&reader->node->arena, "\"%s\" is no count of a profile of %s",
                                           excerpt_of(reader, bad->value), gpu->model->name)));
    reader->has_unknown_layout = true;
  } else if (mig_counts_bind(gpu->model, counts, layout, &err) < 0) {
    mig_layout_init(layout, gpu->model);
    reject_annotation(reader, gpu, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &err);
    reader->has_unknown_layout = true;
  } else {
    gpu->used_starts = guess_used(layout, used);
  }
}

static void read_status(Reader *reader, SnapshotGpu *gpu, const char *text, MigLayout *layout) {
  Error err;
  if (mig_status_parse(text, gpu->model, layout, &gpu->used_starts, &err) < 0) {
    mig_layout_init(layout, gpu->model);
    gpu->used_starts = 0;
    reject_annotation(reader, gpu, MIG_ANNOTATION_STATUS_GPU_PREFIX, &err);
    reader->has_unknown_layout = true;
  }
}

static void count_slice(Reader *reader, const char *profile, bool is_used) {
  snapshot_add_slices(reader->snapshot, reader->node, &reader->node->allocatable, profile, 1);
  if (is_used)
    snapshot_add_slices(reader->snapshot, reader->node, &reader->node->requested, profile, 1);
}

/* A GPU whose model is not known can be counted all the same, by the names of its instances. */
static void count_unknown_model(Reader *reader, SnapshotGpu *gpu, const char *text) {
  MigList list;
  Error err;
  if (mig_list_parse(text, true, &list, &err) < 0) {
    reject_annotation(reader, gpu, MIG_ANNOTATION_STATUS_GPU_PREFIX, &err);
    reader->has_unknown_layout = true;
    return;
  }
  for (int i = 0; i < list.count; i++)
    count_slice(reader, list.items[i].profile, list.items[i].use == MIG_USE_USED);
}

static void read_layout(Reader *reader, SnapshotGpu *gpu) {
  const GpuReport *report = &reader->report.gpus[gpu->index];
  MigLayout layout;
  mig_layout_init(&layout, gpu->model);
  if (!gpu->model) {
    gpu->layout = snapshot_share_layout(reader->snapshot, &layout);
    reader->has_unknown_layout |= !report->status && report->has_counts;
    count_unknown_model(reader, gpu, string_or_empty(report->status));
    return;
  }
  if (report->status)
    read_status(reader, gpu, report->status, &layout);
  else if (report->has_counts || !report->identity)
    read_counts(reader, gpu, &layout);
  gpu->layout = snapshot_share_layout(reader->snapshot, &layout);
  for (int i = 0; i < layout.count; i++) {
    const MigInstance *instance = &layout.instances[i];
    uint32_t start = UINT32_C(1) << instance->start;
    gpu->existing_starts |= start;
    count_slice(reader, gpu->model->profiles[instance->profile].name, gpu->used_starts & start);
  }
}

/* Only slices that exist can be kept; the others are a wish for later. */
static void read_keep(Reader *reader, SnapshotGpu *gpu) {
  const char *text = reader->report.gpus[gpu->index].keep;
  MigList list;
  MigLayout keep;
  Error err;
  if (!text || !gpu->model)
    return;
  if (mig_list_parse(text, false, &list, &err) < 0 || mig_list_bind(&list, gpu->model, &keep, &err) < 0) {
    reject_annotation(reader, gpu, MIG_ANNOTATION_KEEP_PREFIX, &err);
    return;
  }
  for (int i = 0; i < keep.count; i++) {
    const MigInstance *existing = mig_layout_find(gpu->layout, keep.instances[i].start);
    if (existing && existing->profile == keep.instances[i].profile)
      gpu->keep_starts |= UINT32_C(1) << existing->start;
  }
}

/* Names of other models are no mistake: a node may have GPUs of several. */
static uint32_t compute_allowed(const Reader *reader, const MigModel *model) {
  if (!reader->report.allowed)
    return UINT32_MAX;
  uint32_t allowed = 0;
  for (int i = 0; i < reader->allowed_count; i++) {
    int profile = mig_model_find_profile(model, reader->allowed[i]);
    if (profile >= 0)
      allowed |= UINT32_C(1) << profile;
  }
  return allowed;
}

static void read_gpu(Reader *reader, SnapshotGpu *gpu) {
  gpu->excluded = reader->excluded >> gpu->index & 1;
  if (gpu->excluded)
    block(gpu, arena_format(&reader->node->arena, "GPU %d of node %s is excluded by %s", gpu->index,
                            reader->node->name, MIG_ANNOTATION_EXCLUDE));
  if (reader->unreadable)
    block_unreadable(reader, gpu, reader->unreadable);
  read_identity(reader, gpu);
  gpu->model = find_model(reader, gpu->model_label);
  check_mode(reader, gpu);
  check_model(reader, gpu);
  read_layout(reader, gpu);
  read_keep(reader, gpu);
  if (gpu->model)
    gpu->allowed = compute_allowed(reader, gpu->model);
}

/* nos says nothing of a GPU without slices: the label tells how many GPUs there are. */
static uint64_t find_gpus(Reader *reader) {
  uint64_t gpus = reader->report.reported;
  const char *label = key_values_find(&reader->node->object->meta.labels, LABEL_COUNT);
  if (!gpus || !label || reader->report.has_identity)
    return gpus;
  int count;
  if (parse_number(label, MIG_GPU_INDEX_MAX + 1, &count))
    return gpus | (count > MIG_GPU_INDEX_MAX ? UINT64_MAX : (UINT64_C(1) << count) - 1);
  complain(reader, LABEL_COUNT,
           arena_format(&reader->node->arena, "\"%s\" is not a number of GPUs from 0 to %d",
                        excerpt_of(reader, label), MIG_GPU_INDEX_MAX + 1));
  return gpus;
}

static void read_gpus(Reader *reader, uint64_t gpus) {
  SnapshotNode *node = reader->node;
  node->gpus = arena_alloc(&reader->node->arena, (size_t)__builtin_popcountll(gpus) * sizeof *node->gpus);
  for (int i = 0; i <= MIG_GPU_INDEX_MAX; i++)
    if (gpus >> i & 1) {
      SnapshotGpu *gpu = &node->gpus[node->gpu_count++];
      gpu->index = (uint8_t)i;
      read_gpu(reader, gpu);
    }
}

/* Puts 0 in place of the MIG resources that the node's status tells, and returns those. */
static Resources take_published(Reader *reader) {
  Resources published = {0};
  Resources *allocatable = &reader->node->allocatable;
  for (size_t i = 0; i < allocatable->count; i++)
    if (mig_profile_is_resource(allocatable->items[i].name)) {
      resources_set(&published, allocatable->items[i].name, allocatable->items[i].amount,
                    &reader->node->arena);
      allocatable->items[i].amount = 0;
    }
  return published;
}

/* "true" or "false"; anything else is taken for true: people wanted something to stop. */
static const char *find_pause(Reader *reader) {
  const char *text = reader->report.paused;
  if (!text || strcmp(text, "false") == 0)
    return NULL;
  Arena *arena = &reader->node->arena;
  if (strcmp(text, "true") == 0)
    return arena_format(arena, "node %s is paused by %s", reader->node->name, MIG_ANNOTATION_PAUSED);
  const char *problem =
      complain(reader, MIG_ANNOTATION_PAUSED,
               arena_format(arena, "\"%s\" is neither true nor false", excerpt_of(reader, text)));
  return arena_format(arena, "node %s: %s", reader->node->name, problem);
}

void node_gpus_read(Snapshot *snapshot, SnapshotNode *node, SnapshotWarnings *warnings) {
  assert(node->object && node->name && !node->gpus);
  Reader reader = {.snapshot = snapshot, .node = node, .warnings = warnings};
  node_report_read(node->object, &reader.report);
  node->spec_plan = reader.report.spec_plan;
  node->status_plan = reader.report.status_plan;
  if (!string_equal(key_values_find(&node->object->meta.labels, MIG_LABEL_PARTITIONING), "mig")) {
    node->blocked = arena_format(&node->arena, "node %s does not carry the label %s=mig", node->name,
                                 MIG_LABEL_PARTITIONING);
    return;
  }
  uint64_t gpus = find_gpus(&reader);
  if (!gpus) {
    node->blocked = arena_format(
        &node->arena, "node %s: no GPU was reported; is the facet agent running there?", node->name);
    return;
  }
  node->managed = true;
  read_node_annotations(&reader);
  Resources published = take_published(&reader);
  read_gpus(&reader, gpus);
  if (reader.has_unknown_layout)
    resources_max(&node->allocatable, &published, &node->arena);
  node->blocked = find_pause(&reader);
}
