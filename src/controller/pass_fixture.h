/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: passes over the clusters of plan/plan_fixture.h, and what they write and say as text. */
#pragma once

#include "plan/plan_fixture.h"

#include "controller/pass.h"

enum { NOW = 1000000 };

/* Pods as the API server sends them have uids. */
static inline void add_pods(Fixture *f, int count, const char *name, const char *profile) {
  size_t first = f->pods.count;
  fixture_pods(f, count, name, profile);
  for (size_t i = first; i < f->pods.count; i++)
    f->pods.items[i]->meta.uid.text = arena_format(&f->arena, "uid-%s", f->pods.items[i]->meta.name);
}

static inline ControllerView view_of(const Fixture *f, uint64_t now_ms) {
  return (ControllerView){
      .leftover = PLAN_LEFTOVER_NONE, .words_max = 1000, .plan_id = "p1", .now_ms = now_ms};
}

/* A controller that has just learned of all objects. */
static inline void compute_by(const Fixture *f, const ControllerView *view, ControllerMemory *memory,
                              ControllerPass *ret_pass) {
  CLEANUP(controller_cluster_deinit) ControllerCluster cluster;
  ControllerView whole = *view;
  controller_cluster_init(&cluster);
  for (size_t i = 0; i < f->nodes.count; i++)
    controller_cluster_put_node(&cluster, f->nodes.items[i]);
  for (size_t i = 0; i < f->pods.count; i++)
    controller_cluster_put_pod(&cluster, f->pods.items[i]);
  whole.cluster = &cluster;
  controller_pass_compute(&whole, memory, ret_pass);
}

static inline ControllerPass compute(const Fixture *f, ControllerMemory *memory, uint64_t now_ms) {
  ControllerView view = view_of(f, now_ms);
  ControllerPass pass;
  compute_by(f, &view, memory, &pass);
  return pass;
}

/* A pass whose results nobody asks for. */
static inline void pass_by(const Fixture *f, ControllerMemory *memory, uint64_t now_ms) {
  ControllerPass pass = compute(f, memory, now_ms);
  controller_pass_deinit(&pass);
}

/* "n1{gpu 0: +1g.10gb@6} n2{...}" */
static inline const char *writes_of(Fixture *f, const ControllerPass *pass) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < pass->writes.count; i++)
    text_format(&text, "%s%s{%s}", i ? " " : "", pass->writes.items[i].node, pass->writes.items[i].summary);
  return arena_strdup(&f->arena, text_string(&text));
}

/* "p0+ p1- p2-": which pods hear that they are helped, or not. */
static inline const char *words_of(Fixture *f, const ControllerPass *pass) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < pass->words.count; i++)
    text_format(&text, "%s%s%s", i ? " " : "", pass->words.items[i].pod->meta.name,
                pass->words.items[i].triggered ? "+" : "-");
  return arena_strdup(&f->arena, text_string(&text));
}

static inline void annotate(Fixture *f, size_t node, const char *key, const char *value) {
  fixture_set(f, &f->nodes.items[node]->meta.annotations, key, value);
}
