/* SPDX-License-Identifier: Apache-2.0 */
#include "http/listen.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { HOST_SIZE = 64, BACKLOG = 16 };

static int refuse(const char *address, Error *err) {
  return error_set(
      err, ERROR_INVALID,
      "\"%s\" is no address to listen on; wanted is [ADDRESS]:PORT, such as :9402, 127.0.0.1:9402 or "
      "[::1]:9402",
      address);
}

/* "[::1]:9402" -> "::1", 9402. */
static int split(const char *address, char ret_host[HOST_SIZE], int *ret_port, Error *err) {
  const char *colon = strrchr(address, ':');
  char *end = NULL;
  long port = colon ? strtol(colon + 1, &end, 10) : -1;
  if (!colon || end == colon + 1 || *end || port < 0 || port > 65535)
    return refuse(address, err);
  size_t size = (size_t)(colon - address);
  bool is_bracketed = size >= 2 && address[0] == '[' && address[size - 1] == ']';
  if (is_bracketed) {
    address++;
    size -= 2;
  }
  if (size >= HOST_SIZE)
    return refuse(address, err);
  memcpy(ret_host, address, size);
  ret_host[size] = '\0';
  *ret_port = (int)port;
  return 0;
}

static int bind_any(uv_tcp_t *tcp, int port) {
  struct sockaddr_in6 v6;
  struct sockaddr_in v4;
  uv_ip6_addr("::", port, &v6); /* takes IPv4 as well */
  if (uv_tcp_bind(tcp, (const struct sockaddr *)&v6, 0) == 0)
    return 0;
  uv_ip4_addr("0.0.0.0", port, &v4); /* a kernel without IPv6 */
  return uv_tcp_bind(tcp, (const struct sockaddr *)&v4, 0);
}

int http_listen_bind_tcp(uv_tcp_t *tcp, const char *address, Error *err) {
  char host[HOST_SIZE];
  int port = 0;
  int r = split(address, host, &port, err);
  if (r < 0)
    return r;
  struct sockaddr_in6 v6;
  struct sockaddr_in v4;
  if (!*host)
    r = bind_any(tcp, port);
  else if (uv_ip4_addr(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &v4) == 0)
    r = uv_tcp_bind(tcp, (const struct sockaddr *)&v4, 0);
  else if (uv_ip6_addr(host, port, &v6) == 0)
    r = uv_tcp_bind(tcp, (const struct sockaddr *)&v6, 0);
  else
    return refuse(address, err);
  return r < 0 ? error_set(err, ERROR_IO, "cannot listen on %s: %s", address, uv_strerror(r)) : 0;
}

/* ---- Unix ---- */

/* Removes a socket that a dead process left behind. */
static int make_room(const char *path, const struct sockaddr_un *name, Error *err) {
  struct stat status;
  if (lstat(path, &status) < 0)
    return 0;
  if (!S_ISSOCK(status.st_mode))
    return error_set(err, ERROR_INVALID,
                     "cannot listen on %s: there is a file of that name which is no socket", path);
  CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0)
    return error_set(err, ERROR_CONFLICT, "cannot listen on %s: another process serves it", path);
  if (unlink(path) < 0)
    return error_set_errno(err, ERROR_IO, errno, "cannot remove the old socket %s", path);
  return 0;
}

int http_listen_open_unix(const char *path, int *ret_fd, Error *err) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (!*path || strlen(path) >= sizeof name.sun_path)
    return error_set(err, ERROR_LIMIT,
                     "cannot listen on \"%s\": the path of a socket has 1 to %zu characters", path,
                     sizeof name.sun_path - 1);
  memcpy(name.sun_path, path, strlen(path) + 1);
  int r = make_room(path, &name, err);
  if (r < 0)
    return r;
  CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t before = umask(0177);
  r = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&name, sizeof name);
  int why = errno;
  umask(before);
  if (r < 0 || listen(fd, BACKLOG) < 0)
    return error_set_errno(err, ERROR_IO, r < 0 ? why : errno, "cannot listen on %s", path);
  *ret_fd = fd;
  fd = -1;
  return 0;
}
