/* SPDX-License-Identifier: Apache-2.0 */
/*     00 | 00 00 00 05 | h e l l o      not compressed, five bytes
 *
 * Both boxes are a text with a start index: taking moves the index, and the front is dropped in one go when
 * that is cheap, so that nothing is moved byte by byte. An emptied outbox gives its memory back, because a
 * ListAndWatch stream lives as long as the kubelet and is silent nearly always. */
#include "kubelet/grpc_frame.h"

#include "kubelet/grpc.h"

#include <assert.h>
#include <string.h>

static uint32_t message_size(const GrpcInbox *inbox) {
  const uint8_t *prefix = (const uint8_t *)inbox->bytes.bytes + inbox->start;
  return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
}

void grpc_inbox_add(GrpcInbox *inbox, const void *bytes, size_t size) {
  text_drop_front(&inbox->bytes, inbox->start);
  inbox->start = 0;
  text_append_bytes(&inbox->bytes, bytes, size);
}

int grpc_inbox_check(const GrpcInbox *inbox, Error *err) {
  if (grpc_inbox_size(inbox) < GRPC_FRAME_PREFIX_SIZE)
    return 0;
  if (inbox->bytes.bytes[inbox->start] != 0)
    return error_set(err, ERROR_UNSUPPORTED, "compressed messages are not supported");
  uint32_t size = message_size(inbox);
  if (size > GRPC_MESSAGE_SIZE_MAX)
    return error_set(err, ERROR_LIMIT, "a message of %u bytes is larger than the limit of %d", size,
                     GRPC_MESSAGE_SIZE_MAX);
  return grpc_inbox_size(inbox) - GRPC_FRAME_PREFIX_SIZE >= size ? GRPC_FRAME_MESSAGE : 0;
}

int grpc_inbox_next(GrpcInbox *inbox, const void **ret_message, size_t *ret_size, Error *err) {
  int verdict = grpc_inbox_check(inbox, err);
  if (verdict != GRPC_FRAME_MESSAGE)
    return verdict;
  size_t size = message_size(inbox);
  *ret_message = inbox->bytes.bytes + inbox->start + GRPC_FRAME_PREFIX_SIZE;
  *ret_size = size;
  inbox->start += GRPC_FRAME_PREFIX_SIZE + size;
  return GRPC_FRAME_MESSAGE;
}

size_t grpc_inbox_size(const GrpcInbox *inbox) {
  return inbox->bytes.size - inbox->start;
}

void grpc_inbox_deinit(GrpcInbox *inbox) {
  text_deinit(&inbox->bytes);
  inbox->start = 0;
}

void grpc_outbox_add(GrpcOutbox *outbox, const void *message, size_t size) {
  assert(size <= GRPC_MESSAGE_SIZE_MAX);
  const uint8_t prefix[GRPC_FRAME_PREFIX_SIZE] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                                  (uint8_t)(size >> 8), (uint8_t)size};
  if (outbox->start > outbox->bytes.size / 2) {
    text_drop_front(&outbox->bytes, outbox->start);
    outbox->start = 0;
  }
  text_append_bytes(&outbox->bytes, prefix, sizeof prefix);
  text_append_bytes(&outbox->bytes, message, size);
}

size_t grpc_outbox_take(GrpcOutbox *outbox, void *buffer, size_t size) {
  size_t left = grpc_outbox_size(outbox);
  size_t taken = size < left ? size : left;
  if (taken)
    memcpy(buffer, outbox->bytes.bytes + outbox->start, taken);
  outbox->start += taken;
  if (taken == left)
    grpc_outbox_deinit(outbox);
  return taken;
}

size_t grpc_outbox_size(const GrpcOutbox *outbox) {
  return outbox->bytes.size - outbox->start;
}

void grpc_outbox_deinit(GrpcOutbox *outbox) {
  text_deinit(&outbox->bytes);
  outbox->start = 0;
}
