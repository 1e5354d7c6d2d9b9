/*
 * record_carrier FOLDER: let two carriers talk and write down what each side sent, as the seeds of
 * fuzz_carrier_gateway (what agents sent) and fuzz_carrier_agent (what gateways sent). To be run
 * again when the carriers say something new.
 */
#include <sys/stat.h>

#include "carrier_owner.h"

#define TURNS 120

struct tape {
	struct stream *s;
	struct buf bytes;
};

static void copy(struct tape *from, struct tape *to)
{
	char bytes[65536];
	ssize_t n;

	while ((n = stream_read(from->s, bytes, sizeof(bytes), NULL)) > 0) {
		if (buf_append(&from->bytes, bytes, (size_t)n) < 0)
			abort();
		(void)!stream_write(to->s, bytes, (size_t)n, NULL); /* it may have gone */
	}
	if (n == 0)
		(void)!stream_shutdown(to->s, NULL);
}

static void save(const char *folder, const char *target, const char *name, uint8_t first,
		 const struct buf *bytes)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	(void)!mkdir(path, 0777); /* it is there, mostly */
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	f = fopen(path, "wb");
	if (!f || fputc(first, f) == EOF ||
	    fwrite(buf_head(bytes), 1, buf_len(bytes), f) != buf_len(bytes) || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void say(struct owner *o, const char *type)
{
	if (o->c && carrier_send(o->c, json_pack("{s:s}", "type", type)) < 0)
		abort();
}

/* `first` of a seed is how it is cut; see owner_fuzz. */
static void record(const char *folder, const char *name, uint8_t first, const char *agent_says,
		   const char *gateway_says)
{
	struct owner agent, gateway;
	struct tape a = {0}, g = {0};
	struct stream *a_end, *g_end;
	struct loop *loop;

	if (loop_new_sim(&loop, NULL) < 0 || mem_pair_new(loop, 1 << 20, &a.s, &a_end, NULL) < 0 ||
	    mem_pair_new(loop, 1 << 20, &g.s, &g_end, NULL) < 0)
		abort();
	owner_start(&gateway, loop, CARRIER_GATEWAY, g_end);
	owner_start(&agent, loop, CARRIER_AGENT, a_end);
	for (int i = 0; i < TURNS; i++) {
		if (i == 4 && agent_says)
			say(&agent, agent_says);
		if (i == 4 && gateway_says)
			say(&gateway, gateway_says);
		loop_sim_advance(loop, USEC_PER_MS);
		owner_turn(&agent);
		owner_turn(&gateway);
		copy(&a, &g);
		copy(&g, &a);
	}
	save(folder, "carrier_gateway", name, first, &a.bytes);
	save(folder, "carrier_agent", name, first, &g.bytes);
	owner_stop(&agent);
	owner_stop(&gateway);
	stream_close(a.s);
	stream_close(g.s);
	buf_done(&a.bytes);
	buf_done(&g.bytes);
	loop_sim_advance(loop, USEC_PER_MS);
	loop_free(loop);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "record_carrier FOLDER\n");
		return 2;
	}
	record(argv[1], "visitors", 127, NULL, NULL);
	record(argv[1], "visitors-then-closed", 255, NULL, NULL);
	record(argv[1], "visitors-in-small-pieces", 40, NULL, NULL);
	record(argv[1], "answers", 100, "answer", "answer");
	record(argv[1], "drain", 90, NULL, "drain");
	record(argv[1], "close-by-gateway", 70, "close", NULL);
	record(argv[1], "close-by-agent", 70, NULL, "close");
	record(argv[1], "soft-ends", 80, "few-resets", NULL);
	record(argv[1], "more-visits", 80, "visit", NULL);
	record(argv[1], "bad", 64, "bad", "bad");
	record(argv[1], "freed", 64, "free", NULL);
	return 0;
}
