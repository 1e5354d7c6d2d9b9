# A thin front for daily work; meson and the scripts do everything.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
ROUNDS ?= 3

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

# homeport beside ssh -R and no tunnel; a few minutes, on a machine that does nothing else.
bench:
	ROUNDS=$(ROUNDS) scripts/bench

install: build
	meson install -C build --no-rebuild

format:
	git ls-files '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-check build-fuzz build-bench

.PHONY: build check fuzz bench install format clean
