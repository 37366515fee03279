/* SPDX-License-Identifier: Apache-2.0 */
/* What a large cluster costs the controller in resident memory, without an API server: its informers and its
 * planner are told of generated nodes and pods as a server would stream them, and then of pods that come, go
 * and change. Every object is written and forgotten again, so that what is resident is the controller's. TLS
 * and HTTP are not here: bench/scale measures the program beside a real server.
 *
 *     bench-memory                    both clusters, each with caches alone and with the planner
 *     bench-memory CLUSTER [EVENTS]   one of them (0, 1) with the planner in this process: for a profiler */
#include "base/host.h"
#include "base/log.h"
#include "bench.h"
#include "cluster/node_trim.h"
#include "controller/controller.h"
#include "mig/contract.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>

enum {
  PODS_OF_DEPLOYMENT = 40,
  NAMESPACES = 50,
  EVENTS_A_TURN = 100, /* of the churn, then the controller plans */
  SETTLE_MS = 5000,
  BURST_PODS = 1000,
  FLUSH_BYTES = 16 << 10, /* as HTTP brings them */
};

static const int64_t WALL_MS = 1767225600000;

typedef struct Shape {
  const char *title;
  int nodes, gpu_nodes, gpus; /* `gpus` on each of the first `gpu_nodes` */
  int pods, slice_pods,
      waiting; /* `slice_pods` of the pods ask one slice, the first `waiting` of them wait */
  int events;
} Shape;

static const Shape shapes[] = {
    {"10,000 nodes, 200 with one GPU", 10000, 200, 1, 100000, 0, 0, 200000},
    {"10,000 nodes, each with 8 GPUs", 10000, 10000, 8, 100000, 20000, 1000, 200000},
};

/* ---- objects as JSON ---- */

/* Any number, always the same for the same two. */
static uint64_t scramble(uint64_t kind, uint64_t number) {
  Random random = {.state = kind * UINT64_C(0x9e3779b97f4a7c15) + number};
  return random_next(&random);
}

/* Version 4 of RFC 4122, as API servers make them. */
static void append_uid(Text *out, uint64_t kind, uint64_t number) {
  uint64_t high = scramble(kind, number * 2), low = scramble(kind, number * 2 + 1);
  high = (high & ~UINT64_C(0xf000)) | 0x4000;
  low = low >> 2 | UINT64_C(1) << 63;
  text_format(out, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
              (unsigned)(high & 0xffff), (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
}

static void append_gpu(Text *out, int node, int gpu) {
  text_format(out, ",\"" MIG_ANNOTATION_IDENTITY_PREFIX "%d\":\"GPU-", gpu);
  append_uid(out, 1, (uint64_t)node * 64 + (uint64_t)gpu);
  text_append(out, " NVIDIA-A100-SXM4-80GB mig=on\"");
  text_format(out, ",\"" MIG_ANNOTATION_STATUS_GPU_PREFIX "%d\":\"3g.40gb@4:used,2g.20gb@0:used\"", gpu);
  text_format(out, ",\"" MIG_ANNOTATION_STATUS_COUNT_PREFIX "%d-2g.20gb-used\":\"1\"", gpu);
  text_format(out, ",\"" MIG_ANNOTATION_STATUS_COUNT_PREFIX "%d-3g.40gb-used\":\"1\"", gpu);
}

static void append_node(Text *out, const Shape *shape, int i, uint64_t version) {
  bool has_gpus = i < shape->gpu_nodes;
  text_format(out, "{\"metadata\":{\"name\":\"node-%05d\",\"uid\":\"", i);
  append_uid(out, 2, (uint64_t)i);
  text_format(out, "\",\"resourceVersion\":\"%llu\",\"labels\":{\"kubernetes.io/hostname\":\"node-%05d\",",
              (unsigned long long)version, i);
  text_format(out, "\"topology.kubernetes.io/zone\":\"zone-%d\",\"kubernetes.io/os\":\"linux\"%s},", i % 3,
              has_gpus ? ",\"" MIG_LABEL_PARTITIONING "\":\"mig\"" : "");
  text_append(out, "\"annotations\":{\"node.alpha.kubernetes.io/ttl\":\"0\",\"example.com/machine\":\"");
  append_uid(out, 3, (uint64_t)i);
  text_append(out, "\"");
  for (int gpu = 0; has_gpus && gpu < shape->gpus; gpu++)
    append_gpu(out, i, gpu);
  text_append(out, "}},\"status\":{");
  for (int list = 0; list < 2; list++)
    text_format(out, "\"%s\":{\"cpu\":\"128\",\"memory\":\"1Ti\",\"pods\":\"110\"},",
                list ? "allocatable" : "capacity");
  text_append(out, "\"conditions\":[");
  static const char *const conditions[] = {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"};
  for (size_t c = 0; c < COUNT_OF(conditions); c++)
    text_format(out,
                "%s{\"type\":\"%s\",\"status\":\"%s\",\"reason\":\"Kubelet%s\",\"message\":\"as it says\"}",
                c ? "," : "", conditions[c], c == 3 ? "True" : "False", conditions[c]);
  text_append(out, "]}}");
}

static void append_container(Text *out, const char *name, int deployment, const char *slice) {
  text_format(out,
              "{\"name\":\"%s\",\"resources\":{\"requests\":{\"cpu\":\"%dm\",\"memory\":\"256Mi\"},"
              "\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\"%s%s%s}},\"ports\":[{\"protocol\":\"TCP\"}]}",
              name, 100 + deployment % 9 * 50, slice ? ",\"nvidia.com/mig-" : "", slice ? slice : "",
              slice ? "\":\"1\"" : "");
}

static void append_pod_meta(Text *out, int i, uint64_t version) {
  int deployment = i / PODS_OF_DEPLOYMENT;
  unsigned hash = (unsigned)scramble(4, (uint64_t)deployment);
  text_format(out, "{\"metadata\":{\"name\":\"web-%d-%010x-%08x\",\"namespace\":\"team-%d\",\"uid\":\"",
              deployment, hash, (unsigned)scramble(5, (uint64_t)i), deployment % NAMESPACES);
  append_uid(out, 6, (uint64_t)i);
  text_format(out, "\",\"resourceVersion\":\"%llu\",\"creationTimestamp\":\"2026-01-01T%02d:%02d:%02dZ\",",
              (unsigned long long)version, i / 3600 % 24, i / 60 % 60, i % 60);
  text_format(out, "\"labels\":{\"app\":\"web-%d\",\"pod-template-hash\":\"%010x\",\"tier\":\"backend\"},",
              deployment, hash);
  text_format(out, "\"annotations\":{\"example.com/checksum\":\"%010x\",\"prometheus.io/scrape\":\"true\"},",
              hash);
  text_format(
      out, "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"web-%d-%010x\",\"controller\":true}]},",
      deployment, hash);
}

static void append_pod(Text *out, const Shape *shape, int i, uint64_t version) {
  static const char *const slices[] = {"1g.10gb", "2g.20gb", "3g.40gb"};
  int deployment = i / PODS_OF_DEPLOYMENT, ordinal = i % shape->pods;
  bool waits = ordinal < shape->waiting;
  append_pod_meta(out, i, version);
  text_append(out, "\"spec\":{\"schedulerName\":\"default-scheduler\",\"priority\":0,");
  if (!waits)
    text_format(out, "\"nodeName\":\"node-%05d\",", (int)(scramble(7, (uint64_t)i) % (uint64_t)shape->nodes));
  text_append(
      out, "\"tolerations\":["
           "{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"},"
           "{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"}],"
           "\"volumes\":[");
  text_format(out, "{\"name\":\"kube-api-access-%05x\"}],\"containers\":[",
              (unsigned)(scramble(9, (uint64_t)i) & 0xfffff));
  append_container(out, "main", deployment, ordinal < shape->slice_pods ? slices[deployment % 3] : NULL);
  text_append(out, ",");
  append_container(out, "sidecar", deployment, NULL);
  text_format(out, "]},\"status\":{\"phase\":\"%s\",\"conditions\":[", waits ? "Pending" : "Running");
  if (waits)
    text_append(out, "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\"}");
  static const char *const conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready",
                                           "ContainersReady", "PodScheduled"};
  for (size_t c = 0; !waits && c < COUNT_OF(conditions); c++)
    text_format(out, "%s{\"type\":\"%s\",\"status\":\"True\"}", c ? "," : "", conditions[c]);
  text_append(out, "]}}");
}

/* ---- the server ---- */

struct KubeCall {
  KubeRequest request; /* its texts are no longer there */
  bool is_pods, is_watch, is_new, is_over;
};

typedef struct Server {
  KubeTransport seam;
  ARRAY(KubeCall *) calls;
  KubeCall *nodes, *pods; /* the watches */
  Text bytes;
  uint64_t version;
} Server;

static KubeCall *start_call(KubeTransport *transport, const KubeRequest *request) {
  Server *server = (Server *)transport;
  KubeCall *call = mem_alloc(sizeof *call);
  *call = (KubeCall){.request = *request, .is_new = true};
  call->is_watch = strstr(request->path, "watch=1") != NULL;
  call->is_pods = strncmp(request->path, "/api/v1/pods", strlen("/api/v1/pods")) == 0;
  *array_push(&server->calls) = call;
  return call;
}

static void cancel_call(KubeTransport *transport, KubeCall *call) {
  (void)transport;
  call->is_over = true;
}

static void flush(Server *server, KubeCall *call) {
  call->request.on_body(call->request.userdata, server->bytes.bytes, server->bytes.size);
  text_clear(&server->bytes);
}

static void begin_event(Server *server, const char *type) {
  text_format(&server->bytes, "{\"type\":\"%s\",\"object\":", type);
}

static void end_event(Server *server, KubeCall *call) {
  text_append(&server->bytes, "}\n");
  if (server->bytes.size > FLUSH_BYTES)
    flush(server, call);
}

static void send_pod(Server *server, const Shape *shape, const char *type, int i) {
  begin_event(server, type);
  append_pod(&server->bytes, shape, i, ++server->version);
  end_event(server, server->pods);
}

static void send_bookmark(Server *server, KubeCall *call, const char *annotations) {
  text_format(&server->bytes,
              "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%llu\",\"annotations\":"
              "{%s}}}}\n",
              (unsigned long long)server->version, annotations);
  flush(server, call);
}

static void stream_list(Server *server, const Shape *shape, KubeCall *call) {
  call->request.on_head(call->request.userdata, 200, "application/json", -1);
  *(call->is_pods ? &server->pods : &server->nodes) = call;
  for (int i = 0; i < (call->is_pods ? shape->pods : shape->nodes); i++) {
    if (call->is_pods) {
      send_pod(server, shape, "ADDED", i);
      continue;
    }
    begin_event(server, "ADDED");
    append_node(&server->bytes, shape, i, ++server->version);
    end_event(server, call);
  }
  send_bookmark(server, call, "\"k8s.io/initial-events-end\":\"true\"");
}

/* All that was asked so far. */
static void answer(Server *server, const Shape *shape) {
  for (size_t i = 0; i < server->calls.count; i++) {
    KubeCall *call = server->calls.items[i];
    if (!call->is_new || call->is_over)
      continue;
    call->is_new = false;
    if (call->is_watch) {
      stream_list(server, shape, call);
      continue;
    }
    call->is_over = true;
    call->request.on_head(call->request.userdata, 201, "application/json", -1);
    call->request.on_body(call->request.userdata, "{}", 2);
    call->request.on_done(call->request.userdata, NULL);
  }
  size_t kept = 0;
  for (size_t i = 0; i < server->calls.count; i++)
    if (server->calls.items[i]->is_over)
      free(server->calls.items[i]);
    else
      server->calls.items[kept++] = server->calls.items[i];
  server->calls.count = kept;
}

static void run_for(Host *host, Server *server, const Shape *shape, uint64_t ms) {
  uint64_t end_ms = host->now_ms + ms;
  for (answer(server, shape); host_next_ms(host) <= end_ms; answer(server, shape)) {
    uint64_t now_ms = host_next_ms(host);
    host_advance(host, now_ms, host->wall_ms + (int64_t)(now_ms - host->now_ms));
    host_run_timers(host);
  }
  host_advance(host, end_ms, host->wall_ms + (int64_t)(end_ms - host->now_ms));
}

/* ---- measuring ---- */

static double read_status_mb(const char *name) {
  char line[256];
  double kib = 0;
  FILE *file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0)
      kib = strtod(line + strlen(name) + 1, NULL);
  if (file)
    fclose(file);
  return kib / 1024;
}

static void report(const char *what) {
  struct mallinfo2 heap = mallinfo2();
  printf("%24s %9.1f %9.1f %9.1f %9.1f %9.2f\n", what, read_status_mb("VmRSS"), read_status_mb("RssAnon"),
         (double)(heap.uordblks + heap.hblkhd) / (1 << 20), read_status_mb("VmHWM"), bench_cpu_s());
  fflush(stdout);
}

/* A third of the events each: a pod goes, its successor comes, another changes. */
static void churn(Host *host, Server *server, const Shape *shape) {
  int oldest = shape->waiting, next = shape->pods + shape->waiting;
  for (int event = 0; event < shape->events; event++) {
    if (event % 3 == 0)
      send_pod(server, shape, "DELETED", oldest++);
    else if (event % 3 == 1)
      send_pod(server, shape, "ADDED", next++);
    else
      send_pod(server, shape, "MODIFIED", oldest + (int)(scramble(8, (uint64_t)event) % 10000));
    if (event % EVENTS_A_TURN == 0 && server->bytes.size) {
      flush(server, server->pods);
      send_bookmark(server, server->nodes, "");
      run_for(host, server, shape, 300);
    }
  }
  flush(server, server->pods);
  run_for(host, server, shape, SETTLE_MS);
}

/* As many pods as GPUs can serve and more come at once, wait, are told, and go again. */
static void burst(Host *host, Server *server, const Shape *shape) {
  Shape crowd = *shape;
  int first = 2 * shape->pods + shape->events;
  first -= first % shape->pods; /* so that the first ordinals are theirs */
  crowd.waiting = crowd.slice_pods = BURST_PODS;
  for (int i = 0; i < BURST_PODS; i++)
    send_pod(server, &crowd, "ADDED", first + i);
  flush(server, server->pods);
  run_for(host, server, shape, SETTLE_MS);
  report("while a burst waits");
  for (int i = 0; i < BURST_PODS; i++)
    send_pod(server, &crowd, "DELETED", first + i);
  flush(server, server->pods);
  run_for(host, server, shape, SETTLE_MS);
}

static void ignore_change(void *userdata, const void *old, const void *new_) {
  (void)userdata, (void)old, (void)new_;
}

static void ignore_synced(void *userdata) {
  (void)userdata;
}

static void fail(void *userdata, const Error *err, uint64_t retry_ms) {
  (void)userdata, (void)retry_ms;
  fprintf(stderr, "bench-memory: %s\n", err->text);
  exit(1);
}

static KubeInformer *start_informer(Host *host, Server *server, const KubeType *type) {
  KubeInformerOptions options = {.type = type,
                                 .trim = type == &kube_pod_type ? pod_trim : node_trim,
                                 .on_change = ignore_change,
                                 .on_synced = ignore_synced,
                                 .on_trouble = fail};
  KubeInformer *informer = kube_informer_new(host, &server->seam, &options);
  kube_informer_start(informer);
  return informer;
}

typedef struct Job {
  const Shape *shape;
  bool plans;
} Job;

static void settle(Host *host, Server *server, const Shape *shape, const char *what) {
  run_for(host, server, shape, SETTLE_MS);
  report(what);
}

static int64_t measure(const void *userdata) {
  const Job *job = userdata;
  Host host;
  Server server = {.seam = {.streams_lists = true, .start = start_call, .cancel = cancel_call}};
  mem_stay_small();
  host_init(&host, 1);
  host_advance(&host, 1000, WALL_MS);
  CLEANUP(kube_informer_freep) KubeInformer *nodes = NULL, *pods = NULL;
  CLEANUP(controller_freep) Controller *controller = NULL;
  report("empty");
  if (job->plans) {
    controller = controller_new(&(ControllerOptions){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                                     .leftover = PLAN_LEFTOVER_FILL,
                                                     .recut_limit = CONTROLLER_RECUT_LIMIT,
                                                     .observe = true},
                                &host, &server.seam);
    controller_start(controller);
  } else {
    nodes = start_informer(&host, &server, &kube_node_type);
    pods = start_informer(&host, &server, &kube_pod_type);
  }
  settle(&host, &server, job->shape, "first sync");
  churn(&host, &server, job->shape);
  report("after the churn");
  burst(&host, &server, job->shape);
  report("after the burst");
  malloc_trim(0);
  report("trimmed");
  return 0;
}

int main(int argc, char **argv) {
  log_configure((LogConfig){.level = LOG_LEVEL_ERROR});
  size_t only = argc > 1 ? strtoul(argv[1], NULL, 10) : SIZE_MAX;
  if (only < COUNT_OF(shapes)) {
    Shape shape = shapes[only];
    shape.events = argc > 2 ? (int)strtoul(argv[2], NULL, 10) : shape.events;
    return (int)measure(&(Job){&shape, true});
  }
  for (size_t s = 0; s < COUNT_OF(shapes); s++)
    for (int plans = 0; plans < 2; plans++) {
      printf("%s, %d pods, %s\n%24s %9s %9s %9s %9s %9s\n", shapes[s].title, shapes[s].pods,
             plans ? "with the planner" : "caches alone", "MB", "resident", "anonymous", "in use", "most",
             "cpu, s");
      fflush(stdout);
      bench_in_child(measure, &(Job){&shapes[s], plans});
    }
  return 0;
}
