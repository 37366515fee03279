/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/contexts.h"

#include "base/memory.h"
#include "kube/yaml_file.h"

#include <stdlib.h>
#include <string.h>

static void list_file(const char *path, Text *names) {
  CLEANUP(kube_yaml_freep) KubeYaml *yaml = NULL;
  yaml_node_t *root = NULL, *contexts = NULL, *context;
  Error err;
  if (kube_yaml_load(path, &yaml, &err) != 0 || kube_yaml_get_root(yaml, &root, &err) < 0 ||
      kube_yaml_find_list(yaml, root, "contexts", &contexts, &err) < 0)
    return;
  for (size_t i = 0; (context = kube_yaml_item(yaml, contexts, i)); i++) {
    CLEANUP(cleanup_free) char *name = NULL;
    if (kube_yaml_find_text(yaml, context, "name", &name, &err) == 0 && name && !strpbrk(name, "\t\n"))
      text_format(names, "%s\n", name);
  }
}

static void list_home_file(const char *path_in_home, Text *names) {
  const char *home = getenv("HOME");
  CLEANUP(cleanup_free) char *path = mem_format("%s/%s", string_or_empty(home), path_in_home);
  list_file(path, names);
}

void cli_contexts_list(const char *path, Text *ret_names) {
  const char *list = getenv("KUBECONFIG");
  if (path && string_has_prefix(path, "~/")) {
    list_home_file(path + 2, ret_names);
  } else if (path) {
    list_file(path, ret_names);
  } else if (!list || !*list) {
    list_home_file(".kube/config", ret_names);
  } else {
    for (const char *start = list; *start;) {
      size_t size = strcspn(start, ":");
      CLEANUP(cleanup_free) char *file = mem_strndup(start, size);
      list_file(file, ret_names);
      start += size + (start[size] == ':');
    }
  }
}
