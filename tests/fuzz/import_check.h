/* What is made of another client's file is a configuration that homeport takes, and can be printed. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "base/log.h"
#include "dns/import.h"

static inline void import_check_text(struct str text)
{
	struct agent_config config;
	struct err e = {0};

	if (agent_config_read_text("import", text, &config, &e) < 0) {
		fprintf(stderr, "%s\n%.*s\n", e.text, STR_ARG(text));
		abort();
	}
	agent_config_done(&config);
}

static inline void import_check_files(const struct dns_import *import)
{
	char file[DNS_IMPORT_PATH_MAX];

	for (size_t i = 0; i < import->n; i++)
		if (dns_import_secret_file(file, import, i) &&
		    (strlen(file) > 240 || strchr(file, '/') || file[0] == '.' ||
		     !log_text_is_plain(str_of(file))))
			abort();
}

static inline void import_check_ledger(const struct dns_import *import)
{
	struct dns_ledger ledger;
	struct buf text = {0};

	dns_ledger_init(&ledger);
	if (dns_import_ledger(import, &ledger, false) < 0 ||
	    dns_ledger_encode(&ledger, 1800000000, &text) < 0)
		abort();
	buf_done(&text);
	dns_ledger_done(&ledger);
}

static inline void import_check(const struct dns_import *import)
{
	struct buf text = {0};

	if (dns_import_write(import, "/etc/homeport", &text) < 0)
		abort();
	import_check_text(buf_str(&text));
	import_check_files(import);
	import_check_ledger(import);
	for (size_t i = 0; i < import->n_notes; i++)
		if (!log_text_is_plain(str_of(import->notes[i].text)))
			abort();
	buf_done(&text);
}
