/* SPDX-License-Identifier: Apache-2.0 */
/* YAML is a large language; this writes the small part of it that JSON needs: block mappings and sequences,
 * plain words where they can be nothing else than a text, else JSON's own strings, which are YAML too. */
#include "cli/print_tree.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { INDENT = 2 };

/* Words that some reader of YAML takes for null, a truth value or a number. */
static bool is_reserved(const char *text) {
  static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (strcasecmp(text, words[i]) == 0)
      return true;
  return false;
}

/* Letters in front, then what cannot end a word or begin a comment. */
static bool is_plain(const char *text) {
  bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
  if (!letter || is_reserved(text))
    return false;
  for (const char *p = text; *p; p++) {
    bool is_inner = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                    strchr("-_./+@", *p);
    bool is_space = *p == ' ' && p[1] && p[1] != ' ' && p[1] != '#';
    if (!is_inner && !is_space)
      return false;
  }
  return true;
}

static void put_string(Text *out, const char *text) {
  if (is_plain(text))
    text_append(out, text);
  else
    text_append_json(out, text);
}

static void put_indent(Text *out, int depth) {
  text_format(out, "%*s", depth * INDENT, "");
}

static void put_value(Text *out, const json_t *value, int depth, bool is_item);

static bool is_nested(const json_t *value) {
  return json_is_object(value) ? json_object_size(value) > 0 : json_array_size(value) > 0;
}

static void put_scalar(Text *out, const json_t *value) {
  if (json_is_string(value)) {
    put_string(out, json_string_value(value));
    return;
  }
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)); /* numbers, words, {} and [] */
  text_append(out, text);
  free(text);
}

/* The first line of an item stands behind its dash already. */
static void put_object(Text *out, const json_t *object, int depth, bool is_item) {
  const char *key;
  json_t *value;
  bool is_first = true;
  json_object_foreach((json_t *)object, key, value) {
    if (!is_item || !is_first)
      put_indent(out, depth);
    is_first = false;
    put_string(out, key);
    text_append(out, ":");
    put_value(out, value, json_is_array(value) ? depth : depth + 1, false);
  }
}

static void put_array(Text *out, const json_t *array, int depth, bool is_item) {
  for (size_t i = 0; i < json_array_size(array); i++) {
    if (!is_item || i > 0)
      put_indent(out, depth);
    text_append(out, "-");
    put_value(out, json_array_get(array, i), depth + 1, true);
  }
}

/* Behind "key:" or "-". */
static void put_value(Text *out, const json_t *value, int depth, bool is_item) {
  if (!is_nested(value)) {
    text_append(out, " ");
    put_scalar(out, value);
    text_append(out, "\n");
    return;
  }
  text_append(out, is_item ? " " : "\n");
  if (json_is_object(value))
    put_object(out, value, depth, is_item);
  else
    put_array(out, value, depth, is_item);
}

void cli_print_tree_yaml(const json_t *root, Text *out) {
  if (json_is_object(root) && is_nested(root))
    put_object(out, root, 0, false);
  else if (is_nested(root))
    put_array(out, root, 0, false);
  else {
    put_scalar(out, root);
    text_append(out, "\n");
  }
}

bool cli_print_tree_knows(const char *format) {
  return string_equal(format, "json") || string_equal(format, "yaml");
}

int cli_print_tree_check(const char *format, Error *err) {
  if (cli_print_tree_knows(format) || string_equal(format, "table"))
    return 0;
  return error_set(err, ERROR_INVALID, "-o wants table, json or yaml, not \"%s\"", format);
}

void cli_print_tree(const json_t *root, const char *format) {
  if (string_equal(format, "yaml")) {
    CLEANUP(text_deinit) Text out = {0};
    cli_print_tree_yaml(root, &out);
    fwrite(text_string(&out), 1, out.size, stdout);
    return;
  }
  json_dumpf(root, stdout, JSON_INDENT(2));
  putchar('\n');
}
