/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with three files:
 *
 *     state       the last committed state, only ever replaced as a whole by rename
 *     state.new   the next one while it is written; a left-over is overwritten
 *     lock        held by flock during a change; the kernel lets go of it when its holder dies
 *
 * A process that is killed at any instant leaves either the old state or the new one. Data is not synced to
 * the disk: as with a real GPU, instances need not survive the machine. */
#include "sim/nvml/store.h"

#include "base/memory.h"
#include "sim/nvml/capability.h"
#include "sim/nvml/file.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* ERROR_NOT_FOUND where there is no state yet. */
static int read_state_text(const SimStore *store, Text *ret_text, Error *err) {
  int result = sim_file_read(store->folder, "state", ret_text, err);
  if (result == SIM_FILE_ABSENT)
    return error_set(err, ERROR_NOT_FOUND,
                     "no simulated machine in %s: set FACET_SIM_NVML_MACHINE or run facet-sim-nvml init",
                     store->folder);
  return result;
}

/* The capabilities first: where they cannot be written nothing changes, and where this process dies in
 * between, the next change puts them right. */
static int write_state(const SimStore *store, const SimState *state, Error *err) {
  int result = sim_capability_write(state, err);
  if (result < 0)
    return result;
  CLEANUP(text_deinit) Text text = {0};
  sim_state_format(state, &text);
  return sim_file_replace(store->folder, "state", &text, err);
}

/* Parsing is remembered: most calls find the file as it was. */
static int refresh(SimStore *store, const Text *text, Error *err) {
  if (store->text.size == text->size && store->text.size > 0 &&
      memcmp(store->text.bytes, text->bytes, text->size) == 0)
    return 0;
  if (memchr(text_string(text), '\0', text->size))
    return error_set(err, ERROR_PROTOCOL, "simulated GPUs: %s/state holds a zero byte", store->folder);
  /* A state is large, and the caller's thread may have a small stack. */
  CLEANUP(cleanup_free) SimState *state = mem_alloc(sizeof *state);
  if (sim_state_parse(text_string(text), state, err) < 0)
    return error_prefix(err, "simulated GPUs: %s/state", store->folder);
  sim_state_copy(&store->state, state);
  text_clear(&store->text);
  text_append_bytes(&store->text, text->bytes, text->size);
  return 0;
}

int sim_store_load(SimStore *store, SimState *ret_state, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  int result = store->folder ? read_state_text(store, &text, err) : 0;
  if (result < 0)
    return result;
  pthread_mutex_lock(&store->mutex);
  if (store->folder)
    result = refresh(store, &text, err);
  if (result == 0)
    sim_state_copy(ret_state, &store->state);
  pthread_mutex_unlock(&store->mutex);
  return result;
}

/* The part of a begin that comes before reading: nobody else changes anything from here to the end. */
static int seize(SimChange *change, SimStore *store, Error *err) {
  int fd = -1;
  pthread_mutex_lock(&store->changing);
  if (store->folder && sim_file_lock(store->folder, "lock", &fd, err) < 0) {
    pthread_mutex_unlock(&store->changing);
    return -err->code;
  }
  change->store = store;
  change->lock_fd = fd;
  return 0;
}

int sim_change_begin(SimChange *change, SimStore *store, Error *err) {
  change->store = NULL; /* the state is large, and read below */
  int result = seize(change, store, err);
  if (result < 0)
    return result;
  result = sim_store_load(store, &change->state, err);
  if (result < 0)
    sim_change_end(change);
  return result;
}

int sim_change_commit(SimChange *change, Error *err) {
  assert(change->store);
  int result = sim_state_check(&change->state, err);
  assert(result == 0); /* only the simulator's own calls alter it */
  if (change->store->folder)
    return write_state(change->store, &change->state, err);
  pthread_mutex_lock(&change->store->mutex);
  sim_state_copy(&change->store->state, &change->state);
  pthread_mutex_unlock(&change->store->mutex);
  return 0;
}

void sim_change_end(SimChange *change) {
  if (!change->store)
    return;
  if (change->lock_fd >= 0)
    close(change->lock_fd);
  pthread_mutex_unlock(&change->store->changing);
  change->store = NULL;
}

/* Two processes may come to a new folder at once: the second one finds what the first one wrote. */
static int create_state(SimStore *store, const SimState *machine, bool renew, Error *err) {
  CLEANUP(sim_change_end) SimChange change = {0};
  int result = seize(&change, store, err);
  if (result < 0)
    return result;
  CLEANUP(text_deinit) Text text = {0};
  result = read_state_text(store, &text, err);
  if (result == 0 && !renew)
    return 0;
  if (result < 0 && err->code != ERROR_NOT_FOUND && !renew)
    return result;
  return write_state(store, machine, err);
}

int sim_store_init(SimStore *store, const char *folder, const SimState *machine, bool renew, Error *err) {
  assert(folder || machine);
  *store = (SimStore){.folder = mem_strdup(folder)};
  pthread_mutex_init(&store->changing, NULL);
  pthread_mutex_init(&store->mutex, NULL);
  int result = 0;
  if (!folder)
    sim_state_copy(&store->state, machine);
  else if (strlen(folder) > PATH_MAX - 32)
    result = error_set(err, ERROR_INVALID, "simulated GPUs: the folder's name is too long");
  else if (machine)
    result = create_state(store, machine, renew, err);
  SimState state;
  if (result == 0)
    result = sim_store_load(store, &state, err);
  if (result < 0)
    sim_store_deinit(store);
  return result;
}

void sim_store_deinit(SimStore *store) {
  free(store->folder);
  text_deinit(&store->text);
  pthread_mutex_destroy(&store->changing);
  pthread_mutex_destroy(&store->mutex);
  *store = (SimStore){0};
}
