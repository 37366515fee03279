/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the dump reader: a source out of memory, which gives so many bytes at a time. */
#pragma once

#include "kube/dump.h"

#include <string.h>

typedef struct DumpBytes {
  const char *at;
  size_t left;
  size_t piece;
} DumpBytes;

static inline int dump_bytes_read(void *userdata, char *buffer, size_t room, size_t *ret_size, Error *err) {
  DumpBytes *bytes = userdata;
  size_t size = bytes->piece < room ? bytes->piece : room;
  *ret_size = size < bytes->left ? size : bytes->left;
  if (*ret_size)
    memcpy(buffer, bytes->at, *ret_size);
  bytes->at += *ret_size;
  bytes->left -= *ret_size;
  return 0;
}

static inline int dump_read_bytes(const char *at, size_t size, size_t piece, const KubeDumpSink *sink,
                                  KubeDumpCounts *ret_counts, Error *err) {
  DumpBytes bytes = {at, size, piece};
  KubeDumpSource source = {.read = dump_bytes_read, .userdata = &bytes};
  return kube_dump_read(&source, sink, ret_counts, err);
}
