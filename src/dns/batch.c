#include "dns/batch.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "dns/exchange.h"
#include "dns/keeper_private.h"
#include "dns/query.h"
#include "dns/rfc2136.h"
#include "net/resolve.h"

#define BATCH_NAMES_MAX (DNS_UPDATE_CHANGES_MAX / 2) /* two families each */

struct batch {
	struct list node; /* in the keeper's */
	struct dns_keeper *keeper;
	struct keeper_name *names[BATCH_NAMES_MAX]; /* borrowed */
	size_t n, from, to;			    /* names[from..to) are in the message */
	size_t most;				    /* names in the next one */
	struct ipaddr addrs[RESOLVE_ADDRS_MAX];	    /* of the server */
	size_t n_addrs, addr;			    /* the one that is tried */
	char key_text[HOSTNAME_MAX + 16];
	struct dns_key key;
	struct dns_update_sent sent;
	struct resolve *resolve;       /* owned */
	struct dns_exchange *exchange; /* owned */
};

static void batch_free(struct batch *b)
{
	resolve_cancel(b->resolve);
	dns_exchange_cancel(b->exchange);
	list_remove(&b->node);
	free(b);
}

static void send_next(struct batch *b);

static void halve(struct batch *b)
{
	b->most = (b->to - b->from) / 2;
	b->to = b->from + b->most;
}

/* The same for every name of the message. */
static void tell(struct batch *b, const struct dns_reply *reply)
{
	for (size_t i = b->from; i < b->to; i++)
		keeper_finish(b->names[i], reply, 0);
	b->from = b->to;
}

/* And on with the rest. */
static void finish(struct batch *b, const struct dns_reply *reply)
{
	if (reply->verdict == DNS_GOOD)
		b->most *= 2;
	tell(b, reply);
	send_next(b);
}

static struct dns_reply reply_of(enum dns_verdict verdict, const struct err *e)
{
	struct dns_reply reply = {.verdict = verdict};

	snprintf(reply.text, sizeof(reply.text), "%.*s", (int)sizeof(reply.text) - 1, e->text);
	return reply;
}

/* The server cannot be reached: the names of the message are told that, and the others need not try. */
static void give_up(struct batch *b, enum dns_verdict verdict, const struct err *e)
{
	struct dns_reply of_message = reply_of(verdict, e), of_rest = reply_of(DNS_NETWORK, e);

	tell(b, &of_message);
	b->to = b->n;
	tell(b, &of_rest);
	batch_free(b);
}

/* Whether the refusal may be about one of several names. */
static bool is_about_a_name(enum dns_verdict verdict)
{
	return verdict == DNS_BADKEY || verdict == DNS_REFUSED || verdict == DNS_NOHOST;
}

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e)
{
	struct batch *b = arg;
	struct dns_reply reply;

	if (r == 0 && dns_update_decode(&b->sent, &b->key, message, keeper_now_s(b->keeper), &reply,
					NULL) < 0)
		return false; /* not the server's word: wait for it */
	b->exchange = NULL;
	if (r < 0 && !sent && b->addr + 1 < b->n_addrs) {
		b->addr++;
		send_next(b);
	} else if (r < 0) {
		give_up(b, sent ? DNS_LOST : DNS_NETWORK, e);
	} else if (b->to - b->from > 1 && is_about_a_name(reply.verdict)) {
		halve(b); /* until it is alone */
		send_next(b);
	} else {
		finish(b, &reply);
	}
	return true;
}

static void add_changes(const struct keeper_name *name, struct dns_change *changes, size_t *n)
{
	unsigned ttl = name->entry.ttl_s ? name->entry.ttl_s : DNS_TTL_DEFAULT_S;

	for (int s = 0; s < 2; s++)
		if (name->sides[s].sending)
			changes[(*n)++] =
				(struct dns_change){.host = name->entry.host,
						    .address = name->sides[s].machine.attempt,
						    .ttl_s = ttl};
}

static int send_message(struct batch *b, struct err *e)
{
	AUTO(freep) struct dns_change *changes = calloc(DNS_UPDATE_CHANGES_MAX, sizeof(*changes));
	AUTO(buf_donep) struct buf wire = {0};
	const struct sock_addr server = {.ip = b->addrs[b->addr]};
	size_t n = 0;
	uint16_t id;
	int r;

	if (!changes)
		return err_set(e, ERR_NOMEM, "message");
	for (size_t i = b->from; i < b->to; i++)
		add_changes(b->names[i], changes, &n);
	rand_bytes(&id, sizeof(id));
	r = dns_update_encode(b->names[0]->entry.zone, changes, n, &b->key, id, &wire, &b->sent, e);
	if (r < 0)
		return r;
	return dns_exchange_start(b->keeper->loop, &server, buf_str(&wire), on_answer, b,
				  &b->exchange, e);
}

/* As many as a message takes. */
static void send_next(struct batch *b)
{
	struct dns_reply refused;
	struct err e = {0};
	int r;

	if (b->from == b->n) {
		batch_free(b);
		return;
	}
	b->to = MIN(b->from + b->most, b->n);
	while (((r = send_message(b, &e)) == -ERR_LIMIT || r == -ERR_INVALID) &&
	       b->to - b->from > 1)
		halve(b); /* too long, or a name of it is none */
	if (r == -ERR_INVALID || r == -ERR_LIMIT) {
		refused = reply_of(DNS_REFUSED, &e);
		finish(b, &refused);
	} else if (r < 0) {
		give_up(b, DNS_NETWORK, &e);
	}
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct batch *b = arg;

	b->resolve = NULL;
	if (r < 0) {
		give_up(b, DNS_NETWORK, e);
		return;
	}
	b->n_addrs = MIN(n, ARRAY_LEN(b->addrs));
	memcpy(b->addrs, addrs, b->n_addrs * sizeof(*addrs));
	send_next(b);
}

static int find_server(struct batch *b, struct err *e)
{
	const struct dns_entry *entry = &b->names[0]->entry;
	char host[HOSTNAME_MAX];
	uint16_t port = DNS_QUERY_PORT;
	struct str name;
	int r = dns_key_parse(entry->user, b->key_text, &b->key, e);

	b->key.secret = entry->pass;
	if (r < 0)
		return r;
	if (hostport_split(str_of(entry->server), &name, &port) < 0 ||
	    !str_copy(host, sizeof(host), name))
		return err_set(e, ERR_INVALID, "server = %s is no host name", entry->server);
	return resolve_start(b->keeper->loop, host, port, on_resolved, b, &b->resolve, e);
}

void keeper_batch_start(struct dns_keeper *k, unsigned long first)
{
	struct keeper_name *lead = &k->names[first];
	struct batch *b = calloc(1, sizeof(*b));
	struct dns_reply failed = {.verdict = DNS_NETWORK, .text = "no memory"};
	struct err e = {0};
	int r;

	keeper_set_stage(lead, STAGE_SENT);
	if (!b) {
		keeper_finish(lead, &failed, 0);
		return;
	}
	b->keeper = k;
	list_push(&k->batches, &b->node);
	b->names[b->n++] = lead;
	for (size_t i = first + 1; i < k->n_names && b->n < BATCH_NAMES_MAX; i++) {
		struct keeper_name *name = &k->names[i];

		if (name->stage != STAGE_STORED || !keeper_same_account(name, lead))
			continue;
		keeper_set_stage(name, STAGE_SENT);
		b->names[b->n++] = name;
	}
	b->most = b->to = b->n;
	r = find_server(b, &e);
	if (r < 0) { /* what is wrong with the key or the server is wrong with all */
		failed = reply_of(r == -ERR_INVALID ? DNS_REFUSED : DNS_NETWORK, &e);
		tell(b, &failed);
		batch_free(b);
	}
}

void keeper_batches_cancel(struct dns_keeper *k)
{
	struct batch *b, *tmp;

	list_for_each_safe (b, tmp, &k->batches, node)
		batch_free(b);
}
