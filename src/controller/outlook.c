/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/outlook.h"

#include "base/log.h"
#include "base/text.h"
#include "mig/contract.h"

#define COMPONENT "controller"

static const char *label_of(const Node *node) {
  return node ? key_values_find(&node->meta.labels, MIG_LABEL_PARTITIONING) : NULL;
}

void controller_outlook_note_node(LogGate *gate, uint64_t now_ms, const Node *old, const Node *new_) {
  char text[MIG_LABEL_TEXT_SIZE];
  uint32_t held_back;
  const char *label = label_of(new_);
  bool is_news = !string_equal(label_of(old), label) && mig_label_explain(label, text);
  if (is_news && log_gate_pass(gate, text, now_ms, &held_back))
    log_warn(COMPONENT, "a node is left alone", "node=%s held_back=%u err=" LOG_QUOTED, new_->meta.name,
             held_back, text);
}

void controller_outlook_note_synced(const KubeInformer *nodes) {
  for (size_t i = 0; i < kube_informer_count(nodes); i++)
    if (string_equal(label_of(kube_informer_at(nodes, i)), "mig"))
      return;
  log_warn(COMPONENT, "no node is handed to facet: nothing is planned", "nodes=%zu hint=" LOG_QUOTED,
           kube_informer_count(nodes),
           "kubectl label node NODE " MIG_LABEL_PARTITIONING "=mig; `facet check` tells more");
}
