/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's device plugin publishes, and reads the GPUs only when it starts or is told to. When does it have
 * to read them again? Pure: a step takes what is known and returns what to do.
 *
 *     SHOWN      the kubelet shows exactly the slices that exist
 *         |      a slice came or went
 *     GATHERING  until the GPUs are not at work and nothing came for 0.2 s: one time for all of them
 *         |      ASK
 *     ASKED      until the kubelet shows them: 15 s after a signal, 60 s after its pod was deleted, then once
 *                more in the other way, then ever more rarely; after a refusal 5 s, then ever more rarely
 *
 *     GONE       it showed them and does not any more: the plugin is starting again, or holds a GPU for sick.
 *                That is its own affair; it is reported, and nobody is asked.
 *
 * Each time is a moment without a plugin, so none is spent where it cannot help (`is_hopeless`). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
  AGENT_REREAD_GATHER_MS = 200,
  AGENT_REREAD_GATHER_MAX_MS = 2000, /* then it does not wait for a quiet moment, only for the driver */
  AGENT_REREAD_AGAIN_MS = 15000,     /* after a signal, doubling */
  AGENT_REREAD_RESTART_MS = 60000,   /* after its pod was deleted, doubling */
  AGENT_REREAD_STARTS_MS = 30000,    /* ... for slices that came later */
  AGENT_REREAD_REFUSED_MS = 5000,    /* after it could not be asked, doubling */
  AGENT_REREAD_AGAIN_MAX_MS = 300000,
  AGENT_REREAD_STAGE_MS = 5000,   /* a wait is told to the node */
  AGENT_REREAD_TROUBLE_MS = 60000 /* ... and is an error */
};

typedef enum AgentRereadState {
  AGENT_REREAD_SHOWN,
  AGENT_REREAD_GATHERING,
  AGENT_REREAD_ASKING, /* the answer to ASK is on its way */
  AGENT_REREAD_ASKED,
  AGENT_REREAD_GONE,
} AgentRereadState;

typedef enum AgentRereadWay {
  AGENT_REREAD_NO_WAY, /* not asked yet, or refused */
  AGENT_REREAD_SIGNAL, /* SIGHUP to its process */
  AGENT_REREAD_POD,    /* its pod was deleted, and a new one comes */
} AgentRereadWay;

typedef struct AgentReread {
  AgentRereadState state;
  uint64_t began_ms;      /* the kubelet has not shown the slices since */
  uint64_t gather_ms;     /* when GATHERING began */
  uint64_t changed_ms;    /* the last slice came or went */
  uint64_t asked_ms;      /* or refused */
  uint32_t wait_ms;       /* from then to the next time */
  uint64_t shown_changes; /* what was shown last, as the count of changes; 0: nothing yet */
  uint64_t seen_changes;  /* what is being waited for */
  uint64_t asked_changes; /* what the plugin was asked to read */
  AgentRereadWay way;     /* in which it was asked last */
  char refusal[ERROR_TEXT_SIZE];
} AgentReread;

typedef struct AgentRereadView {
  uint64_t now_ms;
  uint64_t changes; /* how often slices came or went, at least 1 */
  bool is_answered; /* the kubelet has said since what it shows */
  bool is_shown;    /* ... and it is exactly the slices that exist */
  bool is_busy;     /* slices are being made or taken away */
  bool is_hopeless; /* the plugin publishes them in a way that does not fit */
} AgentRereadView;

/* True: ask the plugin now (agent_reread_done or agent_reread_refuse tells how it went). */
bool agent_reread_step(AgentReread *reread, const AgentRereadView *view);
void agent_reread_done(AgentReread *reread, AgentRereadWay way, uint64_t now_ms);
void agent_reread_refuse(AgentReread *reread, const char *reason, uint64_t now_ms);
/* The way in which it has been asked for these slices did not help: try another one first. */
bool agent_reread_prefers_pod(const AgentReread *reread);
/* When a step is due although nothing happens; HOST_NEVER. */
uint64_t agent_reread_wake_ms(const AgentReread *reread);
/* How long the kubelet has not shown the slices. */
uint64_t agent_reread_waits_ms(const AgentReread *reread, uint64_t now_ms);
