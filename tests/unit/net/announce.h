/* Router announcements, from one end of a cable to the other. */
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>
#include <unistd.h>

/* As a router at fe80::1 of this link does (RFC 4861 §4.2, §4.6.2), of this prefix. */
static void announce_prefix(const char *link, const char *prefix, uint32_t valid_s,
			    uint32_t preferred_s)
{
	struct {
		struct nd_router_advert head;
		struct nd_opt_prefix_info prefix;
	} packet = {
		.head.nd_ra_type = ND_ROUTER_ADVERT,
		.head.nd_ra_router_lifetime = htons(1800),
		.prefix =
			{
				.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
				.nd_opt_pi_len = 4,
				.nd_opt_pi_prefix_len = 64,
				.nd_opt_pi_flags_reserved =
					ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
				.nd_opt_pi_valid_time = htonl(valid_s),
				.nd_opt_pi_preferred_time = htonl(preferred_s),
			},
	};
	struct sockaddr_in6 from = {.sin6_family = AF_INET6}, to = {.sin6_family = AF_INET6};
	const int hops = 255;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	inet_pton(AF_INET6, prefix, &packet.prefix.nd_opt_pi_prefix);
	inet_pton(AF_INET6, "fe80::1", &from.sin6_addr);
	inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
	from.sin6_scope_id = to.sin6_scope_id = if_nametoindex(link);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(packet));
	close(fd);
}

static inline void announce(const char *link, uint32_t valid_s, uint32_t preferred_s)
{
	announce_prefix(link, "2001:db8:1::", valid_s, preferred_s);
}
