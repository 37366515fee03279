/* SPDX-License-Identifier: Apache-2.0 */
/* The story on a terminal: one frame, redrawn in place. */
#pragma once

#include "cli/demo_story.h"

typedef struct CliDemoLive {
  const CliDemoStory *story;
  bool is_on;
  int line_count; /* of the frame on the screen */
} CliDemoLive;

/* Begins if standard output is a terminal that is large enough, and hides the cursor. */
void cli_demo_live_start(CliDemoLive *live, const CliDemoStory *story);
/* at_ms: what the clock shows, since the story began. A terminal that has become too small ends it. */
void cli_demo_live_draw(CliDemoLive *live, uint64_t at_ms);
/* Leaves the last frame where it is and shows the cursor again. */
void cli_demo_live_stop(CliDemoLive *live);
/* The signal that asked to stop, or 0. */
int cli_demo_live_signal(void);
