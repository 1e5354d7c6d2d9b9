/*
 * The entry of every fuzz target: feed `len` bytes from outside to one decoder. Return 0.
 *
 * With -Dfuzz=true libFuzzer calls it with inputs of its own making; otherwise replay.c calls it
 * once for each seed, so that every ordinary test run covers the seeds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
