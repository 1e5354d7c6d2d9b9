#include "map/refusal.h"

#include <stdio.h>

#include "proto/natpmp.h"

#define LOW_PORTS 1024

/* What the codes of UPnP mean for the one who wants a door (WANIPConnection:1 §2.5, :2 §2.7,
 * WANIPv6FirewallControl:1 §2.6). */
static const struct {
	unsigned code;
	const char *words;
} igd_words[] = {
	{401, "the router does not know the request"},
	{402, "the router does not accept the values"},
	{501, "the router could not do it; many say so when they have no public address"},
	{600, "the router does not accept the values"},
	{602, "the router cannot do this"},
	{603, "the router is out of memory"},
	{606, "the router does not allow it to this device"},
	{701, "there is no such entry"},
	{702, "the router's firewall is switched off, so that no pinhole is needed"},
	{703, "the router's firewall allows no pinholes"},
	{704, "there is no such entry"},
	{706, "the router does not do this protocol"},
	{708, "the router needs one more port told"},
	{709, "the router does not do this protocol"},
	{714, "there is no such entry"},
	{715, "the router wants the other side's address"},
	{716, "the router wants the external port to be any"},
	{718, "the port is used by another device"},
	{724, "the router wants the same port inside and outside"},
	{725, "the router opens ports only for ever"},
	{726, "the router wants the other side's address to be any"},
	{727, "the router wants the external port to be any"},
	{728, "the router has no port left"},
	{729, "the port is used by the router itself, or by a rule of its owner"},
	{732, "the router does not accept the values"},
};

static const char *words_of(unsigned code)
{
	for (size_t i = 0; i < ARRAY_LEN(igd_words); i++)
		if (igd_words[i].code == code)
			return igd_words[i].words;
	return NULL;
}

/* The transport's trouble, alike for all. True: that was it. */
static bool no_answer(char *text, size_t size, const char *title, int r)
{
	switch (r) {
	case -ERR_TIMEOUT:
		snprintf(text, size, "%s: the router does not answer", title);
		return true;
	case -ERR_NOT_FOUND:
		snprintf(text, size, "%s: the router does not offer it any more", title);
		return true;
	case -ERR_REFUSED:
		return false;
	default:
		snprintf(text, size, "%s: the router's answer makes no sense", title);
		return true;
	}
}

void refusal_pmp(char *text, size_t size, enum map_method method, const struct pmp_answer *answer,
		 const struct map_wish *wish)
{
	const char *title = map_method_title(method);
	unsigned result = answer->result;

	if (no_answer(text, size, title, answer->r))
		return;
	if (method == MAP_PCP && result == PCP_CANNOT_PROVIDE_EXTERNAL)
		snprintf(text, size,
			 "%s: port %u is used by another device, or not allowed (%s, %u)", title,
			 wish->external_port, pcp_result_name(result), result);
	else if (method == MAP_PCP)
		snprintf(text, size, "%s: the router refuses: %s (%s, %u)", title,
			 pcp_result_words(result), pcp_result_name(result), result);
	else
		snprintf(text, size, "%s: the router refuses: %s (%s, %u)", title,
			 natpmp_result_words(result), natpmp_result_name(result), result);
}

void refusal_igd(char *text, size_t size, const struct igd_answer *answer,
		 const struct map_wish *wish, bool inbound_forbidden)
{
	uint16_t port = wish->family == 6 ? wish->internal_port : wish->external_port;
	const char *words = words_of(answer->upnp_code);

	if (answer->r != -ERR_REFUSED && *answer->text)
		snprintf(text, size, "UPnP: %s", answer->text);
	else if (no_answer(text, size, "UPnP", answer->r))
		return;
	else if (inbound_forbidden)
		snprintf(text, size,
			 "UPnP: the router's firewall allows this device no pinholes (%u); its own "
			 "pages may have a switch for that",
			 answer->upnp_code);
	else if (answer->upnp_code == 606 && port < LOW_PORTS)
		snprintf(text, size, "UPnP: the router refuses ports below 1024 (606)");
	else if (words)
		snprintf(text, size, "UPnP: %s (%u)", words, answer->upnp_code);
	else
		snprintf(text, size, "UPnP: the router refuses: %s (%u)",
			 *answer->text ? answer->text : "without a reason", answer->upnp_code);
}
