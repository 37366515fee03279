/* SPDX-License-Identifier: Apache-2.0 */
/* A libcurl handle for one request to the API server: address, TLS, identity, headers. Private to kube/. */
#pragma once

#include "kube/config.h"
#include "kube/exec_plugin.h"
#include "kube/transport.h"

#include <curl/curl.h>

enum {
  KUBE_CURL_IDENTITY_MS = 60000,     /* token and certificate files are read again after this */
  KUBE_CURL_EXEC_PAUSE_MS = 5000,    /* an exec plugin is asked at most this often */
  KUBE_CURL_EXEC_EARLY_S = 30,       /* ... and so long before what it gave ends */
  KUBE_CURL_USER_TIMEOUT_MS = 30000, /* sent bytes without an acknowledgement: the connection is dead */
  KUBE_CURL_KEEPALIVE_S = 30,        /* idle time before the first probe */
  KUBE_CURL_PROBE_S = 10,
  KUBE_CURL_PROBES = 3,
  KUBE_CURL_BUFFER_SIZE = 128 << 10,      /* of lists and watches */
  KUBE_CURL_WRITE_BUFFER_SIZE = 16 << 10, /* of anything else: many are in flight at once */
};

/* Where requests go and as whom. */
typedef struct KubeCurlTarget {
  KubeConfig config;
  char *base_url;                /* the server, or its stand-in that carries the tls-server-name */
  char *host_header;             /* "Host: ..." where base_url is a stand-in, else NULL */
  struct curl_slist *connect_to; /* from the stand-in's name to the real address */
  bool is_local;                 /* loopback: never through a proxy of the environment */
  char *token;
  KubeConfig loaded; /* the config with the certificates that its files hold */
  uint64_t read_ms;  /* when token and certificates were */
  bool is_refused;   /* the server answered 401: read them again before the next request */
  uint64_t exec_ms;  /* when the exec plugin was asked again; 0: not yet */
  int64_t expires_s; /* what it gave, Unix seconds; 0: it does not say */
} KubeCurlTarget;

/* Waits for the exec plugin where there is one. */
int kube_curl_target_init(KubeCurlTarget *target, const KubeConfig *config, uint64_t now_ms,
                          Error *err) MUST_CHECK;
void kube_curl_target_deinit(KubeCurlTarget *target);
/* Is the exec plugin to be asked now? If so, it counts as asked. wall_s: Unix seconds. */
bool kube_curl_target_asks_exec(KubeCurlTarget *target, uint64_t now_ms, int64_t wall_s);
/* What it gave is used from the next request on. */
void kube_curl_target_take(KubeCurlTarget *target, const KubeExecCredential *credential, uint64_t now_ms);

/* The handle borrows from the target and from the header list, which the caller releases after it. */
CURL *kube_curl_request_new(KubeCurlTarget *target, const KubeRequest *request, uint64_t now_ms,
                            struct curl_slist **ret_headers);
