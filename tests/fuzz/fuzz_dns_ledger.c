/* The ledger's file, damaged in any way: what is read can be written, and is the same then; and no
 * machine that comes from it waits for ever. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/ledger.h"

#define NOW ((int64_t)1800000000)

static const struct dns_rules rules = {.interval_s = 600, .burst = 1, .per_day = 48};
static const uint8_t config[DNS_CONFIG_LEN];

static void drive(struct dns_machine *m)
{
	struct ipaddr address = {.family = 4, .bytes = {192, 0, 2, 1}};
	int64_t at = 0;

	dns_machine_resume(m, config, NOW);
	dns_machine_on_wish(m, DNS_WISH_ADDRESS, &address, NOW);
	if (dns_machine_next(m, NOW, &at) == DNS_LATER && at > NOW + 2 * DNS_WAIT_MAX_S)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct dns_ledger ledger, again;
	struct buf text = {0}, text2 = {0};
	const char *key;
	json_t *entry;

	dns_ledger_init(&ledger);
	dns_ledger_init(&again);
	if (dns_ledger_decode(&ledger, str_n((const char *)bytes, len), NULL) == 0) {
		json_object_foreach(ledger.names, key, entry)
		{
			struct dns_machine m, back;

			dns_machine_init(&m, &rules, config);
			if (!dns_ledger_get(&ledger, key, &m))
				continue;
			back = m;
			if (dns_ledger_put(&again, key, &m) < 0 ||
			    !dns_ledger_get(&again, key, &back) || back.state != m.state ||
			    back.confirmed_s != m.confirmed_s)
				abort();
			drive(&m);
		}
		json_object_clear(ledger.used); /* so that the old ones go now, not the next time */
		if (dns_ledger_encode(&ledger, NOW, &text) < 0 ||
		    dns_ledger_decode(&again, buf_str(&text), NULL) < 0 ||
		    dns_ledger_encode(&again, NOW, &text2) < 0 ||
		    !str_eq(buf_str(&text), buf_str(&text2)))
			abort();
	}
	buf_done(&text);
	buf_done(&text2);
	dns_ledger_done(&ledger);
	dns_ledger_done(&again);
	return 0;
}
