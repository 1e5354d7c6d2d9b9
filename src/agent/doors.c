#include "agent/doors.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/baseenc.h"
#include "base/log.h"
#include "base/rand.h"
#include "net/netstate.h"
#include "net/sock.h"
#include "net/udp.h"
#include "state/folder.h"

#define ID_FOLDER "doors" /* the ledgers' (map/ledger.h) */
#define ID_FILE	  "id"
#define ID_LEN	  4

struct doors {
	struct loop *loop;		       /* borrowed */
	struct uplink_watch *uplink;	       /* borrowed; NULL: the router was named */
	struct map *map;		       /* owned */
	struct list keepers;		       /* owned: one for each door */
	struct list watchers;		       /* borrowed */
	struct map_wish wishes[MAP_DOORS_MAX]; /* the configuration's */
	size_t n_wishes;
	struct defer again; /* a door is gone that may have been in a wish's way */
	bool stopping;
};

/* Who wants a door; the map's door leads to it. */
struct keeper {
	struct list node;
	struct doors *doors;	       /* borrowed */
	struct doors_watcher *watcher; /* borrowed; NULL: the configuration, or nobody any more */
	struct map_door *door;	       /* the map's */
	bool configured;
	enum lease_state told; /* of the configuration's: as logged */
	char why[LEASE_WHY_MAX];
};

/* ── what the map tells ── */

static const char *external_text(char text[static IPADDR_TEXT_MAX],
				 const struct map_door_info *info)
{
	if (info->external.family)
		return ipaddr_format_port(text, &info->external);
	snprintf(text, IPADDR_TEXT_MAX, "port %u", info->external.port);
	return text;
}

/* The configuration's doors have nobody but the log. */
static void log_door(struct keeper *keeper)
{
	char external[IPADDR_TEXT_MAX], span[USTIME_TEXT_MAX];
	struct map_door_info info;
	const char *protocol, *over;

	map_door_info(keeper->door, &info);
	protocol = map_protocol_name(info.wish->protocol);
	over = info.wish->family == 6 ? " over IPv6" : "";
	if (info.state != LEASE_OPEN && info.state != LEASE_REFUSED)
		return;
	if (info.state == keeper->told && strcmp(info.why, keeper->why) == 0)
		return;
	if (info.state == LEASE_OPEN && keeper->told != LEASE_OPEN)
		log_info("door to %s port %u is open at %s (%s)", protocol,
			 info.wish->internal_port, external_text(external, &info),
			 map_method_title(info.grant.method));
	else if (info.state == LEASE_REFUSED)
		log_warning(
			"door to %s port %u%s is not open: %s; asking again in %s", protocol,
			info.wish->internal_port, over,
			*info.why ? info.why : "the router offers none",
			ustime_format_span(span, info.retry_at - loop_now(keeper->doors->loop)));
	keeper->told = info.state;
	snprintf(keeper->why, sizeof(keeper->why), "%s", info.why);
}

static void tell(struct keeper *keeper, bool closed)
{
	if (keeper->watcher)
		keeper->watcher->on_door(keeper->watcher->arg, keeper->door, closed);
	else if (keeper->configured && !closed)
		log_door(keeper);
}

static void on_door(void *arg, struct map_door *door)
{
	tell(map_door_arg(door), false);
}

static void on_closed(void *arg, struct map_door *door)
{
	struct keeper *keeper = map_door_arg(door);

	list_remove(&keeper->node);
	if (!keeper->doors->stopping)
		defer_call(&keeper->doors->again);
	tell(keeper, true);
	free(keeper);
}

static void on_leftover(void *arg, const struct map_wish *wish, bool gone)
{
	struct doors_watcher *watcher, *tmp;
	struct doors *doors = arg;

	list_for_each_safe (watcher, tmp, &doors->watchers, node)
		if (watcher->on_leftover)
			watcher->on_leftover(watcher->arg, wish, gone);
}

static void on_router(void *arg, uint8_t family)
{
	struct doors_watcher *watcher, *tmp;
	struct doors *doors = arg;

	list_for_each_safe (watcher, tmp, &doors->watchers, node)
		watcher->on_router(watcher->arg);
}

/* ── doors ── */

static int keep(struct doors *doors, struct doors_watcher *watcher, const struct map_wish *wish,
		struct err *e)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return err_set(e, ERR_NOMEM, "door");
	keeper->doors = doors;
	keeper->watcher = watcher;
	keeper->configured = !watcher;
	r = map_open(doors->map, wish, keeper, &keeper->door, e);
	if (r < 0) {
		free(keeper);
		return r;
	}
	list_push(&doors->keepers, &keeper->node);
	return 0;
}

static const struct map_wish *wish_of(const struct keeper *keeper)
{
	struct map_door_info info;

	map_door_info(keeper->door, &info);
	return info.wish;
}

static bool same_wish(const struct map_wish *a, const struct map_wish *b)
{
	return a->family == b->family && a->protocol == b->protocol &&
	       a->internal_port == b->internal_port && a->external_port == b->external_port &&
	       a->exactly == b->exactly && a->lifetime_s == b->lifetime_s;
}

static bool is_wished(const struct keeper *keeper, const struct map_wish *wishes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (same_wish(wish_of(keeper), &wishes[i]))
			return true;
	return false;
}

static bool is_kept(const struct doors *doors, const struct map_wish *wish)
{
	const struct keeper *keeper;

	list_for_each (keeper, &doors->keepers, node)
		if (keeper->configured && same_wish(wish_of(keeper), wish))
			return true;
	return false;
}

/* A watcher has a door to the same port; one without a watcher is on its way out. */
static bool is_watched(const struct doors *doors, const struct map_wish *wish)
{
	const struct keeper *keeper;

	list_for_each (keeper, &doors->keepers, node)
		if (keeper->watcher && wish_of(keeper)->family == wish->family &&
		    wish_of(keeper)->protocol == wish->protocol &&
		    wish_of(keeper)->internal_port == wish->internal_port)
			return true;
	return false;
}

/* first: the wish is new, and who made it wants to know what is in its way. */
static void open_wish(struct doors *doors, const struct map_wish *wish, bool first)
{
	struct err e = {0};
	int r = is_kept(doors, wish) ? 0 : keep(doors, NULL, wish, &e);

	if (r < 0 && r != -ERR_EXISTS)
		log_warning("door to %s port %u: %s", map_protocol_name(wish->protocol),
			    wish->internal_port, e.text);
	else if (r == -ERR_EXISTS && first && is_watched(doors, wish))
		log_info("door to %s port %u waits: a homeport map has it",
			 map_protocol_name(wish->protocol), wish->internal_port);
}

static void on_again(void *arg)
{
	struct doors *doors = arg;

	for (size_t i = 0; i < doors->n_wishes && !doors->stopping; i++)
		open_wish(doors, &doors->wishes[i], false);
}

void doors_set_wishes(struct doors *doors, const struct map_wish *wishes, size_t n)
{
	struct keeper *keeper;

	assert(n <= MAP_DOORS_MAX);
	list_for_each (keeper, &doors->keepers, node) {
		if (keeper->configured && !is_wished(keeper, wishes, n)) {
			keeper->configured = false;
			map_close(keeper->door);
		}
	}
	memcpy(doors->wishes, wishes, n * sizeof(*wishes));
	doors->n_wishes = n;
	for (size_t i = 0; i < n; i++)
		open_wish(doors, &wishes[i], true);
}

bool doors_configured(const struct map_door *door)
{
	const struct keeper *keeper = map_door_arg(door);

	return keeper->configured;
}

/* ── watchers ── */

void doors_watch(struct doors *doors, struct doors_watcher *watcher)
{
	list_push(&doors->watchers, &watcher->node);
}

void doors_unwatch(struct doors *doors, struct doors_watcher *watcher)
{
	struct keeper *keeper;

	if (!watcher->node.next)
		return;
	doors_close(doors, watcher);
	list_for_each (keeper, &doors->keepers, node)
		if (keeper->watcher == watcher)
			keeper->watcher = NULL;
	list_remove(&watcher->node);
}

int doors_open(struct doors *doors, struct doors_watcher *watcher, const struct map_wish *wish,
	       struct err *e)
{
	return keep(doors, watcher, wish, e);
}

struct map_door *doors_next(const struct doors *doors, const struct doors_watcher *watcher,
			    const struct map_door *after)
{
	struct map_door *door = map_next_door(doors->map, after);

	while (door && ((struct keeper *)map_door_arg(door))->watcher != watcher)
		door = map_next_door(doors->map, door);
	return door;
}

void doors_close(struct doors *doors, const struct doors_watcher *watcher)
{
	struct map_door *door = NULL;

	while ((door = doors_next(doors, watcher, door)))
		map_close(door);
}

/* ── places ── */

/* The former router is still there until the end of the turn. */
static void set_place(struct doors *doors, uint8_t family, const struct map_place *place)
{
	const struct router *before = map_router(doors->map, family);
	struct doors_watcher *watcher, *tmp;

	map_set_place(doors->map, family, place);
	if (!before || map_router(doors->map, family) == before)
		return;
	list_for_each_safe (watcher, tmp, &doors->watchers, node)
		if (watcher->on_moved)
			watcher->on_moved(watcher->arg, family);
}

void doors_look(struct doors *doors)
{
	const struct uplink_view *view;

	if (!doors->uplink)
		return;
	view = uplink_watch_view(doors->uplink);
	for (uint8_t family = 4; family <= 6; family += 2) {
		const struct uplink_place *at = uplink_place(view, family);
		struct map_place place = {.ifindex = at->ifindex,
					  .address = at->address,
					  .prefix_len = at->prefix_len,
					  .router = at->router};
		bool usable = at->address.family && at->router.family == family;

		memcpy(place.ifname, at->ifname, sizeof(place.ifname));
		set_place(doors, family, usable ? &place : NULL);
	}
}

/* The address the kernel would send from, when the router was named without one. */
static int find_source(const struct ipaddr *router, struct ipaddr *ret, struct err *e)
{
	struct ipaddr to = *router;
	AUTO(closep) int fd = -1;
	int r;

	to.port = PCP_PORT;
	r = udp_connect(&to, &fd, e);
	if (r < 0)
		return r;
	sock_local_addr(fd, ret);
	ret->port = 0;
	return 0;
}

/* Loopback is one network, whatever its addresses. */
static bool has_address(const struct netstate_address *a, const struct ipaddr *wanted)
{
	return memcmp(a->address.bytes, wanted->bytes, sizeof(wanted->bytes)) == 0 ||
	       (ipaddr_is_loopback(&a->address) && ipaddr_is_loopback(wanted));
}

static int find_interface(struct map_place *place, struct err *e)
{
	const struct netstate_link *link = NULL;
	char text[IPADDR_TEXT_MAX];
	struct netstate state;
	int r = netstate_read(&state, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < state.n_addresses && !link; i++) {
		const struct netstate_address *a = &state.addresses[i];

		if (a->address.family != place->address.family || !has_address(a, &place->address))
			continue;
		link = netstate_find_link(&state, a->ifindex);
		place->ifindex = a->ifindex;
		place->prefix_len = a->prefix_len;
	}
	if (link)
		memcpy(place->ifname, link->name, sizeof(place->ifname));
	netstate_done(&state);
	return link ? 0
		    : err_set(e, ERR_FAILED, "%s is no address of this machine",
			      ipaddr_format(text, &place->address));
}

static int set_named_place(struct doors *doors, const struct doors_setup *setup, struct err *e)
{
	struct map_place place = {.router = setup->router, .address = setup->source};
	int r = place.address.family ? 0 : find_source(&place.router, &place.address, e);

	if (r == 0)
		r = find_interface(&place, e);
	if (r == 0)
		map_set_place(doors->map, place.address.family, &place);
	return r;
}

/* ── life ── */

static int read_id(const char *folder, uint8_t id[static ID_LEN], struct err *e)
{
	AUTO(buf_donep) struct buf b = {0};
	int r = state_read(folder, ID_FILE, &b, e);

	if (r == 0 && hex_decode(str_trim(buf_str(&b)), id, ID_LEN) < 0)
		r = -ERR_NOT_FOUND;
	return r;
}

/*
 * How this homeport's entries are known in the router's UPnP table, now and after a new start. Not by
 * a number of the machine's: those that were copied from one image have the same, and would take
 * each other's doors for their own.
 */
static int find_id(const char *state, char text[static IGD_DESCRIPTION_MAX], struct err *e)
{
	AUTO(freep) char *folder = NULL;
	char hex[HEX_TEXT_LEN(ID_LEN)];
	uint8_t id[ID_LEN] = {0};
	int r;

	snprintf(text, IGD_DESCRIPTION_MAX, "homeport");
	if (!state)
		return 0;
	if (asprintf(&folder, "%s/" ID_FOLDER, state) < 0)
		return err_set(e, ERR_NOMEM, "doors");
	r = state_folder_prepare(folder, e);
	if (r == 0)
		r = read_id(folder, id, e);
	if (r == -ERR_NOT_FOUND)
		rand_bytes(id, sizeof(id));
	hex_encode(hex, id, sizeof(id));
	if (r == -ERR_NOT_FOUND)
		r = state_write(folder, ID_FILE, str_of(hex), e);
	if (r == 0)
		snprintf(text, IGD_DESCRIPTION_MAX, "homeport-%s", hex);
	return r;
}

static int find_place(struct doors *doors, const struct doors_setup *setup, struct err *e)
{
	if (setup->router.family)
		return set_named_place(doors, setup, e);
	doors_look(doors);
	return 0;
}

int doors_new(struct loop *loop, const struct doors_setup *setup, struct doors **ret_doors,
	      struct err *e)
{
	static const struct map_handler handler = {.on_door = on_door,
						   .on_closed = on_closed,
						   .on_leftover = on_leftover,
						   .on_router = on_router};
	struct doors *doors = calloc(1, sizeof(*doors));
	char id[IGD_DESCRIPTION_MAX];
	struct map_setup map = {.httpc = setup->httpc,
				.state = setup->state,
				.leave_leftovers = setup->leave_leftovers,
				.id = id};
	int r;

	if (!doors)
		return err_set(e, ERR_NOMEM, "doors");
	doors->loop = loop;
	doors->uplink = setup->router.family ? NULL : setup->uplink;
	defer_init(&doors->again, loop, on_again, doors);
	list_init(&doors->keepers);
	list_init(&doors->watchers);
	r = find_id(setup->state, id, e);
	if (r == 0)
		r = map_new(loop, &map, &handler, doors, &doors->map, e);
	if (r == 0)
		r = find_place(doors, setup, e);
	if (r < 0) {
		doors_free(doors);
		return r;
	}
	*ret_doors = doors;
	return 0;
}

void doors_free(struct doors *doors)
{
	struct keeper *keeper, *tmp;

	if (!doors)
		return;
	defer_cancel(&doors->again);
	map_free(doors->map);
	list_for_each_safe (keeper, tmp, &doors->keepers, node)
		free(keeper);
	free(doors);
}

void doors_stop(struct doors *doors, void (*on_stopped)(void *arg), void *arg)
{
	doors->stopping = true;
	map_stop(doors->map, on_stopped, arg);
}

bool doors_stopping(const struct doors *doors)
{
	return doors->stopping;
}

bool doors_ask_router(struct doors *doors)
{
	struct router *router = map_router(doors->map, 4);

	if (!router || doors->stopping)
		return false;
	router_ask_external(router);
	return true;
}

void doors_wake(struct doors *doors)
{
	map_wake(doors->map);
}

const char *doors_lack(const struct doors *doors, uint8_t family,
		       char text[static UPLINK_WORDS_MAX])
{
	if (doors->uplink)
		return uplink_lack(text, uplink_watch_view(doors->uplink), family);
	*text = '\0';
	return text;
}

struct loop *doors_loop(const struct doors *doors)
{
	return doors->loop;
}

struct map *doors_map(const struct doors *doors)
{
	return doors->map;
}
