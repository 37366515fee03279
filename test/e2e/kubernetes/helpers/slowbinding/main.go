// SPDX-License-Identifier: Apache-2.0

// slowbinding is an admission webhook that holds some bindings back: between the scheduler's decision and the API
// server's knowledge of it then lies up to -max, as on a cluster whose API server is slow. It refuses nothing.
//
//	slowbinding -listen ADDRESS -certificate FILE -key FILE [-share 0.2] [-max 3s] [-seed N]
package main

import (
	"encoding/json"
	"flag"
	"log"
	"math/rand"
	"net/http"
	"sync"
	"time"
)

type delays struct {
	lock   sync.Mutex
	random *rand.Rand
	share  float64
	max    time.Duration
}

func (d *delays) next() time.Duration {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.random.Float64() >= d.share {
		return 0
	}
	return time.Duration(d.random.Float64() * float64(d.max))
}

type review struct {
	Request struct {
		UID, Namespace, Name string
	}
}

func (d *delays) answer(w http.ResponseWriter, r *http.Request) {
	var asked review
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if delay := d.next(); delay > 0 {
		log.Printf("%s/%s is bound %v later", asked.Request.Namespace, asked.Request.Name, delay)
		time.Sleep(delay)
	}
	w.Header().Set("Content-Type", "application/json")
	err := json.NewEncoder(w).Encode(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"response": map[string]any{"uid": asked.Request.UID, "allowed": true}})
	if err != nil {
		log.Printf("%s/%s was not answered: %v", asked.Request.Namespace, asked.Request.Name, err)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:19443", "`address` for the API server")
	certificate := flag.String("certificate", "", "certificate `file`")
	key := flag.String("key", "", "key `file`")
	share := flag.Float64("share", 0.2, "share of the bindings that are held back")
	max := flag.Duration("max", 3*time.Second, "the longest time")
	seed := flag.Int64("seed", 1, "of the random numbers")
	flag.Parse()
	d := &delays{random: rand.New(rand.NewSource(*seed)), share: *share, max: *max}
	http.HandleFunc("/", d.answer)
	log.Fatal(http.ListenAndServeTLS(*listen, *certificate, *key, nil))
}
