#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ustime.h"
#include "conf/conf.h"

struct gateway_section {
	struct conf_head head;
	struct conf_address address;
	int64_t carriers;
	char *token;
};

struct service_section {
	struct conf_head head;
	char *to;
	struct conf_words name;
	int64_t host;
	int64_t idle_us;
	int64_t memory;
	bool log;
	char *folder;
	char *password_file;
	struct conf_address bind;
	struct conf_addresses listen;
};

struct config {
	struct gateway_section gateway;
	struct list services;
};

static const char *const host_words[] = {"preserve", "local", NULL};

static int check_url(struct str value, struct err *e)
{
	return str_starts(value, STR("http://")) ? 0 : err_set(e, ERR_INVALID, "not a URL");
}

static const struct conf_row gateway_rows[] = {
	{"address", CONF_ADDRESS, offsetof(struct gateway_section, address), CONF_REQUIRED,
	 .port = 443, .help = "The gateway."},
	{"carriers", CONF_INT, offsetof(struct gateway_section, carriers), .min = 1, .max = 4,
	 .preset = "2", .help = "TLS connections."},
	{"token", CONF_STRING, offsetof(struct gateway_section, token), CONF_SECRET,
	 .check = check_url, .help = ".hidden\n'never\\shown"},
};

#define AT(field) offsetof(struct service_section, field)

static const struct conf_row service_rows[] = {
	{"to", CONF_STRING, AT(to), CONF_REQUIRED, .check = check_url, .shape = "URL",
	 .help = "What to share."},
	{"name", CONF_WORDS, AT(name), CONF_REPEAT, .check = conf_check_hostname,
	 .shape = "NAME ...", .help = "Public names."},
	{"host", CONF_WORD, AT(host), .words = host_words, .preset = "preserve",
	 .help = "Host the service sees."},
	{"idle", CONF_DURATION, AT(idle_us), .min = USEC_PER_S, .max = 3600 * USEC_PER_S,
	 .help = "Close idle visitors."},
	{"memory", CONF_SIZE, AT(memory), .min = 1024, .preset = "64 KiB", .help = "Buffers."},
	{"log", CONF_BOOL, AT(log), .preset = "yes", .help = "Write a log."},
	{"folder", CONF_PATH, AT(folder), .help = "A folder."},
	{"password-file", CONF_SECRET_FILE, AT(password_file), .help = "Passwords."},
	{"bind", CONF_ADDRESS, AT(bind), .help = "From here."},
	{"listen", CONF_ADDRESSES, AT(listen), CONF_LISTEN, .preset = "*:80", .help = "Public."},
};

static const struct conf_kind kinds[] = {
	{"gateway", offsetof(struct config, gateway), CONF_ROWS(gateway_rows),
	 .flags = CONF_REQUIRED, .help = "The gateway of this agent."},
	{"service", offsetof(struct config, services), CONF_ROWS(service_rows),
	 .named_size = sizeof(struct service_section), .help = "One thing to share."},
};

static const struct conf_schema schema = {kinds, ARRAY_LEN(kinds)};

#define GATEWAY "[gateway]\naddress = gw.example.org\n"
#define SERVICE GATEWAY "[service blog]\nto = http://127.0.0.1:8000\n" /* lines 1 to 4 */

static int read_text(struct config *config, const char *text, struct err *e)
{
	memset(config, 0x5a, sizeof(*config)); /* nothing of before counts */
	return conf_read_text(&schema, config, "/etc/h/h.conf", str_of(text), e);
}

static struct service_section *first_service(struct config *config)
{
	assert_false(list_empty(&config->services));
	return list_entry(config->services.next, struct service_section, head.list);
}

static void reads_everything(void **state)
{
	static const char text[] = "[service b-1]\n"
				   "to = http://127.0.0.1:8000/#x\n"
				   "name = a.example.org  b.example.org\n"
				   "name = c.example.org\n"
				   "host = local\n"
				   "idle = 90 s\n"
				   "memory = 2MiB\n"
				   "log = OFF\n"
				   "folder = sites/a b\n"
				   "password-file = /etc/pw\n"
				   "bind = [2001:DB8::1]:7\n"
				   "listen = 443 :80 192.0.2.1:0 [::1]:8080 LOCALHOST:1 [::]:0\n"
				   "[gateway]\n"
				   "carriers = 4\n"
				   "address = GW.example.org:8443\n"
				   "[service two]\n"
				   "to = http://x\n";
	struct service_section *one, *two;
	struct config c;
	struct err e = {0};

	(void)state;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_true(c.gateway.address.set);
	assert_string_equal(c.gateway.address.host, "gw.example.org");
	assert_int_equal(c.gateway.address.port, 8443);
	assert_int_equal(c.gateway.carriers, 4);
	assert_null(c.gateway.token);
	assert_int_equal(c.gateway.head.line, 13);

	one = first_service(&c);
	assert_string_equal(one->head.name, "b-1");
	assert_string_equal(one->to, "http://127.0.0.1:8000/#x");
	assert_int_equal(one->name.n, 3);
	assert_string_equal(one->name.at[2], "c.example.org");
	assert_int_equal(one->host, 1);
	assert_int_equal(one->idle_us, 90 * USEC_PER_S);
	assert_int_equal(one->memory, 2 << 20);
	assert_false(one->log);
	assert_string_equal(one->folder, "/etc/h/sites/a b");
	assert_string_equal(one->password_file, "/etc/pw");
	assert_string_equal(one->bind.host, "2001:db8::1");
	assert_int_equal(one->bind.port, 7);
	assert_int_equal(one->listen.n, 6);
	assert_string_equal(one->listen.at[0].host, "");
	assert_int_equal(one->listen.at[0].port, 443);
	assert_string_equal(one->listen.at[1].host, "");
	assert_string_equal(one->listen.at[2].host, "192.0.2.1");
	assert_int_equal(one->listen.at[2].port, 0);
	assert_string_equal(one->listen.at[3].host, "::1");
	assert_int_equal(one->listen.at[3].port, 8080);
	assert_string_equal(one->listen.at[4].host, "localhost");
	assert_string_equal(one->listen.at[5].host, "::");
	assert_int_equal(conf_line(&kinds[1], &one->head, "name"), 4);
	assert_int_equal(conf_line(&kinds[1], &one->head, "bind"), 11);

	two = list_entry(one->head.list.next, struct service_section, head.list);
	assert_string_equal(two->head.name, "two");
	assert_int_equal(two->head.line, 16);
	assert_int_equal(two->host, 0);
	assert_int_equal(two->idle_us, CONF_UNSET);
	assert_int_equal(two->memory, 65536);
	assert_true(two->log);
	assert_null(two->folder);
	assert_false(two->bind.set);
	assert_int_equal(two->name.n, 0);
	assert_int_equal(two->listen.n, 1);
	assert_int_equal(two->listen.at[0].port, 80);
	assert_int_equal(conf_line(&kinds[1], &two->head, "host"), 0);
	assert_ptr_equal(two->head.list.next, &c.services);
	conf_done(&schema, &c);
	conf_done(&schema, &c);
}

/* SERVICE and one more line, the fifth: what is said behind "/etc/h/h.conf:5: ". */
static void refuses_values(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"log = maybe", "log = maybe: must be yes or no"},
		{"log =", "log needs a value"},
		{"host = lokal",
		 "host = lokal: must be one of preserve, local; did you mean \"local\"?"},
		{"host = 7", "host = 7: must be one of preserve, local"},
		{"idle = 5",
		 "idle = 5: must be a time from 1s to 1h, such as 250ms, 30s, 5m or 2h"},
		{"idle = 2h",
		 "idle = 2h: must be a time from 1s to 1h, such as 250ms, 30s, 5m or 2h"},
		{"idle = 999ms",
		 "idle = 999ms: must be a time from 1s to 1h, such as 250ms, 30s, 5m or 2h"},
		{"idle = 99999999999999999999d",
		 "idle = 99999999999999999999d: must be a time from 1s to 1h, such as 250ms, 30s, "
		 "5m or 2h"},
		{"idle = -5s",
		 "idle = -5s: must be a time from 1s to 1h, such as 250ms, 30s, 5m or 2h"},
		{"memory = 1 KB",
		 "memory = 1 KB: must be a size of at least 1 KiB, such as 64 KiB"},
		{"memory = 1023",
		 "memory = 1023: must be a size of at least 1 KiB, such as 64 KiB"},
		{"memory = 8589934592 GiB",
		 "memory = 8589934592 GiB: must be a size of at least 1 KiB, such as 64 KiB"},
		{"memory = MiB", "memory = MiB: must be a size of at least 1 KiB, such as 64 KiB"},
		{"name = a.example.org b_@", "name = a.example.org b_@: not a host name"},
		{"name = a, b", "name = a, b: not a host name"},
		{"folder = ~/site",
		 "folder = ~/site: \"~\" is not expanded here, write the whole path"},
		{"bind = host", "bind = host: must be HOST:PORT, such as host.example.org:443 or "
				"[2001:db8::1]:443"},
		{"bind = host:0",
		 "bind = host:0: must be HOST:PORT, such as host.example.org:443 or "
		 "[2001:db8::1]:443"},
		{"bind = 2001:db8::1",
		 "bind = 2001:db8::1: must be HOST:PORT, such as host.example.org:443 or "
		 "[2001:db8::1]:443"},
		{"listen = 65536",
		 "listen = 65536: must be a port, or ADDRESS:PORT such as 192.0.2.1:443 or "
		 "[2001:db8::1]:443"},
		{"listen = a",
		 "listen = a: must be a port, or ADDRESS:PORT such as 192.0.2.1:443 or "
		 "[2001:db8::1]:443"},
		{"to = http://other", "to given twice in [service]; the first is at line 4"},
		{"adress = x", "unknown key \"adress\" in [service]"},
		{"passwordfile = x",
		 "unknown key \"passwordfile\" in [service]; did you mean \"password-file\"?"},
		{"To = x", "unknown key \"To\" in [service]; did you mean \"to\"?"},
		{"[service blog]", "[service blog] given twice; the first is at line 3"},
		{"[gateway]", "[gateway] given twice; the first is at line 1"},
		{"[gateway x]", "[gateway] takes no name"},
		{"[service]", "[service] needs a name, as in [service blog]"},
		{"[service a b]", "the name of a [service] has letters, digits, \"-\", \"_\" and "
				  "\".\", at most 63"},
		{"[servcie x]", "unknown section [servcie]; did you mean \"service\"?"},
		{"[x]", "unknown section [x]"},
		{"[x", "\"[\" without \"]\""},
		{"word", "expected \"key = value\" or \"[section]\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512], want[512];
		struct config c;
		struct err e = {0};
		int r;

		snprintf(text, sizeof(text), SERVICE "%s\n", cases[i].line);
		snprintf(want, sizeof(want), "/etc/h/h.conf:5: %s", cases[i].error);
		r = read_text(&c, text, &e);
		assert_string_equal(e.text, want);
		assert_int_equal(r, -ERR_INVALID);
		conf_done(&schema, &c); /* harmless */
	}
}

static void refuses_texts(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "/etc/h/h.conf: section [gateway] is missing"},
		{"a = b", "/etc/h/h.conf:1: \"a\" stands before the first [section]"},
		{"\n[gateway]\n", "/etc/h/h.conf:2: [gateway] needs \"address\""},
		{GATEWAY "\n[service x]\n", "/etc/h/h.conf:4: [service x] needs \"to\""},
		{"[gateway]\nadress = x\n", "/etc/h/h.conf:2: unknown key \"adress\" in [gateway]; "
					    "did you mean \"address\"?"},
		{"[gateway]\naddress = a b\n",
		 "/etc/h/h.conf:2: address = a b: must be HOST or HOST:PORT, such as "
		 "host.example.org:443 or [2001:db8::1]:443"},
		{"[gateway]\ncarriers = 5\n",
		 "/etc/h/h.conf:2: carriers = 5: must be a number from 1 to 4"},
		{"[gateway]\ntoken = s3cret\n", "/etc/h/h.conf:2: token: not a URL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config c;
		struct err e = {0};
		int r = read_text(&c, cases[i].text, &e);

		assert_string_equal(e.text, cases[i].error);
		assert_int_equal(r, -ERR_INVALID);
	}
}

static void has_limits(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct config c;
	struct err e;

	(void)state;
	assert_int_equal(buf_printf(&text, SERVICE), 0);
	for (int i = 0; i <= CONF_WORDS_MAX; i++)
		assert_int_equal(buf_printf(&text, "name = n%d\n", i), 0);
	assert_int_equal(conf_read_text(&schema, &c, "f", buf_str(&text), &e), -ERR_LIMIT);
	assert_string_equal(e.text, "f:261: name = n256: more than 256 words");

	buf_consume(&text, buf_len(&text));
	assert_int_equal(buf_printf(&text, GATEWAY), 0);
	for (int i = 0; i <= CONF_SECTIONS_MAX; i++)
		assert_int_equal(buf_printf(&text, "[service s%d]\nto = http://x\n", i), 0);
	assert_int_equal(conf_read_text(&schema, &c, "f", buf_str(&text), &e), -ERR_LIMIT);
	assert_string_equal(e.text, "f:2051: more than 1024 sections [service]");
}

static void starts_with_defaults(void **state)
{
	struct config c;
	struct err e;

	(void)state;
	assert_int_equal(conf_init(&schema, &c, &e), 0);
	assert_int_equal(c.gateway.carriers, 2);
	assert_false(c.gateway.address.set);
	assert_true(list_empty(&c.services));
	conf_done(&schema, &c);
}

static void dumps_what_can_be_read(void **state)
{
	static const char text[] = "[gateway]\n"
				   "address=[2001:db8::1]\n"
				   "token = http://s3cret\n"
				   "[service blog]\n"
				   "to = http://x\n"
				   "idle = 90000ms\n"
				   "name = a b\n"
				   "name = c\n"
				   "memory = 1536\n"
				   "listen = :0 [::]:81\n";
	static const char want[] = "[gateway]\n"
				   "address = [2001:db8::1]:443\n"
				   "# default: carriers = 2\n"
				   "token = (hidden)\n"
				   "\n"
				   "[service blog]\n"
				   "to = http://x\n"
				   "name = a\n"
				   "name = b\n"
				   "name = c\n"
				   "# default: host = preserve\n"
				   "idle = 90s\n"
				   "memory = 1536\n"
				   "# default: log = yes\n"
				   "# unset: folder\n"
				   "# unset: password-file\n"
				   "# unset: bind\n"
				   "listen = *:0 [::]:81\n";
	AUTO(buf_donep) struct buf dump = {0}, empty = {0};
	struct service_section *a, *b;
	struct config c, again;
	struct err e;

	(void)state;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(conf_dump(&schema, &c, &dump), 0);
	assert_int_equal(buf_append(&dump, "", 1), 0);
	assert_string_equal((const char *)buf_head(&dump), want);

	/* It reads again and means the same, but for the secret. */
	*strstr((char *)buf_head(&dump), "token") = '#';
	assert_int_equal(read_text(&again, (const char *)buf_head(&dump), &e), 0);
	a = first_service(&c);
	b = first_service(&again);
	assert_true(conf_section_equal(&kinds[1], &a->head, &b->head));
	assert_false(conf_section_equal(&kinds[0], &c.gateway.head, &again.gateway.head));
	b->listen.at[1].port = 82;
	assert_false(conf_section_equal(&kinds[1], &a->head, &b->head));
	b->listen.at[1].port = 81;
	b->name.at[2][0] = 'x';
	assert_false(conf_section_equal(&kinds[1], &a->head, &b->head));
	b->name.at[2][0] = 'c';
	b->head.name[0] = 'x';
	assert_false(conf_section_equal(&kinds[1], &a->head, &b->head));
	conf_done(&schema, &c);
	conf_done(&schema, &again);

	/* A section that is not in the file is a comment, too. */
	assert_int_equal(conf_init(&schema, &c, &e), 0);
	assert_int_equal(conf_dump(&schema, &c, &empty), 0);
	assert_int_equal(buf_append(&empty, "", 1), 0);
	assert_string_equal((const char *)buf_head(&empty), "# default: [gateway]\n"
							    "# unset: address\n"
							    "# default: carriers = 2\n"
							    "# unset: token\n");
	conf_done(&schema, &c);
}

static void writes_a_man_page(void **state)
{
	static const char begins[] = ".SS \"[gateway]\"\n"
				     "The gateway of this agent.\n"
				     ".TP\n"
				     "\\fBaddress\\fR = \\fIHOST:PORT\\fR\n"
				     "The gateway.\n"
				     "The port is 443 unless given.\n"
				     "Required.\n"
				     ".TP\n"
				     "\\fBcarriers\\fR = \\fINUMBER\\fR\n"
				     "TLS connections.\n"
				     "From 1 to 4.\n"
				     "Default: 2.\n"
				     ".TP\n"
				     "\\fBtoken\\fR = \\fITEXT\\fR\n"
				     "\\&.hidden\n"
				     "\\&'never\\eshown\n"
				     ".SS \"[service NAME]\"\n";
	static const char *const has[] = {
		"\\fBname\\fR = \\fINAME ...\\fR\nPublic names.\nMay be repeated.\n",
		"\\fBhost\\fR = \\fIpreserve|local\\fR\n",
		"From 1s to 1h.\n",
		"\\fBpassword\\-file\\fR = \\fIFILE\\fR\n",
		"\\fBlisten\\fR = \\fI[ADDRESS:]PORT ...\\fR\nPublic.\nDefault: *:80.\n",
	};
	AUTO(buf_donep) struct buf man = {0};

	(void)state;
	assert_int_equal(conf_write_man(&schema, &man), 0);
	assert_int_equal(buf_append(&man, "", 1), 0);
	assert_memory_equal(buf_head(&man), begins, sizeof(begins) - 1);
	for (size_t i = 0; i < ARRAY_LEN(has); i++)
		assert_non_null(strstr((const char *)buf_head(&man), has[i]));
}

/* ── files ── */

static void put_file(const char *path, const char *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static void reads_files(void **state)
{
	static const char text[] = SERVICE "folder = site\n";
	char dir[] = "/tmp/homeport-conf-XXXXXX", path[64], want[128];
	AUTO(freep) char *large = calloc(1, CONF_FILE_MAX + 1);
	struct config c;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	assert_int_equal(conf_read_file(&schema, &c, path, &e), -ERR_NOT_FOUND);
	snprintf(want, sizeof(want), "%s: No such file or directory", path);
	assert_string_equal(e.text, want);
	conf_done(&schema, &c);

	put_file(path, text, sizeof(text) - 1);
	assert_int_equal(conf_read_file(&schema, &c, path, &e), 0);
	snprintf(want, sizeof(want), "%s/site", dir);
	assert_string_equal(first_service(&c)->folder, want);
	conf_done(&schema, &c);
	if (geteuid() != 0) {
		assert_int_equal(chmod(path, 0), 0);
		assert_int_equal(conf_read_file(&schema, &c, path, &e), -ERR_DENIED);
	}

	assert_int_equal(unlink(path), 0);
	memset(large, '\n', CONF_FILE_MAX + 1);
	put_file(path, large, CONF_FILE_MAX);
	assert_int_equal(conf_read_file(&schema, &c, path, &e), -ERR_INVALID); /* no [gateway] */
	put_file(path, large, CONF_FILE_MAX + 1);
	assert_int_equal(conf_read_file(&schema, &c, path, &e), -ERR_LIMIT);
	snprintf(want, sizeof(want), "%s: larger than 1048576 bytes", path);
	assert_string_equal(e.text, want);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(conf_read_file(&schema, &c, dir, &e), -ERR_FAILED);
	snprintf(want, sizeof(want), "%s: Is a directory", dir);
	assert_string_equal(e.text, want);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_everything),	cmocka_unit_test(refuses_values),
		cmocka_unit_test(refuses_texts),	cmocka_unit_test(has_limits),
		cmocka_unit_test(starts_with_defaults), cmocka_unit_test(dumps_what_can_be_read),
		cmocka_unit_test(writes_a_man_page),	cmocka_unit_test(reads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
