// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const resource = "nvidia.com/mig-1g.10gb"

// driver is facet's side: the C program that FACET_GRPC_DRIVER names.
type driver struct {
	t       *testing.T
	folder  string // of the device plugins
	pods    string // pod-resources socket
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   chan string
}

func startDriver(t *testing.T) *driver {
	t.Helper()
	program := os.Getenv("FACET_GRPC_DRIVER")
	if program == "" {
		t.Skip("FACET_GRPC_DRIVER does not name the driver program")
	}
	folder, err := os.MkdirTemp("", "facet-grpc-") // t.TempDir's paths are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, folder: folder, pods: filepath.Join(folder, "pods.sock"), lines: make(chan string, 1000)}
	d.command = exec.Command(program, folder, d.pods)
	d.command.Stderr = os.Stderr
	d.stdin, _ = d.command.StdinPipe()
	stdout, _ := d.command.StdoutPipe()
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			d.lines <- scanner.Text()
		}
	}()
	t.Cleanup(d.stop)
	return d
}

// stop closes the driver's stdin; it must end by itself, without an error and without leaving a socket.
func (d *driver) stop() {
	d.stdin.Close()
	for range d.lines {
	}
	if err := d.command.Wait(); err != nil {
		d.t.Errorf("the driver ended with %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(d.folder, "facet-*"))
	if len(left) > 0 {
		d.t.Errorf("the driver left %v", left)
	}
	os.RemoveAll(d.folder)
}

func (d *driver) tell(format string, arguments ...any) {
	fmt.Fprintf(d.stdin, format+"\n", arguments...)
}

// await returns the rest of the next line that starts with the prefix.
func (d *driver) await(prefix string) string {
	d.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-d.lines:
			if !open {
				d.t.Fatalf("the driver ended before it said %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return strings.TrimPrefix(line, prefix)
			}
		case <-deadline:
			d.t.Fatalf("the driver did not say %q", prefix)
		}
	}
}
