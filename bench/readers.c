/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a list of pods as it comes from the API server, and a dump as kubectl prints it, beside jansson's
 * tree of the same text; and `facet plan -f` as a whole on a large dump.
 *
 *     bench-readers FOLDER FACET    with pods.json, pods.pb (bench/generate-pods), dump.json and large.json
 *                                   (bench/generate-dump)
 *
 * Each run is a process of its own, whose peak of resident memory is told. The readers get the file in pieces
 * and drop each object once it is decoded, or keep it in a pool; jansson needs the whole text, and gives the
 * whole tree. */
#include "bench.h"
#include "kube/dump.h"
#include "kube/pool.h"
#include "kube/reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <jansson.h>
#include <sys/stat.h>

enum { RUNS = 5, PIECE = 64 << 10 };

typedef struct Job {
  const char *path;
  KubeFormat format;
} Job;

static void count_object(void *userdata, KubeObject *object) {
  (*(int64_t *)userdata)++;
  kube_object_free(object);
}

static void stop_at(const Error *err) {
  fprintf(stderr, "%s\n", err->text);
  _exit(1);
}

static int64_t read_stream(const void *userdata) {
  const Job *job = userdata;
  Error err;
  int64_t count = 0;
  char piece[PIECE];
  size_t size;
  CLEANUP(cleanup_fclose) FILE *file = fopen(job->path, "r");
  CLEANUP(kube_list_reader_freep)
  KubeListReader *reader = kube_list_reader_new(&kube_pod_type, job->format, count_object, &count);
  while (file && (size = fread(piece, 1, sizeof piece, file)) > 0)
    if (kube_list_reader_feed(reader, piece, size, &err) < 0)
      stop_at(&err);
  const char *version, *continue_;
  if (kube_list_reader_finish(reader, &version, &continue_, &err) < 0)
    stop_at(&err);
  return count;
}

static int read_piece(void *userdata, char *buffer, size_t room, size_t *ret_size, Error *err) {
  ssize_t size = read(*(int *)userdata, buffer, room);
  *ret_size = size > 0 ? (size_t)size : 0;
  return size < 0 ? error_set(err, ERROR_IO, "cannot read the file") : 0;
}

static void keep_object(void *userdata, KubeObject *object) {
  (void)kube_pool_add(userdata, object->type, object->value);
  kube_object_free(object);
}

static void ignore_bad(void *userdata, const Error *err) {
  stop_at(err);
}

static int64_t read_dump_into(const Job *job, KubeOnObject *on_object, void *userdata) {
  Error err;
  CLEANUP(cleanup_close) int fd = open(job->path, O_RDONLY | O_CLOEXEC);
  KubeDumpSource source = {.read = read_piece, .userdata = &fd};
  KubeDumpSink sink = {.on_object = on_object, .on_bad = ignore_bad, .userdata = userdata};
  KubeDumpCounts counts;
  if (kube_dump_read(&source, &sink, &counts, &err) < 0)
    stop_at(&err);
  return (int64_t)counts.objects;
}

static int64_t read_dump(const void *job) {
  int64_t count = 0;
  return read_dump_into(job, count_object, &count);
}

static int64_t read_dump_to_pool(const void *job) {
  CLEANUP(kube_pool_freep) KubePool *pool = kube_pool_new();
  return read_dump_into(job, keep_object, pool);
}

static int64_t read_tree(const void *userdata) {
  const Job *job = userdata;
  json_error_t error;
  json_t *root = json_load_file(job->path, 0, &error);
  int64_t count = (int64_t)json_array_size(json_object_get(root, "items"));
  json_decref(root);
  return count;
}

/* Prints a row; returns the objects per second. */
static double measure(const char *name, int64_t (*work)(const void *userdata), const Job *job, int runs,
                      double beside) {
  double seconds[RUNS], peak_mib[RUNS];
  BenchResult result;
  for (int run = 0; run < runs; run++) {
    result = bench_in_child(work, job);
    seconds[run] = result.seconds;
    peak_mib[run] = (double)result.peak_kib / 1024;
  }
  struct stat info = {0};
  stat(job->path, &info);
  double median = bench_median(seconds, runs), per_s = (double)result.count / median;
  printf("%-24s %8.1f MB %8.0f MB/s %10.0f /s %10.1f MiB", name, (double)info.st_size / 1e6,
         (double)info.st_size / 1e6 / median, per_s, bench_median(peak_mib, runs));
  printf(beside > 0 ? " %8.1fx\n" : "\n", per_s / beside);
  fflush(stdout);
  return per_s;
}

/* `facet plan -f FILE` as a user runs it. */
static void measure_plan(const char *facet, const char *path) {
  double wall_s = bench_now_s();
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
    execl(facet, facet, "plan", "-f", path, (char *)NULL);
    _exit(127);
  }
  int status = 1;
  struct rusage usage = {0};
  if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
    fprintf(stderr, "facet plan failed\n");
    exit(1);
  }
  wall_s = bench_now_s() - wall_s;
  struct stat info = {0};
  stat(path, &info);
  double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  printf("%-24s %8.1f MB %8.1f s of processor time, %.1f s on the clock, %.1f MiB at the peak\n",
         "facet plan -f", (double)info.st_size / 1e6, cpu_s, wall_s, (double)usage.ru_maxrss / 1024);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: bench-readers FOLDER FACET\n");
    return 2;
  }
  CLEANUP(cleanup_free) char *json = mem_format("%s/pods.json", argv[1]);
  CLEANUP(cleanup_free) char *protobuf = mem_format("%s/pods.pb", argv[1]);
  CLEANUP(cleanup_free) char *dump = mem_format("%s/dump.json", argv[1]);
  CLEANUP(cleanup_free) char *large = mem_format("%s/large.json", argv[1]);
  printf("Reading a list of pods; processor time, medians of %d runs, each in a process of its own\n", RUNS);
  printf("%-24s %11s %13s %13s %14s %9s\n", "", "size", "", "objects", "peak RSS", "ratio");
  double tree = measure("jansson, tree", read_tree, &(Job){json, KUBE_JSON}, RUNS, 0);
  measure("facet, JSON stream", read_stream, &(Job){json, KUBE_JSON}, RUNS, tree);
  measure("facet, protobuf stream", read_stream, &(Job){protobuf, KUBE_PROTOBUF}, RUNS, tree);
  printf("\nReading what kubectl prints of nodes and pods\n");
  tree = measure("jansson, tree", read_tree, &(Job){dump, KUBE_JSON}, RUNS, 0);
  measure("facet, dump", read_dump, &(Job){dump, KUBE_JSON}, RUNS, tree);
  measure("facet, dump into a pool", read_dump_to_pool, &(Job){dump, KUBE_JSON}, RUNS, tree);
  printf("\n10,000 nodes and 200,000 pods\n");
  measure("facet, dump", read_dump, &(Job){large, KUBE_JSON}, 1, 0);
  measure("facet, dump into a pool", read_dump_to_pool, &(Job){large, KUBE_JSON}, 1, 0);
  measure_plan(argv[2], large);
  return 0;
}
