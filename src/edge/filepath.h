/*
 * From the path of a request to a file's path below a shared folder (RFC 3986 §3.3, §2.1). Pure.
 *
 *	/a%20b//c.txt?x=y   "a b/c.txt"
 *	/                   "" (folder)
 *	/photos/            "photos" (folder)
 *
 * What comes out has no empty, "." or ".." segment, no leading '/', and no hidden name, whatever
 * came in.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define EDGE_FILEPATH_MAX 2048

struct edge_filepath {
	char text[EDGE_FILEPATH_MAX]; /* decoded, NUL-terminated; "" is the shared folder itself */
	size_t len;
	bool folder; /* it ended in '/' */
};

/*
 * Decode. -ERR_INVALID (answer 400): not beginning with '/', a bad percent-encoding, or an encoded
 * NUL. -ERR_NOT_FOUND (404): a hidden name (beginning with '.', but ".well-known" at the top, RFC
 * 8615), ".." among them, or an encoded '/'. -ERR_LIMIT (404): longer than any file's.
 */
int edge_filepath_decode(struct str path, struct edge_filepath *ret, struct err *e) MUST_CHECK;

/* Whether a name in "/a/b", as seen from the shared folder, is hidden; by the same rule. */
bool edge_filepath_below_hidden(struct str path);

/* Append one name as a segment of a URL: all but letters, digits and "-._~" percent-encoded, so
 * that it can be neither a scheme nor a path. -ERR_LIMIT, -ERR_NOMEM as buf_append. */
struct buf;
int edge_filepath_encode(struct buf *to, struct str name) MUST_CHECK;

/* A name that is not shown: it begins with '.'. */
static inline bool edge_filepath_hidden(struct str name)
{
	return name.len > 0 && name.at[0] == '.';
}
