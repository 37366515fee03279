/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet seam over libuv: pipes, inotify, stat. */
#pragma once

#include "kubelet/port.h"

#include <uv.h>

enum { KUBELET_WRITE_QUEUE_SIZE_MAX = 32 << 20 }; /* unsent bytes of one stream: more ends it */

typedef struct KubeletUvPort KubeletUvPort;
/* Makes the process ignore SIGPIPE. */
KubeletUvPort *kubelet_uv_port_new(uv_loop_t *loop);
/* Closes every stream and listener without callbacks; the handles finish with the loop's next turns. */
void kubelet_uv_port_free(KubeletUvPort *port);
DEFINE_CLEANUP(KubeletUvPort, kubelet_uv_port_free)
KubeletPort *kubelet_uv_port_seam(KubeletUvPort *port);
