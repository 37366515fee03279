/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array of one type: ARRAY(Pod) pods = {0}; *array_push(&pods) = pod; pods.items[i], pods.count.
 * Pointers into it are valid until the next push. Release with array_deinit(). */
#pragma once

#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define ARRAY(Type)                                                                                          \
  struct {                                                                                                   \
    Type *items;                                                                                             \
    size_t count;                                                                                            \
    size_t capacity;                                                                                         \
  }

/* Makes room for one more, zeroed, and returns its address. */
#define array_push(array)                                                                                    \
  ((array)->count == (array)->capacity                                                                       \
       ? (void)((array)->capacity = (array)->capacity ? (array)->capacity * 2 : 8,                           \
                (array)->items = mem_grow((array)->items, (array)->capacity, sizeof *(array)->items))        \
       : (void)0,                                                                                            \
   memset(&(array)->items[(array)->count], 0, sizeof *(array)->items), &(array)->items[(array)->count++])

/* Makes room for so many in all, so that pushing them moves nothing. */
#define array_reserve(array, total)                                                                          \
  ((array)->capacity < (total)                                                                               \
       ? (void)((array)->capacity = (total),                                                                 \
                (array)->items = mem_grow((array)->items, (array)->capacity, sizeof *(array)->items))        \
       : (void)0)

/* Removes item i, keeping the order of the others. */
#define array_remove(array, i)                                                                               \
  (assert((size_t)(i) < (array)->count),                                                                     \
   memmove(&(array)->items[i], &(array)->items[(i) + 1],                                                     \
           ((array)->count - (size_t)(i)-1) * sizeof *(array)->items),                                       \
   (void)(array)->count--)

#define array_clear(array) ((void)((array)->count = 0))

#define array_deinit(array)                                                                                  \
  (free((array)->items), (void)((array)->items = NULL, (array)->count = (array)->capacity = 0))
