/* SPDX-License-Identifier: Apache-2.0 */
/* Names by the conventions of Prometheus: base units, the unit at the end, what is counted in the plural. */
#include "metrics/table.h"

#include "base/cleanup.h"

/* What a loop or a call takes. */
static const double short_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};
/* What a stage of a repartition takes: from a write's answer to a node that is down. */
static const double stage_s[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

#define BOUNDS(array) .bounds = (array), .bound_count = COUNT_OF(array)

const MetricInfo metric_table[METRIC_COUNT] = {
    [METRIC_BUILD] = {.name = "facet_build",
                      .type = METRIC_INFO,
                      .help = "Which facet this is.",
                      .labels = {"version"}},
    [METRIC_EVENT_LOOP_LAG] = {.name = "facet_event_loop_lag_seconds",
                               .type = METRIC_HISTOGRAM,
                               .help =
                                   "For how long one turn of the event loop kept everything else waiting.",
                               BOUNDS(short_s)},
    [METRIC_API_REQUESTS] =
        {.name = "facet_api_requests",
         .type = METRIC_COUNTER,
         .help = "Requests to the API server, by method (WATCH for watches) and HTTP status; \"none\" "
                 "where no answer came.",
         .labels = {"method", "code"}},
    [METRIC_API_DURATION] = {.name = "facet_api_request_duration_seconds",
                             .type = METRIC_HISTOGRAM,
                             .help = "How long answered requests to the API server took, without watches.",
                             .labels = {"method"},
                             BOUNDS(short_s)},
    [METRIC_FAILURES] = {.name = "facet_failures",
                         .type = METRIC_COUNTER,
                         .help = "What went wrong, by where it did and by the kind of the failure.",
                         .labels = {"where", "reason"}},
    [METRIC_SLICES] =
        {.name = "facet_slices",
         .type = METRIC_GAUGE,
         .help = "Slices that exist, by profile and state (used or free): of the whole cluster as its nodes "
                 "report them at the controller, of its node at an agent.",
         .labels = {"profile", "state"}},
    [METRIC_STAGE_DURATION] =
        {.name = "facet_repartition_stage_duration_seconds",
         .type = METRIC_HISTOGRAM,
         .help = "How long the stages of a repartition took. Controller: batch (first waiting pod to "
                 "plan), write (node told), answer (told until the agent is done). Agent: create and "
                 "destroy (one slice in the driver), publish (slices until the kubelet shows them), "
                 "report (node status written).",
         .labels = {"stage"},
         BOUNDS(stage_s)},
    [METRIC_LEADER] = {.name = "facet_controller_leader",
                       .type = METRIC_GAUGE,
                       .help = "1 where this controller acts, 0 where it stands by."},
    [METRIC_OBJECTS] = {.name = "facet_controller_objects",
                        .type = METRIC_GAUGE,
                        .help = "Objects that the controller watches, by kind.",
                        .labels = {"kind"}},
    [METRIC_NODES] = {.name = "facet_controller_nodes",
                      .type = METRIC_GAUGE,
                      .help = "Nodes that are handed to facet, by state: reporting, failing (facet.gpu/error "
                              "says why), silent "
                              "(their agent has said nothing yet).",
                      .labels = {"state"}},
    [METRIC_PODS] =
        {.name = "facet_controller_pending_pods",
         .type = METRIC_GAUGE,
         .help =
             "Pods that wait for a node, by the last plan's verdict: admitted (slices are being made), fits "
             "(they are there), blocked, ignored (no slice could help them).",
         .labels = {"verdict"}},
    [METRIC_PLANS] = {.name = "facet_controller_plans",
                      .type = METRIC_COUNTER,
                      .help = "Plans that were made."},
    [METRIC_PLANS_STOPPED] = {.name = "facet_controller_plans_stopped_early",
                              .type = METRIC_COUNTER,
                              .help = "Plans whose time budget ended the search for a better one."},
    [METRIC_PLAN_DURATION] = {.name = "facet_controller_plan_duration_seconds",
                              .type = METRIC_HISTOGRAM,
                              .help = "How long a pass took: snapshot, plan, writes.",
                              BOUNDS(short_s)},
    [METRIC_PLAN_GAP] = {.name = "facet_controller_plan_gap_ratio",
                         .type = METRIC_GAUGE,
                         .help =
                             "The share of the pods that the last plan could still have admitted, at most."},
    [METRIC_NODE_WRITES] =
        {.name = "facet_controller_node_writes",
         .type = METRIC_COUNTER,
         .help = "Plans sent to nodes, by result: written, outdated (planned again), failed, observed "
                 "(not sent, because of --observe).",
         .labels = {"result"}},
    [METRIC_EVENTS] = {.name = "facet_controller_events",
                       .type = METRIC_COUNTER,
                       .help = "Events sent for pods, by result: written, failed.",
                       .labels = {"result"}},
    [METRIC_REPORTS] = {.name = "facet_agent_reports",
                        .type = METRIC_COUNTER,
                        .help = "Reports sent to the node's status, by result: written, failed.",
                        .labels = {"result"}},
};
