/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's own tick: what its device manager counts goes to the node's status, where it differs.
 * Resources that no plugin ever registered are left alone. */
#include "sim/kubelet/state.h"

#include "cluster/quantity.h"

static bool amount_is(const ResourceTexts *list, const char *name, size_t amount) {
  const KeyValues amounts = {.items = list->items, .count = list->count};
  const char *text = key_values_find(&amounts, name);
  int64_t value;
  Error err;
  return text && quantity_parse(text, QUANTITY_UNITS, &value, &err) == 0 && value == (int64_t)amount;
}

static void add_difference(const ResourceTexts *list, const char *name, size_t amount, Text *changes) {
  if (!amount_is(list, name, amount))
    text_format(changes, "%s\"%s\":\"%zu\"", changes->size ? "," : "", name, amount);
}

static void on_written(void *userdata, const KubeAnswer *answer) {
}

void sim_node_status_write(void *userdata) {
  SimKubelet *kubelet = userdata;
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s/status", kubelet->node_name);
  kube_client_call(kubelet->client, &(KubeCallOptions){.method = "PATCH",
                                                       .path = path,
                                                       .content_type = KUBE_MERGE_PATCH,
                                                       .body = text_string(&kubelet->status),
                                                       .body_size = kubelet->status.size,
                                                       .on_answer = on_written,
                                                       .userdata = kubelet});
}

void sim_node_status_tick(void *userdata) {
  SimKubelet *kubelet = userdata;
  timer_set(kubelet->host, &kubelet->tick_timer, kubelet->options.status_tick_ms);
  const Node *node =
      kube_informer_is_synced(kubelet->nodes) ? kube_informer_find(kubelet->nodes, kubelet->node_name) : NULL;
  if (!node)
    return;
  CLEANUP(text_deinit) Text capacity = {0}, allocatable = {0};
  for (size_t i = 0; i < kubelet->resources.count; i++) {
    const SimResource *resource = kubelet->resources.items[i];
    add_difference(&node->capacity, resource->name, resource->partitions.count, &capacity);
    add_difference(&node->allocatable, resource->name, sim_endpoint_count_healthy(resource), &allocatable);
  }
  if (!capacity.size && !allocatable.size)
    return;
  text_clear(&kubelet->status);
  text_format(&kubelet->status, "{\"status\":{\"capacity\":{%s},\"allocatable\":{%s}}}",
              text_string(&capacity), text_string(&allocatable));
  if (kubelet->status_delay_ms)
    timer_set(kubelet->host, &kubelet->write_timer, kubelet->status_delay_ms);
  else
    sim_node_status_write(kubelet);
}
