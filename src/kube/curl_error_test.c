/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/curl_error.h"

#include "base/test.h"

#include <openssl/x509.h>

typedef struct Failure {
  KubeCurlFailure failure;
  ErrorCode code;
  const char *expected;
} Failure;

#define BASE                                                                                                 \
  .server = "https://h:6443", .source = "context \"c\" of F", .method = "GET", .path = "/api/v1/pods?watch=1"

static const Failure failures[] = {
    {{BASE, .code = CURLE_COULDNT_CONNECT, .detail = "x", .errno_value = 113},
     ERROR_UNAVAILABLE,
     "cannot reach the API server https://h:6443: no route to host; is it running and is the address right?"},
    {{BASE, .code = CURLE_COULDNT_RESOLVE_HOST, .detail = "Could not resolve host: h"},
     ERROR_UNAVAILABLE,
     "cannot reach the API server https://h:6443: could not resolve host: h; is it running and is the "
     "address right?"},
    {{BASE, .code = CURLE_OPERATION_TIMEDOUT, .detail = "x"},
     ERROR_TIMEOUT,
     "cannot reach the API server https://h:6443: no connection within 10 s; is it running and is the "
     "address right?"},
    {{BASE, .code = CURLE_OPERATION_TIMEDOUT, .detail = "x", .connected = true, .timeout_ms = 10000},
     ERROR_TIMEOUT,
     "the API server https://h:6443 did not answer GET /api/v1/pods within 10 s"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION, .detail = "x",
      .verify_result = X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is not trusted: self-signed certificate in "
     "certificate "
     "chain; is the certificate-authority of context \"c\" of F that of this cluster?"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION,
      .detail = "SSL: no alternative certificate subject name "
                "matches target host name 'h'"},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is for another name: SSL: no alternative certificate "
     "subject name matches target host name 'h'; correct the server's address or set tls-server-name "
     "(context "
     "\"c\" of F)"},
    {{BASE, .code = CURLE_PEER_FAILED_VERIFICATION, .detail = "no match",
      .verify_result = X509_V_ERR_UNSPECIFIED},
     ERROR_DENIED,
     "the certificate of the API server https://h:6443 is for another name: no match; correct the server's "
     "address or set tls-server-name (context \"c\" of F)"},
    {{BASE, .code = CURLE_SSL_CONNECT_ERROR, .detail = "wrong version number"},
     ERROR_UNAVAILABLE,
     "no TLS with the API server https://h:6443: wrong version number; does it speak https?"},
    {{BASE, .code = CURLE_SSL_CERTPROBLEM, .detail = "bad key"},
     ERROR_DENIED,
     "the certificates of context \"c\" of F cannot be used: bad key"},
    {{BASE, .code = CURLE_GOT_NOTHING, .detail = ""},
     ERROR_UNAVAILABLE,
     "the connection to the API server https://h:6443 broke during GET /api/v1/pods: Server returned nothing "
     "(no "
     "headers, no data)"},
};

static void each_failure_is_a_sentence(void **state) {
  for (size_t i = 0; i < COUNT_OF(failures); i++) {
    Error err = {0};
    assert_int_equal(kube_curl_error_set(&failures[i].failure, &err), -(int)failures[i].code);
    assert_string_equal(err.text, failures[i].expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_failure_is_a_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
