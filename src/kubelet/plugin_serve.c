/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's connections to a plugin's socket, and a function for each of its questions. Nearly everything
 * is answered at once, out of memory: the kubelet admits no other pod while it waits. Only the question which
 * partitions are preferred may be kept for a moment. */
#include "kubelet/plugin.h"

#include "base/memory.h"

#include <string.h>

enum { WATCHERS_MAX = 16 }; /* of one plugin; the kubelet has one, or two while it registers again */

typedef struct Request {
  KubeletPluginPeer *peer;
  const void *bytes;
  size_t size;
} Request;

static void answer(GrpcCall *call, const Text *message) {
  grpc_call_send(call, message->bytes, message->size);
  grpc_call_finish(call, GRPC_OK, "");
}

static void refuse(GrpcCall *call, GrpcStatus status, const Error *err) {
  grpc_call_finish(call, status, err->text);
}

static void serve_options(GrpcCall *call, const Request *request) {
  CLEANUP(text_deinit) Text message = {0};
  kubelet_options_encode(true, false, &message);
  answer(call, &message);
}

static void on_watcher_gone(void *userdata) {
  KubeletPluginWatcher *watcher = userdata;
  KubeletPlugin *plugin = watcher->plugin;
  uint64_t lived_ms = plugin->host->now_ms - watcher->since_ms, identity = watcher->kubelet_identity;
  for (size_t i = 0; i < plugin->watchers.count; i++) {
    if (plugin->watchers.items[i] == watcher) {
      array_remove(&plugin->watchers, i);
      break;
    }
  }
  free(watcher);
  kubelet_plugin_watch_ended(plugin, identity, lived_ms);
}

/* NULL: none is left. */
static KubeletPluginWatcher *take_current(KubeletPlugin *plugin) {
  for (size_t i = 0; i < plugin->watchers.count; i++) {
    KubeletPluginWatcher *watcher = plugin->watchers.items[i];
    if (watcher->kubelet_identity == plugin->kubelet_identity) {
      array_remove(&plugin->watchers, i);
      return watcher;
    }
  }
  return NULL;
}

void kubelet_plugin_end_watches(KubeletPlugin *plugin) {
  for (KubeletPluginWatcher *watcher; (watcher = take_current(plugin)); free(watcher)) {
    grpc_call_on_gone(watcher->call, NULL, NULL);
    grpc_call_finish(watcher->call, GRPC_OK, "");
  }
}

static void serve_list_and_watch(GrpcCall *call, const Request *request) {
  KubeletPlugin *plugin = request->peer->plugin;
  if (plugin->watchers.count >= WATCHERS_MAX) {
    grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "too many ListAndWatch streams are open");
    return;
  }
  KubeletPluginWatcher *watcher = mem_alloc(sizeof *watcher);
  *watcher = (KubeletPluginWatcher){.plugin = plugin,
                                    .peer = request->peer,
                                    .call = call,
                                    .kubelet_identity = plugin->kubelet_identity,
                                    .since_ms = plugin->host->now_ms};
  *array_push(&plugin->watchers) = watcher;
  grpc_call_on_gone(call, on_watcher_gone, watcher);
  grpc_call_send(call, plugin->list.bytes, plugin->list.size);
  kubelet_plugin_watch_opened(plugin);
}

static bool contains(const Strings *strings, const char *string) {
  for (size_t i = 0; i < strings->count; i++) {
    if (strcmp(strings->items[i], string) == 0)
      return true;
  }
  return false;
}

/* What must be included, then the first available ones. */
static void prefer_first(const KubeletPreferred *request, Arena *arena, Strings *ret_ids) {
  size_t wanted = request->size > 0 ? (size_t)request->size : 0;
  const size_t offered = request->must_include.count + request->available.count;
  Strings ids = {.items = arena_alloc(arena, offered * sizeof *ids.items)};
  const Strings *const sources[] = {&request->must_include, &request->available};
  for (size_t source = 0; source < COUNT_OF(sources); source++) {
    for (size_t i = 0; i < sources[source]->count && ids.count < wanted; i++) {
      if (!contains(&ids, sources[source]->items[i]))
        ids.items[ids.count++] = sources[source]->items[i];
    }
  }
  *ret_ids = ids;
}

static void forget_question(KubeletPluginQuestion *question) {
  KubeletPlugin *plugin = question->plugin;
  for (size_t i = 0; i < plugin->questions.count; i++)
    if (plugin->questions.items[i] == question) {
      array_remove(&plugin->questions, i);
      break;
    }
  timer_cancel(plugin->host, &question->timer);
  Arena arena = question->arena;
  free(question);
  arena_deinit(&arena);
}

static void on_question_gone(void *userdata) {
  forget_question(userdata);
}

static void answer_question(void *userdata) {
  KubeletPluginQuestion *question = userdata;
  const KubeletPlugin *plugin = question->plugin;
  const KubeletPluginsOptions *options = plugin->options;
  CLEANUP(text_deinit) Text message = {0};
  GrpcCall *call = question->call;
  KubeletIdLists answers = {
      .items = arena_alloc(&question->arena, question->containers.count * sizeof *answers.items),
      .count = question->containers.count};
  for (size_t i = 0; i < answers.count; i++) {
    const KubeletPreferred *container = &question->containers.items[i];
    if (options->on_preferred)
      options->on_preferred(options->userdata, plugin->resource, container, &question->arena,
                            &answers.items[i]);
    else
      prefer_first(container, &question->arena, &answers.items[i]);
  }
  kubelet_preferred_answers_encode(&answers, &message);
  grpc_call_on_gone(call, NULL, NULL);
  forget_question(question);
  answer(call, &message);
}

static uint32_t delay_of(const KubeletPluginQuestion *question) {
  const KubeletPluginsOptions *options = question->plugin->options;
  uint32_t delay_ms = 0;
  for (size_t i = 0; options->preferred_delay_ms && i < question->containers.count; i++) {
    uint32_t wanted_ms = options->preferred_delay_ms(options->userdata, question->plugin->resource,
                                                     &question->containers.items[i]);
    delay_ms = wanted_ms > delay_ms ? wanted_ms : delay_ms;
  }
  return delay_ms < KUBELET_PATIENCE_MS ? delay_ms : KUBELET_PATIENCE_MS;
}

static void serve_preferred(GrpcCall *call, const Request *request) {
  KubeletPlugin *plugin = request->peer->plugin;
  Error err = {0};
  KubeletPluginQuestion *question = mem_alloc(sizeof *question);
  *question = (KubeletPluginQuestion){.plugin = plugin, .call = call};
  question->timer = (HostTimer){.fire = answer_question, .userdata = question};
  *array_push(&plugin->questions) = question;
  if (kubelet_preferreds_decode(request->bytes, request->size, &question->arena, &question->containers,
                                &err) < 0) {
    forget_question(question);
    refuse(call, GRPC_INVALID_ARGUMENT, &err);
    return;
  }
  grpc_call_on_gone(call, on_question_gone, question);
  uint32_t delay_ms = delay_of(question);
  if (delay_ms)
    timer_set(plugin->host, &question->timer, delay_ms);
  else
    answer_question(question);
}

static void serve_allocate(GrpcCall *call, const Request *request) {
  const KubeletPlugin *plugin = request->peer->plugin;
  const KubeletPluginsOptions *options = plugin->options;
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text message = {0};
  KubeletIdLists containers = {0};
  Error err = {0};
  if (kubelet_allocate_decode(request->bytes, request->size, &arena, &containers, &err) < 0) {
    refuse(call, GRPC_INVALID_ARGUMENT, &err);
    return;
  }
  KubeletAllocations answers = {.items = arena_alloc(&arena, containers.count * sizeof *answers.items),
                                .count = containers.count};
  for (size_t i = 0; i < containers.count; i++) {
    if (options->on_allocate(options->userdata, plugin->resource, &containers.items[i], &arena,
                             &answers.items[i], &err) < 0) {
      refuse(call, GRPC_FAILED_PRECONDITION, &err);
      return;
    }
  }
  kubelet_allocations_encode(&answers, &message);
  answer(call, &message);
}

static void serve_pre_start(GrpcCall *call, const Request *request) {
  const Text empty = {0};
  answer(call, &empty);
}

static const struct Method {
  const char *name;
  void (*serve)(GrpcCall *call, const Request *request);
} methods[] = {
    {KUBELET_METHOD_OPTIONS, serve_options},     {KUBELET_METHOD_LIST_AND_WATCH, serve_list_and_watch},
    {KUBELET_METHOD_PREFERRED, serve_preferred}, {KUBELET_METHOD_ALLOCATE, serve_allocate},
    {KUBELET_METHOD_PRE_START, serve_pre_start},
};

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  const Request request = {.peer = userdata, .bytes = message, .size = size};
  Error err = {0};
  for (size_t i = 0; i < COUNT_OF(methods); i++) {
    if (strcmp(methods[i].name, method) == 0) {
      methods[i].serve(call, &request);
      return;
    }
  }
  (void)error_set(&err, ERROR_UNSUPPORTED, "unknown method %s", method);
  refuse(call, GRPC_UNIMPLEMENTED, &err);
}

static void remove_peer(KubeletPlugin *plugin, size_t i) {
  free(plugin->peers.items[i]);
  array_remove(&plugin->peers, i);
}

static void on_peer_lost(void *userdata, const Error *err) {
  KubeletPluginPeer *peer = userdata;
  KubeletPlugin *plugin = peer->plugin;
  for (size_t i = 0; i < plugin->peers.count; i++) {
    if (plugin->peers.items[i] == peer) {
      remove_peer(plugin, i);
      return;
    }
  }
}

static bool is_watching(const KubeletPluginPeer *peer) {
  const KubeletPlugin *plugin = peer->plugin;
  for (size_t i = 0; i < plugin->watchers.count; i++) {
    if (plugin->watchers.items[i]->peer == peer)
      return true;
  }
  return false;
}

/* The one to give up when there are too many: the oldest that watches nothing, or else the newest. */
static size_t superfluous_peer(const KubeletPlugin *plugin) {
  for (size_t i = 0; i < plugin->peers.count; i++) {
    if (!is_watching(plugin->peers.items[i]))
      return i;
  }
  return plugin->peers.count - 1;
}

static void close_peer(KubeletPlugin *plugin, size_t i) {
  kubelet_connection_close(plugin->peers.items[i]->connection);
  remove_peer(plugin, i);
}

void kubelet_plugin_accept(void *userdata, KubeletStream *stream) {
  KubeletPlugin *plugin = userdata;
  KubeletPluginPeer *peer = mem_alloc(sizeof *peer);
  Error err = {0};
  peer->plugin = plugin;
  peer->connection =
      kubelet_connection_accept(plugin->host, plugin->port, stream, on_call, on_peer_lost, peer);
  *array_push(&plugin->peers) = peer;
  if (plugin->peers.count <= KUBELET_CONNECTIONS_MAX)
    return;
  close_peer(plugin, superfluous_peer(plugin));
  (void)error_set(&err, ERROR_LIMIT, "more than %d connections to %s: one was closed",
                  KUBELET_CONNECTIONS_MAX, plugin->path);
  kubelet_plugin_report(plugin, &err);
}

void kubelet_plugin_hang_up(KubeletPlugin *plugin) {
  while (plugin->peers.count)
    close_peer(plugin, plugin->peers.count - 1);
}
