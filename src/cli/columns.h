/*
 * Aligned columns for tables on stdout. Text from elsewhere is made printable.
 *
 *	columns_row(&c, "NAME", "STATE", NULL);
 *	columns_row(&c, agent, online ? "online" : "offline", NULL);
 *	columns_print(&c, stdout);
 *	columns_done(&c);
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"

#define COLUMNS_MAX 12

struct columns {
	char **cells; /* owned, and each of them: n_rows times n_columns */
	size_t n_rows, n_columns;
	bool failed; /* no memory: columns_print prints what there is */
};

/* Add a row: texts up to NULL, as many as in the first row. An empty text shows as "-". */
void columns_row(struct columns *c, ...) __attribute__((sentinel));
void columns_print(const struct columns *c, FILE *out);
void columns_done(struct columns *c);
