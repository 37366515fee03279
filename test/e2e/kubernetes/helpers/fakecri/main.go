// SPDX-License-Identifier: Apache-2.0

// fakecri is a container runtime in memory: a real kubelet "runs" hundreds of short pods on it, without the processes
// that would keep two cores busy. A container whose command is `sleep SECONDS` ends by itself with 0, every other one
// runs until it is stopped. What each container was given is written down, one line of JSON per start and exit.
//
//	fakecri -socket FILE -record FILE [-away DURATION]
//
// SIGHUP is the restart of a real runtime: nobody answers for a while, the containers go on.
package main

import (
	"errors"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func serve(socket string, runtime *memoryRuntime) (*grpc.Server, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, runtime)
	cri.RegisterImageServiceServer(server, images{})
	go func() {
		if err := server.Serve(listener); err != nil {
			log.Fatalf("serving on %s: %v", socket, err)
		}
	}()
	return server, nil
}

func main() {
	socket := flag.String("socket", "", "the `file` on which the kubelet finds this runtime")
	record := flag.String("record", "", "the `file` that tells what each container was given")
	away := flag.Duration("away", time.Second, "how long nobody answers after SIGHUP")
	flag.Parse()
	if *socket == "" || *record == "" {
		flag.Usage()
		os.Exit(2)
	}
	file, err := os.OpenFile(*record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	runtime := newMemoryRuntime(file)
	restarts := make(chan os.Signal, 1)
	signal.Notify(restarts, syscall.SIGHUP)
	for {
		server, err := serve(*socket, runtime)
		if err != nil {
			log.Fatal(err)
		}
		<-restarts
		log.Printf("away for %v", *away)
		server.Stop()
		time.Sleep(*away)
	}
}
