/* SPDX-License-Identifier: Apache-2.0 */
/* All plugins of the node and the folder that they share with the kubelet. Any change in the folder makes
 * every plugin look at its own socket and at the kubelet's: a restarted kubelet first deletes all sockets and
 * then makes its own. The folder is also looked at from time to time, because a watch may miss something, and
 * cannot even begin before the folder exists. */
#include "kubelet/plugin.h"

#include "base/memory.h"

#include <string.h>
#include <sys/un.h>

enum { CHECK_MS = 5000, SOCKET_PATH_SIZE_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };

struct KubeletPlugins {
  Host *host;
  KubeletPort *port;
  KubeletPluginsOptions options;
  char *folder;
  HostTimer timer;
  bool is_watching;
  bool has_reported; /* that the folder cannot be watched */
  ARRAY(KubeletPlugin *) list;
};

static KubeletPlugin *find(const KubeletPlugins *plugins, const char *resource) {
  for (size_t i = 0; i < plugins->list.count; i++) {
    if (strcmp(plugins->list.items[i]->resource, resource) == 0)
      return plugins->list.items[i];
  }
  return NULL;
}

static void check(KubeletPlugins *plugins) {
  for (size_t i = 0; i < plugins->list.count; i++)
    kubelet_plugin_check(plugins->list.items[i]);
}

static void on_change(void *userdata, const char *name) {
  check(userdata);
}

static void ensure_watching(KubeletPlugins *plugins) {
  Error err = {0};
  if (plugins->is_watching)
    return;
  if (plugins->port->watch(plugins->port, plugins->folder, on_change, plugins, &err) == 0) {
    plugins->is_watching = true;
    return;
  }
  if (!plugins->has_reported && plugins->options.on_trouble)
    plugins->options.on_trouble(plugins->options.userdata, NULL, &err);
  plugins->has_reported = true;
}

static void on_timer(void *userdata) {
  KubeletPlugins *plugins = userdata;
  timer_set(plugins->host, &plugins->timer, CHECK_MS);
  ensure_watching(plugins);
  check(plugins);
}

KubeletPlugins *kubelet_plugins_new(Host *host, KubeletPort *port, const KubeletPluginsOptions *options) {
  KubeletPlugins *plugins = mem_alloc(sizeof *plugins);
  plugins->host = host;
  plugins->port = port;
  plugins->options = *options;
  plugins->options.folder = plugins->folder = mem_strdup(options->folder);
  plugins->timer = (HostTimer){.fire = on_timer, .userdata = plugins};
  timer_set(host, &plugins->timer, 0);
  return plugins;
}

void kubelet_plugins_free(KubeletPlugins *plugins) {
  if (!plugins)
    return;
  timer_cancel(plugins->host, &plugins->timer);
  if (plugins->is_watching && plugins->port->unwatch)
    plugins->port->unwatch(plugins->port);
  for (size_t i = 0; i < plugins->list.count; i++)
    kubelet_plugin_free(plugins->list.items[i]);
  array_deinit(&plugins->list);
  free(plugins->folder);
  free(plugins);
}

static int check_name(const char *resource, Error *err) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
  const char *slash = strchr(resource, '/');
  if (slash && slash != resource && slash[1] && !strchr(slash + 1, '/') &&
      strspn(resource, allowed) == strlen(resource))
    return 0;
  return error_set(err, ERROR_INVALID, "\"%s\" is not a resource name of the form domain/name", resource);
}

/* Two resources must not share a socket, and its path must fit a socket address. */
static int check_path(const KubeletPlugins *plugins, const KubeletPlugin *plugin, Error *err) {
  if (strlen(plugin->path) > SOCKET_PATH_SIZE_MAX)
    return error_set(err, ERROR_LIMIT, "the socket path %s has %zu bytes, Unix sockets allow %d",
                     plugin->path, strlen(plugin->path), (int)SOCKET_PATH_SIZE_MAX);
  for (size_t i = 0; i < plugins->list.count; i++) {
    if (strcmp(plugins->list.items[i]->path, plugin->path) == 0)
      return error_set(err, ERROR_CONFLICT, "the resources %s and %s would share the socket %s",
                       plugins->list.items[i]->resource, plugin->resource, plugin->path);
  }
  return 0;
}

static void cleanup_plugin(KubeletPlugin **plugin) {
  if (*plugin)
    kubelet_plugin_free(*plugin);
}

static int add(KubeletPlugins *plugins, const char *resource, KubeletPlugin **ret, Error *err) {
  int result = check_name(resource, err);
  if (result < 0)
    return result;
  if (plugins->list.count >= KUBELET_RESOURCES_MAX)
    return error_set(err, ERROR_LIMIT, "cannot add the resource %s: there are %d already", resource,
                     KUBELET_RESOURCES_MAX);
  CLEANUP(cleanup_plugin)
  KubeletPlugin *plugin = kubelet_plugin_new(plugins->host, plugins->port, &plugins->options, resource);
  result = check_path(plugins, plugin, err);
  if (result < 0)
    return result;
  *array_push(&plugins->list) = plugin;
  *ret = TAKE(plugin);
  return 0;
}

int kubelet_plugins_set(KubeletPlugins *plugins, const char *resource, const KubeletPartitions *partitions,
                        Error *err) {
  KubeletPlugin *plugin = find(plugins, resource);
  int result = plugin ? 0 : add(plugins, resource, &plugin, err);
  if (result < 0)
    return result;
  kubelet_plugin_set(plugin, partitions);
  return 0;
}

bool kubelet_plugins_is_current(const KubeletPlugins *plugins, const char *resource) {
  const KubeletPlugin *plugin = find(plugins, resource);
  return plugin && kubelet_plugin_is_current(plugin);
}

void kubelet_plugins_yield(KubeletPlugins *plugins, const char *resource) {
  KubeletPlugin *plugin = find(plugins, resource);
  if (plugin)
    kubelet_plugin_yield(plugin);
}

bool kubelet_plugins_has_yielded(const KubeletPlugins *plugins, const char *resource) {
  const KubeletPlugin *plugin = find(plugins, resource);
  return plugin && plugin->state == KUBELET_PLUGIN_YIELDED;
}

void kubelet_plugins_claim(KubeletPlugins *plugins, const char *resource) {
  KubeletPlugin *plugin = find(plugins, resource);
  if (plugin)
    kubelet_plugin_claim(plugin);
}

bool kubelet_plugins_was_published(const KubeletPlugins *plugins, const char *resource) {
  CLEANUP(cleanup_free) char *endpoint = kubelet_plugin_endpoint_new(resource);
  CLEANUP(cleanup_free) char *path = mem_format("%s/%s", plugins->folder, endpoint);
  return plugins->port->identity(plugins->port, path) != 0;
}
