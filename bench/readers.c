/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a list of pods as it comes from the API server, beside jansson's tree of the same list.
 *
 *     bench-readers FOLDER        with pods.json and pods.pb (bench/generate-pods)
 *
 * Each run is a process of its own, whose peak of resident memory is told. The readers get the file in pieces
 * and drop each object once it is decoded; jansson needs the whole text, and gives the whole tree. */
#include "bench.h"
#include "kube/reader.h"

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

static int64_t read_tree(const void *userdata) {
  const Job *job = userdata;
  json_error_t error;
  json_t *root = json_load_file(job->path, 0, &error);
  int64_t count = (int64_t)json_array_size(json_object_get(root, "items"));
  json_decref(root);
  return count;
}

/* Prints a row; returns the objects per second. */
static double measure(const char *name, int64_t (*work)(const void *userdata), const Job *job,
                      double beside) {
  double seconds[RUNS], peak_mib[RUNS];
  BenchResult result;
  for (int run = 0; run < RUNS; run++) {
    result = bench_in_child(work, job);
    seconds[run] = result.seconds;
    peak_mib[run] = (double)result.peak_kib / 1024;
  }
  struct stat info = {0};
  stat(job->path, &info);
  double median = bench_median(seconds, RUNS), per_s = (double)result.count / median;
  printf("%-24s %8.1f MB %8.0f MB/s %10.0f pods/s %10.1f MiB", name, (double)info.st_size / 1e6,
         (double)info.st_size / 1e6 / median, per_s, bench_median(peak_mib, RUNS));
  printf(beside > 0 ? " %8.1fx\n" : "\n", per_s / beside);
  fflush(stdout);
  return per_s;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: bench-readers FOLDER\n");
    return 2;
  }
  CLEANUP(cleanup_free) char *json = mem_format("%s/pods.json", argv[1]);
  CLEANUP(cleanup_free) char *protobuf = mem_format("%s/pods.pb", argv[1]);
  printf("Reading a list of pods; processor time, medians of %d runs, each in a process of its own\n", RUNS);
  printf("%-24s %11s %13s %17s %14s %9s\n", "", "size", "", "", "peak RSS", "ratio");
  double tree = measure("jansson, tree", read_tree, &(Job){json, KUBE_JSON}, 0);
  measure("facet, JSON stream", read_stream, &(Job){json, KUBE_JSON}, tree);
  measure("facet, protobuf stream", read_stream, &(Job){protobuf, KUBE_PROTOBUF}, tree);
  return 0;
}
