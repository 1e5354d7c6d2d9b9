/* What all commands of homeport share: their common options, and where things are. */
#pragma once

#include "agent/agent.h"
#include "agent/config.h"
#include "conf/options.h"

/* The first members of every command's options. */
struct common {
	const char *config; /* NULL: the default file, if it is there */
	const char *state;  /* NULL: the default folder */
	bool verbose;
};

extern const struct option_row common_rows[];
extern const size_t common_count;

/* "homeport COMMAND: sentence" on stderr. Returns the exit code 1. */
int complain(const char *command, const char *fmt, ...) PRINTF(2, 3);

/* Paths of one state folder. */
struct places {
	char *state;  /* owned: the folder */
	char *folder; /* owned: where sockets are */
	char *socket; /* owned: the agent's control socket, in it */
};

/* Without touching the disk. -ERR_FAILED: no home to put it in; -ERR_NOMEM. */
int places_find(const struct common *common, struct places *ret, struct err *e) MUST_CHECK;

/* Make the folders, and the paths absolute. */
int places_prepare(struct places *places, struct err *e) MUST_CHECK;
void places_done(struct places *places);

/* The configuration file, or none when there is none and nobody named one. *ret_path is the
 * caller's: the file. Errors as agent_config_read. */
int common_config(const struct common *common, struct agent_config *ret, char **ret_path,
		  struct err *e) MUST_CHECK;

/* The exit code for such an error: 2 for what is wrong in the file. */
int common_config_exit(int r);

/* The gateway joined; e says how to join one. */
int common_joined(const struct places *places, struct joined *ret, struct err *e) MUST_CHECK;

/* How to be the agent, from these; all borrowed. */
struct agent_setup common_setup(const struct places *places, const struct joined *joined,
				const struct tls_identity *identity,
				const struct agent_config *config);

/* Answers of the agent and its events: a field, "" or 0 when it is not there. */
const char *json_text(const json_t *object, const char *field);
long long json_number(const json_t *object, const char *field);
