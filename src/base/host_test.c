/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host.h"

#include "base/test.h"

#include "base/cleanup.h"

enum { TIMERS = 64 };

/* Writes its letter when it fires; may set another timer or itself again. */
typedef struct Bell {
  HostTimer timer;
  Host *host;
  char *log;
  char letter;
  struct Bell *sets;
  uint64_t sets_delay_ms;
  int repeats;
} Bell;

static void ring(void *userdata) {
  Bell *bell = userdata;
  size_t size = strlen(bell->log);
  bell->log[size] = bell->letter;
  bell->log[size + 1] = '\0';
  if (bell->sets)
    timer_set(bell->host, &bell->sets->timer, bell->sets_delay_ms);
  if (bell->repeats-- > 0)
    timer_set(bell->host, &bell->timer, 0);
}

static Bell new_bell(Host *host, char *log, char letter) {
  return (Bell){.timer.fire = ring, .host = host, .log = log, .letter = letter};
}

/* The address is only known once the bell has its place. */
static void set_bell(Bell *bell, uint64_t delay_ms) {
  bell->timer.userdata = bell;
  timer_set(bell->host, &bell->timer, delay_ms);
}

static void timers_fire_in_the_order_of_their_times(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a'), b = new_bell(&host, log, 'b'), c = new_bell(&host, log, 'c');
  set_bell(&c, 30);
  set_bell(&a, 10);
  set_bell(&b, 20);
  assert_true(host_next_ms(&host) == 10);
  host_advance(&host, 9, 0);
  host_run_timers(&host);
  assert_string_equal(log, "");
  host_advance(&host, 20, 0);
  host_run_timers(&host);
  assert_string_equal(log, "ab");
  assert_true(host_next_ms(&host) == 30);
  assert_false(timer_is_set(&a.timer));
  assert_true(timer_is_set(&c.timer));
  host_advance(&host, 1000, 0);
  host_run_timers(&host);
  assert_string_equal(log, "abc");
  assert_true(host_next_ms(&host) == HOST_NEVER);
}

static void timers_of_one_moment_fire_in_the_order_they_were_set(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[TIMERS + 1] = "";
  Bell bells[26];
  for (int i = 0; i < 26; i++) {
    bells[i] = new_bell(&host, log, (char)('a' + i));
    set_bell(&bells[i], 5);
  }
  host_advance(&host, 5, 0);
  host_run_timers(&host);
  assert_string_equal(log, "abcdefghijklmnopqrstuvwxyz");
}

static void setting_a_timer_again_moves_it(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a'), b = new_bell(&host, log, 'b');
  set_bell(&a, 10);
  set_bell(&b, 20);
  set_bell(&a, 30);
  host_advance(&host, 40, 0);
  host_run_timers(&host);
  assert_string_equal(log, "ba");
}

static void a_cancelled_timer_does_not_fire(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a');
  timer_cancel(&host, &a.timer);
  set_bell(&a, 10);
  timer_cancel(&host, &a.timer);
  timer_cancel(&host, &a.timer);
  assert_false(timer_is_set(&a.timer));
  host_advance(&host, 10, 0);
  host_run_timers(&host);
  assert_string_equal(log, "");
}

static void a_timer_set_to_now_while_firing_fires_in_the_same_turn(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a'), b = new_bell(&host, log, 'b'), c = new_bell(&host, log, 'c');
  b.timer.userdata = &b;
  a.sets = &b;
  c.repeats = 2;
  set_bell(&a, 10);
  set_bell(&c, 10);
  host_advance(&host, 10, 0);
  host_run_timers(&host);
  assert_string_equal(log, "acbcc");
}

static void a_delay_is_counted_from_the_time_of_setting(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a');
  host_advance(&host, 100, 1700000000000);
  set_bell(&a, 10);
  assert_true(host_next_ms(&host) == 110);
  assert_true(host.wall_ms == 1700000000000);
}

static void a_delay_of_never_never_fires(void **state) {
  CLEANUP(host_deinit) Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a');
  host_advance(&host, 100, 0);
  set_bell(&a, HOST_NEVER);
  assert_true(host_next_ms(&host) == HOST_NEVER);
  host_run_timers(&host);
  assert_string_equal(log, "");
}

static void timers_that_outlive_the_host_are_not_set(void **state) {
  Host host;
  host_init(&host, 1);
  char log[16] = "";
  Bell a = new_bell(&host, log, 'a');
  set_bell(&a, 10);
  host_deinit(&host);
  assert_false(timer_is_set(&a.timer));
}

typedef struct Order {
  uint64_t last_ms;
  int fired;
} Order;

typedef struct Check {
  HostTimer timer;
  Order *order;
} Check;

static void check_order(void *userdata) {
  Check *check = userdata;
  assert_true(check->timer.at_ms >= check->order->last_ms);
  check->order->last_ms = check->timer.at_ms;
  check->order->fired++;
}

static void many_timers_set_and_cancelled_at_random_fire_in_order(void **state) {
  enum { STEPS = 5000 };
  CLEANUP(host_deinit) Host host;
  host_init(&host, 20250104);
  print_message("# seed %llu\n", (unsigned long long)host.random.state);
  Order order = {0};
  Check checks[TIMERS];
  for (int i = 0; i < TIMERS; i++)
    checks[i] = (Check){.timer = {.fire = check_order, .userdata = &checks[i]}, .order = &order};
  for (int step = 0; step < STEPS; step++) {
    HostTimer *timer = &checks[random_below(&host.random, TIMERS)].timer;
    if (random_below(&host.random, 3) == 0)
      timer_cancel(&host, timer);
    else
      timer_set(&host, timer, random_below(&host.random, 1000));
    if (random_below(&host.random, 10) == 0) {
      host_advance(&host, host.now_ms + random_below(&host.random, 50), 0);
      host_run_timers(&host);
    }
  }
  size_t left = host.timer_count;
  int fired = order.fired;
  assert_true(left > 0 && fired > 0);
  host_advance(&host, host.now_ms + 1000, 0);
  host_run_timers(&host);
  assert_int_equal(order.fired, fired + (int)left);
  assert_true(host_next_ms(&host) == HOST_NEVER);
}

static void one_seed_gives_one_sequence(void **state) {
  Random a = {.state = 7}, b = {.state = 7}, c = {.state = 8};
  bool differs = false;
  for (int i = 0; i < 1000; i++) {
    uint64_t number = random_next(&a);
    assert_true(number == random_next(&b));
    differs = differs || number != random_next(&c);
  }
  assert_true(differs);
}

static void random_numbers_stay_below_their_limit_and_reach_all_of_it(void **state) {
  Random random = {.state = 7};
  int seen[10] = {0};
  for (int i = 0; i < 1000; i++)
    seen[random_below(&random, 10)]++;
  for (int i = 0; i < 10; i++)
    assert_in_range(seen[i], 50, 150);
  assert_true(random_below(&random, 1) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_in_the_order_of_their_times),
      cmocka_unit_test(timers_of_one_moment_fire_in_the_order_they_were_set),
      cmocka_unit_test(setting_a_timer_again_moves_it),
      cmocka_unit_test(a_cancelled_timer_does_not_fire),
      cmocka_unit_test(a_timer_set_to_now_while_firing_fires_in_the_same_turn),
      cmocka_unit_test(a_delay_is_counted_from_the_time_of_setting),
      cmocka_unit_test(a_delay_of_never_never_fires),
      cmocka_unit_test(timers_that_outlive_the_host_are_not_set),
      cmocka_unit_test(many_timers_set_and_cancelled_at_random_fire_in_order),
      cmocka_unit_test(one_seed_gives_one_sequence),
      cmocka_unit_test(random_numbers_stay_below_their_limit_and_reach_all_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
