/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the values that others write: pieces between separators, strict numbers, and excerpts that are fit
 * for an error message whatever bytes they came from. For mig/, and for what people type in the same form. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MIG_EXCERPT_SIZE = 48 };

/* A part of a longer text: not terminated, without blanks around it. */
typedef struct MigPiece {
  const char *text;
  size_t size;
} MigPiece;

/* Where scanning for pieces begins: NULL, that is no pieces at all, where the text is empty or blank. */
const char *mig_scan_begin(const char *text);
/* The next piece of *rest, which becomes NULL behind the last one: "a," has two, of which one is empty. */
bool mig_scan_piece(const char **rest, char separator, MigPiece *ret_piece);
/* The piece as a string; false where it is longer than the buffer. */
bool mig_scan_copy(MigPiece piece, char *ret_text, size_t size);
/* A number as programs print it - digits, no sign, no leading zero - up to max; moves *text behind it. */
bool mig_scan_number(const char **text, uint32_t max, uint32_t *ret_number);
/* Steps over the word where *text begins with it. */
bool mig_scan_word(const char **text, const char *word);
/* The piece as a product label or a GPU's UUID; the label's size limit is part of being one. */
bool mig_scan_label(MigPiece piece, char *ret_label, size_t size);
int mig_scan_uuid(MigPiece piece, char *ret_uuid, size_t size, Error *err) MUST_CHECK;
/* Printable and short: other bytes become '?', longer texts end in "...". */
void mig_scan_excerpt(MigPiece piece, char ret_excerpt[MIG_EXCERPT_SIZE]);
/* The whole string as a piece. */
MigPiece mig_scan_whole(const char *text);
