/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "agent/health.h"
#include "agent/restart.h"
#include "cli/cdi_source.h"
#include "cli/config_file.h"
#include "cli/connect.h"
#include "cli/folder_claim.h"
#include "cli/release_guard.h"
#include "cli/reload.h"
#include "cli/service.h"
#include "cli/worker_path.h"
#include "gpu/worker.h"
#include "kubelet/uv_port.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { CLAIM_RETRY_MS = 1000 };

typedef struct Options {
  CliConnectOptions connect;
  const char *node_name;
  const char *nvml_library;
  const char *device_plugin_folder;
  const char *pod_resources_socket;
  bool take_over;
  const char *container_access;
  const char *cdi_folder;
  const char *cdi_edits;
  const char *nvidia_ctk;
  const char *proc_folder;
  const char *reservation_namespace;
  const char *scheduler_name;
  const char *publish;
  const char *plugin_selector;
  const char *restart_after_change;
  CliServiceOptions service;
  const char *config;
  bool config_printed;
  const char *disabled_healthchecks;
  const char *mig_mode;
} Options;

static const CliOption options_table[] = {
    CLI_CONNECT_OPTIONS(Options, connect),
    {"--node-name", CLI_STRING, offsetof(Options, node_name), "NAME",
     "Name of this node in Kubernetes (default: $NODE_NAME, else the host name)."},
    {"--nvml-library", CLI_STRING, offsetof(Options, nvml_library), "FILE",
     "NVIDIA's libnvidia-ml.so.1 (default: looked for in the usual places)."},
    {"--device-plugin-path", CLI_STRING, offsetof(Options, device_plugin_folder), "FOLDER",
     "The kubelet's device plugin folder (default: /var/lib/kubelet/device-plugins)."},
    {"--pod-resources-socket", CLI_STRING, offsetof(Options, pod_resources_socket), "FILE",
     "The kubelet's pod-resources socket (default: /var/lib/kubelet/pod-resources/kubelet.sock)."},
    {"--container-access", CLI_STRING, offsetof(Options, container_access), "envvar|cdi",
     "How a container gets its slice: NVIDIA_VISIBLE_DEVICES, which NVIDIA's container runtime reads, or CDI "
     "(containerd 1.7 and newer, CRI-O) (default: envvar)."},
    {"--cdi-path", CLI_STRING, offsetof(Options, cdi_folder), "FOLDER",
     "With cdi: where the specifications go (default: /var/run/cdi)."},
    {"--cdi-edits", CLI_STRING, offsetof(Options, cdi_edits), "FILE",
     "With cdi: the output of `nvidia-ctk cdi generate --format=json` (default: the program is run)."},
    {"--nvidia-ctk", CLI_STRING, offsetof(Options, nvidia_ctk), "FILE",
     "With cdi: the program (default: nvidia-ctk)."},
    {"--proc-path", CLI_STRING, offsetof(Options, proc_folder), "FOLDER",
     "With cdi: where the kernel tells the numbers of NVIDIA's nodes (default: /proc)."},
    {"--take-over", CLI_FLAG, offsetof(Options, take_over), NULL,
     "Keep NVIDIA's device plugin away from this node (the GPU Operator's label "
     "nvidia.com/gpu.deploy.device-plugin=false) while the node is handed to facet."},
    {"--reservation-namespace", CLI_STRING, offsetof(Options, reservation_namespace), "NAME",
     "Namespace of the pods that reserve slices to be re-cut (default: $POD_NAMESPACE, else facet-system)."},
    {"--scheduler-name", CLI_STRING, offsetof(Options, scheduler_name), "NAME",
     "The scheduler that serves this node's pods (default: the default scheduler)."},
    {"--mig-mode", CLI_STRING, offsetof(Options, mig_mode), "off|auto",
     "auto: switch MIG mode on for idle GPUs where that needs no reset (default: off; the node's annotation "
     "facet.gpu/mig-mode says otherwise)."},
    {"--disable-healthchecks", CLI_STRING, offsetof(Options, disabled_healthchecks), "all|xids|NUMBERS",
     "Errors of GPUs (Xid) that take no slice out of service, e.g. 48,63 (default: "
     "$DP_DISABLE_HEALTHCHECKS, as NVIDIA's device plugin; those of faulty programs never do)."},
    {"--publish", CLI_STRING, offsetof(Options, publish), "builtin|nvidia",
     "Who tells the kubelet of slices: this agent, or NVIDIA's device plugin, which is made to read the GPUs "
     "again after each change (default: builtin)."},
    {"--nvidia-plugin-selector", CLI_STRING, offsetof(Options, plugin_selector), "LABEL=VALUE",
     "With --publish nvidia: which pod is NVIDIA's device plugin (default: by the labels of the GPU "
     "Operator, of its own chart and manifest, and of GKE)."},
    {"--restart-after-change", CLI_STRING, offsetof(Options, restart_after_change),
     "NAMESPACE/LABEL=VALUE,...",
     "Components whose pods on this node are deleted after slices changed, so that their DaemonSet starts "
     "them again: gpu-operator/app=nvidia-dcgm, for one. At most once a minute, up to 16 of them (default: "
     "none)."},
    CLI_SERVICE_OPTIONS(Options, service),
    CLI_CONFIG_ROWS(Options, config),
};

/* What SIGHUP changes without a restart. */
static const char *const live_options[] = {"--log-level", NULL};

/* The agent begins when the device plugin folder is there and nobody else serves it: before a kubelet's first
 * start, or while an older agent is still ending, it waits. */
typedef struct Beginning {
  CliShell *shell;
  Host *host;
  Agent *agent;
  const char *folder;
  int claim;                  /* descriptor; -1: not ours yet */
  HostTimer timer;            /* tries again */
  char said[ERROR_TEXT_SIZE]; /* why it waits, as logged */
} Beginning;

static void begin(void *userdata) {
  Beginning *beginning = userdata;
  Error err;
  if (cli_folder_claim(beginning->folder, &beginning->claim, &err) == 0) {
    agent_start(beginning->agent);
    return;
  }
  if (strcmp(beginning->said, err.text) != 0)
    log_warn("agent", "waiting to begin", "err=" LOG_QUOTED, err.text);
  snprintf(beginning->said, sizeof beginning->said, "%s", err.text);
  timer_set(beginning->host, &beginning->timer, CLAIM_RETRY_MS);
}

static void on_stop(void *userdata) {
  Beginning *beginning = userdata;
  if (beginning->claim >= 0)
    agent_leave(beginning->agent, cli_shell_stop, beginning->shell);
  else
    beginning->shell->stop = true;
}

static void beginning_deinit(Beginning *beginning) {
  timer_cancel(beginning->host, &beginning->timer);
  cleanup_close(&beginning->claim);
}

static bool is_ready(const void *program, const char **ret_why) {
  return agent_is_ready(program, ret_why);
}

static void fill_metrics(const void *program) {
  agent_fill_metrics(program);
}

static void format_debug(const void *program, Text *ret_text) {
  agent_debug_format(program, ret_text);
}

static void apply(void *userdata, const void *values) {
  cli_connect_apply_log_level(((const Options *)values)->connect.log_level);
}

static void on_reload(void *userdata) {
  cli_reload_run(userdata);
}

static AgentOptions describe_agent(const Options *options, Metrics *metrics, CliCdiSource *cdi) {
  return (AgentOptions){.node_name = options->node_name,
                        .device_plugin_folder = options->device_plugin_folder,
                        .pod_resources_socket = options->pod_resources_socket,
                        .take_over = options->take_over,
                        .cdi = {.source = cdi ? cli_cdi_source_seam(cdi) : NULL,
                                .folder = options->cdi_folder,
                                .proc = options->proc_folder},
                        .reservation_namespace = options->reservation_namespace,
                        .scheduler_name = options->scheduler_name,
                        .nvidia_publishes = strcmp(options->publish, "nvidia") == 0,
                        .plugin_selector = options->plugin_selector,
                        .restart_after_change = options->restart_after_change,
                        .disabled_healthchecks = options->disabled_healthchecks,
                        .mig_mode_auto = strcmp(options->mig_mode, "auto") == 0,
                        .metrics = metrics,
                        .naive_withdrawal = getenv("FACET_TEST_NAIVE_WITHDRAWAL") != NULL};
}

static void halt(void *agent) {
  agent_halt(agent);
}

static int serve(const Options *options, CliReload *reload, Error *err) {
  mem_stay_small();
  CLEANUP(cli_shell_deinit) CliShell shell;
  int r = cli_shell_init(&shell, err);
  if (r < 0)
    return r;
  CLEANUP(kube_curl_freep) KubeCurl *transport = NULL;
  r = cli_connect(&shell, &options->connect, &transport, err);
  if (r < 0)
    return r;
  CLEANUP(gpu_worker_freep) GpuWorker *worker = NULL;
  char worker_path[PATH_MAX];
  GpuWorkerOptions worker_options = {.executable = cli_worker_path(worker_path, sizeof worker_path),
                                     .nvml_library = options->nvml_library};
  r = gpu_worker_new(&shell.loop, &shell.host, &worker_options, &worker, err);
  if (r < 0)
    return r;
  CLEANUP(kubelet_uv_port_freep) KubeletUvPort *port = kubelet_uv_port_new(&shell.loop);
  AgentProcPlugin plugin;
  agent_proc_plugin_init(&plugin, options->device_plugin_folder);
  bool by_cdi = strcmp(options->container_access, "cdi") == 0;
  CLEANUP(cli_cdi_source_freep)
  CliCdiSource *cdi =
      by_cdi ? cli_cdi_source_new(&shell.loop, options->cdi_edits, options->nvidia_ctk) : NULL;
  CLEANUP(cli_service_deinit) CliService service;
  cli_service_init(&service, &shell);
  AgentSeams seams = {.host = &shell.host,
                      .transport = cli_service_count(&service, kube_curl_seam(transport)),
                      .port = kubelet_uv_port_seam(port),
                      .driver = gpu_worker_seam(worker),
                      .driver_watches = true,
                      .plugin_process = &plugin.seam};
  AgentOptions agent_options = describe_agent(options, service.metrics, cdi);
  /* Its claim is given up last, after the agent's sockets are gone. */
  CLEANUP(beginning_deinit)
  Beginning beginning = {
      .shell = &shell, .host = &shell.host, .folder = options->device_plugin_folder, .claim = -1};
  CLEANUP(agent_freep) Agent *agent = agent_new(&agent_options, &seams);
  beginning.agent = agent;
  r = cli_service_start(
      &service, &options->service,
      &(CliServed){
          .program = agent, .is_ready = is_ready, .fill_metrics = fill_metrics, .format_debug = format_debug},
      err);
  if (r < 0)
    return r;
  beginning.timer = (HostTimer){.fire = begin, .userdata = &beginning};
  begin(&beginning);
  reload->apply = apply;
  shell.on_reload = on_reload;
  shell.reload_userdata = reload;
  shell.on_stop = on_stop;
  shell.stop_userdata = &beginning;
  CLEANUP(cli_release_guard_deinit) CliReleaseGuard guard;
  cli_release_guard_init(&guard, &shell.host, kube_curl_seam(transport), "agent", options->node_name,
                         cli_shell_stop, &shell);
  guard.on_refusing = halt; /* else its next report would say that all is well */
  guard.refusing_userdata = agent;
  cli_shell_run(&shell);
  return cli_release_guard_result(&guard, err);
}

static const char *get_setting(const char *variable, const char *otherwise) {
  const char *value = getenv(variable);
  return value && *value ? value : otherwise;
}

static int check(const void *values, Error *err) {
  const Options *options = values;
  AgentHealth health = {0};
  if (agent_health_parse(&health, options->disabled_healthchecks, err) < 0)
    return error_prefix(err, "--disable-healthchecks");
  AgentRestart restart;
  if (agent_restart_parse(&restart, options->restart_after_change, err) < 0)
    return error_prefix(err, "--restart-after-change");
  if (strcmp(options->publish, "builtin") != 0 && strcmp(options->publish, "nvidia") != 0)
    return error_set(err, ERROR_INVALID, "--publish is builtin or nvidia, not \"%s\"", options->publish);
  if (strcmp(options->mig_mode, "off") != 0 && strcmp(options->mig_mode, "auto") != 0)
    return error_set(err, ERROR_INVALID, "--mig-mode is off or auto, not \"%s\"", options->mig_mode);
  if (options->take_over && strcmp(options->publish, "nvidia") == 0)
    return error_set(
        err, ERROR_INVALID,
        "--take-over keeps NVIDIA's device plugin away, and --publish nvidia needs it: take one");
  if (strcmp(options->container_access, "envvar") != 0 && strcmp(options->container_access, "cdi") != 0)
    return error_set(err, ERROR_INVALID, "--container-access is envvar or cdi, not \"%s\"",
                     options->container_access);
  if (strcmp(options->container_access, "cdi") == 0 && strcmp(options->publish, "nvidia") == 0)
    return error_set(
        err, ERROR_INVALID,
        "--container-access means nothing with --publish nvidia: NVIDIA's device plugin decides");
  if (options->plugin_selector && strcmp(options->publish, "nvidia") != 0)
    return error_set(err, ERROR_INVALID, "--nvidia-plugin-selector means nothing without --publish nvidia");
  return cli_connect_check_log_level(options->connect.log_level, err);
}

static void set_defaults(void *values) {
  static char host_name[256];
  gethostname(host_name, sizeof host_name - 1);
  *(Options *)values = (Options){.node_name = get_setting("NODE_NAME", host_name),
                                 .container_access = "envvar",
                                 .cdi_folder = "/var/run/cdi",
                                 .nvidia_ctk = "nvidia-ctk",
                                 .proc_folder = "/proc",
                                 .reservation_namespace = get_setting("POD_NAMESPACE", "facet-system"),
                                 .publish = "builtin",
                                 .mig_mode = "off",
                                 .disabled_healthchecks = get_setting("DP_DISABLE_HEALTHCHECKS", NULL),
                                 .device_plugin_folder = "/var/lib/kubelet/device-plugins",
                                 .pod_resources_socket = "/var/lib/kubelet/pod-resources/kubelet.sock"};
}

static int run(const CliVerb *verb, int argc, char **argv) {
  CLEANUP(arena_deinit) Arena texts = {0};
  Options options;
  int exit_code;
  set_defaults(&options);
  if (!cli_config_begin(verb, argc, argv, &options, &texts, &exit_code))
    return exit_code;
  Error err;
  if (check(&options, &err) < 0) {
    fprintf(stderr, "facet agent: %s\n", err.text);
    return CLI_EXIT_USAGE;
  }
  CLEANUP(cli_reload_deinit)
  CliReload reload = {.verb = verb, .argc = argc, .argv = argv, .values = &options, .check = check};
  if (serve(&options, &reload, &err) < 0) {
    log_error("agent", "cannot start", "err=" LOG_QUOTED, err.text);
    return CLI_EXIT_FAILED;
  }
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_agent = {
    .name = "agent",
    .help = "own the GPUs of this node: create slices, give them to the kubelet, report",
    .more = "Runs on every GPU node, as root (NVML's MIG calls need it).",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .live = live_options,
    .set_defaults = set_defaults,
    .values_size = sizeof(Options),
    .run = run,
};
