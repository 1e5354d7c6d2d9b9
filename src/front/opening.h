/*
 * What a connection's first bytes ask for: a link, a TLS server name, a Host, or nothing that is
 * served here. Pure: bytes in, a verdict out, however they were cut on the way.
 *
 *	front_opening_init(&opening, FRONT_HTTPS, STR("homeport/1"));
 *	verdict = front_opening_read(&opening, bytes, len, scratch, &asked);	with all bytes so
 * far,
 *	...									as often as more
 * come
 *
 *	          ┌── more bytes ──┐
 *	          ▼                │
 *	https: READING ─ hello ────┴─▶ LINK (its ALPN) │ TLS (the rest)
 *	          └──── GET / ───────▶ PLAIN_HTTP          anything else ▶ GARBAGE
 *	http:  READING ─ head ───────▶ HTTP
 *	          └──── no head ─────▶ BAD_REQUEST, HEAD_TOO_LONG; TLS ▶ GARBAGE
 */
#pragma once

#include "proto/clienthello.h"
#include "proto/httphead.h"

enum front_kind { FRONT_HTTPS, FRONT_HTTP, FRONT_RAW, FRONT_UDP };

#define FRONT_OPENING_VERDICTS(X)                                                                  \
	X(MORE)		 /* a good beginning: come again with more */                              \
	X(LINK)		 /* TLS that offers the link's ALPN */                                     \
	X(TLS)		 /* asked.host: the server name, "" for none */                            \
	X(HTTP)		 /* asked.host, asked.path */                                              \
	X(PLAIN_HTTP)	 /* a request without TLS on the https port */                             \
	X(BAD_REQUEST)	 /* HTTP, but not a request that has one meaning */                        \
	X(HEAD_TOO_LONG) /* HTTP: over HTTPHEAD_MAX or HTTPHEAD_FIELDS_MAX */                      \
	X(GARBAGE)	 /* nothing to answer in its own language */

enum front_opening_verdict {
#define X(name) FRONT_OPENING_##name,
	FRONT_OPENING_VERDICTS(X)
#undef X
};

/* A hello may be cut into so many records: who cuts it finer makes us walk more than he sends. */
#define FRONT_OPENING_RECORDS_MAX 64

struct front_opening {
	enum front_kind kind;
	struct str link_alpn; /* borrowed; empty: no links here */
	size_t seen;	      /* bytes at the last look */
	size_t walked;	      /* TLS: where the next record header is */
	unsigned n_records;   /* TLS: how many there were */
};

struct front_asked {
	char host[HOSTNAME_MAX]; /* lower case, no port; "": none named */
	struct str path;	 /* HTTP: "/path?query" or "*"; borrowed from the bytes */
};

void front_opening_init(struct front_opening *o, enum front_kind kind, struct str link_alpn);

/* Bytes that can be needed at most; a verdict other than MORE comes at the latest with these. */
size_t front_opening_max(enum front_kind kind);

/*
 * bytes, len  in:  everything received so far; len grows from call to call
 * scratch     out: of no meaning afterwards
 * ret         out: written with the verdicts TLS and HTTP
 *
 * A look that yields MORE costs little: TLS a walk over at most FRONT_OPENING_RECORDS_MAX record
 * headers, HTTP a search for a line end in the new bytes.
 */
enum front_opening_verdict front_opening_read(struct front_opening *o, const uint8_t *bytes,
					      size_t len, uint8_t scratch[static CLIENTHELLO_MAX],
					      struct front_asked *ret);

/* "LINK", for logs and tests. */
const char *front_opening_verdict_name(enum front_opening_verdict verdict);
