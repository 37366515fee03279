// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	podsOfDeployment = 40
	namespaces       = 50
	seed             = 20261129
)

var serializer = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

// encode gives the bytes that the API server keeps in etcd: "k8s\0" and the protobuf envelope.
func encode(object runtime.Object, kind string) []byte {
	object.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	var buffer bytes.Buffer
	if err := serializer.Encode(object, &buffer); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}

func hex(rng *rand.Rand, digits int) string {
	return fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())[:digits]
}

func uid(rng *rand.Rand) types.UID {
	h := hex(rng, 32)
	return types.UID(h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-" + "89ab"[h[16]%4:h[16]%4+1] + h[17:20] + "-" + h[20:])
}

// managed looks like what kubelets and controllers leave behind: a third of a real pod's bytes.
func managed(rng *rand.Rand, managers ...string) []metav1.ManagedFieldsEntry {
	var entries []metav1.ManagedFieldsEntry
	for _, manager := range managers {
		fields := map[string]any{}
		for range 12 {
			fields["f:"+hex(rng, 12)] = map[string]any{"f:name": map[string]any{}, "f:value": map[string]any{}}
		}
		raw, _ := json.Marshal(map[string]any{"f:spec": fields})
		entries = append(entries, metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate,
			APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: raw}})
	}
	return entries
}

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

func quantities(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
}

// makeNode makes a node with one empty H100 whose agent has reported where isGPU says so.
func makeNode(i int, isGPU bool, rng *rand.Rand) *corev1.Node {
	name := nodeName(i)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid(rng), CreationTimestamp: metav1.Now(),
		Labels: map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			"topology.kubernetes.io/zone":      fmt.Sprintf("zone-%d", i%3),
			"node.kubernetes.io/instance-type": fmt.Sprintf("type-%d", i%7)},
		Annotations:   map[string]string{"node.alpha.kubernetes.io/ttl": "0", "example.com/machine": hex(rng, 32)},
		ManagedFields: managed(rng, "kubelet", "kube-controller-manager")}}
	amounts := quantities("128", "1Ti")
	amounts["pods"] = resource.MustParse("110")
	amounts["ephemeral-storage"] = resource.MustParse("800Gi")
	node.Status.Capacity, node.Status.Allocatable = amounts, amounts
	for _, kind := range []corev1.NodeConditionType{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		status := corev1.ConditionFalse
		if kind == "Ready" {
			status = corev1.ConditionTrue
		}
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{Type: kind, Status: status,
			LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(), Reason: "Kubelet" + string(kind),
			Message: "kubelet says so about " + string(kind)})
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("10.%d.%d.1", i>>8, i&255)}}
	for range 30 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{SizeBytes: rng.Int63n(1 << 30),
			Names: []string{"registry.example.com/team/" + hex(rng, 8) + "@sha256:" + hex(rng, 32) + hex(rng, 32)}})
	}
	if isGPU {
		node.Labels["nos.nebuly.com/gpu-partitioning"] = "mig"
		node.Annotations["facet.gpu/gpu-0"] = "GPU-" + string(uid(rng)) + " NVIDIA-H100-80GB-HBM3 mig=on"
		node.Annotations["facet.gpu/status-gpu-0"] = ""
	}
	return node
}

// makeNamespace makes one of those of the pods; behind them comes that of the burst.
func makeNamespace(i int, rng *rand.Rand) *corev1.Namespace {
	name := fmt.Sprintf("team-%d", i)
	if i == namespaces {
		name = "burst"
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid(rng), CreationTimestamp: metav1.Now()},
		Spec: corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"kubernetes"}}, Status: corev1.NamespaceStatus{Phase: "Active"}}
}

func container(name string, deployment int, rng *rand.Rand) corev1.Container {
	one := corev1.Container{Name: name, Image: "registry.example.com/team/app:" + hex(rng, 12), ImagePullPolicy: "IfNotPresent",
		TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: "File",
		Resources: corev1.ResourceRequirements{Requests: quantities(fmt.Sprintf("%dm", 100+deployment%9*50), "256Mi"),
			Limits: quantities("2", "1Gi")},
		Ports: []corev1.ContainerPort{{ContainerPort: 8080, Protocol: "TCP"}}}
	for k := range 12 {
		one.Env = append(one.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", k), Value: hex(rng, 32)})
	}
	one.VolumeMounts = []corev1.VolumeMount{{Name: "kube-api-access", ReadOnly: true,
		MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}}
	return one
}

func tolerations() []corev1.Toleration {
	seconds := int64(300)
	return []corev1.Toleration{
		{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &seconds},
		{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &seconds}}
}

// makePod makes pod i of a cluster of so many nodes, running; Deployments of 40 pods share what such pods share.
func makePod(i, nodes int, rng *rand.Rand) *corev1.Pod {
	deployment := i / podsOfDeployment
	same := rand.New(rand.NewSource(int64(deployment)))
	hash := hex(same, 10)
	isController, priority := true, int32(0)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:      fmt.Sprintf("web-%d-%s-%s", deployment, hash, hex(rng, 8)),
		Namespace: fmt.Sprintf("team-%d", deployment%namespaces), UID: uid(rng), CreationTimestamp: metav1.Now(),
		Labels:      map[string]string{"app": fmt.Sprintf("web-%d", deployment), "pod-template-hash": hash, "tier": "backend"},
		Annotations: map[string]string{"example.com/checksum": hex(same, 32), "prometheus.io/scrape": "true"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", UID: uid(same),
			Name: fmt.Sprintf("web-%d-%s", deployment, hash), Controller: &isController}},
		ManagedFields: managed(rng, "kube-controller-manager", "kubelet")}}
	pod.Spec = corev1.PodSpec{NodeName: nodeName(rng.Intn(nodes)), SchedulerName: "default-scheduler", RestartPolicy: "Always",
		DNSPolicy: "ClusterFirst", ServiceAccountName: "default", Priority: &priority, Tolerations: tolerations(),
		SecurityContext: &corev1.PodSecurityContext{},
		Containers:      []corev1.Container{container("main", deployment, same), container("sidecar", deployment, same)},
		Volumes: []corev1.Volume{{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{}}}}}
	pod.Status = corev1.PodStatus{Phase: "Running", QOSClass: "Burstable", HostIP: "10.0.0.1",
		PodIP: fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)}
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
		"PodScheduled"} {
		pod.Status.Conditions = append(pod.Status.Conditions,
			corev1.PodCondition{Type: kind, Status: "True", LastTransitionTime: metav1.Now()})
	}
	for _, one := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: one.Name, Ready: true,
			Image: one.Image, ImageID: one.Image + "@sha256:" + hex(same, 32) + hex(same, 32),
			ContainerID: "containerd://" + hex(rng, 32) + hex(rng, 32),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}})
	}
	return pod
}

// makePending makes a pod that the scheduler found no node for, because its slice does not exist. Four of five ask for
// the smallest slice, the fifth for one of three parts: together they fill an H100.
func makePending(i int, rng *rand.Rand) *corev1.Pod {
	slice := corev1.ResourceName("nvidia.com/mig-1g.10gb")
	if i%5 == 4 {
		slice = "nvidia.com/mig-3g.40gb"
	}
	amounts := corev1.ResourceList{slice: resource.MustParse("1"), "cpu": resource.MustParse("1")}
	priority := int32(0)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("burst-%04d-%s", i, hex(rng, 6)), Namespace: "burst",
		UID: uid(rng), CreationTimestamp: metav1.Now(), Labels: map[string]string{"app": "burst"},
		ManagedFields: managed(rng, "kube-controller-manager")}}
	pod.Spec = corev1.PodSpec{SchedulerName: "default-scheduler", RestartPolicy: "Never", DNSPolicy: "ClusterFirst",
		Priority: &priority, Tolerations: tolerations(), SecurityContext: &corev1.PodSecurityContext{},
		Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/team/train:1",
			Resources: corev1.ResourceRequirements{Limits: amounts, Requests: amounts}}}}
	pod.Status = corev1.PodStatus{Phase: "Pending", Conditions: []corev1.PodCondition{{Type: "PodScheduled", Status: "False",
		Reason: "Unschedulable", LastTransitionTime: metav1.NewTime(time.Now()),
		Message: "0/200 nodes are available: 200 Insufficient " + string(slice)}}}
	return pod
}
