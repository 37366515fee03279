/* SPDX-License-Identifier: Apache-2.0 */
/* A small API server in memory, behind the transport seam: nodes, pods, Events, namespaces,
 * PriorityClasses and Leases with lists, watches, patches and bindings, as far as facet, its scheduler and
 * its kubelets use them.
 *
 *     start() --latency--> carried out --latency--> answered        watches: change --latency--> event
 *
 * Nothing ever happens inside start(). All clients of one server see the same objects, each with delays of
 * its own. Answers are JSON. */
#pragma once

#include "base/host.h"
#include "kube/transport.h"
#include "sim/apiserver/store.h"

typedef struct SimApi SimApi;

typedef struct SimApiOptions {
  uint32_t latency_ms; /* one way */
  uint32_t jitter_ms;  /* up to so much more, at random */
} SimApiOptions;

SimApi *sim_api_new(const SimApiOptions *options, Host *host);
void sim_api_free(SimApi *api); /* all clients are gone before */
DEFINE_CLEANUP(SimApi, sim_api_free)
KubeTransport *sim_api_seam(SimApi *api);

/* For those who stand beside the server: at once, without a request. */
const SimApiStore *sim_api_store(const SimApi *api);
/* POST of an object to a collection's path, e.g. "/api/v1/nodes". */
int sim_api_create(SimApi *api, const char *path, const json_t *object, Error *err) MUST_CHECK;
void sim_api_delete_pod(SimApi *api, const char *namespace_, const char *name); /* as kubectl does */
void sim_api_remove_pod(SimApi *api, const char *namespace_, const char *name); /* with --force */
/* Hears of every change, in order, before any client does. At most one listener; must not call the server. */
void sim_api_listen(SimApi *api, void (*on_change)(void *userdata, const SimApiChange *change),
                    void *userdata);

/* Faults. */
void sim_api_fail_next(SimApi *api, uint32_t count, int status); /* refuses so many requests, undone */
void sim_api_lose_next(SimApi *api, uint32_t count);             /* does them, but the answers never arrive */
void sim_api_cut_watches(SimApi *api);                           /* the connections break */
void sim_api_compact(SimApi *api);                               /* older versions get 410 Gone */
