/* SPDX-License-Identifier: Apache-2.0 */
/* The program:
 *
 *     x[c,n]    how many pods of class c are on node n; none where zone or taint forbid
 *     z[n,s,k]  how many of node n's GPUs in state s get pattern k
 *
 *     max  sum x
 *     sum over n of x[c,n]            <=  pods of the class
 *     sum over c of x[c,n] * asks[c]  <=  what the node has, for cpu, memory, cards, pods
 *     sum over c of x[c,n] * need[c,p] <= sum over s,k of z[n,s,k] * pattern[k,p], for each profile p
 *     sum over k of z[n,s,k]          <=  GPUs of the node in that state
 *
 * A state is a model with its layout and what is known of it. A pattern is what pods can have of a GPU in
 * that state: the free slices that stay and those that are created, found by trying every layout slot by
 * slot. Only patterns that no other contains are written. */
#include "ilp.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <sys/wait.h>

enum { KINDS_MAX = FAMILY_CLASSES_MAX * FAMILY_NEEDS_MAX, PATTERNS_MAX = 4000, STATES_MAX = 8 };

typedef struct Pattern {
  int count[KINDS_MAX];
} Pattern;

typedef struct State {
  const SnapshotNode *node;
  const SnapshotGpu *gpu;
  int gpu_count; /* of the node that are like this one */
  Pattern *patterns;
  int pattern_count;
} State;

typedef struct Ilp {
  const Family *family;
  const char *kinds[KINDS_MAX];
  int kind_count;
  Text text, integers;
  int rows;
} Ilp;

static void ilp_deinit(Ilp *ilp) {
  text_deinit(&ilp->text);
  text_deinit(&ilp->integers);
}

static void collect_kinds(Ilp *ilp) {
  for (int c = 0; c < ilp->family->class_count; c++)
    for (int n = 0; n < ilp->family->classes[c].need_count; n++) {
      const char *profile = ilp->family->classes[c].needs[n].profile;
      int kind = 0;
      while (kind < ilp->kind_count && strcmp(ilp->kinds[kind], profile) != 0)
        kind++;
      ilp->kinds[kind] = profile;
      ilp->kind_count += kind == ilp->kind_count;
    }
}

/* ---- patterns ---- */

static bool contains(const Pattern *a, const Pattern *b) {
  for (int i = 0; i < KINDS_MAX; i++)
    if (a->count[i] < b->count[i])
      return false;
  return true;
}

static void add_pattern(State *state, const Pattern *pattern) {
  int kept = 0;
  for (int i = 0; i < state->pattern_count; i++)
    if (contains(&state->patterns[i], pattern))
      return;
  for (int i = 0; i < state->pattern_count; i++)
    if (!contains(pattern, &state->patterns[i]))
      state->patterns[kept++] = state->patterns[i];
  assert_true(kept < PATTERNS_MAX);
  state->patterns[kept++] = *pattern;
  state->pattern_count = kept;
}

static void try_creates(const Ilp *ilp, State *state, MigLayout *layout, Pattern *pattern, int slot) {
  add_pattern(state, pattern);
  for (int start = slot; start < layout->model->slot_count; start++)
    for (int kind = 0; kind < ilp->kind_count; kind++) {
      int profile = mig_model_find_profile(layout->model, ilp->kinds[kind]);
      if (profile < 0 || !mig_layout_can_place(layout, profile, start))
        continue;
      mig_layout_place(layout, profile, start);
      pattern->count[kind]++;
      try_creates(ilp, state, layout, pattern, start + 1);
      pattern->count[kind]--;
      mig_layout_remove(layout, start);
    }
}

/* Each free slice stays, or goes where nobody keeps it. */
static void try_withdrawals(const Ilp *ilp, State *state, MigLayout *layout, Pattern *pattern, int index) {
  const SnapshotGpu *gpu = state->gpu;
  if (index == gpu->layout->count) {
    try_creates(ilp, state, layout, pattern, 0);
    return;
  }
  const MigInstance *instance = &gpu->layout->instances[index];
  bool is_used = gpu->used_starts >> instance->start & 1, is_kept = gpu->keep_starts >> instance->start & 1;
  int kind = 0;
  while (kind < ilp->kind_count &&
         strcmp(ilp->kinds[kind], gpu->model->profiles[instance->profile].name) != 0)
    kind++;
  bool counts = !is_used && kind < ilp->kind_count;
  if (counts)
    pattern->count[kind]++;
  try_withdrawals(ilp, state, layout, pattern, index + 1);
  if (counts)
    pattern->count[kind]--;
  if (is_used || is_kept)
    return;
  mig_layout_remove(layout, instance->start);
  try_withdrawals(ilp, state, layout, pattern, index + 1);
  mig_layout_place(layout, instance->profile, instance->start);
}

static bool is_same_state(const SnapshotGpu *a, const SnapshotGpu *b) {
  return a->model == b->model && a->used_starts == b->used_starts && a->keep_starts == b->keep_starts &&
         mig_layout_equal(a->layout, b->layout);
}

static int collect_states(const Ilp *ilp, const SnapshotNode *node, State *states) {
  int count = 0;
  for (int g = 0; g < node->gpu_count; g++) {
    int state = 0;
    while (state < count && !is_same_state(states[state].gpu, &node->gpus[g]))
      state++;
    if (state == count) {
      assert_true(count < STATES_MAX);
      states[count++] =
          (State){.node = node, .gpu = &node->gpus[g], .patterns = mem_alloc(PATTERNS_MAX * sizeof(Pattern))};
      MigLayout layout = *node->gpus[g].layout;
      try_withdrawals(ilp, &states[state], &layout, &(Pattern){{0}}, 0);
    }
    states[state].gpu_count++;
  }
  return count;
}

/* ---- the file ---- */

static void end_row(Ilp *ilp, int64_t limit) {
  text_format(&ilp->text, " + 0 nothing <= %lld\n", (long long)limit);
  ilp->rows++;
}

static void begin_row(Ilp *ilp) {
  text_format(&ilp->text, " r%d:", ilp->rows);
}

static void add_term(Ilp *ilp, int64_t factor, const char *format, ...) PRINTF_LIKE(3, 4);
static void add_term(Ilp *ilp, int64_t factor, const char *format, ...) {
  char name[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  if (factor)
    text_format(&ilp->text, " %+lld %s\n", (long long)factor, name);
}

static bool is_possible(const Ilp *ilp, int class_, int node) {
  return family_admits(&ilp->family->nodes[node], &ilp->family->classes[class_]);
}

static void write_class_rows(Ilp *ilp) {
  const Family *family = ilp->family;
  for (int c = 0; c < family->class_count; c++) {
    begin_row(ilp);
    for (int n = 0; n < family->node_count; n++)
      if (is_possible(ilp, c, n)) {
        add_term(ilp, 1, "x_%d_%d", c, n);
        text_format(&ilp->integers, " x_%d_%d\n", c, n);
      }
    end_row(ilp, family->classes[c].count);
  }
}

static void write_amount_row(Ilp *ilp, int node, size_t offset) {
  const Family *family = ilp->family;
  begin_row(ilp);
  for (int c = 0; c < family->class_count; c++)
    if (is_possible(ilp, c, node))
      add_term(ilp, *(const int64_t *)((const char *)&family->classes[c].asks + offset), "x_%d_%d", c, node);
  end_row(ilp, *(const int64_t *)((const char *)&family->nodes[node].has + offset));
}

static void write_kind_row(Ilp *ilp, int node, int kind, const State *states, int state_count) {
  const Family *family = ilp->family;
  begin_row(ilp);
  for (int c = 0; c < family->class_count; c++)
    for (int n = 0; n < family->classes[c].need_count; n++)
      if (is_possible(ilp, c, node) && strcmp(family->classes[c].needs[n].profile, ilp->kinds[kind]) == 0)
        add_term(ilp, family->classes[c].needs[n].count, "x_%d_%d", c, node);
  for (int s = 0; s < state_count; s++)
    for (int k = 0; k < states[s].pattern_count; k++)
      add_term(ilp, -states[s].patterns[k].count[kind], "z_%d_%d_%d", node, s, k);
  end_row(ilp, 0);
}

static void write_node(Ilp *ilp, int node) {
  static const size_t amounts[] = {offsetof(FamilyAmounts, cpu_milli), offsetof(FamilyAmounts, memory_mib),
                                   offsetof(FamilyAmounts, nics), offsetof(FamilyAmounts, pods)};
  State states[STATES_MAX];
  int count = collect_states(ilp, &ilp->family->fixture.snapshot.nodes.items[node], states);
  for (size_t i = 0; i < COUNT_OF(amounts); i++)
    write_amount_row(ilp, node, amounts[i]);
  for (int kind = 0; kind < ilp->kind_count; kind++)
    write_kind_row(ilp, node, kind, states, count);
  for (int s = 0; s < count; s++) {
    begin_row(ilp);
    for (int k = 0; k < states[s].pattern_count; k++) {
      add_term(ilp, 1, "z_%d_%d_%d", node, s, k);
      text_format(&ilp->integers, " z_%d_%d_%d\n", node, s, k);
    }
    end_row(ilp, states[s].gpu_count);
    free(states[s].patterns);
  }
}

static void write_objective(Ilp *ilp) {
  text_append(&ilp->text, "Maximize\n obj:");
  for (int c = 0; c < ilp->family->class_count; c++)
    for (int n = 0; n < ilp->family->node_count; n++)
      if (is_possible(ilp, c, n))
        add_term(ilp, 1, "x_%d_%d", c, n);
  text_append(&ilp->text, " + 0 nothing\nSubject To\n");
}

static void write_program(Ilp *ilp, const char *path) {
  write_objective(ilp);
  write_class_rows(ilp);
  for (int node = 0; node < ilp->family->node_count; node++)
    write_node(ilp, node);
  text_append(&ilp->text, "Generals\n");
  text_append(&ilp->text, text_string(&ilp->integers));
  text_append(&ilp->text, "End\n");
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(ilp->text.bytes, 1, ilp->text.size, file), ilp->text.size);
}

/* ---- cbc ---- */

/* Its output goes to the file. Returns the exit code, negative where it could not be run. */
static int run_cbc(const char *const *arguments, const char *output) {
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int status;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  int r = posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (r != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
    return -1;
  return WEXITSTATUS(status);
}

bool ilp_is_available(void) {
  const char *const arguments[] = {"cbc", "-quit", NULL};
  return run_cbc(arguments, "/dev/null") == 0;
}

/* A line "Objective value:  -42.00000000"; cbc minimises, so the sign says nothing. -1 where there is none.
 */
static double find_value(const char *log, const char *what) {
  const char *line = strstr(log, what);
  return line ? fabs(strtod(line + strlen(what), NULL)) : -1;
}

static void read_log(const char *path, Text *ret_text) {
  char buffer[4096];
  size_t size;
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "r");
  assert_non_null(file);
  while ((size = fread(buffer, 1, sizeof buffer, file)) > 0)
    text_append_bytes(ret_text, buffer, size);
}

/* Values are whole numbers, so a solution closer than one to the bound is the best. */
void ilp_solve(const Family *family, const char *folder, int seconds_max, IlpAnswer *ret_answer) {
  CLEANUP(ilp_deinit) Ilp ilp = {.family = family};
  CLEANUP(text_deinit) Text log = {0}, program = {0}, output = {0}, seconds = {0};
  text_format(&program, "%s/family.lp", folder);
  text_format(&output, "%s/cbc.log", folder);
  text_format(&seconds, "%d", seconds_max);
  collect_kinds(&ilp);
  write_program(&ilp, text_string(&program));
  const char *const arguments[] = {"cbc",           program.bytes, "-seconds", seconds.bytes,
                                   "-allowableGap", "0.99",        "-solve",   NULL};
  assert_int_equal(run_cbc(arguments, text_string(&output)), 0);
  read_log(text_string(&output), &log);
  double value = find_value(text_string(&log), "\nObjective value:");
  double bound = find_value(
      text_string(&log), strstr(text_string(&log), "\nUpper bound:") ? "\nUpper bound:" : "\nLower bound:");
  if (value < 0)
    fail_msg("cbc found nothing:\n%s", text_string(&log));
  ret_answer->served = (int)lround(value);
  ret_answer->proven = strstr(text_string(&log), "Result - Optimal") != NULL;
  ret_answer->bound = ret_answer->proven || bound < 0 ? ret_answer->served : (int)floor(bound + 1e-6);
}
