/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: NVIDIA's device plugin beside the agent in its world. It reads the GPUs when it starts and, if
 * it is that kind, on SIGHUP; its pod is one of kube-system and comes back with another name. In the story:
 *
 *     SIGHUP;              its process got one
 *     pods LABEL;          the agent looked for its pod
 *     delete NAME;         ... and deleted it
 *     plugin reads;        it has read the GPUs, and the kubelet shows what it found */
#pragma once

#include "agent/world_fixture.h"

enum { PLUGIN_READS_MS = 300, PLUGIN_RESTARTS_MS = 20000 };

typedef struct Plugin {
  AgentPluginProcess seam;
  World *world;
  HostTimer timer;   /* reads when it fires */
  const char *label; /* of its pod: "app%3Dx"; NULL: it has no pod */
  int pod_number;
  bool is_deaf;      /* SIGHUP does nothing */
  bool is_unseen;    /* its process cannot be seen */
  bool is_forbidden; /* ... or seen, but not signalled */
  bool is_single;    /* MIG strategy `single` */
  bool is_blind;     /* finds nothing */
  int refuse_pods;   /* status that requests for pods are answered with; 0: they succeed */
} Plugin;

static inline void plugin_read(void *userdata) {
  Plugin *plugin = userdata;
  World *world = plugin->world;
  Text *strange = &world->kubelet.strange;
  text_clear(strange);
  text_append(&world->story, "plugin reads;");
  for (int g = 0; g < world->truth->gpu_count && !plugin->is_blind; g++) {
    const GpuObserved *gpu = &world->truth->gpus[g];
    if (gpu->mode == MIG_MODE_OFF)
      text_format(strange, "nvidia.com/gpu=%s ", gpu->uuid);
    for (int i = 0; i < gpu->instance_count; i++) {
      const GpuJob job = {.nvml_id = gpu->instances[i].nvml_id};
      const char *profile = profile_name(world, &job);
      text_format(strange, "nvidia.com/%s%s=%s ", plugin->is_single ? "gpu" : "mig-",
                  plugin->is_single ? "" : profile, gpu->instances[i].uuid);
    }
  }
}

/* The kubelet loses what it announced, until it has read the GPUs. */
static inline void plugin_restart(Plugin *plugin, uint64_t takes_ms) {
  text_clear(&plugin->world->kubelet.strange);
  timer_set(&plugin->world->host, &plugin->timer, takes_ms);
}

static inline int plugin_hang_up(AgentPluginProcess *seam, int *ret_pid, Error *err) {
  Plugin *plugin = (Plugin *)seam;
  if (plugin->is_unseen)
    return AGENT_PLUGIN_UNSEEN;
  if (plugin->is_forbidden)
    return error_set(err, ERROR_DENIED, "process 42 (nvidia-device-plugin) may not be sent SIGHUP: no");
  text_append(&plugin->world->story, "SIGHUP;");
  if (!plugin->is_deaf)
    plugin_restart(plugin, PLUGIN_READS_MS);
  *ret_pid = 42;
  return 0;
}

static inline void answer_plugin_list(Plugin *plugin, KubeCall *call) {
  const char *label = strstr(call->request.path, "labelSelector=") + strlen("labelSelector=");
  text_format(&plugin->world->story, "pods %s;", label);
  if (plugin->refuse_pods) {
    fake_answer(call, plugin->refuse_pods,
                "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}");
    return;
  }
  json_t *pod = NULL;
  if (string_equal(label, plugin->label))
    pod = json_pack("{s:{s:s, s:o, s:o, s:[{s:s, s:s, s:b}]}, s:{s:s, s:[{s:s}]}}", "metadata", "namespace",
                    "kube-system", "name", json_sprintf("plugin-%d", plugin->pod_number), "uid",
                    json_sprintf("uid-%d", plugin->pod_number), "ownerReferences", "kind", "DaemonSet",
                    "name", "plugin", "controller", 1, "spec", "nodeName", "n1", "containers", "name",
                    "nvidia-device-plugin-ctr");
  answer_list(plugin->world, call, pod);
  json_decref(pod);
}

static inline void answer_plugin_deletion(Plugin *plugin, KubeCall *call) {
  text_format(&plugin->world->story, "delete %s;", strrchr(call->request.path, '/') + 1);
  CLEANUP(cleanup_free)
  char *body =
      mem_format("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":\"uid-%d\"}}",
                 plugin->pod_number);
  assert_string_equal(call->request.body, body);
  plugin->pod_number++;
  plugin_restart(plugin, PLUGIN_RESTARTS_MS);
  fake_answer(call, 200, "{}");
}

static inline bool plugin_turn(World *world) {
  KubeCall *call;
  if ((call = find_call_of(world, "GET", "/api/v1/pods?", false)))
    answer_plugin_list(world->plugin, call);
  else if ((call = find_call_of(world, "DELETE", "/api/v1/namespaces/kube-system/pods/", false)))
    answer_plugin_deletion(world->plugin, call);
  else
    return false;
  return true;
}

/* The plugin has read the GPUs already. */
static inline int nvidia_init(void **state) {
  int r = world_init(state);
  World *world = *state;
  Plugin *plugin = mem_alloc(sizeof *plugin);
  *plugin = (Plugin){.seam = {.hang_up = plugin_hang_up}, .world = world};
  plugin->timer = (HostTimer){.fire = plugin_read, .userdata = plugin};
  world->options.nvidia_publishes = true;
  world->plugin = plugin;
  world->plugin_process = &plugin->seam;
  world->plugin_turn = plugin_turn;
  return r;
}

static inline int nvidia_deinit(void **state) {
  World *world = *state;
  Plugin *plugin = world->plugin;
  timer_cancel(&world->host, &plugin->timer);
  free(plugin);
  return world_deinit(state);
}

#define NVIDIA_TEST(name) cmocka_unit_test_setup_teardown(name, nvidia_init, nvidia_deinit)
