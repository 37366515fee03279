// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strconv"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const exitKilled = 137

type container struct {
	id                         string
	sandbox                    *sandbox
	config                     *cri.ContainerConfig
	state                      cri.ContainerState
	created, started, finished int64
	exitCode                   int32
}

func (c *container) image() string { return c.config.Image.GetImage() }

func (c *container) matches(filter *cri.ContainerFilter) bool {
	return filter == nil || (filter.Id == "" || filter.Id == c.id) &&
		(filter.State == nil || filter.State.State == c.state) &&
		(filter.PodSandboxId == "" || filter.PodSandboxId == c.sandbox.id) && carries(c.config.Labels, filter.LabelSelector)
}

// How long the container runs by itself; false: until it is stopped.
func (c *container) duration() (time.Duration, bool) {
	words := append(append([]string{}, c.config.Command...), c.config.Args...)
	if len(words) != 2 || words[0] != "sleep" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(words[1], 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

// The caller holds the lock.
func (r *memoryRuntime) end(c *container, exitCode int32) {
	if c.state == cri.ContainerState_CONTAINER_RUNNING {
		c.state, c.exitCode, c.finished = cri.ContainerState_CONTAINER_EXITED, exitCode, time.Now().UnixNano()
		writeRecord(r.record, "exit", c)
	}
}

func (r *memoryRuntime) CreateContainer(_ context.Context, request *cri.CreateContainerRequest) (*cri.CreateContainerResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	s := r.sandboxes[request.PodSandboxId]
	if s == nil {
		return nil, notFound("sandbox", request.PodSandboxId)
	}
	c := &container{id: r.newID(), sandbox: s, config: request.Config, created: time.Now().UnixNano()}
	r.containers[c.id] = c
	return &cri.CreateContainerResponse{ContainerId: c.id}, nil
}

func (r *memoryRuntime) StartContainer(_ context.Context, request *cri.StartContainerRequest) (*cri.StartContainerResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	c := r.containers[request.ContainerId]
	if c == nil {
		return nil, notFound("container", request.ContainerId)
	}
	c.state, c.started = cri.ContainerState_CONTAINER_RUNNING, time.Now().UnixNano()
	writeRecord(r.record, "start", c)
	if duration, ends := c.duration(); ends {
		time.AfterFunc(duration, func() {
			r.lock.Lock()
			defer r.lock.Unlock()
			r.end(c, 0)
		})
	}
	return &cri.StartContainerResponse{}, nil
}

func (r *memoryRuntime) StopContainer(_ context.Context, request *cri.StopContainerRequest) (*cri.StopContainerResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if c := r.containers[request.ContainerId]; c != nil {
		r.end(c, exitKilled)
	}
	return &cri.StopContainerResponse{}, nil
}

func (r *memoryRuntime) RemoveContainer(_ context.Context, request *cri.RemoveContainerRequest) (*cri.RemoveContainerResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if c := r.containers[request.ContainerId]; c != nil {
		r.end(c, exitKilled)
		delete(r.containers, c.id)
	}
	return &cri.RemoveContainerResponse{}, nil
}

func (r *memoryRuntime) ListContainers(_ context.Context, request *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	response := &cri.ListContainersResponse{}
	for _, c := range r.containers {
		if c.matches(request.Filter) {
			response.Containers = append(response.Containers, &cri.Container{Id: c.id, PodSandboxId: c.sandbox.id,
				Metadata: c.config.Metadata, Image: c.config.Image, ImageRef: c.image(), ImageId: c.image(), State: c.state,
				CreatedAt: c.created, Labels: c.config.Labels, Annotations: c.config.Annotations})
		}
	}
	return response, nil
}

func (c *container) reason() string {
	switch {
	case c.state != cri.ContainerState_CONTAINER_EXITED:
		return ""
	case c.exitCode == 0:
		return "Completed"
	default:
		return "Error"
	}
}

func (r *memoryRuntime) ContainerStatus(_ context.Context, request *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	c := r.containers[request.ContainerId]
	if c == nil {
		return nil, notFound("container", request.ContainerId)
	}
	return &cri.ContainerStatusResponse{Status: &cri.ContainerStatus{Id: c.id, Metadata: c.config.Metadata, State: c.state,
		CreatedAt: c.created, StartedAt: c.started, FinishedAt: c.finished, ExitCode: c.exitCode, Image: c.config.Image,
		ImageRef: c.image(), ImageId: c.image(), Reason: c.reason(), Labels: c.config.Labels,
		Annotations: c.config.Annotations, LogPath: c.config.LogPath}}, nil
}
