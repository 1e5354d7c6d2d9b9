# A thin front for daily work; meson and the scripts do everything.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
ROUNDS ?= 5
SOAK_ROUNDS ?= 20

build: build/build.ninja
	ninja -C build

build/build.ninja:
	scripts/install-deps build
	meson setup build --prefix=$(PREFIX)

check:
	./check

# Every fuzz target in turn, from its seeds and from what earlier rounds found.
fuzz:
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz

# Bad days again and again: cut lines, stopped programs, crowds. Prints p50 and p99; hours, on a machine that
# does nothing else.
soak: build
	SOAK_ROUNDS=$(SOAK_ROUNDS) /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -rs -m soak tests/system

# homeport beside ssh -R, HAProxy, nginx, what scripts/install-peers found, and no tunnel; 20 minutes, on a machine
# that does nothing else. The line needs root.
bench:
	ROUNDS=$(ROUNDS) scripts/bench

# Programs, man pages, completion, units and examples; DESTDIR for packagers.
install: build
	meson configure build --prefix=$(PREFIX)
	ninja -C build
	DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

# What the last `make install` put there.
uninstall:
	DESTDIR=$(DESTDIR) ninja -C build uninstall

# build-deb/*.deb
deb:
	scripts/deb

# Their installation, upgrade and purge in a fresh system, and the units under a systemd of their own; as
# root, a few minutes.
deb-check: deb
	tests/deb/test.sh
	tests/deb/boot.sh

format:
	git ls-files '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-check build-fuzz build-bench build-deb

.PHONY: build check fuzz soak bench install uninstall deb deb-check format clean
