/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp_relay.h"

#include "base/memory.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

typedef struct Link Link;

/* Both ends of one connection; it is gone when both handles are closed. */
struct Link {
  TcpRelay *relay;
  uv_tcp_t ends[2];
  uv_connect_t connect;
  int open_handles;
  Link *next;
};

struct TcpRelay {
  uv_loop_t *loop;
  uv_tcp_t *listener; /* NULL while refusing */
  int port, target_port;
  int accepted;
  Link *links;
};

static void on_end_closed(uv_handle_t *handle) {
  Link *link = handle->data;
  if (--link->open_handles == 0)
    free(link);
}

static void close_link(Link *link) {
  for (Link **at = &link->relay->links; *at; at = &(*at)->next) {
    if (*at != link)
      continue;
    *at = link->next;
    break;
  }
  for (int i = 0; i < 2; i++)
    if (!uv_is_closing((uv_handle_t *)&link->ends[i]))
      uv_close((uv_handle_t *)&link->ends[i], on_end_closed);
}

typedef struct Passing {
  uv_write_t write;
  char bytes[];
} Passing;

static void on_written(uv_write_t *write, int status) {
  free(write);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  static char bytes[65536];
  *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  Link *link = stream->data;
  if (size < 0) {
    close_link(link);
    return;
  }
  uv_tcp_t *other = &link->ends[stream == (uv_stream_t *)&link->ends[0]];
  Passing *passing = mem_alloc(sizeof *passing + (size_t)size);
  memcpy(passing->bytes, buffer->base, (size_t)size);
  uv_buf_t out = uv_buf_init(passing->bytes, (unsigned)size);
  if (uv_write(&passing->write, (uv_stream_t *)other, &out, 1, on_written) < 0)
    free(passing);
}

static void on_connected(uv_connect_t *connect, int status) {
  Link *link = connect->data;
  if (uv_is_closing((uv_handle_t *)&link->ends[0]))
    return;
  if (status < 0) {
    close_link(link);
    return;
  }
  for (int i = 0; i < 2; i++)
    uv_read_start((uv_stream_t *)&link->ends[i], give_buffer, on_read);
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void on_connection(uv_stream_t *listener, int status) {
  TcpRelay *relay = listener->data;
  Link *link = mem_alloc(sizeof *link);
  link->relay = relay;
  link->next = relay->links;
  relay->links = link;
  link->open_handles = 2;
  link->connect.data = link;
  for (int i = 0; i < 2; i++) {
    uv_tcp_init(relay->loop, &link->ends[i]);
    link->ends[i].data = link;
  }
  relay->accepted++;
  struct sockaddr_in target = loopback(relay->target_port);
  if (uv_accept(listener, (uv_stream_t *)&link->ends[0]) < 0 ||
      uv_tcp_connect(&link->connect, &link->ends[1], (struct sockaddr *)&target, on_connected) < 0)
    close_link(link);
}

static void on_listener_closed(uv_handle_t *handle) {
  free(handle);
}

void tcp_relay_listen(TcpRelay *relay) {
  assert(!relay->listener);
  struct sockaddr_in address = loopback(relay->port);
  int size = sizeof address;
  relay->listener = mem_alloc(sizeof *relay->listener);
  relay->listener->data = relay;
  uv_tcp_init(relay->loop, relay->listener);
  int r = uv_tcp_bind(relay->listener, (struct sockaddr *)&address, 0);
  if (r == 0)
    r = uv_listen((uv_stream_t *)relay->listener, 16, on_connection);
  assert(r == 0);
  uv_tcp_getsockname(relay->listener, (struct sockaddr *)&address, &size);
  relay->port = ntohs(address.sin_port);
}

TcpRelay *tcp_relay_new(uv_loop_t *loop, int target_port) {
  TcpRelay *relay = mem_alloc(sizeof *relay);
  relay->loop = loop;
  relay->target_port = target_port;
  tcp_relay_listen(relay);
  return relay;
}

void tcp_relay_cut(TcpRelay *relay, int refuse) {
  while (relay->links)
    close_link(relay->links);
  if (refuse && relay->listener)
    uv_close((uv_handle_t *)TAKE(relay->listener), on_listener_closed);
}

void tcp_relay_free(TcpRelay *relay) {
  tcp_relay_cut(relay, 1);
  free(relay);
}

int tcp_relay_port(const TcpRelay *relay) {
  return relay->port;
}

int tcp_relay_accepted(const TcpRelay *relay) {
  return relay->accepted;
}
