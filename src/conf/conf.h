/*
 * Configuration files over tables: one row per directive. The reader, its error messages, the dump
 * of the effective configuration and the man page all come from that row.
 *
 * A role describes its sections as C structs and each key as a row that says where in the struct
 * it goes. A section is a singleton that lives in the role's struct ([gateway]), or there are many,
 * each with a name ([service blog]), which the reader allocates and links into a list.
 *
 *	struct gateway_section {
 *		struct conf_head head;		// first, always
 *		struct conf_address address;
 *		int64_t carriers;
 *	};
 *
 *	struct service_section {
 *		struct conf_head head;
 *		char *to;
 *		struct conf_words name;
 *		int64_t host;			// an index into host_words
 *		int64_t idle_us;		// CONF_UNSET: not given
 *	};
 *
 *	struct agent_config {
 *		struct gateway_section gateway;
 *		struct list services;		// of struct service_section, by head.list
 *	};
 *
 *	static const struct conf_row gateway_rows[] = {
 *		{"address", CONF_ADDRESS, offsetof(struct gateway_section, address),
 *		 .flags = CONF_REQUIRED, .port = 443, .help = "The gateway's host name."},
 *		{"carriers", CONF_INT, offsetof(struct gateway_section, carriers),
 *		 .min = 1, .max = 4, .preset = "2", .help = "TLS connections to the gateway."},
 *	};
 *
 *	static const char *const host_words[] = {"preserve", "local", NULL};
 *
 *	static const struct conf_row service_rows[] = {
 *		{"to", CONF_STRING, offsetof(struct service_section, to),
 *		 .flags = CONF_REQUIRED, .shape = "URL|PATH", .help = "What to share."},
 *		{"name", CONF_WORDS, offsetof(struct service_section, name),
 *		 .flags = CONF_REPEAT, .check = conf_check_hostname, .shape = "NAME ...",
 *		 .help = "Public host names."},
 *		{"host", CONF_WORD, offsetof(struct service_section, host),
 *		 .words = host_words, .preset = "preserve", .help = "Host the service sees."},
 *		{"idle", CONF_DURATION, offsetof(struct service_section, idle_us),
 *		 .min = USEC_PER_S, .max = 3600 * USEC_PER_S, .help = "Close idle visitors."},
 *	};
 *
 *	static const struct conf_kind kinds[] = {
 *		{"gateway", offsetof(struct agent_config, gateway), CONF_ROWS(gateway_rows),
 *		 .flags = CONF_REQUIRED, .help = "The gateway this agent belongs to."},
 *		{"service", offsetof(struct agent_config, services), CONF_ROWS(service_rows),
 *		 .named_size = sizeof(struct service_section), .help = "One thing to share."},
 *	};
 *
 *	const struct conf_schema agent_schema = {kinds, ARRAY_LEN(kinds)};
 *
 *	struct agent_config config;
 *	struct service_section *service;
 *
 *	r = conf_read_file(&agent_schema, &config, path, &e);
 *	if (r < 0)
 *		return r;		// nothing to free; e.text is "FILE:LINE: what is wrong"
 *	list_for_each(service, &config.services, head.list)
 *		use(service->head.name, service->to);
 *	conf_done(&agent_schema, &config);
 *
 * The first error ends the reading: the text names file and line, the nearest known word for an
 * unknown key or section, the range for a number, both lines for something given twice.
 *
 * Unset differs from zero: numbers are CONF_UNSET, pointers NULL, addresses have `set` false, lists
 * n = 0. conf_line() tells whether a key stands in the file at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "base/list.h"
#include "base/str.h"

#define CONF_FILE_MAX	  ((size_t)1 << 20) /* bytes of a file */
#define CONF_ROWS_MAX	  32		    /* keys of one kind of section */
#define CONF_SECTIONS_MAX 1024		    /* named sections of one kind */
#define CONF_WORDS_MAX	  256		    /* words, or addresses, of one key */
#define CONF_NAME_MAX	  64		    /* a section's name and its NUL */
#define CONF_UNSET	  ((int64_t)-1)

/* What a value is, and the C type of the field it goes to. */
enum conf_type {
	CONF_STRING,	  /* char *: text as it stands */
	CONF_PATH,	  /* char *: absolute, or below the folder of the file; then made whole */
	CONF_SECRET_FILE, /* char *: a path too; what is in the file is read by whoever needs it */
	CONF_BOOL,	  /* bool: yes/no, on/off, true/false; its row needs a preset */
	CONF_INT,	  /* int64_t: min..max */
	CONF_SIZE,	  /* int64_t, bytes: "4096", "64 KiB", "1MiB", "2 GiB" */
	CONF_DURATION,	  /* int64_t, microseconds: "250ms", "30s", "5m", "2h", "1d" */
	CONF_RATE,	  /* int64_t, bytes a second: "2MiB/s", "500 KiB/s", "10 Mbit/s" */
	CONF_WORD,	  /* int64_t: index into words */
	CONF_WORDS,	  /* struct conf_words: between blanks */
	CONF_ADDRESS,	  /* struct conf_address */
	CONF_ADDRESSES,	  /* struct conf_addresses: between blanks */
};

struct conf_words {
	char **at; /* owned, and each of them */
	size_t n;
};

/* "gw.example.org:443", "192.0.2.1:443", "[2001:db8::1]:443"; the port may be missing when the row
 * has one. With CONF_LISTEN also "443", ":443" and "*:443" (every address), and port 0 (any). */
struct conf_address {
	bool set;
	char host[HOSTNAME_MAX]; /* a name or an address literal, no brackets; empty: every address
				  */
	uint16_t port;
};

struct conf_addresses {
	struct conf_address *at; /* owned */
	size_t n;
};

/*
 * CONF_REQUIRED  of a row: the key must stand in each section of its kind that is in the file;
 *                of a kind: there must be such a section
 * CONF_REPEAT    lists: the key may stand several times, the words add up
 * CONF_LISTEN    addresses: one to listen on
 * CONF_NO_PORT   an address: without a port it has port 0
 * CONF_SECRET    never shown, neither in the dump nor in an error
 * CONF_BY_MISTAKE  where a secret is; what is wrong there may be the secret itself: not shown in an error
 */
#define CONF_REQUIRED	1u
#define CONF_REPEAT	2u
#define CONF_LISTEN	4u
#define CONF_NO_PORT	16u
#define CONF_SECRET	8u
#define CONF_BY_MISTAKE 32u

struct conf_row {
	const char *key;
	enum conf_type type;
	size_t offset;		  /* of the field in the section's struct */
	unsigned flags;		  /* CONF_* */
	int64_t min, max;	  /* numbers, sizes (bytes), durations (us); both included */
	uint16_t port;		  /* addresses: when none is written; 0: one must be */
	const char *const *words; /* CONF_WORD: NULL-terminated */
	const char *preset;	  /* the default, as one would write it; NULL: unset */
	const char *shape;	  /* the value in the man page; NULL: the type's own word */
	const char *help;	  /* sentences for the man page */

	/* More to check on a string, or on each word: 0, or -ERR_INVALID and a text that fits
	 * behind "key = value: ". NULL: nothing. */
	int (*check)(struct str value, struct err *e);
};

/* Two fields of struct conf_kind at once. */
#define CONF_ROWS(rows) (rows), ARRAY_LEN(rows)

struct conf_kind {
	const char *name;
	size_t offset; /* in the role's struct: the section's struct, or a struct list if named */
	const struct conf_row *rows;
	size_t n_rows;
	size_t named_size; /* of a named section's struct; 0: a singleton */
	unsigned flags;	   /* CONF_REQUIRED */
	const char *help;
};

struct conf_schema {
	const struct conf_kind *kinds;
	size_t n_kinds;
};

/* The first member of every section's struct. */
struct conf_head {
	struct list list;	       /* named sections: in the order of the file */
	char *name;		       /* owned; NULL in a singleton */
	unsigned line;		       /* of the section; 0: not in the file */
	unsigned lines[CONF_ROWS_MAX]; /* per row, the last; 0: not in the file */
};

/* Fill with defaults: what conf_read_text gives for an empty text, without asking for what is
 * required. -ERR_NOMEM. */
int conf_init(const struct conf_schema *schema, void *config, struct err *e) MUST_CHECK;

/*
 * Read a text or a file into *config, which need not be initialised and is to be freed with
 * conf_done. On failure there is nothing to free (conf_done is harmless).
 *
 * file  in: the name in errors; relative paths in the text start from its folder
 *
 * -ERR_INVALID, -ERR_LIMIT  the text: "FILE:LINE: ..."
 * -ERR_NOT_FOUND, -ERR_DENIED, -ERR_FAILED  the file cannot be read: "FILE: ..."
 * -ERR_NOMEM
 */
int conf_read_text(const struct conf_schema *schema, void *config, const char *file,
		   struct str text, struct err *e) MUST_CHECK;
int conf_read_file(const struct conf_schema *schema, void *config, const char *path,
		   struct err *e) MUST_CHECK;

/* Free all that is in *config and leave it empty. */
void conf_done(const struct conf_schema *schema, void *config);

/* The line of a key of this section, 0 when it is not in the file. An unknown key is a bug. */
unsigned conf_line(const struct conf_kind *kind, const struct conf_head *section, const char *key);

/* The kind of that name, or NULL. */
const struct conf_kind *conf_kind(const struct conf_schema *schema, const char *name);

/* Whether two sections say the same: names and values, not lines. For reloading as a difference. */
bool conf_section_equal(const struct conf_kind *kind, const struct conf_head *a,
			const struct conf_head *b);

/*
 * The effective configuration as text that can be read again and means the same: what the file
 * says as "key = value", the rest as "# default: key = value" or "# unset: key". -ERR_NOMEM.
 */
int conf_dump(const struct conf_schema *schema, const void *config, struct buf *out) MUST_CHECK;

/* All sections and keys as roff (man macros, from .SS down) for a man page. -ERR_NOMEM. */
int conf_write_man(const struct conf_schema *schema, struct buf *out) MUST_CHECK;

/* A row's check: a host name; a network or address (base/cidr.h). */
int conf_check_hostname(struct str value, struct err *e);
int conf_check_cidr(struct str value, struct err *e);
