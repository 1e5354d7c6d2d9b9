#include "base/secret.h"

#include <stdint.h>
#include <string.h>

void secret_wipe(void *bytes, size_t len)
{
	explicit_bzero(bytes, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *pa = a, *pb = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (uint8_t)(pa[i] ^ pb[i]);
	return difference == 0;
}
