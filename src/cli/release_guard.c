/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release_guard.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cluster/release.h"
#include "mig/contract.h"

#include <jansson.h>

static void ask(CliReleaseGuard *guard);

static void on_told(void *userdata, const KubeAnswer *answer) {
  CliReleaseGuard *guard = userdata;
  Error err;
  if (!kube_answer_is_ok(answer, &err))
    log_warn(guard->component, "the node does not say why", "node=%s err=" LOG_QUOTED, guard->node_name,
             err.text);
  guard->on_refused(guard->userdata);
}

static void tell_node(CliReleaseGuard *guard) {
  CLEANUP(text_deinit) Text body = {0};
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s/status", guard->node_name);
  text_append(&body, "{\"metadata\":{\"annotations\":{\"" MIG_ANNOTATION_ERROR "\":");
  text_append_json(&body, guard->refusal.text);
  text_append(&body, "}}}");
  kube_client_call(guard->client, &(KubeCallOptions){.method = "PATCH",
                                                     .path = path,
                                                     .content_type = KUBE_MERGE_PATCH,
                                                     .body = text_string(&body),
                                                     .body_size = body.size,
                                                     .on_answer = on_told,
                                                     .userdata = guard});
}

static void refuse(CliReleaseGuard *guard, const char *version) {
  (void)error_set(&guard->refusal, ERROR_UNSUPPORTED,
                  "Kubernetes is %.60s: facet needs " RELEASE_OLDEST " or newer; upgrade the cluster",
                  version);
  if (guard->on_refusing)
    guard->on_refusing(guard->refusing_userdata);
  if (guard->node_name)
    tell_node(guard);
  else
    guard->on_refused(guard->userdata);
}

static void judge(CliReleaseGuard *guard, const char *version) {
  Release release = release_judge(version);
  if (release == RELEASE_TOO_OLD)
    refuse(guard, version);
  else if (release == RELEASE_UNTESTED)
    log_warn(guard->component, "facet was never tried with this Kubernetes",
             "version=%s supported=\"%s and newer\"", version, RELEASE_SUPPORTED);
  else
    log_info(guard->component, "Kubernetes", "version=" LOG_QUOTED, version);
}

static void on_timer(void *userdata) {
  ask(userdata);
}

static void ask_again(CliReleaseGuard *guard) {
  guard->retry_ms = backoff_next_ms(guard->retry_ms, CLI_GUARD_RETRY_FIRST_MS, CLI_GUARD_RETRY_MAX_MS);
  timer_set(guard->host, &guard->timer, guard->retry_ms);
}

/* A server that is starting answers with 5xx; one that says no to such a question will go on doing so. */
static void on_version(void *userdata, const KubeAnswer *answer) {
  CliReleaseGuard *guard = userdata;
  if (answer->err || answer->status >= 500 || answer->status == 429) {
    ask_again(guard);
    return;
  }
  json_t *version = answer->status == 200 ? json_loadb(answer->body, answer->body_size, 0, NULL) : NULL;
  judge(guard, string_or_empty(json_string_value(json_object_get(version, "gitVersion"))));
  json_decref(version);
}

static void ask(CliReleaseGuard *guard) {
  kube_client_call(
      guard->client,
      &(KubeCallOptions){.method = "GET", .path = "/version", .on_answer = on_version, .userdata = guard});
}

void cli_release_guard_init(CliReleaseGuard *guard, Host *host, KubeTransport *transport,
                            const char *component, const char *node_name, void (*on_refused)(void *userdata),
                            void *userdata) {
  *guard = (CliReleaseGuard){.host = host,
                             .client = kube_client_new(host, transport),
                             .component = component,
                             .node_name = node_name,
                             .on_refused = on_refused,
                             .userdata = userdata,
                             .timer = {.fire = on_timer, .userdata = guard}};
  ask(guard);
}

int cli_release_guard_result(const CliReleaseGuard *guard, Error *err) {
  if (!guard->refusal.code)
    return 0;
  *err = guard->refusal;
  return -err->code;
}

void cli_release_guard_deinit(CliReleaseGuard *guard) {
  if (!guard->client)
    return;
  timer_cancel(guard->host, &guard->timer);
  kube_client_free(guard->client);
}
