/* A visitor's bytes into an HTTP server; the first byte says in which pieces they come. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "http/server.h"
#include "net/mem.h"

struct visit {
	struct http_server *server;
	struct http_exchange *x;
};

/* Every body is echoed; an upgrade is granted. */
static void echo(struct visit *v)
{
	uint8_t bytes[700];

	while (v->x && http_exchange_can_write(v->x)) {
		ssize_t n = http_exchange_read(v->x, bytes, sizeof(bytes));

		if (n > 0)
			http_exchange_write(v->x, bytes, (size_t)n);
		if (n == 0)
			http_exchange_finish(v->x);
		if (n <= 0)
			break;
	}
}

static void on_request(void *arg, struct http_exchange *x)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};
	const struct httphead *head = http_exchange_head(x);
	struct visit *v = arg;

	v->x = x;
	assert(head->path.len > 0 && (head->path.at[0] == '/' || head->path.at[0] == '*'));
	if (head->upgrade && !httphead_has_body(head)) {
		http_fields_add(&fields, STR("Upgrade"), STR("echo"));
		http_exchange_upgrade(x, &fields);
		echo(v);
		return;
	}
	for (size_t i = 0; i < head->n_fields; i++)
		http_fields_add(&fields, STR("X-Was"), head->fields[i].value);
	http_exchange_respond(x, 200, &fields, HTTP_LENGTH_UNKNOWN);
	echo(v);
}

static void on_ready(void *arg, unsigned events)
{
	echo(arg);
}

static void on_end(void *arg, const struct http_ending *ending)
{
	struct visit *v = arg;

	v->x = NULL;
}

static void on_closed(void *arg)
{
	struct visit *v = arg;

	http_server_free(v->server);
	v->server = NULL;
}

static const struct http_handler handler = {on_request, on_ready, on_end, on_closed};

static void swallow(struct stream *s)
{
	char bytes[4096];
	ssize_t n;

	do
		n = stream_read(s, bytes, sizeof(bytes), NULL);
	while (n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct stream *visitor, *end;
	struct visit v = {0};
	struct loop *loop;
	size_t step = len ? (bytes[0] & 127) + 1 : 1, at = 1;
	bool slow = len && bytes[0] & 128;

	if (loop_new_sim(&loop, NULL) < 0 ||
	    mem_pair_new(loop, slow ? 100 : 0, &visitor, &end, NULL) < 0 ||
	    http_server_new(loop, end, &handler, &v, &v.server, NULL) < 0)
		abort();
	for (int stuck = 0; at < len && v.server && stuck < 100;) {
		ssize_t n =
			stream_write(visitor, bytes + at, step < len - at ? step : len - at, NULL);

		if (n > 0)
			at += (size_t)n;
		stuck = n > 0 ? 0 : stuck + 1;
		loop_sim_advance(loop, slow ? USEC_PER_MS : 0);
		swallow(visitor);
	}
	if (slow)
		stream_reset(visitor);
	else
		stream_close(visitor);
	loop_sim_advance(loop, 200 * USEC_PER_S);
	assert(!v.server && !v.x); /* whatever came, nothing stays */
	loop_free(loop);
	return 0;
}
