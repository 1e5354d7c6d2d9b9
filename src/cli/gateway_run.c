#include <stdio.h>

#include "base/log.h"
#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"
#include "gateway/gateway.h"

struct run_options {
	struct gateway_common common;
	bool verbose;
};

static const struct option_row run_rows[] = {
	{"verbose", 'v', OPTION_FLAG, offsetof(struct run_options, verbose),
	 .help = "log more: every link and what it says"},
};

static int serve(const struct gateway_options *options, const struct gateway_config *config)
{
	struct gateway *gateway = NULL;
	struct err e = {0};
	int r = gateway_new(options, config, &gateway, &e);

	if (r == 0)
		r = gateway_run(gateway, &e);
	gateway_free(gateway);
	if (r < 0)
		log_error("%s", e.text);
	return r < 0 ? 1 : 0;
}

static int run_run(const void *options, const struct option_args *args)
{
	const struct run_options *o = options;
	AUTO(freep) char *state = gateway_common_state(&o->common);
	AUTO(freep) char *socket = state ? gateway_common_socket(&o->common, state) : NULL;
	struct gateway_options gateway = {
		.state = state, .socket = socket, .version = HOMEPORT_VERSION};
	struct gateway_config config;
	struct err e = {0};
	int r;

	if (!socket)
		return 1;
	if (o->verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	if (gateway_config_read(o->common.config, &config, &e) < 0) {
		log_error("%s", e.text);
		return 2;
	}
	r = serve(&gateway, &config);
	gateway_config_done(&config);
	return r;
}

const struct command gateway_command_run = {
	.name = "run",
	.summary = "serve, in the foreground",
	.details = "systemd runs this. SIGTERM lets the visitors that are there finish, for 30 s; "
		   "a second one ends at once.",
	.example = "homeport-gateway --config ./gateway.conf --state ./state run",
	OPTION_ROWS(run_rows, struct run_options),
	.run = run_run,
};
