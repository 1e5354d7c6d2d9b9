#include <assert.h>
#include <openssl/err.h>
#include <string.h>

#include "net/tls_private.h"

/*
 * One receive: for a user with a small buffer what fits STREAM_PUSHBACK_MAX; for one with
 * LOOP_SCRATCH_LEN all records of one WRITE_MAX, which fit that buffer together with what is left
 * of a record before them.
 */
#define READ_SMALL ((size_t)32 * 1024)
#define READ_LARGE ((size_t)264 * 1024)

/* Plaintext of one write: its records fit LOOP_SCRATCH_LEN. */
#define WRITE_MAX ((size_t)256 * 1024)
static_assert(READ_LARGE + SSL3_RT_MAX_ENCRYPTED_LENGTH <= LOOP_SCRATCH_LEN, "both fit");

struct tls_stream {
	struct stream stream;
	struct stream *lower; /* owned */
	SSL *ssl;	      /* owned */
	const char *alpn;     /* borrowed until the handshake is done */
	struct tls_key_hash peer;
	bool (*accept)(void *arg, const struct tls_key_hash *key); /* NULL: any key */
	void *accept_arg;
	bool rejected;
	struct defer again; /* readable although nothing new comes from below */

	const uint8_t *in_at; /* ciphertext of this call, in LOOP_SCRATCH_CIPHER_IN */
	size_t in_len;
	uint8_t *batch; /* LOOP_SCRATCH_CIPHER_OUT during a call */
	size_t batch_len;
	struct buf out; /* ciphertext that the lower stream did not take */

	bool ready, ended, broken;
	bool want_writable; /* a user's write was put off */
	bool shut,
		shut_pending; /* close_notify is made; lower shutdown follows the last of `out` */
	struct err why;
};

static struct tls_stream *tls_stream_of(const struct stream *s)
{
	return container_of(s, struct tls_stream, stream);
}

static int bio_read(BIO *bio, char *to, size_t len, size_t *ret_read)
{
	struct tls_stream *t = BIO_get_data(bio);
	size_t n = MIN(len, t->in_len);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(to, t->in_at, n);
	t->in_at += n;
	t->in_len -= n;
	*ret_read = n;
	return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_written)
{
	struct tls_stream *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (t->batch && t->batch_len + len <= LOOP_SCRATCH_LEN) {
		memcpy(t->batch + t->batch_len, bytes, len);
		t->batch_len += len;
	} else if (t->batch || buf_append(&t->out, bytes, len) < 0) {
		return 0; /* cannot be: WRITE_MAX bounds a batch */
	}
	*ret_written = len;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *tls_bio_method_new(void)
{
	BIO_METHOD *method =
		BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "homeport stream");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	BIO_meth_set_create(method, bio_create);
	return method;
}

int tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		    const unsigned char *in, unsigned int in_len, void *arg)
{
	const struct tls_stream *t = SSL_get_app_data(ssl);
	size_t len = strlen(t->alpn);

	for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
		if (in[i] == len && i + 1 + len <= in_len &&
		    memcmp(in + i + 1, t->alpn, len) == 0) {
			*out = in + i + 1;
			*out_len = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int tls_fail(struct tls_stream *t, int code, const char *what)
{
	if (!t->broken) {
		t->broken = true;
		tls_openssl_error(&t->why, code, what);
	}
	return -t->why.code;
}

static int tls_fail_wrap(struct tls_stream *t, int r, const struct err *why)
{
	if (!t->broken) {
		t->broken = true;
		t->why = *why;
		t->why.code = -r;
	}
	return -t->why.code;
}

/* Write what waits in `out`; 0 when it is empty now. */
static int flush_out(struct tls_stream *t)
{
	struct err e = {0};

	while (buf_len(&t->out)) {
		ssize_t n = stream_write(t->lower, buf_head(&t->out), buf_len(&t->out), &e);

		if (n == -ERR_AGAIN)
			return -ERR_AGAIN;
		if (n < 0)
			return tls_fail_wrap(t, (int)n, &e);
		buf_consume(&t->out, (size_t)n);
	}
	buf_release_if_empty(&t->out);
	if (t->shut_pending) {
		t->shut_pending = false;
		if (stream_shutdown(t->lower, &e) < 0)
			return tls_fail_wrap(t, -ERR_RESET, &e);
	}
	return 0;
}

/* Between begin and end OpenSSL's records gather in the scratch, then leave in one write. */
static void output_begin(struct tls_stream *t)
{
	t->batch = loop_scratch(t->stream.loop, LOOP_SCRATCH_CIPHER_OUT);
	t->batch_len = 0;
}

static int output_end(struct tls_stream *t)
{
	const uint8_t *bytes = t->batch;
	size_t len = t->batch_len, sent = 0;
	struct err e = {0};

	t->batch = NULL;
	t->batch_len = 0;
	if (len && buf_len(&t->out) == 0 && !t->broken) {
		ssize_t n = stream_write(t->lower, bytes, len, &e);

		if (n < 0 && n != -ERR_AGAIN)
			return tls_fail_wrap(t, (int)n, &e);
		sent = n < 0 ? 0 : (size_t)n;
	}
	if (sent < len && buf_append(&t->out, bytes + sent, len - sent) < 0)
		return tls_fail(t, ERR_NOMEM, "sending");
	return 0;
}

/* Get ciphertext from below into the scratch. 1: there is some; 0: the end; -ERR_AGAIN; -ERR_*
 * broken. */
static int input_fill(struct tls_stream *t, size_t most, bool *ret_more)
{
	uint8_t *scratch = loop_scratch(t->stream.loop, LOOP_SCRATCH_CIPHER_IN);
	struct err e = {0};
	ssize_t n = stream_read(t->lower, scratch, most, &e);

	if (n > 0) {
		t->in_at = scratch;
		t->in_len = (size_t)n;
		*ret_more = (size_t)n == most;
		return 1;
	}
	if (n == 0)
		return 0;
	return n == -ERR_AGAIN ? -ERR_AGAIN : tls_fail_wrap(t, (int)n, &e);
}

/* A chain means nothing here, only the key counts. 0 ends the handshake before our own certificate
 * is sent. */
int tls_verify_certificate(X509_STORE_CTX *store, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_stream *t = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (!certificate || tls_hash_public_key(certificate, &t->peer) < 0)
		return 0;
	t->rejected = t->accept && !t->accept(t->accept_arg, &t->peer);
	return !t->rejected;
}

void tls_client_set_accept(struct stream *s,
			   bool (*accept)(void *arg, const struct tls_key_hash *key), void *arg)
{
	struct tls_stream *t = tls_stream_of(s);

	t->accept = accept;
	t->accept_arg = arg;
}

static int check_peer(struct tls_stream *t)
{
	const unsigned char *chosen = NULL;
	unsigned chosen_len = 0;

	SSL_get0_alpn_selected(t->ssl, &chosen, &chosen_len);
	if (chosen_len != strlen(t->alpn) || memcmp(chosen, t->alpn, chosen_len) != 0)
		return tls_fail(t, ERR_INVALID, "the other side does not speak the link protocol");
	if (!SSL_get0_peer_certificate(t->ssl))
		return tls_fail(t, ERR_INVALID, "the other side showed no certificate");
	return 0;
}

/* Go on with the handshake as far as bytes are there. */
static int handshake_step(struct tls_stream *t)
{
	for (;;) {
		bool more;
		int r, ssl_error;

		output_begin(t);
		ERR_clear_error();
		r = SSL_do_handshake(t->ssl);
		ssl_error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, r);
		if (output_end(t) < 0)
			return -t->why.code;
		if (r == 1) {
			r = check_peer(t);
			t->ready = r == 0;
			break;
		}
		if (t->rejected)
			return tls_fail(t, ERR_DENIED,
					"the other side's key is not the one it should be");
		if (ssl_error != SSL_ERROR_WANT_READ)
			return tls_fail(t, ERR_INVALID, "TLS handshake");
		r = input_fill(t, READ_SMALL, &more);
		if (r == 0) {
			struct err e = {0};

			err_set(&e, ERR_RESET,
				"the other side closed the connection during the TLS handshake");
			return tls_fail_wrap(t, -ERR_RESET, &e);
		}
		if (r < 0)
			return r;
	}
	if (t->in_len) { /* application data that came with the last flight; at most READ_SMALL */
		if (stream_unread(t->lower, t->in_at, t->in_len) < 0)
			return tls_fail(t, ERR_NOMEM, "receiving");
		t->in_len = 0;
	}
	return t->broken ? -t->why.code : 0;
}

static void tell(struct tls_stream *t, unsigned events)
{
	if (events && t->stream.on_ready)
		t->stream.on_ready(t->stream.arg, events);
}

static void tls_on_lower(void *arg, unsigned events)
{
	struct tls_stream *t = arg;
	unsigned out = events & STREAM_READABLE;

	if (events & STREAM_WRITABLE && flush_out(t) != -ERR_AGAIN && t->want_writable) {
		t->want_writable = false;
		out |= STREAM_WRITABLE;
	}
	if (!t->ready && !t->broken) {
		if (handshake_step(t) == -ERR_AGAIN)
			return;
		out = STREAM_READABLE | STREAM_WRITABLE; /* done, or failed: the next read tells */
	}
	tell(t, out);
}

static void tls_on_again(void *arg)
{
	struct tls_stream *t = arg;

	if (!t->ready && !t->broken)
		tls_on_lower(t, STREAM_READABLE);
	else
		tell(t, STREAM_READABLE);
}

static ssize_t tls_broken(const struct tls_stream *t, struct err *e)
{
	if (e)
		*e = t->why;
	return -t->why.code;
}

static ssize_t tls_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	struct tls_stream *t = tls_stream_of(s);
	size_t most = len >= LOOP_SCRATCH_LEN ? READ_LARGE : READ_SMALL;
	bool filled = false, more = false, at_end = false;
	size_t total = 0;

	if (t->broken)
		return tls_broken(t, e);
	if (t->ended)
		return 0;
	if (!t->ready)
		return -ERR_AGAIN;
	output_begin(t); /* alerts and key updates answer by themselves */
	while (total < len) {
		size_t n = 0;
		int r;

		ERR_clear_error();
		if (SSL_read_ex(t->ssl, (uint8_t *)bytes + total, len - total, &n)) {
			total += n;
			continue;
		}
		r = SSL_get_error(t->ssl, 0);
		if (r == SSL_ERROR_ZERO_RETURN) {
			t->ended = true;
			break;
		}
		if (r != SSL_ERROR_WANT_READ) {
			tls_fail(t, ERR_INVALID, "TLS");
			break;
		}
		if (filled)
			break;
		r = input_fill(t, most, &more);
		filled = true;
		at_end = r == 0;
		if (r <= 0)
			break;
	}
	if (t->in_len && !t->broken && stream_unread(t->lower, t->in_at, t->in_len) < 0)
		tls_fail(t, ERR_NOMEM, "receiving");
	t->in_len = 0;
	output_end(t);
	if (at_end && !t->ended && !t->broken) {
		struct err why = {0};

		err_set(&why, ERR_RESET, "the other side closed the connection");
		tls_fail_wrap(t, -ERR_RESET, &why);
	}
	if (total < len && (more || ((t->ended || t->broken) && total > 0)))
		defer_call(
			&t->again); /* the reader believes that it is dry, but more is to be told */
	if (total)
		return (ssize_t)total;
	if (t->broken)
		return tls_broken(t, e);
	return t->ended ? 0 : -ERR_AGAIN;
}

/* Encrypt up to WRITE_MAX and send it. */
static size_t write_some(struct tls_stream *t, const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	output_begin(t);
	ERR_clear_error();
	if (!SSL_write_ex(t->ssl, bytes, MIN(len, WRITE_MAX), &n))
		tls_fail(t, ERR_RESET, "TLS");
	output_end(t);
	return n;
}

/* len 0 asks whether a write would be taken. */
static ssize_t tls_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	struct tls_stream *t = tls_stream_of(s);
	size_t total = 0;

	if (t->broken)
		return tls_broken(t, e);
	if (!t->ready || (buf_len(&t->out) && flush_out(t) == -ERR_AGAIN)) {
		t->want_writable = true;
		return -ERR_AGAIN;
	}
	while (total < len && buf_len(&t->out) == 0 && !t->broken)
		total += write_some(t, (const uint8_t *)bytes + total, len - total);
	if (t->broken)
		return tls_broken(t, e);
	t->want_writable = total < len; /* the lower stream was short, and tells when it goes on */
	return (ssize_t)total;
}

static int tls_shutdown(struct stream *s, struct err *e)
{
	struct tls_stream *t = tls_stream_of(s);

	if (t->shut || t->broken)
		return 0;
	t->shut = true;
	output_begin(t);
	ERR_clear_error();
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
	output_end(t);
	t->shut_pending = true;
	flush_out(t);
	return t->broken ? (int)tls_broken(t, e) : 0;
}

static size_t tls_unsent(struct stream *s)
{
	struct tls_stream *t = tls_stream_of(s);

	return buf_len(&t->out) + stream_unsent(t->lower);
}

static void tls_free(struct stream *s, bool reset)
{
	struct tls_stream *t = tls_stream_of(s);

	defer_cancel(&t->again);
	SSL_free(t->ssl);
	buf_done(&t->out);
	if (reset)
		stream_reset(t->lower);
	else
		stream_close(t->lower);
	free(t);
}

static void tls_detach(struct stream *s)
{
	struct tls_stream *t = tls_stream_of(s);

	defer_cancel(&t->again);
	stream_detach(t->lower);
}

static int tls_attach(struct stream *s, struct loop *loop, struct err *e)
{
	struct tls_stream *t = tls_stream_of(s);
	int r = stream_attach(t->lower, loop, e);

	if (r < 0)
		return r;
	defer_init(&t->again, loop, tls_on_again, t);
	stream_set_handler(t->lower, tls_on_lower, t);
	if (!t->ready)
		defer_call(&t->again); /* the handshake goes on by itself here too */
	return 0;
}

static const struct stream_ops tls_ops = {
	.name = "tls",
	.read = tls_read,
	.write = tls_write,
	.shutdown = tls_shutdown,
	.unsent = tls_unsent,
	.free = tls_free,
	.detach = tls_detach,
	.attach = tls_attach,
};

static int tls_new(struct stream *lower, const struct tls_identity *identity, SSL_CTX *ctx,
		   const char *alpn, struct tls_stream **ret_tls, struct err *e)
{
	struct tls_stream *t = calloc(1, sizeof(*t));
	BIO *bio = BIO_new(identity->bio);
	SSL *ssl = SSL_new(ctx);

	if (!t || !bio || !ssl) {
		free(t);
		BIO_free(bio);
		SSL_free(ssl);
		stream_close(lower);
		return err_set(e, ERR_NOMEM, "TLS connection");
	}
	t->stream.ops = &tls_ops;
	t->stream.loop = lower->loop;
	t->lower = lower;
	t->ssl = ssl;
	t->alpn = alpn;
	buf_init(&t->out, 0);
	BIO_set_data(bio, t);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, (char *)t);
	defer_init(&t->again, lower->loop, tls_on_again, t);
	stream_set_handler(lower, tls_on_lower, t);
	defer_call(&t->again); /* the first step, outside of the caller's call */
	*ret_tls = t;
	return 0;
}

int tls_client_new(struct stream *lower, const struct tls_identity *identity, const char *alpn,
		   const char *server_name, struct stream **ret_stream, struct err *e)
{
	uint8_t protocols[256];
	struct tls_stream *t;
	size_t len = strlen(alpn);
	int r = tls_new(lower, identity, identity->client, alpn, &t, e);

	if (r < 0)
		return r;
	assert(len < sizeof(protocols) - 1);
	protocols[0] = (uint8_t)len;
	memcpy(protocols + 1, alpn, len);
	SSL_set_connect_state(t->ssl);
	if (SSL_set_alpn_protos(t->ssl, protocols, (unsigned)len + 1) != 0 ||
	    (server_name && SSL_set_tlsext_host_name(t->ssl, server_name) != 1)) {
		stream_close(&t->stream);
		return tls_openssl_error(e, ERR_NOMEM, "TLS connection");
	}
	*ret_stream = &t->stream;
	return 0;
}

int tls_server_new(struct stream *lower, const struct tls_identity *identity, const char *alpn,
		   struct stream **ret_stream, struct err *e)
{
	struct tls_stream *t;
	int r = tls_new(lower, identity, identity->server, alpn, &t, e);

	if (r < 0)
		return r;
	SSL_set_accept_state(t->ssl);
	*ret_stream = &t->stream;
	return 0;
}

bool tls_stream_ready(const struct stream *s)
{
	return tls_stream_of(s)->ready;
}

const struct tls_key_hash *tls_stream_peer(const struct stream *s)
{
	return &tls_stream_of(s)->peer;
}

struct stream *tls_stream_lower(const struct stream *s)
{
	return s->ops == &tls_ops ? tls_stream_of(s)->lower : NULL;
}
