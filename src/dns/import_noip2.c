/*
 * no-ip2.conf, as noip2 writes its structure to disk, packed by the compiler of the machine:
 *
 *	 0 char lastIP[16]
 *	16 u16  interval (minutes)	18 u16  checksum
 *	20 u32  magic 0x414a324c
 *	24 u16  length of the request	26 u16  length of the program
 *	28 char count, encrypt (0: without base64), nat, filler
 *	32 char device[16]		(8 in older ones)
 *	   base64("username=...&pass=...&h[]=name&h[]=...&g[]=group"), base64(program)
 *
 * Numbers are in the byte order of the machine, which the magic number tells. The checksum is the sum
 * of the bytes of the request, of the program and of the structure from the magic number on.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/secret.h"
#include "dns/import.h"

#define MAGIC	 0x414a324cu
#define HEAD_LEN 48
#define LAST_IP	 0
#define CHECKSUM 18
#define MAGIC_AT 20
#define LENGTHS	 24
#define ENCRYPT	 29
#define DEVICE	 32
#define TEXT_MAX 4096

static uint32_t number(const uint8_t *at, int bytes, bool little)
{
	uint32_t n = 0;

	for (int i = 0; i < bytes; i++)
		n = n << 8 | at[little ? bytes - 1 - i : i];
	return n;
}

static uint16_t sum(const uint8_t *bytes, size_t len)
{
	uint16_t s = 0;

	while (len--)
		s = (uint16_t)(s + *bytes++);
	return s;
}

/* The decoded length, or 0. */
static size_t unbase64(const uint8_t *bytes, size_t len, uint8_t to[static TEXT_MAX])
{
	int n;

	while (len && (bytes[len - 1] == '\n' || bytes[len - 1] == '\0'))
		len--;
	if (len == 0 || len % 4 || len / 4 * 3 > TEXT_MAX)
		return 0;
	n = EVP_DecodeBlock(to, bytes, (int)len);
	if (n <= 0)
		return 0;
	n -= bytes[len - 1] == '=';
	n -= bytes[len - 2] == '=';
	return (size_t)n;
}

/* "%40" is "@". False: too long, or a control character. */
static bool unescape(struct str s, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (c == '%' && i + 2 < s.len && str_hex_digit(s.at[i + 1]) >= 0 &&
		    str_hex_digit(s.at[i + 2]) >= 0) {
			c = (char)(str_hex_digit(s.at[i + 1]) << 4 | str_hex_digit(s.at[i + 2]));
			i += 2;
		}
		if (n + 1 >= size || (unsigned char)c < 0x20 || c == 0x7f)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

struct account {
	char user[DNS_IMPORT_VALUE_MAX], pass[DNS_IMPORT_VALUE_MAX];
	struct ipaddr last;
	char device[17];
};

static int add_name(struct dns_import *import, const struct account *account, struct str host,
		    bool group, struct err *e)
{
	struct dns_imported *name = dns_import_add(import, 0);
	char text[HOSTNAME_MAX];

	if (!name)
		return err_set(e, ERR_LIMIT, "more than %d names", DNS_IMPORT_NAMES_MAX);
	if (!unescape(host, text, sizeof(text)))
		return err_set(e, ERR_INVALID, "a name in the file is damaged");
	dns_import_set_host(name, str_of(text));
	name->row = dns_provider_find(STR("noip"));
	strcpy(name->provider, "noip2");
	memcpy(name->user, account->user, sizeof(name->user));
	memcpy(name->pass, account->pass, sizeof(name->pass));
	str_copy(name->interface, sizeof(name->interface), str_of(account->device));
	name->no6 = true; /* noip2 has no IPv6 */
	if (account->last.family == 4)
		dns_import_published(name, &account->last, 0);
	if (group)
		dns_import_note(import, 0, "%s is a group: No-IP changes all names in it",
				name->host);
	return 0;
}

static int read_request(struct dns_import *import, struct account *account, struct str text,
			struct err *e)
{
	struct str rest = text;

	while (rest.len) { /* who it is may stand behind the names */
		struct str value = str_split(&rest, '&'), key = str_split(&value, '=');
		char *to = str_eq(key, STR("username")) ? account->user
			   : str_eq(key, STR("pass"))	? account->pass
							: NULL;

		if (to && !unescape(value, to, DNS_IMPORT_VALUE_MAX))
			return err_set(e, ERR_INVALID, "user or password in the file is damaged");
	}
	for (rest = text; rest.len;) {
		struct str value = str_split(&rest, '&'), key = str_split(&value, '=');
		bool group = str_eq(key, STR("g[]"));
		int r = group || str_eq(key, STR("h[]"))
				? add_name(import, account, value, group, e)
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_INVALID, "this is no configuration file of noip2, or it is damaged");
}

int dns_import_noip2(struct dns_import *import, struct str bytes, struct err *e)
{
	const uint8_t *at = (const uint8_t *)bytes.at;
	struct account account = {0};
	uint8_t text[TEXT_MAX];
	size_t request, program, head = HEAD_LEN, len;
	bool little;
	int r;

	if (bytes.len < HEAD_LEN)
		return damaged(e);
	little = number(at + MAGIC_AT, 4, true) == MAGIC;
	if (!little && number(at + MAGIC_AT, 4, false) != MAGIC)
		return damaged(e);
	request = number(at + LENGTHS, 2, little);
	program = number(at + LENGTHS + 2, 2, little);
	if (bytes.len != head + request + program)
		head -= 8; /* device[8] */
	if (bytes.len != head + request + program || request == 0)
		return damaged(e);
	if (number(at + CHECKSUM, 2, little) !=
	    (uint16_t)(sum(at + head, request + program) + sum(at + MAGIC_AT, head - MAGIC_AT)))
		return err_set(e, ERR_INVALID, "the file is damaged: its checksum is wrong");
	if (at[ENCRYPT])
		len = unbase64(at + head, request, text);
	else if ((len = request) <= sizeof(text))
		memcpy(text, at + head, len);
	else
		return damaged(e);
	if (len == 0)
		return damaged(e);
	if (!ipaddr_parse(str_n((const char *)at + LAST_IP, strnlen((const char *)at, 16)),
			  &account.last))
		account.last.port = 0;
	str_copy(account.device, sizeof(account.device),
		 str_n((const char *)at + DEVICE,
		       strnlen((const char *)at + DEVICE, head - DEVICE)));
	r = read_request(import, &account, str_n((const char *)text, len), e);
	secret_wipe(text, sizeof(text));
	secret_wipe(&account, sizeof(account));
	if (r < 0)
		return r;
	if (import->n == 0)
		return err_set(e, ERR_INVALID, "no names are in the file");
	if (program)
		dns_import_note(import, 0,
				"a program is started at each change: set \"on-change\" to it");
	dns_import_note(
		import, 0,
		"make a DDNS key at No-IP for these names, and delete this file: the account's "
		"password can be read in it");
	return 0;
}
