/* What a gateway device is asked, and what its answers say. */
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

#include "map/igd_private.h"
#include "map/xml.h"

/* ── what answers say ── */

/* UPnP's boolean (UPnP Device Architecture 1.1 §2.5). */
static bool is_true(const struct soap_value *v)
{
	struct str s = str_of(v->text);

	return str_eq(s, STR("1")) || str_eq_nocase(s, STR("true")) || str_eq_nocase(s, STR("yes"));
}

static bool read_number(const struct soap_value *v, uint64_t max, uint64_t *ret)
{
	return v->found && str_to_u64(str_of(v->text), max, ret);
}

/* An empty one, 0.0.0.0 and what is no address at all: it has none. */
static bool read_external(const struct soap_value *v, struct igd_answer *answer)
{
	struct ipaddr a;

	if (v[0].found && ipaddr_parse(str_of(v[0].text), &a) == 0 && a.family == 4 &&
	    !ipaddr_is_unspecified(&a) && !ipaddr_is_loopback(&a))
		answer->external = a;
	return v[0].found;
}

static bool read_status(const struct soap_value *v, struct igd_answer *answer)
{
	struct str state = str_of(v[0].text);

	answer->connected =
		str_eq_nocase(state, STR("Connected")) || str_eq_nocase(state, STR("Up"));
	return v[0].found;
}

static bool read_mapping(const struct soap_value *v, struct igd_answer *answer)
{
	struct igd_mapping *m = &answer->mapping;
	uint64_t port, lease_s = 0;

	if (!v[0].found || !read_number(&v[1], UINT16_MAX, &port))
		return false;
	if (ipaddr_parse(str_of(v[0].text), &m->client) < 0)
		m->client = (struct ipaddr){0};
	m->client.port = (uint16_t)port;
	m->enabled = !v[2].found || is_true(&v[2]);
	xml_printable(m->description, sizeof(m->description), str_of(v[3].text));
	if (read_number(&v[4], UINT32_MAX, &lease_s))
		m->lease_s = (uint32_t)lease_s;
	return true;
}

static bool read_firewall(const struct soap_value *v, struct igd_answer *answer)
{
	answer->firewall.enabled = is_true(&v[0]);
	answer->firewall.inbound_allowed = is_true(&v[1]);
	return v[0].found && v[1].found;
}

static bool read_pinhole(const struct soap_value *v, struct igd_answer *answer)
{
	uint64_t id;

	if (!read_number(&v[0], UINT16_MAX, &id))
		return false;
	answer->pinhole = (uint16_t)id;
	return true;
}

static bool read_packets(const struct soap_value *v, struct igd_answer *answer)
{
	uint64_t packets;

	if (!read_number(&v[0], UINT32_MAX, &packets))
		return false;
	answer->packets = (uint32_t)packets;
	return true;
}

const struct igd_action igd_get_external_address = {
	"GetExternalIPAddress", {"NewExternalIPAddress"}, read_external};
const struct igd_action igd_get_status = {"GetStatusInfo", {"NewConnectionStatus"}, read_status};
static const struct igd_action add_mapping = {"AddPortMapping", {NULL}, NULL};
static const struct igd_action delete_mapping = {"DeletePortMapping", {NULL}, NULL};
static const struct igd_action lookup = {"GetSpecificPortMappingEntry",
					 {"NewInternalClient", "NewInternalPort", "NewEnabled",
					  "NewPortMappingDescription", "NewLeaseDuration"},
					 read_mapping};
static const struct igd_action firewall_status = {
	"GetFirewallStatus", {"FirewallEnabled", "InboundPinholeAllowed"}, read_firewall};
static const struct igd_action add_pinhole = {"AddPinhole", {"UniqueID"}, read_pinhole};
static const struct igd_action update_pinhole = {"UpdatePinhole", {NULL}, NULL};
static const struct igd_action delete_pinhole = {"DeletePinhole", {NULL}, NULL};
static const struct igd_action pinhole_packets = {
	"GetPinholePackets", {"PinholePackets"}, read_packets};

/* ── the actions ── */

static const char *protocol_name(uint8_t protocol)
{
	assert(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
	return protocol == IPPROTO_TCP ? "TCP" : "UDP"; /* others' spelling is refused by some */
}

#define NUMBER_MAX 12

static const char *number(char text[static NUMBER_MAX], uint32_t n)
{
	snprintf(text, NUMBER_MAX, "%u", n);
	return text;
}

static int ask_connection(struct igd *igd, const struct igd_action *action,
			  const struct soap_arg *args, size_t n, const struct igd_answer *begun,
			  struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	const struct description_service *service = igd_connection(igd);

	if (!service)
		return err_set(e, ERR_NOT_FOUND, "%s: no device that maps ports was found",
			       action->name);
	return igd_call_new(igd_line(igd), service, action, args, n, begun, then, ret_call, e);
}

static int ask_firewall(struct igd *igd, const struct igd_action *action,
			const struct soap_arg *args, size_t n, struct igd_then then,
			struct igd_call **ret_call, struct err *e)
{
	const struct description_service *service = igd_firewall(igd);

	if (!service || igd_place(igd)->address.family != 6)
		return err_set(e, ERR_NOT_FOUND, "%s: no device that makes pinholes was found",
			       action->name);
	return igd_call_new(igd_line(igd), service, action, args, n, NULL, then, ret_call, e);
}

int igd_external_address(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			 struct err *e)
{
	return ask_connection(igd, &igd_get_external_address, NULL, 0, NULL, then, ret_call, e);
}

/* WANIPConnection:1 §2.4.16. NewRemoteHost stays empty: "0.0.0.0" makes rules on some routers that
 * nobody matches. */
int igd_add_mapping(struct igd *igd, const struct igd_mapping *mapping, struct igd_then then,
		    struct igd_call **ret_call, struct err *e)
{
	char external[NUMBER_MAX], internal[NUMBER_MAX], lease[NUMBER_MAX], client[IPADDR_TEXT_MAX];
	struct soap_arg args[] = {
		{"NewRemoteHost", ""},
		{"NewExternalPort", number(external, mapping->external_port)},
		{"NewProtocol", protocol_name(mapping->protocol)},
		{"NewInternalPort", number(internal, mapping->client.port)},
		{"NewInternalClient", ipaddr_format(client, &mapping->client)},
		{"NewEnabled", "1"},
		{"NewPortMappingDescription", mapping->description},
		{"NewLeaseDuration", number(lease, mapping->lease_s)},
	};

	assert(mapping->external_port && mapping->client.port && mapping->client.family == 4);
	return ask_connection(igd, &add_mapping, args, ARRAY_LEN(args), NULL, then, ret_call, e);
}

static int ask_about_port(struct igd *igd, const struct igd_action *action, uint8_t protocol,
			  uint16_t external_port, struct igd_then then, struct igd_call **ret_call,
			  struct err *e)
{
	char external[NUMBER_MAX];
	struct soap_arg args[] = {
		{"NewRemoteHost", ""},
		{"NewExternalPort", number(external, external_port)},
		{"NewProtocol", protocol_name(protocol)},
	};
	struct igd_answer begun = {
		.mapping = {.protocol = protocol, .external_port = external_port}};

	assert(external_port);
	return ask_connection(igd, action, args, ARRAY_LEN(args), &begun, then, ret_call, e);
}

int igd_delete_mapping(struct igd *igd, uint8_t protocol, uint16_t external_port,
		       struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	return ask_about_port(igd, &delete_mapping, protocol, external_port, then, ret_call, e);
}

int igd_lookup(struct igd *igd, uint8_t protocol, uint16_t external_port, struct igd_then then,
	       struct igd_call **ret_call, struct err *e)
{
	return ask_about_port(igd, &lookup, protocol, external_port, then, ret_call, e);
}

int igd_firewall_status(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			struct err *e)
{
	return ask_firewall(igd, &firewall_status, NULL, 0, then, ret_call, e);
}

/* WANIPv6FirewallControl:1 §2.5.3. Routers compare InternalClient, as text, with the address that
 * the request comes from. */
int igd_add_pinhole(struct igd *igd, uint8_t protocol, uint16_t port, uint32_t lease_s,
		    struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	char internal[NUMBER_MAX], lease[NUMBER_MAX], client[IPADDR_TEXT_MAX], proto[NUMBER_MAX];
	struct soap_arg args[] = {
		{"RemoteHost", ""},
		{"RemotePort", "0"},
		{"InternalClient", ipaddr_format(client, &igd_place(igd)->address)},
		{"InternalPort", number(internal, port)},
		{"Protocol", number(proto, protocol)},
		{"LeaseTime", number(lease, lease_s)},
	};

	assert(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
	assert(port && lease_s && lease_s <= IGD_PINHOLE_LEASE_MAX);
	return ask_firewall(igd, &add_pinhole, args, ARRAY_LEN(args), then, ret_call, e);
}

int igd_update_pinhole(struct igd *igd, uint16_t pinhole, uint32_t lease_s, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	char id[NUMBER_MAX], lease[NUMBER_MAX];
	struct soap_arg args[] = {
		{"UniqueID", number(id, pinhole)},
		{"NewLeaseTime", number(lease, lease_s)},
	};

	assert(lease_s && lease_s <= IGD_PINHOLE_LEASE_MAX);
	return ask_firewall(igd, &update_pinhole, args, ARRAY_LEN(args), then, ret_call, e);
}

static int ask_about_pinhole(struct igd *igd, const struct igd_action *action, uint16_t pinhole,
			     struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	char id[NUMBER_MAX];
	struct soap_arg args[] = {{"UniqueID", number(id, pinhole)}};

	return ask_firewall(igd, action, args, ARRAY_LEN(args), then, ret_call, e);
}

int igd_delete_pinhole(struct igd *igd, uint16_t pinhole, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	return ask_about_pinhole(igd, &delete_pinhole, pinhole, then, ret_call, e);
}

int igd_pinhole_packets(struct igd *igd, uint16_t pinhole, struct igd_then then,
			struct igd_call **ret_call, struct err *e)
{
	return ask_about_pinhole(igd, &pinhole_packets, pinhole, then, ret_call, e);
}
