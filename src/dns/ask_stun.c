#include "dns/ask_stun.h"

#include <net/if.h>

#include "base/rand.h"
#include "net/udp.h"
#include "proto/stun.h"

struct dns_ask_stun {
	struct loop *loop; /* borrowed */
	uint8_t family;
	struct ipaddr source;	     /* family 0: the kernel's choice */
	char interface[IF_NAMESIZE]; /* "": any */
	struct resolve *resolve;     /* owned; NULL: done */
	int fd;			     /* -1: none yet */
	struct watch *watch;	     /* owned */
	uint8_t id[STUN_ID_LEN];
	struct timer again, end;
	usec_t wait; /* until it is sent again */
	void (*done)(void *arg, int r, const struct ipaddr *address, const struct err *e);
	void *arg;
};

void dns_ask_stun_cancel(struct dns_ask_stun *ask)
{
	if (!ask)
		return;
	resolve_cancel(ask->resolve);
	timer_stop(&ask->again);
	timer_stop(&ask->end);
	watch_free(ask->watch);
	if (ask->fd >= 0)
		close(ask->fd);
	free(ask);
}

static void end(struct dns_ask_stun *ask, int r, const struct ipaddr *address, const struct err *e)
{
	void (*done)(void *arg, int r, const struct ipaddr *address, const struct err *e) =
		ask->done;
	void *arg = ask->arg;

	dns_ask_stun_cancel(ask);
	done(arg, r, address, e);
}

static void transmit(struct dns_ask_stun *ask)
{
	uint8_t pkt[STUN_REQUEST_LEN];
	struct iovec iov = {.iov_base = pkt, .iov_len = sizeof(pkt)};

	stun_encode_request(pkt, ask->id);
	udp_send(ask->fd, NULL, NULL, &iov, 1); /* what the kernel had no room for is sent again */
	timer_start(&ask->again, ask->wait);
	ask->wait *= 2;
}

static void on_again(void *arg)
{
	transmit(arg);
}

static void on_end(void *arg)
{
	struct err e = {0};

	end(arg, err_set(&e, ERR_TIMEOUT, "no answer within 3 s"), NULL, &e);
}

/* True: it was an answer to this, and the end. */
static bool take(struct dns_ask_stun *ask, const struct udp_datagram *d)
{
	struct stun_answer answer;
	struct err e = {0};

	if (stun_decode_answer(d->bytes, d->len, ask->id, &answer, NULL) < 0)
		return false;
	answer.mapped.port = 0;
	if (answer.error)
		end(ask, err_set(&e, ERR_REFUSED, "it answers with error %u", answer.error), NULL,
		    &e);
	else if (answer.mapped.family != ask->family)
		end(ask, err_set(&e, ERR_INVALID, "it tells an address of the other family"), NULL,
		    &e);
	else
		end(ask, 0, &answer.mapped, NULL);
	return true;
}

static void on_readable(void *arg, unsigned events)
{
	struct dns_ask_stun *ask = arg;
	struct udp_datagram got[UDP_BATCH_MAX];
	struct err e = {0};
	int n = udp_receive(ask->loop, ask->fd, UDP_BATCH_MAX, got, &e);

	if (n == -ERR_AGAIN)
		return;
	if (n < 0) {
		end(ask, n, NULL, &e);
		return;
	}
	for (int i = 0; i < n; i++)
		if (take(ask, &got[i]))
			return;
}

static int open_socket(struct dns_ask_stun *ask, const struct ipaddr *server, struct err *e)
{
	int r = udp_connect_from(ask->source.family ? &ask->source : NULL,
				 *ask->interface ? ask->interface : NULL, server, &ask->fd, e);

	if (r == 0)
		r = watch_new(ask->loop, ask->fd, on_readable, ask, &ask->watch, e);
	if (r == 0)
		watch_set(ask->watch, WATCH_READ);
	return r;
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct dns_ask_stun *ask = arg;
	const struct ipaddr *server = NULL;
	struct err mine = {0};

	ask->resolve = NULL;
	if (r < 0) {
		mine = *e;
		end(ask, r, NULL, &mine);
		return;
	}
	for (size_t i = 0; i < n && !server; i++)
		if (addrs[i].family == ask->family)
			server = &addrs[i];
	if (!server)
		r = err_set(&mine, ERR_NOT_FOUND, "it has no IPv%u address", ask->family);
	else
		r = open_socket(ask, server, &mine);
	if (r < 0) {
		end(ask, r, NULL, &mine);
		return;
	}
	timer_start(&ask->end, DNS_ASK_STUN_TIMEOUT);
	transmit(ask);
}

int dns_ask_stun_start(struct loop *loop, const char *host, uint16_t port, uint8_t family,
		       const struct ipaddr *source, const char *interface,
		       void (*done)(void *arg, int r, const struct ipaddr *address,
				    const struct err *e),
		       void *arg, struct dns_ask_stun **ret_ask, struct err *e)
{
	struct dns_ask_stun *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask)
		return err_set(e, ERR_NOMEM, "STUN");
	ask->loop = loop;
	ask->family = family;
	if (source)
		ask->source = *source;
	ask->source.port = 0;
	if (interface)
		str_copy(ask->interface, sizeof(ask->interface), str_of(interface));
	ask->fd = -1;
	ask->wait = DNS_ASK_STUN_FIRST;
	ask->done = done;
	ask->arg = arg;
	rand_bytes(ask->id, sizeof(ask->id));
	timer_init(&ask->again, loop, on_again, ask);
	timer_init(&ask->end, loop, on_end, ask);
	r = resolve_start(loop, host, port, on_resolved, ask, &ask->resolve, e);
	if (r < 0) {
		dns_ask_stun_cancel(ask);
		return r;
	}
	*ret_ask = ask;
	return 0;
}
