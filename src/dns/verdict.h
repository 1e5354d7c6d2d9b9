/*
 * What a provider's answer means for the name: one row each, whatever the provider's own words are.
 *
 * OK    the provider's record is known now
 * WAIT  nobody can help but time; how long is in dns/rules.h
 * PARK  only a person can mend it: the same request is never sent again until the configuration
 *       changes, or that person says so. Going on would be abuse and ends in a ban.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum dns_class { DNS_CLASS_OK, DNS_CLASS_WAIT, DNS_CLASS_PARK };

/* X(NAME, CLASS, word for programs, sentence for people) */
#define DNS_VERDICTS(X)                                                                            \
	X(GOOD, OK, "good", "updated")                                                             \
	X(NOCHG, OK, "nochg", "the provider had this address already")                             \
	X(NETWORK, WAIT, "network", "the provider could not be reached")                           \
	X(LOST, WAIT, "lost", "no answer came: the request may have arrived")                      \
	X(PAGE, WAIT, "page", "a web page came instead of an answer: a captive portal?")           \
	X(SERVER, WAIT, "server", "the provider has trouble")                                      \
	X(PENDING, WAIT, "pending", "the provider has begun, and is not done yet")                 \
	X(OUTAGE, WAIT, "911", "the provider is out of order or in maintenance")                   \
	X(DNSERR, WAIT, "dnserr", "the provider's name server has trouble")                        \
	X(RATE, WAIT, "rate", "the provider wants fewer requests")                                 \
	X(TIME, WAIT, "badtime", "the clocks of this machine and of the server differ")            \
	X(UNKNOWN, WAIT, "unknown", "an answer that nobody has documented")                        \
	X(BADAUTH, PARK, "badauth", "wrong user, password or token")                               \
	X(BADAGENT, PARK, "badagent", "the provider refuses this program")                         \
	X(ABUSE, PARK, "abuse", "the provider has blocked the name; unblock it on its web site")   \
	X(NOHOST, PARK, "nohost", "no such name in this account")                                  \
	X(NOTFQDN, PARK, "notfqdn", "the provider does not take this for a name")                  \
	X(NOT_YOURS, PARK, "!yours", "the name belongs to another account")                        \
	X(NOT_DONATOR, PARK, "!donator", "the provider wants a paid account for this")             \
	X(NOT_ACTIVE, PARK, "!active", "the name is not active at the provider")                   \
	X(NUMHOST, PARK, "numhost", "too many names, or a set of addresses")                       \
	X(BADSYS, PARK, "badsys", "the provider does not know this kind of update")                \
	X(SEVERAL, PARK, "several", "several records of this type; which one is ours?")            \
	X(BADKEY, PARK, "badkey", "the key is unknown, or may not change this name or type")       \
	X(BADSIG, PARK, "badsig", "the key has another secret at the server")                      \
	X(REFUSED, PARK, "refused", "the provider refuses the change")

enum dns_verdict {
#define X(name, class, word, text) DNS_##name,
	DNS_VERDICTS(X)
#undef X
		DNS_VERDICTS_COUNT
};

enum dns_class dns_verdict_class(enum dns_verdict verdict);
const char *dns_verdict_word(enum dns_verdict verdict);
const char *dns_verdict_text(enum dns_verdict verdict);

/* The verdict of a word that dns_verdict_word gave. False: none. */
bool dns_verdict_parse(struct str word, enum dns_verdict *ret);

/* User, password, key or program are refused: every request of the account would be. */
bool dns_verdict_is_credentials(enum dns_verdict verdict);

/* Of two answers to one request the one that decides: what parks, then what nobody knows, then what
 * waits; a change before none. */
enum dns_verdict dns_verdict_worse(enum dns_verdict a, enum dns_verdict b);
