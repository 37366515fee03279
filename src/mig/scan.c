/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/scan.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

MigPiece mig_scan_whole(const char *text) {
  return (MigPiece){.text = text, .size = strlen(text)};
}

static MigPiece trim(MigPiece piece) {
  while (piece.size && piece.text[0] == ' ') {
    piece.text++;
    piece.size--;
  }
  while (piece.size && piece.text[piece.size - 1] == ' ')
    piece.size--;
  return piece;
}

const char *mig_scan_begin(const char *text) {
  return text[strspn(text, " ")] ? text : NULL;
}

bool mig_scan_piece(const char **rest, char separator, MigPiece *ret_piece) {
  if (!*rest)
    return false;
  const char *end = strchr(*rest, separator);
  size_t size = end ? (size_t)(end - *rest) : strlen(*rest);
  *ret_piece = trim((MigPiece){.text = *rest, .size = size});
  *rest = end ? end + 1 : NULL;
  return true;
}

bool mig_scan_copy(MigPiece piece, char *ret_text, size_t size) {
  if (piece.size >= size)
    return false;
  memcpy(ret_text, piece.text, piece.size);
  ret_text[piece.size] = '\0';
  return true;
}

bool mig_scan_number(const char **text, uint32_t max, uint32_t *ret_number) {
  const char *p = *text;
  if (!isdigit((unsigned char)p[0]) || (p[0] == '0' && isdigit((unsigned char)p[1])))
    return false;
  uint64_t number = 0;
  for (; isdigit((unsigned char)*p); p++) {
    number = number * 10 + (uint64_t)(*p - '0');
    if (number > max)
      return false;
  }
  *text = p;
  *ret_number = (uint32_t)number;
  return true;
}

bool mig_scan_word(const char **text, const char *word) {
  if (!string_has_prefix(*text, word))
    return false;
  *text += strlen(word);
  return true;
}

bool mig_scan_label(MigPiece piece, char *ret_label, size_t size) {
  for (size_t i = 0; i < piece.size; i++)
    if (!isalnum((unsigned char)piece.text[i]) && !memchr("-_.", piece.text[i], 3))
      return false;
  return piece.size > 0 && mig_scan_copy(piece, ret_label, size);
}

int mig_scan_uuid(MigPiece piece, char *ret_uuid, size_t size, Error *err) {
  static const char prefix[] = "GPU-";
  bool has_prefix = piece.size >= sizeof prefix && memcmp(piece.text, prefix, sizeof prefix - 1) == 0;
  if (has_prefix && mig_scan_label(piece, ret_uuid, size))
    return 0;
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(piece, excerpt);
  return error_set(err, ERROR_INVALID,
                   "\"%s\" is not the UUID of a GPU: one looks like GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3",
                   excerpt);
}

void mig_scan_excerpt(MigPiece piece, char ret_excerpt[MIG_EXCERPT_SIZE]) {
  static const char cut[] = "...";
  bool whole = piece.size < MIG_EXCERPT_SIZE;
  size_t shown = whole ? piece.size : MIG_EXCERPT_SIZE - sizeof cut;
  for (size_t i = 0; i < shown; i++)
    ret_excerpt[i] = isprint((unsigned char)piece.text[i]) && piece.text[i] != '"' ? piece.text[i] : '?';
  memcpy(ret_excerpt + shown, whole ? "" : cut, whole ? 1 : sizeof cut);
}
