/* SPDX-License-Identifier: Apache-2.0 */
#include "check/pass.h"

#include "mig/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- texts ---- */

const char *check_format(CheckPass *pass, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *text = arena_format_list(&pass->findings->arena, format, arguments);
  va_end(arguments);
  return text;
}

static void add(CheckPass *pass, CheckSeverity severity, const char *object, const char *command,
                const char *sentence) {
  Arena *arena = &pass->findings->arena;
  const char *colon = string_has_prefix(command, "on ") ? strstr(command, ": ") : NULL;
  *array_push(&pass->findings->items) =
      (CheckFinding){.severity = severity,
                     .rule = pass->rule,
                     .object = arena_strdup(arena, object),
                     .sentence = sentence,
                     .command = arena_strdup(arena, colon ? colon + 2 : command),
                     .where = colon ? arena_strndup(arena, command, (size_t)(colon - command)) : NULL};
}

void check_add(CheckPass *pass, CheckSeverity severity, const char *object, const char *command,
               const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add(pass, severity, object, command, arena_format_list(&pass->findings->arena, format, arguments));
  va_end(arguments);
}

void check_add_node(CheckPass *pass, CheckSeverity severity, const CheckNode *node, const char *command,
                    const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add(pass, severity, check_format(pass, "node %s", node->name), command,
      arena_format_list(&pass->findings->arena, format, arguments));
  va_end(arguments);
}

static bool is_harmless(const char *word) {
  return *word &&
         word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/=:,@+-")] ==
             '\0';
}

const char *check_word(CheckPass *pass, const char *word) {
  if (is_harmless(word))
    return word;
  CLEANUP(text_deinit) Text quoted = {0};
  text_append(&quoted, "'");
  for (; *word; word++) {
    if (*word == '\'')
      text_append(&quoted, "'\\''");
    else
      text_append_bytes(&quoted, word, 1);
  }
  text_append(&quoted, "'");
  return arena_strdup(&pass->findings->arena, text_string(&quoted));
}

const char *check_excerpt(CheckPass *pass, const char *text) {
  char excerpt[MIG_EXCERPT_SIZE];
  mig_scan_excerpt(mig_scan_whole(string_or_empty(text)), excerpt);
  return arena_strdup(&pass->findings->arena, excerpt);
}

/* ---- objects ---- */

const char *check_label_of(const CheckNode *node, const char *key) {
  return key_values_find(&node->object->meta.labels, key);
}

const char *check_annotation_of(const CheckNode *node, const char *key) {
  return key_values_find(&node->object->meta.annotations, key);
}

const Pod *check_pod_on(const CheckNode *node, const char *key, const char *value) {
  for (size_t i = 0; i < node->pod_count; i++)
    if (string_equal(key_values_find(&node->pods[i]->meta.labels, key), value))
      return node->pods[i];
  return NULL;
}

const char *check_pod_name(CheckPass *pass, const Pod *pod) {
  return check_format(pass, "%s/%s", string_or_empty(pod->meta.namespace_), string_or_empty(pod->meta.name));
}

bool check_pod_runs(const Pod *pod) {
  const Condition *ready = pod_find_condition(pod, "Ready");
  return string_equal(pod_common(pod)->phase, "Running") && !(ready && string_equal(ready->status, "False"));
}

const char *check_pod_owner(const Pod *pod) {
  const PodCommon *common = pod_common(pod);
  return common->owners.count ? string_or_empty(common->owners.items[0].name)
                              : string_or_empty(pod->meta.name);
}

bool check_is_facet(const Pod *pod, const char *component) {
  return string_equal(key_values_find(&pod->meta.labels, "app.kubernetes.io/name"), "facet") &&
         string_equal(key_values_find(&pod->meta.labels, "app.kubernetes.io/component"), component);
}

/* ---- commands ---- */

const char *check_label_command(CheckPass *pass, const CheckNode *node, const char *keys) {
  return check_format(pass, "kubectl label node %s %s --overwrite", check_word(pass, node->name), keys);
}

const char *check_install_command(CheckPass *pass) {
  return check_format(pass,
                      "helm upgrade --install facet deploy/helm/facet --namespace %s --create-namespace",
                      check_word(pass, pass->cluster->namespace_));
}
