/* SPDX-License-Identifier: Apache-2.0 */
/* Options that are not obvious:
 *
 *   tls-server-name  libcurl takes SNI and the name to verify from the URL. So the URL names the
 * certificate's name, CONNECT_TO sends the connection to the real address, and a Host header says the real
 * address, as client-go does. certificates     are handed over as bytes: libcurl compares them, and so a
 * rotated certificate gets a new connection, while what runs on the old one ends there. CAPATH           is
 * cleared where a certificate authority is given: libcurl would trust the system's authorities besides it.
 * User-Agent       must not begin with "curl/": the API server pretty-prints for such clients, which doubles
 * the size of a list. */
#include "kube/curl_request.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/credentials.h"
#include "kube/curl_error.h"
#include "kube/exec_run.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void cleanup_url(CURLU **url) {
  curl_url_cleanup(*url);
}

static void cleanup_curl_text(char **text) {
  curl_free(*text);
}

static bool is_loopback(const char *host) {
  return string_equal(host, "localhost") || string_equal(host, "[::1]") || string_has_prefix(host, "127.");
}

static struct curl_slist *append(struct curl_slist *list, const char *line) {
  struct curl_slist *longer = curl_slist_append(list, line);
  if (!longer)
    mem_fail();
  return longer;
}

static int set_stand_in(KubeCurlTarget *target, CURLU *url, const char *host, const char *port, Error *err) {
  const char *name = target->config.tls_server_name;
  CLEANUP(cleanup_curl_text) char *stand_in = NULL;
  if (curl_url_set(url, CURLUPART_HOST, name, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_URL, &stand_in, 0) != CURLUE_OK)
    return error_set(err, ERROR_INVALID, "the tls-server-name \"%s\" of %s is not a host name", name,
                     target->config.source);
  CLEANUP(cleanup_free) char *route = mem_format("%s:%s:%s:%s", name, port, host, port);
  target->connect_to = append(NULL, route);
  target->host_header = mem_format("Host: %s:%s", host, port);
  free(target->base_url);
  target->base_url = mem_strdup(stand_in);
  for (size_t size = strlen(target->base_url); size && target->base_url[size - 1] == '/'; size--)
    target->base_url[size - 1] = '\0';
  return 0;
}

static int set_address(KubeCurlTarget *target, Error *err) {
  CLEANUP(cleanup_url) CURLU *url = curl_url();
  CLEANUP(cleanup_curl_text) char *host = NULL, *port = NULL;
  if (!url)
    mem_fail();
  if (curl_url_set(url, CURLUPART_URL, target->config.server, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
      curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
    return error_set(err, ERROR_INVALID,
                     "the server \"%s\" of %s is not a valid address; write it as "
                     "https://HOST:PORT",
                     target->config.server, target->config.source);
  target->base_url = mem_strdup(target->config.server);
  target->is_local = is_loopback(host);
  return target->config.tls_server_name ? set_stand_in(target, url, host, port, err) : 0;
}

static int ask_exec(KubeCurlTarget *target, Error *err) {
  CLEANUP(kube_exec_credential_deinit) KubeExecCredential credential = {0};
  int r = kube_exec_run_now(&target->config, &credential, err);
  if (r < 0)
    return r;
  kube_exec_apply(&credential, &target->config);
  target->expires_s = credential.expires_s;
  return 0;
}

int kube_curl_target_init(KubeCurlTarget *target, const KubeConfig *config, uint64_t now_ms, Error *err) {
  assert(config->server && config->source);
  *target = (KubeCurlTarget){.read_ms = now_ms};
  kube_config_copy(config, &target->config);
  int r = set_address(target, err);
  if (r >= 0 && config->exec)
    r = ask_exec(target, err);
  if (r >= 0)
    r = kube_credentials_read_token(&target->config, &target->token, err);
  if (r >= 0)
    r = kube_credentials_load(&target->config, time(NULL), &target->loaded, err);
  if (r < 0)
    kube_curl_target_deinit(target);
  return r;
}

void kube_curl_target_deinit(KubeCurlTarget *target) {
  kube_config_deinit(&target->config);
  kube_config_deinit(&target->loaded);
  free(target->base_url);
  free(target->host_header);
  free(target->token);
  curl_slist_free_all(target->connect_to);
  *target = (KubeCurlTarget){0};
}

/* Files that cannot be read just now, or do not fit together because they are being replaced, leave what was
 * read before in place: the server will tell when it is over. */
static void refresh_identity(KubeCurlTarget *target, uint64_t now_ms) {
  if (!target->is_refused && now_ms - target->read_ms < KUBE_CURL_IDENTITY_MS)
    return;
  target->read_ms = now_ms;
  target->is_refused = false;
  char *token = NULL;
  KubeConfig loaded = {0};
  Error ignored = {0};
  if (kube_credentials_read_token(&target->config, &token, &ignored) == 0) {
    free(target->token);
    target->token = token;
  }
  if (kube_credentials_load(&target->config, time(NULL), &loaded, &ignored) == 0) {
    kube_config_deinit(&target->loaded);
    target->loaded = loaded;
  }
}

bool kube_curl_target_asks_exec(KubeCurlTarget *target, uint64_t now_ms, int64_t wall_s) {
  bool ends = target->expires_s && wall_s >= target->expires_s - KUBE_CURL_EXEC_EARLY_S;
  bool was_just_asked = target->exec_ms && now_ms - target->exec_ms < KUBE_CURL_EXEC_PAUSE_MS;
  if (!target->config.exec || !(ends || target->is_refused) || was_just_asked)
    return false;
  target->exec_ms = now_ms;
  return true;
}

void kube_curl_target_take(KubeCurlTarget *target, const KubeExecCredential *credential, uint64_t now_ms) {
  kube_exec_apply(credential, &target->config);
  target->expires_s = credential->expires_s;
  target->is_refused = true; /* by now, what was there before is */
  refresh_identity(target, now_ms);
}

static int set_socket_options(void *userdata, curl_socket_t fd, curlsocktype purpose) {
  int user_timeout_ms = KUBE_CURL_USER_TIMEOUT_MS, probes = KUBE_CURL_PROBES;
  /* Where the kernel refuses, only the discovery of dead connections is slower. */
  (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  return CURL_SOCKOPT_OK;
}

static void set_connection(CURL *easy, const KubeCurlTarget *target) {
  bool is_tls = string_has_prefix(target->base_url, "https://");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CURL_CONNECT_TIMEOUT_MS);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  /* Without TLS there is no multiplexing to wait for. */
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KUBE_CURL_KEEPALIVE_S);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KUBE_CURL_PROBE_S);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
  curl_easy_setopt(easy, CURLOPT_CONNECT_TO, target->connect_to);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (target->config.proxy_url)
    curl_easy_setopt(easy, CURLOPT_PROXY, target->config.proxy_url);
  else if (target->is_local)
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

/* Copied, for the next rotation comes while this request runs. */
static void set_pem(CURL *easy, CURLoption option, const char *pem) {
  struct curl_blob blob = {.data = (void *)pem, .flags = CURL_BLOB_COPY};
  if (!pem)
    return;
  blob.len = strlen(pem);
  curl_easy_setopt(easy, option, &blob);
}

static void set_identity(CURL *easy, const KubeConfig *config) {
  if (config->ca_data)
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  set_pem(easy, CURLOPT_CAINFO_BLOB, config->ca_data);
  if (config->insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  set_pem(easy, CURLOPT_SSLCERT_BLOB, config->client_certificate_data);
  set_pem(easy, CURLOPT_SSLKEY_BLOB, config->client_key_data);
  if (config->username)
    curl_easy_setopt(easy, CURLOPT_USERNAME, config->username);
  if (config->password)
    curl_easy_setopt(easy, CURLOPT_PASSWORD, config->password);
}

static void set_body(CURL *easy, const KubeRequest *request) {
  bool reads = string_equal(request->method, "GET");
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                   (long)(reads ? KUBE_CURL_BUFFER_SIZE : KUBE_CURL_WRITE_BUFFER_SIZE));
  if (reads)
    return;
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)KUBE_CURL_WRITE_BUFFER_SIZE);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  if (!request->body && string_equal(request->method, "DELETE"))
    return;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
  curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
}

static struct curl_slist *make_headers(const KubeCurlTarget *target, const KubeRequest *request) {
  CLEANUP(cleanup_free)
  char *accept = mem_format("Accept: %s", request->accept ? request->accept : "application/json");
  struct curl_slist *headers = append(NULL, accept);
  headers = append(headers, "Expect:"); /* no round trip to ask whether a body is welcome */
  if (request->content_type) {
    CLEANUP(cleanup_free) char *type = mem_format("Content-Type: %s", request->content_type);
    headers = append(headers, type);
  }
  if (target->token) {
    CLEANUP(cleanup_free) char *bearer = mem_format("Authorization: Bearer %s", target->token);
    headers = append(headers, bearer);
  }
  if (target->host_header)
    headers = append(headers, target->host_header);
  return headers;
}

CURL *kube_curl_request_new(KubeCurlTarget *target, const KubeRequest *request, uint64_t now_ms,
                            struct curl_slist **ret_headers) {
  assert(request->method && request->path && *request->path == '/');
  refresh_identity(target, now_ms);
  CURL *easy = curl_easy_init();
  if (!easy)
    mem_fail();
  CLEANUP(cleanup_free) char *url = mem_format("%s%s", target->base_url, request->path);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "facet/" FACET_VERSION " (linux)");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
  set_connection(easy, target);
  set_identity(easy, &target->loaded);
  set_body(easy, request);
  *ret_headers = make_headers(target, request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *ret_headers);
  return easy;
}
