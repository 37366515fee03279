/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at certificates and tokens before anything is connected, because an operator understands "expired on
 * 2026-01-02" better than a TLS alert. Private to kube/. */
#pragma once

#include "kube/config.h"

#include <time.h>

enum { KUBE_TOKEN_SIZE_MAX = 64 << 10, KUBE_PEM_SIZE_MAX = 1 << 20 };

/* The certificate authority, the client certificate with its key and dates, user names. Not the token. */
int kube_credentials_check(const KubeConfig *config, time_t now, Error *err) MUST_CHECK;
/* The bearer token of the token file or of the config itself; NULL where there is neither. */
int kube_credentials_read_token(const KubeConfig *config, char **ret_token, Error *err) MUST_CHECK;
/* A copy of the config whose certificates and key are read from their files, checked as above. A file that is
 * just being replaced fails: a key that does not belong to its certificate. */
int kube_credentials_load(const KubeConfig *config, time_t now, KubeConfig *ret_loaded,
                          Error *err) MUST_CHECK;
