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
};

struct ports {
	uint16_t first;
	size_t n;
	pthread_mutex_t lock; /* guards all below */
	uint64_t releases;
	struct slot slots[];
};

int ports_new(uint16_t first, uint16_t last, struct ports **ret_ports, struct err *e)
{
	size_t n = first ? (size_t)(last - first) + 1 : 0;
	struct ports *ports = calloc(1, sizeof(*ports) + n * sizeof(struct slot));

	if (!ports)
		return err_set(e, ERR_NOMEM, "table of ports");
	ports->first = first;
	ports->n = n;
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

/* The one it has, else a free one, else the one that was not used for the longest time. */
static struct slot *choose(struct ports *ports, uint64_t agent, const char *service)
{
	struct slot *free_one = NULL, *oldest = NULL;

	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++) {
		if (is_of(slot, agent, service))
			return slot;
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
	if (slot->state == SLOT_FREE || slot->state == SLOT_BLOCKED || is_of(slot, agent, service))
		return slot; /* a blocked one: perhaps the other program is gone */
	return slot->state == SLOT_RESERVED && slot->agent == agent ? slot : NULL;
}

static void free_others(struct ports *ports, const struct slot *keep)
{
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot != keep && is_of(slot, keep->agent, keep->service))
			*slot = (struct slot){0};
}

static void use(struct ports *ports, struct slot *slot, uint64_t agent, const char *service)
{
	slot->state = SLOT_USED;
	slot->agent = agent;
	snprintf(slot->service, sizeof(slot->service), "%s", service);
	free_others(ports, slot);
}

int ports_take(struct ports *ports, uint64_t agent, const char *service, uint16_t wished,
	       uint16_t *ret_port, bool *ret_new)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = wished ? choose_wished(ports, agent, service, wished)
		      : choose(ports, agent, service);
	if (slot) {
		*ret_new = !is_of(slot, agent, service);
		*ret_port = port_of(ports, slot);
		use(ports, slot, agent, service);
	}
	pthread_mutex_unlock(&ports->lock);
	if (slot)
		return 0;
	return wished ? -ERR_EXISTS : -ERR_LIMIT;
}

void ports_restore(struct ports *ports, uint64_t agent, const char *service, uint16_t port)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = slot_of(ports, port);
	if (slot && slot->state == SLOT_FREE) {
		use(ports, slot, agent, service);
		slot->state = SLOT_RESERVED;
		slot->released = ports->releases++;
	}
	pthread_mutex_unlock(&ports->lock);
}

void ports_claim(struct ports *ports, uint64_t agent, const char *service)
{
	pthread_mutex_lock(&ports->lock);
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (is_of(slot, agent, service))
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

void ports_block(struct ports *ports, uint16_t port)
{
	struct slot *slot;

	pthread_mutex_lock(&ports->lock);
	slot = slot_of(ports, port);
	if (slot)
		*slot = (struct slot){.state = SLOT_BLOCKED};
	pthread_mutex_unlock(&ports->lock);
}

void ports_forget(struct ports *ports, uint64_t agent)
{
	pthread_mutex_lock(&ports->lock);
	for (struct slot *slot = ports->slots; slot < ports->slots + ports->n; slot++)
		if (slot->state != SLOT_FREE && slot->state != SLOT_BLOCKED && slot->agent == agent)
			*slot = (struct slot){0};
	pthread_mutex_unlock(&ports->lock);
}
