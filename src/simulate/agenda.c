/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/agenda.h"

void simulate_agenda_deinit(SimulateAgenda *agenda) {
  array_deinit(&agenda->heap);
}

static bool is_before(const SimulateEvent *a, const SimulateEvent *b) {
  if (a->at_ms != b->at_ms)
    return a->at_ms < b->at_ms;
  if (a->kind != b->kind)
    return a->kind < b->kind;
  return a->order < b->order;
}

static void exchange(SimulateEvent *a, SimulateEvent *b) {
  SimulateEvent other = *a;
  *a = *b;
  *b = other;
}

void simulate_agenda_add(SimulateAgenda *agenda, SimulateEvent event) {
  event.order = agenda->next_order++;
  *array_push(&agenda->heap) = event;
  SimulateEvent *heap = agenda->heap.items;
  for (size_t i = agenda->heap.count - 1; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
    exchange(&heap[i], &heap[(i - 1) / 2]);
}

const SimulateEvent *simulate_agenda_peek(const SimulateAgenda *agenda) {
  return agenda->heap.count ? &agenda->heap.items[0] : NULL;
}

bool simulate_agenda_take(SimulateAgenda *agenda, SimulateEvent *ret_event) {
  if (!agenda->heap.count)
    return false;
  SimulateEvent *heap = agenda->heap.items;
  *ret_event = heap[0];
  size_t count = --agenda->heap.count;
  heap[0] = heap[count];
  for (size_t i = 0, least;; i = least) {
    size_t left = 2 * i + 1, right = left + 1;
    least = i;
    if (left < count && is_before(&heap[left], &heap[least]))
      least = left;
    if (right < count && is_before(&heap[right], &heap[least]))
      least = right;
    if (least == i)
      return true;
    exchange(&heap[i], &heap[least]);
  }
}
