/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting on a shared machine is waiting for its state file to be replaced (inotify); where time is not real
 * or the machine is in memory, it is one sleep and a second look. */
#include "sim/nvml/event.h"

#include "sim/nvml/hold.h"
#include "sim/nvml/object.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

static pthread_mutex_t sets = PTHREAD_MUTEX_INITIALIZER; /* guards all event sets of the simulator in use */

static SimEventSet *find(SimNvml *nvml, NvmlEventSet set) {
  int slot = sim_handle_event_slot(set);
  return slot >= 0 && slot < SIM_EVENT_SETS_MAX && nvml->event_sets[slot].taken ? &nvml->event_sets[slot]
                                                                                : NULL;
}

NvmlReturn sim_event_set_take(NvmlEventSet *ret_set) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, "nvmlEventSetCreate");
  if (result != NVML_SUCCESS)
    return result;
  pthread_mutex_lock(&sets);
  int slot = 0;
  while (slot < SIM_EVENT_SETS_MAX && view.nvml->event_sets[slot].taken)
    slot++;
  if (slot < SIM_EVENT_SETS_MAX) {
    view.nvml->event_sets[slot] = (SimEventSet){.taken = true, .seen = view.state.last_event};
    *ret_set = sim_handle_events(slot);
  }
  pthread_mutex_unlock(&sets);
  return slot < SIM_EVENT_SETS_MAX ? NVML_SUCCESS : NVML_INSUFFICIENT_RESOURCES;
}

static void end(SimEventSet *set) {
  set->taken = false;
  for (int i = 0; i < SIM_GPUS_MAX; i++)
    if (set->holds[i])
      close(set->holds[i] - 1);
  memset(set->holds, 0, sizeof set->holds);
}

void sim_event_sets_end(SimNvml *nvml) {
  pthread_mutex_lock(&sets);
  for (int i = 0; i < SIM_EVENT_SETS_MAX; i++)
    if (nvml->event_sets[i].taken)
      end(&nvml->event_sets[i]);
  pthread_mutex_unlock(&sets);
}

NvmlReturn sim_event_set_release(NvmlEventSet set) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, "nvmlEventSetFree");
  if (result != NVML_SUCCESS)
    return result;
  pthread_mutex_lock(&sets);
  SimEventSet *found = find(view.nvml, set);
  if (found)
    end(found);
  pthread_mutex_unlock(&sets);
  return found ? NVML_SUCCESS : NVML_INVALID_ARGUMENT;
}

static void add(const SimView *view, SimEventSet *set, int gpu_index, uint64_t types) {
  set->types[gpu_index] |= types;
  if (!set->holds[gpu_index])
    set->holds[gpu_index] = sim_hold_take(view->nvml, &view->state, gpu_index) + 1;
}

NvmlReturn sim_event_set_register(NvmlEventSet set, int gpu_index, uint64_t types) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, NULL);
  if (result != NVML_SUCCESS)
    return result;
  bool supported = (types & ~(uint64_t)SIM_EVENTS_SUPPORTED) == 0;
  pthread_mutex_lock(&sets);
  SimEventSet *found = find(view.nvml, set);
  if (found && supported)
    add(&view, found, gpu_index, types);
  pthread_mutex_unlock(&sets);
  if (!found)
    return NVML_INVALID_ARGUMENT;
  return supported ? NVML_SUCCESS : NVML_NOT_SUPPORTED;
}

/* One look at the state; TIMEOUT where there is nothing yet. */
static NvmlReturn take_next(SimEventSet *set, const SimState *state, SimEvent *ret_event) {
  for (int i = 0; i < state->event_count; i++) {
    const SimEvent *event = &state->events[i];
    if (event->serial > set->seen && (set->types[event->gpu_index] & event->type)) {
      set->seen = event->serial;
      *ret_event = *event;
      return NVML_SUCCESS;
    }
  }
  for (int i = 0; i < state->gpu_count; i++)
    if (state->gpus[i].lost && set->types[i])
      return NVML_GPU_IS_LOST;
  return NVML_TIMEOUT;
}

static NvmlReturn look(NvmlEventSet set, const char *function, SimView *view, SimEvent *ret_event) {
  NvmlReturn result = sim_view_open(view, function);
  if (result != NVML_SUCCESS)
    return result;
  pthread_mutex_lock(&sets);
  SimEventSet *found = find(view->nvml, set);
  result = found ? take_next(found, &view->state, ret_event) : NVML_INVALID_ARGUMENT;
  pthread_mutex_unlock(&sets);
  return result;
}

/* Until the file is replaced, or so many milliseconds at most. */
static void wait_for_change(int watch_fd, uint64_t milliseconds) {
  struct pollfd watched = {.fd = watch_fd, .events = POLLIN};
  char notices[4096];
  if (poll(&watched, 1, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds) > 0)
    (void)!read(watch_fd, notices, sizeof notices);
}

static NvmlReturn wait_really(NvmlEventSet set, int watch_fd, unsigned timeout_ms, SimEvent *ret_event) {
  SimView view;
  uint64_t end = sim_call_now_ms() + timeout_ms, now;
  NvmlReturn result = look(set, NULL, &view, ret_event);
  while (result == NVML_TIMEOUT && (now = sim_call_now_ms()) < end) {
    wait_for_change(watch_fd, end - now);
    result = look(set, NULL, &view, ret_event);
  }
  return result;
}

NvmlReturn sim_event_set_wait(NvmlEventSet set, unsigned timeout_ms, SimEvent *ret_event) {
  SimView view;
  NvmlReturn result = look(set, "nvmlEventSetWait", &view, ret_event);
  if (result != NVML_TIMEOUT || timeout_ms == 0)
    return result;
  if (view.nvml->store.folder && !view.nvml->sleep) {
    CLEANUP(cleanup_close) int watch_fd = inotify_init1(IN_CLOEXEC);
    if (watch_fd >= 0 && inotify_add_watch(watch_fd, view.nvml->store.folder, IN_MOVED_TO) >= 0)
      return wait_really(set, watch_fd, timeout_ms, ret_event);
  }
  sim_call_sleep(view.nvml, timeout_ms);
  return look(set, NULL, &view, ret_event);
}
