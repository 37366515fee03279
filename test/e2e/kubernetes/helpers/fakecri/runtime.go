// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// All sandboxes and containers, under one lock: nothing here takes long.
type memoryRuntime struct {
	cri.UnimplementedRuntimeServiceServer
	lock       sync.Mutex
	record     io.Writer
	count      int
	sandboxes  map[string]*sandbox
	containers map[string]*container
}

func newMemoryRuntime(record io.Writer) *memoryRuntime {
	return &memoryRuntime{record: record, sandboxes: map[string]*sandbox{}, containers: map[string]*container{}}
}

// Ids look like containerd's: 64 hexadecimal digits.
func (r *memoryRuntime) newID() string {
	r.count++
	return fmt.Sprintf("%016x%048x", time.Now().UnixNano(), r.count)
}

func notFound(kind, id string) error {
	return status.Errorf(codes.NotFound, "no %s %q", kind, id)
}

func carries(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func (r *memoryRuntime) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{Version: "0.1.0", RuntimeName: "fakecri", RuntimeVersion: "1.0.0",
		RuntimeApiVersion: "v1"}, nil
}

func (r *memoryRuntime) Status(context.Context, *cri.StatusRequest) (*cri.StatusResponse, error) {
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{
		{Type: cri.RuntimeReady, Status: true}, {Type: cri.NetworkReady, Status: true}}}}, nil
}

func (r *memoryRuntime) RuntimeConfig(context.Context, *cri.RuntimeConfigRequest) (*cri.RuntimeConfigResponse, error) {
	return &cri.RuntimeConfigResponse{
		Linux: &cri.LinuxRuntimeConfiguration{CgroupDriver: cri.CgroupDriver_CGROUPFS}}, nil
}

func (r *memoryRuntime) UpdateRuntimeConfig(context.Context, *cri.UpdateRuntimeConfigRequest) (*cri.UpdateRuntimeConfigResponse, error) {
	return &cri.UpdateRuntimeConfigResponse{}, nil
}

func (r *memoryRuntime) ListContainerStats(context.Context, *cri.ListContainerStatsRequest) (*cri.ListContainerStatsResponse, error) {
	return &cri.ListContainerStatsResponse{}, nil
}

func (r *memoryRuntime) ListPodSandboxStats(context.Context, *cri.ListPodSandboxStatsRequest) (*cri.ListPodSandboxStatsResponse, error) {
	return &cri.ListPodSandboxStatsResponse{}, nil
}
