/* An agent's bytes into a gateway's carrier, in pieces of any size. */
#include "fuzz.h"

#include "carrier_owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return owner_fuzz(CARRIER_GATEWAY, bytes, len);
}
