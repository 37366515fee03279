/* SPDX-License-Identifier: Apache-2.0 */
/* kube/ against a real API server: kubeconfig, TLS, HTTP/2, protobuf lists and watches, patches, refusals,
 * broken connections. Prints TAP; needs the rights of an administrator and cleans up behind itself.
 *
 *     kube_live --kubeconfig FILE
 *
 * All goes through a relay on another port, so that the connection can be counted and cut. */
#include "live.h"

#include "cluster/object.h"
#include "kube/credentials.h"
#include "kube/exec_testing.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum {
  PODS_MANY = 520,       /* more than a page */
  EXEC_CALLS_MAX = 1000, /* while the plugin, a short shell script, runs */
};

#define NAMESPACE "default"
#define ACCOUNT   "default"
#define LABEL     "facet-live"
#define NODE      "facet-live-node"
#define PODS      "/api/v1/namespaces/" NAMESPACE "/pods"
#define JSON      "application/json"

static bool are_both_synced(Live *live, const void *what) {
  return live->pods.synced > 0 && live->nodes.synced > 0;
}

static bool is_node_known(Live *live, const void *what) {
  return kube_informer_find(live->nodes.informer, NODE) != NULL;
}

static bool is_pod_known(Live *live, const void *what) {
  return kube_informer_find(live->pods.informer, what) != NULL;
}

static bool is_pod_unknown(Live *live, const void *what) {
  return !is_pod_known(live, what);
}

static bool is_plan_known(Live *live, const void *plan) {
  const Node *node = kube_informer_find(live->nodes.informer, NODE);
  return node && string_equal(key_values_find(&node->meta.annotations, "facet.gpu/live"), plan);
}

static char *pod_json(const char *name) {
  return mem_format(
      "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":{\"" LABEL
      "\":\"yes\"}},"
      "\"spec\":{\"schedulerName\":\"nobody\",\"automountServiceAccountToken\":false,"
      "\"terminationGracePeriodSeconds\":0,\"containers\":[{\"name\":\"c\",\"image\":\"x\","
      "\"resources\":{\"limits\":{\"nvidia.com/mig-1g.10gb\":\"1\"}}}]}}",
      name);
}

static void create_pod(Live *live, const char *name) {
  CLEANUP(cleanup_free) char *json = pod_json(name);
  call_and_check(live, "POST", PODS, JSON, json);
}

/* A controller manager may have made some of this already. */
static void make_place(Live *live) {
  static const char *const bodies[][2] = {
      {"/api/v1/namespaces/" NAMESPACE "/serviceaccounts", "{\"metadata\":{\"name\":\"" ACCOUNT "\"}}"},
      {"/api/v1/nodes", "{\"metadata\":{\"name\":\"" NODE "\"}}"},
  };
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    CLEANUP(reply_deinit) Reply reply = call(live, "POST", bodies[i][0], JSON, bodies[i][1]);
    check(reply.is_ok || reply.status == 409, "POST %s", bodies[i][0]);
    if (!reply.is_ok && reply.status != 409)
      bail_out(&reply.err);
  }
}

static void remove_place(Live *live) {
  static const char *const paths[] = {PODS "?gracePeriodSeconds=0&labelSelector=" LABEL "%3Dyes",
                                      "/api/v1/nodes/" NODE};
  for (size_t i = 0; i < COUNT_OF(paths); i++) {
    CLEANUP(reply_deinit) Reply reply = call(live, "DELETE", paths[i], NULL, NULL);
    if (!reply.is_ok)
      printf("# left behind: %s\n", reply.err.text);
  }
}

static void lists_and_watches(Live *live) {
  start_informer(live, &live->pods, live->curl, &kube_pod_type);
  start_informer(live, &live->nodes, live->curl, &kube_node_type);
  check(run_until(live, are_both_synced, NULL), "pods and nodes are listed");
  check(is_node_known(live, NULL), "the node is in the cache");
  check(kube_curl_seam(live->curl)->streams_lists, "both lists came as the beginning of their watches");
  create_pod(live, "first");
  check(run_until(live, is_pod_known, NAMESPACE "/first"), "a new pod arrives by the watch");
  const Pod *pod = kube_informer_find(live->pods.informer, NAMESPACE "/first");
  bool is_read =
      pod && pod_common(pod)->containers.count == 1 &&
      pod_common(pod)->containers.items[0].limits.count == 1 &&
      string_equal(pod_common(pod)->containers.items[0].limits.items[0].key, "nvidia.com/mig-1g.10gb") &&
      string_equal(pod_common(pod)->containers.items[0].limits.items[0].value, "1");
  check(is_read, "its limits are read");
  check(pod && string_equal(key_values_find(&pod->meta.labels, LABEL), "yes"), "its labels are read");
  call_and_check(live, "DELETE", PODS "/first", NULL, NULL);
  check(run_until(live, is_pod_unknown, NAMESPACE "/first"), "a deleted pod leaves the cache");
  check(tcp_relay_accepted(live->relay) == 1, "one connection carried all of this");
}

static const char *find_resource(const ResourceTexts *resources, const char *name) {
  for (size_t i = 0; i < resources->count; i++)
    if (string_equal(resources->items[i].key, name))
      return resources->items[i].value;
  return NULL;
}

static void patches(Live *live) {
  call_and_check(live, "PATCH", "/api/v1/nodes/" NODE "/status", KUBE_MERGE_PATCH,
                 "{\"metadata\":{\"annotations\":{\"facet.gpu/live\":\"one\"}},\"status\":{\"capacity\":"
                 "{\"nvidia.com/mig-1g.10gb\":\"5\"},\"allocatable\":{\"nvidia.com/mig-1g.10gb\":\"5\"}}}");
  check(run_until(live, is_plan_known, "one"), "one patch of nodes/status carries annotations");
  const Node *node = kube_informer_find(live->nodes.informer, NODE);
  check(node && string_equal(find_resource(&node->allocatable, "nvidia.com/mig-1g.10gb"), "5"),
        "and resources, together");
  static const char guard[] =
      "[{\"op\":\"test\",\"path\":\"/metadata/annotations/facet.gpu~1live\",\"value\":\"%s\"},"
      "{\"op\":\"replace\",\"path\":\"/metadata/annotations/facet.gpu~1live\","
      "\"value\":\"two\"}]";
  CLEANUP(cleanup_free) char *right = mem_format(guard, "one"), *wrong = mem_format(guard, "zero");
  CLEANUP(reply_deinit) Reply reply = call(live, "PATCH", "/api/v1/nodes/" NODE, KUBE_JSON_PATCH, wrong);
  check_text("a JSON patch whose test fails is refused", reply.err.text,
             "the API server refused PATCH /api/v1/nodes/" NODE
             ": the server rejected our request due to an error "
             "in our request (422 Unprocessable Entity)");
  call_and_check(live, "PATCH", "/api/v1/nodes/" NODE, KUBE_JSON_PATCH, right);
  check(run_until(live, is_plan_known, "two"), "a JSON patch whose test holds is carried out");
  CLEANUP(reply_deinit) Reply absent = call(live, "GET", "/api/v1/nodes/no-such-node", NULL, NULL);
  check_text("a missing object is named", absent.err.text,
             "the API server refused GET /api/v1/nodes/no-such-node: nodes \"no-such-node\" not found (404 "
             "Not Found)");
}

static bool are_all_here(Live *live, const void *what) {
  const Reply *replies = what;
  for (size_t i = 0; i < PODS_MANY; i++)
    if (!replies[i].is_here)
      return false;
  return true;
}

static bool are_many_known(Live *live, const void *what) {
  const Watched *watched = what;
  return watched->synced > 0 && kube_informer_count(watched->informer) >= PODS_MANY;
}

static void list_again(Live *live, const char *what) {
  Watched again = {0};
  start_informer(live, &again, live->curl, &kube_pod_type);
  check(run_until(live, are_many_known, &again), "%s has them all", what);
  check(kube_informer_count(again.informer) == kube_informer_count(live->pods.informer),
        "and as many as the watch has");
  kube_informer_free(again.informer);
}

static void many_calls_and_pages(Live *live) {
  CLEANUP(cleanup_free) Reply *replies = mem_alloc(PODS_MANY * sizeof *replies);
  for (size_t i = 0; i < PODS_MANY; i++) {
    char name[16];
    snprintf(name, sizeof name, "pod-%zu", i);
    CLEANUP(cleanup_free) char *json = pod_json(name);
    if (i % 128 == 127)
      run_until(live, is_reply_here, &replies[i - 64]);
    send_call(live->client, &replies[i], "POST", PODS, JSON, json);
  }
  check(run_until(live, are_all_here, replies), "%d pods are created, many at a time", PODS_MANY);
  int created = 0;
  for (size_t i = 0; i < PODS_MANY; i++) {
    created += replies[i].is_ok;
    if (!replies[i].is_ok)
      printf("# %s\n", replies[i].err.text);
    reply_deinit(&replies[i]);
  }
  check(created == PODS_MANY, "each with success");
  check(run_until(live, are_many_known, &live->pods), "all arrive by the watch");
  list_again(live, "a streamed list");
  kube_curl_seam(live->curl)->streams_lists = false;
  list_again(live, "a list in pages");
  kube_curl_seam(live->curl)->streams_lists = true;
}

static void the_connection_breaks(Live *live) {
  int added = live->pods.added, synced = live->pods.synced;
  live->pods.trouble = (Error){0};
  tcp_relay_cut(live->relay, 0);
  check(run_until(live, has_trouble, &live->pods), "a cut connection is noticed");
  create_pod(live, "second");
  check(run_until(live, is_pod_known, NAMESPACE "/second"), "a pod made after a cut arrives");
  check(live->pods.added == added + 1 && live->pods.synced == synced, "without listing again");

  live->nodes.trouble = live->pods.trouble = (Error){0};
  tcp_relay_cut(live->relay, 1);
  run_until(live, has_trouble, &live->pods);
  live->pods.trouble = (Error){0};
  run_until(live, has_trouble, &live->pods);
  CLEANUP(cleanup_free)
  char *expected = mem_format("watching pods: cannot reach the API server %s: connection "
                              "refused; is it running and is the address right?",
                              live->config.server);
  check_text("a server that is away is named", live->pods.trouble.text, expected);
  tcp_relay_listen(live->relay);
  create_pod(live, "third");
  check(run_until(live, is_pod_known, NAMESPACE "/third"), "when it is back, the watch goes on");
}

/* The first trouble of listing pods with this configuration. */
static void check_trouble(Live *live, const KubeConfig *config, const char *name, const char *expected) {
  Error err = {0};
  KubeCurl *curl = NULL;
  Watched watched = {0};
  if (kube_curl_new(&live->loop, config, &curl, &err) < 0) {
    check_text(name, err.text, expected);
    return;
  }
  start_informer(live, &watched, curl, &kube_pod_type);
  run_until(live, has_trouble, &watched);
  kube_informer_free(watched.informer);
  kube_curl_free(curl);
  check_text(name, watched.trouble.text, expected);
}

static void set(char **place, const char *text) {
  free(*place);
  *place = mem_strdup(text);
}

static void without_certificate(KubeConfig *config) {
  set(&config->client_certificate_file, NULL);
  set(&config->client_certificate_data, NULL);
  set(&config->client_key_file, NULL);
  set(&config->client_key_data, NULL);
  set(&config->token, NULL);
  set(&config->token_file, NULL);
}

/* A certificate authority that signed nothing here. */
static char *foreign_authority(void) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  BIO *bio = BIO_new(BIO_s_mem());
  char *bytes = NULL;
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  PEM_write_bio_X509(bio, certificate);
  long size = BIO_get_mem_data(bio, &bytes);
  char *pem = mem_strndup(bytes, (size_t)size);
  BIO_free(bio);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pem;
}

static void certificates(Live *live) {
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  kube_config_copy(&live->config, &config);
  set(&config.tls_server_name, "kubernetes.default.svc");
  KubeCurl *curl = NULL;
  Error err = {0};
  Watched named = {0};
  if (kube_curl_new(&live->loop, &config, &curl, &err) < 0)
    bail_out(&err);
  start_informer(live, &named, curl, &kube_pod_type);
  check(run_until(live, are_many_known, &named), "tls-server-name picks another name of the certificate");
  kube_informer_free(named.informer);
  kube_curl_free(curl);

  set(&config.tls_server_name, "elsewhere.example");
  CLEANUP(cleanup_free)
  char *wrong_name = mem_format(
      "listing pods: the certificate of the API server %s is for another name: SSL: no alternative "
      "certificate "
      "subject name matches target host name 'elsewhere.example'; correct the server's address or set "
      "tls-server-name (%s)",
      config.server, config.source);
  check_trouble(live, &config, "a certificate for another name is refused", wrong_name);
  set(&config.tls_server_name, NULL);
  set(&config.ca_file, NULL);
  free(config.ca_data);
  config.ca_data = foreign_authority();
  CLEANUP(cleanup_free)
  char *untrusted = mem_format("listing pods: the certificate of the API server %s is not trusted: unable to "
                               "get local issuer certificate; "
                               "is the certificate-authority of %s that of this cluster?",
                               config.server, config.source);
  check_trouble(live, &config, "a certificate of another authority is refused", untrusted);
}

/* A token of a service account that may do nothing. */
static char *make_powerless_token(Live *live) {
  CLEANUP(reply_deinit)
  Reply reply = call(live, "POST", "/api/v1/namespaces/" NAMESPACE "/serviceaccounts/" ACCOUNT "/token", JSON,
                     "{\"spec\":{\"expirationSeconds\":600}}");
  json_t *root = json_loadb(text_string(&reply.body), reply.body.size, 0, NULL);
  const char *token = json_string_value(json_object_get(json_object_get(root, "status"), "token"));
  char *copy = mem_strdup(string_or_empty(token));
  json_decref(root);
  check(*copy, "a token for a service account is made");
  return copy;
}

static void identities(Live *live) {
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  kube_config_copy(&live->config, &config);
  without_certificate(&config);
  config.token = make_powerless_token(live);
  check_trouble(live, &config, "an account without rights is told what it lacks",
                "listing pods: the API server refused GET /api/v1/pods: pods is forbidden: User "
                "\"system:serviceaccount:" NAMESPACE
                ":default\" cannot watch resource \"pods\" in API group \"\" at "
                "the cluster scope (403 Forbidden); give this account the verb \"watch\" on pods");
  KubeCurl *curl = NULL;
  Error err = {0};
  if (kube_curl_new(&live->loop, &config, &curl, &err) < 0)
    bail_out(&err);
  KubeClient *client = kube_client_new(&live->host, kube_curl_seam(curl));
  CLEANUP(reply_deinit) Reply reply = {0};
  send_call(client, &reply, "PATCH", "/api/v1/nodes/" NODE "/status", KUBE_MERGE_PATCH, "{}");
  run_until(live, is_reply_here, &reply);
  check_text(
      "also when it patches", reply.err.text,
      "the API server refused PATCH /api/v1/nodes/" NODE "/status: nodes \"" NODE "\" is forbidden: User "
      "\"system:serviceaccount:" NAMESPACE ":" ACCOUNT
      "\" cannot patch resource \"nodes/status\" in API group "
      "\"\" at the cluster scope (403 Forbidden); give this account the verb \"patch\" on nodes/status");
  kube_client_free(client);
  kube_curl_free(curl);
  set(&config.token, "nonsense");
  check_trouble(
      live, &config, "a token that nobody knows is refused",
      "listing pods: the API server refused GET /api/v1/pods: Unauthorized (401 Unauthorized); the token "
      "or client certificate is not accepted, give a valid one");
}

/* What the plugin prints from now on. `status`: members of the credential. */
static void give_to_plugin(const char *path, const char *status) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "we");
  if (file)
    fprintf(file, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" EXEC_V1 "\",\"status\":{%s}}", status);
}

static int get_status(Live *live, KubeClient *client) {
  CLEANUP(reply_deinit) Reply reply = {0};
  send_call(client, &reply, "GET", PODS "?limit=1", NULL, NULL);
  run_until(live, is_reply_here, &reply);
  return reply.status;
}

static void append_json(Text *text, const char *name, const char *value) {
  text_format(text, "%s\"%s\":", text->size ? "," : "", name);
  text_append_json(text, value);
}

static void exec_plugins(Live *live) {
  char path[] = "/tmp/facet-live-exec-XXXXXX";
  CLEANUP(cleanup_close) int fd = mkstemp(path);
  check(fd >= 0, "a file for an exec plugin is made");
  CLEANUP(cleanup_free) char *script = mem_format("cat %s", path), *token = make_powerless_token(live);
  CLEANUP(text_deinit) Text certificate = {0}, known = {0};
  CLEANUP(kube_config_deinit) KubeConfig config = {0}, admin = {0};
  Error err = {0};
  if (kube_credentials_load(&live->config, time(NULL), &admin, &err) < 0)
    bail_out(&err);
  append_json(&certificate, "clientCertificateData", admin.client_certificate_data);
  append_json(&certificate, "clientKeyData", admin.client_key_data);
  append_json(&known, "token", token);
  kube_config_copy(&live->config, &config);
  without_certificate(&config);
  config.exec = exec_of_script(script);

  KubeCurl *curl = NULL;
  give_to_plugin(path, text_string(&certificate));
  if (kube_curl_new(&live->loop, &config, &curl, &err) < 0)
    bail_out(&err);
  KubeClient *client = kube_client_new(&live->host, kube_curl_seam(curl));
  check(get_status(live, client) == 200, "an exec plugin's client certificate is an administrator's");
  kube_client_free(client);
  kube_curl_free(curl);

  give_to_plugin(path, "\"token\":\"nonsense\"");
  if (kube_curl_new(&live->loop, &config, &curl, &err) < 0)
    bail_out(&err);
  client = kube_client_new(&live->host, kube_curl_seam(curl));
  check(get_status(live, client) == 401, "an exec plugin's token that nobody knows is refused");
  give_to_plugin(path, text_string(&known));
  int status = 401;
  for (int i = 0; i < EXEC_CALLS_MAX && status == 401; i++)
    status = get_status(live, client);
  check(status == 403, "after the refusal the plugin's next token is used");
  kube_client_free(client);
  kube_curl_free(curl);
  unlink(path);
}

static void print_memory(void) {
  CLEANUP(cleanup_fclose) FILE *file = fopen("/proc/self/status", "re");
  char line[128];
  while (file && fgets(line, sizeof line, file))
    if (string_has_prefix(line, "VmRSS") || string_has_prefix(line, "RssAnon"))
      printf("# %s", line);
}

int main(int count, char **arguments) {
  if (count != 3 || strcmp(arguments[1], "--kubeconfig") != 0) {
    fprintf(stderr, "usage: %s --kubeconfig FILE\n", arguments[0]);
    return 2;
  }
  Live live = {0};
  open_live(&live, arguments[2]);
  make_place(&live);
  lists_and_watches(&live);
  patches(&live);
  print_memory();
  many_calls_and_pages(&live);
  the_connection_breaks(&live);
  certificates(&live);
  identities(&live);
  exec_plugins(&live);
  remove_place(&live);
  print_memory();
  close_live(&live);
  printf("1..%d\n", checks);
  return failures > 0;
}
