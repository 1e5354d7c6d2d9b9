/*
 * The strict pass over the head of an HTTP/1.x request: request line, fields, blank line (RFC 9112;
 * RFC 9110 for the fields). It runs before anything else looks at the bytes and refuses whatever
 * two parsers could understand differently; what it lets through has one meaning. A head is then
 * written anew from what is in struct httphead, never forwarded as received.
 *
 *	struct httphead head;
 *	int r = httphead_parse(bytes, len, &head, &e);
 *
 *	if (r == -ERR_INCOMPLETE)
 *		return wait_for_more();
 *	if (r < 0)
 *		return refuse(r == -ERR_LIMIT ? 431 : 400, e.text);
 *	route(head.host);
 *	body = bytes + head.len;
 *
 * Stricter than the RFC, on purpose:
 *  - no empty line before the request line (a server "should" skip one): it came from clients of
 *    the nineties, and a byte that belongs to no message is where two parsers part;
 *  - no bytes from 0x80 in the target: some servers take 0x85 and 0xa0 for white space;
 *  - Content-Length given twice is refused even when both agree;
 *  - Transfer-Encoding is "chunked" or the request is refused;
 *  - Connection names at most 32 options: each is compared with every field;
 *  - Host is a host name, an IPv4 address or an IPv6 address in brackets, and a port is a number;
 *  - absolute-form is for http and https and names the same host and port as Host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

#define HTTPHEAD_MAX	     (32 * 1024) /* bytes, the blank line included */
#define HTTPHEAD_FIELDS_MAX  100
#define HTTPHEAD_METHOD_MAX  32
#define HTTPHEAD_OPTIONS_MAX 32 /* that Connection names, all such fields together */
#define HTTPHEAD_NO_LENGTH   UINT64_MAX

enum httphead_form {
	HTTPHEAD_ORIGIN,   /* /path?query */
	HTTPHEAD_ABSOLUTE, /* http://host/path?query */
	HTTPHEAD_ASTERISK, /* "*", with OPTIONS only */
};

struct httphead_field {
	struct str name;  /* as sent */
	struct str value; /* without blanks around it; bytes from 0x80 may be in it */
};

/* All slices are borrowed from the bytes given to httphead_parse. */
struct httphead {
	size_t len; /* of the head, blank line included: the body or the next request follows */
	struct str method; /* case-sensitive; never CONNECT */
	struct str target; /* as sent */
	struct str path;   /* what to ask the next server for: "/path?query", or "*" */
	enum httphead_form form;
	int minor; /* of HTTP/1.minor: 0, or 1 for 1.1 */

	char host[HOSTNAME_MAX]; /* lower case, no port, no trailing dot; IPv6 in brackets; empty
				  * only in HTTP/1.0 */
	uint16_t port;		 /* as named with the host; 0: not named */

	uint64_t content_length; /* HTTPHEAD_NO_LENGTH: not given */
	bool chunked;
	bool keep_alive;      /* the client means to send another request */
	bool upgrade;	      /* 1.1, an Upgrade field, and Connection names it */
	bool expect_continue; /* 1.1, there is a body and it waits for 100 */

	size_t n_fields;
	struct httphead_field fields[HTTPHEAD_FIELDS_MAX];
};

/*
 * Parse the head at the beginning of `bytes`. When more bytes have come, call again with all of
 * them; while the end is missing that costs one fast search over at most HTTPHEAD_MAX bytes.
 *
 * bytes, len  in:  everything received so far; borrowed by ret
 * ret         out: on failure its contents mean nothing
 *
 * 0;
 * -ERR_INCOMPLETE  no blank line yet;
 * -ERR_LIMIT       over HTTPHEAD_MAX or HTTPHEAD_FIELDS_MAX: answer 431;
 * -ERR_INVALID     answer 400 and close; e->text says what is wrong, without the stranger's bytes.
 */
int httphead_parse(const char *bytes, size_t len, struct httphead *ret, struct err *e) MUST_CHECK;

/* The value of the first field of that name (compared without case); an empty str when there is
 * none: its `at` is NULL then, and only then. */
struct str httphead_field(const struct httphead *head, struct str name);

/* Whether any Connection field names `option` ("close", or a field that must not be forwarded). */
bool httphead_connection_has(const struct httphead *head, struct str option);

static inline bool httphead_has_body(const struct httphead *head)
{
	return head->chunked ||
	       (head->content_length != HTTPHEAD_NO_LENGTH && head->content_length > 0);
}
