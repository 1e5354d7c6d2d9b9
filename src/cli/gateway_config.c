#include <stdio.h>

#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"
#include "gateway/config.h"

struct config_options {
	struct gateway_common common;
};

static int config_run(const void *options, const struct option_args *args)
{
	const struct config_options *o = options;
	struct gateway_config config;
	AUTO(buf_donep) struct buf text = {0};
	struct err e = {0};
	int r = gateway_config_read(o->common.config, &config, &e);

	if (r < 0) {
		fprintf(stderr, "homeport-gateway: %s\n", e.text);
		return 2;
	}
	r = conf_dump(&gateway_schema, &config, &text);
	gateway_config_done(&config);
	if (r < 0 || fwrite(buf_head(&text), 1, buf_len(&text), stdout) != buf_len(&text)) {
		fprintf(stderr, "homeport-gateway: cannot print the configuration\n");
		return 1;
	}
	return 0;
}

const struct command gateway_command_config = {
	.name = "config",
	.summary = "check the configuration file and print what is in effect",
	.example = "homeport-gateway --config ./gateway.conf config",
	.options_size = sizeof(struct config_options),
	.run = config_run,
};
