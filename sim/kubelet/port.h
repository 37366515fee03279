/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet seam in memory: one port is one node's file system with its sockets. Agent and simulated
 * kubelet share it. Everything arrives a little later, by the host's timers, never inside a call. */
#pragma once

#include "base/host.h"
#include "kubelet/port.h"

typedef struct SimPort SimPort;

SimPort *sim_port_new(Host *host, uint32_t jitter_ms /* up to so long takes each delivery */);
void sim_port_free(SimPort *port); /* all streams are closed before */
DEFINE_CLEANUP(SimPort, sim_port_free)
KubeletPort *sim_port_seam(SimPort *port);

void sim_port_set_jitter(SimPort *port, uint32_t jitter_ms);
/* Removes all files whose path begins with the folder, as a starting kubelet does with old sockets. */
void sim_port_clear(SimPort *port, const char *folder);
/* While set, a listener that goes leaves its socket file behind, as that of a killed process does. */
void sim_port_set_killing(SimPort *port, bool is_killing);
