/*
 * The messages of the control channel (docs/protocol.md §2 and §6), objects <-> structs. Pure: no
 * I/O, no clock. Decoders accept what the protocol says and nothing else; -ERR_INVALID and e name
 * the field.
 */
#pragma once

#include <jansson.h>

#include "base/ipaddr.h"
#include "link/code.h"

#define LINK_VERSION	    1
#define LINK_ALPN	    "homeport/1"
#define LINK_SERVICES_MAX   256
#define LINK_NAMES_MAX	    32
#define LINK_SERVICE_ID_MAX 63
#define LINK_CARRIERS_MAX   4
#define LINK_INSTANCE_LEN   32 /* hex digits */
#define LINK_TEXT_MAX	    256

enum link_kind {
	LINK_HTTP,  /* plain HTTP by Host */
	LINK_TLS,   /* TLS by server name, passed through */
	LINK_TCP,   /* a port of its own */
	LINK_UDP,   /* the same */
	LINK_OTHER, /* at the gateway: what only newer ones know; never granted */
};

const char *link_kind_name(enum link_kind kind); /* "http", "tls", "tcp", "udp" */

/* Found by its port, not by a name. */
static inline bool link_kind_has_port(enum link_kind kind)
{
	return kind == LINK_TCP || kind == LINK_UDP;
}

/* A service the agent wants to have public. */
struct link_service {
	char id[LINK_SERVICE_ID_MAX + 1];
	enum link_kind kind;
	char **names; /* owned array of owned texts, lower case */
	size_t n_names;
	uint16_t port; /* LINK_TCP, LINK_UDP: wished, 0: any */
};

struct link_services {
	struct link_service *list; /* owned */
	size_t n;
	uint64_t revision;
};

/* What the gateway made of it. */
struct link_grant {
	char id[LINK_SERVICE_ID_MAX + 1];
	bool granted;
	char reason[32];	  /* refused: the protocol's word, "name-taken" */
	char text[LINK_TEXT_MAX]; /* refused: for people */
	char **names;		  /* owned; granted */
	size_t n_names;
	char **urls; /* owned; granted: where it can be reached */
	size_t n_urls;
	uint16_t port; /* LINK_TCP, LINK_UDP: the public port */
};

struct link_grants {
	struct link_grant *list; /* owned */
	size_t n;
	uint64_t revision;
};

void link_services_done(struct link_services *services);
void link_grants_done(struct link_grants *grants);

/* Append an empty service or grant with that id and return it (borrowed until the next append);
 * NULL: limit, memory. */
struct link_service *link_services_add(struct link_services *services, struct str id);
struct link_grant *link_grants_add(struct link_grants *grants, struct str id);

/* Append a copy of text to such an array; -ERR_LIMIT (LINK_NAMES_MAX), -ERR_NOMEM. */
int link_texts_add(char ***texts, size_t *n, struct str text) MUST_CHECK;

int link_services_copy(struct link_services *to, const struct link_services *from) MUST_CHECK;
int link_grants_copy(struct link_grants *to, const struct link_grants *from) MUST_CHECK;
const struct link_service *link_services_find(const struct link_services *services,
					      const char *id); /* or NULL */

/* 1-63 of a-z 0-9 - _. */
bool link_service_id_valid(struct str id);

struct link_hello {
	unsigned version;
	char instance[LINK_INSTANCE_LEN + 1];
	unsigned carrier;
	unsigned resets_per_s;
	struct link_services services; /* owned */
};

struct link_welcome {
	char agent[LINK_SERVICE_ID_MAX + 1];
	char domain[256];
	struct ipaddr observed;
	struct link_grants grants; /* owned */
	bool has_next_key;
	struct tls_key_hash next_key;
	bool conflict; /* the key is used by two machines */
};

struct link_refused {
	char reason[32];
	char text[LINK_TEXT_MAX];
};

struct link_joined {
	char agent[LINK_SERVICE_ID_MAX + 1];
	char domain[256];
	char **names; /* owned */
	size_t n_names;
};

enum link_message_type {
	LINK_MESSAGE_UNKNOWN, /* to be ignored */
	LINK_MESSAGE_HELLO,
	LINK_MESSAGE_WELCOME,
	LINK_MESSAGE_REFUSED,
	LINK_MESSAGE_SERVICES,
	LINK_MESSAGE_DRAIN,
	LINK_MESSAGE_REPLACED,
	LINK_MESSAGE_NOTICE,
	LINK_MESSAGE_JOIN,
	LINK_MESSAGE_JOINED,
};

/* The type; -ERR_INVALID without a string "type". */
int link_message_type(const json_t *object, enum link_message_type *ret, struct err *e) MUST_CHECK;

/* Decoders: on success the struct is the caller's to be done with; on failure nothing is. */
int link_hello_decode(const json_t *object, struct link_hello *ret, struct err *e) MUST_CHECK;
int link_welcome_decode(const json_t *object, struct link_welcome *ret, struct err *e) MUST_CHECK;
int link_refused_decode(const json_t *object, struct link_refused *ret, struct err *e) MUST_CHECK;
int link_services_decode(const json_t *object, struct link_services *ret, struct err *e) MUST_CHECK;
int link_grants_decode(const json_t *object, struct link_grants *ret, struct err *e) MUST_CHECK;
int link_join_decode(const json_t *object, unsigned *ret_version,
		     uint8_t secret[static LINK_SECRET_LEN], struct err *e) MUST_CHECK;
int link_joined_decode(const json_t *object, struct link_joined *ret, struct err *e) MUST_CHECK;
void link_hello_done(struct link_hello *hello);
void link_welcome_done(struct link_welcome *welcome);
void link_joined_done(struct link_joined *joined);

/* Encoders: a new object (the caller's), NULL without memory. */
json_t *link_hello_encode(const struct link_hello *hello);
json_t *link_welcome_encode(const struct link_welcome *welcome);
json_t *link_refused_encode(const char *reason, const char *text);
json_t *
link_services_encode(const struct link_services *services); /* type "services", from the agent */
json_t *
link_grants_encode(const struct link_grants *grants); /* type "services", from the gateway */
json_t *link_join_encode(const uint8_t secret[static LINK_SECRET_LEN]);
json_t *link_joined_encode(const struct link_joined *joined);
json_t *link_drain_encode(void);
json_t *link_text_encode(const char *type, const char *text,
			 bool conflict); /* "replaced", "notice" */
