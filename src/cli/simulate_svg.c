/* SPDX-License-Identifier: Apache-2.0 */
/* One picture from top to bottom: a table that is the legend as well, then three plots with a line for each
 * policy. Lines over time go through the means of BUCKETS equal stretches. No scripts, no fonts, nothing from
 * elsewhere. */
#include "base/real.h"
#include "cli/simulate_show.h"

enum {
  WIDTH = 960,
  LEFT = 70,
  RIGHT = WIDTH - 30,
  PLOT_HEIGHT = 190,
  PLOT_GAP = 80,
  HEAD_HEIGHT = 92,
  ROW_HEIGHT = 21,
  BUCKETS = 300,
  TICKS_MAX = 8,
};

/* Okabe and Ito's colours, which most people can tell apart. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#555555", "#a0a000"};

_Static_assert(COUNT_OF(colours) >= SIMULATE_POLICIES_MAX, "every policy has a colour");

typedef struct Plot {
  Text *out;
  int top;             /* of the plot, in pixels; its height is PLOT_HEIGHT */
  double x_from, x_to; /* what the axis shows, logarithms where it is logarithmic */
  double y_to;         /* from 0 */
} Plot;

/* ---- numbers and words ---- */

static void put_escaped(Text *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<' || *text == '>' || *text == '&')
      text_format(out, "&#%d;", *text);
    else
      text_append_bytes(out, text, 1);
  }
}

static const struct Unit {
  double seconds;
  const char *name;
} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};

/* "2 h", "30 min", "0.5 s": of round times only. */
static void format_time(double seconds, char *text, size_t size) {
  const struct Unit *unit = &units[COUNT_OF(units) - 1];
  for (size_t i = COUNT_OF(units); i-- > 0;)
    if (seconds >= units[i].seconds)
      unit = &units[i];
  snprintf(text, size, "%g %s", seconds / unit->seconds, unit->name);
}

static double choose_time_step(double range_s) {
  static const double steps[] = {1,     2,      5,      10,     30,      60,      120,
                                 300,   600,    1800,   3600,   7200,    21600,   43200,
                                 86400, 172800, 432000, 864000, 1728000, 4320000, 8640000};
  for (size_t i = 0; i < COUNT_OF(steps); i++)
    if (range_s / steps[i] <= TICKS_MAX)
      return steps[i];
  double step = steps[COUNT_OF(steps) - 1];
  while (range_s / step > TICKS_MAX)
    step *= 10;
  return step;
}

/* 1, 2 or 5 times a power of ten. */
static double choose_count_step(double range) {
  double step = 1;
  static const double factors[] = {2, 2.5, 2};
  for (size_t i = 0; range / step > 5; i++)
    step *= factors[i % COUNT_OF(factors)];
  return step;
}

/* ---- plots ---- */

static double x_of(const Plot *plot, double x) {
  double share = (x - plot->x_from) / (plot->x_to - plot->x_from);
  return LEFT + (share < 0 ? 0 : share > 1 ? 1 : share) * (RIGHT - LEFT);
}

static double y_of(const Plot *plot, double y) {
  return plot->top + PLOT_HEIGHT * (1 - y / plot->y_to);
}

static void begin_plot(const Plot *plot, const char *title) {
  text_format(plot->out, "<text x=\"%d\" y=\"%d\" class=\"title\">%s</text>\n", LEFT, plot->top - 12, title);
}

static void put_y_tick(const Plot *plot, double y, const char *label) {
  text_format(plot->out,
              "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" class=\"right\">%s</text>\n",
              LEFT, y_of(plot, y), RIGHT, LEFT - 8, y_of(plot, y) + 4, label);
}

static void put_x_tick(const Plot *plot, double x, const char *label) {
  text_format(
      plot->out,
      "<path class=\"grid\" d=\"M%.1f %dv%d\"/><text x=\"%.1f\" y=\"%d\" class=\"middle\">%s</text>\n",
      x_of(plot, x), plot->top, PLOT_HEIGHT + 5, x_of(plot, x), plot->top + PLOT_HEIGHT + 20, label);
}

static void put_shares(const Plot *plot) {
  for (int percent = 0; percent <= 100; percent += 25) {
    char label[16];
    snprintf(label, sizeof label, "%d %%", percent);
    put_y_tick(plot, percent / 100.0, label);
  }
}

static void put_counts(const Plot *plot) {
  double step = choose_count_step(plot->y_to);
  for (int i = 0; i * step <= plot->y_to; i++) {
    char label[32];
    snprintf(label, sizeof label, "%.0f", i * step);
    put_y_tick(plot, i * step, label);
  }
}

static void put_times(const Plot *plot) {
  double step = choose_time_step(plot->x_to);
  for (int i = 0; i * step <= plot->x_to; i++) {
    char label[32];
    format_time(i * step, label, sizeof label);
    put_x_tick(plot, i * step, label);
  }
}

static void begin_line(const Plot *plot, int policy) {
  text_format(plot->out, "<path class=\"line\" stroke=\"%s\"%s d=\"", colours[policy],
              policy == 0 ? " style=\"stroke-width:2.8\"" : "");
}

static void put_point(const Plot *plot, bool is_first, double x, double y) {
  text_format(plot->out, "%c%.1f %.1f", is_first ? 'M' : 'L', x_of(plot, x), y_of(plot, y));
}

/* ---- over time ---- */

typedef double ValueOf(const SimulateSample *sample, const CliSimulateOutcome *outcome);

static double use_of(const SimulateSample *sample, const CliSimulateOutcome *outcome) {
  return (double)sample->used_memory / (double)outcome->wish->fleet.memory_count;
}

static double waiting_of(const SimulateSample *sample, const CliSimulateOutcome *outcome) {
  return sample->waiting;
}

/* The mean of a value in each of the buckets of time up to end_ms. */
static void average(const CliSimulateOutcome *outcome, const SimulateResult *result, int64_t end_ms,
                    ValueOf *value_of, double means[BUCKETS]) {
  size_t next = 0;
  double value = 0, bucket_ms = (double)end_ms / BUCKETS;
  for (int b = 0; b < BUCKETS; b++) {
    double at = b * bucket_ms, until = (b + 1) * bucket_ms, sum = 0;
    for (; next < result->samples.count && (double)result->samples.items[next].at_ms < until; next++) {
      double change = (double)result->samples.items[next].at_ms;
      if (change > at) {
        sum += value * (change - at);
        at = change;
      }
      value = value_of(&result->samples.items[next], outcome);
    }
    means[b] = (sum + value * (until - at)) / bucket_ms;
  }
}

static void put_over_time(const CliSimulateOutcome *outcome, const Plot *plot, ValueOf *value_of) {
  for (int p = outcome->wish->policy_count - 1; p >= 0; p--) { /* the first one on top */
    double means[BUCKETS];
    average(outcome, &outcome->first[p], (int64_t)(plot->x_to * 1000), value_of, means);
    begin_line(plot, p);
    for (int b = 0; b < BUCKETS; b++)
      put_point(plot, b == 0, plot->x_to * (b + 0.5) / BUCKETS, means[b]);
    text_append(plot->out, "\"/>\n");
  }
}

static double find_end_s(const CliSimulateOutcome *outcome) {
  int64_t end_ms = 1000;
  for (int p = 0; p < outcome->wish->policy_count; p++)
    if (outcome->first[p].end_ms > end_ms)
      end_ms = outcome->first[p].end_ms;
  return (double)end_ms / 1000;
}

static void mark_last_arrival(const CliSimulateOutcome *outcome, const Plot *plot) {
  const SimulateLoad *load = &outcome->first_load;
  double last_s = (double)load->jobs.items[load->jobs.count - 1].arrival_ms / 1000;
  double x = x_of(plot, last_s);
  bool is_right = x > (LEFT + RIGHT) / 2.0;
  text_format(
      plot->out,
      "<path class=\"mark\" d=\"M%.1f %dv%d\"/><text x=\"%.1f\" y=\"%d\" class=\"%s\">last arrival</text>\n",
      x, plot->top, PLOT_HEIGHT, is_right ? x - 6 : x + 6, plot->top + PLOT_HEIGHT - 8,
      is_right ? "right" : "left");
}

static void put_use(const CliSimulateOutcome *outcome, int top, Text *out) {
  Plot plot = {.out = out, .top = top, .x_to = find_end_s(outcome), .y_to = 1};
  begin_plot(&plot, "Memory slots in use by jobs");
  put_shares(&plot);
  put_times(&plot);
  mark_last_arrival(outcome, &plot);
  put_over_time(outcome, &plot, use_of);
}

static void put_waiting(const CliSimulateOutcome *outcome, int top, Text *out) {
  Plot plot = {.out = out, .top = top, .x_to = find_end_s(outcome), .y_to = 4};
  for (int p = 0; p < outcome->wish->policy_count; p++) {
    double means[BUCKETS];
    average(outcome, &outcome->first[p], (int64_t)(plot.x_to * 1000), waiting_of, means);
    for (int b = 0; b < BUCKETS; b++)
      plot.y_to = means[b] * 1.05 > plot.y_to ? means[b] * 1.05 : plot.y_to;
  }
  begin_plot(&plot, "Jobs that wait");
  put_counts(&plot);
  put_times(&plot);
  mark_last_arrival(outcome, &plot);
  put_over_time(outcome, &plot, waiting_of);
}

/* ---- waits ---- */

static const double wait_ticks[] = {0.1, 1, 10, 60, 600, 3600, 36000, 86400, 864000, 8640000};

/* The place of a wait on its axis: logarithmic between ticks. */
static double place_of_wait(double seconds) {
  size_t i = 0;
  if (seconds <= wait_ticks[0])
    return 0;
  while (i + 2 < COUNT_OF(wait_ticks) && seconds > wait_ticks[i + 1])
    i++;
  return (double)i + real_log(seconds / wait_ticks[i]) / real_log(wait_ticks[i + 1] / wait_ticks[i]);
}

static void put_waits(const CliSimulateOutcome *outcome, int top, Text *out) {
  Plot plot = {.out = out, .top = top, .x_to = 2, .y_to = 1};
  for (int p = 0; p < outcome->wish->policy_count; p++) {
    double most = place_of_wait((double)outcome->first[p].all.waits.max_ms / 1000) + 0.1;
    plot.x_to = most > plot.x_to ? most : plot.x_to;
  }
  begin_plot(&plot, "Share of all jobs that began within this time of their arrival");
  put_shares(&plot);
  for (size_t i = 0; i < COUNT_OF(wait_ticks) && (double)i <= plot.x_to; i++) {
    char label[32];
    format_time(wait_ticks[i], label, sizeof label);
    put_x_tick(&plot, (double)i, label);
  }
  for (int p = outcome->wish->policy_count - 1; p >= 0; p--) {
    const SimulateResult *result = &outcome->first[p];
    size_t count = result->waits.count, jobs = (size_t)result->all.jobs;
    begin_line(&plot, p);
    put_point(&plot, true, 0, 0);
    for (int b = 1; b <= BUCKETS; b++) {
      size_t rank = count * (size_t)b / BUCKETS;
      if (rank > 0)
        put_point(&plot, false, place_of_wait((double)result->waits.items[rank - 1] / 1000),
                  (double)rank / (double)jobs);
    }
    put_point(&plot, false, plot.x_to, jobs ? (double)count / (double)jobs : 0);
    text_append(out, "\"/>\n");
  }
}

/* ---- the head ---- */

static const struct Column {
  SimulateMeasure measure;
  int x;
} columns[] = {{SIMULATE_ACCEPTANCE, 355},  {SIMULATE_COMPUTE_USE, 438}, {SIMULATE_MEMORY_USE, 521},
               {SIMULATE_WAIT_P50, 615},    {SIMULATE_WAIT_P95, 709},    {SIMULATE_WAIT_P99, 803},
               {SIMULATE_REPARTITIONS, 920}};

static void put_cell(const SimulateSummary *summary, const struct Column *column, int y, Text *out) {
  double mean = simulate_summary_mean(summary, column->measure).mean;
  SimulateUnit unit = simulate_measure(column->measure)->unit;
  text_format(out, "<text x=\"%d\" y=\"%d\" class=\"right\">%.*f%s</text>\n", column->x, y,
              unit == SIMULATE_COUNT || mean >= 1000 ? 0 : 1, unit == SIMULATE_SHARE ? mean * 100 : mean,
              unit == SIMULATE_SHARE     ? " %"
              : unit == SIMULATE_SECONDS ? " s"
                                         : "");
}

static void put_head(const CliSimulateOutcome *outcome, Text *out) {
  const CliSimulateWish *wish = outcome->wish;
  text_append(out, "<text x=\"30\" y=\"34\" class=\"head\">");
  put_escaped(out, wish->fleet_text);
  text_append(out, "</text>\n<text x=\"30\" y=\"56\">");
  put_escaped(out, wish->load_text);
  if (wish->seed_count > 1)
    text_format(out, "; table: mean of %d seeds, plots: seed %llu", wish->seed_count,
                (unsigned long long)wish->first_seed);
  text_append(out, "</text>\n");
  for (size_t c = 0; c < COUNT_OF(columns); c++)
    text_format(out, "<text x=\"%d\" y=\"%d\" class=\"right bold\">%s</text>\n", columns[c].x, HEAD_HEIGHT,
                simulate_measure(columns[c].measure)->title);
  for (int p = 0; p < wish->policy_count; p++) {
    int y = HEAD_HEIGHT + (p + 1) * ROW_HEIGHT;
    text_format(out, "<path class=\"line\" stroke=\"%s\" style=\"stroke-width:4\" d=\"M30 %dh24\"/>",
                colours[p], y - 4);
    text_format(out, "<text x=\"62\" y=\"%d\"%s>%s</text>\n", y, p == 0 ? " class=\"bold\"" : "",
                wish->policies[p]->title);
    for (size_t c = 0; c < COUNT_OF(columns); c++)
      put_cell(&outcome->summaries[p], &columns[c], y, out);
  }
}

void cli_simulate_show_svg(const CliSimulateOutcome *outcome, Text *out) {
  int top = HEAD_HEIGHT + outcome->wish->policy_count * ROW_HEIGHT + 55, step = PLOT_HEIGHT + PLOT_GAP;
  int height = top + 3 * step - PLOT_GAP + 45;
  text_format(out,
              "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
              "<style>text{font:13px sans-serif;fill:#222}.head{font:bold 19px "
              "sans-serif}.bold,.title{font-weight:bold}"
              ".right{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:#ddd;fill:none}"
              ".mark{stroke:#888;stroke-dasharray:4 3;fill:none}"
              ".line{fill:none;stroke-linejoin:round;stroke-width:1.4}</style>\n"
              "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
              WIDTH, height, WIDTH, height, WIDTH, height);
  put_head(outcome, out);
  put_use(outcome, top, out);
  put_waiting(outcome, top + step, out);
  put_waits(outcome, top + 2 * step, out);
  text_append(out, "</svg>\n");
}
