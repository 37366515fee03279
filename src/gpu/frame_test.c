/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "base/random.h"
#include "gpu/frame.h"

enum { HEADER_SIZE = 16, RANDOM_ROUNDS = 20000, SEED = 20 };

static void fill(GpuResult *result, int gpu_count) {
  result->took_ms = 170;
  result->observed = true;
  result->observation.gpu_count = gpu_count;
  for (int i = 0; i < gpu_count; i++) {
    GpuObserved *gpu = &result->observation.gpus[i];
    gpu->index = i;
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%d", i);
    gpu->model.profile_count = 1;
    snprintf(gpu->model.profiles[0].name, sizeof gpu->model.profiles[0].name, "1g.10gb");
    gpu->instance_count = 1;
    snprintf(gpu->instances[0].uuid, sizeof gpu->instances[0].uuid, "MIG-%d", i);
  }
}

static void a_job_survives_the_way(void **state) {
  Error err = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  const GpuJob sent = {.kind = GPU_JOB_CREATE, .uuid = "GPU-1", .nvml_id = 19, .start = 6, .size = 1};
  GpuJob job = {0};
  gpu_frame_encode_job(&bytes, &sent);
  assert_int_equal(gpu_frame_decode_job(&bytes, &job, &err), 0);
  assert_memory_equal(&job, &sent, sizeof job);
  assert_int_equal(bytes.size, 0);
}

static void a_result_takes_along_only_the_gpus_in_use(void **state) {
  for (int count = 0; count <= GPU_COUNT_MAX; count++) {
    Error err = {0};
    CLEANUP(text_deinit) Text bytes = {0};
    CLEANUP(cleanup_free) GpuResult *sent = mem_alloc(sizeof *sent);
    CLEANUP(cleanup_free) GpuResult *result = NULL;
    fill(sent, count);
    gpu_frame_encode_result(&bytes, sent);
    assert_int_equal(bytes.size, HEADER_SIZE + offsetof(GpuResult, observation.gpus) +
                                     (size_t)count * sizeof(GpuObserved));
    assert_int_equal(gpu_frame_decode_result(&bytes, &result, &err), 0);
    assert_memory_equal(result, sent, sizeof *result);
  }
}

static void a_frame_cut_anywhere_waits_for_more(void **state) {
  CLEANUP(text_deinit) Text whole = {0};
  CLEANUP(cleanup_free) GpuResult *sent = mem_alloc(sizeof *sent);
  fill(sent, 1);
  gpu_frame_encode_result(&whole, sent);
  CLEANUP(text_deinit) Text bytes = {0};
  CLEANUP(cleanup_free) GpuResult *result = NULL;
  Error err = {0};
  for (size_t i = 0; i < whole.size; i++) {
    assert_int_equal(gpu_frame_decode_result(&bytes, &result, &err), GPU_FRAME_MORE);
    text_append_bytes(&bytes, whole.bytes + i, 1);
  }
  assert_int_equal(gpu_frame_decode_result(&bytes, &result, &err), 0);
}

static void two_frames_are_read_one_after_the_other(void **state) {
  Error err = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  const GpuJob first = {.kind = GPU_JOB_OBSERVE}, second = {.kind = GPU_JOB_DESTROY, .uuid = "GPU-1"};
  GpuJob job;
  gpu_frame_encode_job(&bytes, &first);
  gpu_frame_encode_job(&bytes, &second);
  assert_int_equal(gpu_frame_decode_job(&bytes, &job, &err), 0);
  assert_int_equal(job.kind, GPU_JOB_OBSERVE);
  assert_int_equal(gpu_frame_decode_job(&bytes, &job, &err), 0);
  assert_int_equal(job.kind, GPU_JOB_DESTROY);
  assert_int_equal(gpu_frame_decode_job(&bytes, &job, &err), GPU_FRAME_MORE);
}

/* Puts a word into the header of an otherwise good job frame. */
static void decode_with_header_word(size_t word, uint32_t value, const char *expected_text) {
  Error err = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  const GpuJob job = {.kind = GPU_JOB_OBSERVE};
  GpuJob decoded;
  gpu_frame_encode_job(&bytes, &job);
  memcpy(bytes.bytes + word * sizeof value, &value, sizeof value);
  assert_fails(gpu_frame_decode_job(&bytes, &decoded, &err), expected_text);
  assert_int_equal(err.code, ERROR_PROTOCOL);
}

static void a_bad_header_is_refused_before_its_size_is_believed(void **state) {
  char size_text[96];
  snprintf(size_text, sizeof size_text, "frame of 4294967295 bytes where %zu to %zu were expected",
           sizeof(GpuJob), sizeof(GpuJob));
  decode_with_header_word(0, 0x20202020, "frame does not begin with its magic word");
  decode_with_header_word(1, 0, "frame comes from another build of this program");
  decode_with_header_word(2, GPU_FRAME_RESULT, "frame is of kind 2 where 1 was expected");
  decode_with_header_word(3, UINT32_MAX, size_text);
}

static void a_job_that_makes_no_sense_is_refused(void **state) {
  Error err = {0};
  GpuJob decoded;
  GpuJob jobs[2] = {{.kind = (GpuJobKind)(GPU_JOB_WATCH + 1)}, {.kind = GPU_JOB_CREATE}};
  memset(jobs[1].uuid, 'x', sizeof jobs[1].uuid);
  for (int i = 0; i < 2; i++) {
    CLEANUP(text_deinit) Text bytes = {0};
    gpu_frame_encode_job(&bytes, &jobs[i]);
    assert_fails(gpu_frame_decode_job(&bytes, &decoded, &err), "frame holds no sensible job");
  }
}

/* Changes bytes of a good result frame at `offset` in GpuResult. */
static void decode_result_with(size_t offset, const void *value, size_t size) {
  Error err = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  CLEANUP(cleanup_free) GpuResult *sent = mem_alloc(sizeof *sent);
  CLEANUP(cleanup_free) GpuResult *result = NULL;
  fill(sent, 2);
  gpu_frame_encode_result(&bytes, sent);
  memcpy(bytes.bytes + HEADER_SIZE + offset, value, size);
  assert_fails(gpu_frame_decode_result(&bytes, &result, &err), "frame holds no sensible result");
  assert_null(result);
}

static void a_result_with_counts_out_of_range_is_refused(void **state) {
  const int counts[] = {-1, 1, 3, GPU_COUNT_MAX + 1, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < COUNT_OF(counts); i++)
    decode_result_with(offsetof(GpuResult, observation.gpu_count), &counts[i], sizeof(int));
  const int instances[] = {-1, MIG_INSTANCES_MAX + 1};
  for (size_t i = 0; i < COUNT_OF(instances); i++)
    decode_result_with(offsetof(GpuResult, observation.gpus[1].instance_count), &instances[i], sizeof(int));
  const uint8_t profiles = MIG_PROFILES_MAX + 1, slots = MIG_SLOTS_MAX + 1;
  decode_result_with(offsetof(GpuResult, observation.gpus[1].model.profile_count), &profiles, 1);
  decode_result_with(offsetof(GpuResult, observation.gpus[1].model.slot_count), &slots, 1);
  decode_result_with(offsetof(GpuResult, observation.gpus[1].model.profiles[0].auto_start_count), &slots, 1);
  const int mode = MIG_MODE_PENDING + 1, code = -1;
  decode_result_with(offsetof(GpuResult, observation.gpus[1].mode), &mode, sizeof mode);
  decode_result_with(offsetof(GpuResult, err.code), &code, sizeof code);
  const uint8_t neither = 2;
  decode_result_with(offsetof(GpuResult, observed), &neither, 1);
  decode_result_with(offsetof(GpuResult, observation.gpus[0].mig_capable), &neither, 1);
}

static void a_result_with_a_text_without_end_is_refused(void **state) {
  static const struct {
    size_t offset, size;
  } texts[] = {
#define TEXT(member) {offsetof(GpuResult, member), sizeof((GpuResult *)0)->member}
      TEXT(err.text),
      TEXT(created_uuid),
      TEXT(observation.driver_version),
      TEXT(observation.gpus[1].uuid),
      TEXT(observation.gpus[1].product),
      TEXT(observation.gpus[1].trouble),
      TEXT(observation.gpus[1].model.name),
      TEXT(observation.gpus[1].model.profiles[0].name),
      TEXT(observation.gpus[1].instances[0].uuid),
#undef TEXT
  };
  char endless[ERROR_TEXT_SIZE];
  memset(endless, 'x', sizeof endless);
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    decode_result_with(texts[i].offset, endless, texts[i].size);
}

/* Whatever is decoded after all must be sound; the sanitizers watch the rest. */
static void damaged_frames_never_hurt(void **state) {
  Random random = {.state = SEED};
  print_message("# seed %d\n", SEED);
  Error err = {0};
  CLEANUP(text_deinit) Text whole = {0};
  CLEANUP(cleanup_free) GpuResult *sent = mem_alloc(sizeof *sent);
  fill(sent, 1);
  gpu_frame_encode_result(&whole, sent);
  for (int round = 0; round < RANDOM_ROUNDS; round++) {
    CLEANUP(text_deinit) Text bytes = {0};
    CLEANUP(cleanup_free) GpuResult *result = NULL;
    text_append_bytes(&bytes, whole.bytes, random_below(&random, 8) ? whole.size : 40);
    for (uint64_t k = 1 + random_below(&random, 3); k > 0; k--)
      bytes.bytes[random_below(&random, bytes.size)] = (char)random_next(&random);
    if (gpu_frame_decode_result(&bytes, &result, &err) == 0)
      assert_int_equal(result->observation.gpu_count, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_job_survives_the_way),
      cmocka_unit_test(a_result_takes_along_only_the_gpus_in_use),
      cmocka_unit_test(a_frame_cut_anywhere_waits_for_more),
      cmocka_unit_test(two_frames_are_read_one_after_the_other),
      cmocka_unit_test(a_bad_header_is_refused_before_its_size_is_believed),
      cmocka_unit_test(a_job_that_makes_no_sense_is_refused),
      cmocka_unit_test(a_result_with_counts_out_of_range_is_refused),
      cmocka_unit_test(a_result_with_a_text_without_end_is_refused),
      cmocka_unit_test(damaged_frames_never_hurt),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
