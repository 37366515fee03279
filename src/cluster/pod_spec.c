/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand pods come from a few templates, so what a pod asks is read once per template and not once per
 * pod. Two pods are of one spec where all is equal that planning reads of them, aside from their names and
 * ages: what is written into the key here. It tells more apart than planning needs (labels, the
 * names of containers), which costs a little time and no more; a field that it forgets would be read of the
 * wrong pod. So whoever reads more of a pod adds it here. */
#include "cluster/snapshot_parts.h"

#include "base/text.h"

#include <string.h>

/* Absent is not empty. */
static void add_string(Text *key, const char *string) {
  text_append_bytes(key, string ? "=" : "-", 1);
  text_append_bytes(key, string_or_empty(string), strlen(string_or_empty(string)) + 1);
}

static void add_count(Text *key, size_t count) {
  text_append_bytes(key, &count, sizeof count);
}

static void add_pairs(Text *key, const KeyValues *pairs) {
  add_count(key, pairs->count);
  for (size_t i = 0; i < pairs->count; i++) {
    add_string(key, pairs->items[i].key);
    add_string(key, pairs->items[i].value);
  }
}

static void add_requirements(Text *key, const Requirement *requirements, size_t count) {
  add_count(key, count);
  for (size_t i = 0; i < count; i++) {
    add_string(key, requirements[i].key);
    add_string(key, requirements[i].operator_);
    add_count(key, requirements[i].values.count);
    for (size_t v = 0; v < requirements[i].values.count; v++)
      add_string(key, requirements[i].values.items[v]);
  }
}

static void add_strings(Text *key, const Strings *strings) {
  add_count(key, strings->count);
  for (size_t i = 0; i < strings->count; i++)
    add_string(key, strings->items[i]);
}

static void add_selector(Text *key, const LabelSelector *selector, bool is_there) {
  add_string(key, is_there ? "" : NULL);
  add_pairs(key, &selector->match_labels);
  add_requirements(key, selector->match_expressions.items, selector->match_expressions.count);
}

static void add_terms(Text *key, const PodAffinityTerm *terms, size_t count) {
  add_count(key, count);
  for (size_t i = 0; i < count; i++) {
    add_selector(key, &terms[i].selector, terms[i].has_selector);
    add_selector(key, &terms[i].namespace_selector, terms[i].has_namespace_selector);
    add_strings(key, &terms[i].namespaces);
    add_string(key, terms[i].topology_key);
    add_strings(key, &terms[i].match_label_keys);
    add_strings(key, &terms[i].mismatch_label_keys);
  }
}

static void add_spread(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_count(key, common->spread_constraints.count);
  for (size_t i = 0; i < common->spread_constraints.count; i++) {
    const TopologySpreadConstraint *constraint = &common->spread_constraints.items[i];
    add_selector(key, &constraint->selector, constraint->has_selector);
    add_string(key, constraint->topology_key);
    add_string(key, constraint->when_unsatisfiable);
    add_string(key, constraint->node_affinity_policy);
    add_string(key, constraint->node_taints_policy);
    add_strings(key, &constraint->match_label_keys);
    add_count(key, (size_t)constraint->max_skew);
    add_count(key, (size_t)constraint->min_domains);
  }
}

/* The claim of an ephemeral volume has the name of the pod in its own. */
static void add_volumes(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  for (size_t i = 0; i < common->volumes.count; i++) {
    const Volume *volume = &common->volumes.items[i];
    if (volume->claim_name) {
      add_string(key, volume->claim_name);
    } else if (volume->is_ephemeral) {
      add_string(key, pod->meta.name);
      add_string(key, volume->name);
    }
  }
}

static void add_ports(Text *key, const Container *container) {
  for (size_t i = 0; i < container->ports.count; i++) {
    const ContainerPort *port = &container->ports.items[i];
    if (port->host_port <= 0)
      continue;
    add_count(key, (size_t)port->host_port);
    add_string(key, port->protocol);
    add_string(key, port->host_ip);
  }
}

static void add_containers(Text *key, const Container *containers, size_t count) {
  add_count(key, count);
  for (size_t i = 0; i < count; i++) {
    add_string(key, containers[i].name);
    add_string(key, containers[i].restart_policy);
    add_pairs(key, (const KeyValues *)&containers[i].requests);
    add_pairs(key, (const KeyValues *)&containers[i].limits);
    add_ports(key, &containers[i]);
  }
}

static void add_requests(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_containers(key, common->containers.items, common->containers.count);
  add_containers(key, common->init_containers.items, common->init_containers.count);
  add_pairs(key, (const KeyValues *)&common->overhead);
  add_string(key, common->has_pod_resources ? "" : NULL);
  add_pairs(key, (const KeyValues *)&common->pod_requests);
}

static void add_constraints(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_pairs(key, &common->node_selector);
  add_string(key, pod->has_required_node_affinity ? "" : NULL);
  add_count(key, pod->required_terms.count);
  for (size_t i = 0; i < pod->required_terms.count; i++) {
    const NodeSelectorTerm *term = &pod->required_terms.items[i];
    add_requirements(key, term->match_expressions.items, term->match_expressions.count);
    add_requirements(key, term->match_fields.items, term->match_fields.count);
  }
  add_count(key, common->tolerations.count);
  for (size_t i = 0; i < common->tolerations.count; i++) {
    add_string(key, common->tolerations.items[i].key);
    add_string(key, common->tolerations.items[i].operator_);
    add_string(key, common->tolerations.items[i].value);
    add_string(key, common->tolerations.items[i].effect);
  }
}

static void add_company(Text *key, const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  add_terms(key, common->affinity_terms.items, common->affinity_terms.count);
  add_terms(key, common->anti_affinity_terms.items, common->anti_affinity_terms.count);
  add_spread(key, pod);
}

/* What decides whether it waits. Which node it is on, its spec leaves open. */
static void add_standing(Text *key, const Pod *pod) {
  bool is_bound = pod->node_name && *pod->node_name;
  add_string(key, is_bound ? "bound" : pod->node_name); /* to which node is each pod's own affair */
  add_string(key, pod_common(pod)->nominated_node_name);
  add_string(key, pod->meta.deletion_time ? "" : NULL);
  add_count(key, pod_common(pod)->scheduling_gates.count);
  add_count(key, pod_common(pod)->owners.count);
  for (size_t i = 0; i < pod_common(pod)->owners.count; i++)
    add_string(key, pod_common(pod)->owners.items[i].kind);
  const Condition *scheduled = pod_find_condition(pod, "PodScheduled");
  add_string(key, scheduled ? string_or_empty(scheduled->status) : NULL);
  add_string(key, scheduled ? string_or_empty(scheduled->reason) : NULL);
}

static void read_requests(Snapshot *snapshot, const Pod *pod, SnapshotSpec *spec) {
  CLEANUP(arena_deinit) Arena scratch = {0};
  Resources requests = {0};
  Error err;
  if (pod_requests_compute(pod, &scratch, &requests, &err) < 0)
    spec->invalid = mem_strdup(err.text);
  size_t size = requests.count * sizeof *requests.items;
  spec->requests = (Resources){.items = mem_alloc(size), .count = requests.count, .capacity = requests.count};
  for (size_t i = 0; i < requests.count; i++) /* the spec outlives its first pod */
    spec->requests.items[i] = (Resource){.name = snapshot_share_name(snapshot, requests.items[i].name),
                                         .amount = requests.items[i].amount};
}

int pod_spec_hold(Snapshot *snapshot, const Pod *pod) {
  Text *key = &snapshot->spec_key;
  text_clear(key);
  add_string(key, pod->meta.namespace_);
  add_count(key, (size_t)pod->priority);
  add_pairs(key, &pod->meta.labels);
  add_standing(key, pod);
  add_constraints(key, pod);
  add_company(key, pod);
  add_requests(key, pod);
  add_volumes(key, pod);
  int number = intern_number(&snapshot->spec_numbers, key->bytes, key->size);
  if (number == (int)snapshot->specs.count)
    *array_push(&snapshot->specs) = mem_alloc(sizeof(SnapshotSpec));
  SnapshotSpec *spec = snapshot->specs.items[number];
  spec->number = number;
  spec->priority = pod->priority;
  if (!spec->holders)
    read_requests(snapshot, pod, spec);
  spec->holders++;
  return number;
}

static void clear(SnapshotSpec *spec) {
  free(spec->requests.items);
  free(spec->invalid);
  *spec = (SnapshotSpec){0};
}

void pod_spec_free(SnapshotSpec *spec) {
  clear(spec);
  free(spec);
}

bool pod_spec_release(Snapshot *snapshot, int number) {
  SnapshotSpec *spec = snapshot->specs.items[number];
  assert(spec->holders > 0);
  if (--spec->holders)
    return false;
  clear(spec);
  intern_forget(&snapshot->spec_numbers, number);
  return true;
}
