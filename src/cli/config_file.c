/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_file.h"

#include "kube/yaml_file.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 64, SCRATCH_SIZE = 4096, WIDTH = 100 };

/* ---- names ---- */

const CliConfigAlias cli_config_aliases[] = {{"batchWindowTimeoutSeconds", "batch-window-timeout"},
                                             {"batchWindowIdleSeconds", "batch-window-idle"},
                                             {0}};

bool cli_config_may_hold(const CliOption *option) {
  return strcmp(option->name, CLI_CONFIG_OPTION) != 0 && strcmp(option->name, "--print-config") != 0;
}

static bool is_named(const CliOption *option, const char *key) {
  size_t size = cli_option_name_size(option) - 2;
  return strlen(key) == size && strncmp(option->name + 2, key, size) == 0 && cli_config_may_hold(option);
}

static const CliOption *find_option(const CliVerb *verb, const char *key) {
  for (const CliConfigAlias *alias = cli_config_aliases; alias->theirs; alias++)
    if (strcmp(alias->theirs, key) == 0)
      key = alias->ours;
  for (size_t i = 0; i < verb->option_count; i++)
    if (is_named(&verb->options[i], key))
      return &verb->options[i];
  return NULL;
}

/* "batchWindowIdle" -> "batch-window-idle": so Kubernetes writes its own configuration. */
static void spell_as_option(const char *key, char ret_word[KEY_SIZE]) {
  size_t used = 0;
  for (const char *p = key; *p && used + 2 < KEY_SIZE; p++) {
    if (isupper((unsigned char)*p) && p > key)
      ret_word[used++] = '-';
    ret_word[used++] = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
  }
  ret_word[used] = '\0';
}

static int refuse_unknown(const CliVerb *verb, const char *place, const char *key, Error *err) {
  char names[CLI_OPTIONS_MAX][KEY_SIZE], word[KEY_SIZE];
  const char *pointers[CLI_OPTIONS_MAX];
  size_t count = 0;
  for (size_t i = 0; i < verb->option_count; i++) {
    if (!cli_config_may_hold(&verb->options[i]))
      continue;
    snprintf(names[count], KEY_SIZE, "%.*s", (int)cli_option_name_size(&verb->options[i]) - 2,
             verb->options[i].name + 2);
    pointers[count] = names[count];
    count++;
  }
  spell_as_option(key, word);
  const char *nearest = cli_nearest(word, pointers, count);
  if (nearest)
    return error_set(err, ERROR_INVALID, "%s: there is no option \"%s\"; did you mean %s?", place, key,
                     nearest);
  return error_set(err, ERROR_INVALID, "%s: there is no option \"%s\"; `facet %s --print-config` lists them",
                   place, key, verb->name);
}

/* ---- values ---- */

/* Of an option that the command line gave, the file's value is only looked at. */
static int store_text(const CliOption *option, const char *text, bool is_given, void *values, Error *err) {
  union {
    max_align_t align;
    char bytes[SCRATCH_SIZE];
  } scratch = {0};
  CliOption looked_at = *option;
  looked_at.offset = 0;
  _Static_assert(sizeof(CliStrings) <= SCRATCH_SIZE, "the largest value fits");
  return is_given ? cli_option_store(&looked_at, text, scratch.bytes, err)
                  : cli_option_store(option, text, values, err);
}

static int take_scalar(const CliOption *option, const yaml_node_t *node, bool is_given, void *values,
                       Arena *texts, Error *err) {
  if (node->type != YAML_SCALAR_NODE)
    return error_set(err, ERROR_INVALID, "%.*s wants one value, not a list or mapping",
                     (int)cli_option_name_size(option) - 2, option->name + 2);
  const char *text = (const char *)node->data.scalar.value;
  bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (is_plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
    return error_set(err, ERROR_INVALID, "%.*s has no value; leave the line out for the default",
                     (int)cli_option_name_size(option) - 2, option->name + 2);
  if (strlen(text) != node->data.scalar.length)
    return error_set(err, ERROR_INVALID, "%.*s contains a NUL character",
                     (int)cli_option_name_size(option) - 2, option->name + 2);
  return store_text(option, arena_strdup(texts, text), is_given, values, err);
}

static int take_value(KubeYaml *yaml, const CliOption *option, yaml_node_t *node, bool is_given, void *values,
                      Arena *texts, Error *err) {
  if (option->kind != CLI_STRINGS || node->type != YAML_SEQUENCE_NODE)
    return take_scalar(option, node, is_given, values, texts, err);
  yaml_node_t *item;
  for (size_t i = 0; (item = kube_yaml_item(yaml, node, i)); i++) {
    int r = take_scalar(option, item, is_given, values, texts, err);
    if (r < 0)
      return r;
  }
  return 0;
}

/* ---- the file ---- */

typedef struct Reading {
  const CliVerb *verb;
  KubeYaml *yaml;
  const CliGiven *given;
  size_t lines[CLI_OPTIONS_MAX]; /* where the option stands in the file; 0: it does not */
  void *values;
  Arena *texts;
} Reading;

static int take_pair(Reading *reading, const yaml_node_pair_t *pair, Error *err) {
  const yaml_node_t *key = yaml_document_get_node(&reading->yaml->document, pair->key);
  yaml_node_t *value = yaml_document_get_node(&reading->yaml->document, pair->value);
  size_t line = key->start_mark.line + 1;
  char place[256];
  snprintf(place, sizeof place, "%.200s line %zu", reading->yaml->path, line);
  if (key->type != YAML_SCALAR_NODE)
    return error_set(err, ERROR_INVALID, "%s: a key is the name of an option, not a list or mapping", place);
  const char *name = (const char *)key->data.scalar.value;
  const CliOption *option = find_option(reading->verb, name);
  if (!option)
    return refuse_unknown(reading->verb, place, name, err);
  size_t i = (size_t)(option - reading->verb->options);
  if (reading->lines[i])
    return error_set(err, ERROR_INVALID, "%s: %s was set in line %zu already", place, name,
                     reading->lines[i]);
  reading->lines[i] = line;
  if (take_value(reading->yaml, option, value, reading->given->options[i], reading->values, reading->texts,
                 err) < 0)
    return error_prefix(err, "%s", place);
  return 0;
}

static int read_file(Reading *reading, const char *path, Error *err) {
  CLEANUP(kube_yaml_freep) KubeYaml *yaml = NULL;
  int r = kube_yaml_load(path, &yaml, err);
  if (r == KUBE_YAML_ABSENT)
    return error_set(err, ERROR_NOT_FOUND, "the configuration %s does not exist; check --config", path);
  if (r < 0)
    return r;
  reading->yaml = yaml;
  const yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
  bool is_empty = root && root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0;
  if (!root || is_empty) /* nothing but comments */
    return 0;
  if (root->type != YAML_MAPPING_NODE)
    return error_set(err, ERROR_INVALID, "%s line %zu: a configuration is made of \"option: value\" lines",
                     path, root->start_mark.line + 1);
  for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top;
       pair++) {
    r = take_pair(reading, pair, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static const CliOption *get_option(const CliVerb *verb, const char *name) {
  for (size_t i = 0; i < verb->option_count; i++)
    if (strcmp(verb->options[i].name, name) == 0)
      return &verb->options[i];
  assert(!"a verb without this option");
  return NULL;
}

int cli_config_parse(const CliVerb *verb, int argc, char **argv, void *ret_values, Arena *texts, Error *err) {
  assert(verb->option_count <= CLI_OPTIONS_MAX);
  CliGiven given = {0};
  int r = cli_options_parse_given(verb, argc, argv, ret_values, &given, err);
  if (r != 0)
    return r;
  if (*(const bool *)((char *)ret_values + get_option(verb, "--print-config")->offset)) {
    CLEANUP(text_deinit) Text example = {0};
    cli_config_format_example(verb, &example);
    fputs(text_string(&example), stdout);
    return CLI_HELP_SHOWN;
  }
  const char *path = *(const char *const *)((char *)ret_values + get_option(verb, CLI_CONFIG_OPTION)->offset);
  Reading reading = {.verb = verb, .given = &given, .values = ret_values, .texts = texts};
  return path ? read_file(&reading, path, err) : 0;
}

bool cli_config_begin(const CliVerb *verb, int argc, char **argv, void *ret_values, Arena *texts,
                      int *ret_exit) {
  Error err;
  int r = cli_config_parse(verb, argc, argv, ret_values, texts, &err);
  return cli_may_go_on(verb, r, &err, ret_exit);
}

/* ---- the example ---- */

/* As comments, broken between words. */
static void append_help(Text *out, const char *help) {
  size_t column = 0;
  for (const char *word = help; *word;) {
    size_t size = strcspn(word, " ");
    if (column == 0 || column + 1 + size > WIDTH) {
      text_format(out, "%s#", column ? "\n" : "");
      column = 1;
    }
    text_format(out, " %.*s", (int)size, word);
    column += 1 + size;
    word += size;
    word += strspn(word, " ");
  }
  text_append(out, "\n");
}

void cli_config_format_example(const CliVerb *verb, Text *ret_text) {
  text_format(ret_text,
              "# Configuration of `facet %s --config FILE`: all of its options. The command line wins.\n",
              verb->name);
  for (size_t i = 0; i < verb->option_count; i++) {
    const CliOption *option = &verb->options[i];
    if (!cli_config_may_hold(option))
      continue;
    text_append(ret_text, "\n");
    append_help(ret_text, option->help);
    text_format(ret_text, "#%.*s: %s\n", (int)cli_option_name_size(option) - 2, option->name + 2,
                option->argument ? option->argument : "true|false");
  }
}
