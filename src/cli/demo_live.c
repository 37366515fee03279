/* SPDX-License-Identifier: Apache-2.0 */
/* A frame is text of a known number of lines, none wider than the terminal. The next one goes over it:
 *
 *     cursor up to the frame's first line; each line and "erase to the end of the line"; erase below
 *
 * What does not fit is left out from the least important up: old lines of the timeline, then the single pods
 * (counted by profile instead). Where even that does not fit there is no frame, only plain lines. */
#include "cli/demo_live.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TIMELINE_MIN = 3, TIMELINE_MAX = 12, HEAD_LINES = 2, INDENT = 2 };

static volatile sig_atomic_t stop_signal, has_resized;

static void on_signal(int number) {
  if (number == SIGWINCH)
    has_resized = 1;
  else
    stop_signal = number;
}

int cli_demo_live_signal(void) {
  return stop_signal;
}

typedef struct Frame {
  Text text;
  int columns, rows; /* of the terminal */
  int line_count;
} Frame;

static bool read_size(Frame *frame) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
    return false;
  frame->columns = size.ws_col;
  frame->rows = size.ws_row;
  return true;
}

/* Plain text, cut to the terminal's width: a wrapped line would spoil the counting. */
static void put(Frame *frame, const char *text) {
  text_format(&frame->text, "%.*s\033[K\n", frame->columns - 1, text);
  frame->line_count++;
}

/* ---- parts of the frame ---- */

static int count_gpus(const CliDemoStory *story, int *ret_width) {
  int count = 0;
  *ret_width = 0;
  for (int n = 0; n < story->cluster->node_count; n++) {
    const json_t *node =
        sim_api_store_find(sim_api_store(story->cluster->api), SIM_API_NODES, story->cluster->nodes[n].name);
    CliDemoGpu gpu;
    for (int g = 0; cli_demo_gpu_read(node, g, &gpu); g++, count++) {
      int width = gpu.model->slot_count * DRAW_SLOT_WIDTH + 1 + INDENT;
      *ret_width = width > *ret_width ? width : *ret_width;
    }
  }
  return count;
}

static void put_head(Frame *frame, const CliDemoStory *story, uint64_t at_ms) {
  CLEANUP(text_deinit) Text line = {0};
  text_format(&line, "facet demo   %6.2f s", (double)at_ms / 1000);
  for (int state = CLI_DEMO_POD_STATE_COUNT - 1; state >= 0; state--) {
    size_t count = cli_demo_story_count(story, (CliDemoPodState)state);
    if (count)
      text_format(&line, "   %zu %s", count, cli_demo_pod_state_name((CliDemoPodState)state));
  }
  put(frame, text_string(&line));
  put(frame, "");
}

static void put_gpus(Frame *frame, const CliDemoStory *story) {
  for (int n = 0; n < story->cluster->node_count; n++) {
    const char *name = story->cluster->nodes[n].name;
    const json_t *node = sim_api_store_find(sim_api_store(story->cluster->api), SIM_API_NODES, name);
    CliDemoGpu gpu;
    for (int g = 0; cli_demo_gpu_read(node, g, &gpu); g++) {
      CLEANUP(cleanup_free) char *title = mem_format("  %s GPU %d   %s", name, g, gpu.model->name);
      put(frame, title);
      text_append(&frame->text, "  ");
      cli_draw_layout(&gpu.layout, gpu.states, story->colours, &frame->text);
      text_append(&frame->text, "\033[K\n");
      frame->line_count++;
    }
  }
  put(frame, "");
}

static void put_pods(Frame *frame, const CliDemoStory *story) {
  for (size_t i = 0; i < story->pods.count; i++) {
    const CliDemoPod *pod = &story->pods.items[i];
    bool says_why = pod->state == CLI_DEMO_POD_WAITING || pod->state == CLI_DEMO_POD_FAILED;
    CLEANUP(cleanup_free)
    char *line = mem_format("  %-12s %-12s %-9s %s", pod->key, pod->profile,
                            cli_demo_pod_state_name(pod->state), says_why ? pod->note : pod->node);
    put(frame, line);
  }
}

static bool is_first_of_profile(const CliDemoStory *story, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(story->pods.items[k].profile, story->pods.items[i].profile) == 0)
      return false;
  return true;
}

static int count_profiles(const CliDemoStory *story) {
  int count = 0;
  for (size_t i = 0; i < story->pods.count; i++)
    count += is_first_of_profile(story, i);
  return count;
}

static void put_profile(Frame *frame, const CliDemoStory *story, const char *profile) {
  size_t counts[CLI_DEMO_POD_STATE_COUNT] = {0};
  for (size_t i = 0; i < story->pods.count; i++)
    if (strcmp(story->pods.items[i].profile, profile) == 0)
      counts[story->pods.items[i].state]++;
  CLEANUP(text_deinit) Text line = {0};
  text_format(&line, "  %-12s", profile);
  for (int state = CLI_DEMO_POD_STATE_COUNT - 1; state >= 0; state--)
    if (counts[state])
      text_format(&line, " %4zu %s", counts[state], cli_demo_pod_state_name((CliDemoPodState)state));
  put(frame, text_string(&line));
}

static void put_profiles(Frame *frame, const CliDemoStory *story) {
  for (size_t i = 0; i < story->pods.count; i++)
    if (is_first_of_profile(story, i))
      put_profile(frame, story, story->pods.items[i].profile);
}

/* The newest lines, without the drawings: those are above. */
static void put_timeline(Frame *frame, const CliDemoStory *story, int most) {
  size_t first = story->lines.count;
  for (int shown = 0; first > 0 && shown < most; first--)
    shown += story->lines.items[first - 1].actor[0] != '\0';
  put(frame, "");
  for (size_t i = first; i < story->lines.count; i++) {
    const CliDemoLine *line = &story->lines.items[i];
    if (!line->actor[0])
      continue;
    CLEANUP(cleanup_free)
    char *text = mem_format("%6.2f s  %-10s  %s", (double)line->at_ms / 1000, line->actor, line->text);
    put(frame, text);
  }
}

/* False where the terminal is too small. */
static bool compose(Frame *frame, const CliDemoStory *story, uint64_t at_ms) {
  int width, gpu_lines = count_gpus(story, &width) * 2 + 1;
  int rest = frame->rows - 1 - HEAD_LINES - gpu_lines - 1 - TIMELINE_MIN;
  bool each_pod = (int)story->pods.count <= rest;
  int pod_lines = each_pod ? (int)story->pods.count : count_profiles(story);
  if (frame->columns <= width || pod_lines > rest)
    return false;
  int timeline = TIMELINE_MIN + rest - pod_lines;
  put_head(frame, story, at_ms);
  put_gpus(frame, story);
  if (each_pod)
    put_pods(frame, story);
  else
    put_profiles(frame, story);
  put_timeline(frame, story, timeline < TIMELINE_MAX ? timeline : TIMELINE_MAX);
  return true;
}

/* ---- the screen ---- */

static void write_out(const char *text, size_t size) {
  while (size > 0) {
    ssize_t written = write(STDOUT_FILENO, text, size);
    if (written <= 0)
      return;
    text += written;
    size -= (size_t)written;
  }
}

static void catch_signals(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < COUNT_OF(numbers); i++)
    sigaction(numbers[i], &action, NULL);
}

void cli_demo_live_start(CliDemoLive *live, const CliDemoStory *story) {
  const char *terminal = getenv("TERM");
  Frame frame = {.line_count = 0};
  *live = (CliDemoLive){.story = story};
  if (!isatty(STDOUT_FILENO) || !terminal || strcmp(terminal, "dumb") == 0 || !read_size(&frame))
    return;
  bool fits = compose(&frame, story, 0);
  text_deinit(&frame.text);
  if (!fits)
    return;
  live->is_on = true;
  fflush(stdout);
  catch_signals();
  write_out("\033[?25l", strlen("\033[?25l"));
}

void cli_demo_live_draw(CliDemoLive *live, uint64_t at_ms) {
  CLEANUP(text_deinit) Text screen = {0};
  Frame frame = {.line_count = 0};
  if (!live->is_on)
    return;
  if (!read_size(&frame) || !compose(&frame, live->story, at_ms)) {
    text_deinit(&frame.text);
    cli_demo_live_stop(live);
    return;
  }
  if (has_resized) /* lines may have wrapped: nobody knows where the old frame is */
    text_append(&screen, "\033[H\033[2J");
  else if (live->line_count)
    text_format(&screen, "\033[%dA\r", live->line_count);
  has_resized = 0;
  text_append_bytes(&screen, text_string(&frame.text), frame.text.size);
  text_append(&screen, "\033[J");
  write_out(screen.bytes, screen.size);
  live->line_count = frame.line_count;
  text_deinit(&frame.text);
}

void cli_demo_live_stop(CliDemoLive *live) {
  if (live->is_on)
    write_out("\033[?25h", strlen("\033[?25h"));
  live->is_on = false;
}
