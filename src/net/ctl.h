/*
 * The local control socket: a Unix socket on which a command line talks to its daemon, JSON objects
 * a line (net/ndjson). A request is {"command": "status", ...}; the daemon answers with one object,
 * {"ok": true, ...} or
 * {"ok": false, "error": "sentence"}, and may keep the connection for more ("share" lends a service
 * while it is open). A long answer comes in pages: one with "more": true is continued by
 * {"command": "more"} on the same connection, and its arrays by those of the next. Only root and
 * the daemon's own user (SO_PEERCRED), or members of the socket's group by its mode, are served.
 */
#pragma once

#include <sys/types.h>

#include "net/ndjson.h"
#include "net/sock.h"

#define CTL_CLIENTS_MAX 64

struct ctl_server;
struct ctl_client; /* one connected command line, at the daemon */

struct ctl_handler {
	/* A request; answer with ctl_reply or ctl_reply_error, now or later. request is borrowed.
	 */
	void (*on_request)(void *arg, struct ctl_client *client, json_t *request);
	/* The client is gone (also after ctl_close); the pointer is dead after this. */
	void (*on_gone)(void *arg, struct ctl_client *client);
};

/* -ERR_EXISTS: a daemon answers on that socket already; -ERR_DENIED, -ERR_FAILED: e names the path.
 */
int ctl_server_new(struct loop *loop, const char *path, const struct ctl_handler *handler,
		   void *arg, struct ctl_server **ret_server, struct err *e) MUST_CHECK;
/* Nobody new from now on: the socket is gone. Who is connected stays. */
void ctl_server_stop_listening(struct ctl_server *server);
void ctl_server_free(struct ctl_server *server); /* NULL is fine; on_gone for each client */

uid_t ctl_client_uid(const struct ctl_client *client);
pid_t ctl_client_pid(const struct ctl_client *client);
void *
ctl_client_data(const struct ctl_client *client); /* the handler's own pointer, NULL at first */
void ctl_client_set_data(struct ctl_client *client, void *data);

/* Send an object; takes the reference. The client is closed if it does not read (1 MiB). */
void ctl_reply(struct ctl_client *client, json_t *object);
void ctl_reply_error(struct ctl_client *client, const char *fmt, ...) PRINTF(2, 3);
void ctl_close(struct ctl_client *client); /* after what was sent is out */

/* ── command line side ── */

/*
 * One question, one answer (all pages of it), blocking, 10 s at most; for commands that do nothing
 * else. *ret_answer is the caller's. -ERR_REFUSED: no daemon (no socket, or nobody listens);
 * -ERR_DENIED: no right to the socket; -ERR_FAILED: the daemon said {"ok": false}, e has its
 * sentence; -ERR_TIMEOUT.
 */
int ctl_ask(const char *path, const json_t *request, json_t **ret_answer, struct err *e) MUST_CHECK;

/* With another patience than 10 s. */
int ctl_ask_within(const char *path, const json_t *request, usec_t within, json_t **ret_answer,
		   struct err *e) MUST_CHECK;
