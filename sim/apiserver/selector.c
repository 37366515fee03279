/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/apiserver/selector.h"

#include "base/text.h"

#include <string.h>

/* Those that the real server offers and that somebody here uses. */
static const struct {
  const char *name, *section, *field;
} fields[] = {
    {"metadata.name", "metadata", "name"},
    {"metadata.namespace", "metadata", "namespace"},
    {"spec.nodeName", "spec", "nodeName"},
    {"status.phase", "status", "phase"},
};

/* key=value, key==value, key!=value; false where there is no "=". */
static bool split_comparison(const char *text, size_t size, SimApiTerm *term, size_t *ret_key_size) {
  const char *equals = memchr(text, '=', size);
  if (!equals || equals == text)
    return false;
  term->operator_ = equals[-1] == '!' ? SIM_API_DIFFERS : SIM_API_EQUALS;
  *ret_key_size = (size_t)(equals - text) - (equals[-1] == '!');
  const char *value = equals[1] == '=' ? equals + 2 : equals + 1;
  snprintf(term->value, sizeof term->value, "%.*s", (int)(text + size - value), value);
  return true;
}

static int parse_field(const char *text, size_t size, SimApiTerm *term, Error *err) {
  size_t key_size;
  if (!split_comparison(text, size, term, &key_size))
    return error_set(err, ERROR_INVALID, "field selector: \"%.*s\" is no comparison", (int)size, text);
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    if (strlen(fields[i].name) != key_size || strncmp(fields[i].name, text, key_size) != 0)
      continue;
    term->section = fields[i].section;
    term->field = fields[i].field;
    return 0;
  }
  return error_set(err, ERROR_INVALID, "field label not supported: %.*s", (int)key_size, text);
}

static int parse_label(const char *text, size_t size, SimApiTerm *term, Error *err) {
  size_t key_size = size;
  bool is_negated = *text == '!';
  if (!split_comparison(text, size, term, &key_size)) {
    text += is_negated;
    key_size -= is_negated;
    term->operator_ = is_negated ? SIM_API_LACKS : SIM_API_EXISTS;
  }
  if (key_size == 0 || key_size >= sizeof term->label || memchr(text, ' ', key_size))
    return error_set(err, ERROR_INVALID, "unable to parse requirement: \"%.*s\"", (int)size, text);
  snprintf(term->label, sizeof term->label, "%.*s", (int)key_size, text);
  return 0;
}

typedef int ParseTerm(const char *text, size_t size, SimApiTerm *term, Error *err);

static int parse(const char *text, ParseTerm *parse_term, SimApiSelector *selector, Error *err) {
  while (*text) {
    size_t size = strcspn(text, ",");
    if (selector->count == SIM_API_TERMS_MAX)
      return error_set(err, ERROR_LIMIT, "selector: more than %d terms", SIM_API_TERMS_MAX);
    SimApiTerm *term = &selector->terms[selector->count];
    *term = (SimApiTerm){0};
    int result = parse_term(text, size, term, err);
    if (result < 0)
      return result;
    selector->count++;
    text += size + (text[size] == ',');
  }
  return 0;
}

int sim_api_selector_parse_fields(const char *text, SimApiSelector *selector, Error *err) {
  return parse(text, parse_field, selector, err);
}

int sim_api_selector_parse_labels(const char *text, SimApiSelector *selector, Error *err) {
  return parse(text, parse_label, selector, err);
}

static bool matches(const SimApiTerm *term, const json_t *object) {
  const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
  const char *value =
      json_string_value(term->field ? json_object_get(json_object_get(object, term->section), term->field)
                                    : json_object_get(labels, term->label));
  bool is_absent_label = !term->field && !value; /* it equals nothing, not even "" */
  bool is_equal = !is_absent_label && strcmp(string_or_empty(value), term->value) == 0;
  switch (term->operator_) {
  case SIM_API_EQUALS:
    return is_equal;
  case SIM_API_DIFFERS:
    return !is_equal;
  case SIM_API_EXISTS:
    return value != NULL;
  case SIM_API_LACKS:
    return value == NULL;
  }
  return false;
}

bool sim_api_selector_matches(const SimApiSelector *selector, const json_t *object) {
  for (int i = 0; i < selector->count; i++)
    if (!matches(&selector->terms[i], object))
      return false;
  return true;
}
