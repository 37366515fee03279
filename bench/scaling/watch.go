// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// informer holds all pods and nodes until SIGTERM. The parent reads its memory and processor time from /proc.
func informer(ctx context.Context, o *options) {
	client := kubernetes.NewForConfigOrDie(o.rest())
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, nodes := factory.Core().V1().Pods().Informer(), factory.Core().V1().Nodes().Informer()
	began := time.Now()
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, nodes.HasSynced) {
		fail("the caches did not sync")
	}
	report(map[string]any{"what": "informer", "pods": len(pods.GetStore().ListKeys()), "nodes": len(nodes.GetStore().ListKeys()),
		"seconds": time.Since(began).Seconds()})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}

// readFrames counts the bytes of a watch until the bookmark that ends its list.
func readFrames(stream io.Reader) int64 {
	reader := bufio.NewReaderSize(stream, 1<<20)
	size, total := make([]byte, 4), int64(0)
	var frame []byte
	for {
		if _, err := io.ReadFull(reader, size); err != nil {
			fail("the list broke off: %v", err)
		}
		length := int(binary.BigEndian.Uint32(size))
		if cap(frame) < length {
			frame = make([]byte, length)
		}
		frame = frame[:length]
		if _, err := io.ReadFull(reader, frame); err != nil {
			fail("the list broke off: %v", err)
		}
		total += int64(4 + length)
		if bytes.Contains(frame[:min(length, 256)], []byte("BOOKMARK")) &&
			bytes.Contains(frame, []byte("k8s.io/initial-events-end")) {
			return total
		}
	}
}

// drain reads both lists at the same time and throws them away: what the server and the wire need at least.
func drain(ctx context.Context, o *options) {
	config := o.rest()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		fail("%v", err)
	}
	began := time.Now()
	var group sync.WaitGroup
	sizes := make([]int64, 2)
	for i, path := range []string{"/api/v1/pods", "/api/v1/nodes"} {
		group.Go(func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path+
				"?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", nil)
			request.Header.Set("Accept", config.ContentType)
			request.Header.Set("Accept-Encoding", "identity")
			answer, err := client.Do(request)
			if err != nil || answer.StatusCode != http.StatusOK {
				fail("watching %s: %v", path, err)
			}
			defer answer.Body.Close()
			sizes[i] = readFrames(answer.Body)
		})
	}
	group.Wait()
	report(map[string]any{"what": "drain", "megabytes": (sizes[0] + sizes[1]) >> 20, "seconds": time.Since(began).Seconds()})
}

func slicesOf(node *corev1.Node) int {
	count := 0
	for key, value := range node.Annotations {
		if strings.HasPrefix(key, "facet.gpu/spec-gpu-") {
			count += strings.Count(value, "@")
		}
	}
	return count
}

const (
	planKey = "nos.nebuly.com/spec-partitioning-plan"
	quiet   = 20 * time.Second
)

// watchNodes tells of every change of a node with a GPU, beginning when all of them were seen once.
func watchNodes(ctx context.Context, o *options) <-chan *corev1.Node {
	told := make(chan *corev1.Node, 100*o.pods)
	factory := informers.NewSharedInformerFactoryWithOptions(kubernetes.NewForConfigOrDie(o.rest()), 0,
		informers.WithTweakListOptions(func(list *metav1.ListOptions) {
			list.LabelSelector = "nos.nebuly.com/gpu-partitioning=mig"
		}))
	nodes := factory.Core().V1().Nodes().Informer()
	_, err := nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, now any) { told <- now.(*corev1.Node) }})
	if err != nil {
		fail("%v", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), nodes.HasSynced) {
		fail("the nodes did not sync")
	}
	return told
}

// watchPods tells of every pod of the burst that the API server shows, to anybody who watches.
func watchPods(ctx context.Context, o *options) <-chan struct{} {
	seen := make(chan struct{}, 2*o.pods)
	factory := informers.NewSharedInformerFactoryWithOptions(kubernetes.NewForConfigOrDie(o.rest()), 0,
		informers.WithNamespace("burst"))
	pods := factory.Core().V1().Pods().Informer()
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { seen <- struct{}{} }})
	if err != nil {
		fail("%v", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		fail("the pods did not sync")
	}
	return seen
}

// burst writes pending pods at once and says how long after the last of them the API server had shown all of them, and
// each node had its plan: what is written into etcd may reach those who watch much later where the machine is busy.
func burst(ctx context.Context, o *options) {
	store := o.store()
	told := watchNodes(ctx, o)
	seen := watchPods(ctx, o)
	plans := map[string]string{}
	rng := rand.New(rand.NewSource(seed))
	operations := make(chan clientv3.Op, o.pods)
	for i := range o.pods {
		pod := makePending(i, rng)
		operations <- clientv3.OpPut(podKey(pod), string(encode(pod, "Pod")))
	}
	close(operations)
	began := time.Now()
	putAll(ctx, store, 1, operations)
	written := time.Now()
	var first, last, shown time.Time
	pods := 0
	slices, total := map[string]int{}, 0
	for idle := time.NewTimer(3 * quiet); total < o.pods; {
		select {
		case node := <-told:
			if node.Annotations[planKey] == plans[node.Name] {
				continue
			}
			plans[node.Name] = node.Annotations[planKey]
			total -= slices[node.Name]
			slices[node.Name] = slicesOf(node)
			total += slices[node.Name]
			if last = time.Now(); first.IsZero() {
				first = last
			}
			idle.Reset(quiet)
			continue
		case <-seen:
			if pods++; pods == o.pods {
				shown = time.Now()
			}
			continue
		case <-idle.C:
		}
		break
	}
	if last.IsZero() {
		fail("no node got a plan")
	}
	report(map[string]any{"what": "burst", "pods": o.pods, "writing_ms": written.Sub(began).Milliseconds(), "nodes": len(slices),
		"slices": total, "shown_ms": shown.Sub(written).Milliseconds(), "first_ms": first.Sub(written).Milliseconds(),
		"last_ms": last.Sub(written).Milliseconds(), "written_unix_ms": written.UnixMilli()})
}
