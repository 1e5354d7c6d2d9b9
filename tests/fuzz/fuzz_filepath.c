/* Paths of requests: whatever comes out stays below the shared folder. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "edge/filepath.h"
#include "fuzz.h"

/* No segment is empty or hidden; each survives encoding and decoding. */
static void check_segment(struct str name, bool first)
{
	struct buf url = {0};
	struct edge_filepath again;

	assert(name.len > 0);
	assert(name.at[0] != '.' || (first && str_eq(name, STR(".well-known"))));
	if (buf_append_str(&url, STR("/")) < 0 || edge_filepath_encode(&url, name) < 0)
		abort();
	if (name.at[0] != '.') {
		assert(edge_filepath_decode(buf_str(&url), &again, NULL) == 0);
		assert(str_eq(str_of(again.text), name));
	}
	buf_done(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct edge_filepath path;
	struct str rest;

	if (edge_filepath_decode(str_n((const char *)bytes, len), &path, NULL) < 0)
		return 0;
	assert(len > 0 && bytes[0] == '/');
	assert(path.len < sizeof(path.text) && path.text[path.len] == 0);
	rest = str_n(path.text, path.len);
	assert(str_find(rest, 0) < 0);
	assert(rest.len == 0 || rest.at[rest.len - 1] != '/');
	for (bool first = true; rest.len > 0; first = false)
		check_segment(str_split(&rest, '/'), first);
	return 0;
}
