/* Random bytes from the kernel (getrandom(2)); never blocks after boot, never fails. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *to, size_t len);

/* Uniform in 0 .. below-1. below > 0. */
uint64_t rand_below(uint64_t below);
