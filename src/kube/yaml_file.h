/* SPDX-License-Identifier: Apache-2.0 */
/* One YAML file as a tree that knows its own path, so that every complaint names file and line.
 * For kubeconfig files, and the configuration of facet's programs. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <yaml.h>

enum { KUBE_YAML_ABSENT = 1 /* the file does not exist */ };

typedef struct KubeYaml {
  char *path;
  yaml_document_t document; /* the file's first document; without a root where the file is empty */
} KubeYaml;

/* KUBE_YAML_ABSENT where there is no such file. Files above KUBE_CONFIG_FILE_MAX bytes are an error. */
int kube_yaml_load(const char *path, KubeYaml **ret_yaml, Error *err) MUST_CHECK;
void kube_yaml_free(KubeYaml *yaml);
DEFINE_CLEANUP(KubeYaml, kube_yaml_free)

/* The mapping at the top; NULL where the file holds nothing. */
int kube_yaml_get_root(KubeYaml *yaml, yaml_node_t **ret_root, Error *err) MUST_CHECK;
/* The value of a key, whatever it is; NULL where it is absent or null. `map` may be NULL. */
yaml_node_t *kube_yaml_find(KubeYaml *yaml, yaml_node_t *map, const char *key);
/* The same where it must be a mapping, a sequence, a text (allocated; NULL where absent or empty) or a
 * boolean (false where absent). */
int kube_yaml_find_map(KubeYaml *yaml, yaml_node_t *map, const char *key, yaml_node_t **ret_map,
                       Error *err) MUST_CHECK;
int kube_yaml_find_list(KubeYaml *yaml, yaml_node_t *map, const char *key, yaml_node_t **ret_list,
                        Error *err) MUST_CHECK;
int kube_yaml_find_text(KubeYaml *yaml, yaml_node_t *map, const char *key, char **ret_text,
                        Error *err) MUST_CHECK;
int kube_yaml_find_bool(KubeYaml *yaml, yaml_node_t *map, const char *key, bool *ret_value,
                        Error *err) MUST_CHECK;
/* Item i of a sequence, or NULL behind its end. */
yaml_node_t *kube_yaml_item(KubeYaml *yaml, yaml_node_t *list, size_t i);
