// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand"
	"sort"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
)

const (
	writers = 8
	loading = 50 // objects a transaction; etcd takes 128
)

func podKey(pod *corev1.Pod) string { return "/registry/pods/" + pod.Namespace + "/" + pod.Name }

// putAll writes what the channel brings, so many in one transaction. Where somebody watches it must be one: an API server
// gives each object a revision of its own.
func putAll(ctx context.Context, store *clientv3.Client, batch int, operations <-chan clientv3.Op) {
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			var pending []clientv3.Op
			flush := func() {
				if len(pending) == 0 {
					return
				}
				if _, err := store.Txn(ctx).Then(pending...).Commit(); err != nil {
					fail("writing to etcd: %v", err)
				}
				pending = pending[:0]
			}
			for operation := range operations {
				if pending = append(pending, operation); len(pending) == batch {
					flush()
				}
			}
			flush()
		})
	}
	group.Wait()
}

func load(ctx context.Context, o *options) {
	store := o.store()
	rng := rand.New(rand.NewSource(seed))
	operations := make(chan clientv3.Op, writers*loading)
	began, bytes := time.Now(), 0
	put := func(key string, value []byte) {
		bytes += len(value)
		operations <- clientv3.OpPut(key, string(value))
	}
	go func() {
		defer close(operations)
		for i := range namespaces + 1 {
			space := makeNamespace(i, rng)
			put("/registry/namespaces/"+space.Name, encode(space, "Namespace"))
		}
		for i := range o.nodes {
			// Spread, so that nodes with a GPU are not all at one end.
			isGPU := i*o.gpuNodes/o.nodes != (i+1)*o.gpuNodes/o.nodes
			put("/registry/minions/"+nodeName(i), encode(makeNode(i, isGPU, rng), "Node"))
		}
		for i := range o.pods {
			pod := makePod(i, o.nodes, rng)
			put(podKey(pod), encode(pod, "Pod"))
		}
	}()
	putAll(ctx, store, loading, operations)
	report(map[string]any{"what": "load", "nodes": o.nodes, "pods": o.pods, "megabytes": bytes >> 20,
		"seconds": time.Since(began).Seconds()})
}

// listKeys gives the keys of all pods that load made, and of those that churn made after them.
func listKeys(ctx context.Context, store *clientv3.Client) []string {
	answer, err := store.Get(ctx, "/registry/pods/team-", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		fail("reading etcd: %v", err)
	}
	var keys []string
	for _, entry := range answer.Kvs {
		keys = append(keys, string(entry.Key))
	}
	return keys
}

type latencies struct {
	sync.Mutex
	all []time.Duration
}

// replaceOne deletes one pod and adds another, so that the cluster stays as large as it is.
func replaceOne(ctx context.Context, store *clientv3.Client, old string, pod *corev1.Pod, told *latencies) {
	began := time.Now()
	_, err := store.Delete(ctx, old)
	if err == nil {
		_, err = store.Put(ctx, podKey(pod), string(encode(pod, "Pod")))
	}
	if err != nil {
		fail("writing to etcd: %v", err)
	}
	told.Lock()
	told.all = append(told.all, time.Since(began))
	told.Unlock()
}

func churn(ctx context.Context, o *options) {
	store := o.store()
	keys := listKeys(ctx, store)
	rng := rand.New(rand.NewSource(seed + time.Now().UnixNano()))
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var group sync.WaitGroup
	var told latencies
	work := make(chan int)
	var locks sync.Mutex
	for range writers {
		own := rand.New(rand.NewSource(rng.Int63()))
		group.Go(func() {
			for i := range work {
				pod := makePod(i, o.nodes, own)
				locks.Lock()
				old := keys[i%len(keys)]
				keys[i%len(keys)] = podKey(pod)
				locks.Unlock()
				replaceOne(ctx, store, old, pod, &told)
			}
		})
	}
	began := time.Now()
	end := began.Add(time.Duration(o.seconds) * time.Second)
	count := 0
	for ; time.Now().Before(end); count++ {
		if o.rate > 0 {
			due := began.Add(time.Duration(count) * time.Second / time.Duration(o.rate))
			time.Sleep(time.Until(due))
		}
		work <- count
	}
	close(work)
	group.Wait()
	sort.Slice(told.all, func(i, j int) bool { return told.all[i] < told.all[j] })
	report(map[string]any{"what": "churn", "replaced": count, "seconds": time.Since(began).Seconds(),
		"pods_per_s":  float64(count) / time.Since(began).Seconds(),
		"etcd_p99_ms": told.all[len(told.all)*99/100].Milliseconds()})
}
