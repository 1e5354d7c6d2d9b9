/*
 * rtnetlink(7) for net/netstate and net/netwatch: messages taken apart, bounds checked, and dumps.
 * Numbers are in the machine's byte order.
 *
 *	while (rtnl_next(&datagram, &m))
 *		if (m.type == RTM_NEWADDR && rtnl_header(&m, &addr, sizeof(addr)))
 *			rtnl_u32(m.body, IFA_FLAGS, &flags);
 */
#pragma once

#include <linux/rtnetlink.h>

#include "base/cursor.h"
#include "base/err.h"

struct rtnl_message {
	uint16_t type;	/* RTM_*, NLMSG_* */
	uint16_t flags; /* NLM_F_* */
	uint32_t seq;
	struct cursor body; /* at first with the type's own header, then attributes alone */
};

struct rtnl_attr {
	unsigned type;
	struct cursor value;
};

/* The next message of a datagram. False: no whole one is left. */
bool rtnl_next(struct cursor *datagram, struct rtnl_message *ret);

/* Take the header that messages of the type begin with (struct ifinfomsg, ...). False: too short. */
bool rtnl_header(struct rtnl_message *m, void *ret, size_t size);

bool rtnl_attr_next(struct cursor *attrs, struct rtnl_attr *ret);
bool rtnl_attr_find(struct cursor attrs, unsigned type, struct cursor *ret);

/* An attribute of exactly this size. False, and *ret is untouched: it is not there. */
bool rtnl_get(struct cursor attrs, unsigned type, void *ret, size_t size);

static inline bool rtnl_u32(struct cursor attrs, unsigned type, uint32_t *ret)
{
	return rtnl_get(attrs, type, ret, sizeof(*ret));
}

#define RTNL_DATAGRAM_MAX 32768 /* the kernel makes none longer */

/*
 * Ask the kernel for everything of one type, and hand on_message what it answers until that returns
 * something else than 0, which is then returned.
 *
 * type     in: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE
 * request  in: the type's header (and attributes); its first byte, the family, must be that of the
 *              answers (a kernel without IPv6 answers questions for it with everything else)
 *
 * Does not block: the kernel makes the answer while it is read. -ERR_AGAIN: something changed
 * meanwhile, and what was told may not fit together; -ERR_FAILED: e says why; -ERR_NOMEM.
 */
int rtnl_dump(uint16_t type, const void *request, size_t len,
	      int (*on_message)(void *arg, struct rtnl_message *m), void *arg,
	      struct err *e) MUST_CHECK;
