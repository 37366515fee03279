// SPDX-License-Identifier: Apache-2.0

// Package peer plays the kubelet against facet's own gRPC: with google.golang.org/grpc, which the kubelet uses,
// and in the order in which the kubelet does things (v1.36.2, pkg/kubelet/cm/devicemanager/plugin/v1beta1).
package peer

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	dp "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const patience = 20 * time.Second

// plugin is one registered device plugin as the kubelet sees it.
type plugin struct {
	conn   *grpc.ClientConn
	client dp.DevicePluginClient
	lists  chan []string
	cancel context.CancelFunc // ends ListAndWatch
}

// kubelet is the registration server of the kubelet.
type kubelet struct {
	dp.UnimplementedRegistrationServer
	t          *testing.T
	folder     string
	server     *grpc.Server
	registered chan *dp.RegisterRequest
	slowness   time.Duration // between asking for the options and answering Register

	mutex   sync.Mutex
	plugins map[string]*plugin
}

// startKubelet removes all sockets and makes its own, as the kubelet does when it starts.
func startKubelet(t *testing.T, folder string) *kubelet {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Type()&os.ModeSocket != 0 {
			os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
	listener, err := net.Listen("unix", filepath.Join(folder, "kubelet.sock"))
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	k := &kubelet{t: t, folder: folder, server: grpc.NewServer(), registered: make(chan *dp.RegisterRequest, 100),
		plugins: map[string]*plugin{}}
	dp.RegisterRegistrationServer(k.server, k)
	go k.server.Serve(listener)
	return k
}

func (k *kubelet) stop() {
	k.server.Stop()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for _, p := range k.plugins {
		p.conn.Close()
	}
}

func dialPlugin(ctx context.Context, path string) (*grpc.ClientConn, error) {
	//lint:ignore SA1019 the kubelet dials exactly like this
	return grpc.DialContext(ctx, path, grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithBlock(),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", addr)
		}))
}

// Register connects back and asks for the options before it answers.
func (k *kubelet) Register(ctx context.Context, request *dp.RegisterRequest) (*dp.Empty, error) {
	dialCtx, cancelDial := context.WithTimeout(ctx, 10*time.Second)
	defer cancelDial()
	conn, err := dialPlugin(dialCtx, filepath.Join(k.folder, request.Endpoint))
	if err != nil {
		return nil, err
	}
	p := &plugin{conn: conn, client: dp.NewDevicePluginClient(conn), lists: make(chan []string, 1000)}
	if _, err := p.client.GetDevicePluginOptions(ctx, &dp.Empty{}); err != nil {
		return nil, err
	}
	time.Sleep(k.slowness)
	watchCtx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	stream, err := p.client.ListAndWatch(watchCtx, &dp.Empty{})
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lists)
		for {
			response, err := stream.Recv()
			if err != nil {
				return
			}
			p.lists <- ids(response)
		}
	}()
	k.mutex.Lock()
	k.plugins[request.ResourceName] = p
	k.mutex.Unlock()
	k.registered <- request
	return &dp.Empty{}, nil
}

func ids(response *dp.ListAndWatchResponse) []string {
	var list []string
	for _, device := range response.Devices {
		id := device.ID
		if device.Health != dp.Healthy {
			id += "!"
		}
		list = append(list, id)
	}
	return list
}

// awaitRegistration waits for a registration and returns its plugin.
func (k *kubelet) awaitRegistration() *plugin {
	k.t.Helper()
	select {
	case request := <-k.registered:
		k.mutex.Lock()
		defer k.mutex.Unlock()
		return k.plugins[request.ResourceName]
	case <-time.After(patience):
		k.t.Fatal("no registration came")
		return nil
	}
}

// awaitList waits until a list arrives that reads as wanted.
func (p *plugin) awaitList(t *testing.T, wanted string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case list, open := <-p.lists:
			if !open {
				t.Fatalf("ListAndWatch ended before the list %q came", wanted)
			}
			if strings.Join(list, " ") == wanted {
				return
			}
		case <-deadline:
			t.Fatalf("the list %q did not come", wanted)
		}
	}
}
