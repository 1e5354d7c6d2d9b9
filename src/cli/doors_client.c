#include "cli/doors_client.h"

#include <string.h>

#include "net/httpc.h"
#include "net/ndjson.h"
#include "net/sock.h"

#define CONNECT_TIMEOUT (2 * USEC_PER_S)
#define CLOSE_TIMEOUT	(2500 * USEC_PER_MS) /* LEASE_CLOSE_TIME, and the way there and back */

struct doors_client {
	struct loop *loop;		 /* borrowed */
	const struct places *places;	 /* borrowed */
	const struct doors_local *local; /* borrowed; NULL: no local doors */
	struct doors_client_handler handler;
	void *arg;
	struct sock_connect *connect; /* owned; one after the other, each or none: */
	struct ndjson_conn *conn;
	struct httpc *httpc;
	struct uplink_watch *uplink;
	struct doors *doors;
	struct doors_session *session;
	struct defer ready;
	struct timer patience; /* of the end */
	bool closing, ended;
};

static void end(struct doors_client *client, int r, const struct err *e)
{
	if (client->ended)
		return;
	client->ended = true;
	timer_stop(&client->patience);
	client->handler.on_end(client->arg, r, e);
}

static void on_ready(void *arg)
{
	struct doors_client *client = arg;

	client->handler.on_ready(client->arg, client->session != NULL);
}

/* ── by itself ── */

static void emit(void *arg, json_t *object)
{
	struct doors_client *client = arg;

	if (object && !client->ended)
		client->handler.on_object(client->arg, object);
	json_decref(object);
}

static void on_uplink(void *arg)
{
	struct doors_client *client = arg;

	if (client->doors)
		doors_look(client->doors);
}

static int watch_uplink(struct doors_client *client, struct err *e)
{
	const char *interface = client->local->interface;
	struct uplink_settings settings = {0};
	int r;

	if (interface &&
	    !str_copy(settings.interface, sizeof(settings.interface), str_of(interface)))
		return err_set(e, ERR_INVALID, "%s: no name of an interface", interface);
	r = uplink_watch_new(client->loop, &settings, on_uplink, client, &client->uplink, e);
	if (r == 0 && *uplink_watch_view(client->uplink)->missing)
		return err_set(e, ERR_NOT_FOUND, "there is no interface %s", interface);
	return r;
}

static int start_locally(struct doors_client *client, struct err *e)
{
	struct doors_setup setup;
	int r;

	if (!client->local)
		return err_set(e, ERR_REFUSED, "no homeport runs here");
	setup = client->local->setup;
	r = httpc_new(client->loop, &client->httpc, e);
	if (r == 0 && !setup.router.family)
		r = watch_uplink(client, e);
	setup.httpc = client->httpc;
	setup.uplink = client->uplink;
	if (r == 0)
		r = doors_new(client->loop, &setup, &client->doors, e);
	if (r == 0 && doors_session_new(client->doors, emit, client, &client->session) < 0)
		r = err_set(e, ERR_NOMEM, "doors");
	if (r == 0)
		defer_call(&client->ready);
	return r;
}

/* ── by the agent ── */

static int go_local(struct doors_client *client, struct err *e)
{
	ndjson_conn_free(TAKE(client->conn));
	if (start_locally(client, e) < 0)
		end(client, -e->code, e);
	return 0;
}

static int on_object(void *arg, json_t *object, struct err *e)
{
	struct doors_client *client = arg;
	const char *event = json_string_value(json_object_get(object, "event"));

	if (json_is_false(json_object_get(object, "doors")))
		return go_local(client, e); /* a homeport share runs here, which has none */
	client->handler.on_object(client->arg, object);
	if (client->closing && event && strcmp(event, "closed") == 0)
		end(client, 0, NULL);
	return 0;
}

static void on_conn_closed(void *arg, const struct err *why)
{
	struct doors_client *client = arg;

	end(client, -ERR_RESET, why);
}

static const struct ndjson_conn_handler conn_handler = {.on_object = on_object,
							.on_closed = on_conn_closed};

static void on_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct doors_client *client = arg;
	struct err why = {0};

	client->connect = NULL;
	if (r == 0)
		r = ndjson_conn_new(s, &conn_handler, client, &client->conn, &why);
	else if (r == -ERR_REFUSED || r == -ERR_NOT_FOUND)
		r = start_locally(client, &why);
	else
		why = *e;
	if (r < 0)
		end(client, r, &why);
	else if (client->conn)
		defer_call(&client->ready);
}

/* ── life ── */

static void on_patience(void *arg)
{
	end(arg, 0, NULL);
}

int doors_client_new(struct loop *loop, const struct places *places,
		     const struct doors_local *local, const struct doors_client_handler *handler,
		     void *arg, struct doors_client **ret_client, struct err *e)
{
	struct doors_client *client = calloc(1, sizeof(*client));
	struct sock_addr at = {0};
	int r;

	if (!client)
		return err_set(e, ERR_NOMEM, "doors");
	client->loop = loop;
	client->places = places;
	client->local = local;
	client->handler = *handler;
	client->arg = arg;
	defer_init(&client->ready, loop, on_ready, client);
	timer_init(&client->patience, loop, on_patience, client);
	if (local && (local->setup.router.family || local->interface))
		r = start_locally(client, e);
	else if (!str_copy(at.path, sizeof(at.path), str_of(places->socket)))
		r = err_set(e, ERR_FAILED, "%s: too long for a socket", places->socket);
	else
		r = sock_connect_start(loop, &at, CONNECT_TIMEOUT, on_connected, client,
				       &client->connect, e);
	if (r < 0) {
		doors_client_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void doors_client_free(struct doors_client *client)
{
	if (!client)
		return;
	client->ended = true;
	timer_stop(&client->patience);
	defer_cancel(&client->ready);
	sock_connect_cancel(client->connect);
	ndjson_conn_free(client->conn);
	doors_session_free(client->session);
	doors_free(client->doors);
	uplink_watch_free(client->uplink);
	httpc_free(client->httpc);
	free(client);
}

void doors_client_send(struct doors_client *client, json_t *request)
{
	struct err e = {0};

	if (!request)
		return;
	if (client->session)
		doors_session_request(client->session, request);
	else if (ndjson_conn_send(client->conn, request) < 0) {
		err_set(&e, ERR_RESET, "the agent does not listen");
		end(client, -ERR_RESET, &e);
	}
	json_decref(request);
}

static void on_stopped(void *arg)
{
	end(arg, 0, NULL);
}

void doors_client_close(struct doors_client *client)
{
	if (client->closing)
		return;
	client->closing = true;
	timer_start(&client->patience, CLOSE_TIMEOUT);
	if (client->session)
		doors_stop(client->doors, on_stopped, client);
	else if (client->conn)
		doors_client_send(client, json_pack("{s:s}", "command", "map-close"));
	else
		timer_start(&client->patience, 0);
}
