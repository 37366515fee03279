/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the end of a JSON value in a stream, in constant memory and at any split, and holds it against the
 * grammar on the way: brackets, commas, literals, numbers, escapes. */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "kube/bytes.h"
#include "kube/json_fast.h"

#include <stdbool.h>

/* The value is complete. */
enum { KUBE_JSON_DONE = 1 };

typedef enum KubeJsonState {
  KUBE_JSON_VALUE, /* what may come next: a value; where a scan starts */
  KUBE_JSON_VALUE_OR_CLOSE,
  KUBE_JSON_NAME,
  KUBE_JSON_NAME_OR_CLOSE,
  KUBE_JSON_COLON,
  KUBE_JSON_COMMA_OR_CLOSE,
  KUBE_JSON_STRING, /* inside a token from here on */
  KUBE_JSON_ESCAPE,
  KUBE_JSON_HEX,
  KUBE_JSON_LITERAL,
  KUBE_JSON_MINUS,
  KUBE_JSON_ZERO,
  KUBE_JSON_INTEGER,
  KUBE_JSON_POINT,
  KUBE_JSON_FRACTION,
  KUBE_JSON_E,
  KUBE_JSON_E_SIGN,
  KUBE_JSON_EXPONENT,
} KubeJsonState;

/* A scan of zeroes is at the start of a value. */
typedef struct KubeJsonScan {
  KubeJsonState state;
  int outer; /* brackets around the value, which count for the limit too */
  int depth;
  uint64_t objects;    /* bit d: the bracket at depth d is that of an object, else of an array */
  bool in_name;        /* the string is the name of a member */
  int hex_left;        /* digits of a \u escape still to come */
  const char *literal; /* the rest of true, false or null */
} KubeJsonScan;

/* Moves the cursor to the value's end (KUBE_JSON_DONE), or to the end of the bytes (0). Whitespace before the
 * value counts as part of it. A number ends at the byte behind it, which stays. On failure the cursor stands
 * at the bad byte. */
int kube_json_scan(KubeJsonScan *scan, KubeBytes *rest, Error *err) MUST_CHECK;

static inline bool kube_json_is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* "found 'x' at byte 12 where a value was expected", or that the JSON ends there. */
int kube_json_fail(const KubeBytes *at, const char *wanted, Error *err);
/* The bracket at the cursor is one too many. */
int kube_json_fail_depth(const KubeBytes *at, Error *err);

/* What becomes of a value in a stream. */
typedef enum KubeJsonTake {
  KUBE_JSON_PASS, /* passed over; held against the grammar */
  KUBE_JSON_KEEP, /* gathered; held against the grammar */
  KUBE_JSON_GRAB, /* gathered in haste: whoever gets the bytes holds them against the grammar */
  KUBE_JSON_BITE, /* the same, of a value that is too large only its beginning */
  KUBE_JSON_SEEK, /* passed over in haste: the grammar is somebody else's affair */
} KubeJsonTake;

/* One value out of a stream. A value that lies in the fed bytes as a whole is not copied. */
typedef struct KubeJsonValue {
  KubeJsonTake take;
  bool is_hasty; /* by its first byte it may be */
  bool is_cut; /* KUBE_JSON_BITE: the value has more than KUBE_OBJECT_SIZE_MAX bytes, its beginning is kept */
  KubeJsonScan scan;
  KubeJsonEnd end;
  Text kept;
  uint64_t offset; /* where the value began */
} KubeJsonValue;

/* The value's first byte is `first`. */
void kube_json_value_begin(KubeJsonValue *value, uint64_t offset, char first, KubeJsonTake take);
/* KUBE_JSON_DONE with the value's bytes (none where it is not gathered), valid until begin or the end of the
 * fed bytes; 0 when it goes on. More than KUBE_OBJECT_SIZE_MAX gathered bytes are an error. */
int kube_json_value_feed(KubeJsonValue *value, KubeBytes *rest, KubeBytes *ret_value, Error *err) MUST_CHECK;
void kube_json_value_deinit(KubeJsonValue *value);
