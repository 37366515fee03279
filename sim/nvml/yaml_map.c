/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nvml/yaml_map.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

int sim_yaml_set_error(const SimYaml *yaml, const yaml_node_t *node, Error *err, const char *format, ...) {
  char text[ERROR_TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was started the line above */
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return error_set(err, ERROR_INVALID, "%s, line %zu: %s", yaml->path, node->start_mark.line + 1, text);
}

int sim_yaml_place_error(const SimYaml *yaml, const yaml_node_t *node, Error *err) {
  return error_prefix(err, "%s, line %zu", yaml->path, node->start_mark.line + 1);
}

const char *sim_yaml_text(const yaml_node_t *node) {
  return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static bool is_one_of(const char *key, const char *const *keys) {
  for (; keys && *keys; keys++)
    if (strcmp(key, *keys) == 0)
      return true;
  return !keys;
}

int sim_yaml_check_map(SimYaml *yaml, const yaml_node_t *node, const char *const *keys, Error *err) {
  if (node->type != YAML_MAPPING_NODE)
    return sim_yaml_set_error(yaml, node, err, "here must be \"key: value\" lines");
  for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
       pair++) {
    const yaml_node_t *key_node = yaml_document_get_node(&yaml->document, pair->key);
    const char *key = sim_yaml_text(key_node);
    if (!key || !is_one_of(key, keys))
      return sim_yaml_set_error(yaml, key_node, err, "\"%.60s\" is no key that may stand here",
                                key ? key : "...");
    for (const yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair; other++) {
      const char *twin = sim_yaml_text(yaml_document_get_node(&yaml->document, other->key));
      if (twin && strcmp(twin, key) == 0)
        return sim_yaml_set_error(yaml, key_node, err, "\"%.60s\" stands here twice", key);
    }
  }
  return 0;
}

yaml_node_t *sim_yaml_find(SimYaml *yaml, const yaml_node_t *map, const char *key) {
  for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
       pair++)
    if (strcmp(sim_yaml_text(yaml_document_get_node(&yaml->document, pair->key)), key) == 0)
      return yaml_document_get_node(&yaml->document, pair->value);
  return NULL;
}

int sim_yaml_find_text(SimYaml *yaml, const yaml_node_t *map, const char *key, const char **text,
                       Error *err) {
  const yaml_node_t *node = sim_yaml_find(yaml, map, key);
  if (!node)
    return 0;
  const char *found = sim_yaml_text(node);
  if (!found || !*found)
    return sim_yaml_set_error(yaml, node, err, "%s needs a value", key);
  *text = found;
  return 0;
}

int sim_yaml_find_number(SimYaml *yaml, const yaml_node_t *map, const char *key, uint32_t max,
                         uint32_t *number, Error *err) {
  const char *text = NULL;
  int result = sim_yaml_find_text(yaml, map, key, &text, err);
  if (result < 0 || !text)
    return result;
  char *end = NULL;
  unsigned long long value = strtoull(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end || value > max)
    return sim_yaml_set_error(yaml, sim_yaml_find(yaml, map, key), err,
                              "%s is \"%.40s\": not a number up to %u", key, text, max);
  *number = (uint32_t)value;
  return 0;
}

int sim_yaml_find_switch(SimYaml *yaml, const yaml_node_t *map, const char *key, bool *on, Error *err) {
  static const char *const yes[] = {"on", "yes", "true", NULL}, *const no[] = {"off", "no", "false", NULL};
  const char *text = NULL;
  int result = sim_yaml_find_text(yaml, map, key, &text, err);
  if (result < 0 || !text)
    return result;
  if (!is_one_of(text, yes) && !is_one_of(text, no))
    return sim_yaml_set_error(yaml, sim_yaml_find(yaml, map, key), err, "%s is \"%.40s\": neither on nor off",
                              key, text);
  *on = is_one_of(text, yes);
  return 0;
}

int sim_yaml_find_list(SimYaml *yaml, const yaml_node_t *map, const char *key, yaml_node_t **ret_list,
                       Error *err) {
  yaml_node_t *node = sim_yaml_find(yaml, map, key);
  if (node && node->type != YAML_SEQUENCE_NODE)
    return sim_yaml_set_error(yaml, node, err, "%s must be a list", key);
  *ret_list = node;
  return 0;
}

yaml_node_t *sim_yaml_item(SimYaml *yaml, const yaml_node_t *list, int i) {
  if (!list || i >= list->data.sequence.items.top - list->data.sequence.items.start)
    return NULL;
  return yaml_document_get_node(&yaml->document, list->data.sequence.items.start[i]);
}
