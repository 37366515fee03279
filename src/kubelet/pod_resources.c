/* SPDX-License-Identifier: Apache-2.0 */
/* One connection, made by the first question and kept; three kinds of questions on it, each open at most
 * once. A lost connection fails the open questions, and the next question dials again: whoever asks decides
 * when.
 */
#include "kubelet/pod_resources.h"

#include "base/memory.h"
#include "kubelet/connection.h"

#include <assert.h>

typedef int Decode(const void *bytes, size_t size, Arena *arena, KubeletHelds *ret, Error *err);

typedef struct Question {
  KubeletPodResources *client;
  const char *method;
  Decode *decode;
  GrpcCall *call; /* NULL: not open */
  char *unknown;  /* GET: what the kubelet says of a pod that it does not know */
  KubeletOnHelds *on_helds;
  void *userdata;
  Text answer; /* the message, kept until its status is known */
  bool has_answer;
} Question;

enum { LIST, GET, ALLOCATABLE, QUESTION_COUNT };

struct KubeletPodResources {
  Host *host;
  KubeletPort *port;
  char *socket;
  KubeletConnection *connection; /* NULL: not connected */
  Question questions[QUESTION_COUNT];
};

static void on_message(void *userdata, const void *message, size_t size) {
  Question *question = userdata;
  text_clear(&question->answer);
  text_append_bytes(&question->answer, message, size);
  question->has_answer = true;
}

static ErrorCode code_of(GrpcStatus status) {
  switch (status) {
  case GRPC_UNAVAILABLE:
  case GRPC_CANCELLED:
    return ERROR_UNAVAILABLE;
  case GRPC_DEADLINE_EXCEEDED:
    return ERROR_TIMEOUT;
  case GRPC_PERMISSION_DENIED:
  case GRPC_UNAUTHENTICATED:
    return ERROR_DENIED;
  case GRPC_UNIMPLEMENTED:
    return ERROR_UNSUPPORTED;
  case GRPC_RESOURCE_EXHAUSTED:
    return ERROR_LIMIT;
  default:
    return ERROR_PROTOCOL;
  }
}

/* The real kubelet gives that sentence the status UNKNOWN. */
static bool is_unknown_pod(const Question *question, GrpcStatus status, const char *text) {
  return question->unknown &&
         (status == GRPC_NOT_FOUND || (status == GRPC_UNKNOWN && string_equal(text, question->unknown)));
}

static int decode_answer(const Question *question, GrpcStatus status, const char *text, const Text *answer,
                         bool has_answer, Arena *arena, KubeletHelds *ret, Error *err) {
  const char *socket = question->client->socket;
  /* A server that notices our deadline before we do cancels the call: that is no answer either. */
  if (status == GRPC_UNAVAILABLE || status == GRPC_DEADLINE_EXCEEDED || status == GRPC_CANCELLED)
    return error_set(err, code_of(status), "the kubelet's pod-resources socket %s does not answer: %s",
                     socket, text);
  if (is_unknown_pod(question, status, text))
    return 0;
  if (status != GRPC_OK)
    return error_set(err, code_of(status), "the kubelet at %s refuses %s: %s (gRPC status %d)", socket,
                     question->method, text, (int)status);
  if (!has_answer)
    return error_set(err, ERROR_PROTOCOL, "the kubelet at %s answers %s without a message", socket,
                     question->method);
  if (question->decode(answer->bytes, answer->size, arena, ret, err) < 0)
    return error_prefix(err, "the answer of the kubelet at %s", socket);
  return 0;
}

static bool is_open(const KubeletPodResources *client) {
  for (size_t i = 0; i < QUESTION_COUNT; i++)
    if (client->questions[i].call)
      return true;
  return false;
}

static void hang_up(KubeletPodResources *client) {
  if (client->connection)
    kubelet_connection_close(TAKE(client->connection));
}

/* The asker may ask again from inside his callback, or free the client: nothing of ours is touched after it.
 */
static void on_end(void *userdata, GrpcStatus status, const char *text) {
  Question *question = userdata;
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text answer = question->answer;
  KubeletHelds helds = {0};
  Error err = {0};
  bool has_answer = question->has_answer;
  question->answer = (Text){0};
  question->has_answer = false;
  question->call = NULL;
  int result = decode_answer(question, status, text, &answer, has_answer, &arena, &helds, &err);
  /* A kubelet that hangs may have been replaced; only a new connection would find out. */
  if (status == GRPC_DEADLINE_EXCEEDED && !is_open(question->client))
    hang_up(question->client);
  question->on_helds(question->userdata, result < 0 ? NULL : &helds, result < 0 ? &err : NULL);
}

static void on_lost(void *userdata, const Error *err) {
  KubeletPodResources *client = userdata;
  client->connection = NULL;
}

static void ask(Question *question, const Text *request, KubeletOnHelds *on_helds, void *userdata) {
  KubeletPodResources *client = question->client;
  assert(on_helds && !question->call);
  if (!client->connection)
    client->connection = kubelet_connection_dial(client->host, client->port, client->socket, on_lost, client);
  question->on_helds = on_helds;
  question->userdata = userdata;
  const GrpcReply reply = {.on_message = on_message, .on_end = on_end, .userdata = question};
  question->call = grpc_session_call(kubelet_connection_session(client->connection), question->method,
                                     request->bytes, request->size, KUBELET_ANSWER_TIMEOUT_MS, &reply);
}

static bool ask_without_words(Question *question, KubeletOnHelds *on_helds, void *userdata) {
  if (question->call)
    return false;
  ask(question, &(Text){0}, on_helds, userdata);
  return true;
}

KubeletPodResources *kubelet_pod_resources_new(Host *host, KubeletPort *port, const char *socket) {
  KubeletPodResources *client = mem_alloc(sizeof *client);
  *client = (KubeletPodResources){
      .host = host,
      .port = port,
      .socket = mem_strdup(socket),
      .questions = {
          [LIST] = {.client = client, .method = KUBELET_METHOD_PODS_LIST, .decode = kubelet_helds_decode},
          [GET] = {.client = client, .method = KUBELET_METHOD_PODS_GET, .decode = kubelet_pod_helds_decode},
          [ALLOCATABLE] = {.client = client,
                           .method = KUBELET_METHOD_ALLOCATABLE,
                           .decode = kubelet_allocatable_decode},
      }};
  return client;
}

void kubelet_pod_resources_free(KubeletPodResources *client) {
  if (!client)
    return;
  for (size_t i = 0; i < QUESTION_COUNT; i++) {
    if (client->questions[i].call)
      grpc_call_cancel(client->questions[i].call);
    text_deinit(&client->questions[i].answer);
    free(client->questions[i].unknown);
  }
  hang_up(client);
  free(client->socket);
  free(client);
}

bool kubelet_pod_resources_list(KubeletPodResources *client, KubeletOnHelds *on_helds, void *userdata) {
  return ask_without_words(&client->questions[LIST], on_helds, userdata);
}

bool kubelet_pod_resources_get(KubeletPodResources *client, const char *namespace_, const char *pod,
                               KubeletOnHelds *on_helds, void *userdata) {
  Question *question = &client->questions[GET];
  CLEANUP(text_deinit) Text request = {0};
  if (question->call)
    return false;
  free(question->unknown);
  question->unknown = mem_format("pod %s in namespace %s not found", pod, namespace_);
  kubelet_pod_name_encode(&(KubeletPodName){.namespace_ = namespace_, .pod = pod}, &request);
  ask(question, &request, on_helds, userdata);
  return true;
}

bool kubelet_pod_resources_allocatable(KubeletPodResources *client, KubeletOnHelds *on_helds,
                                       void *userdata) {
  return ask_without_words(&client->questions[ALLOCATABLE], on_helds, userdata);
}
