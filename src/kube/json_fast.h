/* SPDX-License-Identifier: Apache-2.0 */
/* The quick way over JSON that is in memory, sixteen bytes a step (SSE2; elsewhere byte by byte). It knows no
 * errors: where something is odd it says no, and kube_json_scan() is asked, which tells what and where. */
#pragma once

#include "kube/bytes.h"

#include <stdbool.h>

/* How many bytes of white space the text begins with. */
size_t kube_json_fast_space(const char *text, size_t size);
/* Where the first byte stands that is special in a string (quote, backslash, control character); `size` where
 * there is none. */
size_t kube_json_fast_plain(const char *text, size_t size);
/* The size of the sound JSON value that the text begins with, white space before it included; 0 where there
 * is none, or where it is not complete. Brackets may be nested `depth` deep. A number must have a byte behind
 * it.
 */
size_t kube_json_fast_skip(const char *text, size_t size, int depth);

/* Finds the end of an object, an array or a string in a stream, at any split, by counting brackets; nothing
 * is held against the grammar. A line's end ends a string too, which is none then: so a missing quote spoils
 * one line and not the rest of a file. Zeroes are at the start of a value. */
typedef struct KubeJsonEnd {
  bool in_string;
  bool escaped; /* the next byte is */
  int depth;
} KubeJsonEnd;
/* Moves the cursor behind the value's last byte and says true, or moves it to the end of the bytes. The value
 * begins at the cursor. */
bool kube_json_end_find(KubeJsonEnd *end, KubeBytes *rest);
