/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kubelet/kubelet.h"

#include "sim/kubelet/state.h"

#include <assert.h>

#define REGISTRY SIM_KUBELET_PLUGIN_FOLDER "/kubelet.sock"

/* ---- our sockets ---- */

static void remove_peer(SimPeer *peer) {
  SimKubelet *kubelet = peer->kubelet;
  for (size_t i = 0; i < kubelet->peers.count; i++)
    if (kubelet->peers.items[i] == peer) {
      array_remove(&kubelet->peers, i);
      break;
    }
  free(peer);
}

static void on_peer_lost(void *userdata, const Error *err) {
  remove_peer(userdata);
}

static void on_peer_call(void *userdata, GrpcCall *call, const char *method, const void *message,
                         size_t size) {
  const SimPeer *peer = userdata;
  peer->on_call(peer->kubelet, call, method, message, size);
}

void sim_kubelet_accept(SimKubelet *kubelet, KubeletStream *stream, GrpcOnCall *on_call) {
  SimPeer *peer = mem_alloc(sizeof *peer);
  *peer = (SimPeer){.kubelet = kubelet, .on_call = on_call};
  peer->connection =
      kubelet_connection_accept(kubelet->host, kubelet->seam, stream, on_peer_call, on_peer_lost, peer);
  *array_push(&kubelet->peers) = peer;
}

static void hang_up_peers(SimKubelet *kubelet) {
  while (kubelet->peers.count) {
    SimPeer *peer = kubelet->peers.items[kubelet->peers.count - 1];
    kubelet_connection_close(peer->connection);
    remove_peer(peer);
  }
}

static KubeletListener *listen_at(SimKubelet *kubelet, const char *path,
                                  void (*on_accept)(void *userdata, KubeletStream *stream)) {
  KubeletListener *listener = NULL;
  Error err;
  int result = kubelet->seam->listen(kubelet->seam, path, on_accept, kubelet, &listener, &err);
  assert(result == 0); /* a port in memory has no reason to refuse */
  return listener;
}

/* ---- life ---- */

static void on_node_change(void *userdata, const void *old, const void *new_) {
}

static void on_node_synced(void *userdata) {
}

/* The informers try again by themselves. */
static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
}

SimKubelet *sim_kubelet_new(const SimKubeletOptions *options, Host *host, KubeTransport *transport,
                            SimPort *port, SimDisk *disk) {
  SimKubelet *kubelet = mem_alloc(sizeof *kubelet);
  kubelet->host = host;
  kubelet->port = port;
  kubelet->seam = sim_port_seam(port);
  kubelet->disk = disk;
  kubelet->options = *options;
  kubelet->node_name = mem_strdup(options->node_name);
  kubelet->client = kube_client_new(host, transport);
  CLEANUP(cleanup_free) char *own = mem_format("fieldSelector=metadata.name%%3D%s", options->node_name);
  kubelet->nodes = kube_informer_new(host, transport,
                                     &(KubeInformerOptions){.type = &kube_node_type,
                                                            .selector = own,
                                                            .on_change = on_node_change,
                                                            .on_synced = on_node_synced,
                                                            .on_trouble = on_trouble,
                                                            .userdata = kubelet});
  CLEANUP(cleanup_free) char *bound = mem_format("fieldSelector=spec.nodeName%%3D%s", options->node_name);
  kubelet->pods_watch = kube_informer_new(host, transport,
                                          &(KubeInformerOptions){.type = &kube_pod_type,
                                                                 .selector = bound,
                                                                 .on_change = sim_pods_on_change,
                                                                 .on_synced = sim_pods_on_synced,
                                                                 .on_trouble = on_trouble,
                                                                 .userdata = kubelet});
  kubelet->tell_timer = (HostTimer){.fire = sim_pods_tell, .userdata = kubelet};
  kubelet->tick_timer = (HostTimer){.fire = sim_node_status_tick, .userdata = kubelet};
  kubelet->write_timer = (HostTimer){.fire = sim_node_status_write, .userdata = kubelet};
  return kubelet;
}

void sim_kubelet_start(SimKubelet *kubelet) {
  sim_port_clear(kubelet->port, SIM_KUBELET_PLUGIN_FOLDER);
  sim_disk_forget_unanswered(kubelet->disk);
  for (size_t i = 0; i < kubelet->disk->registered.count; i++)
    sim_endpoint_remember(kubelet, kubelet->disk->registered.entries[i].key);
  kubelet->registry = listen_at(kubelet, REGISTRY, sim_endpoint_on_accept);
  kubelet->pod_resources = listen_at(kubelet, SIM_KUBELET_POD_RESOURCES, sim_pod_resources_on_accept);
  kube_informer_start(kubelet->nodes);
  kube_informer_start(kubelet->pods_watch);
  /* The ticks of different nodes fall on different moments. */
  timer_set(kubelet->host, &kubelet->tick_timer,
            random_below(&kubelet->host->random, (uint64_t)kubelet->options.status_tick_ms + 1));
}

void sim_kubelet_delay_status(SimKubelet *kubelet, uint32_t delay_ms) {
  kubelet->status_delay_ms = delay_ms;
}

void sim_kubelet_free(SimKubelet *kubelet) {
  if (!kubelet)
    return;
  kubelet->is_stopping = true;
  timer_cancel(kubelet->host, &kubelet->tell_timer);
  timer_cancel(kubelet->host, &kubelet->tick_timer);
  timer_cancel(kubelet->host, &kubelet->write_timer);
  kube_informer_free(kubelet->pods_watch);
  kube_informer_free(kubelet->nodes);
  kube_client_free(kubelet->client);
  sim_endpoint_deinit(kubelet);
  hang_up_peers(kubelet);
  sim_port_set_killing(kubelet->port, true);
  if (kubelet->registry) {
    kubelet->seam->unlisten(kubelet->seam, kubelet->registry);
    kubelet->seam->unlisten(kubelet->seam, kubelet->pod_resources);
  }
  sim_port_set_killing(kubelet->port, false);
  sim_pods_deinit(kubelet);
  text_deinit(&kubelet->status);
  text_deinit(&kubelet->admission.answer);
  arena_deinit(&kubelet->admission.arena);
  array_deinit(&kubelet->peers);
  free(kubelet->node_name);
  free(kubelet);
}
