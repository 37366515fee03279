/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates on virtual time, around a Lease that the test keeps. A request takes effect when it is sent or
 * later, and its answer comes later still, or never. */
#include "base/test.h"

#include "base/memory.h"
#include "kube/election.h"

enum { CANDIDATES_MAX = 3, STEP_MS = 10 };

/* One candidate with its own clocks. */
typedef struct Candidate {
  KubeElection election;
  Random random;
  int64_t wall_skew_ms; /* of its calendar */
  bool is_dead, is_cut; /* gone; or its requests do not arrive */
  /* the request in flight */
  KubeElectionRequest request;
  uint64_t effect_ms, answer_ms;
  bool was_done, loses_answer;
  KubeElectionKind answer; /* READ: the lease; CREATE: absent; WRITE: conflict; NOTHING: failure */
  KubeLease answered;
  uint64_t led_until_ms; /* last moment in which it led */
  int requests;
} Candidate;

typedef struct World {
  uint64_t now_ms;
  bool exists;
  KubeLease lease;
  int version;
  Candidate candidates[CANDIDATES_MAX];
  int count;
  uint32_t way_ms, way_back_ms; /* of requests and answers */
  int leaders_max;              /* ever at the same time */
  uint64_t gap_min_ms;          /* between two different leaders */
  int last_leader;
} World;

static void world_init(World *world, int count) {
  *world = (World){.now_ms = 1000,
                   .count = count,
                   .way_ms = 5,
                   .way_back_ms = 5,
                   .last_leader = -1,
                   .gap_min_ms = UINT64_MAX};
  for (int i = 0; i < count; i++) {
    char identity[8];
    snprintf(identity, sizeof identity, "c%d", i);
    world->candidates[i].random.state = (uint64_t)i + 1;
    kube_election_init(&world->candidates[i].election, identity, world->now_ms);
  }
}

static void put(World *world, const KubeLease *lease) {
  world->exists = true;
  world->lease = *lease;
  world->lease.renewed_ms -= world->lease.renewed_ms % 1000;
  snprintf(world->lease.version, sizeof world->lease.version, "%d", ++world->version);
}

/* The API server's part. */
static void carry_out(World *world, Candidate *candidate) {
  const KubeElectionRequest *request = &candidate->request;
  candidate->was_done = true;
  candidate->answer = KUBE_ELECTION_READ;
  if (request->kind == KUBE_ELECTION_CREATE && world->exists)
    candidate->answer = KUBE_ELECTION_WRITE;
  else if (request->kind == KUBE_ELECTION_CREATE)
    put(world, &request->lease);
  else if (!world->exists)
    candidate->answer = KUBE_ELECTION_CREATE;
  else if (request->kind == KUBE_ELECTION_WRITE && strcmp(request->lease.version, world->lease.version) != 0)
    candidate->answer = KUBE_ELECTION_WRITE;
  else if (request->kind == KUBE_ELECTION_WRITE)
    put(world, &request->lease);
  candidate->answered = world->lease;
}

static void answer(World *world, Candidate *candidate) {
  KubeElection *election = &candidate->election;
  candidate->request.kind = KUBE_ELECTION_NOTHING;
  if (!candidate->was_done || candidate->loses_answer)
    kube_election_note_failure(election, world->now_ms, &candidate->random);
  else if (candidate->answer == KUBE_ELECTION_CREATE)
    kube_election_note_absent(election, world->now_ms);
  else if (candidate->answer == KUBE_ELECTION_WRITE)
    kube_election_note_conflict(election, world->now_ms, &candidate->random);
  else
    kube_election_note_lease(election, &candidate->answered, world->now_ms, &candidate->random);
  candidate->loses_answer = false;
}

static void turn(World *world, Candidate *candidate) {
  if (candidate->is_dead)
    return;
  bool is_open = candidate->request.kind != KUBE_ELECTION_NOTHING;
  if (is_open && !candidate->was_done && !candidate->is_cut && world->now_ms >= candidate->effect_ms)
    carry_out(world, candidate);
  if (is_open && world->now_ms >= candidate->answer_ms)
    answer(world, candidate);
  KubeElectionRequest request = kube_election_ask(&candidate->election, world->now_ms,
                                                  (int64_t)world->now_ms + candidate->wall_skew_ms);
  if (!request.kind)
    return;
  candidate->request = request;
  candidate->requests++;
  candidate->was_done = false;
  candidate->effect_ms = world->now_ms + world->way_ms;
  candidate->answer_ms =
      candidate->is_cut ? world->now_ms + KUBE_ELECTION_ANSWER_MS : candidate->effect_ms + world->way_back_ms;
}

static void watch_leaders(World *world) {
  int leaders = 0;
  for (int i = 0; i < world->count; i++) {
    Candidate *candidate = &world->candidates[i];
    if (candidate->is_dead || !kube_election_leads(&candidate->election, world->now_ms))
      continue;
    leaders++;
    candidate->led_until_ms = world->now_ms;
    if (world->last_leader >= 0 && world->last_leader != i) {
      uint64_t gap_ms = world->now_ms - world->candidates[world->last_leader].led_until_ms;
      if (gap_ms < world->gap_min_ms)
        world->gap_min_ms = gap_ms;
    }
    world->last_leader = i;
  }
  if (leaders > world->leaders_max)
    world->leaders_max = leaders;
}

static void run_for(World *world, uint64_t ms) {
  for (uint64_t end_ms = world->now_ms + ms; world->now_ms < end_ms; world->now_ms += STEP_MS) {
    for (int i = 0; i < world->count; i++)
      turn(world, &world->candidates[i]);
    watch_leaders(world);
  }
}

static int leader_of(const World *world) {
  for (int i = 0; i < world->count; i++)
    if (!world->candidates[i].is_dead && kube_election_leads(&world->candidates[i].election, world->now_ms))
      return i;
  return -1;
}

/* ---- one ---- */

static void one_alone_creates_the_lease_and_keeps_it(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 100);
  assert_int_equal(leader_of(&world), 0);
  assert_string_equal(world.lease.holder, "c0");
  assert_int_equal(world.lease.duration_s, 15);
  assert_int_equal(world.lease.transitions, 0);
  int64_t acquired_ms = world.lease.acquired_ms;
  for (int i = 0; i < 600; i++) {
    run_for(&world, 100);
    assert_int_equal(leader_of(&world), 0);
  }
  assert_true(world.lease.acquired_ms == acquired_ms);
  assert_in_range(world.candidates[0].requests, 30, 33); /* one each 2 s, and how it began */
}

static void renewals_that_are_slow_but_come_keep_the_leader(void **state) {
  World world;
  world_init(&world, 2);
  run_for(&world, 5000);
  int leader = leader_of(&world);
  world.way_ms = 2400;
  world.way_back_ms = 2400;
  for (int i = 0; i < 1200; i++) {
    run_for(&world, 50);
    assert_int_equal(leader_of(&world), leader);
  }
}

static void a_leader_that_cannot_renew_stops_after_its_deadline_and_not_before(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 5000);
  world.candidates[0].is_cut = true;
  uint64_t sent_ms = world.candidates[0].election.renewed_ms;
  while (world.now_ms + STEP_MS < sent_ms + KUBE_ELECTION_RENEW_MS) {
    run_for(&world, STEP_MS);
    assert_int_equal(leader_of(&world), 0);
  }
  run_for(&world, STEP_MS);
  assert_false(kube_election_leads(&world.candidates[0].election, sent_ms + KUBE_ELECTION_RENEW_MS));
  run_for(&world, 60000);
  assert_int_equal(leader_of(&world), -1);
  world.candidates[0].is_cut = false;
  run_for(&world, 10000); /* the Lease still names it, and nobody else wants it */
  assert_int_equal(leader_of(&world), 0);
  assert_int_equal(world.lease.transitions, 0);
}

static void a_process_that_slept_does_not_lead_when_it_wakes_up(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 5000);
  world.now_ms += 20000;
  assert_int_equal(leader_of(&world), -1);
  KubeElectionRequest request = kube_election_ask(&world.candidates[0].election, world.now_ms, 0);
  assert_int_equal(request.kind, KUBE_ELECTION_READ);
}

static void an_answer_that_comes_after_the_deadline_makes_no_leader(void **state) {
  World world;
  world_init(&world, 1);
  world.way_back_ms = 11000;
  run_for(&world, 60000);
  assert_int_equal(world.leaders_max, 0);
}

/* ---- two and three ---- */

static void of_two_that_begin_at_once_one_leads(void **state) {
  for (uint64_t seed = 1; seed <= 50; seed++) {
    World world;
    world_init(&world, 2);
    world.candidates[0].random.state = seed;
    world.candidates[1].random.state = seed * 77;
    run_for(&world, 120000);
    assert_int_equal(world.leaders_max, 1);
    assert_true(leader_of(&world) >= 0);
    assert_int_equal(world.lease.transitions, 0);
  }
}

static void another_takes_over_when_the_leader_has_been_silent_for_its_lease(void **state) {
  World world;
  world_init(&world, 3);
  run_for(&world, 10000);
  int dead = leader_of(&world);
  world.candidates[dead].is_dead = true;
  uint64_t died_ms = world.now_ms;
  while (leader_of(&world) < 0 && world.now_ms < died_ms + 60000)
    run_for(&world, STEP_MS);
  /* seen up to 4.4 s after its last renewal, asked every 2 to 4.4 s */
  assert_in_range(world.now_ms - died_ms, KUBE_ELECTION_LEASE_MS - 2100, KUBE_ELECTION_LEASE_MS + 9000);
  assert_int_not_equal(leader_of(&world), dead);
  assert_int_equal(world.lease.transitions, 1);
  run_for(&world, 60000);
  assert_int_equal(world.leaders_max, 1);
  assert_int_equal(world.lease.transitions, 1);
}

static void calendars_that_are_hours_apart_do_not_matter(void **state) {
  static const int64_t skews_ms[] = {-86400000, -20000, 20000, 86400000};
  for (size_t i = 0; i < COUNT_OF(skews_ms); i++) {
    World world;
    world_init(&world, 2);
    world.candidates[1].wall_skew_ms = skews_ms[i];
    run_for(&world, 60000);
    int first = leader_of(&world);
    assert_true(first >= 0);
    assert_int_equal(world.leaders_max, 1);
    assert_int_equal(world.lease.transitions, 0);
    world.candidates[first].is_dead = true;
    run_for(&world, 30000);
    assert_int_equal(leader_of(&world), 1 - first);
  }
}

static void a_leader_that_is_cut_off_stops_long_before_the_next_begins(void **state) {
  for (uint64_t seed = 1; seed <= 50; seed++) {
    World world;
    world_init(&world, 3);
    for (int i = 0; i < 3; i++)
      world.candidates[i].random.state = seed * 31 + (uint64_t)i;
    run_for(&world, 10000 + seed * 40);
    int cut = leader_of(&world);
    world.candidates[cut].is_cut = true;
    run_for(&world, 60000);
    int next = leader_of(&world);
    assert_true(next >= 0 && next != cut);
    world.candidates[cut].is_cut = false;
    run_for(&world, 60000);
    assert_int_equal(leader_of(&world), next);
    assert_int_equal(world.leaders_max, 1);
    assert_true(world.gap_min_ms >= KUBE_ELECTION_LEASE_MS - KUBE_ELECTION_RENEW_MS);
    assert_int_equal(world.lease.transitions, 1);
  }
}

/* ---- answers that get lost, conflicts ---- */

static void a_claim_whose_answer_was_lost_is_found_to_be_ours(void **state) {
  World world;
  world_init(&world, 2);
  while (!world.exists) {
    run_for(&world, STEP_MS);
    for (int i = 0; i < 2; i++)
      world.candidates[i].loses_answer = world.candidates[i].request.kind == KUBE_ELECTION_CREATE;
  }
  run_for(&world, 10000);
  assert_int_equal(world.leaders_max, 1);
  assert_true(leader_of(&world) >= 0);
  assert_int_equal(world.lease.transitions, 0);
}

static void a_renewal_whose_answer_was_lost_does_not_end_leadership(void **state) {
  World world;
  world_init(&world, 2);
  run_for(&world, 10000);
  int leader = leader_of(&world);
  for (int i = 0; i < 20; i++) {
    while (world.candidates[leader].request.kind != KUBE_ELECTION_WRITE)
      run_for(&world, STEP_MS);
    world.candidates[leader].loses_answer = true;
    run_for(&world, 3000);
    assert_int_equal(leader_of(&world), leader);
  }
  assert_int_equal(world.lease.transitions, 0);
}

static void a_conflict_is_read_at_once_and_then_patience_rules(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 10000);
  Candidate *leader = &world.candidates[0];
  int before = leader->requests;
  for (int i = 0; i < 1000; i++) { /* somebody else keeps labelling the Lease */
    put(&world, &world.lease);
    run_for(&world, STEP_MS);
  }
  assert_in_range(leader->requests - before, 10, 24);
  run_for(&world, 5000);
  assert_int_equal(leader_of(&world), 0);
}

static void a_lease_that_was_deleted_is_made_again_by_its_leader(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 10000);
  world.exists = false;
  for (int i = 0; i < 50; i++) {
    run_for(&world, 100);
    assert_int_equal(leader_of(&world), 0);
  }
  assert_true(world.exists);
  assert_string_equal(world.lease.holder, "c0");
}

static void a_leader_that_reads_of_another_stops_at_once(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 10000);
  KubeLease stolen = world.lease;
  snprintf(stolen.holder, sizeof stolen.holder, "thief");
  put(&world, &stolen);
  run_for(&world, 2100);
  assert_int_equal(leader_of(&world), -1);
}

static void a_lease_that_says_how_long_it_lasts_is_believed(void **state) {
  World world;
  world_init(&world, 1);
  put(&world, &(KubeLease){.holder = "patient", .duration_s = 60, .transitions = 7});
  run_for(&world, 58000);
  assert_int_equal(leader_of(&world), -1);
  run_for(&world, 8000);
  assert_int_equal(leader_of(&world), 0);
  assert_int_equal(world.lease.transitions, 8);
}

/* ---- leaving ---- */

static void who_leaves_gives_the_lease_back_and_the_next_needs_not_wait_for_it_to_run_out(void **state) {
  World world;
  world_init(&world, 2);
  run_for(&world, 10000);
  int leader = leader_of(&world);
  kube_election_leave(&world.candidates[leader].election, world.now_ms);
  assert_int_equal(leader_of(&world), -1);
  run_for(&world, 50);
  assert_true(kube_election_has_left(&world.candidates[leader].election));
  assert_string_equal(world.lease.holder, "");
  assert_int_equal(world.lease.duration_s, 1);
  run_for(&world, 4500);
  assert_int_equal(leader_of(&world), 1 - leader);
  assert_int_equal(world.lease.transitions, 1);
}

static void who_leaves_while_a_renewal_is_under_way_waits_for_its_answer(void **state) {
  World world;
  world_init(&world, 1);
  run_for(&world, 10000);
  Candidate *leader = &world.candidates[0];
  while (leader->request.kind != KUBE_ELECTION_WRITE)
    run_for(&world, STEP_MS);
  leader->loses_answer = true; /* and is then not known to be released */
  kube_election_leave(&leader->election, world.now_ms);
  run_for(&world, 100);
  assert_true(kube_election_has_left(&leader->election));
  assert_string_equal(world.lease.holder, "c0");

  world_init(&world, 1);
  run_for(&world, 10000);
  while (leader->request.kind != KUBE_ELECTION_WRITE)
    run_for(&world, STEP_MS);
  kube_election_leave(&leader->election, world.now_ms);
  assert_false(kube_election_has_left(&leader->election));
  run_for(&world, 100);
  assert_true(kube_election_has_left(&leader->election));
  assert_string_equal(world.lease.holder, "");
}

static void a_follower_leaves_at_once_and_writes_nothing(void **state) {
  World world;
  world_init(&world, 2);
  run_for(&world, 10000);
  int leader = leader_of(&world);
  int version = world.version;
  kube_election_leave(&world.candidates[1 - leader].election, world.now_ms);
  assert_true(kube_election_has_left(&world.candidates[1 - leader].election));
  run_for(&world, 1000);
  assert_in_range(world.version, version, version + 1); /* the leader's own */
  assert_int_equal(leader_of(&world), leader);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_alone_creates_the_lease_and_keeps_it),
      cmocka_unit_test(renewals_that_are_slow_but_come_keep_the_leader),
      cmocka_unit_test(a_leader_that_cannot_renew_stops_after_its_deadline_and_not_before),
      cmocka_unit_test(a_process_that_slept_does_not_lead_when_it_wakes_up),
      cmocka_unit_test(an_answer_that_comes_after_the_deadline_makes_no_leader),
      cmocka_unit_test(of_two_that_begin_at_once_one_leads),
      cmocka_unit_test(another_takes_over_when_the_leader_has_been_silent_for_its_lease),
      cmocka_unit_test(calendars_that_are_hours_apart_do_not_matter),
      cmocka_unit_test(a_leader_that_is_cut_off_stops_long_before_the_next_begins),
      cmocka_unit_test(a_claim_whose_answer_was_lost_is_found_to_be_ours),
      cmocka_unit_test(a_renewal_whose_answer_was_lost_does_not_end_leadership),
      cmocka_unit_test(a_conflict_is_read_at_once_and_then_patience_rules),
      cmocka_unit_test(a_lease_that_was_deleted_is_made_again_by_its_leader),
      cmocka_unit_test(a_leader_that_reads_of_another_stops_at_once),
      cmocka_unit_test(a_lease_that_says_how_long_it_lasts_is_believed),
      cmocka_unit_test(who_leaves_gives_the_lease_back_and_the_next_needs_not_wait_for_it_to_run_out),
      cmocka_unit_test(who_leaves_while_a_renewal_is_under_way_waits_for_its_answer),
      cmocka_unit_test(a_follower_leaves_at_once_and_writes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
