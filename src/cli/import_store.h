/*
 * What `homeport import` leaves on the disk: secrets, a file each that only its owner can read; what the
 * other client has published, in the ledger; and the configuration made. When something else is there
 * already nothing at all is written, unless forced.
 *
 *	r = import_store_prepare(&store, &e);
 *	... the configuration, with store.folder in it
 *	r = import_store_write(&store, text, &e);
 *	import_store_done(&store);
 */
#pragma once

#include "dns/import.h"

struct import_store {
	const struct dns_import *import; /* all borrowed */
	const char *state;		 /* the state folder */
	const char *client;		 /* "ddclient": for what is told */
	const char *secrets; /* the folder for them; NULL: "secrets" in the state folder */
	const char *output;  /* the file for the configuration; NULL: none */
	bool force;

	char *folder;	  /* owned: where secrets are; absolute when there are any */
	size_t n_secrets; /* files of them */
};

/* Counts the secrets, and makes their folder when there are any. -ERR_DENIED, -ERR_FAILED, -ERR_NOMEM. */
int import_store_prepare(struct import_store *store, struct err *e) MUST_CHECK;

/*
 * All of it. text: the configuration, for `output`. A running agent keeps its own ledger, which is told.
 * -ERR_EXISTS: something else is there; nothing was written. -ERR_DENIED, -ERR_FAILED, -ERR_NOMEM.
 */
int import_store_write(const struct import_store *store, struct str text, struct err *e) MUST_CHECK;

void import_store_done(struct import_store *store);
