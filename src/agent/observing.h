/*
 * [observe] of homeport.conf: who is asked which IPv4 address the world sees. For agent/config and
 * agent/names.
 *
 *	[observe]
 *	stun = stun.example.net
 *	echo = none
 */
#pragma once

#include "conf/conf.h"
#include "dns/observe.h"

#define AGENT_OBSERVE_MAX (DNS_SERVICES_MAX / 2) /* of each kind */

struct agent_observe_section {
	struct conf_head head;
	struct conf_words stun, echo;
	bool double_nat;
};

#define AGENT_OBSERVE_ROWS 3
extern const struct conf_row agent_observe_rows[AGENT_OBSERVE_ROWS];

/* What a row alone cannot tell: -ERR_INVALID, "FILE:LINE: ...". */
int agent_observe_check(const struct conf_kind *kind, const struct agent_observe_section *section,
			const char *file, struct err *e) MUST_CHECK;

/* The services that are to be asked, borrowed from the section: how many. */
size_t agent_observe_services(const struct agent_observe_section *section,
			      struct dns_service ret[static DNS_SERVICES_MAX]);
