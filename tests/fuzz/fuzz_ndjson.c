/*
 * Messages of the control channel. The first byte says where the rest is cut in two: the objects
 * must be the same as in one piece.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "net/ndjson.h"

#define FUZZ_LINE_MAX ((size_t)1024)

static int append_object(void *arg, json_t *object, struct err *e)
{
	return ndjson_append(arg, object);
}

/* The result, and in *text the objects before it. */
static int feed(const uint8_t *bytes, size_t len, size_t cut, struct buf *text)
{
	struct ndjson n;
	int r;

	ndjson_init(&n, FUZZ_LINE_MAX);
	r = ndjson_feed(&n, bytes, cut, append_object, text, NULL);
	if (r == 0)
		r = ndjson_feed(&n, bytes + cut, len - cut, append_object, text, NULL);
	ndjson_done(&n);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(buf_donep) struct buf whole = {0};
	AUTO(buf_donep) struct buf cut = {0};

	if (len == 0)
		return 0;
	if (feed(bytes + 1, len - 1, len - 1, &whole) !=
	    feed(bytes + 1, len - 1, bytes[0] % len, &cut))
		abort();
	if (!str_eq(buf_str(&whole), buf_str(&cut)))
		abort();
	return 0;
}
