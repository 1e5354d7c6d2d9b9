/* Documents of devices, which are seeds of the fuzz targets too. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

/* The file tests/fuzz/seeds/NAME; the caller's to free. */
static inline struct buf seed(const char *name)
{
	char path[512];
	struct buf b = {0};
	FILE *file;
	uint8_t *room;

	snprintf(path, sizeof(path), "%s/%s", TEST_SEEDS, name);
	file = fopen(path, "r");
	assert_non_null(file);
	buf_init(&b, 0);
	room = buf_reserve(&b, 65536);
	assert_non_null(room);
	buf_commit(&b, fread(room, 1, 65536, file));
	fclose(file);
	return b;
}
