#include "gateway/handshakes.h"

#include "base/log.h"

struct handshakes {
	struct loop *loop;		     /* borrowed */
	const struct tls_identity *identity; /* borrowed */
	const char *alpn;		     /* borrowed */
	struct handshakes_handler handler;
	void *arg;

	struct list all; /* owned, oldest first: all have the same time */
	unsigned n;
	struct handshakes_counters counters; /* `now` is n */
	struct timer timer;		     /* for the oldest; may fire early */
};

struct shake {
	struct handshakes *all; /* borrowed */
	struct list node;
	struct stream *tls; /* owned */
	struct ipaddr peer;
	usec_t deadline;
};

/* Out of the list: what remains is the stream, the caller's now. */
static struct stream *release(struct shake *shake)
{
	struct stream *tls = shake->tls;

	list_remove(&shake->node);
	shake->all->n--;
	free(shake);
	return tls;
}

static void drop(struct shake *shake, const char *why)
{
	struct handshakes *h = shake->all;
	struct ipaddr peer = shake->peer;
	char text[IPADDR_TEXT_MAX];

	log_debug("link from %s: %s", ipaddr_format_port(text, &peer), why);
	stream_close(release(shake));
	h->handler.on_gone(h->arg, &peer);
}

static void on_ready(void *arg, unsigned events)
{
	struct shake *shake = arg;
	struct handshakes *h = shake->all;
	struct ipaddr peer = shake->peer;
	struct err e = {0};
	struct stream *tls;
	uint8_t byte;

	if (!tls_stream_ready(shake->tls)) {
		if (stream_read(shake->tls, &byte, 1, &e) != -ERR_AGAIN) {
			h->counters.refused_failed++;
			drop(shake, e.text); /* before it is ready there is nothing but errors */
		}
		return;
	}
	h->counters.done++;
	tls = release(shake);
	stream_set_handler(tls, NULL, NULL);
	h->handler.on_done(h->arg, tls, &peer);
}

static void on_timer(void *arg)
{
	struct handshakes *h = arg;
	struct shake *shake, *next;

	list_for_each_safe (shake, next, &h->all, node) {
		if (shake->deadline > loop_now(h->loop)) {
			timer_start_at(&h->timer, shake->deadline);
			return;
		}
		h->counters.refused_timeout++;
		drop(shake, "no TLS handshake within 5 s");
	}
}

int handshakes_new(struct loop *loop, const struct tls_identity *identity, const char *alpn,
		   const struct handshakes_handler *handler, void *arg,
		   struct handshakes **ret_handshakes, struct err *e)
{
	struct handshakes *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(e, ERR_NOMEM, "handshakes");
	*h = (struct handshakes){
		.loop = loop, .identity = identity, .alpn = alpn, .handler = *handler, .arg = arg};
	list_init(&h->all);
	timer_init(&h->timer, loop, on_timer, h);
	*ret_handshakes = h;
	return 0;
}

void handshakes_free(struct handshakes *h)
{
	struct shake *shake, *next;

	if (!h)
		return;
	timer_stop(&h->timer);
	list_for_each_safe (shake, next, &h->all, node)
		drop(shake, "the gateway is stopping");
	free(h);
}

/* Few enough to walk: HANDSHAKES_MAX, and a handshake costs much more than the walk. */
static bool is_full(const struct handshakes *h, const struct ipaddr *peer)
{
	struct ipaddr source = ipaddr_source(peer);
	const struct shake *shake;
	unsigned same = 0;

	list_for_each (shake, &h->all, node) {
		struct ipaddr other = ipaddr_source(&shake->peer);

		same += ipaddr_equal(&source, &other);
	}
	return h->n >= HANDSHAKES_MAX || same >= HANDSHAKES_PER_SOURCE_MAX;
}

void handshakes_add(struct handshakes *h, struct stream *stream, const struct ipaddr *peer)
{
	struct shake *shake = NULL;

	if (!is_full(h, peer))
		shake = calloc(1, sizeof(*shake));
	if (!shake)
		stream_close(stream);
	else if (tls_server_new(stream, h->identity, h->alpn, &shake->tls, NULL) < 0)
		free(TAKE(shake));
	if (!shake) {
		h->counters.refused_limit++;
		h->handler.on_gone(h->arg, peer);
		return;
	}
	shake->all = h;
	shake->peer = *peer;
	shake->deadline = loop_now(h->loop) + HANDSHAKES_TIMEOUT;
	list_push(&h->all, &shake->node);
	h->n++;
	stream_set_handler(shake->tls, on_ready, shake);
	if (!timer_running(&h->timer))
		timer_start_at(&h->timer, shake->deadline);
}

void handshakes_count(const struct handshakes *h, struct handshakes_counters *add_to)
{
#define X(name) add_to->name += h->counters.name;
	HANDSHAKES_COUNTERS(X)
#undef X
	add_to->now += h->n;
}
