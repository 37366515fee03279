/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a running controller or agent over its --debug-socket, and prints what it answers. */
#include "cli/verb.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_SIZE_MAX = 16 << 20, PATIENCE_S = 10 };

typedef struct Options {
  const char *socket, *page;
} Options;

static const CliOption options_table[] = {
    {"--page", CLI_STRING, offsetof(Options, page), "debug|metrics|readyz|healthz",
     "What to show (default: debug)."},
};

static int reach(const char *path, int *ret_fd, Error *err) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof name.sun_path)
    return error_set(err, ERROR_LIMIT, "the path of a socket has at most %zu characters",
                     sizeof name.sun_path - 1);
  memcpy(name.sun_path, path, strlen(path) + 1);
  CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (const struct sockaddr *)&name, sizeof name) < 0)
    return error_set_errno(
        err, ERROR_UNAVAILABLE, errno,
        "cannot reach a program at %s; does one run with --debug-socket %s, and may you open it?", path,
        path);
  *ret_fd = fd;
  fd = -1;
  return 0;
}

static int ask(int fd, const char *page, Text *ret_answer, Error *err) {
  CLEANUP(text_deinit) Text request = {0};
  text_format(&request, "GET /%s HTTP/1.1\r\nHost: facet\r\n\r\n", page);
  if (send(fd, text_string(&request), request.size, MSG_NOSIGNAL) != (ssize_t)request.size)
    return error_set_errno(err, ERROR_IO, errno, "cannot ask");
  char piece[65536];
  for (ssize_t size; (size = recv(fd, piece, sizeof piece, 0)) != 0;) {
    if (size < 0)
      return error_set_errno(err, ERROR_IO, errno, "no answer within %d s", PATIENCE_S);
    text_append_bytes(ret_answer, piece, (size_t)size);
    if (ret_answer->size > ANSWER_SIZE_MAX)
      return error_set(err, ERROR_LIMIT, "the answer is larger than %d MiB", ANSWER_SIZE_MAX >> 20);
  }
  return 0;
}

static int show(const Options *options, Error *err) {
  CLEANUP(cleanup_close) int fd = -1;
  int r = reach(options->socket, &fd, err);
  if (r < 0)
    return r;
  CLEANUP(text_deinit) Text answer = {0};
  r = ask(fd, options->page, &answer, err);
  if (r < 0)
    return r;
  const char *body = strstr(text_string(&answer), "\r\n\r\n");
  if (!body || !string_has_prefix(text_string(&answer), "HTTP/1.1 "))
    return error_set(err, ERROR_PROTOCOL, "%s is no socket of facet's", options->socket);
  fputs(body + 4, stdout);
  fflush(stdout);
  if (!string_has_prefix(text_string(&answer), "HTTP/1.1 200 "))
    return error_set(err, ERROR_UNAVAILABLE, "%.3s", text_string(&answer) + strlen("HTTP/1.1 "));
  return 0;
}

static int run(const CliVerb *verb, int argc, char **argv) {
  Options options = {.page = "debug"};
  int exit_code;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  if (!options.socket) {
    fprintf(stderr, "facet debug: which socket? Give what the program got as --debug-socket\n");
    return CLI_EXIT_USAGE;
  }
  Error err;
  if (show(&options, &err) < 0) {
    fprintf(stderr, "facet debug: %s\n", err.text);
    return CLI_EXIT_FAILED;
  }
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_debug = {
    .name = "debug",
    .help = "what a running controller or agent sees, plans and waits for",
    .more = "SOCKET is what the program got as --debug-socket. Run it as the same user.",
    .operand = "SOCKET",
    .operand_offset = offsetof(Options, socket),
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
