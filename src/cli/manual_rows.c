/* SPDX-License-Identifier: Apache-2.0 */
/* What no table of options says. Beside each row stands for which pages it is, so that a fact is told once.
 */
#include "cli/manual.h"

const CliManualPage cli_manual_pages[] = {
    {"controller", 8, "facet-agent(8), facet-debug(8), facet-plan(1)"},
    {"agent", 8, "facet-controller(8), facet-debug(8), facet-mig(8), nvidia-smi(1)"},
    {"plan", 1, "facet-explain(1), facet-view(1), facet-controller(8)"},
    {"explain", 1, "facet-plan(1), facet-view(1)"},
    {"view", 1, "facet-plan(1), facet-explain(1)"},
    {"simulate", 1, "facet-plan(1)"},
    {"check", 1, "facet-plan(1), facet-view(1)"},
    {"mig", 8, "facet-agent(8), nvidia-smi(1)"},
    {"debug", 8, "facet-controller(8), facet-agent(8)"},
    {"demo", 1, "facet-simulate(1)"},
    {"version", 1, NULL},
    {0},
};

static const CliManualRow description[] = {
    {"facet", NULL,
     "Pods that ask for slices of NVIDIA GPUs (MIG) which do not exist stay Pending until somebody edits a "
     "partition table. With facet nobody does: the controller sees the pods that wait, works out how to cut "
     "the GPUs so that as many of them as possible can run, and an agent on each node cuts them. What is in "
     "use is never touched."},
    {"facet", NULL,
     "The first word is a verb. Two of them are programs that run on (`controller`, `agent`), the others "
     "answer a question and end. Under the name `kubectl-facet`, which kubectl finds as `kubectl facet`, it "
     "is the same program."},
    {"controller agent", NULL,
     "All options may stand in a file of YAML as well (`--config`), by their names without dashes; "
     "`--print-config` prints one with all of them. The command line wins."},
    {"controller", NULL,
     "The way to the cluster needs the rights that rbac.yaml names (in the Debian package below "
     "/usr/share/doc/facet/examples, in the sources below deploy): to list and watch nodes and pods, to "
     "patch nodes "
     "and to create Events."},
    {"agent", NULL,
     "It is the kubelet's device plugin for the node's slices and for its whole GPUs. NVIDIA's own must not "
     "run beside it, unless `--publish nvidia` is given; `--take-over` keeps it away."},
    {"agent", NULL,
     "Killing it at any instant is safe: it reads the GPUs and the kubelet when it starts, and wipes "
     "nothing. Running pods notice nothing."},
    {"plan explain view", NULL,
     "Without `--file` the live cluster is asked, with the rights to list nodes and pods. What stands in a "
     "file and cannot be read is named with its line and left out; the rest counts."},
    {"mig", NULL,
     "Changing slices needs root. It is refused where an agent of facet, or a kubelet, is at work, because "
     "pods count on what is there."},
    {0},
};

static const CliManualRow exit_status[] = {
    {"facet", "0", "What was asked for is done."},
    {"facet", "1", "It could not be done. A sentence on standard error says what and why."},
    {"facet", "2", "The command line makes no sense; or, with `facet plan --check`, pods stay blocked."},
    {"controller agent", "0", "It was told to end, and has."},
    {"controller agent", "1", "It could not start: no way to the cluster, an address in use."},
    {"controller agent", "2", "An option, or the configuration file, makes no sense."},
    {"plan view", "0", "The answer is printed."},
    {"plan view", "1", "The input could not be read, or not as a whole."},
    {"plan", "2", "An option makes no sense; or, with `--check`, pods stay blocked."},
    {"explain", "0", "The answer is printed."},
    {"explain", "1", "There is no such pod, or the input could not be read as a whole."},
    {"simulate", "0", "The result is printed."},
    {"simulate", "1", "A file could not be read."},
    {"demo", "0", "All pods run in the end."},
    {"demo", "1", "The demand cannot be met on these GPUs; it says what is missing."},
    {"demo", "128+N", "Ended by signal N."},
    {"check", "0", "Nothing stands in the way; there may be warnings."},
    {"check", "1", "It could not look: no input, or an API server that does not answer."},
    {"check", "2", "An error stands in the way; or the command line makes no sense."},
    {"mig", "0", "The GPUs look as wished, or the answer is printed."},
    {"mig", "1",
     "The wish was refused as a whole, or a change failed; a GPU whose change fails gets its layout back."},
    {"debug", "0", "The answer is printed."},
    {"debug", "1", "Nobody listens there, or the program is not ready."},
    {"view explain simulate demo mig debug", "2", "The command line makes no sense."},
    {"version", "0", "Always."},
    {0},
};

#define CLUSTER_VERBS "controller agent plan explain view check"

static const CliManualRow environment[] = {
    {CLUSTER_VERBS " facet", "KUBECONFIG",
     "Files that say where the API server is, separated by colons, where `--kubeconfig` is not given. Of "
     "several that know a name the first counts."},
    {CLUSTER_VERBS, "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT",
     "Kubernetes sets them in a pod. Without `--kubeconfig` and KUBECONFIG the pod's service account is "
     "used."},
    {CLUSTER_VERBS, "HOME", "Where ~/.kube/config is."},
    {"agent", "NODE_NAME", "The node's name in Kubernetes where `--node-name` is not given."},
    {"controller agent", "POD_NAMESPACE",
     "The namespace of the Lease and of reservation pods where `--leader-elect-namespace` and "
     "`--reservation-namespace` are not given; facet-system where it is not set either."},
    {"agent", "DP_DISABLE_HEALTHCHECKS",
     "What NVIDIA's device plugin understands by it, where `--disable-healthchecks` is not given."},
    {"plan view mig demo facet", "NO_COLOR", "If not empty: no colours."},
    {"plan view mig", "TERM", "If `dumb`: no colours."},
    {"demo", "TERM", "If `dumb`: nothing is redrawn."},
    {"plan explain", "COLUMNS", "Where lines are broken, in place of the terminal's own width."},
    {"view", "LC_ALL, LC_CTYPE, LANG",
     "The first that is set decides: box-drawing characters if it says UTF-8."},
    {0},
};

static const CliManualRow files[] = {
    {CLUSTER_VERBS " facet", "~/.kube/config",
     "Where the API server is, unless an option, KUBECONFIG or a service account says so."},
    {CLUSTER_VERBS, "/var/run/secrets/kubernetes.io/serviceaccount/",
     "In a pod: its token, which is read again when it changes, and the API server's authority."},
    {"agent mig", "/var/lib/kubelet/device-plugins/",
     "The kubelet's folder for device plugins (`--device-plugin-path`). The agent serves its sockets there "
     "and locks the folder: a second agent waits, and `facet mig` changes nothing."},
    {"agent mig", "/var/lib/kubelet/pod-resources/kubelet.sock",
     "The kubelet's word on who holds which slice (`--pod-resources-socket`)."},
    {"agent", "/var/run/cdi/facet-UUID.json",
     "With `--container-access cdi`: one specification per slice (`--cdi-path`). Those of slices that are "
     "gone are removed."},
    {"agent mig", "libnvidia-ml.so.1",
     "NVIDIA's library, looked for by the loader's rules, then where the GPU Operator puts its driver "
     "(/run/nvidia/driver, /driver-root) and in /usr/local/nvidia/lib64 (`--nvml-library`)."},
    {"agent mig", "../libexec/facet/facet-nvml-worker",
     "Seen from facet itself: the process that calls NVIDIA's library for it. Where it is missing, facet is "
     "its own."},
    {0},
};

static const CliManualRow signals[] = {
    {"controller agent", "SIGHUP",
     "Reads the configuration again. What can change in a running program does; of the rest the log says "
     "that it needs a restart."},
    {"controller", "SIGTERM, SIGINT", "Hands the Lease on and ends."},
    {"agent", "SIGTERM, SIGINT",
     "Takes the node's slices off the scheduler's list, waits until it has seen that, serves for 5 s those "
     "who were promised one, waits until the kubelet has no write of the amounts under way (5 to 16 s in "
     "all), and ends: give it 75 s. A second one ends it at once."},
    {0},
};

static const CliManualRow examples[] = {
    {"facet", "facet demo", "See it work, without a GPU and without a cluster."},
    {"facet", "kubectl get nodes,pods -A -o json | facet plan -f -",
     "What would it do for the pods that wait in this cluster?"},
    {"facet", "kubectl facet explain ml/train", "Why does this pod wait?"},
    {"controller", "facet controller --kubeconfig controller.kubeconfig --observe",
     "See first what it would do: it plans and explains, and writes nothing to nodes."},
    {"controller", "facet controller --config /etc/facet/controller.yaml --metrics-address :9402",
     "Run it, with metrics for Prometheus, /healthz and /readyz."},
    {"controller", "facet controller --print-config > controller.yaml",
     "A file with all options to begin with."},
    {"agent", "facet agent --kubeconfig agent.kubeconfig --node-name gpu-1",
     "Serve this node, whose name in Kubernetes is gpu-1."},
    {"agent", "facet agent --take-over --container-access cdi",
     "In a pod, on a node whose container runtime knows CDI; NVIDIA's device plugin is kept away."},
    {"agent", "facet agent --publish nvidia", "Cut only, and let NVIDIA's device plugin serve the kubelet."},
    {"plan", "facet plan --context production", "What would the controller do in that cluster now?"},
    {"plan", "facet plan -f nodes.yaml -f pods.json.gz -o json | jq .summary",
     "The same on files, for a program."},
    {"plan", "facet plan --check -f dump.json || echo \"pods stay blocked\"", "In a script."},
    {"explain", "facet explain ml/train", "Why does it wait, and what would let it in?"},
    {"explain", "facet explain train -n ml -f dump.json -o yaml", "The same on a file, for a program."},
    {"view", "facet view --node gpu-1", "Who holds what on this node?"},
    {"view", "facet view -f dump.json -o svg > gpus.svg", "A picture for a report."},
    {"check", "facet check --context production",
     "What stands in facet's way in that cluster, and what mends it?"},
    {"check", "kubectl get nodes,pods,namespaces -A -o json | facet check -f -",
     "The same on what kubectl prints, without the API server's version, rights, PriorityClass and Lease."},
    {"simulate", "facet simulate --gpus 2x4xH100-80GB --mix 1g.10gb=35,3g.40gb=15 --seeds 10",
     "Two nodes with four GPUs each under a load, by all policies."},
    {"simulate", "facet simulate --size --gpus A100-80GB --mix 1g.10gb=40,3g.40gb=7",
     "How many GPUs does this mix need?"},
    {"check", "facet check", "What stands in facet's way on this cluster, and which command mends it?"},
    {"check", "kubectl get nodes,pods,namespaces -A -o json | facet check -f -", "The same for a dump."},
    {"mig", "facet mig list", "Every GPU drawn by its slots, and who uses its slices."},
    {"mig", "facet mig apply '0: 3g.40gb@4,2g.20gb@0; 1-3: 7x1g.10gb' --dry-run",
     "Which changes would make GPUs 0 to 3 look like this?"},
    {"mig", "facet mig save > layouts; facet mig restore layouts",
     "Keep the layout of all GPUs, and bring it back."},
    {"debug", "facet debug /run/facet/agent.sock",
     "What does the agent that was started with `--debug-socket /run/facet/agent.sock` wait for?"},
    {"debug", "facet debug /run/facet/agent.sock --page metrics", "Its metrics, without a port."},
    {"demo", "facet demo --gpus 2xH100-80GB --pods '3x2g.20gb,1x7g.80gb'", "Any GPUs, any pods."},
    {"demo", "facet demo --speed 0.2", "Five times slower, for watching."},
    {"version", "facet version", "Prints `facet` and the version."},
    {0},
};

const CliManualRow *const cli_manual_rows[CLI_MANUAL_SECTION_COUNT] = {
    [CLI_MANUAL_DESCRIPTION] = description, [CLI_MANUAL_EXIT_STATUS] = exit_status,
    [CLI_MANUAL_ENVIRONMENT] = environment, [CLI_MANUAL_FILES] = files,
    [CLI_MANUAL_SIGNALS] = signals,         [CLI_MANUAL_EXAMPLES] = examples,
};
