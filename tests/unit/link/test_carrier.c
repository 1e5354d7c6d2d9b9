/* The connection: goodbye, silence, the control channel, a gateway that breaks the rules. */
#include "pair.h"
#include "net/ndjson.h"

#include <nghttp2/nghttp2.h>

/* ── goodbye ── */

static void test_drain_lets_visitors_finish(void **state)
{
	struct world w;
	struct visit *visit;
	struct err e = {0};

	world_init(&w);
	mem_pair_set_delay(w.line, MS(2));
	visit = visit_new(&w, 100000, 2000000);
	steps(&w, 10);
	carrier_drain(w.agent.c);
	assert_false(carrier_takes_visitors(w.agent.c));
	steps(&w, 10);
	assert_int_equal(w.gateway.going, 1);
	assert_false(carrier_takes_visitors(w.gateway.c));
	assert_int_equal(try_visit(&w, 1, 1, &e), -ERR_AGAIN);
	assert_alive(&w);
	for (int i = 0; i < 2000 && !w.agent.dead; i++)
		step(&w, MS(1));
	steps(&w, 20);
	assert_int_equal(visit->visitor.got, 2000000);
	assert_false(visit->totals.reset);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, 0);
	assert_int_equal(w.gateway.dead, 1);
	world_done(&w);
}

/* The agent is through and gone; what it sent is still the visitor's. */
static void test_drain_with_a_slow_reader(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 0, 120000);
	steps(&w, 2);
	visit->visitor.pause = true;
	steps(&w, 100);
	carrier_drain(w.agent.c);
	loop_sim_advance(w.loop, 20 * USEC_PER_S);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.gateway.dead, 0);
	visit->visitor.pause = false;
	steps(&w, 20);
	assert_int_equal(visit->visitor.got, 120000);
	assert_true(visit->visitor.ended);
	assert_false(visit->totals.reset);
	assert_int_equal(w.gateway.dead, 1);
	assert_int_equal(w.gateway.dead_r, 0);
	world_done(&w);
}

static void test_drain_with_a_reader_who_never_comes(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 0, 120000);
	steps(&w, 2);
	visit->visitor.pause = true;
	steps(&w, 100);
	carrier_drain(w.agent.c);
	loop_sim_advance(w.loop, 31 * USEC_PER_S);
	assert_int_equal(w.gateway.dead, 1);
	assert_true(visit->totals.reset);
	world_done(&w);
}

static void test_drain_gives_new_visitors_back(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	mem_pair_set_delay(w.line, MS(5));
	carrier_drain(w.agent.c);
	visit = visit_new(&w, 5000, 0); /* the GOAWAY is under way */
	steps(&w, 50);
	assert_int_equal(visit->returned, 1);
	assert_int_equal(visit->returned_r, -ERR_AGAIN);
	assert_int_equal(visit->local.got, 5000);
	assert_int_equal(visit->announced, 0);
	world_done(&w);
}

static void test_drain_takes_30_s_at_most(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 100, 100);
	visit->visitor.end = visit->local.end = false;
	steps(&w, 10);
	carrier_drain(w.agent.c);
	loop_sim_advance(w.loop, 29 * USEC_PER_S);
	assert_alive(&w);
	loop_sim_advance(w.loop, 2 * USEC_PER_S);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, 0);
	assert_int_equal(w.gateway.dead, 1);
	steps(&w, 2);
	assert_true(visit->totals.reset && visit->agent_totals.reset);
	world_done(&w);
}

static void test_close_is_in_good_order(void **state)
{
	struct world w;

	world_init(&w);
	assert_int_equal(carrier_send(w.gateway.c, json_pack("{s:s}", "type", "last")), 0);
	carrier_close(w.gateway.c);
	steps(&w, 20);
	assert_string_equal(w.agent.last, "last"); /* what was queued arrives */
	assert_int_equal(w.gateway.dead_r, 0);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.gateway.dead, 1);
	world_done(&w);
}

static void test_silence(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, 300 * USEC_PER_S); /* nothing to say for long, PING and answer */
	assert_alive(&w);
	mem_pair_cut(w.line);
	loop_sim_advance(w.loop, 9 * USEC_PER_S);
	assert_alive(&w);
	loop_sim_advance(w.loop, 7 * USEC_PER_S);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, -ERR_TIMEOUT);
	assert_string_equal(w.agent.why.text, "nothing was heard for 10 s");
	assert_int_equal(w.gateway.dead, 1);
	world_done(&w);
}

static void test_an_urgent_question(void **state)
{
	struct world w;

	world_init(&w);
	carrier_ask(w.agent.c);
	loop_sim_advance(w.loop, 3 * USEC_PER_S);
	assert_int_equal(w.agent.missed, 0);
	mem_pair_cut(w.line);
	carrier_ask(w.agent.c);
	loop_sim_advance(w.loop, MS(1900));
	assert_int_equal(w.agent.missed, 0);
	loop_sim_advance(w.loop, MS(200));
	assert_int_equal(w.agent.missed, 1);
	assert_alive(&w);
	loop_sim_advance(w.loop, 8 * USEC_PER_S);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.missed, 1);
	world_done(&w);
}

/* ── the control channel, and a gateway that does not keep to the protocol ── */

static void test_control_messages_of_any_type_arrive(void **state)
{
	struct world w;

	world_init(&w);
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s,s:[i,i]}", "type",
							   "never-heard-of", "field", 1, 2)),
			 0);
	assert_int_equal(carrier_send(w.gateway.c, json_pack("{s:s}", "type", "notice")), 0);
	steps(&w, 2);
	assert_string_equal(w.gateway.last, "never-heard-of");
	assert_string_equal(w.agent.last, "notice");
	assert_int_equal(carrier_send(w.agent.c, NULL), -ERR_NOMEM);
	assert_alive(&w);
	world_done(&w);
}

static void test_a_long_control_message_is_not_sent(void **state)
{
	struct world w;
	char *text = calloc(1, 70000);

	world_init(&w);
	memset(text, 'x', 69999);
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", text)), -ERR_LIMIT);
	text[65000] = '\0';
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", text)), 0);
	steps(&w, 20);
	assert_int_equal(w.gateway.objects, 1);
	assert_alive(&w);
	free(text);
	world_done(&w);
}

static void test_an_owner_who_finds_an_error(void **state)
{
	struct world w;

	world_init(&w);
	w.gateway.object_r = -ERR_INVALID;
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", "x")), 0);
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", "y")), 0);
	steps(&w, 10);
	assert_int_equal(w.gateway.objects, 1);
	assert_int_equal(w.gateway.dead_r, -ERR_INVALID);
	assert_string_equal(w.gateway.why.text, "control channel: field \"x\": no");
	assert_int_equal(w.agent.dead, 1);
	world_done(&w);
}

static void test_an_owner_who_frees_at_once(void **state)
{
	struct world w;

	world_init(&w);
	w.gateway.free_at_object = true;
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", "x")), 0);
	assert_int_equal(carrier_send(w.agent.c, json_pack("{s:s}", "type", "y")), 0);
	steps(&w, 10);
	assert_int_equal(w.gateway.objects, 1);
	assert_int_equal(w.gateway.dead, 0);
	assert_int_equal(w.agent.dead, 1);
	world_done(&w);
}

/* The gateway's side by hand: it opens the control channel and says what it is told to. */
struct raw {
	nghttp2_session *session;
	struct stream *s;
	struct buf say;
	bool end;
	int32_t control;
	unsigned goaways;
	uint32_t goaway_error;
	char *heard;
	size_t heard_len;
};

static ssize_t raw_say(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
		       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct raw *raw = arg;
	size_t n = MIN(len, buf_len(&raw->say));

	if (n == 0 && raw->end) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	}
	if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(to, buf_head(&raw->say), n);
	buf_consume(&raw->say, n);
	return (ssize_t)n;
}

static int raw_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct raw *raw = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		raw->goaways++;
		raw->goaway_error = frame->goaway.error_code;
	}
	return 0;
}

static void raw_turn(struct raw *raw, struct world *w)
{
	uint8_t bytes[65536];
	const uint8_t *out;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(raw->session, &out)) > 0)
		assert_int_equal(stream_write(raw->s, out, (size_t)n, NULL), n);
	loop_sim_advance(w->loop, MS(1));
	n = stream_read(raw->s, bytes, sizeof(bytes), NULL);
	if (n > 0)
		assert_int_equal(nghttp2_session_mem_recv(raw->session, bytes, (size_t)n), n);
}

static void raw_turns(struct raw *raw, struct world *w, int n)
{
	while (n-- > 0)
		raw_turn(raw, w);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

/* An agent's carrier facing a gateway by hand. */
static void raw_init(struct raw *raw, struct world *w)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_data_provider say = {.read_callback = raw_say};
	nghttp2_nv headers[] = {nv(":method", "POST"), nv(":scheme", "https"),
				nv(":authority", "homeport"), nv(":path", "/homeport/v1/control")};
	struct stream *a;

	*raw = (struct raw){0};
	*w = (struct world){.random = 4711, .budget.left = BUDGET};
	w->visits = calloc(VISITORS_MAX, sizeof(*w->visits));
	w->agent.w = w->gateway.w = w;
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, 1 << 20, &a, &raw->s, NULL), 0);
	assert_int_equal(carrier_new(w->loop, CARRIER_AGENT, a, &w->budget, &handler, &w->agent,
				     &w->agent.c, NULL),
			 0);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, raw_on_frame);
	assert_int_equal(nghttp2_session_client_new(&raw->session, callbacks, raw), 0);
	nghttp2_session_callbacks_del(callbacks);
	buf_init(&raw->say, 0);
	nghttp2_submit_settings(raw->session, 0, NULL, 0);
	raw->control =
		nghttp2_submit_request(raw->session, NULL, headers, ARRAY_LEN(headers), &say, NULL);
	raw_turns(raw, w, 5);
	assert_int_equal(w->agent.open, 1);
}

static void raw_done(struct raw *raw, struct world *w)
{
	nghttp2_session_del(raw->session);
	stream_close(raw->s);
	buf_done(&raw->say);
	world_done(w);
}

static void raw_says(struct raw *raw, struct world *w, const void *bytes, size_t len)
{
	assert_int_equal(buf_append(&raw->say, bytes, len), 0);
	nghttp2_session_resume_data(raw->session, raw->control);
	raw_turns(raw, w, 10);
}

static void test_control_lines_that_break_the_rules(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{"hello\n", "control channel: not JSON: "},
		{"[1,2]\n", "control channel: not a JSON object"},
		{"{\"type\":\"drain\",\"type\":\"drain\"}\n",
		 "control channel: not JSON: duplicate"},
		{"{\"type\":\"\xff\"}\n", "control channel: not JSON: "},
		{"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}\n",
		 "control channel: JSON nested deeper than 16"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct raw raw;

		raw_init(&raw, &w);
		raw_says(&raw, &w, "{\"type\":\"ok\"}\n", 14);
		raw_says(&raw, &w, cases[i].line, strlen(cases[i].line));
		assert_int_equal(w.agent.objects, 1);
		assert_int_equal(w.agent.dead, 1);
		assert_int_equal(w.agent.dead_r, -ERR_INVALID);
		assert_memory_equal(w.agent.why.text, cases[i].text, strlen(cases[i].text));
		assert_int_equal(raw.goaways, 1);
		assert_int_equal(raw.goaway_error, NGHTTP2_PROTOCOL_ERROR);
		raw_done(&raw, &w);
	}
}

static void test_a_control_line_over_256_kib(void **state)
{
	char *line = malloc(NDJSON_LINE_MAX + 1);
	struct world w;
	struct raw raw;

	memset(line, ' ', NDJSON_LINE_MAX + 1);
	memcpy(line, "{\"type\":\"ok\"", 12);
	line[NDJSON_LINE_MAX - 1] = '}';
	line[NDJSON_LINE_MAX] = '\n';
	raw_init(&raw, &w);
	raw_says(&raw, &w, line, NDJSON_LINE_MAX + 1); /* as long as can be */
	assert_int_equal(w.agent.objects, 1);
	assert_int_equal(w.agent.dead, 0);
	line[NDJSON_LINE_MAX - 1] = ' ';
	raw_says(&raw, &w, line, NDJSON_LINE_MAX);
	raw_says(&raw, &w, "}\n", 2);
	assert_int_equal(w.agent.objects, 1);
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, -ERR_LIMIT);
	assert_string_equal(w.agent.why.text, "control channel: a line over 262144 bytes");
	raw_done(&raw, &w);
	free(line);
}

static void test_the_bytes_of_an_unknown_key(void **state)
{
	char line[3000];
	struct world w;
	struct raw raw;

	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"type\":\"ok\"}", 13);
	line[sizeof(line) - 1] = '\n';
	raw_init(&raw, &w);
	carrier_limit_control(w.agent.c, 4096);
	raw_says(&raw, &w, line, sizeof(line));
	assert_int_equal(w.agent.dead, 0);
	raw_says(&raw, &w, line, sizeof(line));
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, -ERR_LIMIT);
	assert_string_equal(w.agent.why.text, "too many bytes on the control channel");
	raw_done(&raw, &w);
}

static void test_the_control_channel_ends(void **state)
{
	struct world w;
	struct raw raw;

	raw_init(&raw, &w);
	raw.end = true;
	raw_says(&raw, &w, "", 0);
	assert_int_equal(w.agent.dead, 1);
	assert_string_equal(w.agent.why.text, "the other side closed the control channel");
	raw_done(&raw, &w);

	raw_init(&raw, &w);
	nghttp2_submit_rst_stream(raw.session, 0, raw.control, NGHTTP2_CANCEL);
	raw_turns(&raw, &w, 5);
	assert_int_equal(w.agent.dead, 1);
	assert_string_equal(w.agent.why.text, "the other side closed the control channel");
	raw_done(&raw, &w);
}

static void test_no_http2_at_all(void **state)
{
	struct stream *a, *end;
	struct world w = {.budget.left = BUDGET};
	const char *text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

	w.agent.w = &w;
	assert_int_equal(loop_new_sim(&w.loop, NULL), 0);
	assert_int_equal(mem_pair_new(w.loop, 0, &a, &end, NULL), 0);
	assert_int_equal(carrier_new(w.loop, CARRIER_AGENT, a, &w.budget, &handler, &w.agent,
				     &w.agent.c, NULL),
			 0);
	assert_int_equal(stream_write(end, text, strlen(text), NULL), strlen(text));
	loop_sim_advance(w.loop, MS(1));
	assert_int_equal(w.agent.dead, 1);
	assert_int_equal(w.agent.dead_r, -ERR_INVALID);
	assert_memory_equal(w.agent.why.text, "HTTP/2: ", 8);
	stream_close(end);
	world_done(&w);
}

/* Both sides: whoever breaks HTTP/2's rules in the middle of it is told so and gone at once. */
static void test_frames_that_are_none(void **state)
{
	static const char frames[][9] = {
		{(char)0xff, (char)0xff, (char)0xff, 0, 0, 0, 0, 0, 1}, /* 16 MiB of DATA */
		{0, 0, 1, 6, 0, 0, 0, 0, 0},				/* PING of one byte */
		{0, 0, 0, 0, 0, 0, 0, 0, 0},				/* DATA on no stream */
	};

	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct world w;
		struct raw raw;

		raw_init(&raw, &w);
		assert_int_equal(stream_write(raw.s, frames[i], 9, NULL), 9);
		assert_int_equal(stream_write(raw.s, "x", 1, NULL), 1);
		raw_turns(&raw, &w, 2);
		assert_int_equal(w.agent.dead, 1);
		assert_int_equal(w.agent.dead_r, -ERR_INVALID);
		assert_string_equal(w.agent.why.text, "HTTP/2: the other side broke its rules");
		assert_int_equal(raw.goaways, 1);
		assert_true(raw.goaway_error != NGHTTP2_NO_ERROR);
		raw_done(&raw, &w);
	}
}

static void test_no_http2_from_an_agent(void **state)
{
	struct stream *g, *end;
	struct world w = {.budget.left = BUDGET};
	const char *text = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

	w.gateway.w = &w;
	assert_int_equal(loop_new_sim(&w.loop, NULL), 0);
	assert_int_equal(mem_pair_new(w.loop, 0, &g, &end, NULL), 0);
	assert_int_equal(carrier_new(w.loop, CARRIER_GATEWAY, g, &w.budget, &handler, &w.gateway,
				     &w.gateway.c, NULL),
			 0);
	assert_int_equal(stream_write(end, text, strlen(text), NULL), strlen(text));
	loop_sim_advance(w.loop, MS(1));
	assert_int_equal(w.gateway.dead, 1);
	assert_true(w.gateway.dead_r < 0);
	stream_close(end);
	world_done(&w);
}

/* Streams that are no visitors are reset; the connection goes on. */
static void test_streams_that_are_no_visitors(void **state)
{
	char long_value[5000] = "";
	nghttp2_nv second_control[] = {nv(":method", "POST"), nv(":scheme", "https"),
				       nv(":authority", "homeport"),
				       nv(":path", "/homeport/v1/control")};
	nghttp2_nv get[] = {nv(":method", "GET"), nv(":scheme", "https"),
			    nv(":authority", "homeport"), nv(":path", "/")};
	nghttp2_nv bad_for[] = {nv(":method", "CONNECT"), nv(":authority", "s0"),
				nv("forwarded", "for=unknown")};
	nghttp2_nv too_long[] = {nv(":method", "CONNECT"), nv(":authority", "s0"),
				 nv("x", long_value)};
	struct {
		nghttp2_nv *headers;
		size_t n;
	} cases[] = {{second_control, 4}, {get, 4}, {bad_for, 3}, {too_long, 3}};
	struct world w;
	struct raw raw;

	memset(long_value, 'x', sizeof(long_value) - 1);
	too_long[2] = nv("x", long_value);
	raw_init(&raw, &w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int32_t id = nghttp2_submit_request(raw.session, NULL, cases[i].headers, cases[i].n,
						    NULL, NULL);

		raw_turns(&raw, &w, 5);
		assert_int_equal(w.agent.dead, 0);
		assert_null(nghttp2_session_find_stream(raw.session, id));
		assert_int_equal(carrier_visitors(w.agent.c), 0);
	}
	raw_says(&raw, &w, "{\"type\":\"ok\"}\n", 14);
	assert_int_equal(w.agent.objects, 1);
	raw_done(&raw, &w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drain_lets_visitors_finish),
		cmocka_unit_test(test_drain_with_a_slow_reader),
		cmocka_unit_test(test_drain_with_a_reader_who_never_comes),
		cmocka_unit_test(test_drain_gives_new_visitors_back),
		cmocka_unit_test(test_drain_takes_30_s_at_most),
		cmocka_unit_test(test_close_is_in_good_order),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_an_urgent_question),
		cmocka_unit_test(test_control_messages_of_any_type_arrive),
		cmocka_unit_test(test_a_long_control_message_is_not_sent),
		cmocka_unit_test(test_an_owner_who_finds_an_error),
		cmocka_unit_test(test_an_owner_who_frees_at_once),
		cmocka_unit_test(test_control_lines_that_break_the_rules),
		cmocka_unit_test(test_a_control_line_over_256_kib),
		cmocka_unit_test(test_the_bytes_of_an_unknown_key),
		cmocka_unit_test(test_the_control_channel_ends),
		cmocka_unit_test(test_no_http2_at_all),
		cmocka_unit_test(test_frames_that_are_none),
		cmocka_unit_test(test_no_http2_from_an_agent),
		cmocka_unit_test(test_streams_that_are_no_visitors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
