/* SPDX-License-Identifier: Apache-2.0 */
/* Unary gRPC calls between two sessions in memory, beside what a kernel needs to carry one byte to another
 * process and back: as long as the first is not much slower than the second, gRPC is not what costs. */
#include "kubelet/grpc.h"
#include "bench.h"

#include <sys/socket.h>

enum { CALLS = 20000, RUNS = 5, MESSAGE_SIZE = 60 };

static void echo(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size) {
  grpc_call_send(call, message, size);
  grpc_call_finish(call, GRPC_OK, NULL);
}

static void on_message(void *userdata, const void *message, size_t size) {
}

static void on_end(void *userdata, GrpcStatus status, const char *text) {
  *(int *)userdata += status == GRPC_OK;
}

static void carry(GrpcSession *from, GrpcSession *to) {
  CLEANUP(text_deinit) Text bytes = {0};
  Error err;
  if (grpc_session_output(from, &bytes, &err) < 0 ||
      (bytes.size && grpc_session_feed(to, bytes.bytes, bytes.size, &err) < 0)) {
    fprintf(stderr, "%s\n", err.text);
    exit(1);
  }
}

static double calls_per_s(void) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  CLEANUP(grpc_session_freep) GrpcSession *server = grpc_session_new_server(&host, echo, NULL);
  CLEANUP(grpc_session_freep) GrpcSession *client = grpc_session_new_client(&host);
  const char message[MESSAGE_SIZE] = {0};
  int done = 0;
  const GrpcReply reply = {.on_message = on_message, .on_end = on_end, .userdata = &done};
  double began = bench_now_s();
  for (int i = 0; i < CALLS; i++) {
    grpc_session_call(client, "/v1beta1.DevicePlugin/Allocate", message, sizeof message, 0, &reply);
    for (int turns = 0; done <= i && turns < 8; turns++) {
      carry(client, server);
      carry(server, client);
    }
  }
  if (done != CALLS)
    exit(1);
  return CALLS / (bench_now_s() - began);
}

static void answer_bytes(int fd) {
  char byte;
  while (read(fd, &byte, 1) == 1)
    if (write(fd, &byte, 1) != 1)
      break;
  _exit(0);
}

static double bytes_per_s(void) {
  int ends[2];
  char byte = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
    exit(1);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    answer_bytes(ends[1]);
  }
  close(ends[1]);
  double began = bench_now_s();
  for (int i = 0; i < CALLS; i++)
    if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
      exit(1);
  double seconds = bench_now_s() - began;
  close(ends[0]);
  waitpid(child, NULL, 0);
  return CALLS / seconds;
}

int main(void) {
  double calls[RUNS], bytes[RUNS];
  for (int run = 0; run < RUNS; run++) {
    calls[run] = calls_per_s();
    bytes[run] = bytes_per_s();
  }
  double ours = bench_median(calls, RUNS), floor = bench_median(bytes, RUNS);
  printf("%.0f unary calls of %d bytes per second in memory; one byte to another process and back: %.0f "
         "per second; ratio %.2f (medians of %d runs)\n",
         ours, MESSAGE_SIZE, floor, ours / floor, RUNS);
  return 0;
}
