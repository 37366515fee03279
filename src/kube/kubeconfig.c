/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of client-go's clientcmd: kubeconfig files are not merged into one text, a name is simply looked
 * up in each file in turn and the first entry counts whole. Relative paths belong to the file that says them.
 * Keys that we do not know are none of our business, except those that would change who we are. */
#include "kube/kubeconfig.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/exec_plugin.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

typedef enum FieldKind { FIELD_TEXT, FIELD_PATH, FIELD_DATA } FieldKind;

typedef struct Field {
  const char *key;
  FieldKind kind;
  size_t offset; /* of the char * in KubeConfig */
} Field;

static const Field cluster_fields[] = {
    {"server", FIELD_TEXT, offsetof(KubeConfig, server)},
    {"tls-server-name", FIELD_TEXT, offsetof(KubeConfig, tls_server_name)},
    {"proxy-url", FIELD_TEXT, offsetof(KubeConfig, proxy_url)},
    {"certificate-authority", FIELD_PATH, offsetof(KubeConfig, ca_file)},
    {"certificate-authority-data", FIELD_DATA, offsetof(KubeConfig, ca_data)},
};

static const Field user_fields[] = {
    {"client-certificate", FIELD_PATH, offsetof(KubeConfig, client_certificate_file)},
    {"client-certificate-data", FIELD_DATA, offsetof(KubeConfig, client_certificate_data)},
    {"client-key", FIELD_PATH, offsetof(KubeConfig, client_key_file)},
    {"client-key-data", FIELD_DATA, offsetof(KubeConfig, client_key_data)},
    {"token", FIELD_TEXT, offsetof(KubeConfig, token)},
    {"tokenFile", FIELD_PATH, offsetof(KubeConfig, token_file)},
    {"username", FIELD_TEXT, offsetof(KubeConfig, username)},
    {"password", FIELD_TEXT, offsetof(KubeConfig, password)},
};

/* One entry of a named list: {name: x, cluster: {...}}. */
typedef struct Entry {
  KubeYaml *file;
  yaml_node_t *map; /* may be NULL: an entry may be empty */
} Entry;

enum { ENTRY_ABSENT = 1 };

static const char *const supported = "use a client certificate, a token, an exec plugin or a service account";

static int find_in_file(KubeYaml *file, const char *kind, const char *name, Entry *ret_entry, Error *err) {
  char list_key[16];
  snprintf(list_key, sizeof list_key, "%ss", kind);
  yaml_node_t *root = NULL, *list = NULL, *item = NULL;
  int r = kube_yaml_get_root(file, &root, err);
  if (r < 0)
    return r;
  r = kube_yaml_find_list(file, root, list_key, &list, err);
  if (r < 0)
    return r;
  bool found = false;
  for (size_t i = 0; (item = kube_yaml_item(file, list, i)); i++) {
    CLEANUP(cleanup_free) char *item_name = NULL;
    r = kube_yaml_find_text(file, item, "name", &item_name, err);
    if (r < 0)
      return r;
    if (!string_equal(item_name, name))
      continue;
    if (found)
      return error_set(err, ERROR_INVALID, "%s names the %s \"%s\" twice; remove one", file->path, kind,
                       name);
    r = kube_yaml_find_map(file, item, kind, &ret_entry->map, err);
    if (r < 0)
      return r;
    found = true;
  }
  ret_entry->file = file;
  return found ? 0 : ENTRY_ABSENT;
}

static int find_entry(const KubeconfigFiles *files, const char *kind, const char *name, Entry *ret_entry,
                      Error *err) {
  for (size_t i = 0; i < files->count; i++) {
    int r = find_in_file(files->items[i], kind, name, ret_entry, err);
    if (r != ENTRY_ABSENT)
      return r;
  }
  return ENTRY_ABSENT;
}

static char *resolve_path(const KubeYaml *file, const char *path) {
  const char *slash = strrchr(file->path, '/');
  if (*path == '/' || !slash)
    return mem_strdup(path);
  return mem_format("%.*s/%s", (int)(slash - file->path), file->path, path);
}

/* NULL where the text is not base64 of a text. Line breaks inside are allowed, as Go allows them. */
static char *decode_base64(const char *text) {
  CLEANUP(text_deinit) Text packed = {0};
  for (const char *p = text; *p; p++)
    if (*p != '\n' && *p != '\r')
      text_append_bytes(&packed, p, 1);
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t plain = strspn(text_string(&packed), alphabet);
  size_t padding = strspn(text_string(&packed) + plain, "=");
  if (plain + padding != packed.size || packed.size % 4 || padding > 2 || !plain)
    return NULL;
  CLEANUP(cleanup_free) char *bytes = mem_alloc(packed.size / 4 * 3 + 1);
  int size = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)packed.bytes, (int)packed.size);
  if (size < 0 || strlen(bytes) != (size_t)size - padding)
    return NULL;
  return TAKE(bytes);
}

static int read_field(const Entry *entry, const char *what, const char *name, const Field *field,
                      KubeConfig *config, Error *err) {
  char **place = (char **)((char *)config + field->offset);
  CLEANUP(cleanup_free) char *text = NULL;
  int r = kube_yaml_find_text(entry->file, entry->map, field->key, &text, err);
  if (r < 0 || !text)
    return r;
  switch (field->kind) {
  case FIELD_TEXT:
    *place = TAKE(text);
    return 0;
  case FIELD_PATH:
    *place = resolve_path(entry->file, text);
    return 0;
  case FIELD_DATA:
    *place = decode_base64(text);
  }
  if (!*place)
    return error_set(
        err, ERROR_INVALID,
        "%s: \"%s\" of the %s \"%s\" is not valid base64; encode the PEM file with \"base64 -w0\"",
        entry->file->path, field->key, what, name);
  return 0;
}

/* Data given in place wins over a file, as for kubectl. */
static void prefer(const char *data, char **file) {
  if (!data)
    return;
  free(*file);
  *file = NULL;
}

static int check_server(const Entry *entry, const char *name, KubeConfig *config, Error *err) {
  char *server = config->server;
  const char *path = entry->file->path;
  if (!server)
    return error_set(err, ERROR_INVALID,
                     "%s: the cluster \"%s\" has no server; add \"server: https://HOST:PORT\"", path, name);
  for (size_t size = strlen(server); size && server[size - 1] == '/'; size--)
    server[size - 1] = '\0';
  if (!string_has_prefix(server, "https://") && !string_has_prefix(server, "http://"))
    return error_set(err, ERROR_INVALID,
                     "%s: the server \"%s\" of the cluster \"%s\" does not begin with https:// or http://; "
                     "write it with one",
                     path, server, name);
  if (config->insecure && (config->ca_file || config->ca_data))
    return error_set(err, ERROR_INVALID,
                     "%s: the cluster \"%s\" has both insecure-skip-tls-verify and a certificate authority; "
                     "remove one of them",
                     path, name);
  return 0;
}

static int read_cluster(const KubeconfigFiles *files, const char *name, const char *context,
                        KubeConfig *config, Error *err) {
  Entry entry = {0};
  int r = find_entry(files, "cluster", name, &entry, err);
  if (r == ENTRY_ABSENT)
    return error_set(err, ERROR_NOT_FOUND,
                     "the context \"%s\" uses the cluster \"%s\", which is not in %s; add it or choose "
                     "another context",
                     context, name, files->where);
  if (r < 0)
    return r;
  for (size_t i = 0; i < COUNT_OF(cluster_fields); i++) {
    r = read_field(&entry, "cluster", name, &cluster_fields[i], config, err);
    if (r < 0)
      return r;
  }
  r = kube_yaml_find_bool(entry.file, entry.map, "insecure-skip-tls-verify", &config->insecure, err);
  if (r < 0)
    return r;
  prefer(config->ca_data, &config->ca_file);
  return check_server(&entry, name, config, err);
}

/* Ways to be somebody that we cannot take: going on without them would be going on as somebody else. */
static int check_supported(const Entry *entry, const char *name, Error *err) {
  const char *path = entry->file->path;
  yaml_node_t *provider = kube_yaml_find(entry->file, entry->map, "auth-provider");
  CLEANUP(cleanup_free) char *which = NULL;
  int r = 0;
  if (provider) {
    r = kube_yaml_find_text(entry->file, provider, "name", &which, err);
    return r < 0 ? r
                 : error_set(err, ERROR_UNSUPPORTED,
                             "the user \"%s\" of %s uses an auth-provider (%s), which facet does not support "
                             "yet; %s",
                             name, path, which ? which : "no name given", supported);
  }
  static const char *const as_somebody[] = {"as", "as-uid", "as-groups", "as-user-extra"};
  for (size_t i = 0; i < COUNT_OF(as_somebody); i++)
    if (kube_yaml_find(entry->file, entry->map, as_somebody[i]))
      return error_set(
          err, ERROR_UNSUPPORTED,
          "the user \"%s\" of %s impersonates another one (\"%s\"), which facet does not support "
          "yet; %s",
          name, path, as_somebody[i], supported);
  return 0;
}

static int check_user(const Entry *entry, const char *name, const KubeConfig *config, Error *err) {
  const char *path = entry->file->path;
  bool has_certificate = config->client_certificate_file || config->client_certificate_data;
  bool has_key = config->client_key_file || config->client_key_data;
  if (has_certificate != has_key)
    return error_set(err, ERROR_INVALID, "%s: the user \"%s\" has a %s but no %s; add it", path, name,
                     has_key ? "client-key" : "client-certificate",
                     has_key ? "client-certificate" : "client-key");
  if ((config->token || config->token_file) && (config->username || config->password))
    return error_set(err, ERROR_INVALID,
                     "%s: the user \"%s\" has both a token and a username or password; remove one of them",
                     path, name);
  return 0;
}

/* A command with a slash belongs to the file that says it, like every path; PATH knows the others. */
static int read_exec(const Entry *entry, const char *name, KubeConfig *config, Error *err) {
  yaml_node_t *map = NULL;
  int r = kube_yaml_find_map(entry->file, entry->map, "exec", &map, err);
  if (r < 0 || !map)
    return r;
  r = kube_exec_read(entry->file, map, name, &config->exec, err);
  if (r < 0 || !strchr(config->exec->command, '/'))
    return r;
  char *path = resolve_path(entry->file, config->exec->command);
  free(config->exec->command);
  config->exec->command = path;
  return 0;
}

static int read_user(const KubeconfigFiles *files, const char *name, const char *context, KubeConfig *config,
                     Error *err) {
  Entry entry = {0};
  int r = find_entry(files, "user", name, &entry, err);
  if (r == ENTRY_ABSENT)
    return error_set(err, ERROR_NOT_FOUND,
                     "the context \"%s\" uses the user \"%s\", which is not in %s; add it or choose another "
                     "context",
                     context, name, files->where);
  if (r < 0)
    return r;
  r = check_supported(&entry, name, err);
  if (r < 0)
    return r;
  for (size_t i = 0; i < COUNT_OF(user_fields); i++) {
    r = read_field(&entry, "user", name, &user_fields[i], config, err);
    if (r < 0)
      return r;
  }
  r = read_exec(&entry, name, config, err);
  if (r < 0)
    return r;
  prefer(config->client_certificate_data, &config->client_certificate_file);
  prefer(config->client_key_data, &config->client_key_file);
  prefer(config->token_file, &config->token);
  return check_user(&entry, name, config, err);
}

/* The names of all contexts, for somebody who mistyped one. */
static void list_contexts(const KubeconfigFiles *files, Text *names) {
  for (size_t f = 0; f < files->count; f++) {
    Error ignored = {0};
    yaml_node_t *root = NULL, *list = NULL, *item = NULL;
    if (kube_yaml_get_root(files->items[f], &root, &ignored) < 0 ||
        kube_yaml_find_list(files->items[f], root, "contexts", &list, &ignored) < 0)
      continue;
    for (size_t i = 0; (item = kube_yaml_item(files->items[f], list, i)); i++) {
      CLEANUP(cleanup_free) char *name = NULL;
      if (kube_yaml_find_text(files->items[f], item, "name", &name, &ignored) == 0 && name)
        text_format(names, "%s%s", names->size ? ", " : "", name);
    }
  }
  if (!names->size)
    text_append(names, "none");
}

static int find_current_context(const KubeconfigFiles *files, char **ret_name, Error *err) {
  CLEANUP(cleanup_free) char *name = NULL;
  for (size_t i = 0; i < files->count && !name; i++) {
    yaml_node_t *root = NULL;
    int r = kube_yaml_get_root(files->items[i], &root, err);
    if (r < 0)
      return r;
    r = kube_yaml_find_text(files->items[i], root, "current-context", &name, err);
    if (r < 0)
      return r;
  }
  if (name) {
    *ret_name = TAKE(name);
    return 0;
  }
  CLEANUP(text_deinit) Text names = {0};
  list_contexts(files, &names);
  return error_set(err, ERROR_NOT_FOUND,
                   "%s has no current-context; choose one with --context (contexts there: %s)", files->where,
                   text_string(&names));
}

static int find_context(const KubeconfigFiles *files, const char *name, Entry *ret_entry, Error *err) {
  int r = find_entry(files, "context", name, ret_entry, err);
  if (r != ENTRY_ABSENT)
    return r;
  CLEANUP(text_deinit) Text names = {0};
  list_contexts(files, &names);
  return error_set(err, ERROR_NOT_FOUND,
                   "the context \"%s\" is not in %s; choose another one with --context (contexts there: %s)",
                   name, files->where, text_string(&names));
}

int kube_kubeconfig_select(const KubeconfigFiles *files, const char *context, KubeConfig *ret_config,
                           Error *err) {
  assert(files->count > 0 && files->where);
  CLEANUP(cleanup_free) char *name = mem_strdup(context), *cluster = NULL, *user = NULL;
  CLEANUP(kube_config_deinit) KubeConfig config = {0};
  Entry entry = {0};
  int r = name ? 0 : find_current_context(files, &name, err);
  if (r < 0)
    return r;
  if ((r = find_context(files, name, &entry, err)) < 0 ||
      (r = kube_yaml_find_text(entry.file, entry.map, "cluster", &cluster, err)) < 0 ||
      (r = kube_yaml_find_text(entry.file, entry.map, "user", &user, err)) < 0 ||
      (r = kube_yaml_find_text(entry.file, entry.map, "namespace", &config.namespace_, err)) < 0)
    return r;
  if (!cluster)
    return error_set(err, ERROR_INVALID, "%s: the context \"%s\" names no cluster; add \"cluster: NAME\"",
                     entry.file->path, name);
  r = read_cluster(files, cluster, name, &config, err);
  if (r < 0)
    return r;
  r = user ? read_user(files, user, name, &config, err) : 0;
  if (r < 0)
    return r;
  if (!config.namespace_)
    config.namespace_ = mem_strdup("default");
  config.source = mem_format("context \"%s\" of %s", name, entry.file->path);
  *ret_config = config;
  config = (KubeConfig){0};
  return 0;
}
