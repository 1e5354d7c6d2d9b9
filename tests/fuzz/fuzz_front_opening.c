/* The first byte says which port and how the rest is cut; however that is, the verdict is one. */
#include "fuzz.h"

#include <assert.h>

#include "front/opening.h"

static uint8_t scratch[CLIENTHELLO_MAX];

static enum front_opening_verdict feed(enum front_kind kind, const uint8_t *bytes, size_t len,
				       size_t piece, struct front_asked *asked, size_t *took)
{
	enum front_opening_verdict verdict = FRONT_OPENING_MORE;
	struct front_opening o;

	front_opening_init(&o, kind, STR("homeport/1"));
	len = MIN(len, front_opening_max(kind)); /* as front reads */
	for (*took = 0; *took < len && verdict == FRONT_OPENING_MORE;) {
		*took = MIN(*took + piece, len);
		verdict = front_opening_read(&o, bytes, *took, scratch, asked);
	}
	assert(front_opening_verdict_name(verdict));
	return verdict;
}

static bool is_routed(enum front_opening_verdict verdict)
{
	return verdict == FRONT_OPENING_LINK || verdict == FRONT_OPENING_TLS ||
	       verdict == FRONT_OPENING_HTTP;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct front_asked whole = {0}, cut = {0};
	enum front_opening_verdict want, got;
	enum front_kind kind;
	size_t piece, took;

	if (len < 1)
		return 0;
	kind = bytes[0] & 1 ? FRONT_HTTP : FRONT_HTTPS;
	piece = 1 + (bytes[0] >> 1);
	want = feed(kind, bytes + 1, len - 1, SIZE_MAX / 2, &whole, &took);
	got = feed(kind, bytes + 1, len - 1, piece, &cut, &took);
	assert(is_routed(want) == is_routed(got));
	if (!is_routed(want))
		return 0;
	assert(want == got);
	assert(strcmp(whole.host, cut.host) == 0);
	assert(str_eq(whole.path, cut.path));
	assert(!cut.host[0] || cut.host[0] == '[' || hostname_valid(str_of(cut.host)));
	assert(want != FRONT_OPENING_HTTP || cut.path.at[0] == '/' || str_eq(cut.path, STR("*")));
	return 0;
}
