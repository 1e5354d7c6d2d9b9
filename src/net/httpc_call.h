/*
 * One call from its request to its answer; for net/httpc*.c alone.
 *
 *	httpc_start ──▶ waits ──▶ under way ──▶ over (answer.r is known) ──▶ told, gone
 *			  └──────────┴──────────────┴── httpc_cancel ──▶ gone
 *
 * It waits while libcurl is being loaded. `turn` brings it from over to told.
 */
#pragma once

#include "base/buf.h"
#include "net/httpc.h"
#include "net/libcurl.h"

#define HTTPC_WHERE_MAX (HOSTNAME_MAX + 16) /* "https://host:port" */

struct httpc_call {
	struct httpc *httpc;	 /* borrowed; NULL while on_done runs */
	struct libcurl *libcurl; /* borrowed; NULL while it waits */
	struct list node;
	void (*on_done)(void *arg, const struct httpc_answer *answer);
	void *arg;
	struct defer turn;
	struct timer timeout;
	struct timer delay; /* in tests: until the answer */
	usec_t started;
	struct httpc_answer answer;

	/* request */
	struct httpc_request request; /* what it points to is below */
	struct ipaddr source, peer;
	char *copies; /* owned; wiped */
	size_t copies_len, copies_used;
	char where[HTTPC_WHERE_MAX]; /* for errors */

	/* transfer */
	CURL *easy;		       /* owned */
	struct curl_slist *fields;     /* owned */
	struct curl_slist *connect_to; /* owned */
	bool misset;		       /* libcurl did not take an option */
	bool under_way;		       /* libcurl has it */
	char words[CURL_ERROR_SIZE];   /* libcurl's, for an error */
	struct ipaddr tried;	       /* the last address; family 0: none */
	int no_socket;		       /* errno; 0: it was not the socket that failed */

	/* answer */
	struct buf head, body;
	size_t head_seen; /* of all heads, provisional ones (1xx) too */
	bool provisional; /* this head is */
	bool head_over;
	bool head_too_long, body_too_long;
};

/* The answer will be an error: "WHERE: text". */
void httpc_call_fail(struct httpc_call *call, int code, const char *text);

/* The answer is known: on_done will be called. */
void httpc_call_end(struct httpc_call *call);

/* Check it, and copy it with all it points to; 0, or as httpc_start. The copy has its defaults. */
int httpc_request_take(struct httpc_call *call, const struct httpc_request *request,
		       struct err *e) MUST_CHECK;
void httpc_request_wipe(struct httpc_call *call);

/* Give it to libcurl; -ERR_NOMEM, -ERR_FAILED. */
int httpc_transfer_start(struct httpc_call *call, struct err *e) MUST_CHECK;

/* libcurl is done with it. */
void httpc_transfer_over(struct httpc_call *call, CURLcode result);

/* Nothing of libcurl's is left afterwards. Harmless if there was nothing. */
void httpc_transfer_stop(struct httpc_call *call);

/* An answer that is longer than it may be. */
void httpc_transfer_explain_length(struct httpc_call *call);
