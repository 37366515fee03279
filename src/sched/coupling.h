/* SPDX-License-Identifier: Apache-2.0 */
/* What makes the place of one pod depend on the places of others: affinity between pods, spreading, host
 * ports. Pods are counted by topology domain, and the counts follow the snapshot's fork.
 *
 *     want      the constraints of waiting pods that a filter cannot tell apart
 *     group     pods, waiting or on a node, that no selector can tell apart
 *     topology  a label of the nodes that a constraint names; each of its values is a domain
 *     tally     how many pods of one sort are in each domain of one topology
 *
 * Whether a group feeds a tally is decided once. So 100,000 pods from 50 Deployments cost 50 decisions per
 * constraint, and putting one of them on a node costs an addition per tally that it feeds. */
#pragma once

#include "sched/matcher.h"
#include "sched/volumes.h"

typedef struct SchedTopology {
  const char *key;
  int *domains; /* by node; -1 where the node has no such label */
  int domain_count;
} SchedTopology;

typedef struct SchedTally {
  int topology;
  int *counts;   /* by domain */
  int64_t total; /* of all domains */
  /* Of spread constraints only: */
  bool *nodes;      /* whose pods count; NULL: all nodes that have the label */
  bool *domains;    /* with such a node */
  int domain_count; /* how many these are */
  int least;        /* the smallest count of any of these domains */
  int at_least;     /* how many of them have it */
} SchedTally;

typedef struct SchedSpread {
  int tally;
  int32_t max_skew, min_domains;
  bool counts_itself;
} SchedSpread;

typedef struct SchedWant {
  const Pod *example;
  SchedMatcher *affinity_matchers, *anti_matchers, *spread_matchers;
  int *affinity, *anti; /* tallies, by term */
  int affinity_count, anti_count;
  SchedSpread *spread;
  int spread_count;
  bool matches_itself; /* all its affinity terms mean the pod itself too */
  bool is_valid;       /* of affinity terms and spread constraints */
  bool spread_is_valid;
  int port_count;
} SchedWant;

typedef struct SchedGroup {
  const Pod *example;
  int *rules;       /* anti-affinity terms of its pods */
  int *feeds;       /* tallies in which they count */
  int *refusers;    /* tallies of the rules that keep its pods away */
  int *trial_feeds; /* those in which they count only while they are nominated */
  int rule_count, feed_count, refuser_count, trial_feed_count;
} SchedGroup;

typedef ARRAY(const ContainerPort *) SchedPorts; /* taken on a node */

/* A term by which pods keep others away, counted where they are. */
typedef struct SchedRule {
  SchedMatcher matcher;
  const char *topology_key;
  int tally; /* -1: no waiting pod is concerned */
} SchedRule;

typedef struct SchedCoupling {
  Arena arena;
  Snapshot *snapshot;
  ARRAY(SchedTopology) topologies;
  ARRAY(SchedTally) tallies;
  ARRAY(SchedRule) rules;
  ARRAY(SchedWant) wants;
  ARRAY(SchedGroup) groups;
  int *want_of_pod;      /* by waiting pod; -1: nothing of its own */
  int *group_of_pod;     /* by waiting pod; -1: no selector asks after it */
  int *class_of_pod;     /* by waiting pod; 0: neither depends on others nor others on it */
  SchedPorts *ports;     /* by node; NULL where no waiting pod asks for one */
  bool is_needed;        /* some pod depends on another; else nothing above is filled */
  bool is_trying;        /* nominated pods are bound for one question, of which volumes know nothing */
  SchedVolumes *volumes; /* NULL: no waiting pod has any that are known */
} SchedCoupling;

/* That of the snapshot, made when it is first asked for; the snapshot releases it. */
SchedCoupling *sched_coupling_get(Snapshot *snapshot);
/* Does a filter of this pod depend on where other pods are, or on those that are planned? Then an answer
 * holds only until the next pod is placed. */
bool sched_is_coupled(Snapshot *snapshot, int pod);
/* Has it claims that the snapshot knows? Then its filters ask for labels that the pod does not name. */
bool sched_has_volumes(Snapshot *snapshot, int pod);
/* For the key of a pod's class: equal for pods of which one may take the place of the other, as far as
 * volumes and other pods are concerned. Adds nothing for most pods. */
void sched_coupling_add_key(Snapshot *snapshot, int pod, Text *key);

/* Has the pod nothing to do with affinity, as long as nobody else is bound? */
bool sched_inter_pod_affinity_is_skipped(const SchedCoupling *coupling, int pod);
/* The filters; of a coupling that is needed. */
bool sched_node_ports(const SchedCoupling *coupling, int pod, int node, char *ret_reason, size_t size);
bool sched_pod_topology_spread(const SchedCoupling *coupling, int pod, int node, char *ret_reason,
                               size_t size);
bool sched_inter_pod_affinity(const SchedCoupling *coupling, int pod, int node, char *ret_reason,
                              size_t size);

/* Of what the files of this module share: */
void sched_tally_add(SchedTally *tally, int domain, int sign); /* at_least of 0 afterwards: find it again */
/* Once the counts are those of the pods on the nodes. */
void sched_tally_find_least(SchedTally *tally, int domain_count);
void sched_coupling_count(SchedCoupling *coupling, int group, int node, int sign);
void sched_ports_add(SchedCoupling *coupling, const Pod *pod, int node);
int sched_ports_count(const Pod *pod);
/* Fills an empty one; false where no pod depends on another. */
bool sched_coupling_build(SchedCoupling *coupling);
