// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	dp "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// registered starts both sides with the list "MIG-a MIG-b".
func registered(t *testing.T) (*driver, *kubelet, *plugin) {
	t.Helper()
	d := startDriver(t)
	k := startKubelet(t, d.folder)
	t.Cleanup(k.stop)
	d.tell("set %s MIG-a MIG-b", resource)
	p := k.awaitRegistration()
	p.awaitList(t, "MIG-a MIG-b")
	d.await("registered " + resource)
	return d, k, p
}

func allocateRequest(containers ...string) *dp.AllocateRequest {
	request := &dp.AllocateRequest{}
	for _, id := range containers {
		request.ContainerRequests = append(request.ContainerRequests, &dp.ContainerAllocateRequest{DevicesIds: []string{id}})
	}
	return request
}

func TestListsAreSentWhenTheyChange(t *testing.T) {
	d, _, p := registered(t)
	d.tell("set %s MIG-a", resource)
	p.awaitList(t, "MIG-a")
	d.tell("set %s", resource)
	p.awaitList(t, "")
	d.tell("current %s", resource)
	if answer := d.await("current "); answer != "yes" {
		t.Errorf("current: %s", answer)
	}
}

func TestAllocateAnswersEnvironmentAndCdiNames(t *testing.T) {
	_, _, p := registered(t)
	response, err := p.client.Allocate(context.Background(), allocateRequest("MIG-a", "MIG-b"))
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"MIG-a", "MIG-b"} {
		container := response.ContainerResponses[i]
		if container.Envs["NVIDIA_VISIBLE_DEVICES"] != id || container.CdiDevices[0].Name != "nvidia.com/gpu="+id {
			t.Errorf("container %d: %v", i, container)
		}
	}
}

func TestARefusedAllocationKeepsItsWords(t *testing.T) {
	_, _, p := registered(t)
	_, err := p.client.Allocate(context.Background(), allocateRequest("refused"))
	wanted := "100 % of " + resource + " are gone: nö slice\nrefused"
	if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != wanted {
		t.Errorf("got %v", err)
	}
}

func TestPreferredAllocationAndPreStartAreAnswered(t *testing.T) {
	_, _, p := registered(t)
	response, err := p.client.GetPreferredAllocation(context.Background(), &dp.PreferredAllocationRequest{
		ContainerRequests: []*dp.ContainerPreferredAllocationRequest{{AvailableDeviceIDs: []string{"MIG-a", "MIG-b"},
			MustIncludeDeviceIDs: []string{"MIG-b"}, AllocationSize: 2}}})
	if err != nil || strings.Join(response.ContainerResponses[0].DeviceIDs, " ") != "MIG-b MIG-a" {
		t.Errorf("got %v, %v", response, err)
	}
	if _, err := p.client.PreStartContainer(context.Background(), &dp.PreStartContainerRequest{}); err != nil {
		t.Error(err)
	}
}

func TestWhatFacetDoesNotSpeakIsUnimplemented(t *testing.T) {
	_, _, p := registered(t)
	err := p.conn.Invoke(context.Background(), "/v1beta1.DevicePlugin/Dance", &dp.Empty{}, &dp.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unknown method: %v", err)
	}
	_, err = p.client.Allocate(context.Background(), allocateRequest(strings.Repeat("x", 5000)), grpc.UseCompressor(gzip.Name))
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("compressed message: %v", err)
	}
}

func TestManyCallsAtATime(t *testing.T) {
	_, _, p := registered(t)
	var group sync.WaitGroup
	for worker := range 50 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range 40 {
				id := fmt.Sprintf("MIG-%d-%d", worker, i)
				response, err := p.client.Allocate(context.Background(), allocateRequest(id))
				if err != nil || response.ContainerResponses[0].Envs["NVIDIA_VISIBLE_DEVICES"] != id {
					t.Errorf("%s: %v %v", id, response, err)
					return
				}
			}
		}()
	}
	group.Wait()
}

func TestALargeListArrivesWhole(t *testing.T) {
	d, _, p := registered(t)
	d.tell("pad %s 40000 MIG-01234567-89ab-cdef", resource)
	for deadline := time.After(patience); ; {
		select {
		case list := <-p.lists:
			if len(list) == 40000 {
				if list[39999] != "MIG-01234567-89ab-cdef-39999" {
					t.Errorf("last: %s", list[39999])
				}
				return
			}
		case <-deadline:
			t.Fatal("the large list did not come")
		}
	}
}

// A second stream that nobody reads fills its windows; it must not hold up anybody else.
func TestAStreamThatIsNotReadDelaysNobody(t *testing.T) {
	d, _, p := registered(t)
	conn, err := dialPlugin(context.Background(), filepath.Join(d.folder, "facet-mig-1g.10gb.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := dp.NewDevicePluginClient(conn).ListAndWatch(context.Background(), &dp.Empty{}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		d.tell("pad %s 2000 round-%d", resource, i)
	}
	d.tell("set %s last", resource)
	p.awaitList(t, "last")
}

func TestARestartedKubeletGetsANewRegistration(t *testing.T) {
	d, k, _ := registered(t)
	for range 3 {
		k.stop()
		k = startKubelet(t, d.folder)
		k.awaitRegistration().awaitList(t, "MIG-a MIG-b")
	}
	k.stop()
}

func TestADroppedListAndWatchLeadsToANewRegistration(t *testing.T) {
	_, k, p := registered(t)
	p.cancel()
	k.awaitRegistration().awaitList(t, "MIG-a MIG-b")
}

func TestAKubeletThatStartsLateIsFound(t *testing.T) {
	d := startDriver(t)
	d.tell("set %s MIG-a", resource)
	trouble := d.await("trouble " + resource + " ")
	wanted := "cannot register " + resource + " with the kubelet at " + d.folder + "/kubelet.sock: cannot connect to " +
		d.folder + "/kubelet.sock: no such file or directory (gRPC status 14)"
	if trouble != wanted {
		t.Errorf("got %q", trouble)
	}
	k := startKubelet(t, d.folder)
	defer k.stop()
	k.awaitRegistration().awaitList(t, "MIG-a")
}

func TestASlowKubeletIsServedWhileItRegisters(t *testing.T) {
	d := startDriver(t)
	k := startKubelet(t, d.folder)
	defer k.stop()
	k.slowness = 500 * time.Millisecond
	d.tell("set %s MIG-a", resource)
	k.awaitRegistration().awaitList(t, "MIG-a")
	d.await("registered " + resource)
}

func TestMemoryStaysSmall(t *testing.T) {
	d, _, p := registered(t)
	for i := range 200 {
		if _, err := p.client.Allocate(context.Background(), allocateRequest(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	d.tell("memory")
	kib, err := strconv.Atoi(d.await("memory "))
	t.Logf("the driver's resident memory is %d KiB", kib)
	if err != nil || kib <= 0 {
		t.Errorf("resident memory: %d KiB, %v", kib, err)
	}
}
