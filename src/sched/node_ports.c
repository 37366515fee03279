/* SPDX-License-Identifier: Apache-2.0 */
/* Two ports collide where protocol and number are equal and the addresses are, or one of them stands for all
 * (0.0.0.0). Only containers that run with the pod hold their ports: init containers do not, sidecars do. */
#include "sched/coupling.h"

#include "base/text.h"

#include <string.h>

enum { PORTS_MAX = 1024 }; /* of one pod */

/* Its host ports; returns how many. */
static int list_ports(const Pod *pod, const ContainerPort **ret_ports, int max) {
  const PodCommon *common = pod_common(pod);
  int count = 0;
  for (size_t c = 0; c < common->init_containers.count + common->containers.count; c++) {
    bool is_init = c < common->init_containers.count;
    const Container *container = is_init ? &common->init_containers.items[c]
                                         : &common->containers.items[c - common->init_containers.count];
    if (is_init && !string_equal(container->restart_policy, "Always"))
      continue;
    for (size_t p = 0; p < container->ports.count && count < max; p++)
      if (container->ports.items[p].host_port > 0) {
        if (ret_ports)
          ret_ports[count] = &container->ports.items[p];
        count++;
      }
  }
  return count;
}

int sched_ports_count(const Pod *pod) {
  return list_ports(pod, NULL, PORTS_MAX);
}

void sched_ports_add(SchedCoupling *coupling, const Pod *pod, int node) {
  const ContainerPort *ports[PORTS_MAX];
  int count = list_ports(pod, ports, PORTS_MAX);
  for (int i = 0; i < count; i++)
    *array_push(&coupling->ports[node]) = ports[i];
}

static bool is_any(const char *address) {
  return strcmp(address, "0.0.0.0") == 0;
}

static const char *address_of(const ContainerPort *port) {
  return port->host_ip && *port->host_ip ? port->host_ip : "0.0.0.0";
}

static const char *protocol_of(const ContainerPort *port) {
  return port->protocol && *port->protocol ? port->protocol : "TCP";
}

static bool collide(const ContainerPort *a, const ContainerPort *b) {
  return a->host_port == b->host_port && strcmp(protocol_of(a), protocol_of(b)) == 0 &&
         (is_any(address_of(a)) || is_any(address_of(b)) || strcmp(address_of(a), address_of(b)) == 0);
}

bool sched_node_ports(const SchedCoupling *coupling, int pod, int node, char *ret_reason, size_t size) {
  if (!coupling->ports)
    return true;
  const ContainerPort *ports[PORTS_MAX];
  int count = list_ports(coupling->snapshot->pods.items[pod].object, ports, PORTS_MAX);
  for (int i = 0; i < count; i++)
    for (size_t t = 0; t < coupling->ports[node].count; t++)
      if (collide(ports[i], coupling->ports[node].items[t])) {
        snprintf(ret_reason, size, "node(s) didn't have free ports for the requested pod ports");
        return false;
      }
  return true;
}
