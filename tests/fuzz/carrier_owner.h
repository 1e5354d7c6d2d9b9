/*
 * An owner of a carrier who does a bit of everything. What he does with a visitor depends on the
 * service's name, what he does on a control message on its type, so that both are in the hands of
 * whoever writes the other side's bytes. fuzz_carrier_*.c feed him, record_carrier.c lets two of
 * them talk.
 */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/carrier.h"
#include "net/mem.h"

#define OWNER_ENDS_MAX 64
#define OWNER_BUDGET   ((size_t)1 << 20)

static const char *const owner_services[] = {"echo", "page", "refuse", "later", "reset", "flow"};

/* The outer end of a visitor's local stream. */
struct owner_end {
	struct owner *owner;
	const char *service;
	struct stream *s;	    /* owned */
	struct link_visitor *waits; /* agent: not answered yet */
	size_t to_send;
	unsigned turns;
	bool over; /* the last callback came */
};

struct owner {
	struct loop *loop;
	enum carrier_side side;
	struct carrier *c; /* owned; NULL once it is dead */
	struct carrier_budget budget;
	struct owner_end ends[OWNER_ENDS_MAX];
	unsigned n_ends, open, dead;
};

/* ── visitors ── */

static struct owner_end *owner_end_new(struct owner *o, const char *service)
{
	struct owner_end *end;

	if (o->n_ends == OWNER_ENDS_MAX)
		return NULL;
	end = &o->ends[o->n_ends++];
	*end = (struct owner_end){.owner = o, .service = "echo"};
	for (size_t i = 0; i < ARRAY_LEN(owner_services); i++)
		if (strcmp(service, owner_services[i]) == 0)
			end->service = owner_services[i];
	end->to_send = strcmp(end->service, "page") == 0 ? 5000 : 100;
	return end;
}

static void owner_on_closed(void *arg, const struct link_visitor_totals *totals)
{
	struct owner_end *end = arg;

	assert(!end->over);
	end->over = true;
	end->waits = NULL;
}

static void owner_on_returned(void *arg, struct stream *local, int r, unsigned status,
			      const char *reason)
{
	assert(r < 0 && reason);
	stream_close(local);
	owner_on_closed(arg, NULL);
}

static const struct link_visitor_handler owner_visitor = {.on_returned = owner_on_returned,
							  .on_closed = owner_on_closed};

static void owner_accept(struct owner_end *end)
{
	struct link_visitor *v = TAKE(end->waits);
	struct stream *inner;

	if (mem_pair_new(end->owner->loop, 0, &inner, &end->s, NULL) < 0)
		abort();
	link_visitor_accept(v, inner);
}

static void owner_on_visitor(void *arg, struct link_visitor *v, const char *service,
			     const struct forwarded *who)
{
	struct owner_end *end = owner_end_new(arg, service);

	if (!end) {
		link_visitor_refuse(v, 503, NULL);
		return;
	}
	end->waits = v;
	link_visitor_set_handler(v, &owner_visitor, end);
	if (strcmp(end->service, "refuse") == 0) {
		link_visitor_refuse(TAKE(end->waits), 502, "nobody listens");
		end->over = true;
	} else if (strcmp(end->service, "later") != 0) {
		owner_accept(end);
	}
}

static void owner_visit(struct owner *o, const char *service)
{
	struct forwarded who = {.addr = {.family = 4, .bytes = {198, 51, 100, 20}, .port = 4711},
				.host = "blog.example.org",
				.proto = "http"};
	struct owner_end *end = owner_end_new(o, service);
	struct stream *inner;

	if (!end)
		return;
	if (strcmp(service, "flow") == 0)
		strcpy(who.proto, "udp");
	if (mem_pair_new(o->loop, 0, &inner, &end->s, NULL) < 0)
		abort();
	if (carrier_open(o->c, service, &who, inner, &owner_visitor, end, NULL, NULL) < 0) {
		stream_close(inner);
		end->over = true;
	}
}

/* ── the carrier ── */

static void owner_on_open(void *arg)
{
	struct owner *o = arg;

	assert(o->open++ == 0);
	if (o->side == CARRIER_GATEWAY)
		for (size_t i = 0; i < ARRAY_LEN(owner_services); i++)
			owner_visit(o, owner_services[i]);
}

static int owner_on_object(void *arg, json_t *object, struct err *e)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	struct owner *o = arg;

	if (!type || strcmp(type, "bad") == 0)
		return err_set(e, ERR_INVALID, "no good");
	if (strcmp(type, "free") == 0)
		carrier_free(TAKE(o->c));
	else if (strcmp(type, "close") == 0)
		carrier_close(o->c);
	else if (strcmp(type, "drain") == 0 && o->side == CARRIER_AGENT)
		carrier_drain(o->c);
	else if (strcmp(type, "ask") == 0)
		carrier_ask(o->c);
	else if (strcmp(type, "visit") == 0 && o->side == CARRIER_GATEWAY)
		owner_visit(o, "echo");
	else if (strcmp(type, "answer") == 0)
		return carrier_send(o->c, json_pack("{s:s}", "type", "answered"));
	else if (strcmp(type, "few-resets") == 0)
		carrier_set_resets(o->c, 0);
	return 0;
}

static void owner_on_dead(void *arg, int r, const struct err *why)
{
	struct owner *o = arg;

	assert(o->dead++ == 0 && r <= 0);
	carrier_free(TAKE(o->c));
}

static const struct carrier_handler owner_handler = {
	.on_open = owner_on_open,
	.on_object = owner_on_object,
	.on_visitor = owner_on_visitor,
	.on_dead = owner_on_dead,
};

/* ── what happens outside ── */

static void owner_end_turn(struct owner_end *end)
{
	char bytes[3000];
	ssize_t n;

	end->turns++;
	if (end->waits && end->turns == 5)
		owner_accept(end);
	if (!end->s)
		return;
	n = stream_read(end->s, bytes, sizeof(bytes), NULL);
	if (n > 0 && strcmp(end->service, "reset") == 0) {
		stream_reset(TAKE(end->s));
		return;
	}
	if (n > 0)
		n = stream_write(end->s, bytes, (size_t)n,
				 NULL); /* what it does not take is lost */
	memset(bytes, 'x', sizeof(bytes));
	if (end->to_send)
		n = stream_write(end->s, bytes, MIN(end->to_send, sizeof(bytes)), NULL);
	if (end->to_send && n > 0)
		end->to_send -= (size_t)n;
	if (end->to_send == 0 && end->turns > 8 && stream_shutdown(end->s, NULL) < 0)
		stream_close(TAKE(end->s));
}

static void owner_turn(struct owner *o)
{
	for (unsigned i = 0; i < o->n_ends; i++)
		owner_end_turn(&o->ends[i]);
}

static void owner_start(struct owner *o, struct loop *loop, enum carrier_side side,
			struct stream *transport)
{
	*o = (struct owner){.loop = loop, .side = side, .budget.left = OWNER_BUDGET};
	if (carrier_new(loop, side, transport, &o->budget, &owner_handler, o, &o->c, NULL) < 0)
		abort();
}

/* Everybody has had exactly one end, and nothing is left over. */
static void owner_stop(struct owner *o)
{
	carrier_free(TAKE(o->c));
	assert(o->budget.left == OWNER_BUDGET);
	for (unsigned i = 0; i < o->n_ends; i++) {
		assert(o->ends[i].over);
		stream_close(TAKE(o->ends[i].s));
	}
}

/*
 * One input: bytes[0] says how large the pieces are in which the rest arrives, and (top bit)
 * whether the other side then closes or falls silent.
 */
static inline int owner_fuzz(enum carrier_side side, const uint8_t *bytes, size_t len)
{
	size_t at = 1, step;
	struct stream *line, *end;
	struct loop *loop;
	struct owner o;
	char sink[65536];

	if (len == 0)
		return 0;
	step = (bytes[0] & 127u) < 64 ? (bytes[0] & 127u) + 1 : ((bytes[0] & 127u) - 63) * 300;
	if (loop_new_sim(&loop, NULL) < 0 || mem_pair_new(loop, 0, &line, &end, NULL) < 0)
		abort();
	owner_start(&o, loop, side, end);
	while (at < len && o.c) {
		ssize_t n = stream_write(line, bytes + at, MIN(step, len - at), NULL);

		if (n < 0 && n != -ERR_AGAIN)
			break;
		at += n > 0 ? (size_t)n : 0;
		loop_sim_advance(loop, USEC_PER_MS);
		owner_turn(&o);
		while (stream_read(line, sink, sizeof(sink), NULL) > 0)
			;
	}
	for (int i = 0; i < 30; i++) {
		owner_turn(&o);
		loop_sim_advance(loop, USEC_PER_MS);
		while (stream_read(line, sink, sizeof(sink), NULL) > 0)
			;
	}
	if (bytes[0] & 128)
		stream_close(TAKE(line));
	loop_sim_advance(loop, 60 * USEC_PER_S);
	assert(!o.c); /* closed, or found silent */
	owner_stop(&o);
	stream_close(line);
	loop_sim_advance(loop, 0);
	loop_free(loop);
	return 0;
}
