#include "test.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "unit/net/httpc_world.h"

#define DAY (24L * 60 * 60)

/* ── certificates ── */

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
	char file[64];
};

static struct folder {
	char path[32];
	struct authority ours, other;
} folder;

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

/* authority NULL: signed by itself, to sign others. */
static X509 *certify(EVP_PKEY *key, const struct authority *authority, const char *name, long from,
		     long until)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509 *issuer = authority ? authority->certificate : certificate;
	char names[128];

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), rand());
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	X509_set_pubkey(certificate, key);
	if (authority) {
		snprintf(names, sizeof(names), "%s:%s",
			 strchr(name, ':') || name[0] == '1' ? "IP" : "DNS", name);
		add_extension(certificate, issuer, NID_subject_alt_name, names);
	} else {
		add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
	}
	assert_true(X509_sign(certificate, authority ? authority->key : key, EVP_sha256()) > 0);
	return certificate;
}

static void authority_init(struct authority *a, const char *name)
{
	FILE *f;

	a->key = EVP_EC_gen("P-256");
	a->certificate = certify(a->key, NULL, name, -DAY, 10 * DAY);
	snprintf(a->file, sizeof(a->file), "%s/%s", folder.path, name);
	f = fopen(a->file, "w");
	assert_non_null(f);
	PEM_write_X509(f, a->certificate);
	fclose(f);
}

static void authority_done(struct authority *a)
{
	unlink(a->file);
	X509_free(a->certificate);
	EVP_PKEY_free(a->key);
}

static int folder_init(void **state)
{
	strcpy(folder.path, "/tmp/homeport-tls-XXXXXX");
	if (!mkdtemp(folder.path))
		return -1;
	authority_init(&folder.ours, "ours");
	authority_init(&folder.other, "other");
	return 0;
}

static int folder_done(void **state)
{
	authority_done(&folder.ours);
	authority_done(&folder.other);
	return rmdir(folder.path);
}

/* ── a server: one connection after the other, on a thread ── */

struct tls_server {
	SSL_CTX *context;
	int listener;
	struct ipaddr at;
	pthread_t thread;
	bool hangs_up;	/* behind the handshake */
	int n_requests; /* once it is closed */
};

static void serve(struct tls_server *s, SSL *ssl)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char request[4096] = "";
	int len = 0, n;

	if (SSL_accept(ssl) <= 0 || s->hangs_up)
		return;
	while (!strstr(request, "\r\n\r\n")) {
		n = SSL_read(ssl, request + len, (int)sizeof(request) - 1 - len);
		if (n <= 0)
			return;
		len += n;
	}
	s->n_requests++;
	SSL_write(ssl, answer, sizeof(answer) - 1);
	SSL_shutdown(ssl);
}

static void *serve_all(void *arg)
{
	struct tls_server *s = arg;
	sigset_t pipe;
	int fd;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct timeval most = {.tv_sec = DEADLINE / USEC_PER_S};
		SSL *ssl = SSL_new(s->context);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
		SSL_set_fd(ssl, fd);
		serve(s, ssl);
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

/* With a certificate for that name, good from then until then. */
static void tls_server_open(struct tls_server *s, const char *name, long from, long until)
{
	struct sockaddr_storage ss;
	socklen_t len;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = certify(key, &folder.ours, name, from, until);

	*s = (struct tls_server){.at = address("127.0.0.1")};
	s->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(s->context, certificate);
	SSL_CTX_use_PrivateKey(s->context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = ipaddr_to_sockaddr(&s->at, &ss);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	getsockname(s->listener, (struct sockaddr *)&ss, &len);
	ipaddr_from_sockaddr(&s->at, (struct sockaddr *)&ss);
	assert_int_equal(pthread_create(&s->thread, NULL, serve_all, s), 0);
}

static void tls_server_close(struct tls_server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->context);
}

/* Ask for https://host:port/ there. */
static void ask_for(struct world *w, struct got *got, struct tls_server *s, const char *host,
		    const char *ca_file)
{
	char url[URL_TEXT_MAX];

	snprintf(url, sizeof(url), "https://%s:%u/", host, s->at.port);
	ask(got, w,
	    &(struct httpc_request){
		    .url = url, .peer = &s->at, .ca_file = ca_file, .https_only = true});
}

static void test_good(void **state)
{
	struct tls_server s;
	struct got got;

	tls_server_open(&s, "provider.example", -DAY, DAY);
	for (int i = 0; i < 2; i++) {
		ask_for(*state, &got, &s, "provider.example", folder.ours.file);
		assert_good(&got, 200, "ok");
		assert_true(ipaddr_equal(&got.answer.peer, &s.at));
		got_done(&got);
	}
	tls_server_close(&s);
	assert_int_equal(s.n_requests, 2);
}

static void test_address(void **state)
{
	struct tls_server s;
	struct got got;

	tls_server_open(&s, "127.0.0.1", -DAY, DAY);
	ask_for(*state, &got, &s, "127.0.0.1", folder.ours.file);
	assert_good(&got, 200, "ok");
	got_done(&got);
	tls_server_close(&s);
}

/* Whatever is wrong with the certificate: the request, which may hold a password, is not sent. */
static void denied(struct world *w, const char *name, long from, long until, const char *host,
		   const char *ca_file, const char *words)
{
	struct tls_server s;
	struct got got;

	tls_server_open(&s, name, from, until);
	ask_for(w, &got, &s, host, ca_file);
	assert_bad(&got, ERR_DENIED, words);
	got_done(&got);
	tls_server_close(&s);
	assert_int_equal(s.n_requests, 0);
}

static void test_denied(void **state)
{
	const char *name = "provider.example";

	denied(*state, name, -DAY, DAY, "another.example", folder.ours.file, "another.example");
	denied(*state, name, -DAY, DAY, "sub.provider.example", folder.ours.file, "sub.provider");
	denied(*state, name, -DAY, DAY, "127.0.0.1", folder.ours.file, "127.0.0.1");
	denied(*state, name, -DAY, -1000, name, folder.ours.file, "expired");
	denied(*state, name, 1000, DAY, name, folder.ours.file, "not yet valid");
	denied(*state, name, -DAY, DAY, name, folder.other.file, "certificate");
	denied(*state, name, -DAY, DAY, name, NULL, "certificate"); /* the system knows it not */
}

static void test_bad_ca_file(void **state)
{
	struct tls_server s;
	struct got got;
	char path[64];
	FILE *f;

	tls_server_open(&s, "provider.example", -DAY, DAY);
	ask_for(*state, &got, &s, "provider.example", "/nowhere/ca.pem");
	assert_bad(&got, ERR_FAILED, "/nowhere/ca.pem");
	got_done(&got);
	snprintf(path, sizeof(path), "%s/empty", folder.path);
	f = fopen(path, "w");
	fclose(f);
	ask_for(*state, &got, &s, "provider.example", path);
	assert_bad(&got, ERR_FAILED, path);
	got_done(&got);
	unlink(path);
	tls_server_close(&s);
	assert_int_equal(s.n_requests, 0);
}

static void test_old_tls(void **state)
{
	struct tls_server s;
	struct got got;

	tls_server_open(&s, "provider.example", -DAY, DAY);
	SSL_CTX_set_min_proto_version(s.context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(s.context, TLS1_1_VERSION);
	ask_for(*state, &got, &s, "provider.example", folder.ours.file);
	assert_bad(&got, ERR_FAILED, "https://provider.example:");
	got_done(&got);
	tls_server_close(&s);
	assert_int_equal(s.n_requests, 0);
}

/* Nothing of it is a signal, which would end the agent. */
static void test_hanging_up(void **state)
{
	char *body = calloc(1, HTTPC_REQUEST_MAX), url[URL_TEXT_MAX];
	struct tls_server s;
	struct got got;

	tls_server_open(&s, "provider.example", -DAY, DAY);
	s.hangs_up = true;
	snprintf(url, sizeof(url), "https://provider.example:%u/", s.at.port);
	for (int i = 0; i < 3; i++) {
		ask(&got, *state,
		    &(struct httpc_request){.url = url,
					    .peer = &s.at,
					    .ca_file = folder.ours.file,
					    .body = {body, HTTPC_REQUEST_MAX}});
		assert_bad(&got, ERR_RESET, "https://provider.example:");
		got_done(&got);
	}
	tls_server_close(&s);
	free(body);
}

static void test_plain_and_tls_mixed_up(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server plain;
	struct tls_server s;
	struct got got;

	server_open(&plain, w, NULL, STAYS);
	plain.greeting = "HTTP/1.1 400 what is this\r\n\r\n";
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", plain.port);
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_bad(&got, ERR_FAILED, "https://127.0.0.1:");
	got_done(&got);
	server_close(&plain);

	tls_server_open(&s, "provider.example", -DAY, DAY);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", s.at.port);
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_true(got.answer.r == -ERR_RESET || got.answer.r == -ERR_INVALID);
	got_done(&got);
	tls_server_close(&s);
}

/* Ours among the system's: in a directory by hash, put over theirs for this process alone. */
static void test_system_certificates(void **state)
{
	struct tls_server s;
	struct got got;
	char link[96];

	if (unshare(CLONE_NEWNS) < 0)
		skip();
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(link, sizeof(link), "%s/%08lx.0", folder.path,
		 X509_subject_name_hash(folder.ours.certificate));
	assert_int_equal(symlink("ours", link), 0);
	if (mount(folder.path, "/etc/ssl/certs", NULL, MS_BIND, NULL) < 0) {
		unlink(link);
		skip();
	}
	tls_server_open(&s, "provider.example", -DAY, DAY);
	ask_for(*state, &got, &s, "provider.example", NULL);
	assert_good(&got, 200, "ok");
	got_done(&got);
	ask_for(*state, &got, &s, "provider.example", folder.other.file); /* and nobody else */
	assert_int_equal(got.answer.r, -ERR_DENIED);
	got_done(&got);
	tls_server_close(&s);
	umount("/etc/ssl/certs");
	unlink(link);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_init, world_done)
	const struct CMUnitTest tests[] = {
		T(test_good),
		T(test_address),
		T(test_denied),
		T(test_bad_ca_file),
		T(test_old_tls),
		T(test_hanging_up),
		T(test_plain_and_tls_mixed_up),
		T(test_system_certificates),
	};
#undef T

	return cmocka_run_group_tests(tests, folder_init, folder_done);
}
