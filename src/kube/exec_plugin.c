/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/exec_plugin.h"

#include "base/array.h"
#include "base/text.h"
#include "kube/decode.h"

#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define GROUP "client.authentication.k8s.io/"

typedef ARRAY(char *) Words;

/* ---- how it is called ---- */

void kube_exec_free_words(char **words) {
  for (char **word = words; word && *word; word++)
    free(*word);
  free(words);
}

/* NULL at the end, which the words get here. */
static char **take_words(Words *words) {
  *array_push(words) = NULL;
  return words->items;
}

void kube_exec_free(KubeExec *exec) {
  if (!exec)
    return;
  free(exec->api_version);
  free(exec->command);
  free(exec->install_hint);
  kube_exec_free_words(exec->args);
  kube_exec_free_words(exec->env);
  free(exec);
}

static char **copy_words(char **from) {
  Words words = {0};
  for (; *from; from++)
    *array_push(&words) = mem_strdup(*from);
  return take_words(&words);
}

KubeExec *kube_exec_copy(const KubeExec *exec) {
  if (!exec)
    return NULL;
  KubeExec *copy = mem_alloc(sizeof *copy);
  *copy = (KubeExec){.api_version = mem_strdup(exec->api_version),
                     .command = mem_strdup(exec->command),
                     .install_hint = mem_strdup(exec->install_hint),
                     .args = copy_words(exec->args),
                     .env = copy_words(exec->env),
                     .provides_cluster_info = exec->provides_cluster_info};
  return copy;
}

static int check_count(const KubeYaml *file, const char *what, const char *user, size_t count, Error *err) {
  if (count < KUBE_EXEC_WORDS_MAX)
    return 0;
  return error_set(err, ERROR_LIMIT, "%s: the exec plugin of the user \"%s\" has more than %d %s", file->path,
                   user, KUBE_EXEC_WORDS_MAX, what);
}

static int read_args(KubeYaml *file, yaml_node_t *map, const char *user, KubeExec *exec, Error *err) {
  yaml_node_t *list = NULL, *item;
  Words words = {0};
  *array_push(&words) = mem_strdup(exec->command);
  int r = kube_yaml_find_list(file, map, "args", &list, err);
  for (size_t i = 0; r == 0 && (item = kube_yaml_item(file, list, i)); i++) {
    if (item->type != YAML_SCALAR_NODE)
      r = error_set(err, ERROR_INVALID,
                    "%s: \"args\" of the user \"%s\" holds something that is no text (line %zu)", file->path,
                    user, item->start_mark.line + 1);
    else if ((r = check_count(file, "arguments", user, i, err)) == 0)
      *array_push(&words) = mem_strndup((const char *)item->data.scalar.value, item->data.scalar.length);
  }
  exec->args = take_words(&words);
  return r;
}

static int read_env(KubeYaml *file, yaml_node_t *map, const char *user, KubeExec *exec, Error *err) {
  yaml_node_t *list = NULL, *item;
  Words words = {0};
  int r = kube_yaml_find_list(file, map, "env", &list, err);
  for (size_t i = 0; r == 0 && (item = kube_yaml_item(file, list, i)); i++) {
    CLEANUP(cleanup_free) char *name = NULL, *value = NULL;
    if ((r = check_count(file, "environment variables", user, i, err)) < 0 ||
        (r = kube_yaml_find_text(file, item, "name", &name, err)) < 0 ||
        (r = kube_yaml_find_text(file, item, "value", &value, err)) < 0)
      break;
    if (name)
      *array_push(&words) = mem_format("%s=%s", name, string_or_empty(value));
  }
  exec->env = take_words(&words);
  return r;
}

static int check_exec(const KubeYaml *file, const char *user, const KubeExec *exec, const char *mode,
                      Error *err) {
  static const char *const versions[] = {GROUP "v1", GROUP "v1beta1"};
  if (!exec->command)
    return error_set(err, ERROR_INVALID, "%s: the exec plugin of the user \"%s\" has no command; add it",
                     file->path, user);
  bool is_known = false;
  for (size_t i = 0; i < COUNT_OF(versions); i++)
    is_known |= string_equal(exec->api_version, versions[i]);
  if (!is_known)
    return error_set(
        err, ERROR_UNSUPPORTED,
        "%s: the exec plugin of the user \"%s\" (%s) has the apiVersion %s; facet knows %s and %s",
        file->path, user, exec->command, exec->api_version ? exec->api_version : "(none)", versions[0],
        versions[1]);
  if (string_equal(mode, "Always"))
    return error_set(
        err, ERROR_UNSUPPORTED,
        "%s: the exec plugin of the user \"%s\" (%s) wants to ask a person (interactiveMode: Always), and "
        "facet has none to ask; use one that does not",
        file->path, user, exec->command);
  return 0;
}

int kube_exec_read(KubeYaml *file, yaml_node_t *map, const char *user, KubeExec **ret_exec, Error *err) {
  CLEANUP(kube_exec_freep) KubeExec *exec = mem_alloc(sizeof *exec);
  CLEANUP(cleanup_free) char *mode = NULL;
  int r;
  if ((r = kube_yaml_find_text(file, map, "command", &exec->command, err)) < 0 ||
      (r = kube_yaml_find_text(file, map, "apiVersion", &exec->api_version, err)) < 0 ||
      (r = kube_yaml_find_text(file, map, "installHint", &exec->install_hint, err)) < 0 ||
      (r = kube_yaml_find_text(file, map, "interactiveMode", &mode, err)) < 0 ||
      (r = kube_yaml_find_bool(file, map, "provideClusterInfo", &exec->provides_cluster_info, err)) < 0 ||
      (r = check_exec(file, user, exec, mode, err)) < 0 || (r = read_args(file, map, user, exec, err)) < 0 ||
      (r = read_env(file, map, user, exec, err)) < 0)
    return r;
  *ret_exec = TAKE(exec);
  return 0;
}

/* ---- what it is told ---- */

static void append_member(Text *out, const char *name, const char *value) {
  if (!value)
    return;
  text_format(out, ",\"%s\":", name);
  text_append_json(out, value);
}

static void append_cluster(Text *out, const KubeConfig *config) {
  text_append(out, ",\"cluster\":{\"server\":");
  text_append_json(out, config->server);
  append_member(out, "tls-server-name", config->tls_server_name);
  append_member(out, "proxy-url", config->proxy_url);
  if (config->insecure)
    text_append(out, ",\"insecure-skip-tls-verify\":true");
  if (config->ca_data) {
    size_t size = strlen(config->ca_data);
    CLEANUP(cleanup_free) char *base64 = mem_alloc((size + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)config->ca_data, (int)size);
    append_member(out, "certificate-authority-data", base64);
  }
  text_append(out, "}");
}

static char *format_info(const KubeConfig *config) {
  Text text = {0};
  text_format(&text,
              "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"spec\":{"
              "\"interactive\":false",
              config->exec->api_version);
  if (config->exec->provides_cluster_info)
    append_cluster(&text, config);
  text_append(&text, "}}");
  return text_take(&text);
}

/* The last of a name would count for some programs and the first for others: so it is there once. */
static void put_word(Words *words, char *word) {
  size_t name = strcspn(word, "=") + 1;
  for (size_t i = 0; i < words->count; i++)
    if (strncmp(words->items[i], word, name) == 0) {
      free(words->items[i]);
      words->items[i] = word;
      return;
    }
  *array_push(words) = word;
}

char **kube_exec_make_env(const KubeConfig *config) {
  Words words = {0};
  for (char **ours = environ; *ours; ours++)
    put_word(&words, mem_strdup(*ours));
  for (char **added = config->exec->env; *added; added++)
    put_word(&words, mem_strdup(*added));
  put_word(&words, format_info(config));
  return take_words(&words);
}

/* ---- what it answers ---- */

typedef struct Answer {
  const char *kind, *api_version, *token, *certificate, *key;
  int64_t expires_s;
} Answer;

static const KubeField status_fields[] = {
    {"token", 1, KUBE_STRING, offsetof(Answer, token), NULL, 0, -1, 0},
    {"clientCertificateData", 2, KUBE_STRING, offsetof(Answer, certificate), NULL, 0, -1, 0},
    {"clientKeyData", 3, KUBE_STRING, offsetof(Answer, key), NULL, 0, -1, 0},
    {"expirationTimestamp", 4, KUBE_TIME, offsetof(Answer, expires_s), NULL, 0, -1, 0},
};
static const KubeMessage status_message = {status_fields, COUNT_OF(status_fields)};

static const KubeField answer_fields[] = {
    {"kind", 1, KUBE_STRING, offsetof(Answer, kind), NULL, 0, -1, 0},
    {"apiVersion", 2, KUBE_STRING, offsetof(Answer, api_version), NULL, 0, -1, 0},
    {"status", 3, KUBE_MESSAGE, 0, &status_message, 0, -1, 0},
};
static const KubeMessage answer_message = {answer_fields, COUNT_OF(answer_fields)};

static int check_answer(const KubeConfig *config, const Answer *answer, Error *err) {
  const char *command = config->exec->command, *source = config->source;
  if (!string_equal(answer->kind, "ExecCredential") ||
      !string_equal(answer->api_version, config->exec->api_version))
    return error_set(err, ERROR_INVALID,
                     "the exec plugin %s (%s) printed a %s of %s; an ExecCredential of %s was due", command,
                     source, answer->kind ? answer->kind : "thing without a kind",
                     answer->api_version ? answer->api_version : "no apiVersion", config->exec->api_version);
  if (!answer->certificate != !answer->key)
    return error_set(err, ERROR_INVALID, "the exec plugin %s (%s) printed a client %s without a %s", command,
                     source, answer->key ? "key" : "certificate", answer->key ? "certificate" : "key");
  if (!answer->token && !answer->certificate)
    return error_set(err, ERROR_INVALID,
                     "the exec plugin %s (%s) printed neither a token nor a client certificate", command,
                     source);
  return 0;
}

int kube_exec_decode(const KubeConfig *config, const char *bytes, size_t size,
                     KubeExecCredential *ret_credential, Error *err) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Answer answer = {0};
  int r = kube_decode_json(&answer_message, (KubeBytes){bytes, size, 0}, &arena, &answer, err);
  if (r < 0)
    return error_prefix(err, "what the exec plugin %s (%s) printed cannot be read", config->exec->command,
                        config->source);
  r = check_answer(config, &answer, err);
  if (r < 0)
    return r;
  *ret_credential = (KubeExecCredential){.token = mem_strdup(answer.token),
                                         .certificate = mem_strdup(answer.certificate),
                                         .key = mem_strdup(answer.key),
                                         .expires_s = answer.expires_s};
  return 0;
}

static void replace(char **place, const char *text) {
  char *copy = mem_strdup(text);
  free(*place);
  *place = copy;
}

void kube_exec_apply(const KubeExecCredential *credential, KubeConfig *config) {
  if (credential->token) {
    replace(&config->token, credential->token);
    replace(&config->token_file, NULL);
  }
  if (credential->certificate) {
    replace(&config->client_certificate_data, credential->certificate);
    replace(&config->client_key_data, credential->key);
    replace(&config->client_certificate_file, NULL);
    replace(&config->client_key_file, NULL);
  }
}

void kube_exec_credential_deinit(KubeExecCredential *credential) {
  free(credential->token);
  free(credential->certificate);
  free(credential->key);
  *credential = (KubeExecCredential){0};
}
