/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: keys and certificates in PEM form, each text the caller's to free. */
#pragma once

#include "base/memory.h"
#include "base/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static inline char *take_pem(BIO *bio) {
  char *bytes = NULL;
  long size = BIO_get_mem_data(bio, &bytes);
  char *text = mem_strndup(bytes, (size_t)size);
  BIO_free(bio);
  return text;
}

static inline char *key_pem(EVP_PKEY *key, const char *passphrase) {
  BIO *bio = BIO_new(BIO_s_mem());
  const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
  assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase,
                                                 passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                   1);
  return take_pem(bio);
}

static inline char *certificate_pem(EVP_PKEY *key, time_t first, time_t last) {
  X509 *certificate = X509_new();
  ASN1_TIME_set(X509_getm_notBefore(certificate), first);
  ASN1_TIME_set(X509_getm_notAfter(certificate), last);
  X509_set_pubkey(certificate, key);
  assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  X509_free(certificate);
  return take_pem(bio);
}
