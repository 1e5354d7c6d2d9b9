#include "dns/verdict.h"

#include "base/cleanup.h"

static const struct {
	enum dns_class class;
	const char *word, *text;
} verdicts[] = {
#define X(name, class, word, text) [DNS_##name] = {DNS_CLASS_##class, word, text},
	DNS_VERDICTS(X)
#undef X
};

enum dns_class dns_verdict_class(enum dns_verdict verdict)
{
	return verdicts[verdict].class;
}

const char *dns_verdict_word(enum dns_verdict verdict)
{
	return verdicts[verdict].word;
}

const char *dns_verdict_text(enum dns_verdict verdict)
{
	return verdicts[verdict].text;
}

bool dns_verdict_is_credentials(enum dns_verdict verdict)
{
	return verdict == DNS_BADAUTH || verdict == DNS_BADAGENT || verdict == DNS_BADSIG;
}

bool dns_verdict_parse(struct str word, enum dns_verdict *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(verdicts); i++)
		if (str_eq(word, str_of(verdicts[i].word))) {
			*ret = (enum dns_verdict)i;
			return true;
		}
	return false;
}

static int rank(enum dns_verdict v)
{
	if (v == DNS_NOCHG)
		return 0;
	if (v == DNS_GOOD)
		return 1;
	if (v == DNS_UNKNOWN)
		return 3;
	return dns_verdict_class(v) == DNS_CLASS_PARK ? 4 : 2;
}

enum dns_verdict dns_verdict_worse(enum dns_verdict a, enum dns_verdict b)
{
	return rank(b) > rank(a) ? b : a;
}
