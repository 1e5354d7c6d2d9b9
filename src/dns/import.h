/*
 * What other clients have in their configuration and caches, as names of ours: with the address that
 * was last published, so that moving here sends nothing. What cannot be carried over is noted, line
 * by line. The readers are in dns/import_*.c; they read text, and know nothing of files.
 *
 *	dns_import_init(&import);
 *	r = dns_import_ddclient(&import, text, &e);
 *	r = dns_import_ddclient_cache(&import, cache_text, &e);	(of import.cache, or the usual place)
 *	r = dns_import_write(&import, "/etc/homeport/secrets", &out);
 *	for each i < import.n: store import.names[i].pass where dns_import_secret_path says, 0600
 *	dns_import_done(&import);
 */
#pragma once

#include "base/buf.h"
#include "base/ipaddr.h"
#include "base/log.h"
#include "dns/ledger.h"

#define DNS_IMPORT_FILE_MAX  ((size_t)256 * 1024)
#define DNS_IMPORT_NAMES_MAX 256
#define DNS_IMPORT_NOTES_MAX 512
#define DNS_IMPORT_NOTE_MAX  LOG_TEXT_MAX
#define DNS_IMPORT_VALUE_MAX 512

struct dns_imported {
	const struct dns_provider *row; /* NULL: we know none; it is written as a comment */
	unsigned line;
	char provider[64];			     /* as the file calls it */
	char host[HOSTNAME_MAX], zone[HOSTNAME_MAX]; /* lower case; zone "": none */
	char server[HOSTNAME_MAX];		     /* "": the row's */
	char user[DNS_IMPORT_VALUE_MAX];
	char pass[DNS_IMPORT_VALUE_MAX]; /* secret */
	char key[DNS_IMPORT_VALUE_MAX];
	char interface[32];
	bool cut;	     /* something was longer than there is room for here */
	bool no4, no6;	     /* a family is switched off */
	struct ipaddr fixed; /* published as it is; family 0: whatever the address is */
	unsigned ttl_s;	     /* 0: not given */

	/* from the cache: family 0 or 0 where nothing is known */
	struct ipaddr published4, published6;
	int64_t confirmed_s;
};

struct dns_import_note {
	unsigned line; /* 0: about the file */
	char text[DNS_IMPORT_NOTE_MAX];
};

struct dns_import {
	struct dns_imported *names; /* owned */
	size_t n;
	struct dns_import_note *notes; /* owned */
	size_t n_notes;
	size_t lost_notes; /* there were more than DNS_IMPORT_NOTES_MAX */
	char cache
		[DNS_IMPORT_VALUE_MAX]; /* where its cache is, as the file says; "": it does not */

	/* Reads a file that inadyn.conf includes, appending to text, which is wiped; may be set after
	 * dns_import_init. NULL: none is read. */
	int (*include)(void *arg, const char *path, struct buf *text, struct err *e);
	void *include_arg;
};

void dns_import_init(struct dns_import *import);
void dns_import_done(struct dns_import *import); /* wipes */

/* ── formats: -ERR_INVALID: not that format, e names the line; -ERR_LIMIT; -ERR_NOMEM. What was read
 * before stays. */

/* ddclient.conf, and its cache (import what is configured first), of which damaged lines are noted and
 * left out. */
int dns_import_ddclient(struct dns_import *import, struct str text, struct err *e) MUST_CHECK;
int dns_import_ddclient_cache(struct dns_import *import, struct str text, struct err *e) MUST_CHECK;

/* inadyn.conf; and a file of its cache, which holds an address: its name is "HOST.cache", of later versions
 * "PROVIDER-HOST.cache", its time that of the last update. */
int dns_import_inadyn(struct dns_import *import, struct str text, struct err *e) MUST_CHECK;
void dns_import_inadyn_cache(struct dns_import *import, struct str file_name, struct str text,
			     int64_t modified_s);

/* no-ip2.conf, binary, of either byte order. */
int dns_import_noip2(struct dns_import *import, struct str bytes, struct err *e) MUST_CHECK;

/* ── for the readers ── */

/* A new name, zeroed but for its line; NULL: no memory, or DNS_IMPORT_NAMES_MAX. */
struct dns_imported *dns_import_add(struct dns_import *import, unsigned line);

/* A host name in lower case, or what else the file has there. */
void dns_import_set_host(struct dns_imported *name, struct str host);

/* What is too long is none, and the name is cut. */
void dns_import_copy(struct dns_imported *name, char *to, size_t size, const char *from);

/* When all is in it: the zone is a host name, too, where it is one at all. */
void dns_import_settle(struct dns_imported *name);

/* Whether its provider is that one. */
bool dns_import_is(const struct dns_imported *name, const char *row);

/* Whether the host is the zone, or below it. */
bool dns_import_in_zone(struct str host, const char *zone);

/* Printable text only is kept. Never a secret in it. */
void dns_import_note(struct dns_import *import, unsigned line, const char *fmt, ...) PRINTF(3, 4);

/* The row whose URL names this host (maybe with ":port"), or NULL. */
const struct dns_provider *dns_import_row_of_server(struct str server);

/* The zone of a name when nobody says: what stands behind its first dot. */
void dns_import_guess_zone(struct dns_imported *name);

/* An address that the old client has published for this name. */
void dns_import_published(struct dns_imported *name, const struct ipaddr *address,
			  int64_t confirmed_s);

/* ── result ── */

/*
 * Whether name i can be written as a section that homeport takes: a known and open provider, a host name,
 * what the provider asks for, and no other section of that record. False, and why: it is written as a
 * comment, because one bad section is a bad file.
 */
bool dns_import_usable(const struct dns_import *import, size_t i, struct err *why);

/*
 * The names as sections of homeport.conf. -ERR_NOMEM.
 * folder  in: where secrets will be, as it is to stand in the text
 */
int dns_import_write(const struct dns_import *import, const char *folder,
		     struct buf *out) MUST_CHECK;

/* Where name i's secret belongs below the folder: "home.example.org.secret"; names with the same
 * secret share a file. Returns text; NULL: it has none, or one that a file's first line cannot hold. */
#define DNS_IMPORT_PATH_MAX (HOSTNAME_MAX + 32)
const char *dns_import_secret_file(char text[static DNS_IMPORT_PATH_MAX],
				   const struct dns_import *import, size_t i);

/* What the other client has published, as entries of the ledger, of whatever configuration takes the
 * name over (dns/machine.h). Entries that are there stay, unless all: then they are replaced.
 * -ERR_NOMEM, -ERR_LIMIT. */
int dns_import_ledger(const struct dns_import *import, struct dns_ledger *ledger,
		      bool all) MUST_CHECK;
