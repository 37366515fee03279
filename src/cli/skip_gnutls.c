/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl may bring GnuTLS along, for RTMP and LDAP, beside the OpenSSL that it uses for https. Facet speaks
 * neither, and GnuTLS would prepare itself at every start all the same: 0.9 MB and some milliseconds. This is
 * its documented way to be told not to (GNUTLS_SKIP_GLOBAL_INIT in gnutls.h); where there is no GnuTLS,
 * nobody asks. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the name is GnuTLS' */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int _gnutls_global_init_skip(void) {
  return 1;
}
