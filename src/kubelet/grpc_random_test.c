/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions against random bytes, which break any rule of HTTP/2. What a round begins with is a recorded
 * conversation, or nothing behind the preface would ever be reached. */
#include "kubelet/grpc.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

typedef struct Chaos {
  Random random;
  GrpcCall *calls[GRPC_STREAMS_MAX];
  size_t call_count;
} Chaos;

static void on_chaos_gone(void *userdata) {
  *(GrpcCall **)userdata = NULL;
}

/* Answers at once, keeps the call open, or answers in part. */
static void on_chaos_call(void *userdata, GrpcCall *call, const char *method, const void *message,
                          size_t size) {
  Chaos *chaos = userdata;
  uint64_t choice = random_below(&chaos->random, 4);
  if (choice > 0)
    grpc_call_send(call, message, size);
  if (choice > 1 || chaos->call_count == COUNT_OF(chaos->calls)) {
    grpc_call_finish(call, GRPC_OK, "done");
    return;
  }
  GrpcCall **slot = &chaos->calls[chaos->call_count++];
  *slot = call;
  grpc_call_on_gone(call, on_chaos_gone, slot);
}

static void on_chaos_end(void *userdata, GrpcStatus status, const char *text) {
  assert_in_range((int)status, 0, 16);
  assert_true(strlen(text) < GRPC_STATUS_TEXT_SIZE);
  (*(int *)userdata)++;
}

static void append_frame(Text *bytes, Random *random) {
  uint8_t payload[64];
  size_t size = random_below(random, 4) ? random_below(random, 20) : random_below(random, sizeof payload);
  for (size_t i = 0; i < size; i++)
    payload[i] = (uint8_t)random_next(random);
  const uint8_t header[9] = {0,
                             0,
                             (uint8_t)size,
                             (uint8_t)random_below(random, 11),
                             random_below(random, 2) ? (uint8_t)random_next(random) : 5,
                             0,
                             0,
                             0,
                             (uint8_t)random_below(random, 8)};
  text_append_bytes(bytes, header, sizeof header);
  text_append_bytes(bytes, payload, size);
}

static void change_bytes(Text *bytes, size_t first, Random *random) {
  if (bytes->size == first)
    return;
  for (uint64_t changes = random_below(random, 6); changes > 0; changes--)
    bytes->bytes[first + random_below(random, bytes->size - first)] = (char)random_next(random);
}

/* The bytes of a well-behaved conversation, as seen by the server and by the client. */
static void record(Text *ret_to_server, Text *ret_to_client) {
  CLEANUP(host_deinit) Host host = {0};
  Chaos chaos = {.random.state = 4};
  int ends = 0;
  Error err = {0};
  host_init(&host, 1);
  GrpcSession *client = grpc_session_new_client(&host);
  GrpcSession *server = grpc_session_new_server(&host, on_chaos_call, &chaos);
  const GrpcReply reply = {.on_end = on_chaos_end, .userdata = &ends};
  for (int i = 0; i < 6; i++)
    grpc_session_call(client, "/x/Y", "hello, hello", 12, i * 1000, &reply);
  for (int turn = 0; turn < 4; turn++) {
    size_t to_server = ret_to_server->size, to_client = ret_to_client->size;
    assert_ok(grpc_session_output(client, ret_to_server, &err));
    assert_ok(
        grpc_session_feed(server, ret_to_server->bytes + to_server, ret_to_server->size - to_server, &err));
    assert_ok(grpc_session_output(server, ret_to_client, &err));
    assert_ok(
        grpc_session_feed(client, ret_to_client->bytes + to_client, ret_to_client->size - to_client, &err));
  }
  grpc_session_free(client);
  grpc_session_free(server);
}

/* Feeds all bytes in random pieces, with outputs in between, until the session has enough. */
static void feed_all(GrpcSession *session, const Text *bytes, Random *random) {
  CLEANUP(text_deinit) Text out = {0};
  Error err = {0};
  for (size_t i = 0; i < bytes->size;) {
    size_t left = bytes->size - i;
    size_t size = 1 + random_below(random, left);
    /* A copy of its own, so that ASan sees every read behind its end. */
    CLEANUP(cleanup_free) char *piece = mem_strndup(bytes->bytes + i, size);
    if (grpc_session_feed(session, piece, size, &err) < 0 || grpc_session_output(session, &out, &err) < 0) {
      assert_true(strlen(err.text) > 0);
      return;
    }
    i += size;
  }
}

enum { CHAOS_ROUNDS = 4000 };

static void finish_open_calls(Chaos *chaos) {
  for (size_t i = 0; i < chaos->call_count; i++) {
    if (chaos->calls[i] && random_below(&chaos->random, 2))
      grpc_call_finish(TAKE(chaos->calls[i]), GRPC_OK, "late");
  }
}

static void a_server_survives_every_kind_of_bytes(void **state) {
  CLEANUP(text_deinit) Text to_server = {0}, to_client = {0};
  Random random = {.state = 20260714};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  record(&to_server, &to_client);
  for (int round = 0; round < CHAOS_ROUNDS; round++) {
    CLEANUP(host_deinit) Host host = {0};
    CLEANUP(text_deinit) Text bytes = {0};
    Chaos chaos = {.random.state = random_next(&random)};
    host_init(&host, 1);
    CLEANUP(grpc_session_freep) GrpcSession *session = grpc_session_new_server(&host, on_chaos_call, &chaos);
    text_append_bytes(&bytes, to_server.bytes, 24 + random_below(&random, to_server.size - 24));
    if (round % 2)
      change_bytes(&bytes, 24,
                   &random); /* the 24 bytes of the preface are kept, or nothing else is reached */
    for (uint64_t frames = random_below(&random, 8); frames > 0; frames--)
      append_frame(&bytes, &random);
    feed_all(session, &bytes, &random);
    finish_open_calls(&chaos);
  }
}

static void a_client_survives_every_kind_of_bytes_and_every_call_ends_once(void **state) {
  CLEANUP(text_deinit) Text to_server = {0}, to_client = {0};
  Random random = {.state = 20260715};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  record(&to_server, &to_client);
  for (int round = 0; round < CHAOS_ROUNDS; round++) {
    enum { CALLS = 4 };
    CLEANUP(host_deinit) Host host = {0};
    CLEANUP(text_deinit) Text bytes = {0};
    int ends[CALLS] = {0};
    host_init(&host, 1);
    GrpcSession *session = grpc_session_new_client(&host);
    for (int i = 0; i < CALLS; i++) {
      const GrpcReply reply = {.on_end = on_chaos_end, .userdata = &ends[i]};
      grpc_session_call(session, "/x/Y", "hello", 5, random_below(&random, 2) * 1000, &reply);
    }
    text_append_bytes(&bytes, to_client.bytes, 1 + random_below(&random, to_client.size));
    if (round % 2)
      change_bytes(&bytes, 0, &random);
    for (uint64_t frames = random_below(&random, 8); frames > 0; frames--)
      append_frame(&bytes, &random);
    feed_all(session, &bytes, &random);
    grpc_session_free(session);
    for (int i = 0; i < CALLS; i++)
      assert_int_equal(ends[i], 1);
    assert_int_equal(host_next_ms(&host), HOST_NEVER);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_survives_every_kind_of_bytes),
      cmocka_unit_test(a_client_survives_every_kind_of_bytes_and_every_call_ends_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
