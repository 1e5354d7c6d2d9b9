/*
 * The description of an Internet Gateway Device (UPnP Device Architecture 1.1 §2.3): who it is, and
 * the control paths of its services that open doors, in whichever of its nested devices they are.
 *
 * Of a control URL only the path is kept: all requests go to where the description came from, so
 * neither a URL's host nor URLBase can lead anywhere else.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define DESCRIPTION_SERVICES_MAX 16 /* further ones are not kept */
#define DESCRIPTION_TEXT_MAX	 64
#define DESCRIPTION_URN_MAX	 64
#define DESCRIPTION_PATH_MAX	 256 /* a service with a longer one is not kept */

/* In the order in which one would choose. */
enum description_type {
	DESCRIPTION_WAN_IP_2,	   /* WANIPConnection:2 and later */
	DESCRIPTION_WAN_IP_1,	   /* WANIPConnection:1 */
	DESCRIPTION_WAN_PPP_1,	   /* WANPPPConnection:1 and later */
	DESCRIPTION_LEGACY_WAN_IP, /* the same, of urn:dslforum-org */
	DESCRIPTION_LEGACY_WAN_PPP,
	DESCRIPTION_IPV6_FIREWALL, /* WANIPv6FirewallControl:1 and later */
};

struct description_service {
	enum description_type type;
	char urn[DESCRIPTION_URN_MAX]; /* as the device has it: "urn:…:service:WANIPConnection:1" */
	char path[DESCRIPTION_PATH_MAX]; /* "/ctl/IPConn", with its query; visible ASCII */
};

struct description {
	char name[DESCRIPTION_TEXT_MAX]; /* printable, and cut; "" when it has none */
	char manufacturer[DESCRIPTION_TEXT_MAX];
	char model[DESCRIPTION_TEXT_MAX];
	struct description_service services[DESCRIPTION_SERVICES_MAX];
	unsigned n_services; /* maybe 0 */
};

/*
 * path is where the document came from ("/rootDesc.xml"): relative URLs begin there, or at the path
 * of URLBase. -ERR_* of xml_read; -ERR_INVALID too when it is not the description of a device.
 */
int description_parse(struct str body, struct str path, struct description *ret,
		      struct err *e) MUST_CHECK;

/* "WANIPConnection:1": the end of the URN. */
const char *description_service_name(const struct description_service *service);
