/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC session on a stream of the kubelet port: moves the bytes between the two, and ends both together. */
#pragma once

#include "kubelet/grpc.h"
#include "kubelet/port.h"

typedef struct KubeletConnection KubeletConnection;
/* The peer went, could not be reached, or broke the protocol. The owner forgets the connection; its calls end
 * right after this with the same reason, and then it is gone. */
typedef void KubeletOnLost(void *userdata, const Error *err);

/* A client's connection. Calls may start at once, they are sent when the peer has answered. */
KubeletConnection *kubelet_connection_dial(Host *host, KubeletPort *port, const char *path,
                                           KubeletOnLost *on_lost, void *userdata);
/* A server's connection, for a stream that a listener has just accepted. */
KubeletConnection *kubelet_connection_accept(Host *host, KubeletPort *port, KubeletStream *stream,
                                             GrpcOnCall *on_call, KubeletOnLost *on_lost, void *userdata);
GrpcSession *kubelet_connection_session(KubeletConnection *connection);
/* The owner has enough of it: its calls end as those of grpc_session_free(), on_lost does not come. Allowed
 * in every callback. */
void kubelet_connection_close(KubeletConnection *connection);
DEFINE_CLEANUP(KubeletConnection, kubelet_connection_close)
