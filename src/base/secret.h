/* Secrets: wiped when no longer needed, compared in constant time, never logged. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Overwrite so that the compiler cannot leave it out. */
void secret_wipe(void *bytes, size_t len);

/* Equal? The time depends on len alone. */
bool secret_equal(const void *a, const void *b, size_t len);
