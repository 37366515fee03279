/* SPDX-License-Identifier: Apache-2.0 */
/* The recorded bytes were marshalled by the real types: google.golang.org/protobuf v1.36.12 (deterministic)
 * with k8s.io/kubelet v0.36.2, including the fields that facet skips. */
#include "kubelet/wire.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <assert.h>

static const char REGISTER[] = "0a0776316265746131121666616365742d6d69672d31672e313067622e736f636b1a166e7669"
                               "6469612e636f6d2f6d69672d31672e3130676222021001";
static const char OPTIONS[] = "08011001";
/* MIG-a is healthy and on NUMA node 1, MIG-b is unhealthy. */
static const char PARTITIONS[] =
    "0a160a054d49472d6112074865616c7468791a040a0208010a120a054d49472d621209556e68"
    "65616c746879";
static const char PREFERREDS[] = "0a0e0a01610a01620a016312016218020a0b18ffffffffffffffffff01";
static const char PREFERRED_ANSWERS[] = "0a060a01620a01610a00";
static const char ALLOCATE[] = "0a030a01610a060a01620a0163";
/* With a mount, a device node and an annotation beside the environment and the CDI name. */
static const char ALLOCATIONS[] = "0a680a050a014112000a1f0a164e56494449415f56495349424c455f444556494345531205"
                                  "4d49472d61120a0a022f6312022f6818011a140a062f6465762f7812062f6465762f791a02"
                                  "727722060a016b1201762a140a126e76696469612e636f6d2f6770753d303a310a00";
/* Pod n/p: c1 holds two slices, CPUs and memory; c2 holds r2 and a resource claim. Pod n/empty holds nothing.
 */
static const char PODS[] =
    "0a7e0a017012016e1a470a026331122a0a166e76696469612e636f6d2f6d69672d31672e3130676212"
    "054d49472d6112054d49472d621a020a001a040102ac02220f0a066d656d6f72791080808080802"
    "01a2d0a02633212070a0272321201782a1e1202636c1a016e22150a030a01711201641a01702201"
    "762a0573686172650a0a0a05656d70747912016e";
/* Pod n/p as Get tells of it: c holds two slices and CPUs. */
static const char POD[] =
    "0a3e0a017012016e1a360a0163122c0a166e76696469612e636f6d2f6d69672d31672e3130676212054d49"
    "472d6112054d49472d621a040a0208011a0301ac02";
static const char POD_NAME[] = "0a017012016e";
static const char ALLOCATABLE[] = "0a1f0a166e76696469612e636f6d2f6d69672d31672e3130676212054d49472d610a0a0a02"
                                  "7232120178120179120200011a110a0d6875676570616765732d324d691007";

static Text from_hex(const char *hex) {
  Text bytes = {0};
  for (; *hex; hex += 2) {
    unsigned value = 0;
    assert_int_equal(sscanf(hex, "%2x", &value), 1);
    const unsigned char byte = (unsigned char)value;
    text_append_bytes(&bytes, &byte, 1);
  }
  return bytes;
}

static void assert_hex(const Text *bytes, const char *hex) {
  CLEANUP(text_deinit) Text expected = from_hex(hex);
  assert_int_equal(bytes->size, expected.size);
  assert_memory_equal(bytes->bytes, expected.bytes, expected.size);
}

/* Everything that a message can hold, as one line, so that cases compare whole messages. */

static void tell_strings(Text *out, const Strings *strings) {
  for (size_t i = 0; i < strings->count; i++)
    text_format(out, "%s%s", i ? "," : "", strings->items[i]);
}

static int tell_register(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletRegister request = {0};
  int result = kubelet_register_decode(bytes, size, arena, &request, err);
  if (result == 0)
    text_format(out, "%s %s %s %d %d", request.version, request.endpoint, request.resource_name,
                request.preferred_allocation, request.pre_start_required);
  return result;
}

static int tell_options(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  bool preferred = false, pre_start = false;
  int result = kubelet_options_decode(bytes, size, &preferred, &pre_start, err);
  if (result == 0)
    text_format(out, "%d %d", preferred, pre_start);
  return result;
}

static int tell_partitions(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletPartitions partitions = {0};
  int result = kubelet_partitions_decode(bytes, size, arena, &partitions, err);
  for (size_t i = 0; i < partitions.count; i++)
    text_format(out, "%s %s;", partitions.items[i].id, partitions.items[i].healthy ? "healthy" : "unhealthy");
  return result;
}

static int tell_preferreds(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletPreferreds containers = {0};
  int result = kubelet_preferreds_decode(bytes, size, arena, &containers, err);
  for (size_t i = 0; i < containers.count; i++) {
    tell_strings(out, &containers.items[i].available);
    text_append(out, "/");
    tell_strings(out, &containers.items[i].must_include);
    text_format(out, "/%d;", containers.items[i].size);
  }
  return result;
}

static void tell_id_lists(Text *out, const KubeletIdLists *containers) {
  for (size_t i = 0; i < containers->count; i++) {
    tell_strings(out, &containers->items[i]);
    text_append(out, ";");
  }
}

static int tell_preferred_answers(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletIdLists containers = {0};
  int result = kubelet_preferred_answers_decode(bytes, size, arena, &containers, err);
  tell_id_lists(out, &containers);
  return result;
}

static int tell_allocate(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletIdLists containers = {0};
  int result = kubelet_allocate_decode(bytes, size, arena, &containers, err);
  tell_id_lists(out, &containers);
  return result;
}

static int tell_allocations(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletAllocations containers = {0};
  int result = kubelet_allocations_decode(bytes, size, arena, &containers, err);
  for (size_t i = 0; i < containers.count; i++) {
    const KubeletAllocation *allocation = &containers.items[i];
    for (size_t j = 0; j < allocation->envs.count; j++)
      text_format(out, "%s=%s,", allocation->envs.items[j].key, allocation->envs.items[j].value);
    tell_strings(out, &allocation->cdi_names);
    text_append(out, ";");
  }
  return result;
}

static void tell_helds(Text *out, const KubeletHelds *helds) {
  for (size_t i = 0; i < helds->count; i++) {
    const KubeletHeld *held = &helds->items[i];
    text_format(out, "%s/%s/%s:%s=", string_or_empty(held->namespace_), string_or_empty(held->pod),
                string_or_empty(held->container), held->resource);
    tell_strings(out, &held->ids);
    text_append(out, ";");
  }
}

static int tell_pods(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletHelds helds = {0};
  int result = kubelet_helds_decode(bytes, size, arena, &helds, err);
  tell_helds(out, &helds);
  return result;
}

static int tell_pod(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletHelds helds = {0};
  int result = kubelet_pod_helds_decode(bytes, size, arena, &helds, err);
  tell_helds(out, &helds);
  return result;
}

static int tell_pod_name(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletPodName name = {0};
  int result = kubelet_pod_name_decode(bytes, size, arena, &name, err);
  if (result == 0)
    text_format(out, "%s/%s", name.namespace_, name.pod);
  return result;
}

static int tell_allocatable(const void *bytes, size_t size, Arena *arena, Text *out, Error *err) {
  KubeletHelds helds = {0};
  int result = kubelet_allocatable_decode(bytes, size, arena, &helds, err);
  tell_helds(out, &helds);
  return result;
}

static const struct Message {
  const char *name;
  int (*tell)(const void *bytes, size_t size, Arena *arena, Text *out, Error *err);
  const char *recorded;
  const char *told; /* what the recorded bytes say */
} messages[] = {
    {"RegisterRequest", tell_register, REGISTER, "v1beta1 facet-mig-1g.10gb.sock nvidia.com/mig-1g.10gb 1 0"},
    {"DevicePluginOptions", tell_options, OPTIONS, "1 1"},
    {"ListAndWatchResponse", tell_partitions, PARTITIONS, "MIG-a healthy;MIG-b unhealthy;"},
    {"PreferredAllocationRequest", tell_preferreds, PREFERREDS, "a,b,c/b/2;//-1;"},
    {"PreferredAllocationResponse", tell_preferred_answers, PREFERRED_ANSWERS, "b,a;;"},
    {"AllocateRequest", tell_allocate, ALLOCATE, "a;b,c;"},
    {"AllocateResponse", tell_allocations, ALLOCATIONS,
     "A=,NVIDIA_VISIBLE_DEVICES=MIG-a,nvidia.com/gpu=0:1;;"},
    {"ListPodResourcesResponse", tell_pods, PODS, "n/p/c1:nvidia.com/mig-1g.10gb=MIG-a,MIG-b;n/p/c2:r2=x;"},
    {"AllocatableResourcesResponse", tell_allocatable, ALLOCATABLE,
     "//:nvidia.com/mig-1g.10gb=MIG-a;//:r2=x,y;"},
    {"GetPodResourcesRequest", tell_pod_name, POD_NAME, "n/p"},
    {"GetPodResourcesResponse", tell_pod, POD, "n/p/c:nvidia.com/mig-1g.10gb=MIG-a,MIG-b;"},
};

static void what_the_real_types_marshal_is_understood(void **state) {
  for (size_t i = 0; i < COUNT_OF(messages); i++) {
    CLEANUP(arena_deinit) Arena arena = {0};
    CLEANUP(text_deinit) Text bytes = from_hex(messages[i].recorded), told = {0};
    Error err = {0};
    assert_ok(messages[i].tell(bytes.bytes, bytes.size, &arena, &told, &err));
    assert_string_equal(text_string(&told), messages[i].told);
  }
}

static void an_empty_message_has_default_values(void **state) {
  static const char *const expected[COUNT_OF(messages)] = {"   0 0", "0 0", "", "",  "", "",
                                                           "",       "",    "", "/", ""};
  for (size_t i = 0; i < COUNT_OF(messages); i++) {
    CLEANUP(arena_deinit) Arena arena = {0};
    CLEANUP(text_deinit) Text told = {0};
    Error err = {0};
    assert_ok(messages[i].tell(NULL, 0, &arena, &told, &err));
    assert_string_equal(text_string(&told), expected[i]);
  }
}

static void a_registration_is_marshalled_as_the_real_types_do(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  const KubeletRegister request = {.version = "v1beta1",
                                   .endpoint = "facet-mig-1g.10gb.sock",
                                   .resource_name = "nvidia.com/mig-1g.10gb",
                                   .preferred_allocation = true};
  kubelet_register_encode(&request, &out);
  assert_hex(&out, REGISTER);
}

static void options_are_marshalled_as_the_real_types_do(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  kubelet_options_encode(true, true, &out);
  assert_hex(&out, OPTIONS);
  text_clear(&out);
  kubelet_options_encode(false, false, &out);
  assert_int_equal(out.size, 0);
}

static void partitions_are_marshalled_as_the_real_types_do(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  KubeletPartition items[] = {{"MIG-a", true}, {"MIG-b", false}};
  const KubeletPartitions partitions = {items, 2};
  kubelet_partitions_encode(&partitions, &out);
  assert_hex(&out, "0a100a054d49472d6112074865616c7468790a120a054d49472d621209556e6865616c746879");
}

static void preferred_requests_survive_both_ways(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  const char *available[] = {"a", "b", "c"}, *must[] = {"b"};
  KubeletPreferred items[] = {{.available = {available, 3}, .must_include = {must, 1}, .size = 2},
                              {.size = -1}};
  const KubeletPreferreds containers = {items, 2};
  kubelet_preferreds_encode(&containers, &out);
  assert_hex(&out, PREFERREDS);
}

static void id_lists_are_marshalled_as_the_real_types_do(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  const char *first[] = {"b", "a"}, *a[] = {"a"}, *bc[] = {"b", "c"};
  Strings preferred[] = {{first, 2}, {NULL, 0}}, wanted[] = {{a, 1}, {bc, 2}};
  const KubeletIdLists answers = {preferred, 2}, requests = {wanted, 2};
  kubelet_preferred_answers_encode(&answers, &out);
  assert_hex(&out, PREFERRED_ANSWERS);
  text_clear(&out);
  kubelet_allocate_encode(&requests, &out);
  assert_hex(&out, ALLOCATE);
}

static void allocations_survive_both_ways(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text out = {0}, told = {0};
  Error err = {0};
  KeyValue envs[] = {{"A", NULL}, {"NVIDIA_VISIBLE_DEVICES", "MIG-a"}};
  const char *cdi_names[] = {"nvidia.com/gpu=0:1"};
  KubeletAllocation items[] = {{.envs = {envs, 2}, .cdi_names = {cdi_names, 1}}, {{NULL, 0}, {NULL, 0}}};
  const KubeletAllocations containers = {items, 2};
  kubelet_allocations_encode(&containers, &out);
  assert_hex(&out,
             "0a3e0a050a014112000a1f0a164e56494449415f56495349424c455f4445564943455312054d49472d612a140a12"
             "6e76696469612e636f6d2f6770753d303a310a00");
  assert_ok(tell_allocations(out.bytes, out.size, &arena, &told, &err));
  assert_string_equal(text_string(&told), "A=,NVIDIA_VISIBLE_DEVICES=MIG-a,nvidia.com/gpu=0:1;;");
}

static void held_slices_are_grouped_by_neighbouring_pod_and_container(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text out = {0}, told = {0};
  Error err = {0};
  const char *a[] = {"a", "b"}, *x[] = {"x"};
  KubeletHeld items[] = {
      {.pod = "p", .namespace_ = "n", .container = "c1", .resource = "r1", .ids = {a, 2}},
      {.pod = "p", .namespace_ = "n", .container = "c1", .resource = "r2", .ids = {x, 1}},
      {.pod = "p", .namespace_ = "n", .container = "c2", .resource = "r1", .ids = {x, 1}},
      {.pod = "q", .namespace_ = "n", .container = "c2", .resource = "r1", .ids = {NULL, 0}},
  };
  const KubeletHelds helds = {items, 4};
  kubelet_helds_encode(&helds, &out);
  assert_hex(&out,
             "0a300a017012016e1a190a026331120a0a02723112016112016212070a0272321201781a0d0a02633212070a02"
             "72311201780a120a017112016e1a0a0a02633212040a027231");
  assert_ok(tell_pods(out.bytes, out.size, &arena, &told, &err));
  assert_string_equal(text_string(&told), "n/p/c1:r1=a,b;n/p/c1:r2=x;n/p/c2:r1=x;n/q/c2:r1=;");
}

static void the_name_of_a_pod_is_marshalled_as_the_real_types_do(void **state) {
  CLEANUP(text_deinit) Text out = {0};
  kubelet_pod_name_encode(&(KubeletPodName){.namespace_ = "n", .pod = "p"}, &out);
  assert_hex(&out, POD_NAME);
}

static void allocatable_slices_survive_both_ways(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text out = {0}, told = {0};
  Error err = {0};
  const char *a[] = {"MIG-a"}, *xy[] = {"x", "y"};
  KubeletHeld items[] = {{.resource = "nvidia.com/mig-1g.10gb", .ids = {a, 1}},
                         {.resource = "r2", .ids = {xy, 2}}};
  const KubeletHelds resources = {items, 2};
  kubelet_allocatable_encode(&resources, &out);
  assert_ok(tell_allocatable(out.bytes, out.size, &arena, &told, &err));
  assert_string_equal(text_string(&told), "//:nvidia.com/mig-1g.10gb=MIG-a;//:r2=x,y;");
}

static void names_may_come_behind_what_they_name(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text told = {0};
  Error err = {0};
  /* PodResources{containers{devices{r1, a}, devices{}, name c}, name p, namespace n} */
  CLEANUP(text_deinit) Text pods = from_hex("0a161a0e12070a02723112016112000a01630a017012016e");
  assert_ok(tell_pods(pods.bytes, pods.size, &arena, &told, &err));
  assert_string_equal(text_string(&told), "n/p/c:r1=a;n/p/c:=;");
}

static void malformed_bytes_are_refused_with_their_place(void **state) {
  static const struct {
    const char *hex, *error;
  } rows[] = {
      {"08", "DevicePluginOptions: malformed protobuf at byte 1: it ends inside a number"},
      {"0880", "DevicePluginOptions: malformed protobuf at byte 1: it ends inside a number"},
      {"08ffffffffffffffffff02",
       "DevicePluginOptions: malformed protobuf at byte 1: a number longer than 64 bits"},
      {"08ffffffffffffffffffff01",
       "DevicePluginOptions: malformed protobuf at byte 1: a number longer than 64 bits"},
      {"1a05aaaa", "DevicePluginOptions: malformed protobuf at byte 2: a field reaches beyond the end"},
      {"1d000000", "DevicePluginOptions: malformed protobuf at byte 1: a field reaches beyond the end"},
      {"190000000000", "DevicePluginOptions: malformed protobuf at byte 1: a field reaches beyond the end"},
      {"1b", "DevicePluginOptions: malformed protobuf at byte 1: an unknown field type"},
      {"0001", "DevicePluginOptions: malformed protobuf at byte 1: a field number out of range"},
      {"8080808010"
       "00",
       "DevicePluginOptions: malformed protobuf at byte 5: a field number out of range"},
      {"0a0101", "DevicePluginOptions: malformed protobuf: field 1 has type 2 instead of 0"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    CLEANUP(text_deinit) Text bytes = from_hex(rows[i].hex), told = {0};
    Error err = {0};
    assert_fails(tell_options(bytes.bytes, bytes.size, NULL, &told, &err), rows[i].error);
    assert_int_equal(err.code, ERROR_PROTOCOL);
  }
}

static void unknown_fields_of_every_type_are_skipped(void **state) {
  CLEANUP(text_deinit)
  Text bytes = from_hex("180f"
                        "210102030405060708"
                        "2a03aabbcc"
                        "3501020304"
                        "0801"
                        "1001"),
       told = {0};
  Error err = {0};
  assert_ok(tell_options(bytes.bytes, bytes.size, NULL, &told, &err));
  assert_string_equal(text_string(&told), "1 1");
}

static void a_refusal_names_the_message(void **state) {
  CLEANUP(text_deinit) Text bytes = from_hex("0d");
  for (size_t i = 0; i < COUNT_OF(messages); i++) {
    CLEANUP(arena_deinit) Arena arena = {0};
    CLEANUP(text_deinit) Text told = {0};
    CLEANUP(cleanup_free)
    char *refusal =
        mem_format("%s: malformed protobuf at byte 1: a field reaches beyond the end", messages[i].name);
    Error err = {0};
    assert_fails(messages[i].tell(bytes.bytes, bytes.size, &arena, &told, &err), refusal);
  }
}

static void a_string_with_a_nul_is_refused(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text bytes = from_hex("0a03610062"), told = {0};
  Error err = {0};
  assert_fails(tell_register(bytes.bytes, bytes.size, &arena, &told, &err),
               "RegisterRequest: malformed protobuf: the string of field 1 holds a NUL byte");
}

static void a_list_is_limited(void **state) {
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(text_deinit) Text bytes = {0};
  KubeletPartitions partitions = {0};
  Error err = {0};
  for (int i = 0; i < KUBELET_ITEMS_MAX; i++)
    text_append_bytes(&bytes, "\x0a\0", 2);
  assert_ok(kubelet_partitions_decode(bytes.bytes, bytes.size, &arena, &partitions, &err));
  assert_int_equal(partitions.count, KUBELET_ITEMS_MAX);
  text_append_bytes(&bytes, "\x0a\0", 2);
  assert_fails(kubelet_partitions_decode(bytes.bytes, bytes.size, &arena, &partitions, &err),
               "ListAndWatchResponse: a list of more than 65536 entries");
  assert_int_equal(err.code, ERROR_LIMIT);
}

/* A message cut anywhere either still makes sense (it ended between two fields) or is refused as malformed.
 */
static void a_message_cut_at_any_byte_is_harmless(void **state) {
  for (size_t i = 0; i < COUNT_OF(messages); i++) {
    CLEANUP(text_deinit) Text bytes = from_hex(messages[i].recorded);
    for (size_t size = 0; size < bytes.size; size++) {
      CLEANUP(arena_deinit) Arena arena = {0};
      CLEANUP(text_deinit) Text told = {0};
      CLEANUP(cleanup_free) char *copy = mem_strndup(bytes.bytes, size); /* so that ASan sees the end */
      Error err = {0};
      if (messages[i].tell(copy, size, &arena, &told, &err) < 0)
        assert_int_equal(err.code, ERROR_PROTOCOL);
    }
  }
}

static void random_changes_never_harm(void **state) {
  Random random = {.state = 20260714};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  for (int round = 0; round < 20000; round++) {
    const struct Message *message = &messages[random_below(&random, COUNT_OF(messages))];
    CLEANUP(arena_deinit) Arena arena = {0};
    CLEANUP(text_deinit) Text bytes = from_hex(message->recorded), told = {0};
    Error err = {0};
    assert(bytes.bytes);
    for (uint64_t changes = 1 + random_below(&random, 4); changes > 0; changes--)
      bytes.bytes[random_below(&random, bytes.size)] = (char)random_next(&random);
    if (message->tell(bytes.bytes, bytes.size, &arena, &told, &err) < 0)
      assert_int_equal(err.code, ERROR_PROTOCOL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_the_real_types_marshal_is_understood),
      cmocka_unit_test(an_empty_message_has_default_values),
      cmocka_unit_test(a_registration_is_marshalled_as_the_real_types_do),
      cmocka_unit_test(options_are_marshalled_as_the_real_types_do),
      cmocka_unit_test(partitions_are_marshalled_as_the_real_types_do),
      cmocka_unit_test(preferred_requests_survive_both_ways),
      cmocka_unit_test(id_lists_are_marshalled_as_the_real_types_do),
      cmocka_unit_test(allocations_survive_both_ways),
      cmocka_unit_test(held_slices_are_grouped_by_neighbouring_pod_and_container),
      cmocka_unit_test(the_name_of_a_pod_is_marshalled_as_the_real_types_do),
      cmocka_unit_test(allocatable_slices_survive_both_ways),
      cmocka_unit_test(names_may_come_behind_what_they_name),
      cmocka_unit_test(malformed_bytes_are_refused_with_their_place),
      cmocka_unit_test(unknown_fields_of_every_type_are_skipped),
      cmocka_unit_test(a_refusal_names_the_message),
      cmocka_unit_test(a_string_with_a_nul_is_refused),
      cmocka_unit_test(a_list_is_limited),
      cmocka_unit_test(a_message_cut_at_any_byte_is_harmless),
      cmocka_unit_test(random_changes_never_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
