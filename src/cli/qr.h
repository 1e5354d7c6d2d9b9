/* A QR code on a terminal. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Draw `text` with half blocks, light on dark whatever the terminal's colours, with its quiet zone.
 * False: too long for a code, or no memory; nothing is drawn. */
bool qr_print(FILE *out, const char *text);
