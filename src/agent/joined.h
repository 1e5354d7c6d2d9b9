/*
 * The gateway this machine has joined, as `homeport join` stored it: gateway.json in the state
 * folder, beside the agent's own key. Blocking: for start-up, and small enough for the rare change.
 */
#pragma once

#include "base/ipaddr.h"
#include "link/message.h"

#define JOINED_FILE	"gateway.json"
#define JOINED_KEY_FILE "agent-key.pem"

/* The next key, while nobody knows yet whether the gateway takes it. */
#define JOINED_NEW_KEY_FILE "agent-key-new.pem"

struct joined {
	char host[HOSTNAME_MAX]; /* no brackets */
	uint16_t port;
	struct tls_key_hash gateway;
	bool has_next;
	struct tls_key_hash next; /* the key the gateway said it will change to */
	char agent[LINK_SERVICE_ID_MAX + 1];
	char domain[HOSTNAME_MAX];
};

/* -ERR_NOT_FOUND: no gateway joined; -ERR_INVALID: a damaged file; -ERR_DENIED, -ERR_FAILED. */
int joined_load(const char *folder, struct joined *ret, struct err *e) MUST_CHECK;

/* The new key is the key from now on. -ERR_FAILED. */
int joined_take_new_key(const char *folder, struct err *e) MUST_CHECK;
int joined_store(const char *folder, const struct joined *joined, struct err *e) MUST_CHECK;
