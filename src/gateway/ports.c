#include "gateway/ports.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_RESERVED, SLOT_BLOCKED };

struct slot {
	enum slot_state state;
	uint64_t agent;
	char service[PORTS_SERVICE_MAX];
	uint64_t released; /* RESERVED: a count, the smallest is the longest ago */
	usec_t blocked_until;
};

struct ports {
	uint16_t first;
	size_t n, per_agent_max;
	pthread_mutex_t lock; /* guards all below */
	uint64_t releases;
	struct slot slots[];
};

int ports_new(uint16_t first, uint16_t last, size_t per_agent_max, struct ports **ret_ports,
	      struct err *e)
{
	size_t n = first ? (size_t)(last - first) + 1 : 0;
	struct ports *ports = calloc(1, sizeof(*ports) + n * sizeof(struct slot));

	if (!ports)
		return err_set(e, ERR_NOMEM, "table of ports");
	ports->first = first;
	ports->n = n;
	ports->per_agent_max = per_agent_max;
	pthread_mutex_init(&ports->lock, NULL);
	*ret_ports = ports;
	return 0;
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	pthread_mutex_destroy(&ports->lock);
	free(ports);
}

static struct slot *slot_of(struct ports *ports, uint16_t port)
{
	if (port < ports->first || (size_t)(port - ports->first) >= ports->n)
		return NULL;
	return &ports->slots[port - ports->first];
}

static uint16_t port_of(const struct ports *ports, const struct slot *slot)
{
	return (uint16_t)(ports->first + (slot - ports->slots));
}

static bool is_of(const struct slot *slot, uint64_t agent, const char *service)
{
	return (slot->state == SLOT_USED || slot->state == SLOT_RESERVED) && slot->agent == agent &&
	       strcmp(slot->service, service) == 0;
}

static bool is_before(const struct slot *a, const struct slot *b)
{
	if (a->state != b->state)
		return a->state == SLOT_USED;
	return a->released < b->released;
}

/* The one a service has. Two, when the first was blocked for a time: the one in use, else the
 * first. */
static struct slot *own(struct ports *ports, uint64_t agent, const char *service)
{
	struct slot *own = NULL;

	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (is_of(slot, agent, service) && (!own || is_before(slot, own)))
			own = slot;
	return own;
}

static bool has_all(const struct ports *ports, uint64_t agent)
{
	size_t n = 0;

	for (const struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		n += slot->state != SLOT_FREE && slot->agent == agent;
	return n >= ports->per_agent_max;
}

/* Of its own, the one that was not used for the longest time. */
static struct slot *oldest_of(struct ports *ports, uint64_t agent)
{
	struct slot *oldest = NULL;

	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot->state == SLOT_RESERVED && slot->agent == agent &&
		    (!oldest || slot->released < oldest->released))
			oldest = slot;
	return oldest;
}

/* The one it has, else a free one, else the one that was not used for the longest time. */
static struct slot *choose(struct ports *ports, uint64_t agent, const char *service)
{
	struct slot *free_one = NULL, *oldest = NULL, *has = own(ports, agent, service);

	if (has)
		return has;
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++) {
		if (slot->state == SLOT_FREE && !free_one)
			free_one = slot;
		if (slot->state == SLOT_RESERVED && (!oldest || slot->released < oldest->released))
			oldest = slot;
	}
	return free_one ? free_one : oldest;
}

/* The wished one, if it is not another service's. An agent may give a reserved one of its own to
 * another of its services. */
static struct slot *choose_wished(struct ports *ports, uint64_t agent, const char *service,
				  uint16_t wished)
{
	struct slot *slot = slot_of(ports, wished);

	if (!slot)
		return NULL;
	if (slot->state == SLOT_FREE || is_of(slot, agent, service))
		return slot;
	if (slot->state == SLOT_BLOCKED && (slot->agent == 0 || slot->agent == agent))
		return slot; /* perhaps the other program is gone */
	return slot->state == SLOT_RESERVED && slot->agent == agent ? slot : NULL;
}

/* Whether there were any. */
static bool free_others(struct ports *ports, const struct slot *keep)
{
	bool freed = false;

	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot != keep && is_of(slot, keep->agent, keep->service)) {
			*slot = (struct slot){0};
			freed = true;
		}
	return freed;
}

/* Whether the service had another one, which is free now. */
static bool use(struct ports *ports, struct slot *slot, uint64_t agent, const char *service)
{
	slot->state = SLOT_USED;
	slot->agent = agent;
	snprintf(slot->service, sizeof(slot->service), "%s", service);
	return free_others(ports, slot);
}

/* Those that were blocked for long enough are what they were before. */
static void unblock(struct ports *ports, usec_t now)
{
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot->state == SLOT_BLOCKED && slot->blocked_until <= now)
			slot->state = slot->agent ? SLOT_RESERVED : SLOT_FREE;
}

/* One that makes an agent's too many goes in place of its oldest. */
static int take(struct ports *ports, uint64_t agent, const char *service, uint16_t wished,
		struct slot **ret)
{
	struct slot *slot = wished ? choose_wished(ports, agent, service, wished)
				   : choose(ports, agent, service);
	struct slot *oldest;

	if (!slot)
		return wished ? -ERR_EXISTS : -ERR_LIMIT;
	if (slot->agent != agent && !own(ports, agent, service) && has_all(ports, agent)) {
		oldest = oldest_of(ports, agent);
		if (!oldest)
			return -ERR_DENIED;
		if (wished)
			*oldest = (struct slot){0};
		else
			slot = oldest;
	}
	*ret = slot;
	return 0;
}

int ports_take(struct ports *ports, uint64_t agent, const char *service, uint16_t wished,
	       usec_t now, uint16_t *ret_port, bool *ret_new)
{
	struct slot *slot;
	int r;

	pthread_mutex_lock(&ports->lock);
	unblock(ports, now);
	r = take(ports, agent, service, wished, &slot);
	if (r == 0) {
		*ret_new = !is_of(slot, agent, service);
		*ret_port = port_of(ports, slot);
		*ret_new |= use(ports, slot, agent, service);
	}
	pthread_mutex_unlock(&ports->lock);
	return r;
}

void ports_restore(struct ports *ports, uint64_t agent, const char *service, uint16_t port)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = slot_of(ports, port);
	if (slot && slot->state == SLOT_FREE && !has_all(ports, agent)) {
		use(ports, slot, agent, service);
		slot->state = SLOT_RESERVED;
		slot->released = ports->releases++;
	}
	pthread_mutex_unlock(&ports->lock);
}

void ports_claim(struct ports *ports, uint64_t agent, const char *service)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = own(ports, agent, service);
	if (slot)
		slot->state = SLOT_USED;
	pthread_mutex_unlock(&ports->lock);
}

void ports_release(struct ports *ports, uint64_t agent, uint16_t port)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = slot_of(ports, port);
	if (slot && slot->state == SLOT_USED && slot->agent == agent) {
		slot->state = SLOT_RESERVED;
		slot->released = ports->releases++;
	}
	pthread_mutex_unlock(&ports->lock);
}

void ports_block(struct ports *ports, uint16_t port, bool keep, usec_t now)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = slot_of(ports, port);
	if (slot && !keep)
		*slot = (struct slot){0};
	if (slot) {
		slot->state = SLOT_BLOCKED;
		slot->blocked_until = now + PORTS_BLOCKED;
	}
	pthread_mutex_unlock(&ports->lock);
}

void ports_forget(struct ports *ports, uint64_t agent)
{
	pthread_mutex_lock(&ports->lock);
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot->state == SLOT_BLOCKED && slot->agent == agent)
			slot->agent = 0;
		else if (slot->state != SLOT_FREE && slot->agent == agent)
			*slot = (struct slot){0};
	pthread_mutex_unlock(&ports->lock);
}
