/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in the demo's cluster, in words: the changes of its objects become lines of a timeline, and
 * the pods' way from waiting to running. */
#pragma once

#include "base/log.h"
#include "cli/demo_gpu.h"
#include "sim/cluster/cluster.h"

enum { CLI_DEMO_LINES_KEPT = 64 };

typedef enum CliDemoPodState {
  CLI_DEMO_POD_WAITING,
  CLI_DEMO_POD_STARTING,
  CLI_DEMO_POD_RUNNING,
  CLI_DEMO_POD_FAILED,
  CLI_DEMO_POD_STATE_COUNT
} CliDemoPodState;

typedef struct CliDemoPod {
  char *key; /* "demo/p-1" */
  char profile[MIG_PROFILE_NAME_SIZE];
  CliDemoPodState state;
  char *node;    /* "" while it waits */
  char *note;    /* why it waits, in the controller's words, or else the scheduler's; "" */
  bool is_noted; /* by the controller */
} CliDemoPod;

typedef struct CliDemoLine {
  uint64_t at_ms;    /* since the story began */
  const char *actor; /* "" of a drawing, which belongs to the line before */
  char *text;
} CliDemoLine;

typedef struct CliDemoStory {
  SimCluster *cluster;
  uint64_t began_ms;
  uint64_t act_ms;     /* when its present act began */
  uint64_t running_ms; /* when the last pod began to run */
  int reservation_count;
  bool verbose, colours;
  ARRAY(CliDemoPod) pods;
  ARRAY(CliDemoLine) lines;                                 /* the newest CLI_DEMO_LINES_KEPT */
  void (*on_line)(void *userdata, const CliDemoLine *line); /* may be NULL */
  void *userdata;
} CliDemoStory;

/* Begins now: hears of all changes of the cluster from here on. */
void cli_demo_story_init(CliDemoStory *story, SimCluster *cluster, bool verbose, bool colours);
void cli_demo_story_deinit(CliDemoStory *story); /* a cleanup function as it is */
void cli_demo_story_tell(CliDemoStory *story, const char *actor, const char *format, ...) PRINTF_LIKE(3, 4);
/* A log line of the programs: told where it is a warning, or everything is asked for. */
void cli_demo_story_log(void *userdata, LogLevel level, const char *component, const char *message,
                        const char *fields);
/* The slots of all GPUs that have slices, as lines of the timeline. */
void cli_demo_story_draw_all(CliDemoStory *story);

size_t cli_demo_story_count(const CliDemoStory *story, CliDemoPodState state);
/* A new act: from here on the time until all pods run is counted. */
void cli_demo_story_begin_act(CliDemoStory *story);
/* Nothing is under way any more: all pods run and all plans are answered, or nothing has changed for long. */
bool cli_demo_story_is_over(void *userdata);
/* The last lines: "5 of 5 pods Running in 1.3 s", and who still waits for what. */
void cli_demo_story_format_end(const CliDemoStory *story, Text *out);
const char *cli_demo_pod_state_name(CliDemoPodState state);
