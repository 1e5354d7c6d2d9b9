/*
 * Made-up machines, written down in the manner of ip(8), lines apart by ';':
 *
 *	link 2 eth0				link 3 wg0 wireguard
 *	link 4 eth1 down			link 5 eth2 forwarding accept_ra=1
 *	addr 2 192.168.1.10/24			addr 2 2a0e:2:0:1::50/64 mngtmpaddr pref=600 valid=1800
 *	addr 5 100.64.0.2/32 peer=100.64.0.1
 *	route 2 192.168.1.1 metric=100		route 3 - table=51820		"-": no gateway
 *	route6 2 fe80::1			route6 3 -
 */
#pragma once

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "net/netstate.h"

#define MACHINE_MAX 24

struct machine {
	struct netstate_link links[MACHINE_MAX];
	struct netstate_address addresses[MACHINE_MAX];
	struct netstate_route routes[MACHINE_MAX];
	struct netstate state;
};

static struct str machine_word(struct str *line)
{
	struct str word = {0};

	while (word.len == 0 && line->len)
		word = str_split(line, ' ');
	return word;
}

static struct ipaddr machine_ip(struct str s)
{
	struct ipaddr a = {0};

	if (!str_eq(s, STR("-")) && ipaddr_parse(s, &a) < 0)
		fail_msg("not an address: %.*s", STR_ARG(s));
	return a;
}

static bool machine_value(struct str word, struct str key, struct str *ret)
{
	struct str value = word, name = str_split(&value, '=');

	*ret = value;
	return str_eq(name, key);
}

static uint32_t machine_number(struct str s)
{
	uint64_t n = 0;

	if (!str_to_u64(s, UINT32_MAX, &n))
		fail_msg("not a number: %.*s", STR_ARG(s));
	return (uint32_t)n;
}

static struct ipaddr machine_scoped(struct ipaddr a, unsigned ifindex)
{
	if (a.family == 6 && a.bytes[0] == 0xfe && a.bytes[1] == 0x80)
		a.scope = ifindex;
	return a;
}

static void machine_link(struct machine *m, struct str line)
{
	struct netstate_link *link = &m->links[m->state.n_links++];
	struct str word;

	*link = (struct netstate_link){.up = true,
				       .running = true,
				       .type = ARPHRD_ETHER,
				       .forwarding6 = 0,
				       .accept_ra = 1,
				       .use_tempaddr = 0};
	link->ifindex = machine_number(machine_word(&line));
	str_copy(link->name, sizeof(link->name), machine_word(&line));
	while ((word = machine_word(&line)).len) {
		struct str value;

		if (str_eq(word, STR("down")))
			link->running = false;
		else if (str_eq(word, STR("forwarding")))
			link->forwarding6 = 1;
		else if (machine_value(word, STR("accept_ra"), &value))
			link->accept_ra = (int)machine_number(value);
		else
			str_copy(link->kind, sizeof(link->kind), word);
	}
	link->loopback = strcmp(link->name, "lo") == 0;
	if (strcmp(link->kind, "tun") == 0 || strcmp(link->kind, "wireguard") == 0)
		link->type = ARPHRD_NONE;
	if (strcmp(link->kind, "tap") == 0) {
		link->type = ARPHRD_ETHER;
		strcpy(link->kind, "tun");
	}
	if (strcmp(link->kind, "ppp") == 0)
		link->type = ARPHRD_PPP;
}

static void machine_flag(struct netstate_address *a, struct str word)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} flags[] = {
		{"temporary", IFA_F_TEMPORARY},		  {"secondary", IFA_F_SECONDARY},
		{"deprecated", IFA_F_DEPRECATED},	  {"tentative", IFA_F_TENTATIVE},
		{"optimistic", IFA_F_OPTIMISTIC},	  {"dadfailed", IFA_F_DADFAILED},
		{"mngtmpaddr", IFA_F_MANAGETEMPADDR},	  {"noprefixroute", IFA_F_NOPREFIXROUTE},
		{"stable-privacy", IFA_F_STABLE_PRIVACY},
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (str_eq(word, str_of(flags[i].name))) {
			a->flags |= flags[i].flag;
			return;
		}
	}
	fail_msg("what is %.*s?", STR_ARG(word));
}

static void machine_addr(struct machine *m, struct str line)
{
	struct netstate_address *a = &m->addresses[m->state.n_addresses++];
	struct str prefix_len, address, word;

	*a = (struct netstate_address){.ifindex = machine_number(machine_word(&line)),
				       .preferred_s = NETSTATE_FOREVER,
				       .valid_s = NETSTATE_FOREVER};
	prefix_len = machine_word(&line);
	address = str_split(&prefix_len, '/');
	a->address = machine_scoped(machine_ip(address), a->ifindex);
	a->prefix_len = (uint8_t)machine_number(prefix_len);
	while ((word = machine_word(&line)).len) {
		struct str value;

		if (machine_value(word, STR("pref"), &value))
			a->preferred_s = machine_number(value);
		else if (machine_value(word, STR("valid"), &value))
			a->valid_s = machine_number(value);
		else if (machine_value(word, STR("created"), &value))
			a->created_cs = 100 * machine_number(value);
		else if (machine_value(word, STR("updated"), &value))
			a->updated_cs = 100 * machine_number(value);
		else if (machine_value(word, STR("peer"), &value))
			a->peer = machine_ip(value);
		else
			machine_flag(a, word);
	}
	if (a->preferred_s != NETSTATE_FOREVER && a->valid_s == NETSTATE_FOREVER)
		a->valid_s = a->preferred_s + 3600;
	if (a->valid_s == NETSTATE_FOREVER)
		a->flags |= IFA_F_PERMANENT;
}

static void machine_route(struct machine *m, uint8_t family, struct str line)
{
	struct netstate_route *route = &m->routes[m->state.n_routes++];
	struct str word;

	*route = (struct netstate_route){.family = family,
					 .ifindex = machine_number(machine_word(&line)),
					 .table = RT_TABLE_MAIN};
	route->gateway = machine_scoped(machine_ip(machine_word(&line)), route->ifindex);
	while ((word = machine_word(&line)).len) {
		struct str value;

		if (machine_value(word, STR("metric"), &value))
			route->metric = machine_number(value);
		else if (machine_value(word, STR("table"), &value))
			route->table = machine_number(value);
		else if (machine_value(word, STR("src"), &value))
			route->source = machine_ip(value);
		else if (machine_value(word, STR("from"), &value))
			assert_int_equal(cidr_parse(value, &route->from, NULL), 0);
		else if (str_eq(word, STR("high")))
			route->preference = 1;
		else if (str_eq(word, STR("low")))
			route->preference = -1;
		else
			fail_msg("what is %.*s?", STR_ARG(word));
	}
}

/* A machine has "link 1 lo; addr 1 127.0.0.1/8; addr 1 ::1/128" without being told. */
static void machine_add(struct machine *m, const char *text)
{
	struct str rest = str_of(text);

	while (rest.len) {
		struct str line = str_split(&rest, ';');
		struct str word = machine_word(&line);

		if (str_eq(word, STR("link")))
			machine_link(m, line);
		else if (str_eq(word, STR("addr")))
			machine_addr(m, line);
		else if (str_eq(word, STR("route")))
			machine_route(m, 4, line);
		else if (str_eq(word, STR("route6")))
			machine_route(m, 6, line);
		else if (word.len)
			fail_msg("what is %.*s?", STR_ARG(word));
	}
	m->state.links = m->links;
	m->state.addresses = m->addresses;
	m->state.routes = m->routes;
}

static void machine_init(struct machine *m, const char *text)
{
	*m = (struct machine){0};
	machine_add(m, "link 1 lo; addr 1 127.0.0.1/8; addr 1 ::1/128");
	machine_add(m, text);
}
