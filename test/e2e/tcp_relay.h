/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP relay on a libuv loop that a test can cut and restore: the network between us and the API server. */
#pragma once

#include <uv.h>

typedef struct TcpRelay TcpRelay;

/* Listens on a free port of 127.0.0.1. */
TcpRelay *tcp_relay_new(uv_loop_t *loop, int target_port);
void tcp_relay_free(TcpRelay *relay); /* its handles finish with the loop's next turns */
int tcp_relay_port(const TcpRelay *relay);
int tcp_relay_accepted(const TcpRelay *relay); /* connections ever made through it */
/* Ends all connections; with `refuse` the port refuses new ones until tcp_relay_listen(). */
void tcp_relay_cut(TcpRelay *relay, int refuse);
void tcp_relay_listen(TcpRelay *relay);
