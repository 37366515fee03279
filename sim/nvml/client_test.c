/* SPDX-License-Identifier: Apache-2.0 */
/* facet's own NVML client against the library, loaded as it would load NVIDIA's: for every simulated model
 * the client sees the profiles and placements of the table, and what it creates it finds again. */
#include "base/memory.h"
#include "gpu/nvml.h"
#include "sim/nvml/fixture.h"

static const char *library_path;

/* The client on a new machine; the folder is for fixture_remove_folder. */
static GpuNvml *open_client(const char *machine, char ret_folder[64]) {
  GpuNvml *client = NULL;
  Error err = {0};
  fixture_make_folder(ret_folder);
  setenv("FACET_SIM_NVML_STATE", ret_folder, 1);
  setenv("FACET_SIM_NVML_MACHINE", machine, 1);
  setenv("FACET_SIM_NVML_LATENCY", "0", 1);
  assert_ok(gpu_nvml_open(library_path, &client, &err));
  return client;
}

static void assert_same_profiles(const MigModel *seen, const MigModel *table) {
  assert_int_equal(seen->profile_count, table->profile_count);
  assert_int_equal(seen->slot_count, table->slot_count);
  for (int i = 0; i < table->profile_count; i++) {
    const MigProfile *wanted = &table->profiles[i];
    int at = mig_model_find_profile(seen, wanted->name);
    if (at < 0)
      fail_msg("%s: the client does not see %s", table->name, wanted->name);
    const MigProfile *found = &seen->profiles[at];
    assert_int_equal(found->nvml_id, wanted->nvml_id);
    assert_int_equal(found->kind, wanted->kind);
    assert_int_equal(found->size, wanted->size);
    assert_int_equal(found->starts, wanted->starts);
    assert_int_equal(found->instance_count_max, wanted->instance_count_max);
    assert_int_equal(found->memory_mib, wanted->memory_mib);
  }
}

static void the_client_sees_the_table_of_every_model(void **test_state) {
  int row_count, seen = 0;
  const MigModelRow *rows = mig_model_rows(&row_count);
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  for (int i = 0; i < row_count; i++) {
    if (!rows[i].placements_known)
      continue;
    char folder[64];
    CLEANUP(gpu_nvml_closep) GpuNvml *client = open_client(rows[i].product_names[0], folder);
    gpu_nvml_run(client, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
    assert_int_equal(result->err.code, 0);
    assert_int_equal(result->observation.gpu_count, 1);
    const GpuObserved *gpu = &result->observation.gpus[0];
    assert_string_equal(gpu->product, rows[i].product_names[0]);
    assert_string_equal(gpu->trouble, "");
    assert_int_equal(gpu->mode, MIG_MODE_ON);
    assert_false(gpu->model_from_table);
    assert_same_profiles(&gpu->model, &rows[i].model);
    fixture_remove_folder(folder);
    seen++;
  }
  assert_true(seen >= 18);
}

/* One job on GPU 0, which must succeed. */
static void change(GpuNvml *client, GpuJobKind kind, int nvml_id, int start, int size, GpuResult *result) {
  GpuJob job = {.kind = kind, .nvml_id = nvml_id, .start = (uint8_t)start, .size = (uint8_t)size};
  memcpy(job.uuid, result->observation.gpus[0].uuid, sizeof job.uuid);
  gpu_nvml_run(client, &job, result);
  assert_string_equal(result->err.text, "");
}

static void what_the_client_creates_it_finds_and_destroys(void **test_state) {
  char folder[64];
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  CLEANUP(gpu_nvml_closep) GpuNvml *client = open_client("A100-SXM4-80GB", folder);
  gpu_nvml_run(client, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  const GpuObserved *gpu = &result->observation.gpus[0];
  static const int starts[] = {6, 4, 5, 0, 1};
  for (size_t i = 0; i < COUNT_OF(starts); i++) {
    change(client, GPU_JOB_CREATE, 19, starts[i], 1, result);
    assert_memory_equal(result->created_uuid, "MIG-", 4);
  }
  change(client, GPU_JOB_CREATE, 14, 2, 2, result);
  assert_int_equal(gpu->instance_count, 6);
  for (int i = 0; i < gpu->instance_count; i++)
    for (int k = 0; k < i; k++)
      assert_string_not_equal(gpu->instances[i].uuid, gpu->instances[k].uuid);
  change(client, GPU_JOB_DESTROY, 19, 5, 1, result);
  assert_int_equal(gpu->instance_count, 5);
  fixture_remove_folder(folder);
}

static void an_ampere_without_mig_mode_is_known_from_the_table(void **test_state) {
  char folder[64];
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  CLEANUP(gpu_nvml_closep) GpuNvml *client = open_client("A100-SXM4-80GB:mig=off,H100-80GB-HBM3", folder);
  gpu_nvml_run(client, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  assert_int_equal(result->observation.gpu_count, 2);
  assert_int_equal(result->observation.gpus[0].mode, MIG_MODE_OFF);
  assert_true(result->observation.gpus[0].model_from_table);
  assert_int_equal(result->observation.gpus[1].mode, MIG_MODE_ON);
  fixture_remove_folder(folder);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  library_path = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_client_sees_the_table_of_every_model),
      cmocka_unit_test(what_the_client_creates_it_finds_and_destroys),
      cmocka_unit_test(an_ampere_without_mig_mode_is_known_from_the_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
