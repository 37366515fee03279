/* SPDX-License-Identifier: Apache-2.0 */
/* The strings of facet's public contract on nodes: annotation keys and values, both directions.
 * Parsing never trusts: every parse checks lengths, numbers and names, and its error names what is wrong.
 * Values are bound to a model (profile indexes) only where the function says so. */
#pragma once

#include "mig/layout.h"

#define MIG_LABEL_PARTITIONING "nos.nebuly.com/gpu-partitioning" /* "mig" or "mps" */
/* On the pods by which the agent takes slices out of the scheduler's reach; its value tells the node. */
#define MIG_LABEL_RESERVATION "facet.gpu/reservation"
/* A number that grows with each re-cut, told together with the amounts after it: whoever has seen it has seen
 * them. */
#define MIG_LABEL_OFFER                    "facet.gpu/offer"
#define MIG_ANNOTATION_SPEC_PLAN           "nos.nebuly.com/spec-partitioning-plan"
#define MIG_ANNOTATION_STATUS_PLAN         "nos.nebuly.com/status-partitioning-plan"
#define MIG_ANNOTATION_SPEC_GPU_PREFIX     "facet.gpu/spec-gpu-"        /* + <index> */
#define MIG_ANNOTATION_STATUS_GPU_PREFIX   "facet.gpu/status-gpu-"      /* + <index> */
#define MIG_ANNOTATION_IDENTITY_PREFIX     "facet.gpu/gpu-"             /* + <index> */
#define MIG_ANNOTATION_SPEC_COUNT_PREFIX   "nos.nebuly.com/spec-gpu-"   /* + <index>-<profile> */
#define MIG_ANNOTATION_STATUS_COUNT_PREFIX "nos.nebuly.com/status-gpu-" /* + <index>-<profile>-free|used */
#define MIG_ANNOTATION_PROFILES            "facet.gpu/profiles"
#define MIG_ANNOTATION_ERROR               "facet.gpu/error"
#define MIG_ANNOTATION_STAGE               "facet.gpu/stage"
#define MIG_ANNOTATION_EXCLUDE             "facet.gpu/exclude-gpus"
#define MIG_ANNOTATION_KEEP_PREFIX         "facet.gpu/keep-gpu-" /* + <index> */
#define MIG_ANNOTATION_ALLOWED             "facet.gpu/allowed-profiles"
#define MIG_ANNOTATION_MIG_MODE            "facet.gpu/mig-mode" /* "auto": switched on where that needs no reset */
#define MIG_ANNOTATION_TOOK_OVER           "facet.gpu/took-over"
/* The GPU Operator's: "false" keeps NVIDIA's device plugin away from the node. */
#define MIG_LABEL_DEVICE_PLUGIN "nvidia.com/gpu.deploy.device-plugin"
#define MIG_ANNOTATION_PAUSED   "facet.gpu/paused"

/* Why a node whose label MIG_LABEL_PARTITIONING has this value is left alone, one sentence; false where it is
 * not: "mig", or NULL (no label: nobody expects anything). */
enum { MIG_LABEL_TEXT_SIZE = 256 };
bool mig_label_explain(const char *value, char ret_text[MIG_LABEL_TEXT_SIZE]);

enum {
  MIG_UUID_SIZE = 96,     /* a GPU or MIG UUID and its NUL */
  MIG_GPU_INDEX_MAX = 63, /* the largest GPU index accepted on a node */
  MIG_PLAN_ID_SIZE = 64,
};

typedef enum MigMode { MIG_MODE_OFF, MIG_MODE_ON, MIG_MODE_PENDING } MigMode;
typedef enum MigUse { MIG_USE_NONE, MIG_USE_FREE, MIG_USE_USED } MigUse;

/* One "1g.10gb@6" or "1g.10gb@6:used" of a list, not yet bound to a model. */
typedef struct MigListItem {
  char profile[MIG_PROFILE_NAME_SIZE];
  int start;
  MigUse use; /* MIG_USE_NONE where the text says none */
} MigListItem;

typedef struct MigList {
  MigListItem items[MIG_INSTANCES_MAX];
  int count;
} MigList;

/* "1g.10gb@6,2g.20gb@0" (with_use false) or "1g.10gb@6:used,1g.10gb@4:free" (with_use true); "" is empty. */
int mig_list_parse(const char *text, bool with_use, MigList *ret_list, Error *err) MUST_CHECK;
bool mig_list_has(const MigList *list, const char *profile, int start);
/* The instances of a layout, by start; use as given. */
void mig_list_from_layout(const MigLayout *layout, MigList *ret_list);
/* A layout of the model; ERROR_INVALID where the model has no such profile or placement, or they overlap. */
int mig_list_bind(const MigList *list, const MigModel *model, MigLayout *ret_layout, Error *err) MUST_CHECK;

/* facet.gpu/spec-gpu-<i>: "GPU-<uuid> 1g.10gb@6,2g.20gb@0"; nothing behind the UUID means no slices. */
typedef struct MigSpec {
  char uuid[MIG_UUID_SIZE];
  MigList list;
} MigSpec;
int mig_spec_parse(const char *text, MigSpec *ret_spec, Error *err) MUST_CHECK;
/* The order of the list is kept: the agent creates in this order, so demanded slices come before left-over
 * ones. */
void mig_spec_format(const char *uuid, const MigList *list, char *ret_text, size_t size);

/* facet.gpu/status-gpu-<i>: instances by start; bit k of used_starts: the instance at slot k is in use. */
void mig_status_format(const MigLayout *layout, uint32_t used_starts, char *ret_text, size_t size);
int mig_status_parse(const char *text, const MigModel *model, MigLayout *ret_layout,
                     uint32_t *ret_used_starts, Error *err) MUST_CHECK;
#define MIG_STATUS_TEXT_SIZE (MIG_INSTANCES_MAX * (MIG_PROFILE_NAME_SIZE + 10))
#define MIG_SPEC_TEXT_SIZE   (MIG_UUID_SIZE + MIG_STATUS_TEXT_SIZE)

/* facet.gpu/gpu-<i>: "GPU-<uuid> <model label> mig=on|off|pending". */
typedef struct MigIdentity {
  char uuid[MIG_UUID_SIZE];
  char model[MIG_MODEL_NAME_SIZE];
  MigMode mode;
} MigIdentity;
int mig_identity_parse(const char *text, MigIdentity *ret_identity, Error *err) MUST_CHECK;
void mig_identity_format(const MigIdentity *identity, char *ret_text, size_t size);
#define MIG_IDENTITY_TEXT_SIZE (MIG_UUID_SIZE + MIG_MODEL_NAME_SIZE + 16)

/* The sixteen bytes of a UUID as NVML writes it, "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3"; false: it is
 * written otherwise. */
bool mig_uuid_pack(const char *uuid, uint8_t ret_bytes[16]);
void mig_uuid_unpack(const uint8_t bytes[16], char ret_uuid[MIG_UUID_SIZE]);

/* facet.gpu/profiles: what NVML allows, for all models of one node:
 *
 *     NVIDIA-A100-SXM4-80GB/8 1g.10gb:7x1@0,1,2,3,4,5,6 2g.20gb:3x2@0,2,4 ...;NVIDIA-H100-.../8 ...
 *
 * <model label>/<slots>, then <profile>:<instances max>x<size>@<starts>. Enough to plan for an unknown
 * model. */
enum { MIG_NODE_MODELS_MAX = 8, MIG_PROFILES_TEXT_MAX = 16384 };
/* Left out are models without known placements, and one that would not fit into the buffer as a whole. */
void mig_profiles_format(const MigModel *const *models, int count, char *ret_text, size_t size);
/* Fills up to MIG_NODE_MODELS_MAX models, some of them even where it fails. Where the table knows model and
 * profile it gives engines, memory, NVML's numbers and the order of preference, else starts are ascending. */
int mig_profiles_parse(const char *text, MigModel *ret_models, int *ret_count, Error *err) MUST_CHECK;

/* Keys. The index of "facet.gpu/spec-gpu-3" for its prefix, -1 where the key is not of that form. */
int mig_key_parse_index(const char *key, const char *prefix);
/* "nos.nebuly.com/status-gpu-0-1g.10gb-free" -> 0, "1g.10gb", MIG_USE_FREE; false where not of that form. */
bool mig_key_parse_count(const char *key, const char *prefix, int *ret_index, char *ret_profile,
                         MigUse *ret_use);
/* use MIG_USE_NONE gives the spec form without a suffix. */
void mig_key_format_count(const char *prefix, int index, const char *profile, MigUse use, char *ret_key,
                          size_t size);
enum { MIG_KEY_SIZE = 96 };
/* nos' counts -> a layout, in the driver's own placement order (profile after profile, largest first). */
int mig_counts_bind(const MigModel *model, const int counts[MIG_PROFILES_MAX], MigLayout *ret_layout,
                    Error *err) MUST_CHECK;

/* facet.gpu/exclude-gpus: "2,3" -> bits. */
int mig_exclude_parse(const char *text, uint64_t *ret_indexes, Error *err) MUST_CHECK;
/* facet.gpu/allowed-profiles: "1g.10gb,2g.20gb"; each name once, some of them written even where it fails. */
int mig_allowed_parse(const char *text, char ret_names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE],
                      int *ret_count, Error *err) MUST_CHECK;
