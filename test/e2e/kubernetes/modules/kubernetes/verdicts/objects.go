// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"
	"strconv"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var random *rand.Rand

// In so many of 100 cases.
func chance(percent int) bool             { return random.Intn(100) < percent }
func pick(s ...string) string             { return s[random.Intn(len(s))] }
func to[T any](v T) *T                    { return &v }
func quantity(s string) resource.Quantity { return resource.MustParse(s) }

func requirement() metav1.LabelSelectorRequirement {
	k := pick("app", "tier", "ver")
	switch random.Intn(4) {
	case 0:
		return metav1.LabelSelectorRequirement{Key: k, Operator: "In", Values: subset("x", "y", "z")}
	case 1:
		return metav1.LabelSelectorRequirement{Key: k, Operator: "NotIn", Values: subset("x", "y", "z")}
	case 2:
		return metav1.LabelSelectorRequirement{Key: k, Operator: "Exists"}
	}
	return metav1.LabelSelectorRequirement{Key: k, Operator: "DoesNotExist"}
}
func subset(s ...string) []string {
	out := []string{}
	for _, x := range s {
		if chance(50) {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		out = append(out, s[0])
	}
	return out
}
func selector() *metav1.LabelSelector {
	if chance(6) {
		return nil
	}
	s := &metav1.LabelSelector{}
	if chance(8) {
		return s
	}
	if chance(65) {
		s.MatchLabels = map[string]string{pick("app", "app", "tier"): pick("x", "y", "z")}
	}
	if chance(35) || s.MatchLabels == nil {
		s.MatchExpressions = append(s.MatchExpressions, requirement())
	}
	return s
}
func labels() map[string]string {
	l := map[string]string{}
	if chance(90) {
		l["app"] = pick("x", "y", "z")
	}
	if chance(40) {
		l["tier"] = pick("x", "y")
	}
	if chance(30) {
		l["ver"] = pick("x", "y")
	}
	return l
}
func topo() string { return pick("zone", "zone", "host", "rack", "kubernetes.io/hostname") }
func term() v1.PodAffinityTerm {
	t := v1.PodAffinityTerm{LabelSelector: selector(), TopologyKey: topo()}
	if chance(20) {
		t.Namespaces = subset("a", "b", "c")
	}
	if chance(25) {
		t.NamespaceSelector = &metav1.LabelSelector{}
		switch random.Intn(4) {
		case 0:
			t.NamespaceSelector.MatchLabels = map[string]string{"team": pick("1", "2")}
		case 1:
			t.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "NotIn", Values: []string{"1"}}}
		case 2:
			t.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "DoesNotExist"}}
		}
	}
	if chance(15) {
		t.MatchLabelKeys = []string{"app"}
	}
	if chance(10) {
		t.MismatchLabelKeys = []string{"tier"}
	}
	return t
}
func terms() (out []v1.PodAffinityTerm) {
	for n := 1 + random.Intn(2); n > 0; n-- {
		out = append(out, term())
	}
	return
}
func nodeReq() v1.NodeSelectorRequirement {
	switch random.Intn(6) {
	case 0:
		return v1.NodeSelectorRequirement{Key: pick("zone", "rack", "gen"), Operator: "In", Values: subset("z1", "z2", "1", "r1")}
	case 1:
		return v1.NodeSelectorRequirement{Key: pick("zone", "rack", "gen"), Operator: "NotIn", Values: subset("z1", "z2", "1", "r1")}
	case 2:
		return v1.NodeSelectorRequirement{Key: pick("rack", "gen"), Operator: "Exists"}
	case 3:
		return v1.NodeSelectorRequirement{Key: pick("rack", "gen"), Operator: "DoesNotExist"}
	case 4:
		return v1.NodeSelectorRequirement{Key: "gen", Operator: "Gt", Values: []string{pick("0", "1", "2", "x")}}
	}
	return v1.NodeSelectorRequirement{Key: "gen", Operator: "Lt", Values: []string{pick("1", "2", "3", "-1")}}
}
func pod(name string, waiting bool, mode string) *v1.Pod {
	ns := pick("a", "a", "b", "c")
	pd := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, UID: types.UID("u" + name), Labels: labels()}}
	if chance(10) {
		pd.DeletionTimestamp = to(metav1.Unix(1700000000, 0))
	}
	c := v1.Container{Name: "c", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{"cpu": quantity(pick("100m", "1", "0"))}}}
	if chance(20) {
		c.Resources.Requests["nvidia.com/mig-1g.10gb"] = quantity("1")
	}
	port := func() v1.ContainerPort {
		x := v1.ContainerPort{HostPort: int32([]int{0, 80, 443}[random.Intn(3)]), HostIP: pick("", "", "0.0.0.0", "10.0.0.1", "10.0.0.2"), Protocol: v1.Protocol(pick("TCP", "TCP", "UDP", ""))}
		x.ContainerPort = x.HostPort
		return x
	}
	portShare := 5
	if mode == "ports" {
		portShare = 60
	}
	if chance(portShare) {
		for n := 1 + random.Intn(2); n > 0; n-- {
			c.Ports = append(c.Ports, port())
		}
	}
	if chance(10) {
		i := v1.Container{Name: "i", Ports: []v1.ContainerPort{port()}}
		if chance(50) {
			i.RestartPolicy = to(v1.ContainerRestartPolicyAlways)
		}
		pd.Spec.InitContainers = append(pd.Spec.InitContainers, i)
	}
	pd.Spec.Containers = []v1.Container{c}
	aff := &v1.Affinity{}
	share := 25
	if mode == "affinity" {
		share = 60
	}
	if chance(share) && waiting {
		aff.PodAffinity = &v1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms()}
	}
	if chance(share) {
		aff.PodAntiAffinity = &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms()}
	}
	if waiting && chance(30) {
		ns := &v1.NodeSelector{}
		for n := random.Intn(3); n >= 0; n-- {
			t := v1.NodeSelectorTerm{}
			for m := random.Intn(3); m > 0; m-- {
				t.MatchExpressions = append(t.MatchExpressions, nodeReq())
			}
			if chance(15) {
				t.MatchFields = append(t.MatchFields, v1.NodeSelectorRequirement{Key: "metadata.name", Operator: v1.NodeSelectorOperator(pick("In", "NotIn")), Values: []string{pick("n0", "n1", "n2")}})
				if chance(20) {
					t.MatchFields = append(t.MatchFields, v1.NodeSelectorRequirement{Key: "metadata.name", Operator: "In", Values: []string{pick("n0", "n1", "n2")}})
				}
			}
			ns.NodeSelectorTerms = append(ns.NodeSelectorTerms, t)
		}
		aff.NodeAffinity = &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: ns}
	}
	if chance(90) || aff.PodAffinity != nil || aff.PodAntiAffinity != nil || aff.NodeAffinity != nil {
		pd.Spec.Affinity = aff
	}
	if chance(10) {
		pd.Spec.NodeSelector = map[string]string{"zone": pick("z1", "z2")}
	}
	if chance(30) {
		pd.Spec.Tolerations = append(pd.Spec.Tolerations, v1.Toleration{Key: pick("gpu", "gpu", ""), Operator: v1.TolerationOpExists, Effect: v1.TaintEffect(pick("", "NoSchedule"))})
	}
	share = 25
	if mode == "spread" {
		share = 90
	}
	if waiting && chance(share) {
		for n := 1 + random.Intn(2); n > 0; n-- {
			t := v1.TopologySpreadConstraint{MaxSkew: int32(1 + random.Intn(3)), TopologyKey: topo(), WhenUnsatisfiable: v1.DoNotSchedule, LabelSelector: selector()}
			if chance(15) {
				t.WhenUnsatisfiable = v1.ScheduleAnyway
			}
			if chance(30) {
				t.MinDomains = to(int32(1 + random.Intn(5)))
			}
			if chance(30) {
				t.NodeAffinityPolicy = to(v1.NodeInclusionPolicy(pick("Honor", "Ignore")))
			}
			if chance(30) {
				t.NodeTaintsPolicy = to(v1.NodeInclusionPolicy(pick("Honor", "Ignore")))
			}
			if chance(25) {
				t.MatchLabelKeys = subset("app", "tier", "ver")
			}
			pd.Spec.TopologySpreadConstraints = append(pd.Spec.TopologySpreadConstraints, t)
		}
	}
	if mode == "volumes" && (waiting || chance(30)) {
		pd.Namespace = "a"
		for n := 1 + random.Intn(2); n > 0; n-- {
			v := v1.Volume{Name: fmt.Sprintf("v%d", n)}
			if chance(12) {
				v.Ephemeral = &v1.EphemeralVolumeSource{}
			} else {
				v.PersistentVolumeClaim = &v1.PersistentVolumeClaimVolumeSource{ClaimName: pick("c0", "c1", "c2", "c3", "c4", "c5")}
			}
			pd.Spec.Volumes = append(pd.Spec.Volumes, v)
		}
		if chance(80) {
			pd.Spec.Affinity = nil
			pd.Spec.TopologySpreadConstraints = nil
		}
	}
	if chance(30) {
		pd.Spec.Priority = to(int32(random.Intn(3)))
	}
	return pd
}

func node(i int, mode string) *v1.Node {
	name := fmt.Sprintf("n%d", i)
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"host": name}}}
	if chance(90) {
		n.Labels["zone"] = pick("z1", "z2", "z3")
	}
	if chance(70) {
		n.Labels["rack"] = pick("r1", "r2", "")
	}
	if chance(60) {
		n.Labels["gen"] = pick("1", "2", "bad")
	}
	n.Labels["kubernetes.io/hostname"] = name
	if mode == "volumes" {
		if chance(80) {
			n.Labels["topology.kubernetes.io/zone"] = n.Labels["zone"]
		}
		if chance(30) {
			n.Labels["failure-domain.beta.kubernetes.io/zone"] = n.Labels["zone"]
		}
		if chance(30) {
			n.Labels["topology.kubernetes.io/region"] = pick("e", "w")
		}
	}
	if chance(20) {
		n.Spec.Taints = append(n.Spec.Taints, v1.Taint{Key: "gpu", Value: "x", Effect: v1.TaintEffect(pick("NoSchedule", "NoExecute", "PreferNoSchedule"))})
	}
	n.Spec.Unschedulable = chance(5)
	n.Status.Allocatable = v1.ResourceList{"cpu": quantity(pick("4", "8")), "memory": quantity("8Gi"), "pods": quantity(pick("3", "20", "20")), "nvidia.com/mig-1g.10gb": quantity("3")}
	return n
}

func volumes(c *Case) {
	for i := 0; i < 3; i++ {
		s := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d", i)}, Provisioner: pick("disk.example.com", "disk.example.com", "kubernetes.io/no-provisioner")}
		s.VolumeBindingMode = to(storagev1.VolumeBindingMode(pick("Immediate", "WaitForFirstConsumer", "WaitForFirstConsumer")))
		for n := random.Intn(3); n > 0; n-- {
			t := v1.TopologySelectorTerm{}
			for m := random.Intn(3); m > 0; m-- {
				t.MatchLabelExpressions = append(t.MatchLabelExpressions, v1.TopologySelectorLabelRequirement{Key: pick("zone", "zone", "rack"), Values: subset("z1", "z2", "r1")})
			}
			s.AllowedTopologies = append(s.AllowedTopologies, t)
		}
		c.StorageClasses = append(c.StorageClasses, s)
	}
	for i := 0; i < 6; i++ {
		v := &v1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pv%d", i), Labels: map[string]string{}}}
		if chance(30) {
			v.Labels[pick("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")] = pick("z1", "z2", "z1__z2", "z1__ ", "z3__ z1")
		}
		if chance(10) {
			v.Labels["topology.kubernetes.io/region"] = pick("e", "w")
		}
		if chance(30) {
			v.Labels["kind"] = "ssd"
		}
		v.Spec.Capacity = v1.ResourceList{"storage": quantity(strconv.Itoa(5+i) + "Gi")}
		v.Spec.AccessModes = []v1.PersistentVolumeAccessMode{"ReadWriteOnce"}
		if chance(50) {
			v.Spec.AccessModes = append(v.Spec.AccessModes, "ReadWriteMany", "ReadWriteOncePod")
		}
		v.Spec.StorageClassName = pick("s0", "s1", "s2", "")
		v.Status.Phase = v1.PersistentVolumePhase(pick("Available", "Available", "Bound", "Released"))
		if chance(50) {
			v.Spec.NodeAffinity = &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{}}
			for n := random.Intn(3); n > 0; n-- {
				t := v1.NodeSelectorTerm{}
				for m := random.Intn(3); m > 0; m-- {
					t.MatchExpressions = append(t.MatchExpressions, nodeReq())
				}
				if chance(10) {
					t.MatchFields = []v1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"n0"}}}
				}
				v.Spec.NodeAffinity.Required.NodeSelectorTerms = append(v.Spec.NodeAffinity.Required.NodeSelectorTerms, t)
			}
		}
		if chance(30) {
			cl := pick("c0", "c1", "c2", "c3")
			v.Spec.ClaimRef = &v1.ObjectReference{Namespace: "a", Name: cl}
			if chance(50) {
				v.Spec.ClaimRef.UID = types.UID("u" + pick("c0", "c1", "c2", "c3"))
			}
		}
		if chance(10) {
			v.Spec.VolumeMode = to(v1.PersistentVolumeBlock)
		}
		if chance(5) {
			v.DeletionTimestamp = to(metav1.Unix(1700000000, 0))
			v.Finalizers = []string{"x/y"}
		}
		c.PersistentVolumes = append(c.PersistentVolumes, v)
	}
	claim := func(name string) *v1.PersistentVolumeClaim {
		x := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "a", UID: types.UID("u" + name), Annotations: map[string]string{}}}
		x.Spec.AccessModes = []v1.PersistentVolumeAccessMode{v1.PersistentVolumeAccessMode(pick("ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"))}
		x.Spec.Resources.Requests = v1.ResourceList{"storage": quantity(strconv.Itoa(3+random.Intn(6)) + "Gi")}
		if chance(85) {
			x.Spec.StorageClassName = to(pick("s0", "s1", "s2", "s9"))
		}
		if chance(10) {
			x.Annotations["volume.beta.kubernetes.io/storage-class"] = pick("s0", "s1")
		}
		if chance(45) {
			x.Spec.VolumeName = pick("pv0", "pv1", "pv2", "pv3", "pv9")
			if chance(90) {
				x.Annotations["pv.kubernetes.io/bind-completed"] = "yes"
			}
		}
		if chance(15) {
			x.Annotations["volume.kubernetes.io/selected-node"] = pick("n0", "n1", "n2")
		}
		if chance(4) {
			x.Status.Phase = "Lost"
		}
		if chance(4) {
			x.DeletionTimestamp = to(metav1.Unix(1700000000, 0))
			x.Finalizers = []string{"x/y"}
		}
		if chance(15) {
			x.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"kind": "ssd"}}
		}
		if chance(8) {
			x.Spec.VolumeMode = to(v1.PersistentVolumeBlock)
		}
		return x
	}
	for i := 0; i < 6; i++ {
		if chance(92) {
			c.PersistentVolumeClaims = append(c.PersistentVolumeClaims, claim(fmt.Sprintf("c%d", i)))
		}
	}
	for n := 1; n <= 2; n++ {
		if chance(70) {
			x := claim(fmt.Sprintf("%s-v%d", c.Pod.Name, n))
			if chance(85) {
				x.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: c.Pod.Name, UID: c.Pod.UID, Controller: to(true)}}
			}
			c.PersistentVolumeClaims = append(c.PersistentVolumeClaims, x)
		}
	}
}
