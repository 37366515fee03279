/* SPDX-License-Identifier: Apache-2.0 */
/* The program that the Go tests drive: facet's device plugins and pod-resources client over real sockets,
 * told what to do by lines on stdin and telling what happens by lines on stdout.
 *
 *     facet-grpc-driver DEVICE-PLUGIN-FOLDER POD-RESOURCES-SOCKET
 *
 *     set RESOURCE ID...   the list of a resource          -> (nothing)
 *     pad RESOURCE N TAG   a list of N ids, made of TAG    -> (nothing)
 *     current RESOURCE     is the kubelet's list current?  -> current yes|no
 *     list, allocatable    asks pod-resources              -> list COUNT FIRST|list error TEXT
 *     memory               resident memory                 -> memory KIB
 */
#include "kubelet/plugins.h"
#include "kubelet/pod_resources.h"
#include "kubelet/uv_port.h"

#include "base/array.h"

#include <poll.h>
#include <string.h>

enum { LINE_SIZE_MAX = 1 << 20 };

typedef struct Driver {
  uv_loop_t loop;
  uv_pipe_t input;
  char read_buffer[4096];
  Text line;
  Host host;
  KubeletPlugins *plugins;
  KubeletPodResources *pod_resources;
  bool is_done;
} Driver;

/* The wait is outside of libuv, so that the clock is read before any callback of the turn sets a timer. */
static void turn(Driver *driver) {
  struct pollfd backend = {.fd = uv_backend_fd(&driver->loop), .events = POLLIN};
  int wait_ms = uv_backend_timeout(&driver->loop);
  uint64_t next_ms = host_next_ms(&driver->host);
  if (wait_ms != 0 && next_ms != HOST_NEVER)
    wait_ms = next_ms > driver->host.now_ms ? (int)(next_ms - driver->host.now_ms) : 0;
  poll(&backend, 1, wait_ms);
  uv_update_time(&driver->loop);
  host_advance(&driver->host, uv_now(&driver->loop), 0);
  uv_run(&driver->loop, UV_RUN_NOWAIT);
  host_run_timers(&driver->host);
}

static int on_allocate(void *userdata, const char *resource, const Strings *ids, Arena *arena,
                       KubeletAllocation *ret_allocation, Error *err) {
  if (strcmp(ids->items[0], "refused") == 0)
    return error_set(err, ERROR_NOT_FOUND, "100 %% of %s are gone: n\xc3\xb6 slice\n%s", resource,
                     ids->items[0]);
  KeyValue *env = arena_alloc(arena, sizeof *env);
  const char **cdi_name = arena_alloc(arena, sizeof *cdi_name);
  *env = (KeyValue){.key = "NVIDIA_VISIBLE_DEVICES", .value = ids->items[0]};
  *cdi_name = arena_format(arena, "nvidia.com/gpu=%s", ids->items[0]);
  *ret_allocation = (KubeletAllocation){.envs = {env, 1}, .cdi_names = {cdi_name, 1}};
  return 0;
}

static void on_registered(void *userdata, const char *resource) {
  printf("registered %s\n", resource);
}

static void on_trouble(void *userdata, const char *resource, const Error *err) {
  printf("trouble %s %s\n", resource ? resource : "-", err->text);
}

static void tell_helds(const char *question, const KubeletHelds *helds, const Error *err) {
  if (err)
    printf("%s error %s\n", question, err->text);
  else if (helds->count == 0)
    printf("%s 0\n", question);
  else
    printf("%s %zu %s/%s/%s:%s=%s\n", question, helds->count, string_or_empty(helds->items[0].namespace_),
           string_or_empty(helds->items[0].pod), string_or_empty(helds->items[0].container),
           helds->items[0].resource, helds->items[0].ids.count ? helds->items[0].ids.items[0] : "");
}

static void on_list(void *userdata, const KubeletHelds *helds, const Error *err) {
  tell_helds("list", helds, err);
}

static void on_allocatable(void *userdata, const KubeletHelds *helds, const Error *err) {
  tell_helds("allocatable", helds, err);
}

static void set(Driver *driver, const char *resource, const KubeletPartitions *partitions) {
  Error err = {0};
  if (kubelet_plugins_set(driver->plugins, resource, partitions, &err) < 0)
    printf("error %s\n", err.text);
}

static void command_set(Driver *driver, const char *resource, char *rest) {
  ARRAY(KubeletPartition) items = {0};
  for (char *id; (id = strsep(&rest, " "));) {
    if (*id)
      *array_push(&items) = (KubeletPartition){.id = id, .healthy = true};
  }
  set(driver, resource, &(KubeletPartitions){items.items, items.count});
  array_deinit(&items);
}

static void command_pad(Driver *driver, const char *resource, char *rest) {
  CLEANUP(arena_deinit) Arena arena = {0};
  size_t count = strtoul(rest, &rest, 10);
  KubeletPartitions partitions = {.items = arena_alloc(&arena, count * sizeof(KubeletPartition))};
  for (; partitions.count < count; partitions.count++)
    partitions.items[partitions.count] =
        (KubeletPartition){.id = arena_format(&arena, "%s-%zu", rest + 1, partitions.count), .healthy = true};
  set(driver, resource, &partitions);
}

static void command_memory(void) {
  unsigned long pages = 0;
  CLEANUP(cleanup_fclose) FILE *file = fopen("/proc/self/statm", "re");
  if (file && fscanf(file, "%*u %lu", &pages) == 1)
    printf("memory %ld\n", (long)pages * sysconf(_SC_PAGESIZE) / 1024);
}

static void obey(Driver *driver, char *line) {
  char *rest = line;
  const char *verb = strsep(&rest, " ");
  if (strcmp(verb, "list") == 0)
    kubelet_pod_resources_list(driver->pod_resources, on_list, driver);
  else if (strcmp(verb, "allocatable") == 0)
    kubelet_pod_resources_allocatable(driver->pod_resources, on_allocatable, driver);
  else if (strcmp(verb, "memory") == 0)
    command_memory();
  else if (strcmp(verb, "current") == 0 && rest)
    printf("current %s\n", kubelet_plugins_is_current(driver->plugins, rest) ? "yes" : "no");
  else if (rest) {
    const char *resource = strsep(&rest, " ");
    if (strcmp(verb, "set") == 0)
      command_set(driver, resource, rest);
    else if (strcmp(verb, "pad") == 0 && rest)
      command_pad(driver, resource, rest);
  }
}

static void on_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *ret_buffer) {
  Driver *driver = handle->data;
  *ret_buffer = uv_buf_init(driver->read_buffer, sizeof driver->read_buffer);
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  Driver *driver = stream->data;
  if (size < 0 || driver->line.size > LINE_SIZE_MAX) {
    driver->is_done = true;
    return;
  }
  text_append_bytes(&driver->line, buffer->base, (size_t)size);
  for (char *end; (end = memchr(driver->line.bytes, '\n', driver->line.size));) {
    *end = '\0';
    obey(driver, driver->line.bytes);
    text_drop_front(&driver->line, (size_t)(end - driver->line.bytes) + 1);
  }
}

static int driver_run(Driver *driver, const char *folder, const char *pod_resources_socket) {
  uv_loop_init(&driver->loop);
  host_init(&driver->host, 1);
  host_advance(&driver->host, uv_now(&driver->loop), 0);
  CLEANUP(kubelet_uv_port_freep) KubeletUvPort *port = kubelet_uv_port_new(&driver->loop);
  const KubeletPluginsOptions options = {.folder = folder,
                                         .on_allocate = on_allocate,
                                         .on_registered = on_registered,
                                         .on_trouble = on_trouble,
                                         .userdata = driver};
  CLEANUP(kubelet_plugins_freep)
  KubeletPlugins *plugins = kubelet_plugins_new(&driver->host, kubelet_uv_port_seam(port), &options);
  CLEANUP(kubelet_pod_resources_freep)
  KubeletPodResources *pod_resources =
      kubelet_pod_resources_new(&driver->host, kubelet_uv_port_seam(port), pod_resources_socket);
  driver->plugins = plugins;
  driver->pod_resources = pod_resources;
  driver->input.data = driver;
  uv_pipe_init(&driver->loop, &driver->input, 0);
  if (uv_pipe_open(&driver->input, STDIN_FILENO) < 0 ||
      uv_read_start((uv_stream_t *)&driver->input, on_buffer, on_input) < 0)
    return 1;
  while (!driver->is_done)
    turn(driver);
  return 0;
}

/* Closes what is left, so that a leak checker finds only leaks. */
static void driver_deinit(Driver *driver) {
  uv_close((uv_handle_t *)&driver->input, NULL);
  uv_run(&driver->loop, UV_RUN_DEFAULT);
  uv_loop_close(&driver->loop);
  text_deinit(&driver->line);
  host_deinit(&driver->host);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: facet-grpc-driver DEVICE-PLUGIN-FOLDER POD-RESOURCES-SOCKET\n");
    return 2;
  }
  Driver driver = {0};
  setvbuf(stdout, NULL, _IOLBF, 0);
  int result = driver_run(&driver, argv[1], argv[2]);
  driver_deinit(&driver);
  return result;
}
