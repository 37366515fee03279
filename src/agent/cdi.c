/* SPDX-License-Identifier: Apache-2.0 */
/* A file is written to a name that no runtime reads and then renamed, so that nobody ever reads half of it.
 * Nothing is synced to disk: after a power cut the agent writes all of them again.
 *
 * The edits belong to a version of the driver. When that changes they are asked for again, and every file is
 * written anew: what counts is the signature of all that went into a file, kept per UUID. */
#include "agent/cdi.h"

#include "agent/publish.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX    "facet-"
#define SUFFIX    ".json"
#define TEMPORARY ".facet-new"

enum { KERNEL_TEXT_MAX = 4 << 20 };

struct AgentCdi {
  AgentCdiSource *source;
  char *folder, *minors_path, *numbers_path;
  Host *host;
  void (*on_change)(void *userdata);
  void *userdata;
  AgentCdiEdits *edits;                         /* NULL until they are known */
  char driver_version[GPU_DRIVER_VERSION_SIZE]; /* that they were asked for */
  uintptr_t generation;                         /* of the edits */
  bool is_asking, has_swept;
  HostTimer timer; /* tries again what failed */
  Map written;     /* id -> signature, never 0 */
  char edits_trouble[ERROR_TEXT_SIZE], file_trouble[ERROR_TEXT_SIZE];
};

static void on_timer(void *userdata) {
  AgentCdi *cdi = userdata;
  cdi->on_change(cdi->userdata);
}

AgentCdi *agent_cdi_new(const AgentCdiOptions *options, Host *host, void (*on_change)(void *userdata),
                        void *userdata) {
  if (!options->source)
    return NULL;
  AgentCdi *cdi = mem_alloc(sizeof *cdi);
  *cdi = (AgentCdi){.source = options->source,
                    .folder = mem_strdup(options->folder),
                    .minors_path = mem_format("%s/driver/nvidia-caps/mig-minors", options->proc),
                    .numbers_path = mem_format("%s/devices", options->proc),
                    .host = host,
                    .on_change = on_change,
                    .userdata = userdata,
                    .timer = {.fire = on_timer, .userdata = cdi}};
  return cdi;
}

void agent_cdi_free(AgentCdi *cdi) {
  if (!cdi)
    return;
  if (cdi->is_asking)
    cdi->source->cancel(cdi->source);
  timer_cancel(cdi->host, &cdi->timer);
  agent_cdi_edits_freep(&cdi->edits);
  map_deinit(&cdi->written);
  free(cdi->folder);
  free(cdi->minors_path);
  free(cdi->numbers_path);
  free(cdi);
}

/* ---- the edits ---- */

static void on_edits(void *userdata, const char *text, const Error *asked) {
  AgentCdi *cdi = userdata;
  AgentCdiEdits *edits = NULL;
  Error err = asked ? *asked : (Error){0};
  cdi->is_asking = false;
  if (!text || agent_cdi_edits_parse(text, &edits, &err) < 0) {
    snprintf(cdi->edits_trouble, sizeof cdi->edits_trouble, "%.400s; %s until then", err.text,
             cdi->edits ? "containers get what belonged to the driver before" : "slices are not offered");
    cdi->driver_version[0] = '\0';
    timer_set(cdi->host, &cdi->timer, AGENT_CDI_RETRY_MS);
  } else {
    agent_cdi_edits_freep(&cdi->edits);
    cdi->edits = edits;
    cdi->generation++;
    cdi->edits_trouble[0] = '\0';
  }
  cdi->on_change(cdi->userdata);
}

static bool is_file_of(const char *name, const GpuObservation *observation) {
  char id[MIG_UUID_SIZE];
  size_t size = strlen(name) - strlen(PREFIX) - strlen(SUFFIX);
  if (size >= sizeof id)
    return false;
  snprintf(id, sizeof id, "%.*s", (int)size, name + strlen(PREFIX));
  return agent_publish_exists(observation, id);
}

/* What an earlier life left behind. A folder that cannot be read will not be written either, and says so
 * then.
 */
static void sweep(AgentCdi *cdi, const GpuObservation *observation) {
  cdi->has_swept = true;
  DIR *folder = opendir(cdi->folder);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    const char *name = entry->d_name;
    bool is_ours = strlen(name) > strlen(PREFIX SUFFIX) && string_has_prefix(name, PREFIX) &&
                   string_has_suffix(name, SUFFIX);
    if (string_equal(name, TEMPORARY) || (is_ours && !is_file_of(name, observation)))
      unlinkat(dirfd(folder), name, 0);
  }
  if (folder)
    closedir(folder);
}

bool agent_cdi_prepare(AgentCdi *cdi, const GpuObservation *observation) {
  if (!cdi)
    return true;
  if (!cdi->has_swept)
    sweep(cdi, observation);
  if (!cdi->is_asking && !timer_is_set(&cdi->timer) &&
      strcmp(cdi->driver_version, observation->driver_version) != 0) {
    snprintf(cdi->driver_version, sizeof cdi->driver_version, "%s", observation->driver_version);
    cdi->is_asking = true;
    cdi->source->ask(cdi->source, on_edits, cdi);
  }
  return cdi->edits != NULL;
}

/* ---- files ---- */

static int read_text(const char *path, Text *ret_text, Error *err) {
  CLEANUP(cleanup_fclose) FILE *file = fopen(path, "re");
  char chunk[4096];
  size_t size;
  if (!file)
    return error_set_errno(err, ERROR_IO, errno, "reading %s", path);
  while ((size = fread(chunk, 1, sizeof chunk, file)) > 0 && ret_text->size < KERNEL_TEXT_MAX)
    text_append_bytes(ret_text, chunk, size);
  return ferror(file) ? error_set_errno(err, ERROR_IO, errno, "reading %s", path) : 0;
}

static int write_all(int fd, const Text *text) {
  for (size_t done = 0; done < text->size;) {
    ssize_t size = write(fd, text->bytes + done, text->size - done);
    if (size < 0 && errno != EINTR)
      return -errno;
    done += size > 0 ? (size_t)size : 0;
  }
  return 0;
}

static int replace_file(const AgentCdi *cdi, const char *path, const Text *text, Error *err) {
  CLEANUP(cleanup_free) char *temporary = mem_format("%s/" TEMPORARY, cdi->folder);
  if (mkdir(cdi->folder, 0755) < 0 && errno != EEXIST)
    return error_set_errno(err, ERROR_IO, errno, "making the CDI folder %s", cdi->folder);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  int r = fd < 0 ? -errno : write_all(fd, text);
  if (fd >= 0 && close(fd) < 0 && r == 0)
    r = -errno;
  if (r == 0 && rename(temporary, path) < 0)
    r = -errno;
  if (r == 0)
    return 0;
  unlink(temporary);
  return error_set_errno(err, ERROR_IO, -r, "writing the CDI file %s", path);
}

static char *path_of(const AgentCdi *cdi, const char *id) {
  return mem_format("%s/" PREFIX "%s" SUFFIX, cdi->folder, id);
}

static int write_spec(AgentCdi *cdi, const GpuObserved *gpu, const GpuInstance *instance, const char *path,
                      Error *err) {
  CLEANUP(text_deinit) Text minors = {0};
  CLEANUP(text_deinit) Text numbers = {0};
  CLEANUP(text_deinit) Text spec = {0};
  int r = 0;
  if (instance)
    r = read_text(cdi->minors_path, &minors, err);
  if (r == 0 && instance)
    r = read_text(cdi->numbers_path, &numbers, err);
  if (r < 0)
    return r;
  const AgentCdiKernel kernel = {.mig_minors = text_string(&minors), .numbers = text_string(&numbers)};
  r = agent_cdi_spec_format(cdi->edits, &kernel, gpu, instance, &spec, err);
  return r < 0 ? r : replace_file(cdi, path, &spec, err);
}

/* Of all that goes into a file; never 0. */
static uintptr_t sign(const AgentCdi *cdi, const GpuObserved *gpu, const GpuInstance *instance) {
  uintptr_t place = instance ? instance->gpu_instance_id << 8 | instance->compute_instance_id : 0xffff;
  return cdi->generation << 32 | (uintptr_t)(gpu->minor & 0xff) << 24 | (place & 0xffff) << 8 | 1;
}

bool agent_cdi_is_ready(AgentCdi *cdi, const GpuObservation *observation, const char *id) {
  if (!cdi)
    return true;
  const GpuObserved *gpu = agent_publish_find_whole(observation, id);
  const GpuInstance *instance = gpu ? NULL : agent_publish_find(observation, id, &gpu);
  if (!cdi->edits || !gpu || strchr(id, '/'))
    return false;
  CLEANUP(cleanup_free) char *path = path_of(cdi, id);
  uintptr_t signature = sign(cdi, gpu, instance);
  if ((uintptr_t)map_find(&cdi->written, id) == signature && access(path, F_OK) == 0)
    return true;
  Error err;
  if (write_spec(cdi, gpu, instance, path, &err) < 0) {
    snprintf(cdi->file_trouble, sizeof cdi->file_trouble, "%.400s; the slice is not offered until then",
             err.text);
    if (!timer_is_set(&cdi->timer))
      timer_set(cdi->host, &cdi->timer, AGENT_CDI_RETRY_MS);
    /* What was announced stays: a container that cannot start yet is tried again, a pod that finds no slice
     * is lost. */
    return map_find(&cdi->written, id) != NULL;
  }
  cdi->file_trouble[0] = '\0';
  map_put(&cdi->written, id, (void *)signature);
  return true;
}

void agent_cdi_clean(AgentCdi *cdi, const GpuObservation *observation) {
  for (size_t i = cdi ? cdi->written.count : 0; i-- > 0;) {
    const char *id = cdi->written.entries[i].key;
    if (agent_publish_exists(observation, id))
      continue;
    CLEANUP(cleanup_free) char *path = path_of(cdi, id);
    unlink(path);
    map_remove(&cdi->written, id);
  }
}

const char *agent_cdi_trouble(const AgentCdi *cdi) {
  if (!cdi || (!cdi->edits_trouble[0] && !cdi->file_trouble[0]))
    return NULL;
  return cdi->edits_trouble[0] ? cdi->edits_trouble : cdi->file_trouble;
}
