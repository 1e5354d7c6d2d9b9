#include "net/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/loop.h"

#define EVENTS_PER_ROUND 256

struct watch {
	struct watches *watches; /* borrowed */
	int fd;			 /* borrowed */
	uint32_t slot;
	unsigned events;
	bool registered;
	bool edge;
	void (*fn)(void *arg, unsigned events);
	void *arg;
};

/*
 * The kernel keeps a slot's number and generation with each descriptor, no pointer: an event for a
 * watch that is gone finds an empty slot or a newer generation.
 */
struct slot {
	struct watch *watch; /* owned; NULL: free */
	uint32_t generation;
	uint32_t next_free; /* index + 1; 0: none */
};

struct watches {
	int epoll_fd;
	struct slot *slots; /* owned */
	uint32_t n_slots, first_free;
	uint32_t count;
};

int watches_new(struct watches **ret_watches, struct err *e)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches)
		return err_set(e, ERR_NOMEM, "event loop");
	watches->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watches->epoll_fd < 0) {
		free(watches);
		return err_set_errno(e, ERR_FAILED, "epoll");
	}
	*ret_watches = watches;
	return 0;
}

void watches_free(struct watches *watches)
{
	if (!watches)
		return;
	assert(watches->count == 0); /* else somebody left a watch behind */
	close(watches->epoll_fd);
	free(watches->slots);
	free(watches);
}

int watches_fd(const struct watches *watches)
{
	return watches->epoll_fd;
}

static int grow(struct watches *watches)
{
	uint32_t n = watches->n_slots ? watches->n_slots * 2 : 64;
	struct slot *slots = realloc(watches->slots, n * sizeof(*slots));

	if (!slots)
		return -ERR_NOMEM;
	for (uint32_t i = watches->n_slots; i < n; i++)
		slots[i] = (struct slot){.next_free = i + 1 < n ? i + 2 : 0};
	watches->first_free = watches->n_slots + 1;
	watches->slots = slots;
	watches->n_slots = n;
	return 0;
}

static struct watch *take_slot(struct watches *watches)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct slot *slot;

	if (!w || (watches->first_free == 0 && grow(watches) < 0)) {
		free(w);
		return NULL;
	}
	w->watches = watches;
	w->slot = watches->first_free - 1;
	slot = &watches->slots[w->slot];
	watches->first_free = slot->next_free;
	slot->watch = w;
	watches->count++;
	return w;
}

static void give_slot(struct watch *w)
{
	struct watches *watches = w->watches;
	struct slot *slot = &watches->slots[w->slot];

	slot->watch = NULL;
	slot->generation++;
	slot->next_free = watches->first_free;
	watches->first_free = w->slot + 1;
	watches->count--;
	free(w);
}

static int control(struct watch *w, int operation, uint32_t epoll_events)
{
	struct epoll_event event = {.events = epoll_events};

	event.data.u64 = (uint64_t)w->watches->slots[w->slot].generation << 32 | w->slot;
	return epoll_ctl(w->watches->epoll_fd, operation, w->fd, &event);
}

static int watch_make(struct loop *loop, int fd, bool edge, void (*fn)(void *arg, unsigned events),
		      void *arg, struct watch **ret_watch, struct err *e)
{
	struct watch *w = take_slot(loop_watches(loop));

	if (!w)
		return err_set(e, ERR_NOMEM, "descriptor watch");
	w->fd = fd;
	w->edge = edge;
	w->fn = fn;
	w->arg = arg;
	if (edge && control(w, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
		int r = err_set_errno(e, ERR_FAILED, "watching a descriptor");

		give_slot(w);
		return r;
	}
	w->registered = edge;
	*ret_watch = w;
	return 0;
}

int watch_new(struct loop *loop, int fd, void (*fn)(void *arg, unsigned events), void *arg,
	      struct watch **ret_watch, struct err *e)
{
	return watch_make(loop, fd, false, fn, arg, ret_watch, e);
}

int watch_edge(struct loop *loop, int fd, void (*fn)(void *arg, unsigned events), void *arg,
	       struct watch **ret_watch, struct err *e)
{
	return watch_make(loop, fd, true, fn, arg, ret_watch, e);
}

void watch_set(struct watch *w, unsigned events)
{
	uint32_t wanted =
		(events & WATCH_READ ? EPOLLIN : 0) | (events & WATCH_WRITE ? EPOLLOUT : 0);

	assert(!w->edge);
	if (events == w->events)
		return;
	w->events = events;
	if (wanted == 0)
		control(w, EPOLL_CTL_DEL, 0);
	else if (control(w, w->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, wanted) < 0)
		abort(); /* no memory in the kernel for a descriptor we hold: nothing would wake us
			    again */
	w->registered = wanted != 0;
}

unsigned watch_events(const struct watch *w)
{
	return w->events;
}

void watch_pass_on(struct watch *w, void (*fn)(void *arg, unsigned events), void *arg)
{
	w->fn = fn;
	w->arg = arg;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	if (w->registered)
		control(w, EPOLL_CTL_DEL, 0);
	give_slot(w);
}

void watch_free_closing(struct watch *w)
{
	if (w)
		give_slot(w);
}

static void tell(struct watch *w, uint32_t epoll_events)
{
	bool broken = epoll_events & (EPOLLERR | EPOLLHUP);
	unsigned events = 0;

	if (epoll_events & EPOLLIN || broken)
		events |= WATCH_READ;
	if (epoll_events & EPOLLOUT || broken)
		events |= WATCH_WRITE;
	if (epoll_events & EPOLLRDHUP || broken)
		events |= WATCH_HANGUP;
	if (epoll_events & EPOLLERR)
		events |= WATCH_ERROR;
	if (!w->edge) {
		events &= WATCH_READ | WATCH_WRITE;
		if (broken)
			watch_set(w, 0);
	}
	if (events)
		w->fn(w->arg, events);
}

void watches_dispatch(struct watches *watches)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int n = epoll_wait(watches->epoll_fd, events, EVENTS_PER_ROUND, 0);

	for (int i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)events[i].data.u64,
			 generation = (uint32_t)(events[i].data.u64 >> 32);

		if (watches->slots[slot].watch && watches->slots[slot].generation == generation)
			tell(watches->slots[slot].watch, events[i].events);
	}
}
