// SPDX-License-Identifier: Apache-2.0

// scale makes a large cluster out of nothing but an etcd and an API server, and is what facet is compared with: a
// client-go informer of the same objects.
//
//	scale load     -etcd ADDRESS -nodes N -gpu-nodes N -pods N     writes the objects where the API server keeps them
//	scale informer -kubeconfig FILE                                pods and nodes, as a Go controller would hold them
//	scale drain    -kubeconfig FILE                                reads the same lists and keeps nothing
//	scale churn    -etcd ADDRESS -nodes N -rate N -seconds N       replaces pods
//	scale burst    -etcd ADDRESS -kubeconfig FILE -pods N          pending pods at once; waits for the nodes' plans
//	scale patch    -kubeconfig FILE                                annotates every node with a GPU at once, as a plan would
//
// Each prints one line of JSON per result.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

type options struct {
	etcd, kubeconfig               string
	nodes, gpuNodes, pods, seconds int
	rate                           int
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "scale: "+format+"\n", arguments...)
	os.Exit(1)
}

func report(result map[string]any) {
	line, _ := json.Marshal(result)
	fmt.Println(string(line))
}

func (o *options) store() *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{o.etcd}, DialTimeout: 10 * time.Second})
	if err != nil {
		fail("no etcd at %s: %v", o.etcd, err)
	}
	return client
}

func (o *options) rest() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		fail("%v", err)
	}
	config.QPS = -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.UserAgent = "facet-bench"
	return config
}

func main() {
	verbs := map[string]func(context.Context, *options){"load": load, "informer": informer, "drain": drain, "churn": churn,
		"burst": burst, "patch": patch}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fail("a verb is needed: load, informer, drain, churn, burst or patch")
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.etcd, "etcd", "", "address of etcd")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "file")
	flags.IntVar(&o.nodes, "nodes", 1000, "nodes")
	flags.IntVar(&o.gpuNodes, "gpu-nodes", 200, "nodes among them that have a GPU")
	flags.IntVar(&o.pods, "pods", 10000, "pods")
	flags.IntVar(&o.rate, "rate", 300, "pods a second; 0: as many as go")
	flags.IntVar(&o.seconds, "seconds", 60, "how long")
	_ = flags.Parse(os.Args[2:])
	verbs[os.Args[1]](context.Background(), &o)
}
