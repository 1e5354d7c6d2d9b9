/*
 * One Internet Gateway Device (UPnP IGD 1 and 2): found, described, asked.
 *
 *	igd_new(loop, httpc, &place, &igd, &e);
 *	igd_discover(igd, on_found, x, &e);		search, description, choice of a service
 *	igd_add_mapping(igd, &mapping, (struct igd_then){on_added, lease}, &lease->call, &e);
 *	igd_free(igd);
 *
 * Everything is sent from place.address: routers compare it with the client that a door is for.
 * Only the device that was found is ever spoken to; what it sends can lead nowhere else. On an IPv4
 * place there are port mappings, on an IPv6 place pinholes.
 *
 * One action is under way at a time (small routers mix up parallel ones), others wait in line, at
 * most IGD_CALLS_MAX. Callbacks come from the loop, later, once, and never for what was cancelled;
 * inside one everything is allowed, igd_free too.
 *
 * Some routers lose answers while both families search at once on one link: who discovers on both
 * starts the second when the first has ended, or IGD_STAGGER later.
 *
 * Sources: UPnP Device Architecture 1.1; WANIPConnection:1 and :2, WANPPPConnection:1,
 * WANIPv6FirewallControl:1.
 */
#pragma once

#include "map/place.h"
#include "net/loop.h"

struct httpc;
struct igd;
struct igd_call;

#define IGD_CALLS_MAX	      64 /* under way and waiting */
#define IGD_NAME_MAX	      64
#define IGD_TEXT_MAX	      192
#define IGD_DESCRIPTION_MAX   33 /* of a mapping we ask for: ASCII; longer ones are cut when read */
#define IGD_STAGGER	      (300 * USEC_PER_MS)
#define IGD_SEARCH_TIME	      (2500 * USEC_PER_MS) /* silence until then: there is none */
#define IGD_DISCOVER_TIME     (8 * USEC_PER_S)	   /* with slow answers, at most */
#define IGD_CALL_TIME	      (3 * USEC_PER_S)	   /* one action, once it is its turn */
#define IGD_PINHOLE_LEASE_MAX 86400		   /* s; 0 is not allowed there */

/* place is copied. httpc is borrowed and must outlive the device. */
int igd_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	    struct igd **ret_igd, struct err *e) MUST_CHECK;

/* At any time; nobody is called any more. What was sent may still happen. NULL is fine. */
void igd_free(struct igd *igd);

/* ── finding ── */

/* What was found. All text is printable, whatever the device sent. */
struct igd_device {
	char name[IGD_NAME_MAX]; /* friendly name, manufacturer, model; "" where there is none */
	char manufacturer[IGD_NAME_MAX];
	char model[IGD_NAME_MAX];
	char server[IGD_NAME_MAX];     /* SERVER of its answer to the search */
	struct ipaddr control;	       /* the address and port that are spoken to */
	bool other;		       /* it is not place.router, which itself stays silent */
	char connection[IGD_NAME_MAX]; /* "WANIPConnection:1": it maps ports; "": it does not */
	unsigned n_connections;	       /* that it has; the best one was chosen */
	bool firewall;		       /* WANIPv6FirewallControl:1: it knows of pinholes */
	usec_t answered;	       /* since igd_discover: its answer to the search */
	usec_t described;	       /* since igd_discover: all of this */
};

/*
 * Look for the device, from the start: what was known is forgotten, and calls that wait or are
 * under way end with -ERR_NOT_FOUND (told later). on_found is called once: r = 0 and the device
 * (borrowed; see igd_device); -ERR_NOT_FOUND: nobody answered the search within IGD_SEARCH_TIME;
 * -ERR_REFUSED: somebody did, but offers none of the services to us; -ERR_TIMEOUT, -ERR_FAILED: or
 * cannot be described; e says why. Another igd_discover before that starts over, with its own
 * on_found only.
 * -ERR_FAILED at once: no socket (the address is gone).
 */
int igd_discover(struct igd *igd,
		 void (*on_found)(void *arg, int r, const struct igd_device *device,
				  const struct err *e),
		 void *arg, struct err *e) MUST_CHECK;

/* The device, borrowed until the next igd_discover; NULL: none was found, or it is gone. */
const struct igd_device *igd_device(const struct igd *igd);

/* ── asking ── */

/*
 * One port of the router and where it leads. client carries the internal port. Lease 0 is "for
 * ever", which IGD 2 makes a week.
 */
struct igd_mapping {
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t external_port; /* never 0, which would be all ports */
	struct ipaddr client;	/* as read: family 0 when the router's text is no address */
	char description[IGD_DESCRIPTION_MAX]; /* printable */
	bool enabled;			       /* as read; what is asked for always is */
	uint32_t lease_s;
};

struct igd_answer {
	/*
	 * 0
	 * -ERR_REFUSED:   the device said no: upnp_code and text are its reason
	 * -ERR_NOT_FOUND: nobody is there any more (connection refused, or 404): it has moved to
	 *		   another port, as routers do when they restart. igd_device is NULL from now
	 *		   on, waiting calls end likewise; discover again
	 * -ERR_TIMEOUT:   no answer within IGD_CALL_TIME. It may have been done all the same
	 * -ERR_FAILED:	   no connection, or an answer that makes no sense
	 */
	int r;
	unsigned upnp_code;	 /* with -ERR_REFUSED: 401, 402, 501, 606, 7xx…; 0: the status of
				    HTTP alone said no */
	unsigned http_status;	 /* 0: none came */
	char text[IGD_TEXT_MAX]; /* what went wrong, for people, printable: with -ERR_REFUSED the
				    device's own words, maybe ""; "" when r is 0 */
	usec_t took;		 /* from its turn to the answer */

	/* Each is set by the action of its name, when r is 0. */
	struct ipaddr external; /* external_address; family 0: the router has none, or 0.0.0.0 */
	bool connected; /* GetStatusInfo; routers with a private address outside say so, too */
	struct igd_mapping mapping; /* lookup; protocol and external_port as asked */
	struct {
		bool enabled;	      /* it filters: pinholes are needed */
		bool inbound_allowed; /* pinholes can be had */
	} firewall;
	uint16_t pinhole; /* add_pinhole: its identity */
	uint32_t packets; /* pinhole_packets: how many came through */
};

struct igd_then {
	void (*fn)(void *arg, const struct igd_answer *answer); /* answer is borrowed */
	void *arg;
};

/*
 * The actions. Each is answered once, or refused at once: -ERR_NOT_FOUND: no device, or it does not
 * have the service; -ERR_LIMIT: IGD_CALLS_MAX; -ERR_NOMEM. *ret_call is the handle for igd_cancel,
 * gone when then.fn is called; ret_call may be NULL.
 */

/* GetExternalIPAddress; an empty answer is one (external.family 0). */
int igd_external_address(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			 struct err *e) MUST_CHECK;

/* AddPortMapping. client is usually place.address, with the internal port (not 0); most routers
 * refuse others. description: ASCII without control characters. */
int igd_add_mapping(struct igd *igd, const struct igd_mapping *mapping, struct igd_then then,
		    struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* DeletePortMapping. Of one that is not there: 714, or 0 with some. */
int igd_delete_mapping(struct igd *igd, uint8_t protocol, uint16_t external_port,
		       struct igd_then then, struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* GetSpecificPortMappingEntry. 714: there is none. */
int igd_lookup(struct igd *igd, uint8_t protocol, uint16_t external_port, struct igd_then then,
	       struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* GetFirewallStatus. */
int igd_firewall_status(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			struct err *e) MUST_CHECK;

/* AddPinhole for anybody outside to place.address and this port of it. lease_s: 1 to
 * IGD_PINHOLE_LEASE_MAX. */
int igd_add_pinhole(struct igd *igd, uint8_t protocol, uint16_t port, uint32_t lease_s,
		    struct igd_then then, struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* UpdatePinhole: a lease from now. 704, or 402 with some: there is none of that identity. */
int igd_update_pinhole(struct igd *igd, uint16_t pinhole, uint32_t lease_s, struct igd_then then,
		       struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* DeletePinhole. Likewise. */
int igd_delete_pinhole(struct igd *igd, uint16_t pinhole, struct igd_then then,
		       struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* GetPinholePackets. */
int igd_pinhole_packets(struct igd *igd, uint16_t pinhole, struct igd_then then,
			struct igd_call **ret_call, struct err *e) MUST_CHECK;

/* then.fn will not be called. What is under way is cut off, and may have been done. NULL is fine.
 */
void igd_cancel(struct igd_call *call);
