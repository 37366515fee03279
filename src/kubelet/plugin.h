/* SPDX-License-Identifier: Apache-2.0 */
/* One device plugin: one resource, one socket, one registration. Private to plugins.c, plugin.c (socket and
 * registration) and plugin_serve.c (the kubelet's connections and questions). */
#pragma once

#include "base/array.h"
#include "kubelet/connection.h"
#include "kubelet/plugins.h"

typedef struct KubeletPlugin KubeletPlugin;

/* One connection of the kubelet to our socket. */
typedef struct KubeletPluginPeer {
  KubeletPlugin *plugin;
  KubeletConnection *connection;
} KubeletPluginPeer;

/* One open ListAndWatch. */
typedef struct KubeletPluginWatcher {
  KubeletPlugin *plugin;
  const KubeletPluginPeer *peer;
  GrpcCall *call;
  uint64_t kubelet_identity; /* the registration that it belongs to */
  uint64_t since_ms;
} KubeletPluginWatcher;

/* A GetPreferredAllocation that is answered in a moment. */
typedef struct KubeletPluginQuestion {
  KubeletPlugin *plugin;
  GrpcCall *call;
  HostTimer timer;
  Arena arena; /* of `containers` */
  KubeletPreferreds containers;
} KubeletPluginQuestion;

typedef enum KubeletPluginState {
  KUBELET_PLUGIN_WAITING,     /* for the timer, or a new kubelet */
  KUBELET_PLUGIN_REGISTERING, /* Register is under way */
  KUBELET_PLUGIN_REGISTERED,  /* ListAndWatch is open, or the timer waits for it */
  KUBELET_PLUGIN_YIELDED,     /* another plugin has the resource: nothing is sent */
} KubeletPluginState;

struct KubeletPlugin {
  Host *host;
  KubeletPort *port;
  const KubeletPluginsOptions *options;
  char *resource;
  char *endpoint; /* file name of the socket */
  char *path;     /* of the socket */
  char *kubelet;  /* path of the kubelet's socket */
  char *rival;    /* path of the socket that NVIDIA's plugin has for this resource; NULL: it has none */
  Text list;      /* the latest ListAndWatchResponse */
  KubeletPluginState state;
  HostTimer timer;
  uint64_t retry_ms; /* how long the next failure waits; 0: not at all */
  KubeletConnection *registrar;
  uint64_t kubelet_identity; /* of the kubelet's socket when it was last dialled */
  KubeletListener *listener; /* NULL while the socket cannot be made */
  uint64_t socket_identity;
  bool cannot_listen;
  uint64_t seized_ms;      /* when our socket was last found to be another one; 0: never */
  uint64_t rival_identity; /* of the rival's socket when we registered, or yielded to it; 0: it had none */
  ARRAY(KubeletPluginPeer *) peers;       /* oldest first */
  ARRAY(KubeletPluginWatcher *) watchers; /* oldest first */
  ARRAY(KubeletPluginQuestion *) questions;
  Error reported; /* the last trouble: the same one is not told twice in a row */
};

/* The file name of a resource's socket; the caller frees. */
char *kubelet_plugin_endpoint_new(const char *resource);
KubeletPlugin *kubelet_plugin_new(Host *host, KubeletPort *port, const KubeletPluginsOptions *options,
                                  const char *resource);
void kubelet_plugin_free(KubeletPlugin *plugin);
/* Keeps the list and sends it, if it is another one than before. */
void kubelet_plugin_set(KubeletPlugin *plugin, const KubeletPartitions *partitions);
bool kubelet_plugin_is_current(const KubeletPlugin *plugin);
void kubelet_plugin_yield(KubeletPlugin *plugin);
void kubelet_plugin_claim(KubeletPlugin *plugin);
/* Something changed in the folder: is our socket still there, is the kubelet's or a rival's another one? */
void kubelet_plugin_check(KubeletPlugin *plugin);
void kubelet_plugin_report(KubeletPlugin *plugin, const Error *err);

/* plugin_serve.c */
void kubelet_plugin_accept(void *userdata, KubeletStream *stream); /* userdata: the plugin */
void kubelet_plugin_hang_up(KubeletPlugin *plugin);                /* all connections */
void kubelet_plugin_end_watches(KubeletPlugin *plugin);            /* of the kubelet that is there */
/* plugin.c: a ListAndWatch opened, or ended; `lived_ms` after it had opened. */
void kubelet_plugin_watch_opened(KubeletPlugin *plugin);
void kubelet_plugin_watch_ended(KubeletPlugin *plugin, uint64_t kubelet_identity, uint64_t lived_ms);
