#include "map/pmp.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "map/epoch.h"
#include "map/schedule.h"
#include "net/udp.h"
#include "proto/natpmp.h"

#define PMP_RECEIVES 8 /* datagrams a turn */

struct pmp {
	struct loop *loop; /* borrowed */
	struct map_place place;
	struct pmp_handler handler;
	void *arg;
	int fd;		     /* owned */
	struct watch *watch; /* owned */
	struct list asked;   /* of struct pmp_request, borrowed: on the wire */
	struct list queued;  /* likewise: NAT-PMP mappings whose turn it is not yet */
	size_t n;	     /* in both */
	struct epoch pcp, natpmp;
	struct defer restarted; /* the handler cancels and asks: not in the midst of an answer */
};

static bool is_natpmp(const struct pmp_request *rq)
{
	return rq->kind == PMP_NATPMP_ADDRESS || rq->kind == PMP_NATPMP_MAP;
}

/* ── asking ── */

static size_t encode(const struct pmp_request *rq, uint8_t pkt[static PCP_REQUEST_MAX])
{
	const struct pcp_map map = {.proto = rq->protocol,
				    .internal_port = rq->internal_port,
				    .external = rq->suggested,
				    .lifetime_s = rq->lifetime_s,
				    .prefer_failure = rq->prefer_failure};
	const struct natpmp_map natpmp = {.proto = rq->protocol,
					  .internal_port = rq->internal_port,
					  .external_port = rq->suggested.port,
					  .lifetime_s = rq->lifetime_s};

	static_assert(NATPMP_REQUEST_MAX <= PCP_REQUEST_MAX, "one buffer for both");
	static_assert(PCP_ANNOUNCE_LEN <= PCP_REQUEST_MAX, "one buffer for both");
	switch (rq->kind) {
	case PMP_PCP_ANNOUNCE:
		return pcp_encode_announce(pkt, &rq->pmp->place.address);
	case PMP_PCP_MAP:
		return pcp_encode_map(pkt, &rq->pmp->place.address, &map, rq->nonce);
	case PMP_NATPMP_ADDRESS:
		return natpmp_encode_address(pkt);
	case PMP_NATPMP_MAP:
		return natpmp_encode_map(pkt, &natpmp);
	}
	assert(false);
	return 0;
}

static void send_it(struct pmp_request *rq)
{
	uint8_t pkt[PCP_REQUEST_MAX];
	const struct iovec piece = {pkt, encode(rq, pkt)};

	/* What the kernel did not take, or refused for a former datagram's sake, is sent again. */
	udp_send(rq->pmp->fd, NULL, NULL, &piece, 1);
	timer_start(&rq->again, schedule_resend(++rq->tries));
}

/* NAT-PMP's refusals do not tell of which mapping they are: one at a time of each protocol. */
static bool must_queue(const struct pmp *pmp, const struct pmp_request *rq)
{
	const struct pmp_request *other;

	if (rq->kind != PMP_NATPMP_MAP)
		return false;
	list_for_each (other, &pmp->asked, node)
		if (other->kind == PMP_NATPMP_MAP && other->protocol == rq->protocol)
			return true;
	return false;
}

static void begin(struct pmp_request *rq)
{
	struct pmp *pmp = rq->pmp;

	list_push(&pmp->asked, &rq->node);
	rq->asked_at = loop_now(pmp->loop);
	send_it(rq);
}

static void begin_queued(struct pmp *pmp)
{
	struct pmp_request *rq, *tmp;

	list_for_each_safe (rq, tmp, &pmp->queued, node) {
		if (must_queue(pmp, rq))
			continue;
		list_remove(&rq->node);
		begin(rq);
	}
}

static void leave(struct pmp_request *rq)
{
	timer_stop(&rq->again);
	list_remove(&rq->node);
	rq->pmp->n--;
	rq->pmp = NULL;
}

static void finish(struct pmp_request *rq, struct pmp_answer *answer)
{
	struct pmp *pmp = rq->pmp;

	answer->took = loop_now(pmp->loop) - rq->asked_at;
	leave(rq);
	begin_queued(pmp);
	rq->done(rq, answer);
}

static void fail(struct pmp_request *rq, int r)
{
	struct pmp_answer answer = {.r = r};

	finish(rq, &answer);
}

static void on_again(void *arg)
{
	struct pmp_request *rq = arg;

	if (rq->tries < SCHEDULE_SENDS_MAX)
		send_it(rq);
	else
		fail(rq, -ERR_TIMEOUT);
}

int pmp_ask(struct pmp *pmp, struct pmp_request *rq)
{
	assert(!rq->pmp);
	if (pmp->n >= PMP_REQUESTS_MAX)
		return -ERR_LIMIT;
	rq->pmp = pmp;
	rq->tries = 0;
	timer_init(&rq->again, pmp->loop, on_again, rq);
	list_init(&rq->node);
	pmp->n++;
	if (must_queue(pmp, rq))
		list_push(&pmp->queued, &rq->node);
	else
		begin(rq);
	return 0;
}

void pmp_cancel(struct pmp_request *rq)
{
	struct pmp *pmp = rq->pmp;

	if (!pmp)
		return;
	leave(rq);
	begin_queued(pmp);
}

/* ── answers ── */

/* A handler may ask, cancel and free: after one, the list is looked at from its start. */
static struct pmp_request *find(struct pmp *pmp,
				bool (*fits)(const struct pmp_request *rq, const void *reply),
				const void *reply)
{
	struct pmp_request *rq;

	list_for_each (rq, &pmp->asked, node)
		if (fits(rq, reply))
			return rq;
	return NULL;
}

static bool pcp_fits(const struct pmp_request *rq, const void *arg)
{
	const struct pcp_reply *reply = arg;
	const struct pcp_map map = {.proto = rq->protocol, .internal_port = rq->internal_port};

	if (reply->opcode == PCP_ANNOUNCE)
		return rq->kind == PMP_PCP_ANNOUNCE;
	return rq->kind == PMP_PCP_MAP && pcp_reply_answers(reply, &map, rq->nonce);
}

static bool natpmp_fits(const struct pmp_request *rq, const void *arg)
{
	const struct natpmp_reply *reply = arg;
	const struct natpmp_map map = {.proto = rq->protocol, .internal_port = rq->internal_port};

	if (reply->op == NATPMP_ADDRESS)
		return rq->kind == PMP_NATPMP_ADDRESS;
	if (rq->kind != PMP_NATPMP_MAP)
		return false;
	if (reply->result != NATPMP_SUCCESS)
		return (reply->op == NATPMP_MAP_TCP) == (rq->protocol == IPPROTO_TCP);
	return natpmp_reply_answers(reply, &map);
}

static bool speaks_pcp(const struct pmp_request *rq, const void *arg)
{
	return !is_natpmp(rq);
}

static bool speaks_natpmp(const struct pmp_request *rq, const void *arg)
{
	return is_natpmp(rq);
}

static bool any(const struct pmp_request *rq, const void *arg)
{
	return true;
}

/* Nobody is there for these. The list is bounded, and so is this, whatever the handlers ask. */
static void fail_all(struct pmp *pmp, bool (*which)(const struct pmp_request *rq, const void *arg))
{
	struct pmp_request *rq;

	for (size_t i = pmp->n; i && (rq = find(pmp, which, NULL)); i--)
		fail(rq, -ERR_NOT_FOUND);
}

static void note_epoch(struct pmp *pmp, struct epoch *epoch, uint32_t server_s)
{
	if (epoch_note(epoch, loop_now(pmp->loop), server_s))
		defer_call(&pmp->restarted);
}

static void on_restarted(void *arg)
{
	struct pmp *pmp = arg;

	pmp->handler.on_restart(pmp->arg);
}

static void on_pcp(struct pmp *pmp, const struct pcp_reply *reply)
{
	struct pmp_answer answer = {.result = reply->result, .lifetime_s = reply->lifetime_s};
	struct pmp_request *rq = find(pmp, pcp_fits, reply);

	if (!rq)
		return; /* an answer that came twice, or to a former process */
	answer.r = reply->result == PCP_SUCCESS ? 0 : -ERR_REFUSED;
	answer.external = answer.r ? reply->evidence : reply->external;
	note_epoch(pmp, &pmp->pcp, reply->epoch_s);
	finish(rq, &answer);
}

static void on_natpmp(struct pmp *pmp, const struct natpmp_reply *reply)
{
	struct pmp_answer answer = {.result = reply->result, .lifetime_s = reply->lifetime_s};
	struct pmp_request *rq = find(pmp, natpmp_fits, reply);

	if (!rq)
		return;
	answer.r = reply->result == NATPMP_SUCCESS ? 0 : -ERR_REFUSED;
	if (answer.r == 0 && reply->op == NATPMP_ADDRESS)
		answer.external = reply->address;
	else if (answer.r == 0)
		answer.external.port = reply->external_port; /* NAT-PMP tells the port alone */
	note_epoch(pmp, &pmp->natpmp, reply->epoch_s);
	finish(rq, &answer);
}

static void on_datagram(struct pmp *pmp, const uint8_t *bytes, size_t len)
{
	struct natpmp_reply natpmp;
	struct pcp_reply pcp;
	struct err e = {0};
	int r = pcp_decode_reply(bytes, len, &pcp, &e);

	if (r == 0) {
		/* Who speaks version 2 and refuses a version means NAT-PMP (RFC 6887 §9). */
		if (pcp.result == PCP_UNSUPP_VERSION)
			fail_all(pmp, pcp.version == 2 ? speaks_natpmp : speaks_pcp);
		else
			on_pcp(pmp, &pcp);
		return;
	}
	r = natpmp_decode_reply(bytes, len, &natpmp, &e);
	if (r == 0 && natpmp.result == NATPMP_UNSUPP_VERSION)
		fail_all(pmp, speaks_pcp); /* what it does not know is PCP's version */
	else if (r == 0)
		on_natpmp(pmp, &natpmp);
	else
		log_debug("%s: %s", pmp->place.ifname, e.text);
}

static void on_ready(void *arg, unsigned events)
{
	struct udp_datagram list[UDP_BATCH_MAX];
	struct pmp *pmp = arg;
	struct err e = {0};
	int n = udp_receive(pmp->loop, pmp->fd, PMP_RECEIVES, list, &e);

	watch_set(pmp->watch, WATCH_READ); /* an error (ICMP) has switched it off */
	if (n == -ERR_REFUSED)
		fail_all(pmp, any);
	for (int i = 0; i < n; i++)
		on_datagram(pmp, list[i].bytes, list[i].len);
}

/* ── life ── */

int pmp_new(struct loop *loop, const struct map_place *place, const struct pmp_handler *handler,
	    void *arg, struct pmp **ret_pmp, struct err *e)
{
	struct pmp *pmp = calloc(1, sizeof(*pmp));
	struct ipaddr router = place->router;
	int r;

	if (!pmp)
		return err_set(e, ERR_NOMEM, "port mapping");
	router.port = PCP_PORT;
	pmp->loop = loop;
	pmp->place = *place;
	pmp->handler = *handler;
	pmp->arg = arg;
	pmp->fd = -1;
	list_init(&pmp->asked);
	list_init(&pmp->queued);
	defer_init(&pmp->restarted, loop, on_restarted, pmp);
	r = udp_connect_from(&place->address, NULL, &router, &pmp->fd, e);
	if (r == 0)
		r = watch_new(loop, pmp->fd, on_ready, pmp, &pmp->watch, e);
	if (r < 0) {
		pmp_free(pmp);
		return r;
	}
	watch_set(pmp->watch, WATCH_READ);
	*ret_pmp = pmp;
	return 0;
}

static void forget(struct list *list)
{
	struct pmp_request *rq, *tmp;

	list_for_each_safe (rq, tmp, list, node)
		leave(rq);
}

void pmp_free(struct pmp *pmp)
{
	if (!pmp)
		return;
	forget(&pmp->asked);
	forget(&pmp->queued);
	defer_cancel(&pmp->restarted);
	watch_free(pmp->watch);
	if (pmp->fd >= 0)
		close(pmp->fd);
	free(pmp);
}
