# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson. `make` builds; `make demo` and `make test` also install what is missing (Debian 12).
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
RECUTS ?= 1000
SEEDS ?= 100000
FIRST ?= 501
ARCH ?= $(shell dpkg --print-architecture 2> /dev/null || echo amd64)
IMAGE ?=
SOURCE_URL ?=
KREW_URL ?=

.PHONY: all demo test unit bench soak soak-kubernetes lint install image deb krew clean help
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(NINJAFLAGS)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix $(PREFIX) -Dtests=$$(pkg-config --exists cmocka && echo true || echo false) > $(BUILD).log 2>&1 \
	  || { cat $(BUILD).log; rm -f $(BUILD).log; echo "Are all libraries there? tools/install-dependencies finds out."; exit 1; }; rm -f $(BUILD).log

demo:
	@echo "make demo: builds facet (about a minute the first time), then runs it on simulated GPUs (seconds)."
	@tools/install-dependencies build
	@$(MAKE) --no-print-directory all
	@$(BUILD)/facet demo

test:
	@tools/install-dependencies test
	@test/run

unit: all
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) $(NINJAFLAGS)
	@meson test -C $(BUILD) --no-suite interop --print-errorlogs

bench: all
	@bench/run

# Seeds of the simulation that nobody has played yet: some 300 a minute. Tells each that fails, and how to replay it.
soak: all
	@meson configure $(BUILD) -Dtests=true
	@ninja -C $(BUILD) $(NINJAFLAGS) sim/chaos/facet-chaos
	@$(BUILD)/sim/chaos/facet-chaos --go-on --first $(FIRST) --seeds $(SEEDS)

# The storm of test/run on a real Kubernetes, long and with everything restarted and killed meanwhile: about an hour.
soak-kubernetes:
	@tools/install-dependencies test
	@test/parts/build build -Dtests=true
	@test/e2e/storm/run --chaos --recuts $(RECUTS) build

lint:
	@tools/lint

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD) $(NINJAFLAGS)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild --quiet

# build/image/facet-VERSION-ARCH.oci.tar, without a container engine. ARCH=arm64 is built here by a cross compiler.
image:
	@tools/install-dependencies image-$(ARCH)
	@IMAGE=$(IMAGE) SOURCE_URL=$(SOURCE_URL) deploy/image/build $(ARCH)

# build/deb/facet_VERSION_ARCH.deb, for the Debian on which it is built.
deb:
	@tools/install-dependencies deb
	@deploy/debian/build

# The plugin of kubectl for krew: archive and manifest in build/krew. KREW_URL is where the archive will be.
krew:
	@tools/install-dependencies deb
	@deploy/krew/build $(KREW_URL)

clean:
	@rm -rf $(BUILD) build-*

help:
	@printf '  %-34s %s\n' \
	  "make" "builds build/facet" \
	  "make demo" "facet at work on simulated GPUs and a simulated cluster" \
	  "make test" "every test; make unit: those that take minutes" \
	  "make lint" "format, clang-tidy, layers, texts, contracts, docs" \
	  "make bench" "the figures of bench/RESULTS.md" \
	  "make soak SEEDS=N FIRST=N" "more seeds of the simulation that breaks everything" \
	  "make soak-kubernetes RECUTS=N" "re-cuts on a real Kubernetes while everything is killed" \
	  "make install PREFIX= DESTDIR=" "programs, man pages, completion" \
	  "make image ARCH= IMAGE=NAME:TAG" "the container image, amd64 or arm64" \
	  "make deb" "the Debian package" \
	  "make krew KREW_URL=" "kubectl's plugin as a krew archive"
