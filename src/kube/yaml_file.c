/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's document tree with typed lookups. Aliases stay references in that tree, so that a file cannot
 * blow up in memory by repeating itself. */
#include "kube/yaml_file.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static void cleanup_parser(yaml_parser_t *parser) {
  yaml_parser_delete(parser);
}

static int set_parser_error(const yaml_parser_t *parser, const char *path, Error *err) {
  const char *problem = parser->problem ? parser->problem : "the parser gave up";
  if (parser->error == YAML_READER_ERROR)
    return error_set(err, ERROR_INVALID, "%s is not valid YAML: %s (byte %zu)", path, problem,
                     parser->problem_offset);
  return error_set(err, ERROR_INVALID, "%s is not valid YAML: %s (line %zu)", path, problem,
                   parser->problem_mark.line + 1);
}

static int read_file(const char *path, Text *ret_bytes, Error *err) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  if (!file && (errno == ENOENT || errno == ENOTDIR))
    return KUBE_YAML_ABSENT;
  if (!file)
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s", path);
  char piece[16384];
  for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;) {
    text_append_bytes(ret_bytes, piece, size);
    if (ret_bytes->size > KUBE_CONFIG_FILE_MAX)
      return error_set(err, ERROR_LIMIT, "%s is larger than %d MiB, which no configuration should be", path,
                       KUBE_CONFIG_FILE_MAX >> 20);
  }
  if (ferror(file))
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s", path);
  return 0;
}

int kube_yaml_load(const char *path, KubeYaml **ret_yaml, Error *err) {
  assert(path);
  CLEANUP(text_deinit) Text bytes = {0};
  int r = read_file(path, &bytes, err);
  if (r != 0)
    return r;
  CLEANUP(cleanup_parser) yaml_parser_t parser = {0};
  if (!yaml_parser_initialize(&parser))
    mem_fail();
  yaml_parser_set_input_string(&parser, (const unsigned char *)text_string(&bytes), bytes.size);
  CLEANUP(kube_yaml_freep) KubeYaml *yaml = mem_alloc(sizeof *yaml);
  yaml->path = mem_strdup(path);
  if (!yaml_parser_load(&parser, &yaml->document))
    return set_parser_error(&parser, path, err);
  *ret_yaml = TAKE(yaml);
  return 0;
}

void kube_yaml_free(KubeYaml *yaml) {
  if (!yaml)
    return;
  yaml_document_delete(&yaml->document);
  free(yaml->path);
  free(yaml);
}

static const char *type_name(yaml_node_type_t type) {
  switch (type) {
  case YAML_MAPPING_NODE:
    return "a mapping";
  case YAML_SEQUENCE_NODE:
    return "a list";
  default:
    return "a text";
  }
}

static bool is_null(const yaml_node_t *node) {
  if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
    return false;
  const char *text = (const char *)node->data.scalar.value;
  return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

static bool is_key(const yaml_node_t *node, const char *key) {
  return node && node->type == YAML_SCALAR_NODE && strcmp((const char *)node->data.scalar.value, key) == 0;
}

int kube_yaml_get_root(KubeYaml *yaml, yaml_node_t **ret_root, Error *err) {
  yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
  if (root && is_null(root))
    root = NULL;
  if (root && root->type != YAML_MAPPING_NODE)
    return error_set(err, ERROR_INVALID, "%s is not a kubeconfig: it holds %s where a mapping should be",
                     yaml->path, type_name(root->type));
  *ret_root = root;
  return 0;
}

yaml_node_t *kube_yaml_find(KubeYaml *yaml, yaml_node_t *map, const char *key) {
  if (!map || map->type != YAML_MAPPING_NODE)
    return NULL;
  yaml_node_t *found = NULL;
  /* Of a key given twice the last one counts, as for kubectl. */
  for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++)
    if (is_key(yaml_document_get_node(&yaml->document, pair->key), key))
      found = yaml_document_get_node(&yaml->document, pair->value);
  return found && !is_null(found) ? found : NULL;
}

static int find_typed(KubeYaml *yaml, yaml_node_t *map, const char *key, yaml_node_type_t type,
                      yaml_node_t **ret_node, Error *err) {
  yaml_node_t *node = kube_yaml_find(yaml, map, key);
  if (node && node->type != type)
    return error_set(err, ERROR_INVALID, "%s: \"%s\" is %s where %s should be (line %zu)", yaml->path, key,
                     type_name(node->type), type_name(type), node->start_mark.line + 1);
  *ret_node = node;
  return 0;
}

int kube_yaml_find_map(KubeYaml *yaml, yaml_node_t *map, const char *key, yaml_node_t **ret_map, Error *err) {
  return find_typed(yaml, map, key, YAML_MAPPING_NODE, ret_map, err);
}

int kube_yaml_find_list(KubeYaml *yaml, yaml_node_t *map, const char *key, yaml_node_t **ret_list,
                        Error *err) {
  return find_typed(yaml, map, key, YAML_SEQUENCE_NODE, ret_list, err);
}

int kube_yaml_find_text(KubeYaml *yaml, yaml_node_t *map, const char *key, char **ret_text, Error *err) {
  yaml_node_t *node = NULL;
  int r = find_typed(yaml, map, key, YAML_SCALAR_NODE, &node, err);
  if (r < 0)
    return r;
  if (!node || !node->data.scalar.length) {
    *ret_text = NULL;
    return 0;
  }
  if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
    return error_set(err, ERROR_INVALID, "%s: \"%s\" contains a NUL character (line %zu)", yaml->path, key,
                     node->start_mark.line + 1);
  *ret_text = mem_strndup((const char *)node->data.scalar.value, node->data.scalar.length);
  return 0;
}

int kube_yaml_find_bool(KubeYaml *yaml, yaml_node_t *map, const char *key, bool *ret_value, Error *err) {
  static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
  yaml_node_t *node = NULL;
  int r = find_typed(yaml, map, key, YAML_SCALAR_NODE, &node, err);
  if (r < 0)
    return r;
  const char *text = node ? (const char *)node->data.scalar.value : "false";
  for (size_t i = 0; i < COUNT_OF(yes); i++) {
    bool is_yes = strcasecmp(text, yes[i]) == 0;
    if (!is_yes && strcasecmp(text, no[i]) != 0)
      continue;
    *ret_value = is_yes;
    return 0;
  }
  return error_set(err, ERROR_INVALID, "%s: \"%s\" is \"%s\" where true or false should be (line %zu)",
                   yaml->path, key, text, node->start_mark.line + 1);
}

yaml_node_t *kube_yaml_item(KubeYaml *yaml, yaml_node_t *list, size_t i) {
  if (!list || list->type != YAML_SEQUENCE_NODE)
    return NULL;
  yaml_node_item_t *item = list->data.sequence.items.start + i;
  return item < list->data.sequence.items.top ? yaml_document_get_node(&yaml->document, *item) : NULL;
}
