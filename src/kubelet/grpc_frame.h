/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's own framing inside HTTP/2 data: every message is one byte (compressed or not), four bytes of length,
 * and the message. The inbox cuts received bytes into messages, the outbox queues messages as bytes. Private
 * to the gRPC files. */
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

enum { GRPC_FRAME_PREFIX_SIZE = 5, GRPC_FRAME_MESSAGE = 1 /* condition of grpc_inbox_next */ };

typedef struct GrpcInbox {
  Text bytes;
  size_t start; /* of what was not handed out yet */
} GrpcInbox;

typedef struct GrpcOutbox {
  Text bytes;
  size_t start; /* of what was not sent yet */
} GrpcOutbox;

void grpc_inbox_add(GrpcInbox *inbox, const void *bytes, size_t size);
/* GRPC_FRAME_MESSAGE: a message, borrowed until the next grpc_inbox_add(); 0: more bytes are needed.
 * Negative: ERROR_UNSUPPORTED for a compressed message, ERROR_LIMIT for one above GRPC_MESSAGE_SIZE_MAX. */
int grpc_inbox_next(GrpcInbox *inbox, const void **ret_message, size_t *ret_size, Error *err) MUST_CHECK;
/* The same verdict as grpc_inbox_next would give, without taking the message. */
int grpc_inbox_check(const GrpcInbox *inbox, Error *err) MUST_CHECK;
size_t grpc_inbox_size(const GrpcInbox *inbox); /* bytes not handed out */
void grpc_inbox_deinit(GrpcInbox *inbox);

void grpc_outbox_add(GrpcOutbox *outbox, const void *message, size_t size);
/* Moves up to `size` bytes to `buffer` and returns how many. */
size_t grpc_outbox_take(GrpcOutbox *outbox, void *buffer, size_t size);
size_t grpc_outbox_size(const GrpcOutbox *outbox); /* bytes not taken */
void grpc_outbox_deinit(GrpcOutbox *outbox);
