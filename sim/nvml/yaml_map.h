/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's nodes with typed look-ups, whose errors name file and line. Private to machine_file.c. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

typedef struct SimYaml {
  const char *path;
  yaml_document_t document;
} SimYaml;

/* An error at this node: "machine.yaml, line 7: ...". */
int sim_yaml_set_error(const SimYaml *yaml, const yaml_node_t *node, Error *err, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* What went wrong one level below, put at this node. */
int sim_yaml_place_error(const SimYaml *yaml, const yaml_node_t *node, Error *err);

/* The node is a mapping with no key twice and none but these (NULL ends); keys NULL: any. */
int sim_yaml_check_map(SimYaml *yaml, const yaml_node_t *node, const char *const *keys,
                       Error *err) MUST_CHECK;
/* The value of a key, or NULL. */
yaml_node_t *sim_yaml_find(SimYaml *yaml, const yaml_node_t *map, const char *key);
/* Where the key is absent, what was there stays. */
int sim_yaml_find_text(SimYaml *yaml, const yaml_node_t *map, const char *key, const char **text,
                       Error *err) MUST_CHECK;
int sim_yaml_find_number(SimYaml *yaml, const yaml_node_t *map, const char *key, uint32_t max,
                         uint32_t *number, Error *err) MUST_CHECK;
/* on, yes, true; off, no, false. */
int sim_yaml_find_switch(SimYaml *yaml, const yaml_node_t *map, const char *key, bool *on,
                         Error *err) MUST_CHECK;
/* A sequence, or NULL where the key is absent. */
int sim_yaml_find_list(SimYaml *yaml, const yaml_node_t *map, const char *key, yaml_node_t **ret_list,
                       Error *err) MUST_CHECK;
/* Item i of a sequence (NULL: an empty one), or NULL behind the last. */
yaml_node_t *sim_yaml_item(SimYaml *yaml, const yaml_node_t *list, int i);
/* The text of a scalar, or NULL for another node. */
const char *sim_yaml_text(const yaml_node_t *node);
