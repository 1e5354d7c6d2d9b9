/* A local server's bytes into an HTTP client; the first byte chooses the pieces and the request. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "http/client.h"
#include "net/mem.h"

struct ask {
	struct http_client *client;
	unsigned heads, failures;
	bool ended;
};

static void pull(struct ask *a)
{
	uint8_t bytes[700];
	ssize_t n;

	while (!a->ended && (n = http_client_read(a->client, bytes, sizeof(bytes))) != -ERR_AGAIN)
		a->ended = n <= 0;
}

static void on_response(void *arg, const struct http_response *r)
{
	struct ask *a = arg;

	a->heads++;
	assert(r->status >= 100 && r->status <= 999);
	assert(a->heads <= 10 * (HTTP_CLIENT_INFORMS_MAX + 1));
	for (size_t i = 0; i < r->n_fields; i++)
		assert(r->fields[i].name.len > 0);
	if (r->status >= 200 || r->status == 101)
		pull(a);
}

static void on_ready(void *arg, unsigned events)
{
	struct ask *a = arg;

	if (a->heads)
		pull(a);
}

static void on_failed(void *arg, int r, const struct err *e)
{
	struct ask *a = arg;

	assert(r < 0 && e->text[0] && a->failures++ == 0);
}

static const struct http_client_handler handler = {on_response, on_ready, on_failed};

static void swallow(struct stream *s)
{
	char bytes[4096];
	ssize_t n;

	do
		n = stream_read(s, bytes, sizeof(bytes), NULL);
	while (n > 0);
}

static void request(struct ask *a, unsigned flags)
{
	a->ended = false;
	if (http_client_request(a->client, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_BODY_NONE,
				0, flags) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t step = len ? (bytes[0] & 63) + 1 : 1, at = 1;
	unsigned flags = len ? bytes[0] >> 6 : 0, asked = 1;
	struct stream *server, *end;
	struct ask a = {0};
	struct loop *loop;

	if (loop_new_sim(&loop, NULL) < 0 || mem_pair_new(loop, 0, &server, &end, NULL) < 0 ||
	    http_client_new(loop, end, &handler, &a, &a.client, NULL) < 0)
		abort();
	request(&a, flags);
	while (at < len) {
		ssize_t n =
			stream_write(server, bytes + at, step < len - at ? step : len - at, NULL);

		if (n <= 0)
			break;
		at += (size_t)n;
		loop_sim_advance(loop, 0);
		swallow(server);
		if (http_client_reusable(a.client) && asked++ < 10)
			request(&a, flags);
	}
	stream_close(server);
	loop_sim_advance(loop, USEC_PER_S);
	assert(a.failures || a.ended);
	http_client_free(a.client);
	loop_sim_advance(loop, 0);
	loop_free(loop);
	return 0;
}
