/*
 * What must survive of doors: which router has a lease for us, and the nonce without which it can be
 * neither renewed nor deleted (RFC 6887 §11.2). Each process has a folder of its own,
 * STATE/doors/ID/ with the files "lock" (held as long as it lives) and "doors.json" (0600); the
 * folders of processes that are gone are adopted at start.
 *
 *	ledger_open(loop, state, &ledger, &e);		blocking: at start-up
 *	entry = ledger_add(ledger, &fresh);
 *	ledger_sync(ledger, &wait, on_written, arg);	on disk, then on_written
 *
 * Without a folder (NULL) nothing survives; everything else is the same.
 */
#pragma once

#include <sys/types.h>

#include "base/list.h"
#include "map/door.h"
#include "net/loop.h"

#define LEDGER_MAX	 128 /* entries; what is over that was not ours */
#define LEDGER_NONCE_LEN 12

struct ledger;

struct ledger_entry {
	uint8_t protocol;
	struct ipaddr internal; /* address and port */
	struct ipaddr router;	/* without scope: that changes with every boot */
	uint8_t nonce[LEDGER_NONCE_LEN];

	/* Once it is granted. */
	enum map_method method; /* MAP_NONE: it was asked for, more is not known */
	uint16_t external_port;
	uint16_t pinhole;   /* UniqueID of a UPnP pinhole */
	bool permanent;	    /* it does not expire */
	uint64_t expires_s; /* wall clock */

	struct list node; /* the ledger's */
};

/* -ERR_DENIED, -ERR_FAILED: the folder cannot be used. */
int ledger_open(struct loop *loop, const char *state, struct ledger **ret_ledger,
		struct err *e) MUST_CHECK;

/* Waits for what is being written; an empty ledger leaves nothing behind. NULL is fine. */
void ledger_close(struct ledger *ledger);

/* The first; the next; NULL behind the last. */
struct ledger_entry *ledger_next(struct ledger *ledger, const struct ledger_entry *after);

/* The entry of this door at this place; NULL: none. */
struct ledger_entry *ledger_find(struct ledger *ledger, uint8_t protocol,
				 const struct ipaddr *internal, const struct ipaddr *router);

/* A copy of it, with a fresh nonce. NULL: LEDGER_MAX, or no memory. */
struct ledger_entry *ledger_add(struct ledger *ledger, const struct ledger_entry *entry);
void ledger_remove(struct ledger *ledger, struct ledger_entry *entry);

/* It was changed: is written soon. */
void ledger_touch(struct ledger *ledger);

struct ledger_wait {
	void (*done)(void *arg, int r, const struct err *e);
	void *arg;
	struct list node;
	uint64_t version;
};

/* done(arg, r, e) when everything so far is on disk, or could not be written (the next change tries
 * again). From the loop, never from inside. */
void ledger_sync(struct ledger *ledger, struct ledger_wait *wait);
void ledger_sync_cancel(struct ledger_wait *wait); /* harmless on a zeroed one */

/*
 * All entries of all processes, for people: holder is the process that has it, 0: gone. Blocking.
 * Fewer are told when a file cannot be read.
 */
void ledger_look(const char *state,
		 void (*each)(void *arg, const struct ledger_entry *entry, pid_t holder),
		 void *arg);
