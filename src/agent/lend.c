#include "agent/lend.h"

#include <stdio.h>

#include "agent/arrivals.h"
#include "base/log.h"
#include "net/ndjson.h"

#define LEND_CONNECT_TIMEOUT (5 * USEC_PER_S)
#define LEND_ANSWER_MAX	     (10 * USEC_PER_S)

struct lend {
	struct loop *loop;	 /* borrowed */
	const char *folder;	 /* borrowed */
	const struct wish *wish; /* borrowed */
	struct origin *origin;	 /* borrowed */
	const struct lend_events *events;
	void *arg;
	struct sock_connect *connect; /* owned; CONNECTING */
	struct ndjson_conn *conn;     /* owned; from then on */
	struct arrivals *arrivals;    /* owned; likewise */
	struct timer silence;	      /* ASKED */
	pid_t agent;
	bool lent, ended;
	bool wait; /* when the agent goes: for the next homeport up */
};

void lend_free(struct lend *lend)
{
	if (!lend)
		return;
	timer_stop(&lend->silence);
	sock_connect_cancel(lend->connect);
	ndjson_conn_free(lend->conn);
	arrivals_free(lend->arrivals);
	free(lend);
}

static void end(struct lend *lend, int r, const struct err *e)
{
	if (lend->ended)
		return;
	lend->ended = true;
	lend->events->on_end(lend->arg, r, lend->wait, e);
}

/* ── what the agent says ── */

static const char *text_of(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

static int read_texts(const json_t *object, const char *field, char ***ret, size_t *ret_n)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(object, field), i,
			   item) if (link_texts_add(ret, ret_n, str_of(json_string_value(item))) <
				     0) return -ERR_NOMEM;
	return 0;
}

static int on_grant(struct lend *lend, const json_t *object, struct err *e)
{
	struct link_grant grant = {
		.granted = json_is_true(json_object_get(object, "granted")),
		.port = (uint16_t)json_integer_value(json_object_get(object, "port")),
	};
	int r;

	strcpy(grant.id, lend->wish->id);
	snprintf(grant.reason, sizeof(grant.reason), "%s", text_of(object, "reason"));
	snprintf(grant.text, sizeof(grant.text), "%s", text_of(object, "text"));
	r = read_texts(object, "names", &grant.names, &grant.n_names);
	if (r == 0)
		r = read_texts(object, "urls", &grant.urls, &grant.n_urls);
	if (r == 0)
		lend->events->on_grant(lend->arg, &grant);
	wish_names_done(grant.names, grant.n_names);
	wish_names_done(grant.urls, grant.n_urls);
	return r < 0 ? err_set(e, ERR_NOMEM, "grant") : 0;
}

static int on_answer(struct lend *lend, const json_t *object, struct err *e)
{
	if (!json_is_true(json_object_get(object, "ok")))
		return err_set(e, ERR_FAILED, "%s", text_of(object, "error"));
	timer_stop(&lend->silence);
	lend->lent = true;
	lend->wait = strcmp(text_of(object, "owner"), "up") == 0;
	lend->events->on_lent(lend->arg, text_of(object, "agent"), text_of(object, "domain"));
	return 0;
}

static int on_ended(struct lend *lend, const json_t *object, struct err *e)
{
	bool go_on = json_is_true(json_object_get(object, "go_on"));

	lend->wait = json_is_true(json_object_get(object, "wait"));
	return err_set(e, go_on ? ERR_RESET : ERR_FAILED, "%s", text_of(object, "text"));
}

static int on_object(void *arg, json_t *object, struct err *e)
{
	struct lend *lend = arg;
	const char *event = text_of(object, "event");

	if (!lend->lent)
		return on_answer(lend, object, e);
	if (strcmp(event, "grant") == 0)
		return on_grant(lend, object, e);
	if (strcmp(event, "link") == 0)
		lend->events->on_link(lend->arg, text_of(object, "state"), text_of(object, "text"));
	else if (strcmp(event, "ended") == 0)
		return on_ended(lend, object, e);
	return 0;
}

static void on_closed(void *arg, const struct err *why)
{
	struct lend *lend = arg;
	end(lend, why->code == ERR_FAILED ? -ERR_FAILED : -ERR_RESET, why);
}

static void on_silence(void *arg)
{
	struct lend *lend = arg;
	struct err e = {0};

	err_set(&e, ERR_FAILED, "the homeport that runs here (process %d) does not answer",
		(int)lend->agent);
	end(lend, -ERR_FAILED, &e);
}

static const struct ndjson_conn_handler conn_handler = {
	.on_object = on_object,
	.on_closed = on_closed,
};

/* ── asking ── */

static json_t *request(const struct lend *lend)
{
	const struct wish *wish = lend->wish;

	return json_pack("{s:s s:{s:s s:s s:o s:i} s:s}", "command", "share", "service", "id",
			 wish->id, "kind", link_kind_name(wish->target.link), "names",
			 wish_names_json(wish->names, wish->n_names), "port", (int)wish->port,
			 "socket", arrivals_path(lend->arrivals));
}

/* Takes the stream. */
static int ask(struct lend *lend, struct stream *s, struct err *e)
{
	struct ucred peer;
	json_t *object;
	int r;

	if (!sock_peer(sock_stream_fd(s), &peer))
		peer = (struct ucred){.uid = (uid_t)-1};
	lend->agent = peer.pid;
	r = ndjson_conn_new(s, &conn_handler, lend, &lend->conn, e);
	if (r == 0)
		r = arrivals_new(lend->loop, lend->folder, peer.uid, lend->origin, &lend->arrivals,
				 e);
	if (r < 0)
		return r;
	object = request(lend);
	r = object ? ndjson_conn_send(lend->conn, object) : -ERR_NOMEM;
	json_decref(object);
	timer_start(&lend->silence, LEND_ANSWER_MAX);
	return r < 0 ? err_set(e, -r, "no memory to ask the agent") : 0;
}

static void on_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct lend *lend = arg;
	struct err why = {0};

	lend->connect = NULL;
	if (r < 0) {
		end(lend, r, e);
		return;
	}
	r = ask(lend, s, &why);
	if (r < 0)
		end(lend, r == -ERR_REFUSED ? -ERR_FAILED : r, &why);
}

int lend_new(struct loop *loop, const char *agent_socket, const char *folder,
	     const struct wish *wish, struct origin *origin, const struct lend_events *events,
	     void *arg, struct lend **ret_lend, struct err *e)
{
	struct lend *lend = calloc(1, sizeof(*lend));
	struct sock_addr at = {0};
	int r;

	if (!lend)
		return err_set(e, ERR_NOMEM, "loan");
	lend->loop = loop;
	lend->folder = folder;
	lend->wish = wish;
	lend->origin = origin;
	lend->events = events;
	lend->arg = arg;
	timer_init(&lend->silence, loop, on_silence, lend);
	r = str_copy(at.path, sizeof(at.path), str_of(agent_socket))
		    ? sock_connect_start(loop, &at, LEND_CONNECT_TIMEOUT, on_connected, lend,
					 &lend->connect, e)
		    : err_set(e, ERR_FAILED, "%s: too long for a socket", agent_socket);
	if (r < 0) {
		lend_free(lend);
		return r;
	}
	*ret_lend = lend;
	return 0;
}
