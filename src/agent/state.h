/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's state, shared by its own files: agent.c (life and the step), gpus.c (observe, create, destroy),
 * recutting.c (take free slices away), slices.c (publish, barrier, use), rival.c (other plugins), rereading.c
 * (where NVIDIA's plugin publishes), takeover.c. Nobody else includes this. */
#pragma once

#include "agent/agent.h"
#include "agent/counting.h"
#include "agent/halves.h"
#include "agent/health.h"
#include "agent/leaving.h"
#include "agent/migmode.h"
#include "agent/publish.h"
#include "agent/recutting.h"
#include "agent/relied.h"
#include "agent/report.h"
#include "agent/rereading.h"
#include "agent/restarting.h"
#include "agent/service.h"
#include "agent/takeover.h"
#include "agent/trouble.h"
#include "agent/wanted.h"
#include "base/array.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "base/memory.h"
#include "kube/event_series.h"

#define AGENT_COMPONENT "agent"

/* takeover.c */
typedef struct AgentTakeover {
  bool is_wanted;
  bool is_asking; /* a patch is under way */
  uint64_t retry_ms;
  HostTimer timer; /* no patch before it fires */
} AgentTakeover;

struct Agent {
  char *node_name;
  Host *host;
  GpuDriver *driver;
  KubeClient *client;
  Metrics *metrics;    /* NULL: nobody counts */
  KubeInformer *nodes; /* of one: our own */
  KubeletPlugins *plugins;
  KubeletPodResources *pod_resources;
  HostTimer step_timer;

  /* gpus.c */
  GpuObservation *observation; /* NULL until the GPUs were read once */
  Error observe_error;         /* code 0: the last look succeeded */
  bool can_watch;              /* errors of the GPUs are waited for */
  bool is_watching;            /* the driver does, and is not busy otherwise */
  HostTimer watch_timer;       /* no new watch before it fires */
  HostTimer well_timer;        /* something is well again */
  AgentHealth health;
  AgentService service; /* which GPUs can be worked with */
  bool driver_busy;
  bool observe_due;
  bool has_bare; /* half a slice is there: look again soon */
  HostTimer observe_timer;
  char plan[MIG_PLAN_ID_SIZE];    /* the plan that the transactions belong to */
  AgentTransactions transactions; /* one per GPU */
  AgentRelied relied;             /* what pods hold, and where */
  bool relied_read;               /* ... with what the node said of the time before */
  AgentWanted current;            /* the job in the driver */
  AgentHalves halves;             /* of slices, that the driver refuses to remove */
  AgentHalf clearing;             /* the one in the driver */
  AgentTarget doomed;             /* its destruction was begun, where is_doomed */
  bool is_doomed;                 /* nobody has seen yet what became of that */
  Map fresh;                      /* ids of slices made since a plan was last answered */
  bool plan_done;                 /* everything of `plan` exists, was skipped or failed */

  AgentRecutting recutting;   /* recutting.c */
  AgentMigMode migmode;       /* migmode.c */
  AgentLeaving leaving;       /* leaving.c */
  AgentRereading rereading;   /* rereading.c */
  AgentRestarting restarting; /* restarting.c */

  /* slices.c */
  KubeletPort *port;
  char *plugin_folder;
  Arena slices_arena; /* of `resources` */
  AgentResources resources;
  bool is_published;  /* `resources` is what the GPUs hold */
  bool adopted;       /* agent_slices_adopt() has had its look */
  bool *known;        /* the kubelet shows exactly this resource's slices */
  uint64_t *moved_ms; /* the node said another amount of this resource until then */
  Map announced;      /* resource name -> non-NULL */
  HostTimer barrier_timer;
  uint64_t barrier_began_ms;
  uint64_t known_ms; /* when it last ended: the kubelet knew everything */
  uint32_t barrier_poll_ms;
  Map used; /* ids that pods hold */
  bool used_known;
  uint64_t used_ms;       /* what they hold is at least as new */
  uint64_t used_asked_ms; /* the question that is open, or was answered last */
  HostTimer use_timer;
  bool use_is_asked;     /* the answer is awaited */
  uint64_t use_due_ms;   /* since when the next question waits for quiet; 0: it does not */
  uint64_t admitting_ms; /* when the kubelet last chose or allocated slices */

  AgentTroubles troubles; /* with publishing */
  AgentCdi *cdi;          /* NULL: containers get slices by the environment variable */
  AgentTakeover takeover;

  /* rival.c */
  HostTimer rival_timer;
  uint64_t registered_ms; /* when we last registered with a kubelet, maybe a new one */
  Map given; /* ids that pods held at the start or got from us since, and those that are not explained yet */

  /* agent.c */
  HostTimer report_timer; /* looks again whether there is something to report */
  bool report_in_flight;
  char *reported; /* the last report's words, and when they were sent; NULL: none yet */
  uint64_t reported_ms;
  uint64_t report_again_ms;           /* not before */
  uint64_t report_retry_ms;           /* the back-off after refusals; 0: the last one was accepted */
  char report_error[ERROR_TEXT_SIZE]; /* the refusal that was logged */
  uint64_t started_ms;
  bool managed_logged;
  bool is_halted;
  LogGate gate;           /* for failures that repeat with every try */
  KubeEventSeries events; /* on our node, sent lately */
};

/* Runs the step in this turn of the loop. */
void agent_kick(Agent *agent);
/* Does the node, as the API server has it, carry all that we have to say? */
bool agent_has_said_all(const Agent *agent, const Node *node);
/* Our node as the API server has it; NULL while unknown. */
const Node *agent_node(const Agent *agent);

/* node_event.c: tells by an Event on our node what failed. Nothing depends on it. */
void agent_node_event_send(Agent *agent, const char *reason, const char *note);

/* migmode.c: switches MIG mode on, where that is wanted and needs no reset. */
void agent_migmode_init(Agent *agent, bool is_on);
void agent_migmode_step(Agent *agent, const Node *node);
bool agent_migmode_withholds(const Agent *agent, const char *uuid); /* a GPU that must stay off the list */
void agent_migmode_append_error(const Agent *agent, Text *text);    /* sentences, parted by "; " */
void agent_migmode_deinit(Agent *agent);

/* watching.c: waits for errors of the GPUs, while there is nothing else to do. */
void agent_watching_init(Agent *agent, bool can_watch, const AgentOptions *options);
void agent_watching_step(Agent *agent);
/* A change is near: the watch ends, and one more look sees to it that a worker is ready. */
void agent_watching_prepare(Agent *agent);
void agent_watching_make_way(Agent *agent, GpuJobKind kind); /* before any other job is submitted */
void agent_watching_apply(Agent *agent);                     /* to a new observation */
void agent_watching_deinit(Agent *agent);

/* gpus.c: looks at the GPUs when due, and creates the next wanted slice. Starts at most one job. */
void agent_gpus_init(Agent *agent);
void agent_gpus_step(Agent *agent, const Node *node);
void agent_gpus_look_once(Agent *agent); /* reads the GPUs if nobody has yet; changes nothing */
void agent_gpus_deinit(Agent *agent);
/* A job for the driver, which must be idle; and what it has seen. */
void agent_gpus_submit(Agent *agent, const GpuJob *job, GpuOnResult *on_result);
void agent_gpus_take(Agent *agent, const GpuResult *result);
/* Submits the destruction of the slice; the driver must be idle. */
void agent_gpus_destroy(Agent *agent, const AgentTarget *target);
/* Sentence for facet.gpu/error, or NULL. The buffer is the caller's. */
const char *agent_gpus_error(const Agent *agent, char *buffer, size_t size);

/* slices.c: tells the kubelet, waits until it knows, and asks who holds what. */
void agent_slices_init(Agent *agent, KubeletPort *port, const AgentOptions *options);
void agent_slices_step(Agent *agent);
void agent_slices_adopt(
    Agent *agent); /* what a crashed earlier life had published; before anything else is known */
void agent_slices_deinit(Agent *agent);
/* Does the kubelet show what it was told of every resource, or is that another plugin's affair? */
bool agent_slices_all_known(const Agent *agent);
/* Something is about to change in what the kubelet shows. */
void agent_slices_watch_closely(Agent *agent);
/* Our node changed, and another plugin publishes. */
void agent_slices_doubt(Agent *agent, const Node *old, const Node *new_);
/* Takes every plugin away from the kubelet. */
void agent_slices_withdraw(Agent *agent);
/* Our node, as we see it now. */
void agent_slices_note_node(Agent *agent, const Node *node);
/* Since when has the node said what there is of all profiles of the targets? As far as this agent knows. */
uint64_t agent_slices_quiet_since(const Agent *agent, const AgentTargets *targets);
/* How many of a resource's slices does no pod hold, as far as is known? */
size_t agent_slices_count_free(const Agent *agent, const AgentResource *resource);
/* The kubelet may be about to show new slices: a report can wait for it until then. In the past: no need. */
uint64_t agent_slices_settled_by(const Agent *agent);

/* leaving.c: true where the agent leaves, or has left, and nothing else is to be done than to serve. */
bool agent_leaving_step(Agent *agent, const Node *node);
/* leaving_confirm.c: asks the server whether the node offers nothing still; sets leaving.is_confirmed. */
void agent_leaving_confirm(Agent *agent);
void agent_leaving_init(Agent *agent);
void agent_leaving_deinit(Agent *agent);

/* recutting.c: takes free slices away, by reservation. */
void agent_recutting_init(Agent *agent, KubeTransport *transport, const AgentOptions *options);
void agent_recutting_start(Agent *agent);
void agent_recutting_step(Agent *agent, const Node *node);
/* Nothing is wanted any more: all is let go. node: where a witness can be put, or NULL. */
void agent_recutting_wind_up(Agent *agent, const Node *node);
/* Begins to find out whether the scheduler has seen what the node offers now, and whether that goes on. */
void agent_recutting_call_witness(Agent *agent);
bool agent_recutting_awaits_witness(const Agent *agent);
void agent_recutting_forget_plan(Agent *agent); /* there is a new one */
void agent_recutting_deinit(Agent *agent);
/* Must the slice stay out of the kubelet's list? */
bool agent_recutting_withholds(const Agent *agent, const char *uuid);
/* Is the pod one of our reservations? */
bool agent_recutting_owns(const Agent *agent, const KubeletHeld *held);
/* Does the plan take nothing away any more? */
bool agent_recutting_is_answered(const Agent *agent, const Node *node);
/* Is the plan not done, because slices are still to be taken away? */
bool agent_recutting_is_pending(const Agent *agent);
/* Are slices being destroyed, or gone with nothing in their place yet? */
bool agent_recutting_is_cutting(const Agent *agent);
/* The node offers what it should, and the rest of the news can wait for the new slices. */
bool agent_recutting_hushes(const Agent *agent, const Node *node);
/* What the node's label facet.gpu/offer shall reach in a report that tells all amounts; 0: nothing new. */
int64_t agent_recutting_offer(const Agent *agent);
const char *agent_recutting_error(const Agent *agent); /* a sentence, or "" */
/* Has the scheduler bound its reservation pod, as far as we see? */
bool agent_recutting_is_bound(const Agent *agent, const AgentRecut *recut);
/* The plan is answered without what it wanted to take away. raced: nothing is wrong, others were quicker. */
void agent_recutting_give_up(Agent *agent, bool raced, const char *reason);
/* recut_offer.c: one that is greater than any before. */
void agent_recutting_give_offer(Agent *agent, AgentRecut *recut);
/* ... at once, or when nothing that the kubelet has under way can contradict it any more. */
void agent_recutting_plan_offer(Agent *agent, AgentRecut *recut);
/* recut_crowd.c: a resource of which the scheduler would find too little for the next reservation. NULL:
 * none. */
const char *agent_recutting_find_crowded(const Agent *agent);
/* Those of that resource that only wait for what the kubelet may write late wait no longer. */
void agent_recutting_hurry(Agent *agent, const char *resource);
/* recut_pods.c: requests for the re-cut's pods. */
void agent_recutting_create_pod(Agent *agent, const Node *node, const AgentRecut *recut);
void agent_recutting_create_witness(Agent *agent, const Node *node, AgentRecut *recut); /* names it anew */
void agent_recutting_delete_pod(Agent *agent, const AgentRecut *recut);
/* recut_kubelet.c: asks which slices its pod holds, soon again if that is not known yet. */
void agent_recutting_ask_kubelet(Agent *agent, const AgentRecut *recut);
/* What the kubelet said so far does not count any more. */
void agent_recutting_ask_anew(Agent *agent);
/* The kubelet is asked who holds what, and has said it. */
void agent_recutting_note_list_asked(Agent *agent);
void agent_recutting_note_list(Agent *agent, const KubeletHelds *helds);
/* GetPreferredAllocation: how long its answer shall wait, and the answer. */
uint32_t agent_recutting_delay_ms(const Agent *agent, const char *resource, const KubeletPreferred *request);
void agent_recutting_prefer(const Agent *agent, const char *resource, const KubeletPreferred *request,
                            Arena *arena, Strings *ret_ids);

/* rival.c: notices other plugins that announce our resources, and yields to them. */
void agent_rival_init(Agent *agent);
void agent_rival_deinit(Agent *agent);
void agent_rival_noticed(Agent *agent, const char *resource, const char *sign);
void agent_rival_on_allocate(Agent *agent, const char *id);       /* the kubelet asks us for it */
void agent_rival_on_use(Agent *agent, const KubeletHelds *helds); /* before agent->used is renewed */
void agent_rival_on_registered(Agent *agent);

/* takeover.c: NVIDIA's device plugin goes from the node while facet publishes, and may come back afterwards.
 */
void agent_takeover_init(Agent *agent, bool is_wanted);
void agent_takeover_step(Agent *agent, const Node *node);
void agent_takeover_give_back(Agent *agent, const Node *node);
/* The label was not given back yet, or nobody has seen it. */
bool agent_takeover_owes(const Agent *agent, const Node *node);
void agent_takeover_deinit(Agent *agent);

/* restarting.c: components that stumble over changed slices are restarted, where that is wanted. What goes
 * wrong becomes a trouble. */
void agent_restarting_init(Agent *agent, const AgentOptions *options);
void agent_restarting_note_change(Agent *agent); /* a slice came or went by our hand */
void agent_restarting_step(Agent *agent, const Node *node);
void agent_restarting_deinit(Agent *agent);

/* rereading.c: where NVIDIA's device plugin publishes, nothing is announced; it is made to read the GPUs
 * again. */
void agent_rereading_init(Agent *agent, AgentPluginProcess *process, const AgentOptions *options);
void agent_rereading_step(Agent *agent);
void agent_rereading_deinit(Agent *agent);
bool agent_rereading_is_on(const Agent *agent);
void agent_rereading_note_change(Agent *agent); /* slices came or went */
/* The kubelet said what it shows. */
void agent_rereading_note_answer(Agent *agent, const KubeletHelds *helds);
uint32_t agent_rereading_poll_ms(const Agent *agent);  /* between such questions, at most */
const char *agent_rereading_error(const Agent *agent); /* a sentence, or "" */
const char *agent_rereading_stage(const Agent *agent); /* what it waits for, or "" */
