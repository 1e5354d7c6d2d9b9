/*
 * A provider's answer, read by the grammar of its row. Whole tokens only, whatever case: "911" in
 * an address is no outage and "OK" in a word is no success. Reply texts are strangers' bytes:
 * bounded, read without allocating (JSON excepted, which jansson bounds to the body).
 *
 * A pattern is tokens between single blanks: "*" stands for any one token, "..." at the end for any
 * that follow; without "..." the line ends there.
 *
 *	good ...	no ip change detected ...	error: address * has not changed. ...
 */
#pragma once

#include <stddef.h>

#include <jansson.h>

#include "base/ipaddr.h"
#include "dns/verdict.h"

#define DNS_REPLY_BODY_MAX ((size_t)64 * 1024)
#define DNS_REPLY_TEXT_MAX 160
#define DNS_JSON_DEPTH_MAX 8

struct dns_word {
	const char *pattern;
	enum dns_verdict verdict;
};

struct dns_status {
	int status; /* of HTTP; the end of a list has 0 */
	enum dns_verdict verdict;
};

/*
 * DNS_LINES  the first line that is not empty must match; of further lines those that match count
 * DNS_ANY_LINE  those that match count, one must
 * DNS_TAGS   XML: what stands behind each "<" is a line ("<ErrCount>0" is "errcount 0"); those that
 *            match count, one must
 * DNS_TEXT   HTML: what stands between the tags are lines; those that match count, one must
 * DNS_JSON   the values at `paths`, in this order; the first that matches a word decides. Without
 *            one that matches it is the HTTP status
 */
enum dns_how { DNS_LINES, DNS_ANY_LINE, DNS_TAGS, DNS_TEXT, DNS_JSON };

#define DNS_JSON_PATHS_MAX 3

struct dns_grammar {
	const char *name;
	enum dns_how how;
	const char *separators; /* of tokens, beside blanks; NULL: none */
	bool echoes;		/* a success names the address: what names none is no success */
	const struct dns_word *words;
	size_t n_words;
	struct dns_status statuses[4]; /* where this provider's meaning differs from the usual */
	const char *paths[DNS_JSON_PATHS_MAX]; /* DNS_JSON */
	const char *text;		       /* DNS_JSON: path of the sentence for people */
};

extern const struct dns_grammar dns_grammar_dyndns2, dns_grammar_duckdns, dns_grammar_dynv6,
	dns_grammar_freedns, dns_grammar_zoneedit, dns_grammar_easydns, dns_grammar_namecheap,
	dns_grammar_desec, dns_grammar_ipv64, dns_grammar_words, dns_grammar_cloudflare,
	dns_grammar_porkbun, dns_grammar_dnsexit, dns_grammar_api, dns_grammar_hetzner,
	dns_grammar_linode, dns_grammar_vultr, dns_grammar_route53;

struct dns_answer {
	int status;		/* of HTTP */
	unsigned retry_after_s; /* of Retry-After; 0: none */
	struct str body;	/* borrowed */
};

struct dns_reply {
	enum dns_verdict verdict;
	char text[DNS_REPLY_TEXT_MAX]; /* the provider's own words, its raw bytes; may be empty */
};

void dns_reply_read(const struct dns_grammar *grammar, const struct dns_answer *answer,
		    struct dns_reply *ret);

/* Whether the reply's text names addresses of this family, and this one is not among them: the
 * provider has published something else than was asked. */
bool dns_reply_contradicts(const struct dns_reply *reply, const struct ipaddr *address);

/* Whether the reply's text names this address. */
bool dns_reply_names(const struct dns_reply *reply, const struct ipaddr *address);

/*
 * The value at a path of a JSON document: names and list indexes between dots; "[key=value]" is the
 * one object of a list with that member, "[a=b,c=d]" with both, "*" the only element of a list.
 *
 *	result.*.id	data[type=A,name=www].id
 *
 * Borrowed; NULL: nothing there. *ret_several (may be NULL): a "*" or "[...]" fits more than one.
 */
json_t *dns_json_at(json_t *root, struct str path, bool *ret_several);

/* A string, number or boolean as text. False: something else, or too long. */
bool dns_json_text(const json_t *value, char *to, size_t size);
