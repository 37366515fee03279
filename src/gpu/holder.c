/* SPDX-License-Identifier: Apache-2.0 */
/* What a process has open tells how sure we can be:
 *
 *     the driver names it                                       certain
 *     /dev/nvidia-caps/nvidia-cap<n> of the instance is open    it subscribes to that very instance
 *     /dev/nvidia<minor> is open, by a known monitor            monitors hold handles of all instances
 *     /dev/nvidia<minor> is open                                counts only for the GPU as a whole: whoever
 *                                                               uses another slice of it has that open too */
#include "gpu/holder.h"

#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAID_MAX = 2, MINORS_MAX = 16, COMMAND_SIZE = 72, FILE_TEXT_MAX = 16384, ID_SHOWN = 12 };

typedef enum Certainty { NOT_SEEN, IS_KNOWN_MONITOR, HAS_IT_OPEN, IS_NAMED } Certainty;

/* By the first 15 characters of the command, as the kernel keeps them. */
static const struct {
  const char *command, *name, *next_step;
} clients[] = {
    {"nv-hostengine", "DCGM", "restart it (systemctl restart nvidia-dcgm, or delete its pod)"},
    {"dcgm-exporter", "dcgm-exporter", "delete its pod on this node, it comes back without the handle"},
    {"nvidia-persiste", "nvidia-persistenced",
     "stop it while the GPU is re-cut (systemctl stop nvidia-persistenced)"},
    {"nvidia-device-p", "NVIDIA's device plugin",
     "run the agent with --take-over, or delete the plugin's pod"},
    {"gpu-feature-dis", "GPU feature discovery",
     "delete its pod on this node, it comes back without the handle"},
    {"nvidia-mig-mana", "NVIDIA's MIG manager",
     "keep it away from this node: label nvidia.com/gpu.deploy.mig-manager=false"},
    {"nvsm_core", "NVSM", "stop it (systemctl stop nvsm)"},
    {"nvidia-cuda-mps", "the MPS daemon", "end it (echo quit | nvidia-cuda-mps-control)"},
    {"nvidia-smi", "nvidia-smi", "end it"},
    {"nvtop", "nvtop", "end it"},
};

typedef struct Search {
  const GpuHolderQuery *query;
  int cap_minors[MINORS_MAX];
  int cap_count;
} Search;

static size_t read_file(const char *proc, long pid, const char *name, char *ret_text, size_t size) {
  CLEANUP(cleanup_free)
  char *path = pid ? mem_format("%s/%ld/%s", proc, pid, name) : mem_format("%s/%s", proc, name);
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  size_t got = file ? fread(ret_text, 1, size - 1, file) : 0;
  ret_text[got] = '\0';
  return got;
}

/* "gpu0/gi7/access 66" and "gpu0/gi7/ci0/access 67" of the driver's list. */
static void read_capabilities(Search *search) {
  CLEANUP(cleanup_free) char *text = mem_alloc(FILE_TEXT_MAX);
  char prefix[48];
  read_file(search->query->proc, 0, "driver/nvidia-caps/mig-minors", text, FILE_TEXT_MAX);
  snprintf(prefix, sizeof prefix, "gpu%d/gi%d/", search->query->minor, search->query->instance_id);
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\n")) && search->cap_count < MINORS_MAX;) {
    const char *number = strrchr(line, ' ');
    if (number && string_has_prefix(line, prefix))
      search->cap_minors[search->cap_count++] = (int)strtol(number, NULL, 10);
  }
}

/* Printable, one line; the kernel separates words by NUL. */
static void clean(char *text, size_t size) {
  while (size > 0 && (text[size - 1] == '\0' || text[size - 1] == '\n'))
    text[--size] = '\0';
  for (size_t i = 0; i < size; i++)
    if (text[i] < ' ' || text[i] > '~' || text[i] == '"')
      text[i] = ' ';
}

static void read_command(const Search *search, long pid, char *ret_comm, size_t size) {
  clean(ret_comm, read_file(search->query->proc, pid, "comm", ret_comm, size));
}

static int find_client(const char *comm) {
  for (size_t i = 0; i < COUNT_OF(clients); i++)
    if (strncmp(comm, clients[i].command, 15) == 0)
      return (int)i;
  return -1;
}

static bool opens(const Search *search, const char *target, bool *ret_gpu) {
  char path[64];
  snprintf(path, sizeof path, "/dev/nvidia%d", search->query->minor);
  *ret_gpu = *ret_gpu || strcmp(target, path) == 0;
  for (int i = 0; i < search->cap_count; i++) {
    snprintf(path, sizeof path, "/dev/nvidia-caps/nvidia-cap%d", search->cap_minors[i]);
    if (strcmp(target, path) == 0)
      return true;
  }
  return false;
}

static Certainty look_at(const Search *search, long pid, const char *comm) {
  CLEANUP(cleanup_free) char *path = mem_format("%s/%ld/fd", search->query->proc, pid);
  bool has_gpu = false, has_instance = false;
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && !has_instance && (entry = readdir(folder));) {
    char target[64];
    ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
    target[size > 0 ? size : 0] = '\0';
    has_instance = opens(search, target, &has_gpu);
  }
  if (folder)
    closedir(folder);
  if (has_instance || (has_gpu && search->query->instance_id < 0))
    return HAS_IT_OPEN;
  return has_gpu && find_client(comm) >= 0 ? IS_KNOWN_MONITOR : NOT_SEEN;
}

/* Of a container's path below kubepods: ".../cri-containerd-<id>.scope", ".../pod<uid>/<id>". */
static void read_container(const Search *search, long pid, char *ret_id, size_t size) {
  CLEANUP(cleanup_free) char *text = mem_alloc(FILE_TEXT_MAX);
  read_file(search->query->proc, pid, "cgroup", text, FILE_TEXT_MAX);
  char *rest = text;
  ret_id[0] = '\0';
  for (char *line; !ret_id[0] && (line = strsep(&rest, "\n"));) {
    char *id = strrchr(line, '/');
    if (!id || !strstr(line, "kubepods"))
      continue;
    char *dash = strrchr(++id, '-');
    id = dash ? dash + 1 : id;
    if (strspn(id, "0123456789abcdef") >= ID_SHOWN)
      snprintf(ret_id, size, "%.*s", ID_SHOWN, id);
  }
}

/* Kubernetes gives a container its pod's name as host name. */
static void read_pod(const Search *search, long pid, char *ret_name, size_t size) {
  CLEANUP(cleanup_free) char *text = mem_alloc(FILE_TEXT_MAX);
  size_t length = read_file(search->query->proc, pid, "environ", text, FILE_TEXT_MAX);
  ret_name[0] = '\0';
  for (size_t at = 0; at < length; at += strlen(text + at) + 1)
    if (string_has_prefix(text + at, "HOSTNAME="))
      snprintf(ret_name, size, "%s", text + at + strlen("HOSTNAME="));
  clean(ret_name, strlen(ret_name));
}

static void describe(const Search *search, long pid, const char *comm, Text *text) {
  char command[COMMAND_SIZE], pod[64] = "", container[ID_SHOWN + 1];
  int client = find_client(comm);
  clean(command, read_file(search->query->proc, pid, "cmdline", command, sizeof command));
  read_container(search, pid, container, sizeof container);
  if (container[0])
    read_pod(search, pid, pod, sizeof pod);
  text_append(text, text->size ? "; and by " : "held by ");
  if (client >= 0)
    text_format(text, "%s, ", clients[client].name);
  text_format(text, "process %ld", pid);
  if (client < 0)
    text_format(text, " \"%s\"", command[0] ? command : comm);
  if (pod[0])
    text_format(text, " of pod %s", pod);
  if (container[0])
    text_format(text, " (container %s)", container);
  text_format(text, ": %s", client >= 0 ? clients[client].next_step : "end it, or wait until it ends");
}

/* Ourselves, the agent, and other workers of its. */
static bool is_ours(long pid, const char *comm) {
  return pid == getpid() || pid == getppid() || strcmp(comm, "facet-nvml") == 0;
}

static bool is_named(const GpuHolderQuery *query, long pid) {
  for (size_t i = 0; i < query->pid_count; i++)
    if (query->pids[i] == (uint32_t)pid)
      return true;
  return false;
}

/* All processes of one certainty. */
static int describe_all(const Search *search, Certainty certainty, int room, Text *text) {
  DIR *folder = opendir(search->query->proc);
  int said = 0;
  for (struct dirent *entry; folder && said < room && (entry = readdir(folder));) {
    char comm[32], *end;
    long pid = strtol(entry->d_name, &end, 10);
    if (pid <= 0 || *end)
      continue;
    read_command(search, pid, comm, sizeof comm);
    if (is_ours(pid, comm))
      continue;
    Certainty seen = is_named(search->query, pid) ? IS_NAMED : look_at(search, pid, comm);
    if (seen == certainty) {
      describe(search, pid, comm, text);
      said++;
    }
  }
  if (folder)
    closedir(folder);
  return said;
}

/* The driver may name processes that /proc does not show: those of other containers, without hostPID. */
static void describe_unseen(const GpuHolderQuery *query, Text *text) {
  if (!query->pid_count)
    return;
  text_format(text,
              "held by process %u, which this agent cannot see (hostPID): end it, or wait until it ends",
              query->pids[0]);
}

void gpu_holder_describe(const GpuHolderQuery *query, char *ret_text, size_t size) {
  Search search = {.query = query};
  CLEANUP(text_deinit) Text text = {0};
  if (query->instance_id >= 0)
    read_capabilities(&search);
  int said = 0;
  for (Certainty certainty = IS_NAMED; certainty > NOT_SEEN && !said; certainty--)
    said = describe_all(&search, certainty, SAID_MAX, &text);
  if (!said)
    describe_unseen(query, &text);
  snprintf(ret_text, size, "%s", text_string(&text));
}
