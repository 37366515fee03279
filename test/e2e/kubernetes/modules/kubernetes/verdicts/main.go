// SPDX-License-Identifier: Apache-2.0

// Records verdicts of kube-scheduler: random nodes, pods on them and one more pod, what its own plugins say of each
// node. One seed decides all. The output is what test/verdicts/replay.h describes; an excerpt of it is
// test/verdicts/testdata/random.jsonl.gz.
//
//	cd test/e2e/kubernetes/modules/kubernetes && go run ./verdicts SEED COUNT [MODE] > random.jsonl
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/testing/defaults"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	fwruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

type Verdict struct {
	Node, Code  string
	Plugin, Why string `json:",omitempty"`
}
type Case struct {
	Nodes                  []*v1.Node                  `json:"nodes"`
	Pod                    *v1.Pod                     `json:"pod"`
	Pods                   []*v1.Pod                   `json:"pods"`
	Namespaces             []*v1.Namespace             `json:"namespaces,omitempty"`
	PersistentVolumes      []*v1.PersistentVolume      `json:"persistentVolumes,omitempty"`
	PersistentVolumeClaims []*v1.PersistentVolumeClaim `json:"persistentVolumeClaims,omitempty"`
	StorageClasses         []*storagev1.StorageClass   `json:"storageClasses,omitempty"`
	Verdicts               []Verdict                   `json:"verdicts"`
}

// Which pods are nominated for a node.
type nominator map[string][]fwk.PodInfo

func (n nominator) AddNominatedPod(klog.Logger, fwk.PodInfo, *fwk.NominatingInfo) {}
func (n nominator) DeleteNominatedPodIfExists(*v1.Pod)                            {}
func (n nominator) UpdateNominatedPod(klog.Logger, *v1.Pod, fwk.PodInfo)          {}
func (n nominator) NominatedPodsForNode(name string) []fwk.PodInfo                { return n[name] }

var wanted = map[string]bool{"NodeUnschedulable": true, "NodeName": true, "TaintToleration": true, "NodeAffinity": true, "NodePorts": true, "NodeResourcesFit": true,
	"VolumeRestrictions": true, "VolumeBinding": true, "VolumeZone": true, "PodTopologySpread": true, "InterPodAffinity": true, "PrioritySort": true, "DefaultBinder": true}

// Fills in the verdicts; false where a plugin failed instead of answering.
func run(c *Case) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var objects []runtime.Object
	for _, x := range c.Namespaces {
		objects = append(objects, x)
	}
	for _, x := range c.PersistentVolumes {
		objects = append(objects, x)
	}
	for _, x := range c.PersistentVolumeClaims {
		objects = append(objects, x)
	}
	for _, x := range c.StorageClasses {
		objects = append(objects, x)
	}
	client := fake.NewSimpleClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	placed := []*v1.Pod{}
	nominated := nominator{}
	for _, x := range c.Pods {
		if x.Spec.NodeName != "" {
			placed = append(placed, x)
		} else {
			pi, err := framework.NewPodInfo(x)
			if err != nil {
				panic(err)
			}
			nominated[x.Status.NominatedNodeName] = append(nominated[x.Status.NominatedNodeName], pi)
		}
	}
	snapshot := cache.NewSnapshot(placed, c.Nodes)
	profile := &config.KubeSchedulerProfile{SchedulerName: "default-scheduler", Plugins: &config.Plugins{}, PluginConfig: defaults.PluginConfigsV1}
	for _, x := range defaults.PluginsV1.MultiPoint.Enabled {
		if wanted[x.Name] {
			profile.Plugins.MultiPoint.Enabled = append(profile.Plugins.MultiPoint.Enabled, x)
		}
	}
	fw, err := fwruntime.NewFramework(ctx, plugins.NewInTreeRegistry(), profile, fwruntime.WithClientSet(client), fwruntime.WithInformerFactory(factory),
		fwruntime.WithSnapshotSharedLister(snapshot), fwruntime.WithPodNominator(nominated), fwruntime.WithParallelism(1))
	if err != nil {
		panic(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	state := framework.NewCycleState()
	_, status, _ := fw.RunPreFilterPlugins(ctx, state, c.Pod)
	for _, n := range c.Nodes {
		st := status
		if st.IsSuccess() || st.IsSkip() {
			info, err := snapshot.Get(n.Name)
			if err != nil {
				panic(err)
			}
			st = fw.RunFilterPluginsWithNominatedPods(ctx, state, c.Pod, info)
		}
		if st.Code() == fwk.Error {
			return false
		}
		v := Verdict{Node: n.Name, Code: st.Code().String()}
		if !st.IsSuccess() {
			v.Plugin, v.Why = st.Plugin(), st.Message()
		}
		c.Verdicts = append(c.Verdicts, v)
	}
	return true
}

func main() {
	seed, _ := strconv.ParseInt(os.Args[1], 10, 64)
	count, _ := strconv.Atoi(os.Args[2])
	random = rand.New(rand.NewSource(seed))
	metrics.Register()
	out := json.NewEncoder(os.Stdout)
	skipped := 0
	for i := 0; i < count; i++ {
		c := &Case{}
		mode := pick("ports", "affinity", "affinity", "spread", "spread", "volumes", "volumes", "mixed", "nominated")
		if len(os.Args) > 3 {
			mode = os.Args[3]
		}
		for n := 2 + random.Intn(5); n > 0; n-- {
			c.Nodes = append(c.Nodes, node(len(c.Nodes), mode))
		}
		for n, x := range []string{"a", "b", "c"} {
			if chance(85) {
				ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: x, Labels: map[string]string{"kubernetes.io/metadata.name": x}}}
				if chance(70) {
					ns.Labels["team"] = strconv.Itoa(1 + n%2)
				}
				c.Namespaces = append(c.Namespaces, ns)
			}
		}
		for n := random.Intn(14); n > 0; n-- {
			x := pod(fmt.Sprintf("p%d", n), false, mode)
			x.Spec.NodeName = c.Nodes[random.Intn(len(c.Nodes))].Name
			if mode == "nominated" && chance(25) {
				x.Status.NominatedNodeName = x.Spec.NodeName
				x.Spec.NodeName = ""
				x.DeletionTimestamp = nil
			}
			c.Pods = append(c.Pods, x)
		}
		c.Pod = pod("p999", true, mode)
		c.Pod.DeletionTimestamp = nil
		if mode == "volumes" {
			volumes(c)
		}
		if !run(c) {
			skipped++
			continue
		}
		if err := out.Encode(c); err != nil {
			panic(err)
		}
	}
	fmt.Fprintln(os.Stderr, "skipped", skipped)
}
