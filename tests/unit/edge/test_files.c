#include "test.h"

#include "edge/service.h"
#include "tree.h"
#include "unit/http/peer.h"

#define S(n) ((n)*USEC_PER_S)

/* A service over a temporary folder, and one visitor. */
struct world {
	struct loop *loop;
	struct tree tree;
	struct edge_service *service;
	struct edge_opening *opening;
	struct peer peer;
	unsigned requests, status;
	uint64_t bytes_out;
	char line[256]; /* method, target, host of the last request */
	char note[256];
};

static void on_request(void *arg, const struct edge_request *r)
{
	struct world *w = arg;

	w->requests++;
	w->status = r->status;
	w->bytes_out = r->bytes_out;
	assert_string_equal(r->service, "site");
	assert_int_equal(r->visitor.family, 4);
	snprintf(w->line, sizeof(w->line), "%.*s %.*s %.*s", STR_ARG(r->method), STR_ARG(r->target),
		 STR_ARG(r->host));
	snprintf(w->note, sizeof(w->note), "%s", r->note ? r->note : "");
}

static const struct edge_events events = {.on_request = on_request};

static void run(struct world *w)
{
	loop_sim_advance(w->loop, 0);
}

static void on_open(void *arg, int r, struct stream *s, const struct err *e)
{
	struct world *w = arg;

	assert_int_equal(r, 0);
	w->opening = NULL;
	peer_init(&w->peer, w->loop, s);
}

static void visit(struct world *w)
{
	struct edge_visitor visitor = {.proto = "https"};

	peer_done(&w->peer);
	assert_int_equal(ipaddr_parse(STR("192.0.2.7"), &visitor.addr), 0);
	assert_int_equal(edge_open(w->service, &visitor, on_open, w, &w->opening, NULL), 0);
	run(w);
	assert_non_null(w->peer.s);
}

static void world_init(struct world *w)
{
	struct edge_spec spec = {.kind = EDGE_FILES, .id = "site"};

	memset(w, 0, sizeof(*w));
	tree_init(&w->tree);
	spec.path = w->tree.site;
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(edge_service_new(w->loop, &spec, &events, w, &w->service, NULL), 0);
	visit(w);
}

static void world_done(struct world *w)
{
	edge_open_cancel(w->opening);
	peer_done(&w->peer);
	run(w);
	edge_service_free(w->service);
	run(w);
	loop_free(w->loop);
	tree_done(&w->tree);
}

/* The answer to one request. */
static const char *ask(struct world *w, const char *method, const char *target, const char *fields)
{
	char text[8192];

	peer_forget(&w->peer);
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a.example\r\n%s\r\n", method, target,
		 fields);
	peer_send(&w->peer, text);
	loop_sim_advance(w->loop, S(1));
	return peer_got(&w->peer);
}

static unsigned status_of(const char *answer)
{
	return (unsigned)atoi(answer + 9);
}

static const char *body_of(const char *answer)
{
	return strstr(answer, "\r\n\r\n") + 4;
}

static bool has(const char *answer, const char *text)
{
	return strstr(answer, text) != NULL;
}

/* The value of a field of the answer. */
static const char *field(const char *answer, const char *name)
{
	static char value[256];
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = strstr(answer, key);
	assert_non_null(at);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + strlen(key), "\r"),
		 at + strlen(key));
	return value;
}

static void serves_files(void **state)
{
	struct world w;
	const char *a;

	world_init(&w);
	a = ask(&w, "GET", "/hello.txt", "");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(body_of(a), "Hello, world\n");
	assert_string_equal(field(a, "Content-Type"), "text/plain; charset=utf-8");
	assert_string_equal(field(a, "Content-Length"), "13");
	assert_string_equal(field(a, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(field(a, "Accept-Ranges"), "bytes");
	assert_true(has(a, "\r\nETag: \"") && has(a, "\r\nLast-Modified: "));
	assert_string_equal(w.line, "GET /hello.txt a.example");
	assert_int_equal(w.bytes_out, 13);
	assert_string_equal(w.note, "");

	a = ask(&w, "HEAD", "/hello.txt", "");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(field(a, "Content-Length"), "13");
	assert_string_equal(body_of(a), "");

	a = ask(&w, "GET", "/indexed/", "");
	assert_string_equal(field(a, "Content-Type"), "text/html; charset=utf-8");
	assert_string_equal(body_of(a), "<p>index</p>");
	assert_string_equal(body_of(ask(&w, "GET", "//folder//inner.html?x=/../y", "")),
			    "<p>inner</p>");
	assert_string_equal(body_of(ask(&w, "GET", "/in", "")), "Hello, world\n");
	assert_string_equal(body_of(ask(&w, "GET", "/in-folder/inner.html", "")), "<p>inner</p>");
	tree_text(&w.tree, "schöne Grüße & 100%.txt", "ö");
	assert_string_equal(
		body_of(ask(&w, "GET", "/sch%C3%B6ne%20Gr%C3%BC%C3%9Fe%20&%20100%25.txt", "")),
		"ö");
	tree_text(&w.tree, "empty", "");
	a = ask(&w, "GET", "/empty", "");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(body_of(a), "");
	assert_int_equal(w.requests, 8);
	world_done(&w);
}

static void only_reads(void **state)
{
	struct world w;
	const char *a;

	world_init(&w);
	a = ask(&w, "POST", "/hello.txt", "Content-Length: 0\r\n");
	assert_int_equal(status_of(a), 405);
	assert_string_equal(field(a, "Allow"), "GET, HEAD, OPTIONS");
	assert_int_equal(status_of(ask(&w, "DELETE", "/hello.txt", "")), 405);
	assert_int_equal(status_of(ask(&w, "get", "/hello.txt", "")), 405);
	a = ask(&w, "OPTIONS", "*", "");
	assert_int_equal(status_of(a), 204);
	assert_string_equal(field(a, "Allow"), "GET, HEAD, OPTIONS");
	assert_int_equal(status_of(ask(&w, "OPTIONS", "/hello.txt", "")), 204);
	world_done(&w);
}

static void nothing_leads_out(void **state)
{
	static const char *const bad[] = {
		"/..",
		"/../private/secret.txt",
		"/%2e%2e/private/secret.txt",
		"/..%2fprivate/secret.txt",
		"/folder/..%2f..%2fprivate/secret.txt",
		"/folder/../../private/secret.txt",
		"/..\\private\\secret.txt",
		"/..%5cprivate%5csecret.txt",
		"//private/secret.txt",
		"/out",
		"/out-folder/",
		"/out-folder/secret.txt",
		"/absolute",
		"/loop",
		"/proc",
		"/dangling",
		"/.hidden",
		"/%2ehidden",
		"/.git/config",
		"/.git/",
		"/in-hidden",
		"/in-git/",
		"/in-git/config",
		"/folder/in-config",
		"/not-known.txt",
		"/folder/.../x",
		"/fifo",
		"/hello.txt/",
		"/hello.txt/x",
		"/nothing",
		"/nothing/",
	};
	struct world w;

	world_init(&w);
	for (int walk = 0; walk < 2; walk++) {
		edge_files_set_walk(w.service->files, walk);
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			const char *a = ask(&w, "GET", bad[i], "");

			if (status_of(a) != 404 || has(a, "secret") || has(a, "root:"))
				fail_msg("%s: %s", bad[i], a);
		}
		assert_int_equal(status_of(ask(&w, "GET", "/%00", "")), 400);
		assert_int_equal(status_of(ask(&w, "GET", "/%zz", "")), 400);
		assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", "")), 200);
	}
	assert_int_equal(status_of(ask(&w, "GET", "/in", "")), 404); /* walking follows none */
	world_done(&w);
}

static void redirects_to_the_slash(void **state)
{
	struct world w;
	const char *a;

	world_init(&w);
	a = ask(&w, "GET", "/folder", "");
	assert_int_equal(status_of(a), 301);
	assert_string_equal(field(a, "Location"), "./folder/");
	assert_string_equal(field(ask(&w, "GET", "/folder?a=b&c", ""), "Location"),
			    "./folder/?a=b&c");
	tree_folder(&w.tree, "folder/a: b");
	assert_string_equal(field(ask(&w, "GET", "/folder/a:%20b", ""), "Location"), "./a%3A%20b/");
	assert_string_equal(field(ask(&w, "GET", "//folder", ""), "Location"), "./folder/");
	world_done(&w);
}

static void lists_folders(void **state)
{
	struct world w;
	const char *a, *at;

	world_init(&w);
	tree_text(&w.tree, "folder/<b>&\"'.txt", "x");
	tree_text(&w.tree, "folder/javascript:alert(1)", "x");
	tree_text(&w.tree, "folder/.secret", "x");
	tree_text(&w.tree, "folder/Zoo", "x");
	tree_text(&w.tree, "folder/apple", "x");
	tree_folder(&w.tree, "folder/zz");
	tree_link(&w.tree, "folder/away", "../../private");
	assert_int_equal(mkfifo(tree_path(&w.tree, "folder/pipe"), 0644), 0);
	a = ask(&w, "GET", "/folder/", "");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(field(a, "Content-Type"), "text/html; charset=utf-8");
	assert_true(has(a, "<h1>/folder/</h1>"));
	assert_true(has(a, "<a href=\"../\">"));
	assert_true(has(a, "<a href=\"%3Cb%3E%26%22%27.txt\">&lt;b&gt;&amp;&quot;&#39;.txt</a>"));
	assert_true(has(a, "<a href=\"javascript%3Aalert%281%29\">"));
	assert_false(has(a, "secret") || has(a, "away") || has(a, "pipe"));
	/* folders first; case does not matter */
	at = strstr(a, "href=\"zz/\"");
	assert_non_null(at);
	at = strstr(at, "href=\"apple\"");
	assert_non_null(at);
	assert_non_null(strstr(at, "href=\"Zoo\""));
	assert_true(has(a, "href=\"up/\"")); /* a link that stays inside */

	a = ask(&w, "HEAD", "/folder/", "");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(body_of(a), "");
	a = ask(&w, "GET", "/", "");
	assert_true(has(a, "<h1>/</h1>"));
	assert_false(has(a, "href=\"../\"") || has(a, ".git") || has(a, "out-folder") ||
		     has(a, "absolute") || has(a, "fifo") || has(a, "in-git") ||
		     has(a, "in-hidden"));
	assert_true(has(a, "href=\"in\"") && has(a, "href=\"in-folder/\""));
	edge_files_set_walk(w.service->files, true);
	assert_false(has(ask(&w, "GET", "/", ""), "href=\"in\""));
	world_done(&w);
}

static void lists_large_folders_in_part(void **state)
{
	struct world w;
	const char *a;
	char name[300];

	world_init(&w);
	tree_folder(&w.tree, "large");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "large/%04d-%0200d", i, i);
		tree_text(&w.tree, name, "");
	}
	a = ask(&w, "GET", "/large/", "");
	assert_int_equal(status_of(a), 200);
	assert_true(strlen(a) < (1 << 20) + 1000);
	assert_true(has(a, "There is more in this folder"));
	assert_true(has(a, "href=\"0000-"));
	world_done(&w);
}

static void never(struct lane_job *job)
{
	fail_msg("it was to wait");
}

/* A disk that does not come back: visitors wait in a line that has an end. */
static void a_stalled_disk(void **state)
{
	static struct lane_job waiting[LANE_WAITING_MAX];
	struct world w;
	struct lane *lane;
	const char *a;

	world_init(&w);
	lane = edge_files_lane(w.service->files);
	lane->running = LANE_RUNNING_MAX;
	for (size_t i = 0; i < LANE_WAITING_MAX; i++)
		assert_int_equal(lane_start(lane, &waiting[i], never, never, false, NULL), 0);
	a = ask(&w, "GET", "/hello.txt", "");
	assert_int_equal(status_of(a), 503);
	assert_string_equal(w.note, "too many requests wait for the disk");
	assert_true(lane_cancel(&waiting[0]));
	assert_string_equal(ask(&w, "GET", "/hello.txt", ""), "");
	assert_int_equal(lane->n_waiting, LANE_WAITING_MAX);
	peer_reset(&w.peer); /* who leaves waits no longer */
	run(&w);
	assert_int_equal(lane->n_waiting, LANE_WAITING_MAX - 1);
	for (size_t i = 1; i < LANE_WAITING_MAX; i++)
		assert_true(lane_cancel(&waiting[i]));
	lane->running = 0;
	visit(&w);
	assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", "")), 200);
	world_done(&w);
}

static void answers_conditions(void **state)
{
	struct world w;
	char etag[64], date[64], fields[256];
	const char *a;

	world_init(&w);
	a = ask(&w, "GET", "/hello.txt", "");
	strcpy(etag, field(a, "ETag"));
	strcpy(date, field(a, "Last-Modified"));
	snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", etag);
	a = ask(&w, "GET", "/hello.txt", fields);
	assert_int_equal(status_of(a), 304);
	assert_string_equal(field(a, "ETag"), etag);
	assert_string_equal(body_of(a), "");
	assert_false(has(a, "Content-Length"));
	assert_int_equal(status_of(ask(&w, "HEAD", "/hello.txt", fields)), 304);
	snprintf(fields, sizeof(fields), "If-Modified-Since: %s\r\n", date);
	assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", fields)), 304);
	a = ask(&w, "GET", "/hello.txt", "If-Match: \"other\"\r\n");
	assert_int_equal(status_of(a), 412);
	tree_text(&w.tree, "hello.txt", "Other words.\n"); /* of the same length */
	snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", etag);
	assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", fields)), 200);
	world_done(&w);
}

static void sends_parts(void **state)
{
	struct world w;
	char fields[256];
	const char *a;

	world_init(&w);
	a = ask(&w, "GET", "/hello.txt", "Range: bytes=7-11\r\n");
	assert_int_equal(status_of(a), 206);
	assert_string_equal(field(a, "Content-Range"), "bytes 7-11/13");
	assert_string_equal(field(a, "Content-Length"), "5");
	assert_string_equal(body_of(a), "world");
	assert_string_equal(body_of(ask(&w, "GET", "/hello.txt", "Range: bytes=-6\r\n")),
			    "world\n");
	a = ask(&w, "GET", "/hello.txt", "Range: bytes=13-\r\n");
	assert_int_equal(status_of(a), 416);
	assert_string_equal(field(a, "Content-Range"), "bytes */13");
	a = ask(&w, "GET", "/hello.txt", "Range: bytes=0-1,3-4\r\n");
	assert_int_equal(status_of(a), 200);
	assert_string_equal(body_of(a), "Hello, world\n");
	snprintf(fields, sizeof(fields), "Range: bytes=0-4\r\nIf-Range: %.200s\r\n",
		 field(a, "ETag"));
	assert_string_equal(body_of(ask(&w, "GET", "/hello.txt", fields)), "Hello");
	a = ask(&w, "GET", "/hello.txt", "Range: bytes=0-4\r\nIf-Range: \"other\"\r\n");
	assert_int_equal(status_of(a), 200);
	a = ask(&w, "HEAD", "/hello.txt", "Range: bytes=0-4\r\n");
	assert_int_equal(status_of(a), 200);
	world_done(&w);
}

/* ── large files ── */

#define BIG ((size_t)3000 * 1000)

static uint8_t *make_big(struct world *w)
{
	uint8_t *bytes = malloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	tree_file(&w->tree, "big.bin", bytes, BIG);
	return bytes;
}

static void sends_large_files(void **state)
{
	for (int uncached = 0; uncached < 2; uncached++) {
		struct world w;
		uint8_t *bytes;
		const char *a;

		world_init(&w);
		edge_files_set_uncached(w.service->files, uncached);
		bytes = make_big(&w);
		a = ask(&w, "GET", "/big.bin", "");
		assert_int_equal(status_of(a), 200);
		assert_string_equal(field(a, "Content-Type"), "application/octet-stream");
		assert_memory_equal(body_of(a), bytes, BIG);
		assert_int_equal((char *)w.peer.got.bytes + w.peer.got.tail - body_of(a), BIG);
		a = ask(&w, "GET", "/big.bin", "Range: bytes=100000-2899999\r\n");
		assert_int_equal(status_of(a), 206);
		assert_memory_equal(body_of(a), bytes + 100000, 2800000);
		assert_int_equal(w.bytes_out, 2800000);
		free(bytes);
		world_done(&w);
	}
}

static void waits_for_slow_visitors(void **state)
{
	struct world w;
	uint8_t *bytes;

	world_init(&w);
	bytes = make_big(&w);
	w.peer.deaf = true;
	ask(&w, "GET", "/big.bin", "");
	loop_sim_advance(w.loop, S(50));
	assert_int_equal(w.requests, 0);
	w.peer.deaf = false;
	peer_run(&w.peer);
	run(&w);
	assert_int_equal(w.bytes_out, BIG);
	w.peer.deaf = true; /* and for ever: cut off */
	ask(&w, "GET", "/big.bin", "");
	loop_sim_advance(w.loop, S(61));
	assert_int_equal(w.requests, 2);
	assert_string_equal(w.note, "the visitor left");
	free(bytes);
	world_done(&w);
}

static void files_may_change_while_they_are_sent(void **state)
{
	for (int uncached = 0; uncached < 2; uncached++) {
		struct world w;
		uint8_t *bytes;

		world_init(&w);
		edge_files_set_uncached(w.service->files, uncached);
		bytes = make_big(&w);
		w.peer.deaf = true;
		ask(&w, "GET", "/big.bin", "");
		assert_int_equal(truncate(tree_path(&w.tree, "big.bin"), 1000000), 0);
		w.peer.deaf = false;
		peer_run(&w.peer);
		loop_sim_advance(w.loop, S(1));
		assert_true(w.peer.reset); /* less than promised */
		assert_true(w.bytes_out < BIG);
		assert_string_equal(w.note, "the file became shorter while it was sent");

		visit(&w); /* longer: what was promised */
		tree_file(&w.tree, "big.bin", bytes, 1000000);
		w.peer.deaf = true;
		ask(&w, "GET", "/big.bin", "");
		tree_file(&w.tree, "big.bin", bytes, BIG);
		w.peer.deaf = false;
		peer_run(&w.peer);
		loop_sim_advance(w.loop, S(1));
		assert_int_equal(w.bytes_out, 1000000);
		assert_int_equal(status_of(ask(&w, "HEAD", "/", "")), 200);
		free(bytes);
		world_done(&w);
	}
}

static void the_folder_may_go_and_come_back(void **state)
{
	struct world w;
	char aside[128];

	world_init(&w);
	snprintf(aside, sizeof(aside), "%s/aside", w.tree.top);
	assert_int_equal(rename(w.tree.site, aside), 0);
	assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", "")), 503);
	assert_non_null(strstr(w.note, "/site: No such file or directory"));
	assert_int_equal(status_of(ask(&w, "GET", "/", "")), 503);
	assert_int_equal(rename(aside, w.tree.site), 0);
	assert_int_equal(status_of(ask(&w, "GET", "/hello.txt", "")), 200);
	assert_string_equal(w.note, "");
	world_done(&w);
}

/* ── visitors who go away ── */

static void visitors_may_leave_at_any_step(void **state)
{
	static const char *const requests[] = {"/hello.txt", "/big.bin", "/folder/", "/nothing",
					       "/folder"};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		for (int how = 0; how < 8; how++) {
			struct world w;
			char text[256];

			world_init(&w);
			free(make_big(&w));
			edge_files_set_uncached(w.service->files, how & 1);
			w.peer.deaf = how & 2;
			snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
				 requests[i]);
			peer_send(&w.peer, text);
			if (how & 4)
				run(&w);
			peer_reset(&w.peer);
			loop_sim_advance(w.loop, S(100));
			assert_int_equal(edge_service_visitors(w.service), 0);
			world_done(&w);
		}
}

/* The jobs of the virtual clock are done at the end of the turn: here the service goes before. */
static void the_service_may_go_at_any_step(void **state)
{
	for (int step = 0; step < 4; step++) {
		struct world w;

		world_init(&w);
		free(make_big(&w));
		w.peer.deaf = true;
		edge_files_set_uncached(w.service->files, true);
		peer_send(&w.peer, "GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
		if (step == 1)
			run(&w);
		if (step >= 2)
			edge_service_retire(w.service);
		if (step == 3)
			run(&w);
		edge_service_free(w.service);
		w.service = NULL;
		loop_sim_advance(w.loop, S(1));
		w.peer.deaf = false;
		peer_run(&w.peer);
		run(&w);
		assert_true(w.peer.reset);
		world_done(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_files),
		cmocka_unit_test(only_reads),
		cmocka_unit_test(nothing_leads_out),
		cmocka_unit_test(redirects_to_the_slash),
		cmocka_unit_test(lists_folders),
		cmocka_unit_test(lists_large_folders_in_part),
		cmocka_unit_test(a_stalled_disk),
		cmocka_unit_test(answers_conditions),
		cmocka_unit_test(sends_parts),
		cmocka_unit_test(sends_large_files),
		cmocka_unit_test(waits_for_slow_visitors),
		cmocka_unit_test(files_may_change_while_they_are_sent),
		cmocka_unit_test(the_folder_may_go_and_come_back),
		cmocka_unit_test(visitors_may_leave_at_any_step),
		cmocka_unit_test(the_service_may_go_at_any_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
