/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type: a plain value on the caller's stack, a code and a sentence for a person.
 * No allocation, no release. It is the last parameter of every function that can fail and is never NULL.
 * Functions return 0 for success, a negative code after filling the error, and positive values only for the
 * conditions that their own header names. */
#pragma once

#include "base/cleanup.h"

#define ERROR_TEXT_SIZE 512

typedef enum ErrorCode {
  ERROR_INVALID = 1, /* input that does not parse or makes no sense */
  ERROR_NOT_FOUND,   /* a named thing is not there */
  ERROR_IO,          /* the operating system refused: file, socket, process */
  ERROR_DENIED,      /* credentials or permissions */
  ERROR_TIMEOUT,     /* no answer within the given time */
  ERROR_LIMIT,       /* a limit of this program was reached */
  ERROR_PROTOCOL,    /* the peer broke the protocol */
  ERROR_UNAVAILABLE, /* the peer is not there or went away: worth trying again */
  ERROR_UNSUPPORTED, /* known, but not possible here */
  ERROR_CONFLICT,    /* the world changed since we looked */
  ERROR_GPU,         /* NVML or the driver refused */
  ERROR_LOST,        /* a GPU is gone until it is reset or the node rebooted */
} ErrorCode;

typedef struct Error {
  int code; /* ErrorCode; 0: nothing was set */
  char text[ERROR_TEXT_SIZE];
} Error;

/* Fills the error and returns -code, to be returned as it is. Longer texts are cut, ending in "...". */
int error_set(Error *err, ErrorCode code, const char *format, ...) PRINTF_LIKE(3, 4);
int error_set_errno(Error *err, ErrorCode code, int errno_value, const char *format, ...) PRINTF_LIKE(4, 5);
/* Puts "context: " in front of the text and returns -err->code. */
int error_prefix(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

#ifdef __clang_analyzer__ /* It reads one file at a time, and must know that these never return 0. */
#define error_set(...)       (0 * error_set(__VA_ARGS__) - 1)
#define error_set_errno(...) (0 * error_set_errno(__VA_ARGS__) - 1)
#define error_prefix(...)    (0 * error_prefix(__VA_ARGS__) - 1)
#endif

/* The word for a code, e.g. "denied"; for logs and metrics. */
const char *error_code_name(int code);
