/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/credentials.h"

#include "base/memory.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* One PEM text of a config: given in place or as a file. */
typedef struct Pem {
  const char *what; /* "the client certificate" */
  const char *data, *file;
  const char *source;
} Pem;

static const char *pem_place(const Pem *pem) {
  return pem->data ? "in the kubeconfig" : pem->file;
}

static void cleanup_bio(BIO **bio) {
  BIO_free(*bio);
}

static void cleanup_x509(X509 **certificate) {
  X509_free(*certificate);
}

static void cleanup_key(EVP_PKEY **key) {
  EVP_PKEY_free(*key);
}

/* Without this OpenSSL would ask for a passphrase on the terminal. */
static int refuse_passphrase(char *buffer, int size, int writing, void *userdata) {
  return 0;
}

static int open_pem(const Pem *pem, BIO **ret_bio, Error *err) {
  errno = 0;
  BIO *bio = pem->data ? BIO_new_mem_buf(pem->data, -1) : BIO_new_file(pem->file, "re");
  ERR_clear_error();
  if (!bio)
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s %s (%s)", pem->what, pem->file, pem->source);
  *ret_bio = bio;
  return 0;
}

static int read_certificate(const Pem *pem, X509 **ret_certificate, Error *err) {
  CLEANUP(cleanup_bio) BIO *bio = NULL;
  int r = open_pem(pem, &bio, err);
  if (r < 0)
    return r;
  X509 *certificate = PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL);
  ERR_clear_error();
  if (!certificate)
    return error_set(err, ERROR_INVALID, "%s %s (%s) is not a certificate in PEM form", pem->what,
                     pem_place(pem), pem->source);
  *ret_certificate = certificate;
  return 0;
}

static int read_key(const Pem *pem, EVP_PKEY **ret_key, Error *err) {
  CLEANUP(cleanup_bio) BIO *bio = NULL;
  int r = open_pem(pem, &bio, err);
  if (r < 0)
    return r;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);
  ERR_clear_error();
  if (!key)
    return error_set(err, ERROR_INVALID, "%s %s (%s) is not a private key in PEM form without a passphrase",
                     pem->what, pem_place(pem), pem->source);
  *ret_key = key;
  return 0;
}

static bool read_time(const ASN1_TIME *asn1, time_t *ret_time, char *ret_text, size_t size) {
  struct tm utc = {0};
  if (!ASN1_TIME_to_tm(asn1, &utc))
    return false;
  strftime(ret_text, size, "%Y-%m-%d %H:%M:%S UTC", &utc);
  *ret_time = timegm(&utc);
  return true;
}

static int check_dates(const Pem *pem, const X509 *certificate, time_t now, Error *err) {
  time_t first = 0, last = 0;
  char first_text[40] = "", last_text[40] = "";
  if (!read_time(X509_get0_notBefore(certificate), &first, first_text, sizeof first_text) ||
      !read_time(X509_get0_notAfter(certificate), &last, last_text, sizeof last_text))
    return error_set(err, ERROR_INVALID, "%s %s (%s) has dates that cannot be read", pem->what,
                     pem_place(pem), pem->source);
  if (now > last)
    return error_set(err, ERROR_DENIED, "%s %s (%s) expired on %s; renew it", pem->what, pem_place(pem),
                     pem->source, last_text);
  if (now < first)
    return error_set(err, ERROR_DENIED, "%s %s (%s) is not valid before %s; is this machine's clock right?",
                     pem->what, pem_place(pem), pem->source, first_text);
  return 0;
}

static int check_client(const KubeConfig *config, time_t now, Error *err) {
  const Pem certificate_pem = {"the client certificate", config->client_certificate_data,
                               config->client_certificate_file, config->source};
  const Pem key_pem = {"the client key", config->client_key_data, config->client_key_file, config->source};
  if (!certificate_pem.data && !certificate_pem.file)
    return 0;
  CLEANUP(cleanup_x509) X509 *certificate = NULL;
  CLEANUP(cleanup_key) EVP_PKEY *key = NULL;
  int r = read_certificate(&certificate_pem, &certificate, err);
  if (r < 0)
    return r;
  r = check_dates(&certificate_pem, certificate, now, err);
  if (r < 0)
    return r;
  r = read_key(&key_pem, &key, err);
  if (r < 0)
    return r;
  bool belongs = X509_check_private_key(certificate, key) == 1;
  ERR_clear_error();
  if (!belongs)
    return error_set(err, ERROR_INVALID,
                     "the client key %s does not belong to the client certificate %s (%s)",
                     pem_place(&key_pem), pem_place(&certificate_pem), config->source);
  return 0;
}

int kube_credentials_check(const KubeConfig *config, time_t now, Error *err) {
  assert(config->source);
  const Pem ca = {"the certificate authority", config->ca_data, config->ca_file, config->source};
  if (ca.data || ca.file) {
    CLEANUP(cleanup_x509) X509 *certificate = NULL;
    int r = read_certificate(&ca, &certificate, err);
    if (r < 0)
      return r;
  }
  return check_client(config, now, err);
}

/* `what` is "the token" or the like. */
static int read_file(const char *what, const char *path, const char *source, size_t size_max, Text *ret_text,
                     Error *err) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  if (!file)
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s %s (%s)", what, path, source);
  char piece[4096];
  for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;) {
    text_append_bytes(ret_text, piece, size);
    if (ret_text->size > size_max)
      return error_set(err, ERROR_LIMIT, "%s %s (%s) is larger than %zu KiB", what, path, source,
                       size_max >> 10);
  }
  if (ferror(file))
    return error_set_errno(err, ERROR_IO, errno, "cannot read %s %s (%s)", what, path, source);
  return 0;
}

static bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* It becomes one line of a request's head, where a line break would begin another header. */
static bool is_printable(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] <= ' ' || text[i] > '~')
      return false;
  return size > 0;
}

int kube_credentials_read_token(const KubeConfig *config, char **ret_token, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  if (!config->token && !config->token_file) {
    *ret_token = NULL;
    return 0;
  }
  const char *place = config->token_file ? config->token_file : "in the kubeconfig";
  if (config->token_file) {
    int r = read_file("the token", config->token_file, config->source, KUBE_TOKEN_SIZE_MAX, &text, err);
    if (r < 0)
      return r;
  } else {
    text_append(&text, config->token);
  }
  const char *start = text_string(&text), *end = start + text.size;
  while (start < end && is_space(*start))
    start++;
  while (end > start && is_space(end[-1]))
    end--;
  if (!is_printable(start, (size_t)(end - start)))
    return error_set(err, ERROR_INVALID, "the token %s (%s) is empty or not one line of printable characters",
                     place, config->source);
  *ret_token = mem_strndup(start, (size_t)(end - start));
  return 0;
}

/* Data wins over a file, as everywhere. */
static int load_pem(const char *what, const char *file, const char *source, char **data, Error *err) {
  if (*data || !file)
    return 0;
  CLEANUP(text_deinit) Text text = {0};
  int r = read_file(what, file, source, KUBE_PEM_SIZE_MAX, &text, err);
  if (r == 0)
    *data = text_take(&text);
  return r;
}

int kube_credentials_load(const KubeConfig *config, time_t now, KubeConfig *ret_loaded, Error *err) {
  CLEANUP(kube_config_deinit) KubeConfig loaded = {0};
  int r = kube_credentials_check(config, now, err); /* its words name the files */
  if (r < 0)
    return r;
  kube_config_copy(config, &loaded);
  if ((r = load_pem("the certificate authority", config->ca_file, config->source, &loaded.ca_data, err)) <
          0 ||
      (r = load_pem("the client certificate", config->client_certificate_file, config->source,
                    &loaded.client_certificate_data, err)) < 0 ||
      (r = load_pem("the client key", config->client_key_file, config->source, &loaded.client_key_data,
                    err)) < 0 ||
      (r = kube_credentials_check(&loaded, now, err)) < 0)
    return r;
  *ret_loaded = loaded;
  loaded = (KubeConfig){0};
  return 0;
}
