/* SPDX-License-Identifier: Apache-2.0 */
/* A parser of OpenMetrics 1.0 text, as strict as the specification, that knows nothing of our tables:
 * families with their TYPE before their samples, suffixes as the type wants them, labels escaped, buckets
 * cumulative up to +Inf, one "# EOF" at the end. */
#pragma once

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>

typedef struct OpenSample {
  char *name, *labels; /* `a="b",le="1"`, as they stand there */
  double value;
} OpenSample;

typedef struct OpenFamily {
  char *name, *type, *help;
  ARRAY(OpenSample) samples;
} OpenFamily;

typedef struct OpenText {
  ARRAY(OpenFamily) families;
} OpenText;

static inline void open_text_deinit(OpenText *text) {
  for (size_t i = 0; i < text->families.count; i++) {
    OpenFamily *family = &text->families.items[i];
    for (size_t j = 0; j < family->samples.count; j++) {
      free(family->samples.items[j].name);
      free(family->samples.items[j].labels);
    }
    array_deinit(&family->samples);
    free(family->name);
    free(family->type);
    free(family->help);
  }
  array_deinit(&text->families);
}

/* Size of a metric or label name at the beginning of the text; 0: there is none. */
static inline size_t open_name_size(const char *text) {
  static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  return *text && strchr(first, *text)
             ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
             : 0;
}

/* Size of `a="b",c="d"` up to the closing brace, or 0 where it is malformed. */
static inline size_t open_labels_size(const char *text) {
  size_t i = 0;
  for (;;) {
    size_t name = open_name_size(text + i);
    if (!name || text[i + name] != '=' || text[i + name + 1] != '"')
      return 0;
    for (i += name + 2; text[i] != '"'; i++) {
      if (!text[i] || text[i] == '\n' || (text[i] == '\\' && !strchr("\\\"n", text[++i])) || !text[i])
        return 0;
    }
    i++;
    if (text[i] == '}')
      return i;
    if (text[i++] != ',')
      return 0;
  }
}

static inline bool open_suffix_fits(const char *type, const char *suffix) {
  static const struct {
    const char *type, *suffixes[4];
  } rules[] = {{"counter", {"_total"}},
               {"gauge", {""}},
               {"info", {"_info"}},
               {"histogram", {"_bucket", "_sum", "_count"}}};
  for (size_t i = 0; i < COUNT_OF(rules); i++)
    for (size_t j = 0; strcmp(rules[i].type, type) == 0 && rules[i].suffixes[j]; j++)
      if (strcmp(rules[i].suffixes[j], suffix) == 0)
        return true;
  return false;
}

static inline int open_parse_sample(const char *line, OpenFamily *family, Error *err) {
  size_t name = open_name_size(line), family_size = family ? strlen(family->name) : 0, labels = 0;
  if (!family || strncmp(line, family->name, family_size) != 0)
    return error_set(err, ERROR_INVALID, "a sample outside of its family: %s", line);
  OpenSample sample = {.name = mem_strndup(line, name)};
  const char *rest = line + name;
  if (*rest == '{') {
    labels = open_labels_size(rest + 1);
    sample.labels = mem_strndup(rest + 1, labels);
    rest += labels + 2;
  } else {
    sample.labels = mem_strdup("");
  }
  *array_push(&family->samples) = sample;
  char *end;
  family->samples.items[family->samples.count - 1].value = strtod(rest, &end);
  if ((line[name] == '{' && !labels) || *rest != ' ' || *end || end == rest + 1)
    return error_set(err, ERROR_INVALID, "a sample that cannot be read: %s", line);
  if (!open_suffix_fits(family->type, sample.name + family_size))
    return error_set(err, ERROR_INVALID, "the name does not fit a %s: %s", family->type, line);
  return 0;
}

/* "# TYPE name type" or "# HELP name text". */
static inline int open_parse_comment(const char *line, OpenText *text, Error *err) {
  bool is_type = string_has_prefix(line, "# TYPE ");
  const char *name = line + 7;
  size_t size = open_name_size(name);
  if ((!is_type && !string_has_prefix(line, "# HELP ")) || !size || name[size] != ' ')
    return error_set(err, ERROR_INVALID, "a comment that means nothing: %s", line);
  CLEANUP(cleanup_free) char *word = mem_strndup(name, size);
  OpenFamily *last = text->families.count ? &text->families.items[text->families.count - 1] : NULL;
  if (!is_type) {
    if (!last || strcmp(last->name, word) != 0 || last->help || last->samples.count)
      return error_set(err, ERROR_INVALID, "HELP that is not right behind its TYPE: %s", line);
    last->help = mem_strdup(name + size + 1);
    return 0;
  }
  for (size_t i = 0; i < text->families.count; i++)
    if (strcmp(text->families.items[i].name, word) == 0)
      return error_set(err, ERROR_INVALID, "the family comes twice: %s", line);
  *array_push(&text->families) = (OpenFamily){.name = TAKE(word), .type = mem_strdup(name + size + 1)};
  return 0;
}

/* Buckets of one series stand together, rise, and end with +Inf, which equals the count behind them. */
static inline int open_check_histogram(const OpenFamily *family, Error *err) {
  double before = -1, last = -1;
  for (size_t i = 0; i < family->samples.count; i++) {
    const OpenSample *sample = &family->samples.items[i];
    if (string_has_suffix(sample->name, "_bucket")) {
      const char *le = strstr(sample->labels, "le=\"");
      double bound = le ? strtod(le + 4, NULL) : -1;
      if (!le || bound <= before || sample->value < last)
        return error_set(err, ERROR_INVALID, "buckets of %s do not rise: %s", family->name, sample->labels);
      before = bound;
      last = sample->value;
    } else if (string_has_suffix(sample->name, "_count")) {
      if (before != strtod("inf", NULL) || sample->value != last)
        return error_set(err, ERROR_INVALID, "%s does not count what its buckets do", family->name);
      before = last = -1;
    }
  }
  return 0;
}

/* Clean the text up whatever comes. */
static inline int open_text_parse(const char *source, OpenText *text, Error *err) {
  bool has_ended = false;
  CLEANUP(cleanup_free) char *copy = mem_strdup(source);
  if (!string_has_suffix(source, "\n"))
    return error_set(err, ERROR_INVALID, "the last line has no end");
  char *rest = copy;
  for (char *line; (line = strsep(&rest, "\n")) && (*line || rest);) {
    if (has_ended)
      return error_set(err, ERROR_INVALID, "something behind # EOF: %s", line);
    has_ended = strcmp(line, "# EOF") == 0;
    OpenFamily *last = text->families.count ? &text->families.items[text->families.count - 1] : NULL;
    int r = has_ended      ? 0
            : *line == '#' ? open_parse_comment(line, text, err)
                           : open_parse_sample(line, last, err);
    if (r < 0)
      return r;
  }
  for (size_t i = 0; i < text->families.count; i++) {
    if (strcmp(text->families.items[i].type, "histogram") != 0)
      continue;
    int r = open_check_histogram(&text->families.items[i], err);
    if (r < 0)
      return r;
  }
  return has_ended ? 0 : error_set(err, ERROR_INVALID, "# EOF is missing");
}

/* The value of a sample, or -1 where it is not there. */
static inline double open_text_find(const OpenText *text, const char *name, const char *labels) {
  for (size_t i = 0; i < text->families.count; i++)
    for (size_t j = 0; j < text->families.items[i].samples.count; j++) {
      const OpenSample *sample = &text->families.items[i].samples.items[j];
      if (strcmp(sample->name, name) == 0 && strcmp(sample->labels, labels) == 0)
        return sample->value;
    }
  return -1;
}
