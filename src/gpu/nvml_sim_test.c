/* SPDX-License-Identifier: Apache-2.0 */
/* The same code on the simulated libnvidia-ml.so.1, loaded by its path as NVIDIA's would be: the one that
 * lies in this build folder, or the one that FACET_TEST_NVML names. Without it the tests are skipped. */
#include "base/test.h"

#include "base/memory.h"
#include "base/random.h"
#include "gpu/frame.h"
#include "gpu/nvml.h"
#include "gpu/worker.h"

#include <libgen.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { STEPS = 400, SEED = 7 };

static char library[PATH_MAX];

/* A fresh machine in a folder of its own; the library reads these variables when it is started. */
typedef struct Machine {
  char folder[64];
  GpuNvml *nvml;
} Machine;

static void find_library(void) {
  char self[PATH_MAX] = "";
  const char *named = getenv("FACET_TEST_NVML");
  if (named) {
    snprintf(library, sizeof library, "%s", named);
    return;
  }
  if (readlink("/proc/self/exe", self, sizeof self - 1) > 0)
    snprintf(library, sizeof library, "%.4000s/../sim/nvml/libnvidia-ml.so.1", dirname(self));
}

static void describe(Machine *machine, const char *gpus, const char *driver_version) {
  if (access(library, R_OK) < 0) {
    print_message("# skipped: there is no %s; build it, or name one by FACET_TEST_NVML\n", library);
    skip();
  }
  *machine = (Machine){.folder = "/tmp/facet-nvml-XXXXXX"};
  assert_non_null(mkdtemp(machine->folder));
  setenv("FACET_SIM_NVML_STATE", machine->folder, 1);
  setenv("FACET_SIM_NVML_MACHINE", gpus, 1);
  setenv("FACET_SIM_NVML_DRIVER", driver_version, 1);
  setenv("FACET_SIM_NVML_LATENCY", "0", 1);
}

static void start(Machine *machine, const char *gpus, const char *driver_version) {
  Error err = {0};
  describe(machine, gpus, driver_version);
  assert_ok(gpu_nvml_open(library, &machine->nvml, &err));
}

static void remove_files(const Machine *machine) {
  static const char *const files[] = {"state", "state.new", "lock"};
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", machine->folder, files[i]);
    unlink(path);
  }
  assert_int_equal(rmdir(machine->folder), 0);
}

static void stop(Machine *machine) {
  gpu_nvml_close(machine->nvml);
  remove_files(machine);
}

static GpuResult *run(Machine *machine, const GpuJob *job) {
  GpuResult *result = mem_alloc(sizeof *result);
  gpu_nvml_run(machine->nvml, job, result);
  assert_true(result->observed);
  for (int i = 0; i < result->observation.gpu_count; i++)
    assert_string_equal(result->observation.gpus[i].trouble, "");
  return result;
}

static GpuResult *observe(Machine *machine) {
  const GpuJob job = {.kind = GPU_JOB_OBSERVE};
  return run(machine, &job);
}

static GpuJob make_job(GpuJobKind kind, const GpuObserved *gpu, int profile, int start_slot) {
  GpuJob job = {.kind = kind,
                .nvml_id = gpu->model.profiles[profile].nvml_id,
                .start = (uint8_t)start_slot,
                .size = gpu->model.profiles[profile].size};
  snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
  return job;
}

static void each_driver_tells_the_same_profiles(void **state) {
  static const char *const drivers[] = {"470.256.02", "535.261.03", "550.163.01"};
  for (size_t i = 0; i < COUNT_OF(drivers); i++) {
    Machine machine;
    start(&machine, "A100-SXM4-80GB,A30", drivers[i]);
    CLEANUP(cleanup_free) GpuResult *result = observe(&machine);
    const GpuObservation *seen = &result->observation;
    assert_string_equal(seen->driver_version, drivers[i]);
    assert_int_equal(seen->gpu_count, 2);
    assert_string_equal(seen->gpus[0].product, "NVIDIA A100-SXM4-80GB");
    assert_string_equal(seen->gpus[1].product, "NVIDIA A30");
    assert_int_equal(seen->gpus[0].model.slot_count, 8);
    assert_int_equal(seen->gpus[1].model.slot_count, 4);
    assert_true(mig_model_find_profile(&seen->gpus[0].model, "1g.10gb") == 0);
    assert_true(mig_model_find_profile(&seen->gpus[1].model, "4g.24gb") >= 0);
    stop(&machine);
  }
}

static void a_model_is_the_tables_row(void **state) {
  static const char *const keys[] = {"A100-40GB", "A100-80GB", "A30", "H100-SXM-80GB"};
  static const char *const products[] = {"A100-SXM4-40GB", "A100-SXM4-80GB", "A30", "H100-80GB-HBM3"};
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    const MigModel *row = &mig_model_find(keys[i])->model;
    Machine machine;
    start(&machine, products[i], "550.163.01");
    CLEANUP(cleanup_free) GpuResult *result = observe(&machine);
    const MigModel *model = &result->observation.gpus[0].model;
    assert_int_equal(model->profile_count, row->profile_count);
    for (int k = 0; k < row->profile_count; k++) {
      assert_string_equal(model->profiles[k].name, row->profiles[k].name);
      assert_int_equal(model->profiles[k].starts, row->profiles[k].starts);
      assert_int_equal(model->profiles[k].nvml_id, row->profiles[k].nvml_id);
    }
    stop(&machine);
  }
}

static void mig_off_still_gives_a_model(void **state) {
  Machine machine;
  start(&machine, "A100-SXM4-80GB:mig=off,H100-80GB-HBM3:mig=off", "550.163.01");
  CLEANUP(cleanup_free) GpuResult *result = observe(&machine);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(result->observation.gpus[i].mode, MIG_MODE_OFF);
    assert_int_equal(result->observation.gpus[i].model.profile_count, 7);
  }
  stop(&machine);
}

/* The observed instances are those of the layout, complete, each with a UUID of its own. */
static void assert_layout_observed(const GpuObserved *gpu, const MigLayout *layout) {
  assert_int_equal(gpu->instance_count, layout->count);
  for (int i = 0; i < layout->count; i++) {
    const MigProfile *profile = &layout->model->profiles[layout->instances[i].profile];
    assert_int_equal(gpu->instances[i].start, layout->instances[i].start);
    assert_int_equal(gpu->instances[i].nvml_id, profile->nvml_id);
    assert_int_equal(gpu->instances[i].size, profile->size);
    assert_true(strncmp(gpu->instances[i].uuid, "MIG-", 4) == 0);
    for (int k = 0; k < i; k++)
      assert_string_not_equal(gpu->instances[i].uuid, gpu->instances[k].uuid);
  }
}

/* One random create or destroy, predicted by the layout's own rules. */
static void take_a_step(Machine *machine, Random *random, const GpuObserved *gpu, MigLayout *layout) {
  bool shrink = layout->count > 0 && random_below(random, 3) == 0;
  const MigInstance *victim = &layout->instances[shrink ? random_below(random, layout->count) : 0];
  int profile = shrink ? victim->profile : (int)random_below(random, layout->model->profile_count);
  const MigProfile *row = &layout->model->profiles[profile];
  int start_slot = shrink ? victim->start : row->auto_starts[random_below(random, row->auto_start_count)];
  const MigInstance *there = mig_layout_find(layout, start_slot);
  bool exists = there && there->profile == profile;
  bool possible = shrink || exists || mig_layout_can_place(layout, profile, start_slot);
  GpuJob job = make_job(shrink ? GPU_JOB_DESTROY : GPU_JOB_CREATE, gpu, profile, start_slot);
  CLEANUP(cleanup_free) GpuResult *result = run(machine, &job);
  if (possible != (result->err.code == 0))
    fail_msg("%s at slot %d: %s", row->name, start_slot, result->err.text);
  if (shrink)
    mig_layout_remove(layout, start_slot);
  else if (possible && !exists)
    mig_layout_place(layout, profile, start_slot);
  assert_layout_observed(&result->observation.gpus[0], layout);
  assert_int_equal(result->observation.gpus[1].instance_count, 0);
}

static void changes_happen_exactly_as_the_layout_predicts(void **state) {
  static const char *const machines[] = {"2xA100-SXM4-80GB", "2xA30", "2xH100-80GB-HBM3"};
  print_message("# seed %d\n", SEED);
  for (size_t i = 0; i < COUNT_OF(machines); i++) {
    Random random = {.state = SEED};
    Machine machine;
    start(&machine, machines[i], "550.163.01");
    CLEANUP(cleanup_free) GpuResult *first = observe(&machine);
    const GpuObserved *gpu = &first->observation.gpus[0];
    MigLayout layout;
    mig_layout_init(&layout, &gpu->model);
    for (int step = 0; step < STEPS; step++)
      take_a_step(&machine, &random, gpu, &layout);
    stop(&machine);
  }
}

static void a_slice_survives_the_process_that_made_it(void **state) {
  Error err = {0};
  Machine machine;
  start(&machine, "A100-SXM4-80GB", "550.163.01");
  CLEANUP(cleanup_free) GpuResult *first = observe(&machine);
  GpuJob job = make_job(GPU_JOB_CREATE, &first->observation.gpus[0], 0, 6);
  CLEANUP(cleanup_free) GpuResult *created = run(&machine, &job);
  assert_int_equal(created->err.code, 0);
  gpu_nvml_close(machine.nvml);
  assert_ok(gpu_nvml_open(library, &machine.nvml, &err));
  CLEANUP(cleanup_free) GpuResult *again = run(&machine, &job);
  assert_int_equal(again->err.code, 0);
  assert_string_equal(again->created_uuid, created->created_uuid);
  stop(&machine);
}

static void expect_counts(Machine *machine, const GpuJob *job, ErrorCode code, int first, int second) {
  CLEANUP(cleanup_free) GpuResult *result = run(machine, job);
  assert_int_equal(result->err.code, code);
  assert_int_equal(result->observation.gpu_count, 2);
  assert_int_equal(result->observation.gpus[0].instance_count, first);
  assert_int_equal(result->observation.gpus[1].instance_count, second);
}

/* Between two looks another program cuts the second GPU. */
static void after_a_change_its_gpu_is_looked_at_and_after_a_failure_all(void **state) {
  Error err = {0};
  Machine machine;
  start(&machine, "2xA100-SXM4-80GB", "550.163.01");
  Machine other = machine;
  assert_ok(gpu_nvml_open(library, &other.nvml, &err));
  CLEANUP(cleanup_free) GpuResult *first = observe(&machine);
  const GpuObserved *gpus = first->observation.gpus;
  const GpuJob by_other = make_job(GPU_JOB_CREATE, &gpus[1], 0, 6);
  const GpuJob ours = make_job(GPU_JOB_CREATE, &gpus[0], 0, 6);
  expect_counts(&other, &by_other, 0, 0, 1);
  expect_counts(&machine, &ours, 0, 1, 0);
  GpuJob impossible = make_job(GPU_JOB_CREATE, &gpus[0], 0, 5);
  impossible.start = 7;
  expect_counts(&machine, &impossible, ERROR_INVALID, 1, 1);
  const GpuJob again = make_job(GPU_JOB_DESTROY, &gpus[0], 0, 6);
  expect_counts(&machine, &again, 0, 0, 1);
  gpu_nvml_close(other.nvml);
  stop(&machine);
}

static pid_t start_worker(int *ret_socket) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[1]);
    _exit(gpu_worker_main(ends[0], library));
  }
  close(ends[0]);
  *ret_socket = ends[1];
  return pid;
}

static GpuResult *ask_worker_for(int socket, const GpuJob *job) {
  Error err = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  gpu_frame_encode_job(&bytes, job);
  assert_int_equal(write(socket, bytes.bytes, bytes.size), bytes.size);
  text_clear(&bytes);
  GpuResult *result = NULL;
  int r = GPU_FRAME_MORE;
  while (r == GPU_FRAME_MORE) {
    char chunk[4096];
    ssize_t size = read(socket, chunk, sizeof chunk);
    assert_true(size > 0);
    text_append_bytes(&bytes, chunk, (size_t)size);
    uint32_t gpu;
    while ((r = gpu_frame_decode_progress(&bytes, &gpu, &err)) == 0)
      assert_true(gpu < 2);
    if (r == GPU_FRAME_MORE)
      r = gpu_frame_decode_result(&bytes, &result, &err);
    assert_true(r >= 0);
  }
  return result;
}

static GpuResult *ask_worker(int socket) {
  return ask_worker_for(socket, &(GpuJob){.kind = GPU_JOB_OBSERVE});
}

static void a_worker_watches_the_gpus_and_then_looks_at_them(void **state) {
  Machine machine;
  int socket = -1, status;
  describe(&machine, "2xA30", "550.163.01");
  pid_t worker = start_worker(&socket);
  for (int i = 0; i < 2; i++) {
    CLEANUP(cleanup_free)
    GpuResult *watched = ask_worker_for(socket, &(GpuJob){.kind = GPU_JOB_WATCH, .wait_ms = 1});
    assert_string_equal(watched->err.text, "");
    assert_int_equal(watched->xid_count, 0);
    CLEANUP(cleanup_free) GpuResult *seen = ask_worker(socket);
    assert_int_equal(seen->observation.gpu_count, 2);
  }
  close(socket);
  assert_int_equal(waitpid(worker, &status, 0), worker);
  remove_files(&machine);
}

/* As after a driver that was unloaded and loaded again: what was opened before is of no use any more. */
static void a_worker_opens_a_driver_that_came_back_afresh(void **state) {
  Machine machine;
  int socket = -1, status;
  describe(&machine, "2xA30", "550.163.01");
  pid_t worker = start_worker(&socket);
  CLEANUP(cleanup_free) GpuResult *before = ask_worker(socket);
  assert_int_equal(before->observation.gpu_count, 2);
  remove_files(&machine); /* as if the driver was gone */
  CLEANUP(cleanup_free) GpuResult *lost = ask_worker(socket);
  assert_int_not_equal(lost->err.code, 0);
  assert_false(lost->observed);
  CLEANUP(cleanup_free) GpuResult *after = ask_worker(socket);
  assert_int_equal(after->err.code, 0);
  assert_int_equal(after->observation.gpu_count, 2);
  close(socket);
  assert_int_equal(waitpid(worker, &status, 0), worker);
  remove_files(&machine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_worker_watches_the_gpus_and_then_looks_at_them),
      cmocka_unit_test(a_worker_opens_a_driver_that_came_back_afresh),
      cmocka_unit_test(each_driver_tells_the_same_profiles),
      cmocka_unit_test(a_model_is_the_tables_row),
      cmocka_unit_test(mig_off_still_gives_a_model),
      cmocka_unit_test(changes_happen_exactly_as_the_layout_predicts),
      cmocka_unit_test(a_slice_survives_the_process_that_made_it),
      cmocka_unit_test(after_a_change_its_gpu_is_looked_at_and_after_a_failure_all),
  };
  find_library();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
