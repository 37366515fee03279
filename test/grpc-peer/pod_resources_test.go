// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	pr "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// podResources is the kubelet's pod-resources server; each answer is a function that a test may replace.
type podResources struct {
	pr.UnimplementedPodResourcesListerServer
	list        func(context.Context) (*pr.ListPodResourcesResponse, error)
	allocatable func(context.Context) (*pr.AllocatableResourcesResponse, error)
}

func (p *podResources) List(ctx context.Context, _ *pr.ListPodResourcesRequest) (*pr.ListPodResourcesResponse, error) {
	return p.list(ctx)
}

func (p *podResources) GetAllocatableResources(ctx context.Context, _ *pr.AllocatableResourcesRequest) (*pr.AllocatableResourcesResponse, error) {
	return p.allocatable(ctx)
}

func devices(id string) []*pr.ContainerDevices {
	return []*pr.ContainerDevices{{ResourceName: resource, DeviceIds: []string{id},
		Topology: &pr.TopologyInfo{Nodes: []*pr.NUMANode{{ID: 1}}}}}
}

func pods(count int) *pr.ListPodResourcesResponse {
	response := &pr.ListPodResourcesResponse{}
	for i := range count {
		response.PodResources = append(response.PodResources, &pr.PodResources{Name: fmt.Sprintf("pod-%d", i), Namespace: "demo",
			Containers: []*pr.ContainerResources{{Name: "main", Devices: devices(fmt.Sprintf("MIG-%d", i)), CpuIds: []int64{1, 2, 3}}}})
	}
	return response
}

func startPodResources(t *testing.T, path string, p *podResources) *grpc.Server {
	t.Helper()
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pr.RegisterPodResourcesListerServer(server, p)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return server
}

func answering(count int) *podResources {
	return &podResources{
		list: func(context.Context) (*pr.ListPodResourcesResponse, error) { return pods(count), nil },
		allocatable: func(context.Context) (*pr.AllocatableResourcesResponse, error) {
			return &pr.AllocatableResourcesResponse{Devices: devices("MIG-a"), CpuIds: []int64{0}}, nil
		}}
}

func expect(t *testing.T, d *driver, question, wanted string) {
	t.Helper()
	d.tell("%s", question)
	if answer := d.await(question + " "); answer != wanted {
		t.Errorf("%s: got %q instead of %q", question, answer, wanted)
	}
}

func TestPodResourcesAreRead(t *testing.T) {
	d := startDriver(t)
	startPodResources(t, d.pods, answering(3))
	expect(t, d, "list", "3 demo/pod-0/main:"+resource+"=MIG-0")
	expect(t, d, "allocatable", "1 //:"+resource+"=MIG-a")
	expect(t, d, "list", "3 demo/pod-0/main:"+resource+"=MIG-0")
}

func TestAnAnswerOfMegabytesIsRead(t *testing.T) {
	d := startDriver(t)
	startPodResources(t, d.pods, answering(40000))
	expect(t, d, "list", "40000 demo/pod-0/main:"+resource+"=MIG-0")
}

func TestAMissingPodResourcesSocketIsSaidAndTriedAgain(t *testing.T) {
	d := startDriver(t)
	expect(t, d, "list", "error the kubelet's pod-resources socket "+d.pods+" does not answer: cannot connect to "+d.pods+
		": no such file or directory")
	server := startPodResources(t, d.pods, answering(1))
	expect(t, d, "list", "1 demo/pod-0/main:"+resource+"=MIG-0")
	server.Stop()
	startPodResources(t, d.pods, answering(2))
	// Whether the end of the first server or the next question comes first is chance; the one after it must work.
	d.tell("list")
	d.await("list ")
	expect(t, d, "list", "2 demo/pod-0/main:"+resource+"=MIG-0")
}

func TestTheKubeletsRateLimitIsAnErrorInWords(t *testing.T) {
	d := startDriver(t)
	p := answering(1)
	p.list = func(context.Context) (*pr.ListPodResourcesResponse, error) {
		return nil, status.Error(codes.ResourceExhausted, "rejected by rate limit")
	}
	startPodResources(t, d.pods, p)
	expect(t, d, "list", "error the kubelet at "+d.pods+
		" refuses /v1.PodResourcesLister/List: rejected by rate limit (gRPC status 8)")
}

func TestAKubeletThatHangsSeesTheDeadlineAndTheCancellation(t *testing.T) {
	d := startDriver(t)
	p := answering(1)
	seen := make(chan time.Duration, 1)
	cancelled := make(chan error, 1)
	p.list = func(ctx context.Context) (*pr.ListPodResourcesResponse, error) {
		deadline, _ := ctx.Deadline()
		seen <- time.Until(deadline)
		<-ctx.Done()
		cancelled <- ctx.Err()
		return nil, ctx.Err()
	}
	startPodResources(t, d.pods, p)
	d.tell("list")
	if left := <-seen; left <= 0 || left > 3*time.Second {
		t.Errorf("the deadline is %v away", left)
	}
	// Both sides run into the deadline; which of the two says so first is chance.
	answer := d.await("list error the kubelet's pod-resources socket " + d.pods + " does not answer: ")
	switch answer {
	case "no answer within 3000 ms", "context deadline exceeded", "the stream was reset: CANCEL":
	default:
		t.Errorf("got %q", answer)
	}
	select {
	case <-cancelled:
	case <-time.After(patience):
		t.Error("the kubelet was not told")
	}
}
