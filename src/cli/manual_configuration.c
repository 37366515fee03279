/* SPDX-License-Identifier: Apache-2.0 */
/* docs/configuration.md. What an option's default is stands in its help, "(default: X)", and becomes a column
 * of its own; where the program can tell its default, the two must agree. */
#include "cli/manual.h"

#include "base/memory.h"
#include "cli/config_file.h"
#include "cli/manual_contract.h"
#include "metrics/table.h"

#include <assert.h>
#include <string.h>

#define DEFAULT_MARK "(default: "

/* A cell of a table: '|' would end it. */
static void append_cell(Text *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    text_format(out, "%s%c", text[i] == '|' ? "\\" : "", text[i]);
}

static void append_cell_text(Text *out, const char *text) {
  append_cell(out, text, strlen(text));
}

/* ---- defaults ---- */

/* The help in three parts: before the mark, the default, and what else stands in its parentheses and behind.
 */
typedef struct Help {
  size_t before_size;
  const char *value; /* NULL: says nothing of a default */
  size_t value_size;
  const char *rest; /* "0: never" of "(default: 10m; 0: never)" */
  size_t rest_size;
  const char *behind; /* the parenthesis */
} Help;

static void split_help(const char *help, Help *ret_parts) {
  const char *mark = strstr(help, DEFAULT_MARK);
  *ret_parts = (Help){.before_size = mark ? (size_t)(mark - help) : strlen(help), .behind = ""};
  if (!mark)
    return;
  const char *value = mark + strlen(DEFAULT_MARK);
  const char *close = strchr(value, ')');
  assert(close);
  const char *semicolon = memchr(value, ';', (size_t)(close - value));
  const char *end = semicolon ? semicolon : close;
  ret_parts->value = value;
  ret_parts->value_size = (size_t)(end - value);
  ret_parts->rest = semicolon ? semicolon + 2 : close;
  ret_parts->rest_size = (size_t)(close - ret_parts->rest);
  ret_parts->behind = close + 1;
}

static void append_meaning(Text *out, const char *help, const Help *parts) {
  size_t before = parts->before_size;
  if (parts->value && !parts->rest_size)
    while (before && help[before - 1] == ' ')
      before--;
  append_cell(out, help, before);
  if (parts->rest_size) {
    text_append(out, "(");
    append_cell(out, parts->rest, parts->rest_size);
    text_append(out, ")");
  }
  append_cell_text(out, parts->behind);
}

/* Where the program knows its default, and not from the environment, the help must say the same. */
static bool says_its_default(const CliOption *option, const Help *parts, const void *defaults) {
  const void *value = (const char *)defaults + option->offset;
  CLEANUP(cleanup_free) char *said = mem_strndup(parts->value ? parts->value : "", parts->value_size);
  CliOption alone = *option;
  int64_t number = 0;
  Error err;
  alone.offset = 0;
  switch (option->kind) {
  case CLI_NUMBER:
  case CLI_DURATION_MS:
    return cli_option_store(&alone, said, &number, &err) == 0 && number == *(const int64_t *)value;
  case CLI_STRING:
    return !strchr(option->argument, '|') || !*(const char *const *)value ||
           strcmp(said, *(const char *const *)value) == 0;
  case CLI_FLAG:
    return parts->value || !*(const bool *)value;
  case CLI_STRINGS:
    return true;
  }
  return false;
}

/* ---- options ---- */

static void append_option(Text *out, const CliVerb *verb, const CliOption *option, const void *defaults) {
  Help parts;
  split_help(option->help, &parts);
  assert(says_its_default(option, &parts, defaults));
  text_format(out, "| `%.*s` | `", (int)cli_option_name_size(option), option->name);
  append_cell_text(out, option->argument ? option->argument : "true|false");
  text_append(out, "` | ");
  if (parts.value)
    append_cell(out, parts.value, parts.value_size);
  else
    text_append(out, option->kind == CLI_FLAG ? "false" : "none");
  text_format(out, " | %s | ", cli_option_find_live(verb, option) >= 0 ? "SIGHUP" : "restart");
  append_meaning(out, option->help, &parts);
  text_append(out, " |\n");
}

static void append_options(Text *out, const char *title, const CliVerb *verb) {
  CLEANUP(cleanup_free) void *defaults = mem_alloc(verb->values_size);
  verb->set_defaults(defaults);
  text_format(out,
              "\n## Options of the %s\n\n`facet %s`: %s.\n\n"
              "| option | value | default | changes by | meaning |\n|---|---|---|---|---|\n",
              title, verb->name, verb->help);
  for (size_t i = 0; i < verb->option_count; i++)
    append_option(out, verb, &verb->options[i], defaults);
}

static void append_file(Text *out) {
  text_append(
      out,
      "\n## Configuration file\n\n"
      "`--config FILE` reads options from YAML: each key is an option without its dashes, and all options "
      "above\n"
      "may stand there but `--config` and `--print-config`. An option that may be repeated takes a list. "
      "What the\n"
      "command line says wins. A key that does not exist, a wrong value, and one that is set twice are "
      "refused\n"
      "with file and line. `--print-config` prints a file with all options: "
      "[deploy/examples/controller.yaml](../"
      "deploy/examples/controller.yaml),\n[deploy/examples/agent.yaml](../deploy/examples/agent.yaml).\n\n"
      "SIGHUP reads the file again. What \"changes by\" SIGHUP does so in the running program; of other "
      "changes the\n"
      "log says that they need a restart. A file with a mistake changes nothing.\n\n"
      "Keys of nos that mean the same are taken, too:\n\n| key of nos | option |\n|---|---|\n");
  for (const CliConfigAlias *alias = cli_config_aliases; alias->theirs; alias++)
    text_format(out, "| `%s` | `%s`; a bare number is seconds |\n", alias->theirs, alias->ours);
}

/* ---- the other tables ---- */

static void append_rows(Text *out, CliManualSection section) {
  for (const CliManualRow *row = cli_manual_rows[section]; row->verbs; row++) {
    bool controller = cli_manual_is_for(row, "controller"), agent = cli_manual_is_for(row, "agent");
    if (!controller && !agent)
      continue;
    text_format(out, "| `%s` | %s | ", row->term,
                controller && agent ? "both"
                : controller        ? "controller"
                                    : "agent");
    append_cell_text(out, row->text);
    text_append(out, " |\n");
  }
}

static void append_keys(Text *out) {
  text_append(
      out, "\n## Labels and annotations\n\n"
           "On nodes, where nothing else is said. `<i>` is the index of a GPU; in a key the `+` of a profile "
           "is written `.`.\n\n| key | written by | value |\n|---|---|---|\n");
  for (const CliManualKey *key = cli_manual_node_keys; key->key; key++) {
    text_format(out, "| %s | %s | ", key->key, key->writer);
    append_cell_text(out, key->text);
    text_append(out, " |\n");
  }
}

static void append_metric(Text *out, const MetricInfo *info) {
  static const struct {
    const char *name, *suffix;
  } types[] = {[METRIC_COUNTER] = {"counter", "_total"},
               [METRIC_GAUGE] = {"gauge", ""},
               [METRIC_HISTOGRAM] = {"histogram", ""},
               [METRIC_INFO] = {"info", "_info"}};
  const char *where = string_has_prefix(info->name, "facet_controller_") ? "controller"
                      : string_has_prefix(info->name, "facet_agent_")    ? "agent"
                                                                         : "both";
  CLEANUP(text_deinit) Text labels = {0};
  for (int i = 0; i < METRIC_LABELS_MAX; i++)
    text_append_item(&labels, ", ", info->labels[i]);
  text_format(out, "| `%s%s` | %s | %s | %s | ", info->name, types[info->type].suffix, types[info->type].name,
              text_string(&labels), where);
  append_cell_text(out, info->help);
  text_append(out, " |\n");
}

static void append_metrics(Text *out) {
  text_append(out, "\n## Metrics\n\nAt `/metrics` of `--metrics-address`, as OpenMetrics.\n\n"
                   "| metric | type | labels | at | meaning |\n|---|---|---|---|---|\n");
  for (int i = 0; i < METRIC_COUNT; i++)
    append_metric(out, &metric_table[i]);
}

void cli_manual_configuration(Text *ret_text) {
  text_append(
      ret_text,
      "# Configuration\n\nPrinted by `facet manual configuration` out of the program's own tables.\n\n"
      "`TIME` is a number with a unit, `200ms`, `2s`, `10m`, `1h`; a bare number is seconds. An option\n"
      "that is true or false may be given without a value.\n");
  append_options(ret_text, "controller", &cli_verb_controller);
  append_options(ret_text, "agent", &cli_verb_agent);
  append_file(ret_text);
  text_append(ret_text, "\n## Environment\n\n| variable | of | meaning |\n|---|---|---|\n");
  append_rows(ret_text, CLI_MANUAL_ENVIRONMENT);
  text_append(ret_text, "\n## Files\n\n| file | of | meaning |\n|---|---|---|\n");
  append_rows(ret_text, CLI_MANUAL_FILES);
  text_append(ret_text, "\n## Signals\n\n| signal | of | meaning |\n|---|---|---|\n");
  append_rows(ret_text, CLI_MANUAL_SIGNALS);
  append_keys(ret_text);
  append_metrics(ret_text);
}
