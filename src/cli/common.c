#include "cli/common.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "agent/control.h"
#include "state/folder.h"

const struct option_row common_rows[] = {
	{"config", 'c', OPTION_TEXT, offsetof(struct common, config), .arg = "FILE",
	 .help = "configuration file (default: /etc/homeport/homeport.conf for root, else "
		 "~/.config/homeport/homeport.conf)"},
	{"state", 's', OPTION_TEXT, offsetof(struct common, state), .arg = "FOLDER",
	 .help = "where the key and the joined gateway are kept (default: /var/lib/homeport for "
		 "root, else ~/.local/state/homeport)"},
	{"verbose", 'v', OPTION_FLAG, offsetof(struct common, verbose),
	 .help = "tell on stderr what happens inside"},
};
const size_t common_count = ARRAY_LEN(common_rows);

int complain(const char *command, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	fprintf(stderr, "homeport %s: %s\n", command, sentence);
	return 1;
}

/* ── places ── */

void places_done(struct places *places)
{
	free(places->state);
	free(places->folder);
	free(places->socket);
	*places = (struct places){0};
}

/* All paths from the state folder's; takes it. */
static int places_fill(char *state, bool chosen, struct places *ret, struct err *e)
{
	struct places places = {.state = state};
	const char *slash;

	places.socket = control_path(state, chosen);
	slash = places.socket ? strrchr(places.socket, '/') : NULL;
	if (slash)
		places.folder = strndup(places.socket, (size_t)(slash - places.socket));
	if (!places.folder) {
		places_done(&places);
		return err_set(e, ERR_NOMEM, "state folder");
	}
	if (strlen(places.socket) >= sizeof(((struct sock_addr *)0)->path)) {
		int r = err_set(e, ERR_FAILED,
				"%s: too long for a socket (%zu bytes at most); use a shorter "
				"--state folder",
				places.socket, sizeof(((struct sock_addr *)0)->path) - 1);

		places_done(&places);
		return r;
	}
	*ret = places;
	return 0;
}

int places_find(const struct common *common, struct places *ret, struct err *e)
{
	char *state = common->state ? strdup(common->state) : state_default_path("homeport");

	if (!state)
		return err_set(e, ERR_FAILED, "no place for its state; choose one with --state");
	return places_fill(state, common->state, ret, e);
}

int places_prepare(struct places *places, struct err *e)
{
	struct places absolute;
	bool chosen = strcmp(places->state, places->folder) == 0;
	char *state;
	int r = state_folder_prepare(places->state, e);

	if (r < 0)
		return r;
	state = realpath(places->state, NULL);
	if (!state)
		return err_set_errno(e, ERR_FAILED, "%s", places->state);
	r = places_fill(state, chosen, &absolute, e);
	if (r < 0)
		return r;
	places_done(places);
	*places = absolute;
	return state_folder_prepare(places->folder, e);
}

/* ── what is stored and configured ── */

int common_config(const struct common *common, struct agent_config *ret, char **ret_path,
		  struct err *e)
{
	AUTO(freep)
	char *path = common->config ? strdup(common->config) : agent_config_default_path();
	int r;

	if (!path)
		return agent_config_init(ret, e);
	r = agent_config_read(path, ret, e);
	if (r == -ERR_NOT_FOUND && !common->config)
		r = agent_config_init(ret, e);
	if (r == 0)
		*ret_path = TAKE(path);
	return r;
}

int common_config_exit(int r)
{
	return r == -ERR_INVALID || r == -ERR_LIMIT ? 2 : 1;
}

int common_joined(const struct places *places, struct joined *ret, struct err *e)
{
	int r = joined_load(places->state, ret, e);

	if (r == -ERR_NOT_FOUND)
		return err_set(
			e, ERR_NOT_FOUND,
			"no gateway joined yet (none in %s%s). On the gateway, type "
			"\"homeport-gateway invite NAME\"; here, \"homeport join\", and paste "
			"the code",
			places->state, geteuid() == 0 ? "" : "; what root joined is root's own");
	return r;
}

struct agent_setup common_setup(const struct places *places, const struct joined *joined,
				const struct tls_identity *identity,
				const struct agent_config *config)
{
	const struct conf_address *address = &config->gateway.address;

	return (struct agent_setup){
		.state = places->state,
		.joined = joined,
		.identity = identity,
		.source = "the configuration of homeport up",
		.host = address->set ? address->host : NULL,
		.port = address->port,
		.carriers = (unsigned)config->gateway.carriers,
		.rate = config->gateway.rate == CONF_UNSET ? 0 : (uint64_t)config->gateway.rate,
	};
}

const char *json_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

long long json_number(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}
