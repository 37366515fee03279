// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"log"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// One line of the record. The oracle of a test reads it; nothing here knows what the values mean.
type recordLine struct {
	AtMs      int64             `json:"at_ms"`
	Event     string            `json:"event"` // start or exit
	Container string            `json:"container"`
	Namespace string            `json:"namespace"`
	Pod       string            `json:"pod"`
	Name      string            `json:"name"`
	Env       map[string]string `json:"env,omitempty"`
	Cdi       []string          `json:"cdi,omitempty"`
	Devices   []string          `json:"devices,omitempty"`
	ExitCode  int32             `json:"exit_code"`
}

func envOf(config *cri.ContainerConfig) map[string]string {
	env := map[string]string{}
	for _, one := range config.Envs {
		env[one.Key] = string(one.Value)
	}
	return env
}

func writeRecord(file io.Writer, event string, c *container) {
	line := recordLine{AtMs: time.Now().UnixMilli(), Event: event, Container: c.id, Name: c.config.Metadata.Name,
		Namespace: c.sandbox.config.Metadata.Namespace, Pod: c.sandbox.config.Metadata.Name, ExitCode: c.exitCode}
	if event == "start" {
		line.Env = envOf(c.config)
		for _, one := range c.config.CDIDevices {
			line.Cdi = append(line.Cdi, one.Name)
		}
		for _, one := range c.config.Devices {
			line.Devices = append(line.Devices, one.HostPath)
		}
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = file.Write(append(text, '\n'))
	}
	if err != nil {
		log.Fatalf("the record cannot be written: %v", err)
	}
}
