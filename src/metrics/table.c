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
    [METRIC_BUILD] = {"facet_build", METRIC_INFO, "Which facet this is.", {"version"}},
    [METRIC_EVENT_LOOP_LAG] = {"facet_event_loop_lag_seconds",
                               METRIC_HISTOGRAM,
                               "For how long one turn of the event loop kept everything else waiting.",
                               {NULL},
                               BOUNDS(short_s)},
    [METRIC_API_REQUESTS] =
        {"facet_api_requests",
         METRIC_COUNTER,
         "Requests to the API server, by method (WATCH for watches) and HTTP status; \"none\" "
         "where no answer came.",
         {"method", "code"}},
    [METRIC_API_DURATION] = {"facet_api_request_duration_seconds",
                             METRIC_HISTOGRAM,
                             "How long answered requests to the API server took, without watches.",
                             {"method"},
                             BOUNDS(short_s)},
    [METRIC_FAILURES] = {"facet_failures",
                         METRIC_COUNTER,
                         "What went wrong, by where it did and by the kind of the failure.",
                         {"where", "reason"}},
    [METRIC_SLICES] =
        {"facet_slices",
         METRIC_GAUGE,
         "Slices that exist, by profile and state (used or free): of the whole cluster as its nodes "
         "report them at the controller, of its node at an agent.",
         {"profile", "state"}},
    [METRIC_STAGE_DURATION] =
        {"facet_repartition_stage_duration_seconds",
         METRIC_HISTOGRAM,
         "How long the stages of a repartition took. Controller: batch (first waiting pod to "
         "plan), write (node told), answer (told until the agent is done). Agent: create and "
         "destroy (one slice in the driver), publish (slices until the kubelet shows them), "
         "report (node status written).",
         {"stage"},
         BOUNDS(stage_s)},
    [METRIC_LEADER] = {"facet_controller_leader",
                       METRIC_GAUGE,
                       "1 where this controller acts, 0 where it stands by.",
                       {NULL}},
    [METRIC_OBJECTS] = {"facet_controller_objects",
                        METRIC_GAUGE,
                        "Objects that the controller watches, by kind.",
                        {"kind"}},
    [METRIC_PODS] =
        {"facet_controller_pending_pods",
         METRIC_GAUGE,
         "Pods that wait for slices, by the last plan's verdict: admitted (slices are being made), fits "
         "(they are there), blocked.",
         {"verdict"}},
    [METRIC_PLANS] = {"facet_controller_plans", METRIC_COUNTER, "Plans that were made.", {NULL}},
    [METRIC_PLANS_STOPPED] = {"facet_controller_plans_stopped_early",
                              METRIC_COUNTER,
                              "Plans whose time budget ended the search for a better one.",
                              {NULL}},
    [METRIC_PLAN_DURATION] = {"facet_controller_plan_duration_seconds",
                              METRIC_HISTOGRAM,
                              "How long a pass took: snapshot, plan, writes.",
                              {NULL},
                              BOUNDS(short_s)},
    [METRIC_PLAN_GAP] = {"facet_controller_plan_gap_ratio",
                         METRIC_GAUGE,
                         "The share of the pods that the last plan could still have admitted, at most.",
                         {NULL}},
    [METRIC_NODE_WRITES] =
        {"facet_controller_node_writes",
         METRIC_COUNTER,
         "Plans sent to nodes, by result: written, outdated (planned again), failed, observed "
         "(not sent, because of --observe).",
         {"result"}},
    [METRIC_EVENTS] = {"facet_controller_events",
                       METRIC_COUNTER,
                       "Events sent for pods, by result: written, failed.",
                       {"result"}},
    [METRIC_REPORTS] = {"facet_agent_reports",
                        METRIC_COUNTER,
                        "Reports sent to the node's status, by result: written, failed.",
                        {"result"}},
};
