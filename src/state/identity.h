/* The private key of an agent or gateway, kept in its state folder. */
#pragma once

#include "net/tls.h"

/*
 * Read the key from folder/file, or make one and store it there when there is none: then *ret_made
 * (may be NULL) is true. Blocking. A file that holds no key is an error, not a reason to make
 * another: the key is the identity.
 */
int identity_load(const char *folder, const char *file, struct tls_identity **ret_identity,
		  bool *ret_made, struct err *e) MUST_CHECK;
