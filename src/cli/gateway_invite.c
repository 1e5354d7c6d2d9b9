#include <stdio.h>

#include "base/ustime.h"
#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"
#include "cli/qr.h"

struct invite_options {
	struct gateway_common common;
	struct option_texts names;
	bool json;
};

static const struct option_row invite_rows[] = {
	{"name", 'n', OPTION_TEXTS, offsetof(struct invite_options, names), .arg = "NAME",
	 .help = "host name that the agent may use (may be repeated)"},
	{"json", 0, OPTION_FLAG, offsetof(struct invite_options, json),
	 .help = "print JSON, for programs"},
};

static json_t *request_of(const struct invite_options *o, const char *agent)
{
	json_t *names = json_array();

	for (size_t i = 0; i < o->names.n; i++)
		if (json_array_append_new(names, json_string(o->names.at[i])) < 0) {
			json_decref(names);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:o}", "command", "invite", "agent", agent, "names", names);
}

static void print_for_person(const json_t *answer)
{
	const char *code = gateway_common_text(answer, "code");
	json_int_t valid_s = gateway_common_number(answer, "valid_s");
	char valid[USTIME_TEXT_MAX];

	printf("For one machine, within %s:\n\n  %s\n\n",
	       ustime_format_span(valid, (usec_t)valid_s * USEC_PER_S), code);
	printf("At home, on that machine, type this and paste the code:\n\n  homeport join\n\n");
	qr_print(stdout, code);
}

static int invite_run(const void *options, const struct option_args *args)
{
	const struct invite_options *o = options;
	json_t *answer = NULL;
	int r = 0;

	if (gateway_common_ask(&o->common, request_of(o, args->at[0]), &answer) < 0)
		return 1;
	if (o->json)
		r = gateway_common_print_json(answer);
	else if (isatty(STDOUT_FILENO))
		print_for_person(answer);
	else
		printf("%s\n", gateway_common_text(answer, "code"));
	json_decref(answer);
	return r;
}

const struct command gateway_command_invite = {
	.name = "invite",
	.args = "AGENT",
	.min_args = 1,
	.max_args = 1,
	.summary = "make a pairing code for a machine at home",
	.details = "AGENT is what the machine is to be called here. It may use the names given "
		   "with --name, and every name below AGENT.DOMAIN. The code is good once; the "
		   "machine that redeems it is known by its key from then on. Inviting an agent "
		   "that is there already gives it the names as well, when the code is "
		   "redeemed.\n\nWhen its output goes to a program, it is the code alone.",
	.example = "homeport-gateway invite laptop --name blog.home.example.org\n"
		   "homeport-gateway invite nas | ssh nas homeport join",
	OPTION_ROWS(invite_rows, struct invite_options),
	.run = invite_run,
};
