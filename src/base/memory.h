/* SPDX-License-Identifier: Apache-2.0 */
/* Heap allocation that never returns NULL: out of memory ends the process, with a word on stderr.
 * In return every input has a limit. Release with free(). */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

void *mem_alloc(size_t size);                        /* zeroed */
void *mem_alloc_raw(size_t count, size_t item_size); /* not zeroed: for arrays that are filled at once */
int *mem_alloc_none(size_t count);                   /* all of them -1 */
void *mem_grow(void *old, size_t count, size_t item_size); /* realloc of an array; new part not zeroed */
char *mem_strdup(const char *text);                        /* NULL stays NULL */
char *mem_strndup(const char *text, size_t size);
char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void mem_fail(void);
/* For programs that run for long: what is freed goes back to the kernel, and all threads share one heap. */
void mem_stay_small(void);
/* What was freed among what is in use goes back to the kernel, too, as far as it is whole pages. Costs a look
 * at each free piece: for the end of a crowd. */
void mem_give_back(void);
