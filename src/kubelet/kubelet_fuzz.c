/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for everything that comes from the kubelet. The first byte chooses what reads: a message's
 * decoder, or a gRPC session as server or client; the second one is the size of the pieces that a session is
 * fed in. */
#include "kubelet/grpc.h"
#include "kubelet/wire.h"

#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void decode(unsigned which, const uint8_t *bytes, size_t size) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Error err = {0};
  KubeletRegister request;
  KubeletPartitions partitions;
  KubeletPreferreds preferreds;
  KubeletIdLists ids;
  KubeletAllocations allocations;
  KubeletHelds helds;
  KubeletPodName name;
  bool preferred, pre_start;
  int results[] = {
      which == 0 ? kubelet_register_decode(bytes, size, &arena, &request, &err) : 0,
      which == 1 ? kubelet_options_decode(bytes, size, &preferred, &pre_start, &err) : 0,
      which == 2 ? kubelet_partitions_decode(bytes, size, &arena, &partitions, &err) : 0,
      which == 3 ? kubelet_preferreds_decode(bytes, size, &arena, &preferreds, &err) : 0,
      which == 4 ? kubelet_allocate_decode(bytes, size, &arena, &ids, &err) : 0,
      which == 5 ? kubelet_allocations_decode(bytes, size, &arena, &allocations, &err) : 0,
      which == 6 ? kubelet_helds_decode(bytes, size, &arena, &helds, &err) : 0,
      which == 7 ? kubelet_allocatable_decode(bytes, size, &arena, &helds, &err) : 0,
      which == 8 ? kubelet_pod_name_decode(bytes, size, &arena, &name, &err) : 0,
  };
  for (size_t i = 0; i < COUNT_OF(results); i++)
    assert(results[i] == 0 || (results[i] < 0 && err.text[0]));
}

static void on_call(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  if (size % 2)
    grpc_call_send(call, message, size);
  if (size % 3)
    grpc_call_finish(call, GRPC_OK, method);
}

static void on_end(void *userdata, GrpcStatus status, const char *text) {
  (*(int *)userdata)++;
}

static void feed(GrpcSession *session, const uint8_t *bytes, size_t size, size_t piece) {
  CLEANUP(text_deinit) Text out = {0};
  Error err = {0};
  for (size_t i = 0; i < size; i += piece) {
    size_t left = size - i;
    if (grpc_session_feed(session, bytes + i, left < piece ? left : piece, &err) < 0 ||
        grpc_session_output(session, &out, &err) < 0)
      return;
  }
}

static void serve(Host *host, const uint8_t *bytes, size_t size, size_t piece) {
  CLEANUP(grpc_session_freep) GrpcSession *session = grpc_session_new_server(host, on_call, NULL);
  feed(session, (const uint8_t *)PREFACE, strlen(PREFACE), strlen(PREFACE));
  feed(session, bytes, size, piece);
}

static void ask(Host *host, const uint8_t *bytes, size_t size, size_t piece) {
  int ends = 0;
  const GrpcReply reply = {.on_end = on_end, .userdata = &ends};
  GrpcSession *session = grpc_session_new_client(host);
  grpc_session_call(session, "/x/Y", "hello", 5, 0, &reply);
  grpc_session_call(session, "/x/Y", "hello", 5, 1000, &reply);
  feed(session, bytes, size, piece);
  grpc_session_free(session);
  assert(ends == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(host_deinit) Host host = {0};
  if (size < 2)
    return 0;
  host_init(&host, 1);
  size_t piece = data[1] ? data[1] : size;
  if (data[0] < 9)
    decode(data[0], data + 2, size - 2);
  else if (data[0] % 2)
    serve(&host, data + 2, size - 2, piece);
  else
    ask(&host, data + 2, size - 2, piece);
  return 0;
}
