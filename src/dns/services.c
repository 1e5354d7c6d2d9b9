/* The public services that tell one's address: nobody's property here, so asked rarely. */
#include "base/cleanup.h"
#include "dns/observe.h"

#define BOTH (DNS_OVER_IPV4 | DNS_OVER_IPV6)

#define STUN_INTERVAL 10  /* a datagram or two */
#define ECHO_INTERVAL 600 /* the strictest of them ask for 5 to 10 minutes */

const struct dns_service dns_services[] = {
	{DNS_SOURCE_STUN, "stun.l.google.com:19302", BOTH, STUN_INTERVAL},
	{DNS_SOURCE_STUN, "stun.cloudflare.com:3478", BOTH, STUN_INTERVAL},
	{DNS_SOURCE_STUN, "stun.nextcloud.com:3478", BOTH, STUN_INTERVAL},
	{DNS_SOURCE_ECHO, "https://icanhazip.com/", BOTH, ECHO_INTERVAL},
	{DNS_SOURCE_ECHO, "https://api64.ipify.org/", BOTH, ECHO_INTERVAL},
	{DNS_SOURCE_ECHO, "https://ident.me/", BOTH, ECHO_INTERVAL},
	{DNS_SOURCE_ECHO, "https://checkip.amazonaws.com/", DNS_OVER_IPV4, ECHO_INTERVAL},
	{DNS_SOURCE_ECHO, "https://ifconfig.io/ip", BOTH, ECHO_INTERVAL},
};

const size_t dns_services_count = ARRAY_LEN(dns_services);
