#include "dns/updater.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/rand.h"
#include "dns/query.h"

static void end(struct dns_updater *u, const struct dns_reply *reply)
{
	u->done(u->arg, reply);
}

static void fail(struct dns_updater *u, enum dns_verdict verdict, const struct err *e)
{
	struct dns_reply reply = {.verdict = verdict};

	snprintf(reply.text, sizeof(reply.text), "%.*s", (int)sizeof(reply.text) - 1, e->text);
	end(u, &reply);
}

static void transmit(struct dns_updater *u);

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e)
{
	struct dns_updater *u = arg;
	struct dns_reply reply;

	if (r == 0 && dns_update_decode(&u->sent, &u->key, message, u->now_s, &reply, NULL) < 0)
		return false; /* not the server's word: wait for it */
	u->exchange = NULL;
	if (r < 0 && !sent && u->addr + 1 < u->n_addrs) {
		u->addr++;
		transmit(u);
	} else if (r < 0) {
		fail(u, sent ? DNS_LOST : DNS_NETWORK, e);
	} else {
		end(u, &reply);
	}
	return true;
}

static int begin(struct dns_updater *u, struct err *e)
{
	const struct sock_addr server = {.ip = u->addrs[u->addr]};
	AUTO(buf_donep) struct buf wire = {0};
	uint16_t id;
	int r;

	rand_bytes(&id, sizeof(id));
	r = dns_update_encode(u->entry->zone, &u->change, 1, &u->key, id, &wire, &u->sent, e);
	if (r < 0)
		return r;
	return dns_exchange_start(u->loop, &server, buf_str(&wire), on_answer, u, &u->exchange, e);
}

static void transmit(struct dns_updater *u)
{
	struct err e = {0};
	int r = begin(u, &e);

	if (r < 0)
		fail(u, r == -ERR_INVALID ? DNS_REFUSED : DNS_NETWORK, &e);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct dns_updater *u = arg;

	u->resolve = NULL;
	if (r < 0) {
		fail(u, DNS_NETWORK, e);
		return;
	}
	u->n_addrs = MIN(n, ARRAY_LEN(u->addrs));
	memcpy(u->addrs, addrs, u->n_addrs * sizeof(*addrs));
	transmit(u);
}

int dns_updater_start(struct dns_updater *u, struct loop *loop, const struct dns_entry *entry,
		      const struct dns_change *change, int64_t now_s,
		      void (*done)(void *arg, const struct dns_reply *reply), void *arg,
		      struct err *e)
{
	char host[HOSTNAME_MAX];
	uint16_t port = DNS_QUERY_PORT;
	struct str name;
	int r;

	*u = (struct dns_updater){.loop = loop,
				  .entry = entry,
				  .change = *change,
				  .now_s = now_s,
				  .done = done,
				  .arg = arg};
	r = dns_key_parse(entry->user, u->key_text, &u->key, e);
	if (r < 0)
		return r;
	u->key.secret = entry->pass;
	if (hostport_split(str_of(entry->server), &name, &port) < 0 ||
	    !str_copy(host, sizeof(host), name))
		return err_set(e, ERR_INVALID, "server = %s is no host name", entry->server);
	return resolve_start(loop, host, port, on_resolved, u, &u->resolve, e);
}

void dns_updater_cancel(struct dns_updater *u)
{
	resolve_cancel(TAKE(u->resolve));
	dns_exchange_cancel(TAKE(u->exchange));
}
