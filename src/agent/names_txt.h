/*
 * One request of the control socket about a TXT value, answered when it is done:
 *
 *	{"command":"dns-txt","name":TEXT,"value":TEXT,"remove":BOOL,"wait_s":N,"keep_s":N}
 *		{"ok":true,"name":TEXT,"value":TEXT,"section":TEXT,"provider":TEXT,"changed":BOOL,
 *		 "served":"yes"|"unknown"|"not asked","servers":N,"serving":N}
 *
 * wait_s: how long to wait at most until all of the zone's name servers have it (or have it no more), 0: not at
 * all; keep_s: an added value is removed after so long, 0: it stays. What they are good for: dns/keeper_txt.h.
 */
#pragma once

#include "dns/keeper_txt.h"

struct names_txt;

/* Whether it is that command. */
bool names_txt_knows(const char *command);

/* emit(arg, answer) is called once, takes the reference, and may be called from inside. -ERR_NOMEM: it is not. */
int names_txt_start(struct dns_keeper *keeper, const json_t *request,
		    void (*emit)(void *arg, json_t *answer), void *arg, struct names_txt **ret_txt,
		    struct err *e) MUST_CHECK;

/* At any time. Before emit: ends it without; the change itself goes on. NULL is fine. */
void names_txt_free(struct names_txt *txt);

/* What became of a value, for the log. */
void names_txt_log(const struct dns_txt_result *result);
