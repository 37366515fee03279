/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded verdicts of kube-scheduler 1.36.2: random nodes, pods on them and one more pod; for every node the
 * filter that refuses and its words, or "" where none of ours does. testdata/verdicts.jsonl is an excerpt of
 * 2,500 recorded cases, without the filters that facet leaves to the scheduler (ports, spreading, affinity
 * between pods) and without the fields that only those read.
 *
 * FACET_VERDICTS names another file of that form to run instead. */
#include "base/test.h"

#include "sched/filter.h"

#include <jansson.h>

static const char *get_text(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

/* Labels and resource lists are different types of the same shape. */
static void read_map(Arena *arena, json_t *object, KeyValue **ret_items, size_t *ret_count) {
  KeyValue *items = arena_alloc(arena, json_object_size(object) * sizeof *items);
  size_t count = 0;
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) items[count++] =
      (KeyValue){.key = key, .value = json_string_value(value)};
  *ret_items = items;
  *ret_count = count;
}

/* A list of the struct: `field` becomes an array of as many items as the JSON array has. */
#define READ_LIST(arena, field, array, read_item)                                                            \
  do {                                                                                                       \
    const json_t *read_array_ = (array);                                                                     \
    (field).count = json_array_size(read_array_);                                                            \
    (field).items = arena_alloc((arena), (field).count * sizeof *(field).items);                             \
    for (size_t read_i_ = 0; read_i_ < (field).count; read_i_++)                                             \
      read_item((arena), json_array_get(read_array_, read_i_), &(field).items[read_i_]);                     \
  } while (0)

static void read_string(Arena *arena, const json_t *json, const char **ret_string) {
  *ret_string = json_string_value(json);
}

static void read_container(Arena *arena, const json_t *json, Container *ret_container) {
  ret_container->restart_policy = get_text(json, "restartPolicy");
  read_map(arena, json_object_get(json_object_get(json, "resources"), "requests"),
           &ret_container->requests.items, &ret_container->requests.count);
}

static void read_toleration(Arena *arena, const json_t *json, Toleration *ret_toleration) {
  *ret_toleration = (Toleration){.key = get_text(json, "key"),
                                 .operator_ = get_text(json, "operator"),
                                 .value = get_text(json, "value"),
                                 .effect = get_text(json, "effect")};
}

static void read_taint(Arena *arena, const json_t *json, Taint *ret_taint) {
  *ret_taint = (Taint){
      .key = get_text(json, "key"), .value = get_text(json, "value"), .effect = get_text(json, "effect")};
}

static void read_requirement(Arena *arena, const json_t *json, Requirement *ret_requirement) {
  ret_requirement->key = get_text(json, "key");
  ret_requirement->operator_ = get_text(json, "operator");
  READ_LIST(arena, ret_requirement->values, json_object_get(json, "values"), read_string);
}

static void read_term(Arena *arena, const json_t *json, NodeSelectorTerm *ret_term) {
  READ_LIST(arena, ret_term->match_expressions, json_object_get(json, "matchExpressions"), read_requirement);
  READ_LIST(arena, ret_term->match_fields, json_object_get(json, "matchFields"), read_requirement);
}

static void read_affinity(Arena *arena, const json_t *spec, Pod *pod) {
  const json_t *node_affinity = json_object_get(json_object_get(spec, "affinity"), "nodeAffinity");
  const json_t *required = json_object_get(node_affinity, "requiredDuringSchedulingIgnoredDuringExecution");
  pod->has_required_node_affinity = required != NULL;
  READ_LIST(arena, pod->required_terms, json_object_get(required, "nodeSelectorTerms"), read_term);
}

static Pod *read_pod(Arena *arena, const json_t *json) {
  Pod *pod = arena_alloc(arena, sizeof *pod);
  const json_t *spec = json_object_get(json, "spec");
  pod->node_name = get_text(spec, "nodeName");
  read_map(arena, json_object_get(spec, "nodeSelector"), &pod->node_selector.items,
           &pod->node_selector.count);
  READ_LIST(arena, pod->tolerations, json_object_get(spec, "tolerations"), read_toleration);
  READ_LIST(arena, pod->init_containers, json_object_get(spec, "initContainers"), read_container);
  READ_LIST(arena, pod->containers, json_object_get(spec, "containers"), read_container);
  read_affinity(arena, spec, pod);
  return pod;
}

static Node *read_node(Arena *arena, const json_t *json) {
  Node *node = arena_alloc(arena, sizeof *node);
  const json_t *meta = json_object_get(json, "metadata"), *spec = json_object_get(json, "spec");
  node->meta.name = get_text(meta, "name");
  read_map(arena, json_object_get(meta, "labels"), &node->meta.labels.items, &node->meta.labels.count);
  node->unschedulable = json_is_true(json_object_get(spec, "unschedulable"));
  READ_LIST(arena, node->taints, json_object_get(spec, "taints"), read_taint);
  read_map(arena, json_object_get(json_object_get(json, "status"), "allocatable"), &node->allocatable.items,
           &node->allocatable.count);
  return node;
}

static void check_verdict(const Snapshot *snapshot, const json_t *expected, size_t line) {
  int node = snapshot_find_node(snapshot, get_text(expected, "node"));
  assert_true(node >= 0);
  SchedVerdict verdict;
  bool fits = sched_fits(&snapshot->pods.items[0], &snapshot->nodes.items[node], &verdict);
  const char *plugin = get_text(expected, "plugin"), *reason = get_text(expected, "reason");
  if (fits != (*plugin == '\0') || strcmp(string_or_empty(verdict.plugin), plugin) != 0 ||
      strcmp(verdict.reason, reason) != 0)
    fail_msg("case %zu, node %s: \"%s: %s\" where kube-scheduler says \"%s: %s\"", line,
             snapshot->nodes.items[node].name, string_or_empty(verdict.plugin), verdict.reason, plugin,
             reason);
}

/* Returns how many verdicts were compared. */
static size_t check_case(const json_t *json, size_t line) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  const json_t *nodes = json_object_get(json, "nodes"), *pods = json_object_get(json, "pods");
  for (size_t i = 0; i < json_array_size(nodes); i++)
    snapshot_add_node(&snapshot, read_node(&arena, json_array_get(nodes, i)), NULL, NULL);
  for (size_t i = 0; i < json_array_size(pods); i++)
    snapshot_add_pod(&snapshot, read_pod(&arena, json_array_get(pods, i)), NULL);
  snapshot_add_pod(&snapshot, read_pod(&arena, json_object_get(json, "pod")), NULL);
  assert_int_equal(snapshot.pods.count, 1);
  const json_t *verdicts = json_object_get(json, "verdicts");
  for (size_t i = 0; i < json_array_size(verdicts); i++)
    check_verdict(&snapshot, json_array_get(verdicts, i), line);
  return json_array_size(verdicts);
}

static void cleanup_json(json_t **json) {
  json_decref(*json);
}

static void the_filters_say_what_kube_scheduler_said(void **state) {
  const char *path = getenv("FACET_VERDICTS");
  CLEANUP(cleanup_fclose) FILE *file = fopen(path ? path : SCHED_TESTDATA "/verdicts.jsonl", "re");
  assert_non_null(file);
  CLEANUP(cleanup_free) char *line = NULL;
  size_t capacity = 0, line_count = 0, compared = 0;
  while (getline(&line, &capacity, file) > 0) {
    line_count++;
    CLEANUP(cleanup_json) json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    compared += check_case(json, line_count);
  }
  print_message("# %zu cases, %zu verdicts\n", line_count, compared);
  assert_true(line_count >= 100 && compared >= 400);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_filters_say_what_kube_scheduler_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
