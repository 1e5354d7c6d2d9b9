/* `homeport dns txt`: TXT values at providers, through the homeport that runs here. */
#pragma once

#include "cli/common.h"
#include "conf/options.h"

struct dns_txt_options {
	const struct common *common;
	bool json;
	const char *wait, *keep; /* spans as typed; NULL: the default */
};

/* args: add|remove NAME VALUE. The exit code. */
int dns_txt_verb(const struct dns_txt_options *o, const struct option_args *args);
