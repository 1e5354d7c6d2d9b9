#include "test.h"

#include "uplink/uplink.h"

#include "machines.h"

/* ── what is expected, as text ── */

struct look {
	struct machine machine;
	struct uplink_view view;
};

static void look(struct look *l, const char *text, const struct uplink_settings *settings,
		 const struct uplink_view *former)
{
	machine_init(&l->machine, text);
	assert_int_equal(uplink_look(&l->machine.state, settings, former, &l->view, NULL), 0);
}

static void look_done(struct look *l)
{
	uplink_done(&l->view);
}

/* "2a0e:2:0:1::50/64 eth0 fe80::1%2", "192.168.1.10/24 eth0 -", "none". */
static const char *place_text(const struct uplink_place *place)
{
	static char text[2 * IPADDR_TEXT_MAX + 64];
	char address[IPADDR_TEXT_MAX], router[IPADDR_TEXT_MAX + 16] = "-";

	if (!place->address.family)
		return "none";
	assert_int_equal(place->address.scope, 0);
	if (place->router.family)
		ipaddr_format(router, &place->router);
	if (place->router.scope)
		snprintf(router + strlen(router), 16, "%%%u", place->router.scope);
	snprintf(text, sizeof(text), "%s/%u %s %s", ipaddr_format(address, &place->address),
		 place->prefix_len, place->ifname, router);
	return text;
}

static const struct uplink_address *find(const struct uplink_view *view, const char *address)
{
	for (size_t i = 0; i < view->n; i++) {
		char text[IPADDR_TEXT_MAX];

		if (strcmp(ipaddr_format(text, &view->addresses[i].net.address), address) == 0)
			return &view->addresses[i];
	}
	fail_msg("%s is not there", address);
	return NULL;
}

/* "ADDRESS verdict; ADDRESS verdict": each of these, and exactly one of a family chosen if there is a
 * place. */
static void assert_verdicts(const struct uplink_view *view, const char *verdicts)
{
	struct str rest = str_of(verdicts);

	while (rest.len) {
		struct str line = str_split(&rest, ';');
		struct str address = machine_word(&line), verdict = machine_word(&line);
		char text[IPADDR_TEXT_MAX];
		const struct uplink_address *a;

		assert_true(str_copy(text, sizeof(text), address));
		a = find(view, text);
		if (!str_eq(str_of(uplink_verdict_name(a->verdict)), verdict))
			fail_msg("%s: %s, and not %.*s", text, uplink_verdict_name(a->verdict),
				 STR_ARG(verdict));
	}
	for (uint8_t family = 4; family <= 6; family += 2) {
		size_t chosen = 0;

		for (size_t i = 0; i < view->n; i++)
			chosen += view->addresses[i].chosen &&
				  view->addresses[i].net.address.family == family;
		assert_int_equal(chosen, uplink_place(view, family)->address.family != 0);
	}
}

/* ── machines ── */

#define LAN4 "link 2 eth0; addr 2 192.168.1.10/24 pref=43000; route 2 192.168.1.1 metric=100;"

static const struct {
	const char *name, *machine;
	const char *v4, *v6;   /* places */
	const char *verdicts;  /* some of the addresses */
	const char *interface; /* the one that is set; NULL: none */
} cases[] = {
	{"a Pi with self-configured addresses, stable and temporary",
	 LAN4 "route6 2 fe80::1 metric=1024; addr 2 fe80::50/64;"
	      "addr 2 2a0e:2:0:1:4d27::1/64 temporary pref=597 valid=900;"
	      "addr 2 2a0e:2:0:1:2c5e::1/64 mngtmpaddr stable-privacy pref=597 valid=900",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1:2c5e::1/64 eth0 fe80::1%2",
	 "127.0.0.1 loopback; ::1 loopback; 192.168.1.10 private; fe80::50 link-local;"
	 "2a0e:2:0:1:4d27::1 temporary; 2a0e:2:0:1:2c5e::1 usable"},

	{"NetworkManager's addresses, without the kernel's flags",
	 LAN4 "route6 2 fe80::1 metric=100;"
	      "addr 2 2a0e:2:0:1:8::8/64 noprefixroute pref=3600;"
	      "addr 2 2a0e:2:0:1:9::9/64 noprefixroute temporary pref=7200",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1:8::8/64 eth0 fe80::1%2",
	 "2a0e:2:0:1:8::8 usable; 2a0e:2:0:1:9::9 temporary"},

	{"a lease of DHCPv6 beside a self-configured address, which routers know better",
	 LAN4 "route6 2 fe80::1; addr 2 2a0e:2:0:1::abc/128 pref=36000;"
	      "addr 2 2a0e:2:0:1:8::8/64 mngtmpaddr pref=1800",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1:8::8/64 eth0 fe80::1%2",
	 "2a0e:2:0:1::abc outranked"},

	{"a lease of DHCPv6 alone", LAN4 "route6 2 fe80::1; addr 2 2a0e:2:0:1::abc/128 pref=3600",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::abc/128 eth0 fe80::1%2", ""},

	{"unique local and global",
	 LAN4 "route6 2 fe80::1; addr 2 fd00:1::5/64 mngtmpaddr; addr 2 2a0e:2:0:1::5/64 "
	      "mngtmpaddr pref=9",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::5/64 eth0 fe80::1%2",
	 "fd00:1::5 unique-local"},

	{"after a prefix change that was announced",
	 LAN4 "route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr deprecated pref=0 valid=7200;"
	      "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=598 valid=900",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:7::5/64 eth0 fe80::1%2",
	 "2a0e:2:0:1::5 deprecated; 2a0e:2:0:7::5 usable"},

	{"preferred no longer, though the flag is not set yet",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 pref=0 valid=7200", "none", "none",
	 "2a0e:2:0:1::5 deprecated"},

	{"after a prefix change that nobody announced: the router restarted",
	 LAN4 "route6 2 fe80::1;"
	      "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=86000 valid=90000 created=1000 updated=5000;"
	      "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000 valid=7200 created=5400 updated=5430",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:7::5/64 eth0 fe80::1%2",
	 "2a0e:2:0:1::5 stale"},

	{"two routers, each with its prefix, the second one new and eager",
	 "link 2 eth0; route6 2 fe80::1; route6 2 fe80::2;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=3000 valid=9000 created=1000 updated=5000;"
	 "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000 valid=7200 created=5100 updated=5500",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "2a0e:2:0:7::5 outranked"},

	{"two routers, and the first has been silent for longer than one may be",
	 "link 2 eth0; route6 2 fe80::1; route6 2 fe80::2;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=3000 valid=9000 created=1000 updated=5000;"
	 "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000 valid=7200 created=5100 updated=6910",
	 "none", "2a0e:2:0:7::5/64 eth0 fe80::1%2", "2a0e:2:0:1::5 stale"},

	{"two prefixes of one router, announced together: both are good",
	 "link 2 eth0; route6 2 fe80::1;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=3000 created=1000 updated=5000;"
	 "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000 created=2000 updated=5000",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "2a0e:2:0:7::5 outranked"},

	{"an address by hand does not go stale",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 created=10 updated=10;"
	 "addr 2 2a0e:2:0:1:9::9/64 mngtmpaddr pref=3000 created=2000 updated=5000",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "2a0e:2:0:1:9::9 outranked"},

	{"by hand, of a prefix that the router has left",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64;"
	 "addr 2 2a0e:2:0:7:9::9/64 mngtmpaddr pref=3000",
	 "none", "2a0e:2:0:7:9::9/64 eth0 fe80::1%2", "2a0e:2:0:1::5 outranked"},

	{"by hand, of the prefix that the router announces",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600;"
	 "addr 2 2a0e:2:0:1:9::9/128",
	 "none", "2a0e:2:0:1:9::9/128 eth0 fe80::1%2", "2a0e:2:0:1::5 outranked"},

	{"a new unique local prefix does not make a global one stale",
	 "link 2 eth0; route6 2 fe80::1;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=3000 created=1000 updated=5000;"
	 "addr 2 fd00:1::5/64 mngtmpaddr pref=3000 created=6000 updated=7000",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "fd00:1::5 unique-local"},

	{"the main table goes before others, whatever the metric",
	 "link 2 eth0; link 3 wlan0; addr 2 192.168.1.10/24; addr 3 192.168.2.10/24;"
	 "route 2 192.168.1.1 table=7; route 3 192.168.2.1 metric=600",
	 "192.168.2.10/24 wlan0 192.168.2.1", "none", "192.168.1.10 other-interface"},

	{"two routers on two interfaces, one is preferred",
	 "link 2 eth0; link 3 eth1; route6 2 fe80::1; route6 3 fe80::2 high; addr 2 "
	 "2a0e:2:0:1::5/64;"
	 "addr 3 2a0e:2:0:2::5/64",
	 "none", "2a0e:2:0:2::5/64 eth1 fe80::2%3", "2a0e:2:0:1::5 other-interface"},

	{"announced for ever is not by hand",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1:9::9/64 mngtmpaddr;"
	 "addr 2 2a0e:2:0:1::5/64",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "2a0e:2:0:1:9::9 outranked"},

	{"one stays preferred longer",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=1000;"
	 "addr 2 2a0e:2:0:2::5/64 mngtmpaddr pref=86400",
	 "none", "2a0e:2:0:2::5/64 eth0 fe80::1%2", "2a0e:2:0:1::5 outranked"},

	{"one stays preferred a little longer, which does not count",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:2::5/64 mngtmpaddr pref=1040;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=1000",
	 "none", "2a0e:2:0:1::5/64 eth0 fe80::1%2", "2a0e:2:0:2::5 outranked"},

	{"the default route names its source",
	 "link 2 eth0; route6 2 fe80::1 src=2a0e:2:0:2::99; addr 2 2a0e:2:0:1::5/64 mngtmpaddr;"
	 "addr 2 2a0e:2:0:2::5/64 mngtmpaddr",
	 "none", "2a0e:2:0:2::5/64 eth0 fe80::1%2", "2a0e:2:0:1::5 outranked"},

	{"WireGuard with a default route of its own table, by rules",
	 LAN4 "link 3 wg0 wireguard; addr 3 10.2.0.2/32; route 3 - table=51820;"
	      "addr 3 2a07:b944::2:2/128; route6 3 - table=51820;"
	      "route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::5/64 eth0 fe80::1%2",
	 "10.2.0.2 tunnel; 2a07:b944::2:2 tunnel"},

	{"a VPN that took the main table, the router is in another one",
	 "link 2 eth0; addr 2 192.168.1.10/24; route 2 192.168.1.1 table=7;"
	 "link 3 tun0 tun; addr 3 10.8.0.6/24; route 3 10.8.0.1",
	 "192.168.1.10/24 eth0 192.168.1.1", "none", "10.8.0.6 tunnel"},

	{"only a tunnel",
	 "link 2 eth0; addr 2 192.168.1.10/24; link 3 tun0 tun; addr 3 2a07:1::2/64; route6 3 -",
	 "none", "none", "192.168.1.10 no-default-route; 2a07:1::2 tunnel"},

	{"a tunnel that is wanted",
	 LAN4 "link 3 he6 sit; addr 3 2a07:1::2/64; route6 3 -; route6 2 fe80::1;"
	      "addr 2 2a0e:2:0:1::5/64",
	 "none", "2a07:1::2/64 he6 -",
	 "192.168.1.10 other-interface; 2a0e:2:0:1::5 other-interface", "he6"},

	{"the interface that is set is not there", LAN4, "none", "none",
	 "192.168.1.10 other-interface", "eth7"},

	{"Docker",
	 LAN4 "link 3 docker0 bridge; addr 3 172.17.0.1/16; addr 3 fd00:d::1/64;"
	      "link 4 veth12ab veth; link 5 br-1 bridge down; addr 5 172.18.0.1/16",
	 "192.168.1.10/24 eth0 192.168.1.1", "none",
	 "172.17.0.1 no-default-route; 172.18.0.1 down; fd00:d::1 unique-local"},

	{"in a container", "link 7 eth0 veth; addr 7 172.17.0.2/16; route 7 172.17.0.1",
	 "172.17.0.2/16 eth0 172.17.0.1", "none", "172.17.0.2 private"},

	{"in a container without root (slirp4netns, passt)",
	 "link 2 tap0 tap; addr 2 10.0.2.100/24; route 2 10.0.2.2", "10.0.2.100/24 tap0 10.0.2.2",
	 "none", ""},

	{"a host with virtual machines on a bridge of its Ethernet",
	 "link 2 eth0; link 3 br0 bridge; addr 3 192.168.1.10/24; route 3 192.168.1.1;"
	 "link 4 virbr0 bridge down; addr 4 192.168.122.1/24",
	 "192.168.1.10/24 br0 192.168.1.1", "none", "192.168.122.1 down"},

	{"DS-Lite, seen from behind the router", LAN4 "route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::5/64 eth0 fe80::1%2", ""},

	{"DS-Lite, on the router itself",
	 "link 2 wan; link 3 ds-wan ip6tnl; addr 3 192.0.0.2/29; route 3 -; link 4 lan bridge;"
	 "addr 4 192.168.1.1/24; route6 2 fe80::1 from=2a0e:2::/56; addr 2 2a0e:2:0:1::5/128 "
	 "pref=600",
	 "192.0.0.2/29 ds-wan -", "2a0e:2:0:1::5/128 wan fe80::1%2",
	 "192.0.0.2 shared; 192.168.1.1 no-default-route"},

	{"a default route for other addresses only",
	 "link 2 wan; route6 2 fe80::1 from=2a0e:2:0:8::/64; addr 2 2a0e:2:0:1::5/64", "none",
	 "none", "2a0e:2:0:1::5 no-default-route"},

	{"a router that dials (PPPoE)",
	 "link 2 wan; link 3 ppp0 ppp; addr 3 11.22.33.4/32 peer=11.0.0.1; route 3 -; link 4 lan "
	 "bridge;"
	 "addr 4 192.168.1.1/24; addr 3 2a0e:2:0:1::5/64 mngtmpaddr pref=600; route6 3 fe80::1",
	 "11.22.33.4/32 ppp0 11.0.0.1", "2a0e:2:0:1::5/64 ppp0 fe80::1%3",
	 "11.22.33.4 usable; 192.168.1.1 no-default-route"},

	{"a VPN by PPP does not hide the router, though its metric is smaller",
	 LAN4 "link 3 ppp0 ppp; addr 3 10.9.0.2/32 peer=10.9.0.1; route 3 - metric=50",
	 "192.168.1.10/24 eth0 192.168.1.1", "none", "10.9.0.2 other-interface"},

	{"a modem with a shared address", "link 2 wwan0; addr 2 100.80.1.2/30; route 2 100.80.1.1",
	 "100.80.1.2/30 wwan0 100.80.1.1", "none", "100.80.1.2 shared"},

	{"cable and radio in one network: the smaller metric",
	 "link 2 eth0; link 3 wlan0; addr 2 192.168.1.10/24; addr 3 192.168.1.11/24;"
	 "route 3 192.168.1.1 metric=600; route 2 192.168.1.1 metric=100;"
	 "route6 3 fe80::1 metric=600; route6 2 fe80::1 metric=100;"
	 "addr 3 2a0e:2:0:1::3/64 pref=9000; addr 2 2a0e:2:0:1::2/64 pref=90",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::2/64 eth0 fe80::1%2",
	 "192.168.1.11 other-interface; 2a0e:2:0:1::3 other-interface"},

	{"the cable is pulled",
	 "link 2 eth0 down; link 3 wlan0; addr 2 192.168.1.10/24; addr 3 192.168.1.11/24;"
	 "route 3 192.168.1.1 metric=600; route 2 192.168.1.1 metric=100",
	 "192.168.1.11/24 wlan0 192.168.1.1", "none", "192.168.1.10 down"},

	{"several default routes by one interface: the smaller metric; a router that is preferred",
	 "link 2 eth0; addr 2 192.168.1.10/24; route 2 192.168.1.2 metric=20; route 2 192.168.1.1;"
	 "addr 2 2a0e:2:0:1::5/64; route6 2 fe80::2 metric=1024; route6 2 fe80::3 metric=1024 high;"
	 "route6 2 fe80::4 metric=1024 low",
	 "192.168.1.10/24 eth0 192.168.1.1", "2a0e:2:0:1::5/64 eth0 fe80::3%2", ""},

	{"two networks on one cable: the router's",
	 "link 2 eth0; addr 2 10.0.0.5/24; addr 2 192.168.1.10/24 secondary; route 2 192.168.1.1",
	 "192.168.1.10/24 eth0 192.168.1.1", "none", "10.0.0.5 outranked"},

	{"a rented server: a public address alone, its router beyond it",
	 "link 2 eth0; addr 2 10.1.2.3/32; addr 2 11.22.33.44/32; route 2 172.31.1.1",
	 "11.22.33.44/32 eth0 172.31.1.1", "none", "11.22.33.44 usable; 10.1.2.3 outranked"},

	{"a second address by hand",
	 "link 2 eth0; addr 2 192.168.1.10/24; addr 2 192.168.1.9/24 secondary; route 2 "
	 "192.168.1.1",
	 "192.168.1.10/24 eth0 192.168.1.1", "none", "192.168.1.9 outranked"},

	{"IPv4 by an IPv6 router: nobody there to ask for doors",
	 "link 2 eth0; addr 2 11.22.33.44/32; route 2 fe80::1", "11.22.33.44/32 eth0 -", "none",
	 ""},

	{"only a temporary address",
	 LAN4 "route6 2 fe80::1; addr 2 2a0e:2:0:1:4d27::1/64 temporary pref=600",
	 "192.168.1.10/24 eth0 192.168.1.1", "none", "2a0e:2:0:1:4d27::1 temporary"},

	{"not checked yet, checked meanwhile used, and a duplicate",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::1/64 tentative;"
	 "addr 2 2a0e:2:0:1::2/64 tentative optimistic; addr 2 2a0e:2:0:1::3/64 tentative "
	 "dadfailed",
	 "none", "2a0e:2:0:1::2/64 eth0 fe80::1%2",
	 "2a0e:2:0:1::1 tentative; 2a0e:2:0:1::3 duplicate"},

	{"IPv6 only", "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::1/64 mngtmpaddr pref=60",
	 "none", "2a0e:2:0:1::1/64 eth0 fe80::1%2", ""},

	{"IPv4 without a router (169.254/16)", "link 2 eth0; addr 2 169.254.3.4/16; route 2 -",
	 "none", "none", "169.254.3.4 link-local"},

	{"special ranges",
	 "link 2 eth0; route6 2 fe80::1; route 2 192.0.2.1; addr 2 192.0.2.7/24; addr 2 "
	 "198.18.0.1/15;"
	 "addr 2 2001:db8::7/64; addr 2 2002:102:304::1/48; addr 2 2001:0:1::1/64",
	 "none", "none",
	 "192.0.2.7 documentation; 198.18.0.1 special; 2001:db8::7 documentation;"
	 "2002:102:304::1 special; 2001:0:1::1 special"},

	{"nothing", "", "none", "none", "127.0.0.1 loopback"},
};

static void chooses(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uplink_settings settings = {0};
		AUTO(look_done) struct look l;
		const char *v4, *v6;

		if (cases[i].interface)
			strcpy(settings.interface, cases[i].interface);
		look(&l, cases[i].machine, &settings, NULL);
		v4 = place_text(&l.view.v4);
		if (strcmp(v4, cases[i].v4) != 0)
			fail_msg("%s: IPv4 is %s, and not %s", cases[i].name, v4, cases[i].v4);
		v6 = place_text(&l.view.v6);
		if (strcmp(v6, cases[i].v6) != 0)
			fail_msg("%s: IPv6 is %s, and not %s", cases[i].name, v6, cases[i].v6);
		assert_verdicts(&l.view, cases[i].verdicts);
	}
}

static void documentation_where_tests_allow_it(void **state)
{
	const struct uplink_settings settings = {.allow_documentation = true};
	AUTO(look_done) struct look l;

	look(&l,
	     "link 2 eth0; route 2 192.0.2.1; addr 2 192.0.2.7/24; route6 2 fe80::1;"
	     "addr 2 2001:db8::7/64",
	     &settings, NULL);
	assert_string_equal(place_text(&l.view.v4), "192.0.2.7/24 eth0 192.0.2.1");
	assert_string_equal(place_text(&l.view.v6), "2001:db8::7/64 eth0 fe80::1%2");
}

/* ── from one look to the next ── */

#define BEFORE                                                                                     \
	"link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600 valid=900"

static const struct {
	const char *name, *after, *v6;
} changes[] = {
	{"another one that is better does not matter",
	 BEFORE "; addr 2 2a0e:2:0:1::1/64; addr 2 2a0e:2:0:2::5/64 mngtmpaddr pref=9999",
	 "2a0e:2:0:1::5/64 eth0 fe80::1%2"},
	{"deprecated",
	 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr deprecated pref=0;"
	 "addr 2 2a0e:2:0:2::5/64 mngtmpaddr pref=900",
	 "2a0e:2:0:2::5/64 eth0 fe80::1%2"},
	{"gone", "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:2::5/64 mngtmpaddr pref=900",
	 "2a0e:2:0:2::5/64 eth0 fe80::1%2"},
	{"its interface is not the best any more",
	 "link 2 eth0; link 3 eth1; route6 2 fe80::1 metric=20; route6 3 fe80::2 metric=10;"
	 "addr 2 2a0e:2:0:1::5/64; addr 3 2a0e:2:0:2::5/64",
	 "2a0e:2:0:2::5/64 eth1 fe80::2%3"},
	{"another interface as good as it",
	 "link 2 eth0; link 3 eth1; route6 2 fe80::1; route6 3 fe80::2;"
	 "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600; addr 3 2a0e:2:0:2::5/64",
	 "2a0e:2:0:1::5/64 eth0 fe80::1%2"},
};

static void keeps_what_is_still_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		AUTO(look_done) struct look before;
		AUTO(look_done) struct look after;

		look(&before, BEFORE, NULL, NULL);
		look(&after, changes[i].after, NULL, &before.view);
		if (strcmp(place_text(&after.view.v6), changes[i].v6) != 0)
			fail_msg("%s: %s", changes[i].name, place_text(&after.view.v6));
		assert_false(uplink_equal(&before.view, &after.view));
	}
}

static void lifetimes_are_no_change(void **state)
{
	AUTO(look_done) struct look one;
	AUTO(look_done) struct look other;
	AUTO(look_done) struct look third;

	look(&one, LAN4 BEFORE, NULL, NULL);
	look(&other,
	     LAN4 "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=9600 "
		  "valid=9900 created=3 updated=9",
	     NULL, &one.view);
	assert_true(uplink_equal(&one.view, &other.view));
	look(&third,
	     LAN4 "link 2 eth0; route6 2 fe80::2; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600",
	     NULL, &one.view);
	assert_false(uplink_equal(&one.view, &third.view)); /* another router */
}

/* A second announcement decides; until then it has to be looked again. */
static void unsure_whether_stale(void **state)
{
	AUTO(look_done) struct look l;

	look(&l,
	     "link 2 eth0; route6 2 fe80::1;"
	     "addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=86000 created=1000 updated=5000;"
	     "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000 created=5400 updated=5400",
	     NULL, NULL);
	assert_true(l.view.unsure);
	assert_string_equal(place_text(&l.view.v6), "2a0e:2:0:1::5/64 eth0 fe80::1%2");
}

/* The kernel's clock of 1/100 s begins anew after 497 days. */
static void stale_across_the_clocks_end(void **state)
{
	AUTO(look_done) struct look l;
	struct machine *m = &l.machine;

	machine_init(m,
		     "link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=86000;"
		     "addr 2 2a0e:2:0:7::5/64 mngtmpaddr pref=3000");
	m->addresses[2].updated_cs = UINT32_MAX - 500;
	m->addresses[3].created_cs = 100;
	m->addresses[3].updated_cs = 3100;
	assert_int_equal(uplink_look(&m->state, NULL, NULL, &l.view, NULL), 0);
	assert_string_equal(place_text(&l.view.v6), "2a0e:2:0:7::5/64 eth0 fe80::1%2");
	assert_false(l.view.unsure);
}

/* ── words ── */

static void assert_reason(const char *machine, const char *address, const char *words)
{
	AUTO(look_done) struct look l;
	char text[UPLINK_WORDS_MAX];

	look(&l, machine, NULL, NULL);
	assert_string_equal(uplink_words(text, find(&l.view, address)), words);
}

static void says_why_not(void **state)
{
	AUTO(look_done) struct look before;
	AUTO(look_done) struct look after;
	char text[UPLINK_WORDS_MAX];

	assert_reason(LAN4, "192.168.1.10", "the world gets to it only through the router");
	assert_reason("link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1::5/64 mngtmpaddr pref=600;"
		      "addr 2 2a0e:2:0:1::6/128 pref=7200",
		      "2a0e:2:0:1::6",
		      "another address is used: it is self-configured, which routers know better");
	assert_reason(LAN4 "link 3 ppp0 ppp; addr 3 10.9.0.2/32; route 3 -", "10.9.0.2",
		      "another interface is used: this one dials up or is virtual");
	assert_reason("link 2 eth0; addr 2 2002:102:304::1/48", "2002:102:304::1",
		      "not routed on the internet: of a 6to4 tunnel");

	/* That it was there before is the reason only where there is no other. */
	look(&before, BEFORE, NULL, NULL);
	look(&after, BEFORE "; addr 2 2a0e:2:0:1::1/64; addr 2 2a0e:2:0:1::6/128 pref=9", NULL,
	     &before.view);
	assert_string_equal(uplink_words(text, find(&after.view, "2a0e:2:0:1::1")),
			    "another address is used: it was chosen before and is still good");
	assert_string_equal(
		uplink_words(text, find(&after.view, "2a0e:2:0:1::6")),
		"another address is used: it is self-configured, which routers know better");
}

static void says_what_is_lacking(void **state)
{
	static const struct {
		const char *machine, *says;
		const char *interface;
	} lacks[] = {
		{"", "no interface has an address beyond its own link"},
		{"link 2 eth0; addr 2 fe80::5/64",
		 "no interface has an address beyond its own link"},
		{LAN4, "there is no interface eth7", "eth7"},
		{"link 2 eth0; addr 2 2a0e:2:0:1::5/64",
		 "no default route leaves by its interface"},
		{"link 2 eth0; route6 2 fe80::1; addr 2 2a0e:2:0:1:4::1/64 temporary pref=9",
		 "2a0e:2:0:1:4::1: temporary"},
		{"link 2 eth0; route6 2 fe80::1; addr 2 2a0e::1/64 tentative; addr 2 fd00::5/64",
		 "2a0e::1: not known yet"},
		{"link 2 eth0; route6 2 fe80::1; addr 2 fd00::5/64",
		 "fd00::5: for the own network"},
		{"link 2 wg0 wireguard; route6 2 -; addr 2 2a0e::1/128", "2a0e::1: of a tunnel"},
		/* The way of many containers: forwarding is switched on, and IPv6 fades. */
		{"link 2 eth0 forwarding; addr 2 192.168.1.10/24; route 2 192.168.1.1;"
		 "addr 2 2a0e:2:0:1::5/64; link 3 docker0 bridge forwarding",
		 "sysctl net.ipv6.conf.eth0.accept_ra=2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
		struct uplink_settings settings = {0};
		AUTO(look_done) struct look l;
		char text[UPLINK_WORDS_MAX];

		if (lacks[i].interface)
			strcpy(settings.interface, lacks[i].interface);
		look(&l, lacks[i].machine, &settings, NULL);
		if (!strstr(uplink_lack(text, &l.view, 6), lacks[i].says))
			fail_msg("\"%s\" says nothing of \"%s\"", text, lacks[i].says);
	}
}

/* Who reads announcements in user space, or forwards and reads them all the same, is not deaf. */
static void deaf_is_only_who_is(void **state)
{
	static const char *const machines[] = {
		"link 2 eth0 forwarding accept_ra=2; route 2 192.168.1.1",
		"link 2 eth0 forwarding accept_ra=0; route 2 192.168.1.1",
		"link 2 eth0; route 2 192.168.1.1",
		"link 2 eth0 forwarding; route 2 192.168.1.1; route6 2 fe80::1",
		"link 2 eth0 forwarding",
	};

	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		AUTO(look_done) struct look l;

		look(&l, machines[i], NULL, NULL);
		assert_string_equal(l.view.deaf, "");
	}
}

static void names_are_printed_escaped(void **state)
{
	struct uplink_settings settings = {.interface = "e\x1b[31m"};
	AUTO(look_done) struct look l;
	char text[UPLINK_WORDS_MAX];

	look(&l, "", &settings, NULL);
	assert_null(strchr(uplink_lack(text, &l.view, 4), '\x1b'));
}

/* An address that came with its interface between the kernel's two answers. */
static void an_address_of_no_interface_is_left_out(void **state)
{
	AUTO(look_done) struct look l;

	look(&l, "addr 9 192.168.1.10/24; route 9 192.168.1.1", NULL, NULL);
	assert_int_equal(l.view.n, 2);
	assert_string_equal(place_text(&l.view.v4), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses),
		cmocka_unit_test(documentation_where_tests_allow_it),
		cmocka_unit_test(keeps_what_is_still_good),
		cmocka_unit_test(lifetimes_are_no_change),
		cmocka_unit_test(unsure_whether_stale),
		cmocka_unit_test(stale_across_the_clocks_end),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(says_what_is_lacking),
		cmocka_unit_test(deaf_is_only_who_is),
		cmocka_unit_test(names_are_printed_escaped),
		cmocka_unit_test(an_address_of_no_interface_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
