/* SPDX-License-Identifier: Apache-2.0 */
/* The server's state and its calls, shared by server.c (life of a call) and fault.c (what goes wrong). Nobody
 * else includes this. */
#pragma once

#include "base/array.h"
#include "sim/apiserver/answer.h"
#include "sim/apiserver/server.h"

typedef enum CallState { CALL_ARRIVING, CALL_ANSWERING, CALL_OPENING, CALL_WATCHING } CallState;

struct KubeCall {
  SimApi *api;
  SimApiLine *line;    /* that it came by */
  KubeRequest request; /* texts and body are copies */
  CallState state;
  HostTimer timer;
  SimApiAnswer answer;
  bool is_lost; /* the connection breaks instead of an answer */
  bool is_hung; /* nothing is said until the client gives up */
  bool is_over; /* answered or cancelled */
  int depth;    /* functions on the stack that still need it */
  /* watches */
  uint64_t place;            /* changes up to this version were sent */
  uint64_t stalled_until_ms; /* HOST_NEVER: dead */
  uint64_t bookmark_at_ms, ends_at_ms;
};

struct SimApi {
  SimApiLine line; /* of all clients without one of their own */
  Host *host;
  SimApiOptions options;
  SimApiStore store;
  ARRAY(KubeCall *) calls;
  SimApiFailure failure;
  uint32_t lose_count, hang_count, repeat_percent;
  bool gone_by_status;
  uint64_t up_at_ms; /* before that nobody can connect */
  void (*on_change)(void *userdata, const SimApiChange *change);
  void *userdata;
};

uint64_t sim_api_delay(SimApi *api); /* of one way, at random */
/* Refused before anything was done; true where it was. */
bool sim_api_call_refuse(KubeCall *call);
/* Loses or holds back the answer of what has been done, where that is due. */
void sim_api_call_trouble(KubeCall *call);
