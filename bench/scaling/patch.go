// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// patch annotates every node with a GPU at once and says how long the API server needs to answer: what a plan for as
// many nodes costs at least on this machine, whoever writes it.
func patch(ctx context.Context, o *options) {
	config := o.rest()
	config.ContentType = "application/json"
	client := kubernetes.NewForConfigOrDie(config)
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "nos.nebuly.com/gpu-partitioning=mig"})
	if err != nil {
		fail("%v", err)
	}
	began := time.Now()
	body := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"bench.facet.gpu/plan":"%d",`+
		`"bench.facet.gpu/gpu-0":"1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4"}}}`, began.UnixNano()))
	var group sync.WaitGroup
	for i := range nodes.Items {
		group.Go(func() {
			name := nodes.Items[i].Name
			if _, err := client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
				fail("patching %s: %v", name, err)
			}
		})
	}
	group.Wait()
	report(map[string]any{"what": "patch", "nodes": len(nodes.Items), "ms": time.Since(began).Milliseconds()})
}
