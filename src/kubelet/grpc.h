/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC over HTTP/2, sans-I/O: a session turns received bytes into calls and messages, and calls into bytes to
 * send. One session per connection, client or server. HTTP/2 itself is nghttp2's; the gRPC framing is ours.
 *
 * Callbacks come from inside grpc_session_feed(), grpc_session_output(), grpc_session_fail() and _free()
 * (on_end with GRPC_UNAVAILABLE) and, for deadlines, from the host's timers. After on_end the call is gone.
 * Inside a callback everything may be called, freeing the session included: it then goes when the callback
 * has returned, and the function that it came from returns 0. Starting calls on a session that ends is a
 * mistake. */
#pragma once

#include "base/error.h"
#include "base/host.h"
#include "base/text.h"

enum {
  GRPC_MESSAGE_SIZE_MAX = 16 << 20, /* one received message */
  GRPC_STREAMS_MAX = 128,           /* concurrent calls of one connection */
  GRPC_QUEUE_SIZE_MAX = 32 << 20,   /* unsent bytes of one connection: more ends it */
  GRPC_STATUS_TEXT_SIZE = 512,      /* status texts are cut to this, the NUL included */
};

/* The status codes of gRPC (grpc/doc/statuscodes.md). */
typedef enum GrpcStatus {
  GRPC_OK = 0,
  GRPC_CANCELLED = 1,
  GRPC_UNKNOWN = 2,
  GRPC_INVALID_ARGUMENT = 3,
  GRPC_DEADLINE_EXCEEDED = 4,
  GRPC_NOT_FOUND = 5,
  GRPC_PERMISSION_DENIED = 7,
  GRPC_RESOURCE_EXHAUSTED = 8,
  GRPC_FAILED_PRECONDITION = 9,
  GRPC_UNIMPLEMENTED = 12,
  GRPC_INTERNAL = 13,
  GRPC_UNAVAILABLE = 14,
  GRPC_UNAUTHENTICATED = 16,
} GrpcStatus;

typedef struct GrpcSession GrpcSession;
typedef struct GrpcCall GrpcCall;

/* Server: a method was called with its (single) request message. Answer now or later with grpc_call_send and
 * grpc_call_finish. Streaming answers send several messages. */
typedef void GrpcOnCall(void *userdata, GrpcCall *call, const char *method, const void *message, size_t size);

GrpcSession *grpc_session_new_server(Host *host, GrpcOnCall *on_call, void *userdata);
GrpcSession *grpc_session_new_client(Host *host);
void grpc_session_free(GrpcSession *session);
DEFINE_CLEANUP(GrpcSession, grpc_session_free)
/* Ends all open calls with GRPC_UNAVAILABLE and this text, as grpc_session_free() does with its own. Only
 * grpc_session_free() may follow. */
void grpc_session_fail(GrpcSession *session, const char *why);

/* Bytes from the peer. Negative: the session is broken beyond use, close the connection. */
int grpc_session_feed(GrpcSession *session, const void *bytes, size_t size, Error *err) MUST_CHECK;
/* Bytes for the peer: appends all there are to `out`. Call after feed, after starting or answering calls, and
 * whenever on_want_write fires. Negative: broken, close the connection. */
int grpc_session_output(GrpcSession *session, Text *out, Error *err) MUST_CHECK;
/* Called whenever there may be something to output outside of feed. */
void grpc_session_on_want_write(GrpcSession *session, void (*on_want_write)(void *userdata), void *userdata);

/* Server side of a call. */
void grpc_call_send(GrpcCall *call, const void *message, size_t size);
void grpc_call_finish(GrpcCall *call, GrpcStatus status, const char *text); /* the call is gone */
/* The peer cancelled or the connection went, before finish: the call is gone. */
void grpc_call_on_gone(GrpcCall *call, void (*on_gone)(void *userdata), void *userdata);

/* Client side: any number of messages, then exactly one end. */
typedef struct GrpcReply {
  void (*on_message)(void *userdata, const void *message, size_t size);
  void (*on_end)(void *userdata, GrpcStatus status, const char *text);
  void *userdata;
} GrpcReply;
/* timeout_ms 0: no deadline. */
GrpcCall *grpc_session_call(GrpcSession *session, const char *method, const void *message, size_t size,
                            uint32_t timeout_ms, const GrpcReply *reply);
void grpc_call_cancel(GrpcCall *call); /* client: no further callback */
