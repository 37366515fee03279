/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet seam over libuv: pipes, inotify, stat. */
#pragma once

#include "kubelet/port.h"

#include <uv.h>

typedef struct KubeletUvPort KubeletUvPort;
KubeletUvPort *kubelet_uv_port_new(uv_loop_t *loop);
/* Closes every stream and listener without callbacks; the handles finish with the loop's next turns. */
void kubelet_uv_port_free(KubeletUvPort *port);
DEFINE_CLEANUP(KubeletUvPort, kubelet_uv_port_free)
KubeletPort *kubelet_uv_port_seam(KubeletUvPort *port);
