#include "dns/message.h"

#include "base/cursor.h"

#define TYPE_OPT  41
#define TYPE_TSIG 250

/* RFC 1035 §4.1.4: labels, ended by an empty one or a pointer. */
static void skip_name(struct cursor *c)
{
	while (cursor_ok(c)) {
		uint8_t len = cursor_u8(c);

		if (len >= 0xc0)
			cursor_u8(c);
		else if (len)
			cursor_take(c, len);
		if (len == 0 || len >= 0xc0)
			return;
	}
}

bool dns_message_is_plain(struct str message, unsigned tsigs)
{
	struct cursor c = cursor_over(message.at, message.len);
	unsigned questions, records = 0, n_tsig = 0, n_opt = 0;

	cursor_u32(&c); /* id, flags */
	questions = cursor_u16(&c);
	for (int section = 0; section < 3; section++)
		records += cursor_u16(&c);
	for (; questions && cursor_ok(&c); questions--) {
		skip_name(&c);
		cursor_u32(&c); /* type, class */
	}
	for (; records && cursor_ok(&c); records--) {
		unsigned type;

		skip_name(&c);
		type = cursor_u16(&c);
		cursor_u16(&c); /* class */
		cursor_u32(&c); /* ttl */
		cursor_take(&c, cursor_u16(&c));
		n_tsig += type == TYPE_TSIG;
		n_opt += type == TYPE_OPT;
	}
	return cursor_ok(&c) && n_tsig <= tsigs && n_opt <= 1;
}
