#include "state/identity.h"

#include "base/secret.h"
#include "state/folder.h"

static void wipe_buf(struct buf *pem)
{
	if (pem->bytes)
		secret_wipe(pem->bytes, pem->size);
	buf_done(pem);
}

static int identity_make(const char *folder, const char *file, struct tls_identity **ret_identity,
			 struct err *e)
{
	AUTO(wipe_buf) struct buf pem = {0};
	struct tls_identity *identity;
	int r = tls_identity_new(&identity, e);

	if (r < 0)
		return r;
	/* Room first: a buffer that grows would leave copies of the key behind. */
	r = buf_reserve(&pem, 4096) ? tls_identity_format(identity, &pem, e)
				    : err_set(e, ERR_NOMEM, "%s", file);
	if (r == 0)
		r = state_write(folder, file, buf_str(&pem), e);
	if (r < 0) {
		tls_identity_free(identity);
		return r;
	}
	*ret_identity = identity;
	return 0;
}

int identity_load(const char *folder, const char *file, struct tls_identity **ret_identity,
		  bool *ret_made, struct err *e)
{
	AUTO(wipe_buf) struct buf pem = {0};
	int r = buf_reserve(&pem, 16384) ? state_read(folder, file, &pem, e)
					 : err_set(e, ERR_NOMEM, "%s", file);

	if (ret_made)
		*ret_made = r == -ERR_NOT_FOUND;
	if (r == -ERR_NOT_FOUND)
		return identity_make(folder, file, ret_identity, e);
	if (r < 0)
		return r;
	r = tls_identity_parse(buf_str(&pem), ret_identity, e);
	return r < 0 ? err_wrap(e, r, "%s/%s", folder, file) : 0;
}
