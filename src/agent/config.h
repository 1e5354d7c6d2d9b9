/*
 * homeport.conf: its rows (agent_schema, over conf/conf.h) and the services, doors and names they describe.
 *
 *	[service blog]
 *	to = http://127.0.0.1:8000
 *	name = blog.home.example.org
 *
 *	[door ssh]
 *	port = 22
 *	external = 2222
 */
#pragma once

#include "agent/name.h"
#include "agent/observing.h"
#include "agent/wish.h"
#include "conf/conf.h"
#include "map/door.h"

#define AGENT_RATE_MIN 1024 /* bytes a second */

struct agent_gateway_section {
	struct conf_head head;
	struct conf_address address;
	int64_t carriers;
	int64_t rate;
};

struct agent_service_section {
	struct conf_head head;
	char *to;
	struct conf_words name;
	char *host;
	int64_t port;
	bool proxy_protocol;
	int64_t rate;
	struct conf_words allow;
};

struct agent_door_section {
	struct conf_head head;
	int64_t port;
	int64_t external;
	int64_t protocol; /* enum agent_door_protocol */
	int64_t family;	  /* enum agent_door_family */
	int64_t lifetime; /* microseconds */
};

struct agent_config {
	struct agent_gateway_section gateway;
	struct agent_observe_section observe;
	struct list services; /* of struct agent_service_section */
	struct list doors;    /* of struct agent_door_section */
	struct list dns;      /* of struct agent_dns_section */

	/* What follows from it. */
	struct wish *wishes; /* owned; one for each [service], folders absolute */
	size_t n_wishes;
	struct map_wish *doors_wished; /* owned; one or two for each [door] */
	size_t n_doors;
	struct agent_name *names; /* owned; one for each [dns] */
	size_t n_names;
};

extern const struct conf_schema agent_schema;

/* Where the file is when nobody said: in $CONFIGURATION_DIRECTORY (systemd), else
 * /etc/homeport/homeport.conf for root, else $XDG_CONFIG_HOME/homeport/homeport.conf or the same
 * under ~/.config. The caller frees; NULL: no memory or no home. */
char *agent_config_default_path(void);

/*
 * Read a file, or a text as if it stood in `file`. Errors as conf_read_file; nothing to free then.
 */
int agent_config_read(const char *path, struct agent_config *ret, struct err *e) MUST_CHECK;
int agent_config_read_text(const char *file, struct str text, struct agent_config *ret,
			   struct err *e) MUST_CHECK;

/* Without a file: no services, no doors, defaults for the rest. -ERR_NOMEM. */
int agent_config_init(struct agent_config *ret, struct err *e) MUST_CHECK;
void agent_config_done(struct agent_config *config);

/* Into *to, which holds nothing; *from holds nothing afterwards. (A list's head does not bear being
 * copied.) */
void agent_config_move(struct agent_config *to, struct agent_config *from);
