// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The image store has the images of a test node with containerd, and nothing can be pulled.
type images struct {
	cri.UnimplementedImageServiceServer
}

var present = []string{"docker.io/library/busybox:latest", "localhost/pause:1"}

// As every container runtime reads a short name.
func fullName(name string) string {
	if !strings.Contains(name, "/") {
		name = "docker.io/library/" + name
	}
	if !strings.Contains(name[strings.LastIndex(name, "/"):], ":") {
		name += ":latest"
	}
	return name
}

func image(name string) *cri.Image {
	return &cri.Image{Id: name, RepoTags: []string{name}, Size: 1000000, Spec: &cri.ImageSpec{Image: name}}
}

func (images) ListImages(context.Context, *cri.ListImagesRequest) (*cri.ListImagesResponse, error) {
	response := &cri.ListImagesResponse{}
	for _, name := range present {
		response.Images = append(response.Images, image(name))
	}
	return response, nil
}

func (images) ImageStatus(_ context.Context, request *cri.ImageStatusRequest) (*cri.ImageStatusResponse, error) {
	name := fullName(request.Image.GetImage())
	if !slices.Contains(present, name) {
		return &cri.ImageStatusResponse{}, nil
	}
	return &cri.ImageStatusResponse{Image: image(name)}, nil
}

func (images) ImageFsInfo(context.Context, *cri.ImageFsInfoRequest) (*cri.ImageFsInfoResponse, error) {
	usage := []*cri.FilesystemUsage{{Timestamp: time.Now().UnixNano(),
		FsId: &cri.FilesystemIdentifier{Mountpoint: "/"}, UsedBytes: &cri.UInt64Value{Value: 1000000},
		InodesUsed: &cri.UInt64Value{Value: 100}}}
	return &cri.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}
