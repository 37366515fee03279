/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cli/demo_wish.h"

static void gpus_are_named_by_product_key_or_a_part_of_it(void **state) {
  static const struct {
    const char *gpus, *machine;
    int count;
    const char *first_product;
  } cases[] = {
      {"1xA100-80GB", "1xA100-80GB", 1, "NVIDIA A100-SXM4-80GB"},
      {"2xH100-80GB", "2xH100-SXM-80GB", 2, "NVIDIA H100 80GB HBM3"},
      {"h100-pcie-80gb", "1xH100-PCIE-80GB", 1, "NVIDIA H100 PCIe"},
      {"NVIDIA A30,2xB200", "1xNVIDIA A30,2xB200", 3, "NVIDIA A30"},
      {"A100-PCIE-40GB", "1xA100-PCIE-40GB", 1, "NVIDIA A100-PCIE-40GB"},
      {"32xA30", "32xA30", 32, "NVIDIA A30"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CliDemoWish wish;
    Error err = {0};
    assert_ok(cli_demo_wish_parse(cases[i].gpus, NULL, 1, &wish, &err));
    assert_string_equal(wish.machine, cases[i].machine);
    assert_int_equal(wish.state.gpu_count, cases[i].count);
    assert_string_equal(wish.state.gpus[0].product, cases[i].first_product);
  }
}

static void pods_are_counted_by_profile(void **state) {
  CliDemoWish wish;
  Error err = {0};
  assert_ok(cli_demo_wish_parse("A100-80GB", "3x2g.20gb,7g.80gb,2x1g.10gb.me", 4, &wish, &err));
  assert_int_equal(wish.node_count, 4);
  assert_int_equal(wish.demand_count, 3);
  assert_int_equal(wish.pod_count, 6);
  assert_string_equal(wish.demands[0].profile, "2g.20gb");
  assert_int_equal(wish.demands[0].count, 3);
  assert_string_equal(wish.demands[1].profile, "7g.80gb");
  assert_int_equal(wish.demands[1].count, 1);
  assert_string_equal(wish.demands[2].profile, "1g.10gb+me");
}

static void without_pods_five_ask_for_the_smallest_slice(void **state) {
  CliDemoWish wish;
  Error err = {0};
  assert_ok(cli_demo_wish_parse("A30", NULL, 1, &wish, &err));
  assert_int_equal(wish.demand_count, 1);
  assert_string_equal(wish.demands[0].profile, "1g.6gb");
  assert_int_equal(wish.demands[0].count, 5);
}

static void what_makes_no_sense_is_refused_in_words(void **state) {
  static const struct {
    const char *gpus, *pods;
    int64_t nodes;
    const char *words;
  } cases[] = {
      {"", NULL, 1, "--gpus wants a list like 2xH100-80GB,A30, not \"\""},
      {"0xA30", NULL, 1, "--gpus wants a list like 2xH100-80GB,A30, not \"0xA30\""},
      {"2x", NULL, 1, "--gpus wants a list like 2xH100-80GB,A30, not \"2x\""},
      {"A30,,A30", NULL, 1, "--gpus wants a list like 2xH100-80GB,A30, not \"A30,,A30\""},
      {"33xA30", NULL, 1, "--gpus: a node of the demo has at most 32 GPUs"},
      {"16xA30,17xA30", NULL, 1, "--gpus: a node of the demo has at most 32 GPUs"},
      {"K80", NULL, 1,
       "--gpus: there is no GPU \"K80\"; known are A100-40GB, A800-40GB, A100-80GB, A800-80GB, A30, "
       "H100-SXM-80GB, H100-PCIE-80GB, H800, H100-NVL-94GB, GH200-96GB, H20-96GB, GH200-144GB, H200, "
       "H20-3e-141GB, B200, GB200, B300, GB300, RTX-PRO-6000"},
      {"A30", "", 1, "--pods wants at least one pod"},
      {"A30", "2x", 1, "--pods wants a list like 3x2g.20gb,7g.80gb (at most 1000 pods), not \"2x\""},
      {"A30", "1001x1g.6gb", 1,
       "--pods wants a list like 3x2g.20gb,7g.80gb (at most 1000 pods), not \"1001x1g.6gb\""},
      {"A30", "900x1g.6gb,101x1g.6gb", 1, "--pods: the demo takes at most 1000 pods of 32 kinds"},
      {"2xA30", "7g.80gb", 1,
       "--pods: no GPU here has the profile 7g.80gb; NVIDIA A30 has 1g.6gb, 1g.6gb+me, 2g.12gb, 2g.12gb+me, "
       "4g.24gb"},
      {"A30", NULL, 0, "--nodes wants a number from 1 to 50"},
      {"A30", NULL, 51, "--nodes wants a number from 1 to 50"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CliDemoWish wish;
    Error err = {0};
    assert_fails(cli_demo_wish_parse(cases[i].gpus, cases[i].pods, cases[i].nodes, &wish, &err),
                 cases[i].words);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gpus_are_named_by_product_key_or_a_part_of_it),
      cmocka_unit_test(pods_are_counted_by_profile),
      cmocka_unit_test(without_pods_five_ask_for_the_smallest_slice),
      cmocka_unit_test(what_makes_no_sense_is_refused_in_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
