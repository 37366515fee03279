/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet seam: byte streams over Unix sockets. Implementations: libuv (kubelet/uv_port.h), in-memory
 * pairs for the demo and the simulator (sim/kubelet).
 *
 * All callbacks come from the event loop, never from inside a call. After on_closed, or after close(), the
 * stream is gone and no callback comes. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct KubeletPort KubeletPort;
typedef struct KubeletStream KubeletStream;     /* one connection */
typedef struct KubeletListener KubeletListener; /* one listening socket */

typedef struct KubeletStreamEvents {
  void (*on_connected)(void *userdata); /* dialled streams only */
  void (*on_bytes)(void *userdata, const void *bytes, size_t size);
  /* By the peer (err may be NULL), or connecting or writing failed. */
  void (*on_closed)(void *userdata, const Error *err);
} KubeletStreamEvents;

struct KubeletPort {
  /* Errors of connecting come by on_closed. */
  KubeletStream *(*dial)(KubeletPort *port, const char *path, const KubeletStreamEvents *events,
                         void *userdata);
  /* Replaces whatever is at the path. on_accept must set the stream's events with `attach` before it returns.
   */
  int (*listen)(KubeletPort *port, const char *path, void (*on_accept)(void *userdata, KubeletStream *stream),
                void *userdata, KubeletListener **ret_listener, Error *err);
  void (*attach)(KubeletPort *port, KubeletStream *stream, const KubeletStreamEvents *events, void *userdata);
  void (*write)(KubeletPort *port, KubeletStream *stream, const void *bytes, size_t size); /* copied */
  void (*close)(KubeletPort *port, KubeletStream *stream);
  void (*unlisten)(KubeletPort *port,
                   KubeletListener *listener); /* removes the socket file if it is still ours */
  /* Watches a folder: on_change whenever an entry appears, goes, or is replaced. At most one watch per port.
   */
  int (*watch)(KubeletPort *port, const char *folder, void (*on_change)(void *userdata, const char *name),
               void *userdata, Error *err);
  /* Ends the watch, if there is one. NULL where the implementation has nothing to end. */
  void (*unwatch)(KubeletPort *port);
  /* A number that changes whenever the file at the path is another one (device, inode, ctime); 0: none there.
   * The kubelet re-creates its socket with the same inode number, so the inode alone does not tell. */
  uint64_t (*identity)(KubeletPort *port, const char *path);
};
