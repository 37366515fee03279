/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/cluster.h"

void controller_cluster_init(ControllerCluster *cluster) {
  *cluster = (ControllerCluster){0};
  plan_standing_init(&cluster->standing);
}

void controller_cluster_deinit(ControllerCluster *cluster) {
  plan_standing_deinit(&cluster->standing);
  for (size_t i = 0; i < cluster->schedulers.count; i++)
    free(cluster->schedulers.entries[i].value);
  map_deinit(&cluster->to_judge);
  map_deinit(&cluster->to_count);
  map_deinit(&cluster->schedulers);
  text_deinit(&cluster->key);
}

void controller_cluster_judge(ControllerCluster *cluster, const char *node) {
  map_put(&cluster->to_judge, node, cluster);
}

void controller_cluster_put_node(ControllerCluster *cluster, const Node *node) {
  plan_standing_put_node(&cluster->standing, node);
  controller_cluster_judge(cluster, node->meta.name);
}

void controller_cluster_remove_node(ControllerCluster *cluster, const Node *node) {
  plan_standing_remove_node(&cluster->standing, node->meta.name);
}

static bool names_a_slice(const ResourceTexts *list) {
  for (size_t i = 0; i < list->count; i++)
    if (mig_profile_is_resource(list->items[i].key))
      return true;
  return false;
}

static bool asks_for_slices(const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->containers.count; i++)
    if (names_a_slice(&common->containers.items[i].requests) ||
        names_a_slice(&common->containers.items[i].limits))
      return true;
  return false;
}

static const char *key_of(ControllerCluster *cluster, const Pod *pod) {
  text_clear(&cluster->key);
  text_format(&cluster->key, "%s/%s", string_or_empty(pod->meta.namespace_), pod->meta.name);
  return text_string(&cluster->key);
}

/* What one scheduler has promised, a reservation through another one cannot know. */
static void note_scheduler(ControllerCluster *cluster, const Pod *pod) {
  const char *name = string_or_empty(pod_common(pod)->scheduler_name);
  if (*name && !map_find(&cluster->schedulers, name) && cluster->schedulers.count < CONTROLLER_SCHEDULERS_MAX)
    map_put(&cluster->schedulers, name, mem_strdup(key_of(cluster, pod)));
}

void controller_cluster_put_pod(ControllerCluster *cluster, const Pod *pod) {
  plan_standing_put_pod(&cluster->standing, pod);
  bool counts = !pod_is_terminal(pod) && !pod_is_reservation(pod) && asks_for_slices(pod);
  if (counts)
    note_scheduler(cluster, pod);
  if (counts && pod->node_name)
    map_put(&cluster->to_count, key_of(cluster, pod), (void *)pod);
  else
    map_remove(&cluster->to_count, key_of(cluster, pod));
}

void controller_cluster_remove_pod(ControllerCluster *cluster, const Pod *pod) {
  plan_standing_remove_pod(&cluster->standing, pod);
  map_remove(&cluster->to_count, key_of(cluster, pod));
}

void controller_cluster_tell_again(ControllerCluster *cluster, const char *namespace_, const char *name) {
  const Pod pod = {.meta = {.namespace_ = namespace_, .name = name}};
  plan_standing_open_pod(&cluster->standing, &pod);
}
