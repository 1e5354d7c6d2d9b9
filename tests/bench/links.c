/*
 * Many idle agents in one process, by the same code that the agent's link is made of; and what TLS
 * alone costs beside them.
 *
 *	links agents		reads pairing codes, one a line; each is redeemed by an agent with a
 *				key of its own, which then dials with one carrier and one service.
 *				Prints their number when all are up, and holds them
 *	links serve		takes TLS connections and nothing else; prints its port
 *	links tls PORT N	as many TLS connections to that, held in the same way
 *
 * Ends at SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/dial.h"
#include "net/fdlimit.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/tls.h"

#define MEMBERS_MAX 20000
#define AT_ONCE	    16 /* handshakes under way: below any limit for one source */

struct crowd;

/* One agent, or one connection. */
struct member {
	struct crowd *crowd;
	struct tls_identity *identity; /* owned */
	struct link_code code;
	struct link_dial *dial; /* owned */
	struct stream *tls;	/* owned */
	bool up;
};

struct crowd {
	struct loop *loop;
	struct member *members; /* owned */
	unsigned n, started, up;
	void (*start)(struct member *m);
	struct sock_addr to;		   /* tls */
	const struct tls_identity *shared; /* tls: one key for all */
};

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "links: %s: %s\n", what, e->text);
	exit(1);
}

static void start_more(struct crowd *crowd)
{
	while (crowd->started < crowd->n && crowd->started - crowd->up < AT_ONCE)
		crowd->start(&crowd->members[crowd->started++]);
}

static void member_is_up(struct member *m)
{
	struct crowd *crowd = m->crowd;

	if (m->up)
		return;
	m->up = true;
	crowd->up++;
	if (crowd->up == crowd->n) {
		printf("%u\n", crowd->n);
		fflush(stdout);
	}
	start_more(crowd);
}

/* ── agents ── */

static void on_state(void *arg, enum link_dial_state state, const struct err *why)
{
	if (state != LINK_DIAL_UP && why && why->text[0])
		fprintf(stderr, "links: %s: %s\n", link_dial_state_name(state), why->text);
}

static void on_welcome(void *arg, const struct link_welcome *welcome)
{
	member_is_up(arg);
}

static void on_grants(void *arg, const struct link_grants *grants)
{
}

static void on_notice(void *arg, const char *text)
{
	fprintf(stderr, "links: %s\n", text);
}

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	link_visitor_refuse(v, 503, "idle");
}

static void on_paired(void *arg, int r, const struct link_joined *joined, const struct err *why)
{
	static const struct link_dial_events events = {.on_state = on_state,
						       .on_welcome = on_welcome,
						       .on_grants = on_grants,
						       .on_notice = on_notice,
						       .on_visitor = on_visitor};
	struct member *m = arg;
	struct link_dial_config config = {.host = m->code.host,
					  .port = m->code.port,
					  .gateway = m->code.gateway,
					  .identity = m->identity,
					  .carriers = 1};
	struct link_services services = {0};
	struct link_service *web;
	struct err e = {0};

	if (r < 0)
		die("join", why);
	if (link_dial_new(m->crowd->loop, &config, &events, m, &m->dial, &e) < 0)
		die("dial", &e);
	web = link_services_add(&services, STR("web"));
	if (!web)
		die("service", &e);
	web->kind = LINK_HTTP;
	if (link_dial_set_services(m->dial, &services) < 0)
		die("services", &e);
	link_services_done(&services);
}

static void agent_start(struct member *m)
{
	struct link_pair *pair;
	struct err e = {0};

	if (tls_identity_new(&m->identity, &e) < 0 ||
	    link_pair_start(m->crowd->loop, &m->code, m->identity, on_paired, m, &pair, &e) < 0)
		die("join", &e);
}

static void read_codes(struct crowd *crowd)
{
	char line[LINK_CODE_TEXT_MAX + 2];
	struct err e = {0};

	while (crowd->n < MEMBERS_MAX && fgets(line, sizeof(line), stdin)) {
		struct member *m = &crowd->members[crowd->n++];

		m->crowd = crowd;
		if (link_code_parse(str_of(line), &m->code, &e) < 0)
			die("code", &e);
	}
}

/* ── TLS alone ── */

static void on_quiet(void *arg, unsigned events)
{
	struct stream **tls = arg;
	struct err e = {0};
	uint8_t byte;
	ssize_t n = stream_read(*tls, &byte, 1, &e);

	if (n == -ERR_AGAIN)
		return;
	stream_close(*tls);
	*tls = NULL;
}

static void on_tls(void *arg, unsigned events)
{
	struct member *m = arg;

	on_quiet(&m->tls, events);
	if (!m->tls)
		exit(1);
	if (tls_stream_ready(m->tls))
		member_is_up(m);
}

static void on_connected(void *arg, int r, struct stream *tcp, const struct err *why)
{
	struct member *m = arg;
	struct err e = {0};

	if (r < 0)
		die("connect", why);
	if (tls_client_new(tcp, m->crowd->shared, LINK_ALPN, NULL, &m->tls, &e) < 0)
		die("TLS", &e);
	stream_set_handler(m->tls, on_tls, m);
	on_tls(m, STREAM_READABLE);
}

static void tls_start(struct member *m)
{
	struct sock_connect *connect;
	struct err e = {0};

	if (sock_connect_start(m->crowd->loop, &m->crowd->to, 10 * USEC_PER_S, on_connected, m,
			       &connect, &e) < 0)
		die("connect", &e);
}

struct server {
	struct loop *loop;
	struct tls_identity *identity; /* owned */
	struct stream *taken[MEMBERS_MAX];
	unsigned n;
};

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct server *server = arg;
	struct stream **slot = &server->taken[server->n], *tcp = NULL;
	struct err e = {0};

	if (server->n == MEMBERS_MAX || sock_stream_new(server->loop, fd, &tcp, &e) < 0)
		die("accept", &e);
	if (tls_server_new(tcp, server->identity, LINK_ALPN, slot, &e) < 0)
		die("TLS", &e);
	server->n++;
	stream_set_handler(*slot, on_quiet, slot);
	on_quiet(slot, STREAM_READABLE);
}

static void serve(struct loop *loop)
{
	static struct server server;
	struct sock_addr at = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
	struct sock_listener *listener;
	struct err e = {0};

	server.loop = loop;
	if (tls_identity_new(&server.identity, &e) < 0 ||
	    sock_listen(loop, &at, 0, on_accept, &server, &listener, &e) < 0)
		die("listen", &e);
	printf("%u\n", sock_listener_addr(listener)->ip.port);
	fflush(stdout);
}

/* ── */

static void on_term(void *arg)
{
	exit(0); /* the kernel closes what is open: nothing here is measured */
}

static int crowd_new(struct crowd *crowd, int argc, char **argv)
{
	struct tls_identity *identity;
	struct err e = {0};

	crowd->members = calloc(MEMBERS_MAX, sizeof(*crowd->members));
	if (!crowd->members)
		return -1;
	if (strcmp(argv[1], "agents") == 0 && argc == 2) {
		crowd->start = agent_start;
		read_codes(crowd);
		return 0;
	}
	if (strcmp(argv[1], "tls") != 0 || argc != 4 || atoi(argv[3]) > MEMBERS_MAX)
		return -1;
	if (tls_identity_new(&identity, &e) < 0)
		die("key", &e);
	crowd->start = tls_start;
	crowd->shared = identity;
	crowd->to.ip = (struct ipaddr){.family = 4, .bytes = {127, 0, 0, 1}};
	crowd->to.ip.port = (uint16_t)atoi(argv[2]);
	crowd->n = (unsigned)atoi(argv[3]);
	for (unsigned i = 0; i < crowd->n; i++)
		crowd->members[i].crowd = crowd;
	return 0;
}

int main(int argc, char **argv)
{
	struct crowd crowd = {0};
	struct err e = {0};

	loop_size_pool();
	if (loop_new(&crowd.loop, &e) < 0 ||
	    loop_on_signal(crowd.loop, SIGTERM, on_term, NULL, &e) < 0)
		die("loop", &e);
	fdlimit_raise();
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		serve(crowd.loop);
	} else if (argc < 2 || crowd_new(&crowd, argc, argv) < 0) {
		fprintf(stderr, "usage: links agents | serve | tls PORT N\n");
		return 2;
	}
	start_more(&crowd);
	loop_run(crowd.loop);
	return 0;
}
