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

/* One client's own way to the server, which can be cut while all others go on. Embedded by its owner. */
typedef struct SimApiLine {
  KubeTransport seam; /* first: the seam's pointer is the line's */
  SimApi *api;
  uint64_t cut_until_ms;
  uint64_t requests, watches; /* ever started by it; the latter are among the former */
} SimApiLine;

void sim_api_line_init(SimApi *api, SimApiLine *ret_line);
/* Its connections break, and none can be made for so long. */
void sim_api_line_cut(SimApiLine *line, uint64_t duration_ms);

/* For those who stand beside the server: at once, without a request. */
const SimApiStore *sim_api_store(const SimApi *api);
/* POST of an object to a collection's path, e.g. "/api/v1/nodes". */
int sim_api_create(SimApi *api, const char *path, const json_t *object, Error *err) MUST_CHECK;
void sim_api_delete_pod(SimApi *api, const char *namespace_, const char *name); /* as kubectl does */
void sim_api_remove_pod(SimApi *api, const char *namespace_, const char *name); /* with --force */
/* Hears of every change, in order, before any client does. At most one listener; must not call the server. */
void sim_api_listen(SimApi *api, void (*on_change)(void *userdata, const SimApiChange *change),
                    void *userdata);

/* As kubectl patch --type=merge does, and kubectl delete of a node; what is not there is left alone. */
void sim_api_patch(SimApi *api, const char *path, const json_t *patch);
void sim_api_delete(SimApi *api, const char *path);
size_t sim_api_count_calls(const SimApi *api); /* open ones, watches among them */

/* Faults. */
typedef struct SimApiFailure {
  uint32_t count; /* so many requests are refused, undone */
  int status;
  int retry_after_s; /* the header; -1: none */
  bool only_patches; /* all others go on */
} SimApiFailure;
void sim_api_fail(SimApi *api, const SimApiFailure *failure);
void sim_api_fail_next(SimApi *api, uint32_t count, int status); /* refuses so many requests, undone */
void sim_api_lose_next(SimApi *api, uint32_t count);             /* does them, but the answers never arrive */
void sim_api_hang_next(SimApi *api,
                       uint32_t count); /* does them, and says nothing until the client gives up */
void sim_api_cut_watches(SimApi *api);  /* the connections break */
/* Watches of the kind, or the one of that number among all (modulo), are behind for so long: their order
 * holds. */
void sim_api_stall_watches(SimApi *api, SimApiKind kind, uint64_t duration_ms);
void sim_api_stall_watch(SimApi *api, size_t which, uint64_t duration_ms);
void sim_api_silence_watch(SimApi *api, size_t which);     /* the connection is dead, and nobody says so */
void sim_api_repeat_events(SimApi *api, uint32_t percent); /* so many come twice in a row */
void sim_api_compact(SimApi *api);                         /* older versions get 410 Gone */
/* ... as an HTTP status (true) or, as long as nobody says otherwise, as an event in the stream. */
void sim_api_set_gone_by_status(SimApi *api, bool by_status);
/* All connections break and none can be made for so long; then the last lost_ms never happened. */
void sim_api_restart(SimApi *api, uint64_t down_ms, uint64_t lost_ms);
