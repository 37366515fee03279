/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/selector.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_WORD_MAX = 63, LABEL_PREFIX_MAX = 253 };

bool sched_strings_contain(const Strings *strings, const char *string) {
  for (size_t i = 0; i < strings->count; i++)
    if (strcmp(string_or_empty(strings->items[i]), string) == 0)
      return true;
  return false;
}

/* As Go's strconv.ParseInt does in base 10: no spaces, no rest. */
static bool parse_integer(const char *text, int64_t *ret_number) {
  const char *digits = text + (*text == '-' || *text == '+');
  if (!*digits || digits[strspn(digits, "0123456789")])
    return false;
  errno = 0;
  *ret_number = strtoll(text, NULL, 10);
  return errno == 0;
}

/* Letters and digits, between them also - _ and a dot: k8s.io/apimachinery, api/validate/content. */
static bool is_label_word(const char *word, size_t size) {
  if (!size || size > LABEL_WORD_MAX || !isalnum((unsigned char)word[0]) ||
      !isalnum((unsigned char)word[size - 1]))
    return false;
  for (size_t i = 0; i < size; i++)
    if (!isalnum((unsigned char)word[i]) && !strchr("-_.", word[i]))
      return false;
  return true;
}

/* A DNS subdomain: parts of small letters and digits, between them also -. */
static bool is_label_prefix(const char *prefix, size_t size) {
  if (!size || size > LABEL_PREFIX_MAX)
    return false;
  for (size_t i = 0; i < size; i++) {
    bool is_end = i == 0 || i + 1 == size || prefix[i - 1] == '.' || prefix[i + 1] == '.';
    bool is_inner = !is_end && (prefix[i] == '-' || prefix[i] == '.');
    if (!islower((unsigned char)prefix[i]) && !isdigit((unsigned char)prefix[i]) && !is_inner)
      return false;
  }
  return true;
}

static bool is_label_key(const char *key) {
  const char *slash = strchr(key, '/');
  if (slash && !is_label_prefix(key, (size_t)(slash - key)))
    return false;
  const char *name = slash ? slash + 1 : key;
  return is_label_word(name, strlen(name));
}

static bool is_label_value(const char *value) {
  return !*value || is_label_word(value, strlen(value));
}

/* What a label can be: the scheduler throws other requirements away, with the term that they stand in. */
static bool is_about_labels(const Requirement *requirement) {
  for (size_t i = 0; i < requirement->values.count; i++)
    if (!is_label_value(string_or_empty(requirement->values.items[i])))
      return false;
  return is_label_key(string_or_empty(requirement->key));
}

bool sched_requirement_is_valid(const Requirement *requirement) {
  const char *operator_ = string_or_empty(requirement->operator_);
  size_t count = requirement->values.count;
  int64_t number;
  if (!is_about_labels(requirement))
    return false;
  if (strcmp(operator_, "In") == 0 || strcmp(operator_, "NotIn") == 0)
    return count > 0;
  if (strcmp(operator_, "Exists") == 0 || strcmp(operator_, "DoesNotExist") == 0)
    return count == 0;
  if (strcmp(operator_, "Gt") == 0 || strcmp(operator_, "Lt") == 0)
    return count == 1 && parse_integer(string_or_empty(requirement->values.items[0]), &number);
  return false;
}

static bool compare(const Requirement *requirement, const char *label) {
  int64_t have, limit;
  if (!label || !parse_integer(label, &have) || !parse_integer(requirement->values.items[0], &limit))
    return false;
  return requirement->operator_[0] == 'G' ? have > limit : have < limit;
}

bool sched_requirement_matches(const Requirement *requirement, const KeyValues *labels) {
  const char *operator_ = string_or_empty(requirement->operator_);
  const char *label = key_values_find(labels, string_or_empty(requirement->key));
  if (strcmp(operator_, "In") == 0)
    return label && sched_strings_contain(&requirement->values, label);
  if (strcmp(operator_, "NotIn") == 0)
    return !label || !sched_strings_contain(&requirement->values, label);
  if (strcmp(operator_, "Exists") == 0)
    return label != NULL;
  if (strcmp(operator_, "DoesNotExist") == 0)
    return label == NULL;
  return compare(requirement, label);
}

bool sched_selector_is_valid(const LabelSelector *selector) {
  for (size_t i = 0; i < selector->match_labels.count; i++)
    if (!is_label_key(selector->match_labels.items[i].key) ||
        !is_label_value(string_or_empty(selector->match_labels.items[i].value)))
      return false;
  for (size_t i = 0; i < selector->match_expressions.count; i++) {
    const Requirement *requirement = &selector->match_expressions.items[i];
    bool compares = string_equal(requirement->operator_, "Gt") || string_equal(requirement->operator_, "Lt");
    if (compares || !sched_requirement_is_valid(requirement))
      return false;
  }
  return true;
}

bool sched_selector_is_empty(const LabelSelector *selector) {
  return selector->match_labels.count == 0 && selector->match_expressions.count == 0;
}

bool sched_selector_matches(const LabelSelector *selector, const KeyValues *labels) {
  for (size_t i = 0; i < selector->match_labels.count; i++) {
    const KeyValue *wanted = &selector->match_labels.items[i];
    const char *label = key_values_find(labels, wanted->key);
    if (!label || strcmp(label, string_or_empty(wanted->value)) != 0)
      return false;
  }
  for (size_t i = 0; i < selector->match_expressions.count; i++)
    if (!sched_requirement_matches(&selector->match_expressions.items[i], labels))
      return false;
  return true;
}
