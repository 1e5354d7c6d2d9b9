/* The keeper over real HTTPS: a provider on the loopback interface with a certificate of the test's. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/keeper.h"
#include "dns/ledger.h"
#include "state/folder.h"

#include "asker.h"

/* One answer a connection, in the order of its arguments; what it was asked goes to a file. */
static const char provider[] =
	"import os, socket, ssl, sys\n"
	"folder, answers = sys.argv[1], sys.argv[2:]\n"
	"context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
	"context.load_cert_chain(folder + '/cert', folder + '/key')\n"
	"listener = socket.create_server(('127.0.0.1', 0))\n"
	"open(folder + '/port.new', 'w').write(str(listener.getsockname()[1]))\n"
	"os.rename(folder + '/port.new', folder + '/port')\n"
	"for answer in answers:\n"
	"    try:\n"
	"        connection = context.wrap_socket(listener.accept()[0], server_side=True)\n"
	"        request = b''\n"
	"        while b'\\r\\n\\r\\n' not in request:\n"
	"            request += connection.recv(4096)\n"
	"        open(folder + '/request', 'wb').write(request)\n"
	"        head = b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n'\n"
	"        if answer == 'CUT':\n"
	"            connection.sendall(head % 100 + b'good 8.8')\n"
	"        elif answer == 'HUGE':\n"
	"            connection.sendall(head % (1 << 20) + b'good 8.8.4.4\\n' * 80660 + b'x' * 8)\n"
	"        else:\n"
	"            connection.sendall(head % len(answer) + answer.encode())\n"
	"        connection.close()\n"
	"    except OSError:\n"
	"        pass\n";

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct timer patience;
	char folder[64], ca[80];
	struct ipaddr peer;
	pid_t server;
	struct dns_event event;
	char text[DNS_REPLY_TEXT_MAX];
};

static void run_program(const char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void on_patience(void *arg)
{
	loop_stop(((struct world *)arg)->loop);
}

static void sleep_ms(struct world *w, unsigned ms)
{
	timer_start(&w->patience, ms * USEC_PER_MS);
	loop_run(w->loop);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char key[80];

	assert_int_equal(loop_new(&w->loop, NULL), 0);
	assert_int_equal(httpc_new(w->loop, &w->httpc, NULL), 0);
	timer_init(&w->patience, w->loop, on_patience, w);
	strcpy(w->folder, "/tmp/homeport-https-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->ca, sizeof(w->ca), "%s/cert", w->folder);
	snprintf(key, sizeof(key), "%s/key", w->folder);
	run_program((const char *const[]){
		"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-days", "2", "-subj", "/CN=members.dyndns.org", "-addext",
		"subjectAltName=DNS:members.dyndns.org", "-keyout", key, "-out", w->ca, NULL});
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	httpc_free(w->httpc);
	loop_free(w->loop);
	run_program((const char *const[]){"rm", "-rf", w->folder, NULL});
	free(w);
	return 0;
}

static void start_server(struct world *w, const char *answer)
{
	char path[96], port[16] = "";
	FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/port", w->folder);
	unlink(path);
	w->server = fork();
	if (w->server == 0) {
		execl("/usr/bin/python3", "python3", "-c", provider, w->folder, answer,
		      (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 300 && !f; i++) {
		sleep_ms(w, 50);
		f = fopen(path, "r");
	}
	assert_non_null(f);
	assert_non_null(fgets(port, sizeof(port), f));
	fclose(f);
	w->peer =
		(struct ipaddr){.family = 4, .bytes = {127, 0, 0, 1}, .port = (uint16_t)atoi(port)};
}

static void stop_server(struct world *w)
{
	kill(w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
}

static const struct ipaddr *peer(void *arg, const char *url)
{
	return &((struct world *)arg)->peer;
}

static void on_event(void *arg, const struct dns_event *event)
{
	struct world *w = arg;

	w->event = *event;
	snprintf(w->text, sizeof(w->text), "%s", event->text);
	loop_stop(w->loop);
}

/* Until the keeper tells of something. */
static void keep(struct world *w, const char *row)
{
	struct dns_keeper_name name = {.no6 = true,
				       .fixed4 = {.family = 4, .bytes = {8, 8, 4, 4}},
				       .entry = {.provider = dns_provider_find(str_of(row)),
						 .host = "home.example.org",
						 .user = "me@example.org",
						 .pass = "s3 cret/+"}};
	struct dns_keeper_settings settings = {.names = &name,
					       .n_names = 1,
					       .asker = asker_of_nothing(w->loop),
					       .ca_file = w->ca,
					       .peer = peer,
					       .on_event = on_event,
					       .arg = w};
	struct dns_keeper *keeper;

	w->event = (struct dns_event){.kind = DNS_EVENT_STATE};
	assert_int_equal(dns_keeper_new(w->loop, w->httpc, &settings, &keeper, NULL), 0);
	timer_start(&w->patience, 20 * USEC_PER_S);
	loop_run(w->loop);
	dns_keeper_free(keeper);
}

static void check_request(const struct world *w)
{
	static const char *const lines[] = {
		"GET /v3/update?hostname=home.example.org&myip=8.8.4.4 HTTP/1.1\r\n",
		"\r\nHost: members.dyndns.org\r\n",
		"\r\nUser-Agent: homeport homeport/Linux-",
		"\r\nAuthorization: Basic bWVAZXhhbXBsZS5vcmc6czMgY3JldC8r\r\n",
	};
	char path[96], request[4096] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/request", w->folder);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(request, 1, sizeof(request) - 1, f) > 0);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(request, lines[i]))
			fail_msg("\"%s\" is not in\n%s", lines[i], request);
	assert_ptr_equal(strstr(request, "GET"), request);
}

static void test_answers_as_they_come(void **state)
{
	static const struct {
		const char *answer;
		enum dns_event_kind kind;
		enum dns_verdict verdict;
	} cases[] = {
		{"good 8.8.4.4\r\n", DNS_EVENT_CHANGED, DNS_GOOD},
		{"nochg 8.8.4.4", DNS_EVENT_CHANGED, DNS_NOCHG},
		{"badauth", DNS_EVENT_PARKED, DNS_BADAUTH},
		{"CUT", DNS_EVENT_TROUBLE, DNS_LOST}, /* it may be done: not sent again unasked */
		{"HUGE", DNS_EVENT_TROUBLE, DNS_LOST},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start_server(w, cases[i].answer);
		keep(w, "dyn");
		stop_server(w);
		if (w->event.kind != cases[i].kind || w->event.verdict != cases[i].verdict)
			fail_msg("%s: %s \"%s\"", cases[i].answer,
				 dns_verdict_word(w->event.verdict), w->text);
		check_request(w);
	}
}

static void test_a_certificate_of_somebody_else(void **state)
{
	struct world *w = *state;

	start_server(w, "good 8.8.4.4");
	keep(w, "noip"); /* dynupdate.no-ip.com is not what the certificate is for */
	stop_server(w);
	assert_int_equal(w->event.kind, DNS_EVENT_TROUBLE);
	assert_int_equal(w->event.verdict, DNS_NETWORK); /* nothing was sent to it */
	assert_null(strstr(w->text, "cret"));
}

static void test_nobody_there(void **state)
{
	struct world *w = *state;

	start_server(w, "good 8.8.4.4");
	stop_server(w);
	keep(w, "dyn");
	assert_int_equal(w->event.kind, DNS_EVENT_TROUBLE);
	assert_int_equal(w->event.verdict, DNS_NETWORK);
}

/* ── a keeper that ends while the ledger is being written ── */

static int64_t later_s;

static int64_t wall_s(void *arg)
{
	return later_s;
}

/* When the name's last request was, as a new keeper would read it. */
static int64_t last_request_s(const struct world *w)
{
	static const struct dns_rules rules = {.interval_s = 1, .burst = 1};
	AUTO(buf_donep) struct buf text = {0};
	struct dns_machine m = {.rules = &rules};
	struct dns_ledger ledger;
	struct err e = {0};

	dns_ledger_init(&ledger);
	if (state_read(w->folder, DNS_LEDGER_FILE, &text, &e) < 0 ||
	    dns_ledger_decode(&ledger, buf_str(&text), &e) < 0)
		fail_msg("%s", e.text);
	dns_ledger_get(&ledger, "dyn home.example.org A", &m);
	dns_ledger_done(&ledger);
	return m.attempted_s;
}

static bool has_begun(struct dns_keeper *keeper)
{
	json_t *status = dns_keeper_status(keeper);
	const char *word = json_string_value(json_object_get(json_array_get(status, 0), "state"));
	bool begun = strcmp(word, "sent") == 0 || strcmp(word, "trouble") == 0;

	json_decref(status);
	return begun;
}

/* So much that it takes a while. */
static void fill_ledger(const struct world *w)
{
	static const struct dns_rules rules = {.interval_s = 1, .burst = 1};
	AUTO(buf_donep) struct buf text = {0};
	struct dns_ledger ledger;
	struct dns_machine m;
	char key[32];

	dns_ledger_init(&ledger);
	dns_machine_init(&m, &rules, (const uint8_t[DNS_CONFIG_LEN]){1});
	for (int i = 0; i < DNS_LEDGER_NAMES_MAX - 2; i++) {
		snprintf(key, sizeof(key), "dyn n%d.example.org A", i);
		assert_int_equal(dns_ledger_put(&ledger, key, &m), 0);
	}
	assert_int_equal(dns_ledger_encode(&ledger, 0, &text), 0);
	assert_int_equal(state_write(w->folder, DNS_LEDGER_FILE, buf_str(&text), NULL), 0);
	dns_ledger_done(&ledger);
}

/* As a reload does it, at any moment: what was sent is on disk when the next one reads it. */
static void test_another_keeper_at_any_moment(void **state)
{
	struct dns_keeper_name name = {.no6 = true,
				       .fixed4 = {.family = 4, .bytes = {8, 8, 4, 4}},
				       .entry = {.provider = dns_provider_find(STR("dyn")),
						 .host = "home.example.org",
						 .user = "me",
						 .pass = "secret"}};
	struct world *w = *state;
	struct dns_keeper_settings settings = {.folder = w->folder,
					       .names = &name,
					       .n_names = 1,
					       .asker = asker_of_nothing(w->loop),
					       .peer = peer,
					       .wall_s = wall_s,
					       .arg = w};
	int64_t before = 0;
	unsigned begun = 0;

	start_server(w, "good 8.8.4.4");
	stop_server(w); /* nobody is there */
	fill_ledger(w);
	for (unsigned i = 0; i < 40; i++) {
		struct dns_keeper *keeper;
		bool has;

		later_s = 1800000000 + i * 86400;
		assert_int_equal(dns_keeper_new(w->loop, w->httpc, &settings, &keeper, NULL), 0);
		timer_start(&w->patience, i % 8 * 500);
		loop_run(w->loop);
		has = has_begun(keeper);
		dns_keeper_free(keeper);
		assert_int_equal(last_request_s(w), has ? later_s : before);
		before = last_request_s(w);
		begun += has;
	}
	assert_in_range(begun, 5, 40);
	sleep_ms(w, 50);
	assert_int_equal(last_request_s(w), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_as_they_come),
		cmocka_unit_test(test_a_certificate_of_somebody_else),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_another_keeper_at_any_moment),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
