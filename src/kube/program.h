/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a program on a libuv loop: what it wrote, and how it ended. */
#pragma once

#include "base/text.h"

#include <uv.h>

typedef struct KubeProgram KubeProgram;

typedef enum KubeProgramFate {
  KUBE_PROGRAM_ENDED,       /* with `number` as its exit status */
  KUBE_PROGRAM_KILLED,      /* by the signal `number` */
  KUBE_PROGRAM_NOT_STARTED, /* `number` is libuv's error */
  KUBE_PROGRAM_TOO_SLOW,
  KUBE_PROGRAM_TOO_LONG, /* it wrote more than output_max bytes */
} KubeProgramFate;

typedef struct KubeProgramEnd {
  KubeProgramFate fate;
  int number;
  const Text *output, *words; /* stdout and stderr, as far as they were read */
} KubeProgramEnd;

typedef struct KubeProgramOptions {
  const char *file;        /* a path, or a name that PATH knows */
  const char *const *args; /* the first is the program's name; NULL ends them */
  const char *const *env;  /* "NAME=value"; NULL ends them */
  uint32_t timeout_ms;
  size_t output_max; /* of each stream */
  void (*on_end)(void *userdata, const KubeProgramEnd *end);
  void *userdata;
} KubeProgramOptions;

/* Its stdin is empty. on_end comes once, from the loop; the run is gone then. */
KubeProgram *kube_program_start(uv_loop_t *loop, const KubeProgramOptions *options);
/* Kills it; on_end does not come. */
void kube_program_cancel(KubeProgram *program);
