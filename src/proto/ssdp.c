#include "proto/ssdp.h"

#include <assert.h>
#include <stdio.h>

/*
 *	M-SEARCH * HTTP/1.1			UPnP Device Architecture 1.1, §1.3.2
 *	HOST: 239.255.255.250:1900
 *	MAN: "ssdp:discover"
 *	MX: 2					not in one to a single device
 *	ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1
 *
 *	HTTP/1.1 200 OK				§1.3.3
 *	ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1
 *	USN: uuid:…::urn:schemas-upnp-org:device:InternetGatewayDevice:1
 *	LOCATION: http://192.168.1.1:5000/rootDesc.xml
 *	SERVER: Linux/6.1 UPnP/1.1 Router/1.0
 *	BOOTID.UPNP.ORG: 1700000000
 *
 *	NOTIFY * HTTP/1.1			§1.2.2
 *	NT, NTS: ssdp:alive, and else as an answer
 */

/* ── searching ── */

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.at[i]))
			return true;
	return false;
}

size_t ssdp_format_search(char text[static SSDP_SEARCH_MAX], const struct ipaddr *to,
			  struct str target, unsigned mx)
{
	char host[IPADDR_TEXT_MAX], spread[16] = "";
	int n;

	assert(target.len > 0 && target.len <= SSDP_TARGET_MAX && !has_control(target));
	assert(mx <= SSDP_MX_MAX);
	if (mx)
		snprintf(spread, sizeof(spread), "MX: %u\r\n", mx);
	n = snprintf(text, SSDP_SEARCH_MAX,
		     "M-SEARCH * HTTP/1.1\r\n"
		     "HOST: %s\r\n"
		     "MAN: \"ssdp:discover\"\r\n"
		     "%s"
		     "ST: %.*s\r\n"
		     "\r\n",
		     ipaddr_format_port(host, to), spread, STR_ARG(target));
	assert(n > 0 && n < SSDP_SEARCH_MAX);
	return (size_t)n;
}

/* ── decoding ── */

#define FIELDS(X)                                                                                  \
	X(LOCATION, "LOCATION")                                                                    \
	X(ST, "ST")                                                                                \
	X(NT, "NT")                                                                                \
	X(NTS, "NTS")                                                                              \
	X(USN, "USN")                                                                              \
	X(SERVER, "SERVER")                                                                        \
	X(NLS, "01-NLS")                                                                           \
	X(BOOTID, "BOOTID.UPNP.ORG")

enum field {
#define X(id, name) FIELD_##id,
	FIELDS(X)
#undef X
};

static const struct str names[] = {
#define X(id, name) [FIELD_##id] = {name, sizeof(name) - 1},
	FIELDS(X)
#undef X
};
#define N_FIELDS ARRAY_LEN(names)

struct head {
	bool answer; /* else NOTIFY */
	struct str values[N_FIELDS];
};

/* The next line without its end. False: no line end is left. */
static bool take_line(struct str *rest, struct str *ret)
{
	if (str_find(*rest, '\n') < 0)
		return false;
	*ret = str_split(rest, '\n');
	if (ret->len && ret->at[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

static bool is_one_of(struct str s, struct str a, struct str b)
{
	return str_eq(s, a) || str_eq(s, b);
}

static int read_start(struct str line, struct head *head, struct err *e)
{
	struct str reason = line;
	struct str version = str_split(&reason, ' ');
	struct str status = str_split(&reason, ' ');

	if (is_one_of(line, STR("NOTIFY * HTTP/1.1"), STR("NOTIFY * HTTP/1.0")))
		return 0;
	if (!is_one_of(version, STR("HTTP/1.1"), STR("HTTP/1.0")))
		return err_set(e, ERR_INVALID, "SSDP: neither an answer nor an announcement");
	if (!str_eq(status, STR("200")))
		return err_set(e, ERR_INVALID, "SSDP: an answer that is not 200");
	head->answer = true;
	return 0;
}

static int read_field(struct str line, struct head *head, struct err *e)
{
	struct str value = line;
	struct str name = str_trim(str_split(&value, ':'));

	value = str_trim(value);
	for (size_t i = 0; i < N_FIELDS; i++) {
		struct str *known = &head->values[i];

		if (!str_eq_nocase(name, names[i]))
			continue;
		if (value.len > SSDP_VALUE_MAX)
			return err_set(e, ERR_INVALID, "SSDP: %s over %d bytes", names[i].at,
				       SSDP_VALUE_MAX);
		if (has_control(value))
			return err_set(e, ERR_INVALID, "SSDP: control characters in %s",
				       names[i].at);
		if (known->at && !str_eq(*known, value))
			return err_set(e, ERR_INVALID, "SSDP: two different %s", names[i].at);
		*known = value;
	}
	return 0;
}

static int read_head(struct str rest, struct head *head, struct err *e)
{
	struct str line;
	int r;

	if (!take_line(&rest, &line))
		return err_set(e, ERR_INVALID, "SSDP: no line");
	r = read_start(line, head, e);
	if (r < 0)
		return r;
	while (rest.len) {
		if (!take_line(&rest, &line))
			return err_set(e, ERR_INVALID, "SSDP: a line without an end");
		if (line.len == 0)
			break;
		if (line.at[0] == ' ' || line.at[0] == '\t')
			return err_set(e, ERR_INVALID, "SSDP: a folded line");
		r = read_field(line, head, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_kind(const struct head *head, enum ssdp_kind *ret, struct err *e)
{
	static const struct {
		struct str nts;
		enum ssdp_kind kind;
	} kinds[] = {
		{{"ssdp:alive", 10}, SSDP_ALIVE},
		{{"ssdp:byebye", 11}, SSDP_BYEBYE},
		{{"ssdp:update", 11}, SSDP_UPDATE},
	};

	if (head->answer) {
		*ret = SSDP_ANSWER;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (str_eq_nocase(head->values[FIELD_NTS], kinds[i].nts)) {
			*ret = kinds[i].kind;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "SSDP: an announcement of nothing we know");
}

int ssdp_decode(const void *bytes, size_t len, struct ssdp_message *ret, struct err *e)
{
	struct ssdp_message message = {0};
	struct head head = {0};
	uint64_t boot_id;
	int r;

	if (len > SSDP_MAX)
		return err_set(e, ERR_INVALID, "SSDP: over %d bytes", SSDP_MAX);
	r = read_head(str_n(bytes, len), &head, e);
	if (r < 0)
		return r;
	r = read_kind(&head, &message.kind, e);
	if (r < 0)
		return r;
	message.target = head.values[head.answer ? FIELD_ST : FIELD_NT];
	message.location = head.values[FIELD_LOCATION];
	message.usn = head.values[FIELD_USN];
	message.server = head.values[FIELD_SERVER];
	message.nls = head.values[FIELD_NLS];
	if (message.target.len == 0)
		return err_set(e, ERR_INVALID, "SSDP: no %s", head.answer ? "ST" : "NT");
	if (message.location.len == 0 && message.kind != SSDP_BYEBYE)
		return err_set(e, ERR_INVALID, "SSDP: no LOCATION");
	/* Devices send all sorts of things there; who cannot count has no number. */
	if (str_to_u64(head.values[FIELD_BOOTID], UINT32_MAX, &boot_id)) {
		message.has_boot_id = true;
		message.boot_id = (uint32_t)boot_id;
	}
	*ret = message;
	return 0;
}

/* ── where a description is ── */

#define SCHEME	     "http://"
#define DEFAULT_PORT 80
#define ZONE_MAX     32 /* interface names have 15 bytes, some escaped */

static bool all_of(struct str s, const char *others)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = str_lower(s.at[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr(others, c))))
			return false;
	}
	return true;
}

/* "fe80::1%25eth0" (RFC 6874) or "fe80::1%eth0": the address before it. */
static bool drop_zone(struct str *host)
{
	struct str zone = *host;
	bool has_zone = str_find(*host, '%') >= 0;

	*host = str_split(&zone, '%');
	return !has_zone || (zone.len > 0 && zone.len <= ZONE_MAX && all_of(zone, "-._~%"));
}

/* "[ADDRESS]", and what follows it goes to *port. */
static int parse_bracketed(struct str authority, struct ipaddr *addr, struct str *port,
			   struct err *e)
{
	struct str host = str_n(authority.at + 1, authority.len - 1);
	ptrdiff_t end = str_find(host, ']');

	if (end < 0)
		return err_set(e, ERR_INVALID, "the location's host has no closing bracket");
	*port = str_n(host.at + end + 1, host.len - (size_t)end - 1);
	host.len = (size_t)end;
	if (!drop_zone(&host) || ipaddr_parse(host, addr) < 0)
		return err_set(e, ERR_INVALID, "the location's host is no IPv6 address");
	if (addr->family != 6)
		return err_set(e, ERR_INVALID, "the location's host is IPv4 in the place of IPv6");
	return 0;
}

static int parse_plain(struct str authority, struct ipaddr *addr, struct str *port, struct err *e)
{
	ptrdiff_t colon = str_find(authority, ':');
	size_t len = colon < 0 ? authority.len : (size_t)colon;

	*port = str_n(authority.at + len, authority.len - len);
	if (ipaddr_parse(str_n(authority.at, len), addr) < 0)
		return err_set(e, ERR_INVALID, "the location's host is no address");
	return 0;
}

/* "", or ":PORT". */
static int parse_port(struct str s, uint16_t *ret, struct err *e)
{
	uint64_t port = DEFAULT_PORT;

	if (s.len && (s.at[0] != ':' || s.len > 6 ||
		      !str_to_u64(str_n(s.at + 1, s.len - 1), 65535, &port) || port == 0))
		return err_set(e, ERR_INVALID, "the location's port is none");
	*ret = (uint16_t)port;
	return 0;
}

static int parse_path(struct str s, struct str *ret, struct err *e)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '#')
			return err_set(e, ERR_INVALID, "the location has a fragment");
		if (s.at[i] <= ' ' || s.at[i] >= 0x7f) /* char: from 0x80 it is either */
			return err_set(e, ERR_INVALID,
				       "the location's path is not printable ASCII");
	}
	if (s.len && s.at[0] != '/')
		return err_set(e, ERR_INVALID, "the location has no path before its query");
	*ret = s.len ? s : STR("/");
	return 0;
}

static struct str take_authority(struct str *rest)
{
	struct str authority = str_n(rest->at, 0);

	while (authority.len < rest->len && !strchr("/?#", rest->at[authority.len]))
		authority.len++;
	*rest = str_n(rest->at + authority.len, rest->len - authority.len);
	return authority;
}

int ssdp_location_parse(struct str location, struct ipaddr *ret_addr, struct str *ret_path,
			struct err *e)
{
	size_t scheme = sizeof(SCHEME) - 1;
	struct str authority, port = {0}, path = {0}, rest;
	struct ipaddr addr = {0};
	int r;

	if (location.len > SSDP_VALUE_MAX)
		return err_set(e, ERR_INVALID, "the location is over %d bytes", SSDP_VALUE_MAX);
	if (location.len < scheme || !str_eq_nocase(str_n(location.at, scheme), STR(SCHEME)))
		return err_set(e, ERR_INVALID, "the location does not begin with " SCHEME);
	rest = str_n(location.at + scheme, location.len - scheme);
	authority = take_authority(&rest);
	if (str_find(authority, '@') >= 0)
		return err_set(e, ERR_INVALID, "the location names a user");
	if (authority.len && authority.at[0] == '[')
		r = parse_bracketed(authority, &addr, &port, e);
	else
		r = parse_plain(authority, &addr, &port, e);
	if (r == 0)
		r = parse_port(port, &addr.port, e);
	if (r == 0)
		r = parse_path(rest, &path, e);
	if (r < 0)
		return r;
	*ret_addr = addr;
	*ret_path = path;
	return 0;
}
