#include "net/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"

#define CTL_GROUPS_MAX 256
#define CTL_ASK_MAX    (10 * USEC_PER_S)

struct ctl_client {
	struct list node;
	struct ctl_server *server; /* borrowed */
	struct ndjson_conn *conn;  /* owned */
	struct ucred peer;
	void *data; /* the handler's */
};

struct ctl_server {
	struct loop *loop;		   /* borrowed */
	const struct ctl_handler *handler; /* borrowed */
	void *arg;			   /* the handler's */
	struct sock_listener *listener;	   /* owned */
	gid_t group;			   /* of the socket */
	struct list clients;		   /* owned */
	unsigned n_clients;
};

/* ── daemon side ── */

/* The client is gone for the handler and for us. */
static void client_free(struct ctl_client *client)
{
	struct ctl_server *server = client->server;

	list_remove(&client->node);
	server->n_clients--;
	server->handler->on_gone(server->arg, client);
	ndjson_conn_free(client->conn);
	free(client);
}

static int client_on_object(void *arg, json_t *object, struct err *e)
{
	struct ctl_client *client = arg;

	if (!json_is_string(json_object_get(object, "command"))) {
		ctl_reply_error(client, "a request needs a \"command\"");
		return 0;
	}
	client->server->handler->on_request(client->server->arg, client, object);
	return 0;
}

static void client_on_closed(void *arg, const struct err *why)
{
	log_debug("control socket: client left: %s", why->text);
	client_free(arg);
}

static const struct ndjson_conn_handler client_handler = {
	.on_object = client_on_object,
	.on_closed = client_on_closed,
};

/* Whether the other side is in `group`, as its first group or another one. */
static bool peer_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[CTL_GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/*
 * The mode of the socket (0660) says the same, but there is a moment between bind and chmod, and a
 * folder may be mounted with modes of its own.
 */
static bool peer_allowed(const struct ctl_server *server, int fd, struct ucred *ret_peer)
{
	struct ucred peer;

	if (!sock_peer(fd, &peer))
		return false;
	if (peer.uid != 0 && peer.uid != geteuid() && !peer_in_group(fd, &peer, server->group))
		return false;
	*ret_peer = peer;
	return true;
}

/* Say why and hang up; what the kernel does not take at once is lost. */
static void turn_away(int fd, const char *sentence)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "{\"ok\":false,\"error\":\"%s\"}\n", sentence);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: %s: %s", sentence, strerror(errno));
	close(fd);
}

static int client_new(struct ctl_server *server, int fd, const struct ucred *peer, struct err *e)
{
	struct ctl_client *client = calloc(1, sizeof(*client));
	struct stream *stream;
	int r;

	if (!client) {
		close(fd);
		return err_set(e, ERR_NOMEM, "client");
	}
	client->server = server;
	client->peer = *peer;
	r = sock_stream_new(server->loop, fd, &stream, e);
	if (r == 0)
		r = ndjson_conn_new(stream, &client_handler, client, &client->conn, e);
	if (r < 0) {
		free(client);
		return r;
	}
	list_push(&server->clients, &client->node);
	server->n_clients++;
	return 0;
}

static void server_on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct ctl_server *server = arg;
	struct err e = {0};
	struct ucred who;

	if (!peer_allowed(server, fd, &who))
		turn_away(fd, "not allowed: only root, the daemon's user and its group are served");
	else if (server->n_clients >= CTL_CLIENTS_MAX)
		turn_away(fd, "too many connections to the control socket");
	else if (client_new(server, fd, &who, &e) < 0)
		log_debug("control socket: %s", e.text);
}

static int server_listen(struct ctl_server *server, const char *path, struct err *e)
{
	struct sock_addr at = {0};
	struct stat st;
	int r;

	if (!str_copy(at.path, sizeof(at.path), str_of(path)))
		return err_set(
			e, ERR_FAILED,
			"%s: too long for a socket (%zu bytes at most); use a shorter folder", path,
			sizeof(at.path) - 1);
	r = sock_listen(server->loop, &at, 0, server_on_accept, server, &server->listener, e);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return err_set_errno(e, ERR_FAILED, "%s", path);
	server->group = st.st_gid;
	return 0;
}

int ctl_server_new(struct loop *loop, const char *path, const struct ctl_handler *handler,
		   void *arg, struct ctl_server **ret_server, struct err *e)
{
	struct ctl_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return err_set(e, ERR_NOMEM, "control socket");
	server->loop = loop;
	server->handler = handler;
	server->arg = arg;
	list_init(&server->clients);
	r = server_listen(server, path, e);
	if (r < 0) {
		ctl_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void ctl_server_stop_listening(struct ctl_server *server)
{
	sock_listener_free(TAKE(server->listener));
}

void ctl_server_free(struct ctl_server *server)
{
	struct ctl_client *client, *next;

	if (!server)
		return;
	sock_listener_free(server->listener);
	list_for_each_safe (client, next, &server->clients, node)
		client_free(client);
	free(server);
}

uid_t ctl_client_uid(const struct ctl_client *client)
{
	return client->peer.uid;
}

pid_t ctl_client_pid(const struct ctl_client *client)
{
	return client->peer.pid;
}

void *ctl_client_data(const struct ctl_client *client)
{
	return client->data;
}

void ctl_client_set_data(struct ctl_client *client, void *data)
{
	client->data = data;
}

void ctl_reply(struct ctl_client *client, json_t *object)
{
	int r = object ? ndjson_conn_send(client->conn, object) : -ERR_NOMEM;

	json_decref(object);
	if (r == -ERR_LIMIT)
		ctl_reply_error(client, "the answer is longer than %zu bytes", NDJSON_LINE_MAX);
	else if (r == -ERR_NOMEM) /* a client that waits for nothing would be worse off */
		ndjson_conn_close_when_sent(client->conn);
}

void ctl_reply_error(struct ctl_client *client, const char *fmt, ...)
{
	char sentence[1024];
	char escaped[LOG_TEXT_MAX];
	json_t *object;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	object = json_pack("{s:b s:s}", "ok", 0, "error", sentence);
	if (!object) /* not UTF-8, perhaps cut in a character */
		object = json_pack("{s:b s:s}", "ok", 0, "error",
				   log_text(escaped, str_of(sentence)));
	ctl_reply(client, object);
}

void ctl_close(struct ctl_client *client)
{
	ndjson_conn_close_when_sent(client->conn);
}

/* ── command line side: blocking, so the kernel's clock and not a loop's ── */

/* -ERR_TIMEOUT when the time is over. */
static int wait_for(int fd, short events, usec_t until, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		usec_t now = ustime_boot();
		int n = now >= until ? 0 : poll(&p, 1, (int)((until - now) / USEC_PER_MS) + 1);

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(e, ERR_TIMEOUT, "no answer within 10 s");
		if (errno != EINTR)
			return err_set_errno(e, ERR_FAILED, "poll");
	}
}

/* The descriptor, or -ERR_*. */
static int ask_connect(const char *path, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	AUTO(closep) int fd = -1;
	int connected;

	if (!str_copy(un.sun_path, sizeof(un.sun_path), str_of(path)))
		return err_set(e, ERR_REFUSED, "%s: no daemon can listen there", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "socket");
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		int code = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR
				   ? ERR_REFUSED
			   : errno == EACCES || errno == EPERM ? ERR_DENIED
			   : errno == EAGAIN		       ? ERR_TIMEOUT
							       : ERR_FAILED;

		return err_set_errno(e, code, "%s", path);
	}
	connected = fd;
	fd = -1;
	return connected;
}

static int ask_send(int fd, const json_t *request, usec_t until, struct err *e)
{
	AUTO(buf_donep) struct buf line = {0};
	int r = ndjson_append(&line, request);

	if (r < 0)
		return err_set(e, -r, "request");
	while (buf_len(&line)) {
		ssize_t n = send(fd, buf_head(&line), buf_len(&line), MSG_NOSIGNAL);

		if (n >= 0)
			buf_consume(&line, (size_t)n);
		else if (errno == EAGAIN)
			r = wait_for(fd, POLLOUT, until, e);
		else if (errno == EPIPE || errno == ECONNRESET)
			break; /* it may have said why */
		else if (errno != EINTR)
			return err_set_errno(e, ERR_FAILED, "send");
		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_on_object(void *arg, json_t *object, struct err *e)
{
	json_t **answer = arg;

	if (!*answer)
		*answer = json_incref(object);
	return 0;
}

static int ask_receive(int fd, usec_t until, json_t **ret_answer, struct err *e)
{
	AUTO(ndjson_done) struct ndjson in;
	int r = 0;

	ndjson_init(&in, NDJSON_LINE_MAX);
	while (r == 0 && !*ret_answer) {
		char bytes[4096];
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n > 0)
			r = ndjson_feed(&in, bytes, (size_t)n, ask_on_object, ret_answer, e);
		else if (n < 0 && errno == EAGAIN)
			r = wait_for(fd, POLLIN, until, e);
		else if (n == 0 || errno != EINTR)
			return err_set(e, ERR_FAILED, "hung up without an answer");
	}
	return r;
}

/* One page, if there are several. */
static int ask_once(const char *path, int fd, const json_t *request, usec_t until,
		    json_t **ret_answer, struct err *e)
{
	json_t *answer = NULL;
	const char *sentence;
	int r;

	r = ask_send(fd, request, until, e);
	if (r == 0)
		r = ask_receive(fd, until, &answer, e);
	if (r == 0 && json_is_true(json_object_get(answer, "ok"))) {
		*ret_answer = answer;
		return 0;
	}
	sentence = json_string_value(json_object_get(answer, "error"));
	if (r == 0)
		r = err_set(e, ERR_FAILED, "%s", sentence ? sentence : "the daemon gave no reason");
	else
		r = err_wrap(e, r, "%s", path);
	json_decref(answer);
	return r;
}

/* The arrays of the next page behind those of the ones before. */
static int add_page(json_t *answer, const json_t *page)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)page, name, value)
	{
		json_t *list = json_object_get(answer, name);

		if (json_is_array(value) && json_is_array(list) &&
		    json_array_extend(list, value) < 0)
			return -ERR_NOMEM;
	}
	return json_object_set_new(answer, "more",
				   json_boolean(json_is_true(json_object_get(page, "more"))));
}

static int ask_for_more(const char *path, int fd, usec_t until, json_t *answer, struct err *e)
{
	json_t *request = json_pack("{s:s}", "command", "more");
	int r = request ? 0 : err_set(e, ERR_NOMEM, "request");

	while (r == 0 && json_is_true(json_object_get(answer, "more"))) {
		json_t *page = NULL;

		r = ask_once(path, fd, request, until, &page, e);
		if (r == 0 && add_page(answer, page) < 0)
			r = err_set(e, ERR_NOMEM, "answer");
		json_decref(page);
	}
	json_object_del(answer, "more");
	json_decref(request);
	return r;
}

int ctl_ask(const char *path, const json_t *request, json_t **ret_answer, struct err *e)
{
	return ctl_ask_within(path, request, CTL_ASK_MAX, ret_answer, e);
}

int ctl_ask_within(const char *path, const json_t *request, usec_t within, json_t **ret_answer,
		   struct err *e)
{
	usec_t until = ustime_boot() + within;
	AUTO(closep) int fd = ask_connect(path, e);
	json_t *answer = NULL;
	int r;

	if (fd < 0)
		return fd;
	r = ask_once(path, fd, request, until, &answer, e);
	if (r == 0)
		r = ask_for_more(path, fd, until, answer, e);
	if (r < 0) {
		json_decref(answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}
