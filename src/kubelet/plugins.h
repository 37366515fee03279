/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's device plugins of this node, one per resource name: sockets, registration, ListAndWatch, and
 * the questions that the kubelet asks. Registers again after every kubelet restart (its socket is a new file)
 * and whenever the kubelet drops ListAndWatch. Sends a list only when it changed.
 *
 *     resource "nvidia.com/mig-1g.10gb" -> <folder>/facet-mig-1g.10gb.sock */
#pragma once

#include "kubelet/grpc.h"
#include "kubelet/port.h"
#include "kubelet/wire.h"

enum { KUBELET_PATIENCE_MS = 50 };
enum { KUBELET_RESOURCES_MAX = 64, KUBELET_CONNECTIONS_MAX = 8 /* of one plugin socket */ };

typedef struct KubeletPlugins KubeletPlugins;

typedef struct KubeletPluginsOptions {
  const char *folder; /* "/var/lib/kubelet/device-plugins" */
  /* Allocate of one container: fill `envs` (strings in the arena), or refuse with an error; must be quick. */
  int (*on_allocate)(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                     KubeletAllocation *ret_allocation, Error *err);
  /* GetPreferredAllocation: choose request->size ids; the default is the first ones available. May be NULL.
   */
  void (*on_preferred)(void *userdata, const char *resource, const KubeletPreferred *request, Arena *arena,
                       Strings *ret_ids);
  /* How long shall the answer to GetPreferredAllocation wait, because something is about to be known? At most
   * KUBELET_PATIENCE_MS, for the kubelet admits no other pod meanwhile. May be NULL. */
  uint32_t (*preferred_delay_ms)(void *userdata, const char *resource, const KubeletPreferred *request);
  void (*on_registered)(void *userdata, const char *resource);
  /* It tries again by itself. Resource NULL: the folder cannot be watched. The same trouble is told once.
   * err NULL: the socket that could not be made is there now. */
  void (*on_trouble)(void *userdata, const char *resource, const Error *err);
  /* NVIDIA's plugin has registered the resource after us, and we yielded. May be NULL. */
  void (*on_rival)(void *userdata, const char *resource);
  void *userdata;
} KubeletPluginsOptions;

KubeletPlugins *kubelet_plugins_new(Host *host, KubeletPort *port, const KubeletPluginsOptions *options);
/* Removes the sockets. Not from inside one of its own callbacks. */
void kubelet_plugins_free(KubeletPlugins *plugins);
DEFINE_CLEANUP(KubeletPlugins, kubelet_plugins_free)
/* The partitions of a resource; adds the resource where it is new (an empty list is announced too). */
int kubelet_plugins_set(KubeletPlugins *plugins, const char *resource, const KubeletPartitions *partitions,
                        Error *err) MUST_CHECK;
/* Is the kubelet connected to this resource's ListAndWatch and was the latest list sent? */
bool kubelet_plugins_is_current(const KubeletPlugins *plugins, const char *resource);
/* Another plugin has registered this resource after us: it gets no list and no registration any more until
 * the kubelet restarts, the socket of NVIDIA's plugin goes, or it is claimed. Connections stay as they are.
 */
void kubelet_plugins_yield(KubeletPlugins *plugins, const char *resource);
bool kubelet_plugins_has_yielded(const KubeletPlugins *plugins, const char *resource);
/* Registers the resource anew, with the latest list. */
void kubelet_plugins_claim(KubeletPlugins *plugins, const char *resource);
/* Did an earlier life of this program leave the resource's socket behind? (One that ended in order removes
 * it.) Only tells while the resource was not set in this life. */
bool kubelet_plugins_was_published(const KubeletPlugins *plugins, const char *resource);
