/* SPDX-License-Identifier: Apache-2.0 */
/* GPU models as rows of one table: which MIG profiles a model has, where they may be placed, how many may
 * exist.
 *
 * Three numbers that must not be confused (NVIDIA's nvml.h):
 *   nvml_index  argument of nvmlDeviceGetGpuInstanceProfileInfo, NVML_GPU_INSTANCE_PROFILE_* (0..17)
 *   nvml_id     the profile id that nvidia-smi prints and that Create/PossiblePlacements take; differs per
 * model index       position in MigModel.profiles, what this program uses everywhere ("profile" as an int)
 *
 * A placement is a start and a size in memory slots; a GPU has 8 slots (A100 and its heirs), 4 (A30) or 12
 * (RTX PRO 6000). Bit k of a mask is slot k. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
  MIG_SLOTS_MAX = 32,         /* memory slots of one GPU */
  MIG_PROFILES_MAX = 24,      /* profiles of one model */
  MIG_PROFILE_NAME_SIZE = 24, /* "1g.10gb+me.all" and its NUL */
  MIG_MODEL_NAME_SIZE = 64,   /* "NVIDIA-A100-SXM4-80GB" and its NUL */
  MIG_PRODUCT_NAMES_MAX = 8,
};

typedef enum MigProfileKind {
  MIG_PLAIN,
  MIG_ME,     /* +me: with the media engines */
  MIG_GFX,    /* +gfx: graphics */
  MIG_NO_ME,  /* -me: without media engines */
  MIG_ALL_ME, /* +me.all: all media engines; only together with -me instances */
} MigProfileKind;

typedef struct MigProfile {
  char name[MIG_PROFILE_NAME_SIZE]; /* as NVML says it without "MIG ": "1g.10gb+me" */
  MigProfileKind kind;
  uint8_t slice_count;                /* compute slices: the number before "g" */
  uint8_t size;                       /* memory slots of one instance */
  uint8_t instance_count_max;         /* how many may exist on one GPU */
  uint32_t starts;                    /* bit k: an instance may start at slot k */
  uint8_t auto_starts[MIG_SLOTS_MAX]; /* the driver's own order of preference */
  uint8_t auto_start_count;
  /* What the driver reports beside it; 0 where unknown. */
  int nvml_index; /* -1 where unknown */
  int nvml_id;    /* -1 where unknown */
  uint32_t memory_mib;
  uint16_t multiprocessors;
  uint8_t copy_engines, decoders, encoders, jpegs, ofas;
} MigProfile;

typedef struct MigModel {
  char name[MIG_MODEL_NAME_SIZE]; /* product label form: "NVIDIA-A100-SXM4-80GB" */
  uint8_t slot_count;             /* 0: placements are not known, nothing can be placed */
  uint8_t profile_count;
  uint32_t memory_mib;                   /* whole GPU; 0 where unknown */
  uint8_t mode_needs_reset;              /* Ampere: MIG mode becomes active with a GPU reset */
  MigProfile profiles[MIG_PROFILES_MAX]; /* the order of the table; smallest first */
} MigModel;

/* A row of the built-in table: one model under all its product names and PCI ids. */
typedef struct MigModelRow {
  const char *key;                                  /* "A100-80GB" */
  const char *product_names[MIG_PRODUCT_NAMES_MAX]; /* as NVML says: "NVIDIA A100-SXM4-80GB"; NULL ends */
  uint32_t pci_ids[MIG_PRODUCT_NAMES_MAX];          /* (device << 16) | 0x10DE; 0 ends */
  const char *architecture;                         /* "ampere", "hopper", "blackwell" */
  uint16_t multiprocessors;                         /* whole GPU; 0 where unknown */
  bool placements_known;                            /* false: plan only with what the driver reports */
  MigModel model;                                   /* model.name is the label form of product_names[0] */
} MigModelRow;

/* The table; every row passed mig_model_check() in the tests. Lives forever. */
const MigModelRow *mig_model_rows(int *ret_count);
/* By product name, in NVML's form ("NVIDIA A100 80GB PCIe"), in label form ("NVIDIA-A100-80GB-PCIe", also
 * with "-MIG-..." or "-SHARED" behind it as GPU feature discovery writes) or by key; NULL where the table has
 * none. */
const MigModelRow *mig_model_find(const char *product);
/* The first model with known placements of whose key this is what is left where parts are left out, in any
 * case: "h100-80gb" for "H100-SXM-80GB". */
const MigModelRow *mig_model_find_short(const char *name);
/* "A100-40GB, A100-80GB, ...": the keys of all models with known placements. The caller frees. */
char *mig_model_format_known(void);
const MigModelRow *mig_model_find_pci(uint32_t pci_device_id);
/* Product name -> label form, as GPU feature discovery does: characters outside [A-Za-z0-9-_. ] dropped,
 * spaces become '-'. `size` is that of the buffer; longer names are cut. */
void mig_model_format_label(const char *product_name, char *ret_label, size_t size);

/* Sanity of one model: sizes, starts within the axis, names that parse, counts. */
int mig_model_check(const MigModel *model, Error *err) MUST_CHECK;
/* Index of the profile by name ("1g.10gb+me") or -1. */
int mig_model_find_profile(const MigModel *model, const char *name);
/* The profile with that number of NVML's, or NULL. */
const MigProfile *mig_model_find_nvml_id(const MigModel *model, int nvml_id);

/* Profile names: kinds and numbers from text, e.g. "3g.40gb" or "1g.24gb+me.all". Only the first five fields
 * that a name can tell are set (name, kind, slice_count); memory is returned in GB. */
int mig_profile_parse_name(const char *name, MigProfile *ret_profile, uint32_t *ret_memory_gb,
                           Error *err) MUST_CHECK;
/* "1g.10gb+me" <-> "1g.10gb.me" as used in resource names and annotation keys. Buffers of
 * MIG_PROFILE_NAME_SIZE. The parse direction is unambiguous: only known suffixes are turned back. */
void mig_profile_format_key(const char *name, char *ret_key);
int mig_profile_parse_key(const char *key, char *ret_name, Error *err) MUST_CHECK;
/* "nvidia.com/mig-1g.10gb.me" <-> "1g.10gb+me". */
#define MIG_RESOURCE_PREFIX    "nvidia.com/mig-"
#define MIG_RESOURCE_NAME_SIZE (sizeof MIG_RESOURCE_PREFIX - 1 + MIG_PROFILE_NAME_SIZE)
void mig_profile_format_resource(const char *name, char *ret_resource);
bool mig_profile_is_resource(const char *resource); /* starts with the prefix */
int mig_profile_parse_resource(const char *resource, char *ret_name, Error *err) MUST_CHECK;
