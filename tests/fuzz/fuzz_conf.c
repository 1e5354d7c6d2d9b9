#include "fuzz.h"

#include <assert.h>

#include "base/buf.h"
#include "conf/conf.h"

/* A section of each sort with a key of each type. */
struct section {
	struct conf_head head;
	char *string, *path;
	bool flag;
	int64_t number, size, time, word;
	struct conf_words words;
	struct conf_address address;
	struct conf_addresses listen;
};

struct config {
	struct section one;
	struct list many;
};

#define AT(field) offsetof(struct section, field)

static const char *const word_words[] = {"red", "green", NULL};

static const struct conf_row rows[] = {
	{"string", CONF_STRING, AT(string), .help = ""},
	{"path", CONF_PATH, AT(path), .help = ""},
	{"flag", CONF_BOOL, AT(flag), .preset = "no", .help = ""},
	{"number", CONF_INT, AT(number), .min = 1, .max = 9, .help = ""},
	{"size", CONF_SIZE, AT(size), .preset = "1 MiB", .help = ""},
	{"time", CONF_DURATION, AT(time), .help = ""},
	{"word", CONF_WORD, AT(word), .words = word_words, .help = ""},
	{"words", CONF_WORDS, AT(words), CONF_REPEAT, .help = ""},
	{"address", CONF_ADDRESS, AT(address), .port = 443, .help = ""},
	{"listen", CONF_ADDRESSES, AT(listen), CONF_LISTEN, .preset = "80 443", .help = ""},
};

static const struct conf_kind kinds[] = {
	{"one", offsetof(struct config, one), CONF_ROWS(rows), .help = ""},
	{"many", offsetof(struct config, many), CONF_ROWS(rows),
	 .named_size = sizeof(struct section), .help = ""},
};

static const struct conf_schema schema = {kinds, ARRAY_LEN(kinds)};

static void compare(const struct config *a, const struct config *b)
{
	const struct list *other = b->many.next;
	const struct section *section;

	assert(conf_section_equal(&kinds[0], &a->one.head, &b->one.head));
	list_for_each (section, &a->many, head.list) {
		assert(other != &b->many);
		assert(conf_section_equal(&kinds[1], &section->head,
					  list_entry(other, struct conf_head, list)));
		other = other->next;
	}
	assert(other == &b->many);
}

/* What was read can be written, read again, and means the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(buf_donep) struct buf dump = {0};
	struct config config, again;

	if (len > 4000) /* a line may grow when it is written, and must stay a line */
		return 0;
	if (conf_read_text(&schema, &config, "f", str_n((const char *)bytes, len), NULL) < 0)
		return 0;
	assert(conf_dump(&schema, &config, &dump) == 0);
	if (conf_read_text(&schema, &again, "f", buf_str(&dump), NULL) < 0)
		assert(!"the dump can be read");
	compare(&config, &again);
	conf_done(&schema, &config);
	conf_done(&schema, &again);
	return 0;
}
