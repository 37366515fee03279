/* SPDX-License-Identifier: Apache-2.0 */
/* All questions are sent at once; the loop runs until the last one is answered. */
#include "cli/check_probe.h"

#include "base/text.h"
#include "cli/printable.h"
#include "kube/client.h"
#include "kube/lease.h"

#include <jansson.h>

enum { ASKS_MAX = CHECK_RIGHTS_MAX + 8 };

typedef struct Probing Probing;
typedef struct Ask {
  Probing *probing;
  void (*on_found)(struct Ask *ask, const KubeAnswer *answer);
  CheckFact *fact; /* CHECK_NO where the server says 404; NULL: that is a failure, too */
  const char *what;
  bool is_told_once; /* many of these would fail alike */
  char *unseen;      /* the sentence, where it failed */
} Ask;

struct Probing {
  CliShell shell;
  KubeClient *client;
  const CliCheckPlace *place;
  CliCheckProbe *probe;
  Ask asks[ASKS_MAX];
  int count, open;
};

static json_t *parse(const KubeAnswer *answer) {
  return json_loadb(answer->body, answer->body_size, 0, NULL);
}

static void tell_unseen(Ask *ask, const Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  ask->unseen = mem_format("%s: %s", ask->what, cli_printable(&arena, err->text));
}

static void on_answer(void *userdata, const KubeAnswer *answer) {
  Ask *ask = userdata;
  Error err;
  bool is_absent = !answer->err && answer->status == 404 && ask->fact;
  if (kube_answer_is_ok(answer, &err))
    ask->on_found(ask, answer);
  else if (is_absent)
    *ask->fact = CHECK_NO;
  else
    tell_unseen(ask, &err);
  ask->probing->shell.stop = --ask->probing->open == 0;
}

static void ask(Probing *probing, const Ask *question, const char *method, const char *path,
                const Text *body) {
  assert(probing->count < ASKS_MAX);
  Ask *kept = &probing->asks[probing->count++];
  *kept = *question;
  kept->probing = probing;
  probing->open++;
  kube_client_call(probing->client, &(KubeCallOptions){.method = method,
                                                       .path = path,
                                                       .content_type = body ? "application/json" : NULL,
                                                       .body = body ? text_string(body) : NULL,
                                                       .body_size = body ? body->size : 0,
                                                       .on_answer = on_answer,
                                                       .userdata = kept});
}

/* ---- the questions ---- */

static void on_version(Ask *ask, const KubeAnswer *answer) {
  json_t *version = parse(answer);
  const char *text = json_string_value(json_object_get(version, "gitVersion"));
  snprintf(ask->probing->probe->server_version, sizeof ask->probing->probe->server_version, "%s",
           string_or_empty(text));
  json_decref(version);
}

static void on_object(Ask *ask, const KubeAnswer *answer) {
  *ask->fact = CHECK_YES;
}

static void on_lease(Ask *ask, const KubeAnswer *answer) {
  KubeLease lease;
  Error err;
  if (kube_lease_decode(answer->format, answer->body, answer->body_size, &lease, &err) < 0) {
    tell_unseen(ask, &err);
    return;
  }
  *ask->fact = *lease.holder ? CHECK_YES : CHECK_NO;
  ask->probing->probe->lease_renewed = lease.renewed_ms / 1000;
}

static void on_review(Ask *ask, const KubeAnswer *answer) {
  json_t *review = parse(answer);
  const json_t *allowed = json_object_get(json_object_get(review, "status"), "allowed");
  if (allowed)
    *ask->fact = json_is_true(allowed) ? CHECK_YES : CHECK_NO;
  json_decref(review);
}

/* An account is asked for as the API server would see it. */
static void format_review(const CliCheckPlace *place, const CheckRight *right, Text *body) {
  CLEANUP(text_deinit) Text user = {0}, group = {0};
  text_format(&user, "system:serviceaccount:%s:%s", place->namespace_,
              right->is_agent ? place->agent_account : place->controller_account);
  text_format(&group, "system:serviceaccounts:%s", place->namespace_);
  json_t *attributes =
      json_pack("{s:s,s:s,s:s}", "verb", right->verb, "group", right->group, "resource", right->resource);
  if (*right->subresource)
    json_object_set_new(attributes, "subresource", json_string(right->subresource));
  if (right->is_namespaced)
    json_object_set_new(attributes, "namespace", json_string(place->namespace_));
  json_t *review = json_pack("{s:s,s:s,s:{s:s,s:[s,s,s],s:o}}", "kind", "SubjectAccessReview", "apiVersion",
                             "authorization.k8s.io/v1", "spec", "user", text_string(&user), "groups",
                             "system:serviceaccounts", text_string(&group), "system:authenticated",
                             "resourceAttributes", attributes);
  char *text = json_dumps(review, JSON_COMPACT);
  text_append(body, string_or_empty(text));
  free(text);
  json_decref(review);
}

static void ask_rights(Probing *probing) {
  size_t count;
  const CheckRight *rights = check_rights(&count);
  for (size_t i = 0; i < count; i++) {
    CLEANUP(text_deinit) Text body = {0};
    format_review(probing->place, &rights[i], &body);
    ask(probing,
        &(Ask){.on_found = on_review,
               .fact = &probing->probe->allowed[i],
               .what = "the rights of facet's accounts",
               .is_told_once = true},
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", &body);
  }
}

static void ask_all(Probing *probing) {
  CliCheckProbe *probe = probing->probe;
  const char *space = probing->place->namespace_;
  CLEANUP(cleanup_free) char *namespace_ = mem_format("/api/v1/namespaces/%s", space);
  CLEANUP(cleanup_free)
  char *lease = mem_format("/apis/coordination.k8s.io/v1/namespaces/%s/leases/facet-controller", space);
  ask(probing, &(Ask){.on_found = on_version, .what = "the version of Kubernetes"}, "GET", "/version", NULL);
  ask(probing, &(Ask){.on_found = on_object, .fact = &probe->has_namespace, .what = "facet's namespace"},
      "GET", namespace_, NULL);
  ask(probing,
      &(Ask){.on_found = on_object, .fact = &probe->has_priority_class, .what = "facet's PriorityClass"},
      "GET", "/apis/scheduling.k8s.io/v1/priorityclasses/facet-reservation", NULL);
  ask(probing, &(Ask){.on_found = on_lease, .fact = &probe->has_lease, .what = "the controllers' Lease"},
      "GET", lease, NULL);
  ask_rights(probing);
}

/* In the order of the questions, whatever that of the answers was. */
static void hand_over(Probing *probing) {
  bool is_told = false;
  for (int i = 0; i < probing->count; i++) {
    Ask *one = &probing->asks[i];
    if (one->unseen && !(one->is_told_once && is_told))
      *array_push(&probing->probe->unseen) = TAKE(one->unseen);
    is_told |= one->is_told_once;
  }
}

static void probing_deinit(Probing *probing) {
  for (int i = 0; i < probing->count; i++)
    free(probing->asks[i].unseen);
  cli_shell_deinit(&probing->shell);
}

int cli_check_probe(const CliConnectOptions *options, const CliCheckPlace *place, CliCheckProbe *ret_probe,
                    Error *err) {
  CLEANUP(probing_deinit) Probing probing = {.place = place, .probe = ret_probe};
  int r = cli_shell_init(&probing.shell, err);
  if (r < 0)
    return r;
  CLEANUP(kube_curl_freep) KubeCurl *transport = NULL;
  r = cli_connect_again(&probing.shell, options, &transport, err);
  if (r < 0)
    return r;
  CLEANUP(kube_client_freep)
  KubeClient *client = kube_client_new(&probing.shell.host, kube_curl_seam(transport));
  probing.client = client;
  ask_all(&probing);
  cli_shell_run(&probing.shell);
  hand_over(&probing);
  return probing.open ? error_set(err, ERROR_UNAVAILABLE, "stopped while the API server was asked") : 0;
}

void cli_check_probe_deinit(CliCheckProbe *probe) {
  for (size_t i = 0; i < probe->unseen.count; i++)
    free(probe->unseen.items[i]);
  array_deinit(&probe->unseen);
}
