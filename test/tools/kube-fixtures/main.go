// SPDX-License-Identifier: Apache-2.0

// Writes the fixtures in src/kube/testdata: the same objects through Kubernetes' own protobuf and JSON
// serializers. The .txt files beside them are what the readers must make of them, checked by eye
// against objects.go. Usage: go run . ../../../src/kube/testdata
package main

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

var scheme = runtime.NewScheme()
var codecs serializer.CodecFactory

func info(contentType string) runtime.SerializerInfo {
	found, ok := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), contentType)
	if !ok {
		panic(contentType)
	}
	return found
}

func encode(contentType string, object runtime.Object) []byte {
	var out bytes.Buffer
	version := corev1.SchemeGroupVersion
	if _, ok := object.(*storagev1.StorageClassList); ok {
		version = storagev1.SchemeGroupVersion
	}
	check(codecs.EncoderForVersion(info(contentType).Serializer, version).Encode(object, &out))
	return out.Bytes()
}

// A watch as the API server writes it: see pkg/endpoints/handlers/watch.go of k8s.io/apiserver.
func encodeWatch(contentType string, events []watch.Event) []byte {
	var out bytes.Buffer
	stream := info(contentType).StreamSerializer
	frames := stream.Framer.NewFrameWriter(&out)
	encoder := streaming.NewEncoder(frames, stream.Serializer)
	embedded := codecs.EncoderForVersion(info(contentType).Serializer, corev1.SchemeGroupVersion)
	for _, event := range events {
		var object bytes.Buffer
		check(embedded.Encode(event.Object, &object))
		check(encoder.Encode(&metav1.WatchEvent{Type: string(event.Type),
			Object: runtime.RawExtension{Raw: object.Bytes()}}))
	}
	return out.Bytes()
}

func at(text string) metav1.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	check(err)
	return metav1.NewTime(parsed)
}

func list(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func to[T any](value T) *T { return &value }

func main() {
	check(corev1.AddToScheme(scheme))
	check(storagev1.AddToScheme(scheme))
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	codecs = serializer.NewCodecFactory(scheme)

	dir := os.Args[1]
	pods, nodes := pods(), nodes()
	gone := &metav1.Status{
		Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired,
		Message: "too old resource version: 12 (4711)",
		Details: &metav1.StatusDetails{Name: "web", Kind: "pods", RetryAfterSeconds: 3},
	}
	bookmark := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "4712",
		Annotations: map[string]string{"k8s.io/initial-events-end": "true"}}}
	events := []watch.Event{
		{Type: watch.Added, Object: &pods.Items[0]},
		{Type: watch.Modified, Object: &pods.Items[1]},
		{Type: watch.Deleted, Object: &pods.Items[2]},
		{Type: watch.Bookmark, Object: bookmark},
		{Type: watch.Error, Object: gone},
	}
	for contentType, suffix := range map[string]string{
		runtime.ContentTypeProtobuf: "pb", runtime.ContentTypeJSON: "json"} {
		write := func(name string, content []byte) {
			check(os.WriteFile(filepath.Join(dir, name+"."+suffix), content, 0o644))
		}
		write("pods", encode(contentType, pods))
		write("nodes", encode(contentType, nodes))
		write("namespaces", encode(contentType, namespaces()))
		write("volumes", encode(contentType, volumes()))
		write("claims", encode(contentType, claims()))
		write("classes", encode(contentType, classes()))
		write("status", encode(contentType, gone))
		write("empty-pods", encode(contentType, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "9"}}))
		write("watch", encodeWatch(contentType, events))
	}
}
