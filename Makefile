# A thin front for daily work; meson and the scripts do everything.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

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

install: build
	meson install -C build --no-rebuild

format:
	git ls-files '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-check build-fuzz

.PHONY: build check fuzz install format clean
