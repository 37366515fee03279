/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl says of a failed call, as a sentence for an operator. Private to kube/. */
#pragma once

#include "base/error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct KubeCurlFailure {
  CURLcode code;
  const char *detail; /* libcurl's error buffer, "" where empty */
  int errno_value;    /* of the failed system call, 0 where there was none */
  long verify_result; /* OpenSSL's X509_V_... */
  bool connected;     /* the connection stood when it failed */
  const char *server; /* "https://10.0.0.1:6443" */
  const char *source; /* of the config */
  const char *method;
  const char *path; /* with its query, which the sentence leaves out */
  uint32_t timeout_ms;
} KubeCurlFailure;

enum { KUBE_CURL_CONNECT_TIMEOUT_MS = 10000 };

int kube_curl_error_set(const KubeCurlFailure *failure, Error *err);
