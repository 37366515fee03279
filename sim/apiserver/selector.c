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

static int parse_term(const char *text, size_t size, SimApiTerm *ret_term, Error *err) {
  const char *equals = memchr(text, '=', size);
  if (!equals || equals == text)
    return error_set(err, ERROR_INVALID, "field selector: \"%.*s\" is no comparison", (int)size, text);
  bool is_negated = equals[-1] == '!';
  size_t name_size = (size_t)(equals - text) - is_negated;
  const char *value = equals[1] == '=' ? equals + 2 : equals + 1;
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    if (strlen(fields[i].name) != name_size || strncmp(fields[i].name, text, name_size) != 0)
      continue;
    *ret_term =
        (SimApiTerm){.section = fields[i].section, .field = fields[i].field, .is_negated = is_negated};
    snprintf(ret_term->value, sizeof ret_term->value, "%.*s", (int)(text + size - value), value);
    return 0;
  }
  return error_set(err, ERROR_INVALID, "field label not supported: %.*s", (int)name_size, text);
}

int sim_api_selector_parse(const char *text, SimApiSelector *selector, Error *err) {
  while (*text) {
    size_t size = strcspn(text, ",");
    if (selector->count == SIM_API_TERMS_MAX)
      return error_set(err, ERROR_LIMIT, "field selector: more than %d terms", SIM_API_TERMS_MAX);
    int result = parse_term(text, size, &selector->terms[selector->count], err);
    if (result < 0)
      return result;
    selector->count++;
    text += size + (text[size] == ',');
  }
  return 0;
}

bool sim_api_selector_matches(const SimApiSelector *selector, const json_t *object) {
  for (int i = 0; i < selector->count; i++) {
    const SimApiTerm *term = &selector->terms[i];
    const json_t *value = json_object_get(json_object_get(object, term->section), term->field);
    bool is_equal = strcmp(string_or_empty(json_string_value(value)), term->value) == 0;
    if (is_equal == term->is_negated)
      return false;
  }
  return true;
}
