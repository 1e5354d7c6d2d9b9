#include "map/description.h"

#include <stdio.h>

#include "map/xml.h"

/* Depth of the elements: <root>, its <device>, and what says who that is. */
enum { DEPTH_ROOT = 1, DEPTH_DEVICE = 2, DEPTH_DEVICE_TEXT = 3 };

struct reading {
	struct description d;
	bool device;			 /* a <device> in the <root> was seen */
	char base[DESCRIPTION_PATH_MAX]; /* path of URLBase; "" without */
	unsigned service;		 /* depth of the <service> we are in; 0: none */
	bool has_type;
	struct description_service current; /* path is the control URL as it stands there */
};

/* ── service types ── */

static const struct {
	struct str prefix; /* a version follows */
	enum description_type type, type_2;
} service_types[] = {
	{STR("urn:schemas-upnp-org:service:WANIPConnection:"), DESCRIPTION_WAN_IP_1,
	 DESCRIPTION_WAN_IP_2},
	{STR("urn:schemas-upnp-org:service:WANPPPConnection:"), DESCRIPTION_WAN_PPP_1,
	 DESCRIPTION_WAN_PPP_1},
	{STR("urn:schemas-upnp-org:service:WANIPv6FirewallControl:"), DESCRIPTION_IPV6_FIREWALL,
	 DESCRIPTION_IPV6_FIREWALL},
	{STR("urn:dslforum-org:service:WANIPConnection:"), DESCRIPTION_LEGACY_WAN_IP,
	 DESCRIPTION_LEGACY_WAN_IP},
	{STR("urn:dslforum-org:service:WANPPPConnection:"), DESCRIPTION_LEGACY_WAN_PPP,
	 DESCRIPTION_LEGACY_WAN_PPP},
};

/* A later version does all that an earlier one does (UPnP Device Architecture 1.1 §2.3). What is
 * accepted holds nothing but letters, digits, '-' and ':'. */
static bool service_type(struct str urn, enum description_type *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(service_types); i++) {
		struct str prefix = service_types[i].prefix;
		uint64_t version;

		if (!str_starts(urn, prefix))
			continue;
		if (!str_to_u64(str_n(urn.at + prefix.len, urn.len - prefix.len), 99, &version) ||
		    version == 0)
			return false;
		*ret = version == 1 ? service_types[i].type : service_types[i].type_2;
		return true;
	}
	return false;
}

const char *description_service_name(const struct description_service *service)
{
	static const char before[] = ":service:";
	const char *at = strstr(service->urn, before);

	return at ? at + sizeof(before) - 1 : service->urn;
}

/* ── URLs ── */

/* "http://host:port/path" and "//host/path": what follows the host; false: the URL has none. */
static bool behind_host(struct str *url)
{
	struct str rest = *url;

	if (rest.len >= 7 && str_eq_nocase(str_n(rest.at, 7), STR("http://")))
		rest = str_n(rest.at + 7, rest.len - 7);
	else if (rest.len >= 8 && str_eq_nocase(str_n(rest.at, 8), STR("https://")))
		rest = str_n(rest.at + 8, rest.len - 8);
	else if (str_starts(rest, STR("//")))
		rest = str_n(rest.at + 2, rest.len - 2);
	else
		return false;
	while (rest.len && rest.at[0] != '/' && rest.at[0] != '?' && rest.at[0] != '#') {
		rest.at++;
		rest.len--;
	}
	*url = rest;
	return true;
}

static bool visible_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] > '~')
			return false;
	return true;
}

/* The folder that a relative URL starts in: up to the last '/' before a query. */
static struct str folder_of(struct str path)
{
	struct str rest = path, folder = str_split(&rest, '?');

	while (folder.len && folder.at[folder.len - 1] != '/')
		folder.len--;
	return folder.len ? folder : STR("/");
}

/* The path of a URL that may be relative to another path. False: it cannot be asked for. */
static bool url_path(char to[static DESCRIPTION_PATH_MAX], struct str url, struct str base)
{
	struct str rest = url, folder = {0};
	bool absolute;

	url = str_split(&rest, '#');
	if (url.len == 0 || !visible_ascii(url))
		return false;
	absolute = behind_host(&url);
	if (absolute && (url.len == 0 || url.at[0] != '/'))
		folder = STR("/");
	else if (url.at[0] != '/')
		folder = folder_of(base);
	if (folder.len + url.len >= DESCRIPTION_PATH_MAX)
		return false;
	snprintf(to, DESCRIPTION_PATH_MAX, "%.*s%.*s", STR_ARG(folder), STR_ARG(url));
	return true;
}

/* ── the document ── */

static void on_open(void *arg, unsigned depth, struct str name)
{
	struct reading *r = arg;

	if (depth == DEPTH_DEVICE && str_eq(name, STR("device")))
		r->device = true;
	if (!r->service && str_eq(name, STR("service"))) {
		r->service = depth;
		r->has_type = false;
		r->current = (struct description_service){0};
	}
}

static void keep_service(struct reading *r)
{
	if (r->has_type && r->current.path[0] && r->d.n_services < DESCRIPTION_SERVICES_MAX)
		r->d.services[r->d.n_services++] = r->current;
}

static void in_service(struct reading *r, struct str name, struct str text)
{
	if (str_eq(name, STR("serviceType")))
		r->has_type = service_type(text, &r->current.type) &&
			      str_copy(r->current.urn, sizeof(r->current.urn), text);
	else if (str_eq(name, STR("controlURL")) &&
		 !str_copy(r->current.path, sizeof(r->current.path), text))
		r->current.path[0] = '\0';
}

static void on_close(void *arg, unsigned depth, struct str name, struct str text)
{
	struct reading *r = arg;

	if (r->service && depth == r->service) {
		keep_service(r);
		r->service = 0;
	} else if (r->service && depth == r->service + 1) {
		in_service(r, name, text);
	} else if (depth == DEPTH_ROOT + 1 && str_eq(name, STR("URLBase"))) {
		if (!url_path(r->base, text, STR("/")))
			r->base[0] = '\0';
	} else if (depth == DEPTH_DEVICE_TEXT) {
		if (str_eq(name, STR("friendlyName")))
			xml_printable(r->d.name, sizeof(r->d.name), text);
		else if (str_eq(name, STR("manufacturer")))
			xml_printable(r->d.manufacturer, sizeof(r->d.manufacturer), text);
		else if (str_eq(name, STR("modelName")))
			xml_printable(r->d.model, sizeof(r->d.model), text);
	}
}

/* Only now is it known whether there is a URLBase. */
static void resolve_paths(struct reading *r, struct str base)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->d.n_services; i++) {
		struct description_service s = r->d.services[i];

		if (url_path(s.path, str_of(r->d.services[i].path), base))
			r->d.services[n++] = s;
	}
	r->d.n_services = n;
}

int description_parse(struct str body, struct str path, struct description *ret, struct err *e)
{
	struct reading reading = {0};
	struct xml_handler handler = {.open = on_open, .close = on_close, .arg = &reading};
	int r = xml_read(body, &handler, e);

	if (r < 0)
		return err_wrap(e, r, "device description");
	if (!reading.device)
		return err_set(e, ERR_INVALID, "device description: it has no device");
	resolve_paths(&reading, reading.base[0] ? str_of(reading.base) : path);
	*ret = reading.d;
	return 0;
}
