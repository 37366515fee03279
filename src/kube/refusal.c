/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/refusal.h"

#include "base/text.h"

#include <assert.h>
#include <string.h>

typedef struct StatusRow {
  int status;
  ErrorCode code;
  const char *name;
  const char *advice; /* NULL: the server's own words say it all */
} StatusRow;

static const StatusRow rows[] = {
    {400, ERROR_INVALID, "Bad Request", NULL},
    {401, ERROR_DENIED, "Unauthorized", "the token or client certificate is not accepted, give a valid one"},
    {403, ERROR_DENIED, "Forbidden", NULL}, /* its advice is made from the request */
    {404, ERROR_NOT_FOUND, "Not Found", NULL},
    {405, ERROR_UNSUPPORTED, "Method Not Allowed", NULL},
    {408, ERROR_UNAVAILABLE, "Request Timeout", NULL},
    {409, ERROR_CONFLICT, "Conflict", "somebody else changed it at the same time"},
    {410, ERROR_CONFLICT, "Gone", NULL},
    {413, ERROR_LIMIT, "Request Entity Too Large", NULL},
    {422, ERROR_INVALID, "Unprocessable Entity", NULL},
    {429, ERROR_UNAVAILABLE, "Too Many Requests", "the server is overloaded"},
    {500, ERROR_UNAVAILABLE, "Internal Server Error", "the server's log tells more"},
    {502, ERROR_UNAVAILABLE, "Bad Gateway", "what stands between here and the server cannot reach it"},
    {503, ERROR_UNAVAILABLE, "Service Unavailable", "the server is starting, ending or overloaded"},
    {504, ERROR_UNAVAILABLE, "Gateway Timeout", "the server or its etcd is slow"},
};

static StatusRow find_row(int status) {
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (rows[i].status == status)
      return rows[i];
  ErrorCode code = status >= 500 ? ERROR_UNAVAILABLE : ERROR_PROTOCOL;
  return (StatusRow){.status = status, .code = code, .name = "unexpected status"};
}

/* The parts of "/apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE". */
typedef struct Target {
  char parts[4][64]; /* behind version and namespace: resource, name, subresource */
  int count;
  char group[64];
} Target;

static const char *next_part(const char *path, char *part, size_t size) {
  path += *path == '/';
  size_t length = strcspn(path, "/?");
  snprintf(part, size, "%.*s", (int)length, path);
  return path + length;
}

static Target parse_path(const char *path) {
  Target target = {0};
  char skipped[64];
  path = next_part(path, skipped, sizeof skipped);
  if (strcmp(skipped, "apis") == 0)
    path = next_part(path, target.group, sizeof target.group);
  path = next_part(path, skipped, sizeof skipped); /* the version */
  while (*path == '/' && target.count < (int)COUNT_OF(target.parts)) {
    char *part = target.parts[target.count];
    path = next_part(path, part, sizeof target.parts[0]);
    bool is_namespaced = target.count == 2 && strcmp(target.parts[0], "namespaces") == 0 &&
                         strcmp(part, "status") != 0 && strcmp(part, "finalize") != 0;
    if (is_namespaced) {
      memcpy(target.parts[0], part, sizeof target.parts[0]);
      target.count = 0;
    }
    target.count++;
  }
  return target;
}

/* The verb as RBAC knows it. */
static const char *rbac_verb(const char *method, const char *path, const Target *target) {
  const char *query = strchr(path, '?');
  if (strcmp(method, "POST") == 0)
    return "create";
  if (strcmp(method, "PUT") == 0)
    return "update";
  if (strcmp(method, "PATCH") == 0)
    return "patch";
  if (strcmp(method, "DELETE") == 0)
    return "delete";
  if (query && strstr(query, "watch="))
    return "watch";
  return target->count >= 2 ? "get" : "list";
}

static void format_grant(const char *method, const char *path, char *buffer, size_t size) {
  if (!string_has_prefix(path, "/api")) { /* no resource: "/version" */
    snprintf(buffer, size, "; give this account the verb \"get\" on the nonResourceURL %.*s",
             (int)strcspn(path, "?"), path);
    return;
  }
  Target target = parse_path(path);
  bool has_subresource = target.count >= 3;
  snprintf(buffer, size, "; give this account the verb \"%s\" on %s%s%s%s%s",
           rbac_verb(method, path, &target), target.parts[0], has_subresource ? "/" : "",
           has_subresource ? target.parts[2] : "", *target.group ? "." : "", target.group);
}

typedef struct WordRow {
  int status;
  const char *words, *advice; /* "": the server's own words say it all, and a grant would not help */
} WordRow;

/* Refusals that look like missing rights or a missing object, and are neither: the words are those of the
 * server's admission plugins. */
static const WordRow word_rows[] = {
    {403, "no PriorityClass with name", "; create it, `facet check` says how"},
    {403, "exceeded quota", ""},
    {403, "violates PodSecurity", ""},
    {403, "denied request", ""},     /* a ValidatingAdmissionPolicy */
    {403, "denied the request", ""}, /* a webhook */
    {404, "namespaces \"", "; create the namespace, `facet check` says how"},
};

/* NULL: nothing is known of such words. */
static const char *find_words(int status, const char *message) {
  for (size_t i = 0; i < COUNT_OF(word_rows); i++)
    if (word_rows[i].status == status && strstr(message, word_rows[i].words))
      return word_rows[i].advice;
  return NULL;
}

int kube_refusal_set(const char *method, const char *path, int status, const KubeStatus *failure,
                     Error *err) {
  assert(status >= 300);
  StatusRow row = find_row(status);
  char advice[256] = "";
  const char *known = find_words(status, failure->message);
  if (known)
    snprintf(advice, sizeof advice, "%s", known);
  else if (status == 403)
    format_grant(method, path, advice, sizeof advice);
  else if (row.advice)
    snprintf(advice, sizeof advice, "; %s", row.advice);
  /* The server's words are cut rather than the advice behind them. */
  int room = ERROR_TEXT_SIZE - 200 - (int)strlen(advice);
  int path_size = (int)strcspn(path, "?");
  return error_set(err, row.code, "the API server %s %s %.*s%s%.*s (%d %s)%s",
                   status >= 500 ? "failed at" : "refused", method, path_size > 120 ? 120 : path_size, path,
                   *failure->message ? ": " : "", room, failure->message, status, row.name, advice);
}
