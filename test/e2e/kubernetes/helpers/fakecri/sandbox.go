// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type sandbox struct {
	id      string
	config  *cri.PodSandboxConfig
	state   cri.PodSandboxState
	created int64
}

func (s *sandbox) matches(filter *cri.PodSandboxFilter) bool {
	return filter == nil || (filter.Id == "" || filter.Id == s.id) &&
		(filter.State == nil || filter.State.State == s.state) && carries(s.config.Labels, filter.LabelSelector)
}

func (r *memoryRuntime) RunPodSandbox(_ context.Context, request *cri.RunPodSandboxRequest) (*cri.RunPodSandboxResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	s := &sandbox{id: r.newID(), config: request.Config, created: time.Now().UnixNano()}
	r.sandboxes[s.id] = s
	return &cri.RunPodSandboxResponse{PodSandboxId: s.id}, nil
}

func (r *memoryRuntime) StopPodSandbox(_ context.Context, request *cri.StopPodSandboxRequest) (*cri.StopPodSandboxResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if s := r.sandboxes[request.PodSandboxId]; s != nil {
		s.state = cri.PodSandboxState_SANDBOX_NOTREADY
		for _, c := range r.containers {
			if c.sandbox == s {
				r.end(c, exitKilled)
			}
		}
	}
	return &cri.StopPodSandboxResponse{}, nil
}

func (r *memoryRuntime) RemovePodSandbox(_ context.Context, request *cri.RemovePodSandboxRequest) (*cri.RemovePodSandboxResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for id, c := range r.containers {
		if c.sandbox.id == request.PodSandboxId {
			r.end(c, exitKilled)
			delete(r.containers, id)
		}
	}
	delete(r.sandboxes, request.PodSandboxId)
	return &cri.RemovePodSandboxResponse{}, nil
}

func (r *memoryRuntime) PodSandboxStatus(_ context.Context, request *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	s := r.sandboxes[request.PodSandboxId]
	if s == nil {
		return nil, notFound("sandbox", request.PodSandboxId)
	}
	options := s.config.GetLinux().GetSecurityContext().GetNamespaceOptions()
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{Id: s.id, Metadata: s.config.Metadata,
		State: s.state, CreatedAt: s.created, Network: &cri.PodSandboxNetworkStatus{Ip: "10.0.0.1"},
		Linux:  &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{Options: options}},
		Labels: s.config.Labels, Annotations: s.config.Annotations}}, nil
}

func (r *memoryRuntime) ListPodSandbox(_ context.Context, request *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	response := &cri.ListPodSandboxResponse{}
	for _, s := range r.sandboxes {
		if s.matches(request.Filter) {
			response.Items = append(response.Items, &cri.PodSandbox{Id: s.id, Metadata: s.config.Metadata, State: s.state,
				CreatedAt: s.created, Labels: s.config.Labels, Annotations: s.config.Annotations})
		}
	}
	return response, nil
}
