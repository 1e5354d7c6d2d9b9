#include "base/ipaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/htable.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void ipaddr_unmap(struct ipaddr *a)
{
	if (a->family != 6 || memcmp(a->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	a->family = 4;
	memmove(a->bytes, a->bytes + sizeof(mapped_prefix), 4);
	memset(a->bytes + 4, 0, sizeof(a->bytes) - 4);
	a->scope = 0;
}

void ipaddr_from_sockaddr(struct ipaddr *a, const struct sockaddr *sa)
{
	*a = (struct ipaddr){0};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		a->family = 4;
		memcpy(a->bytes, &in->sin_addr, 4);
		a->port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		a->family = 6;
		memcpy(a->bytes, &in6->sin6_addr, 16);
		a->port = ntohs(in6->sin6_port);
		a->scope = in6->sin6_scope_id;
		ipaddr_unmap(a);
	}
}

socklen_t ipaddr_to_sockaddr(const struct ipaddr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, a->bytes, 4);
		in->sin_port = htons(a->port);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	in6->sin6_family = AF_INET6;
	memcpy(&in6->sin6_addr, a->bytes, 16);
	in6->sin6_port = htons(a->port);
	in6->sin6_scope_id = a->scope;
	return sizeof(*in6);
}

const char *ipaddr_format(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a)
{
	if (a->family == 0 ||
	    !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, IPADDR_TEXT_MAX))
		strcpy(text, "none");
	return text;
}

const char *ipaddr_format_port(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a)
{
	char address[IPADDR_TEXT_MAX];
	char port[8] = "";

	ipaddr_format(address, a);
	if (a->port)
		snprintf(port, sizeof(port), ":%u", a->port);
	snprintf(text, IPADDR_TEXT_MAX, a->family == 6 ? "[%.60s]%s" : "%.60s%s", address, port);
	return text;
}

int ipaddr_parse(struct str s, struct ipaddr *ret)
{
	char text[INET6_ADDRSTRLEN + 2];
	struct ipaddr a = {0};
	bool bracketed = s.len >= 2 && s.at[0] == '[' && s.at[s.len - 1] == ']';

	if (bracketed)
		s = str_n(s.at + 1, s.len - 2);
	if (!str_copy(text, sizeof(text), s))
		return -ERR_INVALID;
	if (!bracketed && inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = 6;
	else
		return -ERR_INVALID;
	ipaddr_unmap(&a);
	*ret = a;
	return 0;
}

int hostport_split(struct str s, struct str *ret_host, uint16_t *ret_port)
{
	struct str host = s, port = {0};
	struct ipaddr literal;
	uint64_t n = 0;

	if (s.len && s.at[0] == '[') {
		ptrdiff_t end = str_find(s, ']');

		if (end < 0)
			return -ERR_INVALID;
		host = str_n(s.at + 1, (size_t)end - 1);
		port = str_n(s.at + end + 1, s.len - (size_t)end - 1);
		if (port.len && port.at[0] != ':')
			return -ERR_INVALID;
		if (ipaddr_parse(host, &literal) < 0 || str_find(host, ':') < 0)
			return -ERR_INVALID;
	} else if (ipaddr_parse(s, &literal) < 0) {
		ptrdiff_t colon = str_find(s, ':');

		if (colon >= 0) {
			host = str_n(s.at, (size_t)colon);
			port = str_n(s.at + colon, s.len - (size_t)colon);
		}
	}
	if (host.len == 0)
		return -ERR_INVALID;
	if (port.len && (!str_to_u64(str_n(port.at + 1, port.len - 1), 65535, &n) || n == 0))
		return -ERR_INVALID;
	*ret_host = host;
	if (port.len)
		*ret_port = (uint16_t)n;
	return 0;
}

int ipaddr_parse_port(struct str s, struct ipaddr *ret)
{
	struct ipaddr a;
	struct str host;
	uint16_t port = 0;

	if (hostport_split(s, &host, &port) < 0 || port == 0 || ipaddr_parse(host, &a) < 0)
		return -ERR_INVALID;
	a.port = port;
	*ret = a;
	return 0;
}

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ipaddr_is_loopback(const struct ipaddr *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (a->family == 4)
		return a->bytes[0] == 127;
	return a->family == 6 && memcmp(a->bytes, loopback6, 16) == 0;
}

bool ipaddr_is_link_local6(const struct ipaddr *a)
{
	return a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool ipaddr_same_host(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool ipaddr_is_unspecified(const struct ipaddr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, a->family == 4 ? 4 : 16) == 0;
}

struct ipaddr ipaddr_source(const struct ipaddr *a)
{
	struct ipaddr source = {.family = a->family};

	memcpy(source.bytes, a->bytes, a->family == 4 ? 4 : 8);
	return source;
}

uint64_t ipaddr_hash(const struct ipaddr *a, uint64_t seed)
{
	return htable_hash(a->bytes, sizeof(a->bytes),
			   seed ^ a->family ^ ((uint64_t)a->port << 16));
}

bool hostname_valid(struct str s)
{
	size_t label = 0;

	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = str_lower(s.at[i]);

		if (c == '.') {
			if (label == 0 || s.at[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
		      (c == '-' && label > 0)))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0 && s.at[s.len - 1] != '-';
}

bool hostname_copy(char to[static HOSTNAME_MAX], struct str s)
{
	to[0] = '\0';
	if (s.len && s.at[s.len - 1] == '.')
		s.len--;
	if (!hostname_valid(s))
		return false;
	for (size_t i = 0; i < s.len; i++)
		to[i] = str_lower(s.at[i]);
	to[s.len] = '\0';
	return true;
}

int authority_parse(struct str s, char ret_host[static HOSTNAME_MAX], uint16_t *ret_port)
{
	char name[HOSTNAME_MAX], text[IPADDR_TEXT_MAX];
	bool bracketed = s.len && s.at[0] == '[';
	struct ipaddr literal;
	struct str host;
	uint16_t port = 0;

	if (hostport_split(s, &host, &port) < 0)
		return -ERR_INVALID;
	if (bracketed) {
		if (ipaddr_parse(host, &literal) < 0)
			return -ERR_INVALID;
		snprintf(name, sizeof(name), "%s", ipaddr_format_port(text, &literal));
	} else if (!hostname_copy(name, host)) {
		return -ERR_INVALID; /* an IPv6 literal without brackets too: ':' */
	}
	strcpy(ret_host, name);
	*ret_port = port;
	return 0;
}
