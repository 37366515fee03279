/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: explanations of small clusters, as text. */
#pragma once

#include "explain/explain.h"
#include "plan/plan_fixture.h"

typedef struct Scene {
  Fixture f;
  ExplainCluster cluster;
  int64_t old_before;
  Explanation explanation;
  bool explained;
} Scene;

static inline void scene_forget(Scene *s) {
  if (s->explained)
    explain_deinit(&s->explanation);
  s->explained = false;
}

static inline void scene_deinit(Scene *s) {
  scene_forget(s);
  fixture_deinit(&s->f);
}

/* A pod that runs on the node and asks slices of the profile. */
static inline Pod *scene_running(Scene *s, const char *name, const char *profile, const char *node) {
  Pod *pod = fixture_pod(&s->f, name, profile);
  pod->node_name = arena_strdup(&s->f.arena, node);
  pod->common->phase = "Running";
  return pod;
}

static inline const ExplainCluster *scene_cluster(Scene *s) {
  s->cluster = (ExplainCluster){.nodes = (const Node *const *)s->f.nodes.items,
                                .node_count = s->f.nodes.count,
                                .pods = (const Pod *const *)s->f.pods.items,
                                .pod_count = s->f.pods.count,
                                .old_before = s->old_before};
  return &s->cluster;
}

static inline size_t scene_find(const Scene *s, const char *name) {
  for (size_t i = 0; i < s->f.pods.count; i++)
    if (strcmp(s->f.pods.items[i]->meta.name, name) == 0)
      return i;
  fail_msg("no pod %s", name);
  return 0;
}

static inline const Explanation *scene_explain(Scene *s, const char *name) {
  scene_forget(s);
  explain_compute(scene_cluster(s), scene_find(s, name), NULL, &s->explanation);
  s->explained = true;
  return &s->explanation;
}

/* "end: when demo/a ends: it fits on node n1\n..." */
static inline const char *scene_advice(Scene *s, const char *name) {
  CLEANUP(text_deinit) Text text = {0};
  const Explanation *explanation = scene_explain(s, name);
  for (size_t i = 0; i < explanation->advice.count; i++) {
    const ExplainAdvice *advice = &explanation->advice.items[i];
    text_format(&text, "%s: %s: %s\n", explain_advice_name(advice->kind), advice->text, advice->outcome);
  }
  return arena_strdup(&s->f.arena, text_string(&text));
}

/* "n1 x 2 blocked: gpus: no GPU has room; GPU 0: ...\n..." */
static inline const char *scene_groups(Scene *s, const char *name) {
  CLEANUP(text_deinit) Text text = {0};
  const Explanation *explanation = scene_explain(s, name);
  for (size_t i = 0; i < explanation->groups.count; i++) {
    const ExplainGroup *group = &explanation->groups.items[i];
    const SnapshotNode *node = &explanation->snapshot.nodes.items[group->node];
    text_format(&text, "%s x %d %s\n", node->name, group->count, explain_node_state_name(group->state));
    for (size_t k = 0; k < group->obstacles.count; k++)
      text_format(&text, "  %s: %s\n", explain_obstacle_name(group->obstacles.items[k].kind),
                  group->obstacles.items[k].text);
    for (int g = 0; g < node->gpu_count; g++)
      text_format(&text, "  GPU %d %s: %s\n", node->gpus[g].index, explain_room_name(group->gpus[g].room),
                  group->gpus[g].text);
  }
  return arena_strdup(&s->f.arena, text_string(&text));
}

static inline void assert_says(const char *said, const char *expected) {
  said = string_or_empty(said); /* no arena gives NULL, which gcc does not know */
  if (!strstr(said, expected))
    fail_msg("\"%s\" is not in:\n%s", expected, said);
}

static inline void assert_does_not_say(const char *said, const char *unwanted) {
  said = string_or_empty(said);
  if (strstr(said, unwanted))
    fail_msg("\"%s\" is in:\n%s", unwanted, said);
}

static inline Taint *scene_taint(Scene *s, Node *node, const char *key, const char *value) {
  node->taints.items = arena_alloc(&s->f.arena, sizeof *node->taints.items);
  node->taints.items[0] = (Taint){.key = key, .value = value, .effect = "NoSchedule"};
  node->taints.count = 1;
  return node->taints.items;
}
