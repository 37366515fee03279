/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound ownership: CLEANUP(fn) runs fn(&variable) when the variable leaves its scope; TAKE() hands the
 * value on and disarms it. Every owning local in this code base is declared with one of these. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef NDEBUG
#error "facet keeps its assertions in release builds: do not define NDEBUG"
#endif

#define CLEANUP(function)        __attribute__((cleanup(function)))
#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* TAKE(pointer): the pointer's value; the variable becomes NULL. */
#define TAKE(pointer)                                                                                        \
  __extension__({                                                                                            \
    __typeof__(pointer) taken_ = (pointer);                                                                  \
    (pointer) = NULL;                                                                                        \
    taken_;                                                                                                  \
  })

/* DEFINE_CLEANUP(Thing, thing_free): defines thing_freep(Thing **) for CLEANUP(thing_freep). */
#define DEFINE_CLEANUP(Type, function)                                                                       \
  static inline void function##p(Type **owned) {                                                             \
    if (*owned)                                                                                              \
      function(*owned);                                                                                      \
  }

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_free(void *owned) {
  free(*(void **)owned);
}

static inline void cleanup_fclose(FILE **file) {
  if (*file)
    fclose(*file);
}

static inline void cleanup_close(const int *fd) {
  if (*fd >= 0)
    close(*fd);
}
