/*
 * The words for visitors who are turned away: a complete HTTP answer with a small page, or a TLS
 * alert. Pure text; sending it is front/linger.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/ustime.h"

enum front_answer {
	FRONT_ANSWER_BAD_REQUEST,   /* 400 */
	FRONT_ANSWER_PLAIN_ON_TLS,  /* 400: this port speaks https */
	FRONT_ANSWER_TIMEOUT,	    /* 408 */
	FRONT_ANSWER_MISDIRECTED,   /* 421 */
	FRONT_ANSWER_HEAD_TOO_LONG, /* 431 */
	FRONT_ANSWER_SERVICE,	    /* 502 */
	FRONT_ANSWER_OFFLINE,	    /* 503 */
	FRONT_ANSWER_BUSY,	    /* 503 */
	FRONT_ANSWER_REDIRECT,	    /* 308 to https */
};

/* All texts are borrowed. */
struct front_answer_about {
	struct str host;	   /* SERVICE, OFFLINE, BUSY, REDIRECT: what he asked for */
	struct str path;	   /* REDIRECT: begins with '/' */
	uint16_t https_port;	   /* REDIRECT: 0 and 443 are not shown */
	usec_t offline_since_wall; /* OFFLINE: 0: not known */
	usec_t now_wall;	   /* for Date; 0: no Date */
	bool head_only;		   /* he asked with HEAD: no page */
};

#define FRONT_ANSWER_MAX ((size_t)64 * 1024)

/* Append the whole answer to `to` (max at least FRONT_ANSWER_MAX). -ERR_LIMIT, -ERR_NOMEM. */
int front_answer_http(struct buf *to, enum front_answer which,
		      const struct front_answer_about *about) MUST_CHECK;

/* TLS alerts (RFC 8446 §6.2): a name that is not served now, and a server that cannot. */
int front_answer_tls_name(struct buf *to) MUST_CHECK; /* unrecognized_name(112) */
int front_answer_tls_busy(struct buf *to) MUST_CHECK; /* internal_error(80) */
