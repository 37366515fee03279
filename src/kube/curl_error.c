/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/curl_error.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/x509.h>
#include <string.h>

static const char *detail_of(const KubeCurlFailure *failure) {
  return *failure->detail ? failure->detail : curl_easy_strerror(failure->code);
}

/* "Connection refused" in the middle of a sentence. */
static const char *reason_of(int errno_value, const char *otherwise, char *buffer, size_t size) {
  snprintf(buffer, size, "%s", errno_value ? strerror(errno_value) : otherwise);
  buffer[0] = (char)tolower((unsigned char)buffer[0]);
  return buffer;
}

static int set_unreachable(const KubeCurlFailure *failure, Error *err) {
  char reason[CURL_ERROR_SIZE];
  reason_of(failure->errno_value, detail_of(failure), reason, sizeof reason);
  return error_set(err, ERROR_UNAVAILABLE,
                   "cannot reach the API server %s: %s; is it running and is the address right?",
                   failure->server, reason);
}

static int set_timeout(const KubeCurlFailure *failure, Error *err) {
  int path_size = (int)strcspn(failure->path, "?");
  if (!failure->connected)
    return error_set(err, ERROR_TIMEOUT,
                     "cannot reach the API server %s: no connection within %g s; is it running and is the "
                     "address right?",
                     failure->server, KUBE_CURL_CONNECT_TIMEOUT_MS / 1000.0);
  return error_set(err, ERROR_TIMEOUT, "the API server %s did not answer %s %.*s within %g s",
                   failure->server, failure->method, path_size, failure->path, failure->timeout_ms / 1000.0);
}

/* Either the chain is not trusted, which OpenSSL's result tells, or the name does not fit: that is checked
 * before libcurl fetches OpenSSL's result, and only its text tells. */
static int set_untrusted(const KubeCurlFailure *failure, Error *err) {
  if (failure->verify_result <= X509_V_ERR_UNSPECIFIED)
    return error_set(err, ERROR_DENIED,
                     "the certificate of the API server %s is for another name: %s; correct the server's "
                     "address or set tls-server-name (%s)",
                     failure->server, detail_of(failure), failure->source);
  return error_set(err, ERROR_DENIED,
                   "the certificate of the API server %s is not trusted: %s; is the certificate-authority of "
                   "%s that of this cluster?",
                   failure->server, X509_verify_cert_error_string(failure->verify_result), failure->source);
}

static int set_broken(const KubeCurlFailure *failure, Error *err) {
  int path_size = (int)strcspn(failure->path, "?");
  return error_set(err, ERROR_UNAVAILABLE, "the connection to the API server %s broke during %s %.*s: %s",
                   failure->server, failure->method, path_size, failure->path, detail_of(failure));
}

int kube_curl_error_set(const KubeCurlFailure *failure, Error *err) {
  assert(failure->code != CURLE_OK);
  switch (failure->code) {
  case CURLE_COULDNT_CONNECT:
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY:
    return set_unreachable(failure, err);
  case CURLE_OPERATION_TIMEDOUT:
    return set_timeout(failure, err);
  case CURLE_PEER_FAILED_VERIFICATION:
    return set_untrusted(failure, err);
  case CURLE_SSL_CONNECT_ERROR:
    return error_set(err, ERROR_UNAVAILABLE, "no TLS with the API server %s: %s; does it speak https?",
                     failure->server, detail_of(failure));
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
    return error_set(err, ERROR_DENIED, "the certificates of %s cannot be used: %s", failure->source,
                     detail_of(failure));
  default:
    return set_broken(failure, err);
  }
}
