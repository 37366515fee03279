// SPDX-License-Identifier: Apache-2.0

package main

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func managedFields() []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{
		Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", FieldsType: "FieldsV1",
		Time:     to(at("2026-07-01T08:00:01Z")),
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{}}}}}`)},
	}}
}

// Has a value in every field that the tables of the reader know, and many that they do not.
func richPod() corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "trainer-0", GenerateName: "trainer-", Namespace: "research", UID: types.UID("6d1f3c1e-0000-4000-8000-000000000001"),
			ResourceVersion: "4711", Generation: 3, CreationTimestamp: at("2026-07-01T08:00:00Z"),
			DeletionTimestamp: to(at("2026-07-01T09:30:15+02:00")), DeletionGracePeriodSeconds: to(int64(30)),
			Labels: map[string]string{"app": "trainer", "empty": "", "zone": "z\u00fcrich"},
			Annotations: map[string]string{"note": "quote \" backslash \\ slash / tab \t line \n emoji \U0001F600 amp & <tag> \u2028",
				"control": "\u0001\u001f"},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "trainer", UID: "u2", Controller: to(true), BlockOwnerDeletion: to(true)},
				{APIVersion: "v1", Kind: "ConfigMap", Name: "settings", UID: "u3"}},
			Finalizers: []string{"example.com/hold"}, ManagedFields: managedFields(),
		},
		Spec: corev1.PodSpec{
			NodeName: "gpu-1", SchedulerName: "default-scheduler", PriorityClassName: "high", Priority: to(int32(-2000000000)),
			NodeSelector: map[string]string{"kubernetes.io/arch": "amd64", "disk": "ssd"},
			Affinity: &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
						{MatchExpressions: []corev1.NodeSelectorRequirement{
							{Key: "gpu", Operator: corev1.NodeSelectorOpIn, Values: []string{"a100", "h100", ""}},
							{Key: "spot", Operator: corev1.NodeSelectorOpDoesNotExist}}},
						{MatchFields: []corev1.NodeSelectorRequirement{
							{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"gpu-9"}}}},
						{}}},
					PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 7}},
				},
				PodAffinity: &corev1.PodAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
						{TopologyKey: "zone", Namespaces: []string{"data", "research"},
							LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
								{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"store", "cache"}},
								{Key: "old", Operator: metav1.LabelSelectorOpDoesNotExist}}},
							NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "ml"}}},
						{TopologyKey: "rack", LabelSelector: &metav1.LabelSelector{}, NamespaceSelector: &metav1.LabelSelector{},
							MatchLabelKeys: []string{"release"}, MismatchLabelKeys: []string{"tenant", "app"}}},
					PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 3}}},
				PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: "kubernetes.io/hostname", LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "trainer"}}}}},
			},
			Tolerations: []corev1.Toleration{
				{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
				{Key: "team", Operator: corev1.TolerationOpEqual, Value: "research", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: to(int64(300))}},
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "example.com/quota"}, {Name: "example.com/data"}},
			InitContainers: []corev1.Container{
				{Name: "fetch", Image: "busybox", Resources: corev1.ResourceRequirements{Requests: list("cpu", "250m", "memory", "64Mi")}},
				{Name: "proxy", Image: "proxy", RestartPolicy: to(corev1.ContainerRestartPolicyAlways),
					Resources: corev1.ResourceRequirements{Requests: list("cpu", "0.1"), Limits: list("cpu", "1")}}},
			Containers: []corev1.Container{
				{Name: "main", Image: "trainer:1", Command: []string{"sleep", "120"},
					Env:           []corev1.EnvVar{{Name: "A", Value: "1"}},
					Ports:         []corev1.ContainerPort{{ContainerPort: 80, Protocol: corev1.ProtocolTCP}, {ContainerPort: 53, HostPort: 5353, HostIP: "10.0.0.1", Protocol: corev1.ProtocolUDP}},
					LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}}},
					Resources: corev1.ResourceRequirements{
						Requests: list("nvidia.com/mig-1g.10gb", "1", "cpu", "1500m", "memory", "1Gi", "ephemeral-storage", "1e3"),
						Limits:   list("nvidia.com/mig-1g.10gb", "1", "memory", "2Gi")}},
				{Name: "idle", Image: "pause"}},
			Overhead:                  list("cpu", "250m", "memory", "120Mi"),
			Resources:                 &corev1.ResourceRequirements{Requests: list("cpu", "3", "hugepages-2Mi", "4Mi"), Limits: list("cpu", "4")},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: resource.NewQuantity(5, resource.BinarySI)}}},
				{Name: "set", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "images", ReadOnly: true}}},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
					Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: to("fast")}}}}}},
			TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
				{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule},
				{MaxSkew: 3, TopologyKey: "rack", WhenUnsatisfiable: corev1.ScheduleAnyway, MinDomains: to(int32(2)),
					LabelSelector:      &metav1.LabelSelector{MatchLabels: map[string]string{"app": "trainer"}},
					NodeAffinityPolicy: to(corev1.NodeInclusionPolicyIgnore), NodeTaintsPolicy: to(corev1.NodeInclusionPolicyHonor),
					MatchLabelKeys: []string{"pod-template-hash"}}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, Reason: "Waiting", Message: "waiting for a slice", NominatedNodeName: "gpu-2",
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", ObservedGeneration: 3,
					Message:            "0/3 nodes are available: 3 Insufficient nvidia.com/mig-1g.10gb.",
					LastTransitionTime: at("2026-07-01T08:00:02Z")},
				{Type: corev1.PodReady, Status: corev1.ConditionUnknown}},
			HostIP: "10.0.0.1", PodIP: "10.1.0.7", QOSClass: corev1.PodQOSBurstable, StartTime: to(at("2026-07-01T08:00:03Z")),
			ContainerStatuses: []corev1.ContainerStatus{{Name: "main", RestartCount: 2, Image: "trainer:1",
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at("2026-07-01T08:00:04Z")}}}},
		},
	}
}

func pods() *corev1.PodList {
	plain := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "plain", Namespace: "default", ResourceVersion: "12"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	// Present but empty: these differ from absent ones.
	hollow := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "hollow", Namespace: "default"},
		Spec: corev1.PodSpec{
			Affinity:  &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}},
			Resources: &corev1.ResourceRequirements{},
		},
	}
	return &corev1.PodList{
		ListMeta: metav1.ListMeta{ResourceVersion: "4711", Continue: "eyJ2IjoibWV0YSJ9", RemainingItemCount: to(int64(7))},
		Items:    []corev1.Pod{richPod(), plain, hollow},
	}
}

func nodes() *corev1.NodeList {
	rich := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "gpu-1", UID: "n1", ResourceVersion: "815", CreationTimestamp: at("2026-06-01T00:00:00Z"),
			Labels:        map[string]string{"nos.nebuly.com/gpu-partitioning": "mig", "kubernetes.io/hostname": "gpu-1"},
			Annotations:   map[string]string{"facet.gpu/status-gpu-0": "1g.10gb@6:used,1g.10gb@4:free"},
			ManagedFields: managedFields(),
		},
		Spec: corev1.NodeSpec{
			PodCIDR: "10.1.0.0/24", ProviderID: "example://gpu-1", Unschedulable: true,
			Taints: []corev1.Taint{
				{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule},
				{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule, TimeAdded: to(at("2026-07-01T08:00:00Z"))}},
		},
		Status: corev1.NodeStatus{
			Capacity:    list("cpu", "96", "memory", "1056Gi", "pods", "110", "nvidia.com/mig-1g.10gb", "7"),
			Allocatable: list("cpu", "95500m", "memory", "1050Gi", "pods", "110", "nvidia.com/mig-1g.10gb", "5"),
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status",
					LastHeartbeatTime: at("2026-07-01T08:00:00Z"), LastTransitionTime: at("2026-07-01T07:00:00Z")},
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
			NodeInfo:  corev1.NodeSystemInfo{KubeletVersion: "v1.36.2", Architecture: "amd64"},
			Images:    []corev1.ContainerImage{{Names: []string{"busybox:1"}, SizeBytes: 1 << 40}},
		},
	}
	return &corev1.NodeList{
		ListMeta: metav1.ListMeta{ResourceVersion: "900"},
		Items:    []corev1.Node{rich, {ObjectMeta: metav1.ObjectMeta{Name: "bare"}}},
	}
}

func namespaces() *corev1.NamespaceList {
	return &corev1.NamespaceList{Items: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "research", Labels: map[string]string{"team": "ml"}}}}}
}

func volumes() *corev1.PersistentVolumeList {
	rich := corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-1", Labels: map[string]string{"topology.kubernetes.io/zone": "z1"}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: list("storage", "10Gi"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadOnlyMany},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "disk.example.com", VolumeHandle: "h"}},
			ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: "research", Name: "images", UID: "c1"},
			StorageClassName:       "fast", VolumeMode: to(corev1.PersistentVolumeBlock), VolumeAttributesClassName: to("gold"),
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
				{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"z1"}}}}}}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeBound},
	}
	return &corev1.PersistentVolumeList{Items: []corev1.PersistentVolume{rich, {ObjectMeta: metav1.ObjectMeta{Name: "bare"}}}}
}

func claims() *corev1.PersistentVolumeClaimList {
	rich := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "images", Namespace: "research", UID: "c1"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
			Selector:    &metav1.LabelSelector{MatchLabels: map[string]string{"kind": "ssd"}},
			Resources:   corev1.VolumeResourceRequirements{Requests: list("storage", "5Gi"), Limits: list("storage", "9Gi")},
			VolumeName:  "pv-1", StorageClassName: to("fast"), VolumeMode: to(corev1.PersistentVolumeBlock), VolumeAttributesClassName: to("gold"),
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: list("storage", "10Gi")},
	}
	return &corev1.PersistentVolumeClaimList{Items: []corev1.PersistentVolumeClaim{rich, {ObjectMeta: metav1.ObjectMeta{Name: "bare"}}}}
}

func classes() *storagev1.StorageClassList {
	rich := storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: "disk.example.com", Parameters: map[string]string{"type": "ssd"},
		VolumeBindingMode: to(storagev1.VolumeBindingWaitForFirstConsumer),
		AllowedTopologies: []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
			{Key: "zone", Values: []string{"z1", "z2"}}}}, {}},
	}
	return &storagev1.StorageClassList{Items: []storagev1.StorageClass{rich, {ObjectMeta: metav1.ObjectMeta{Name: "bare"}}}}
}
