/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a registration:
 *
 *               timer: listen, dial, Register            OK
 *     WAITING ------------------------------> REGISTERING --> REGISTERED
 *        ^  ^------ failed, with back-off --------'              |
 *        '------ ListAndWatch ended or never came ---------------'
 *
 * and from every state: the kubelet's socket is another one -> WAITING, due now.
 *
 * Where two plugins register one resource, the kubelet asks the newer one to allocate, believes whoever sent
 * a list last, and tells neither of them; when the older one's ListAndWatch ends it hangs up on the newer one
 * (pkg/kubelet/cm/devicemanager of v1.36, plugin/v1beta1/handler.go). So the older one must fall silent and
 * keep its streams open: that is YIELDED. NVIDIA's plugin is known by its socket, which it makes anew right
 * before it registers; others are noticed from outside (kubelet_plugins_yield).
 *
 *     REGISTERED --> YIELDED   NVIDIA's socket is a new one, or told so
 *     YIELDED    --> WAITING   its socket goes, or told so
 *
 * Before it answers Register the kubelet connects to our socket and asks for the options, so serving works in
 * every state. Connections of a kubelet that went are not closed by us: they end by themselves, and a socket
 * that merely changed its owner or mode must not cost the running kubelet its ListAndWatch, because pods that
 * arrive meanwhile would be rejected for good. */
#include "kubelet/plugin.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

enum {
  RETRY_MIN_MS = 100,
  SEIZE_MS = 5000, /* between two times that our socket is taken back */
  RETRY_MAX_MS = 10000,
  REGISTER_TIMEOUT_MS = 15000, /* the kubelet itself takes up to 10 s to reach our socket */
  WATCH_TIMEOUT_MS = 10000,    /* from the answer to Register to ListAndWatch */
  STEADY_MS = 10000,           /* a ListAndWatch that lived this long says that all was well */
};

static const char NVIDIA_DOMAIN[] = "nvidia.com/";

void kubelet_plugin_report(KubeletPlugin *plugin, const Error *err) {
  if (plugin->options->on_trouble && !string_equal(plugin->reported.text, err->text))
    plugin->options->on_trouble(plugin->options->userdata, plugin->resource, err);
  plugin->reported = *err;
}

static void retry(KubeletPlugin *plugin) {
  plugin->state = KUBELET_PLUGIN_WAITING;
  timer_set(plugin->host, &plugin->timer, plugin->retry_ms);
  uint64_t last_ms = plugin->retry_ms ? plugin->retry_ms : RETRY_MIN_MS;
  plugin->retry_ms = last_ms * 2 < RETRY_MAX_MS ? last_ms * 2 : RETRY_MAX_MS;
}

static void unlisten(KubeletPlugin *plugin) {
  if (plugin->listener)
    plugin->port->unlisten(plugin->port, TAKE(plugin->listener));
}

/* Somebody else's socket under our name is replaced, but there is no race for it: the kubelet's streams do
 * not depend on the file. */
static bool may_seize(KubeletPlugin *plugin) {
  Error err = {0};
  if (plugin->seized_ms && plugin->host->now_ms < plugin->seized_ms + SEIZE_MS)
    return false;
  plugin->seized_ms = plugin->host->now_ms;
  (void)error_set(&err, ERROR_UNAVAILABLE, "somebody has changed or replaced our socket %s: it is made again",
                  plugin->path);
  kubelet_plugin_report(plugin, &err);
  return true;
}

static int ensure_listening(KubeletPlugin *plugin, Error *err) {
  KubeletPort *port = plugin->port;
  uint64_t identity = port->identity(port, plugin->path);
  if (plugin->listener && identity == plugin->socket_identity)
    return 0;
  if (plugin->listener && identity && !may_seize(plugin))
    return 0;
  unlisten(plugin);
  int result = port->listen(port, plugin->path, kubelet_plugin_accept, plugin, &plugin->listener, err);
  if (result < 0) {
    plugin->cannot_listen = true;
    return result;
  }
  plugin->socket_identity = port->identity(port, plugin->path);
  if (plugin->cannot_listen && plugin->options->on_trouble)
    plugin->options->on_trouble(plugin->options->userdata, plugin->resource, NULL);
  plugin->cannot_listen = false;
  return 0;
}

static void on_registrar_lost(void *userdata, const Error *err) {
  KubeletPlugin *plugin = userdata;
  plugin->registrar = NULL;
}

static void hang_up_registrar(KubeletPlugin *plugin) {
  if (plugin->registrar)
    kubelet_connection_close(TAKE(plugin->registrar));
}

static uint64_t find_rival(const KubeletPlugin *plugin) {
  return plugin->rival ? plugin->port->identity(plugin->port, plugin->rival) : 0;
}

static void on_register_end(void *userdata, GrpcStatus status, const char *text) {
  KubeletPlugin *plugin = userdata;
  Error err = {0};
  if (plugin->state != KUBELET_PLUGIN_REGISTERING)
    return; /* a new kubelet came in between: this was the old one's answer */
  plugin->state = KUBELET_PLUGIN_REGISTERED;
  hang_up_registrar(plugin);
  /* An open ListAndWatch says more than an answer that was lost or came too late. */
  if (status != GRPC_OK && !kubelet_plugin_is_current(plugin)) {
    (void)error_set(&err, ERROR_UNAVAILABLE, "cannot register %s with the kubelet at %s: %s (gRPC status %d)",
                    plugin->resource, plugin->kubelet, text, (int)status);
    kubelet_plugin_report(plugin, &err);
    retry(plugin);
    return;
  }
  plugin->reported = (Error){0};
  plugin->rival_identity = find_rival(plugin);
  if (!kubelet_plugin_is_current(plugin))
    timer_set(plugin->host, &plugin->timer, WATCH_TIMEOUT_MS);
  if (plugin->options->on_registered)
    plugin->options->on_registered(plugin->options->userdata, plugin->resource);
}

static void start_register(KubeletPlugin *plugin) {
  CLEANUP(text_deinit) Text message = {0};
  const KubeletRegister request = {.version = "v1beta1",
                                   .endpoint = plugin->endpoint,
                                   .resource_name = plugin->resource,
                                   .preferred_allocation = true};
  const GrpcReply reply = {.on_end = on_register_end, .userdata = plugin};
  assert(!plugin->registrar);
  kubelet_register_encode(&request, &message);
  plugin->state = KUBELET_PLUGIN_REGISTERING;
  plugin->kubelet_identity = plugin->port->identity(plugin->port, plugin->kubelet);
  plugin->registrar =
      kubelet_connection_dial(plugin->host, plugin->port, plugin->kubelet, on_registrar_lost, plugin);
  grpc_session_call(kubelet_connection_session(plugin->registrar), KUBELET_METHOD_REGISTER, message.bytes,
                    message.size, REGISTER_TIMEOUT_MS, &reply);
}

static void on_timer(void *userdata) {
  KubeletPlugin *plugin = userdata;
  Error err = {0};
  if (plugin->state == KUBELET_PLUGIN_REGISTERED) {
    (void)error_set(&err, ERROR_TIMEOUT, "the kubelet at %s registered %s but does not ask for its list",
                    plugin->kubelet, plugin->resource);
    kubelet_plugin_report(plugin, &err);
  }
  if (ensure_listening(plugin, &err) < 0) {
    kubelet_plugin_report(plugin, &err);
    retry(plugin);
    return;
  }
  start_register(plugin);
}

void kubelet_plugin_watch_opened(KubeletPlugin *plugin) {
  if (plugin->state == KUBELET_PLUGIN_REGISTERED)
    timer_cancel(plugin->host, &plugin->timer);
}

/* A kubelet that has two streams of ours, as when a request of our earlier life reached it late, hangs up on
 * the newer one when either ends. What comes over the other one it still shows to everybody, but it asks
 * nobody to allocate any more: "endpoint has been stopped". */
void kubelet_plugin_watch_ended(KubeletPlugin *plugin, uint64_t kubelet_identity, uint64_t lived_ms) {
  bool is_of_another = kubelet_identity != plugin->kubelet_identity && kubelet_plugin_is_current(plugin);
  if (plugin->state != KUBELET_PLUGIN_REGISTERED || is_of_another)
    return;
  /* Each moment without a plugin may cost a pod: the first try comes at once. The kubelet also hangs up on us
   * when it hears late of the end of our earlier life. */
  if (lived_ms >= STEADY_MS || plugin->retry_ms == RETRY_MIN_MS)
    plugin->retry_ms = 0;
  retry(plugin);
  kubelet_plugin_end_watches(plugin);
}

void kubelet_plugin_yield(KubeletPlugin *plugin) {
  if (plugin->state != KUBELET_PLUGIN_REGISTERED)
    return;
  plugin->state = KUBELET_PLUGIN_YIELDED;
  plugin->rival_identity = find_rival(plugin);
  timer_cancel(plugin->host, &plugin->timer);
}

void kubelet_plugin_claim(KubeletPlugin *plugin) {
  plugin->state = KUBELET_PLUGIN_WAITING;
  plugin->retry_ms = RETRY_MIN_MS;
  hang_up_registrar(plugin);
  timer_set(plugin->host, &plugin->timer, 0);
}

static void look_for_rival(KubeletPlugin *plugin) {
  uint64_t rival = find_rival(plugin);
  if (plugin->state == KUBELET_PLUGIN_YIELDED && plugin->rival_identity && !rival) {
    kubelet_plugin_claim(plugin);
  } else if (plugin->state == KUBELET_PLUGIN_REGISTERED && rival && rival != plugin->rival_identity) {
    kubelet_plugin_yield(plugin);
    if (plugin->options->on_rival)
      plugin->options->on_rival(plugin->options->userdata, plugin->resource);
  }
}

void kubelet_plugin_check(KubeletPlugin *plugin) {
  KubeletPort *port = plugin->port;
  Error err = {0};
  bool was_listening = plugin->socket_identity != 0;
  if (was_listening && ensure_listening(plugin, &err) < 0)
    kubelet_plugin_report(plugin, &err);
  uint64_t identity = port->identity(port, plugin->kubelet);
  if (!identity || identity == plugin->kubelet_identity)
    look_for_rival(plugin);
  else
    kubelet_plugin_claim(plugin);
}

void kubelet_plugin_set(KubeletPlugin *plugin, const KubeletPartitions *partitions) {
  CLEANUP(text_deinit) Text list = {0};
  kubelet_partitions_encode(partitions, &list);
  if (list.size == plugin->list.size &&
      (!list.size || memcmp(list.bytes, plugin->list.bytes, list.size) == 0))
    return;
  text_deinit(&plugin->list);
  plugin->list = list;
  list = (Text){0};
  for (size_t i = 0; i < plugin->watchers.count && plugin->state != KUBELET_PLUGIN_YIELDED; i++)
    grpc_call_send(plugin->watchers.items[i]->call, plugin->list.bytes, plugin->list.size);
}

bool kubelet_plugin_is_current(const KubeletPlugin *plugin) {
  for (size_t i = 0; i < plugin->watchers.count && plugin->state != KUBELET_PLUGIN_YIELDED; i++) {
    if (plugin->watchers.items[i]->kubelet_identity == plugin->kubelet_identity)
      return true;
  }
  return false;
}

char *kubelet_plugin_endpoint_new(const char *resource) {
  bool is_nvidia = string_has_prefix(resource, NVIDIA_DOMAIN);
  char *endpoint = mem_format("facet-%s.sock", resource + (is_nvidia ? strlen(NVIDIA_DOMAIN) : 0));
  for (char *slash = endpoint; (slash = strchr(slash, '/'));)
    *slash = '_';
  return endpoint;
}

KubeletPlugin *kubelet_plugin_new(Host *host, KubeletPort *port, const KubeletPluginsOptions *options,
                                  const char *resource) {
  KubeletPlugin *plugin = mem_alloc(sizeof *plugin);
  plugin->host = host;
  plugin->port = port;
  plugin->options = options;
  plugin->resource = mem_strdup(resource);
  plugin->endpoint = kubelet_plugin_endpoint_new(resource);
  plugin->path = mem_format("%s/%s", options->folder, plugin->endpoint);
  plugin->kubelet = mem_format("%s/kubelet.sock", options->folder);
  if (string_has_prefix(resource, NVIDIA_DOMAIN))
    plugin->rival = mem_format("%s/nvidia-%s.sock", options->folder, resource + strlen(NVIDIA_DOMAIN));
  plugin->timer = (HostTimer){.fire = on_timer, .userdata = plugin};
  timer_set(host, &plugin->timer, 0);
  return plugin;
}

void kubelet_plugin_free(KubeletPlugin *plugin) {
  plugin->state = KUBELET_PLUGIN_WAITING;
  hang_up_registrar(plugin);
  kubelet_plugin_hang_up(plugin);
  unlisten(plugin);
  timer_cancel(plugin->host, &plugin->timer);
  array_deinit(&plugin->peers);
  array_deinit(&plugin->watchers);
  assert(!plugin->questions.count); /* they went with their connections */
  array_deinit(&plugin->questions);
  text_deinit(&plugin->list);
  free(plugin->resource);
  free(plugin->endpoint);
  free(plugin->path);
  free(plugin->kubelet);
  free(plugin->rival);
  free(plugin);
}
