/* SPDX-License-Identifier: Apache-2.0 */
/* What grpc.c (the session) and grpc_call.c (its calls) share. Private to these two.
 *
 * A call's memory lives as long as its HTTP/2 stream, which is often longer than its owner cares: `ended`
 * says that the owner was told the end, or said it himself, and hears nothing more. nghttp2 closes streams
 * only while it works on received or outgoing bytes, so no call vanishes under a function of ours that runs
 * inside one of its callbacks. */
#pragma once

#include "kubelet/grpc.h"
#include "kubelet/grpc_frame.h"

#include <nghttp2/nghttp2.h>

#include <sys/queue.h>

struct GrpcCall {
  GrpcSession *session;
  LIST_ENTRY(GrpcCall) entry;
  int32_t stream_id; /* 0: HTTP/2 never knew this call */
  bool ended;
  GrpcInbox inbox;
  GrpcOutbox outbox;
  bool is_deferred; /* nghttp2 waits to be told of more outgoing data */
  bool is_grpc;     /* the peer's content-type */
  GrpcStatus status;
  /* server */
  char *method;
  bool is_post;
  bool is_dispatched; /* the owner has seen it, or it was refused */
  bool is_answered;   /* response headers are submitted */
  bool is_finished;   /* status and message are final */
  Text message;       /* grpc-message, encoded */
  void (*on_gone)(void *userdata);
  void *gone_userdata;
  /* client */
  GrpcReply reply;
  HostTimer timer; /* the deadline, or the turn in which a call that could not start is ended */
  uint32_t timeout_ms;
  const char *failure; /* why it could not start; NULL: it did */
  int http_status;
  bool has_status;
  char text[GRPC_STATUS_TEXT_SIZE];
};

struct GrpcSession {
  Host *host;
  nghttp2_session *http2;
  bool is_server;
  GrpcOnCall *on_call;
  void *userdata;
  void (*on_want_write)(void *userdata);
  void *want_write_userdata;
  LIST_HEAD(, GrpcCall) calls; /* newest first */
  size_t call_count;
  int depth;           /* functions of this session on the stack, see grpc_session_enter() */
  bool is_closing;     /* every call was ended, none may start */
  bool is_doomed;      /* freed by its owner while on the stack */
  const char *failure; /* the session is beyond use; NULL while it is not */
  char complaint[160]; /* what nghttp2 or the peer last found wrong; "" */
};

/* Every public function runs between these two: the session cannot go in between. Leaving the outermost frees
 * a doomed session, or else tells the owner that there may be something to write, where `may_write`. */
void grpc_session_enter(GrpcSession *session);
void grpc_session_leave(GrpcSession *session, bool may_write);
/* Checks nghttp2's answer: out of memory ends the process, everything else is returned. */
int grpc_session_checked(int result);
size_t grpc_session_unsent(const GrpcSession *session); /* bytes in all outboxes */

GrpcCall *grpc_call_new(GrpcSession *session);
void grpc_call_free(GrpcCall *call);
/* Tells the owner the end, once; for a server call that it is gone. */
void grpc_call_end(GrpcCall *call, GrpcStatus status, const char *text);
void grpc_call_reset(GrpcCall *call, uint32_t http2_error);
/* What nghttp2 reports. */
void grpc_call_on_header(GrpcCall *call, const char *name, const void *value, size_t size);
void grpc_call_on_request(GrpcCall *call); /* server: the request's headers are complete */
void grpc_call_on_data(GrpcCall *call, const void *bytes, size_t size);
void grpc_call_on_end_stream(GrpcCall *call); /* the peer sends no more */
void grpc_call_on_close(GrpcCall *call, uint32_t http2_error);
