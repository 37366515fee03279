/* SPDX-License-Identifier: Apache-2.0 */
/* A watch that writes down what it hears, for this folder's tests. */
#pragma once

#include "kube/informer.h"
#include "sim/apiserver/world_fixture.h"

typedef struct Watch {
  World *world;
  KubeCall *call; /* NULL: over */
  KubeWatchReader *reader;
  int status;
  Text story; /* "ADDED n1; MODIFIED n1; " */
} Watch;

static inline void watch_on_event(void *userdata, KubeWatchEvent *event) {
  static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
  Watch *watch = userdata;
  KubeObject *object = TAKE(event->object);
  const ObjectMeta *meta = object ? object->value : NULL;
  if (meta)
    text_format(&watch->story, "%s %s@%s; ", names[event->type], string_or_empty(meta->name),
                meta->resource_version.text);
  else
    text_format(&watch->story, "ERROR %d %s; ", event->status.code, event->status.reason);
  kube_object_free(object);
}

static inline void watch_on_head(void *userdata, int status, const char *content_type, int retry_after_s) {
  ((Watch *)userdata)->status = status;
}

static inline void watch_on_body(void *userdata, const void *bytes, size_t size) {
  Error err = {0};
  assert_ok(kube_watch_reader_feed(((Watch *)userdata)->reader, bytes, size, &err));
}

static inline void watch_on_done(void *userdata, const Error *err) {
  Watch *watch = userdata;
  watch->call = NULL;
  text_format(&watch->story, "%s", err ? err->text : "end");
}

static inline void watch_start(Watch *watch, World *world, const KubeType *type, const char *path) {
  *watch = (Watch){.world = world};
  watch->reader = kube_watch_reader_new(type, KUBE_JSON, watch_on_event, watch);
  watch->call = kube_transport_start(sim_api_seam(world->api), &(KubeRequest){.method = "GET",
                                                                              .path = path,
                                                                              .on_head = watch_on_head,
                                                                              .on_body = watch_on_body,
                                                                              .on_done = watch_on_done,
                                                                              .userdata = watch});
  assert_int_equal(watch->status, 0);
  pass_time(world, 20);
}

static inline void watch_stop(Watch *watch) {
  if (watch->call)
    kube_transport_cancel(sim_api_seam(watch->world->api), watch->call);
  kube_watch_reader_free(watch->reader);
  text_deinit(&watch->story);
}
