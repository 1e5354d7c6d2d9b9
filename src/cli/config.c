#include <stdio.h>

#include "cli/commands.h"
#include "cli/common.h"

struct config_options {
	struct common common;
};

static void print_warnings(const struct agent_config *config, const char *path)
{
	const struct agent_service_section *s;
	size_t i = 0;

	list_for_each (s, &config->services, head.list) {
		const char *warning = target_warning(&config->wishes[i++].target);

		if (warning)
			fprintf(stderr, "%s:%u: warning: %s\n", path, s->head.line, warning);
	}
}

static int print(const struct agent_config *config)
{
	AUTO(buf_donep) struct buf text = {0};

	if (conf_dump(&agent_schema, config, &text) < 0)
		return complain("config", "no memory");
	fwrite(buf_head(&text), 1, buf_len(&text), stdout);
	return fflush(stdout) == 0 ? 0 : complain("config", "the output could not be written");
}

static int config_run(const void *options, const struct option_args *args)
{
	const struct config_options *o = options;
	AUTO(freep) char *path = NULL;
	struct agent_config config;
	struct err e = {0};
	int r = common_config(&o->common, &config, &path, &e);

	if (r < 0) {
		fprintf(stderr, "%s\n", e.text);
		return common_config_exit(r);
	}
	print_warnings(&config, path ? path : "");
	r = print(&config);
	agent_config_done(&config);
	return r;
}

const struct command command_config = {
	.name = "config",
	.summary = "check the configuration and show what it comes to",
	.details = "Reads the configuration as homeport up does and prints it with its defaults. A "
		   "mistake is told with its file and line, and the exit code is 2.",
	.example = "homeport config\n"
		   "homeport --config ./homeport.conf config",
	.options_size = sizeof(struct config_options),
	.run = config_run,
};
