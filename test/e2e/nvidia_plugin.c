/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for NVIDIA's device plugin (MIG strategy `mixed`): announces the slices that exist when it
 * starts, only resources that have some, and nothing that comes later. SIGHUP makes it give up all its
 * sockets, read the GPUs again and register anew, as NVIDIA's does; with --deaf it reads them only when it
 * starts.
 *
 *   nvidia-device-plugin NVML_LIBRARY [--deaf] */
#include "agent/publish.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/shell.h"
#include "gpu/nvml.h"
#include "kubelet/plugins.h"
#include "kubelet/uv_port.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef struct StandIn {
  CliShell shell;
  uv_signal_t hangup;
  KubeletUvPort *port;
  KubeletPlugins *plugins;
  const char *library;
} StandIn;

static int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                       KubeletAllocation *ret_allocation, Error *err) {
  CLEANUP(text_deinit) Text visible = {0};
  for (size_t i = 0; i < ids->count; i++)
    text_format(&visible, "%s%s", i ? "," : "", ids->items[i]);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = arena_strdup(arena, text_string(&visible))};
  *ret_allocation = (KubeletAllocation){.envs = {.items = env, .count = 1}};
  return 0;
}

static void on_registered(void *userdata, const char *resource) {
  log_info("plugin", "registered", "resource=%s", resource);
}

static void on_trouble(void *userdata, const char *resource, const Error *err) {
  if (err)
    log_warn("plugin", "trouble", "err=" LOG_QUOTED, err->text);
}

static int announce(StandIn *plugin, const GpuObservation *observation, Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  AgentResources resources;
  agent_publish_resources(observation, &arena, &resources);
  for (size_t i = 0; i < resources.count; i++) {
    const AgentResource *resource = &resources.items[i];
    log_info("plugin", "read", "resource=%s count=%zu", resource->name, resource->partitions.count);
    if (!resource->partitions.count)
      continue;
    int r = kubelet_plugins_set(plugin->plugins, resource->name, &resource->partitions, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static int read_gpus(StandIn *plugin, Error *err) {
  CLEANUP(gpu_nvml_closep) GpuNvml *nvml = NULL;
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  kubelet_plugins_free(plugin->plugins);
  plugin->plugins = kubelet_plugins_new(&plugin->shell.host, kubelet_uv_port_seam(plugin->port),
                                        &(KubeletPluginsOptions){.folder = "/var/lib/kubelet/device-plugins",
                                                                 .on_allocate = on_allocate,
                                                                 .on_registered = on_registered,
                                                                 .on_trouble = on_trouble});
  int r = gpu_nvml_open(plugin->library, &nvml, err);
  if (r < 0)
    return r;
  gpu_nvml_run(nvml, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  if (result->err.code) {
    *err = result->err;
    return -err->code;
  }
  return announce(plugin, &result->observation, err);
}

static void on_hangup(uv_signal_t *handle, int number) {
  StandIn *plugin = handle->data;
  Error err;
  log_info("plugin", "SIGHUP: reading the GPUs again", "signal=%d", number);
  if (read_gpus(plugin, &err) < 0)
    log_error("plugin", "the GPUs cannot be read", "err=" LOG_QUOTED, err.text);
}

static void listen_to_hangup(StandIn *plugin, bool is_deaf) {
  uv_signal_init(&plugin->shell.loop, &plugin->hangup);
  plugin->hangup.data = plugin;
  if (is_deaf)
    signal(SIGHUP, SIG_IGN);
  else
    uv_signal_start(&plugin->hangup, on_hangup, SIGHUP);
}

int main(int argc, char **argv) {
  StandIn plugin = {.library = argc > 1 ? argv[1] : NULL};
  Error err;
  int r = cli_shell_init(&plugin.shell, &err);
  if (r == 0) {
    plugin.port = kubelet_uv_port_new(&plugin.shell.loop);
    listen_to_hangup(&plugin, argc > 2 && strcmp(argv[2], "--deaf") == 0);
    r = read_gpus(&plugin, &err);
  }
  if (r < 0) {
    log_error("plugin", "cannot start", "err=" LOG_QUOTED, err.text);
    return EXIT_FAILURE;
  }
  cli_shell_run(&plugin.shell);
  kubelet_plugins_free(plugin.plugins);
  kubelet_uv_port_free(plugin.port);
  uv_close((uv_handle_t *)&plugin.hangup, NULL);
  cli_shell_deinit(&plugin.shell);
  return EXIT_SUCCESS;
}
