/*
 * The Simple Service Discovery Protocol, as far as it takes to find a router (UPnP Device
 * Architecture 1.1, §1): a question in one datagram, answers and announcements with the address of
 * a description.
 *
 *	len = ssdp_format_search(text, &group, STR("urn:…:InternetGatewayDevice:1"), 2);
 *
 *	r = ssdp_decode(bytes, n, &message, &e);
 *	if (r == 0 && message.kind == SSDP_ANSWER)
 *		r = ssdp_location_parse(message.location, &addr, &path, &e);
 *	if (r == 0 && !same_address(&addr, &sender))
 *		pass_over();
 *
 * Everybody in the local network can send such datagrams. They are read liberally (bare line feeds,
 * no blank line at the end, lines that are no fields), but what is read out of them has one meaning:
 * a field that is there twice says the same, and no value has a control character.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

#define SSDP_PORT 1900

#define SSDP_MAX	2048 /* of a datagram that is read; a longer one is refused */
#define SSDP_VALUE_MAX	512  /* of a field that is read */
#define SSDP_TARGET_MAX 128  /* of what is searched for */
#define SSDP_SEARCH_MAX 320  /* of a question, with its NUL */
#define SSDP_MX_MAX	5    /* s */

#define SSDP_KINDS(X)                                                                              \
	X(ANSWER) /* to a search */                                                                \
	X(ALIVE)  /* NOTIFY: it is there, from now on or still */                                  \
	X(BYEBYE) /* NOTIFY: it goes */                                                            \
	X(UPDATE) /* NOTIFY: its BOOTID is about to change */

enum ssdp_kind {
#define X(name) SSDP_##name,
	SSDP_KINDS(X)
#undef X
};

/* All text is borrowed from the bytes that were decoded: printable or from 0x80, no blanks around
 * it, at most SSDP_VALUE_MAX bytes. */
struct ssdp_message {
	enum ssdp_kind kind;
	struct str target;   /* ST of an answer, NT of a NOTIFY; never empty */
	struct str location; /* never empty, except with BYEBYE: often not there */
	struct str usn;	     /* may be empty, as those below */
	struct str server;
	struct str nls;	  /* 01-NLS of UPnP 1.0: another text means that it restarted */
	bool has_boot_id; /* BOOTID.UPNP.ORG of UPnP 1.1, likewise a number */
	uint32_t boot_id;
};

/*
 * Write a question (M-SEARCH).
 *
 * text    out: NUL-terminated
 * to      in:  where it is sent: a group or one device, with port; its scope does not count
 * target  in:  what is searched for, at most SSDP_TARGET_MAX bytes: "ssdp:all", "urn:…"
 * mx      in:  seconds over which answers are to be spread, 1..SSDP_MX_MAX; 0: now, for one device
 *
 * Returns its length without the NUL. Cannot fail.
 */
size_t ssdp_format_search(char text[static SSDP_SEARCH_MAX], const struct ipaddr *to,
			  struct str target, unsigned mx);

/*
 * Decode a datagram: the answer to a search (status 200), or a NOTIFY.
 *
 * ret   out: written on success only
 *
 * -ERR_INVALID: anything else (others' searches, for one), or one that breaks the rules above; e
 * says which, without the stranger's bytes.
 */
int ssdp_decode(const void *bytes, size_t len, struct ssdp_message *ret, struct err *e) MUST_CHECK;

/*
 * Take "http://ADDRESS[:PORT][/PATH]" apart.
 *
 * location   in:  at most SSDP_VALUE_MAX bytes
 * ret_addr   out: the literal with its port (80 when it has none). A zone ("%eth0", "%25eth0") is
 *                 the sender's name for his own interface and left out: scope is 0
 * ret_path   out: path and query, "/" when there is none; borrowed from location, or static; no
 *                 blanks, no control characters, ASCII
 *
 * Both are written on success only. Whether the address is the right one (on the link, the
 * sender's, no loopback) is for the caller to judge.
 *
 * -ERR_INVALID: another scheme, a host name, a user, a fragment, an IPv4 address in IPv6's clothes,
 * or no such text at all; e says which, without the stranger's bytes.
 */
int ssdp_location_parse(struct str location, struct ipaddr *ret_addr, struct str *ret_path,
			struct err *e) MUST_CHECK;
