/* A gateway's bytes into an agent's carrier, in pieces of any size. */
#include "fuzz.h"

#include "carrier_owner.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return owner_fuzz(CARRIER_AGENT, bytes, len);
}
