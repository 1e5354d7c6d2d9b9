#include "cli/qr.h"

#include <qrencode.h>

#define QUIET                                                                                      \
	2 /* modules around it; the standard says 4, phones read 2 and terminals are small         \
	   */

static bool is_dark(const QRcode *qr, int x, int y)
{
	if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
		return false;
	return qr->data[y * qr->width + x] & 1;
}

/* Two rows of modules are one line; what is light is drawn, on black. */
static const char *half_block(bool upper_dark, bool lower_dark)
{
	if (upper_dark)
		return lower_dark ? " " : "▄";
	return lower_dark ? "▀" : "█";
}

bool qr_print(FILE *out, const char *text)
{
	QRcode *qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (!qr)
		return false;
	for (int y = -QUIET; y < qr->width + QUIET; y += 2) {
		fputs("\033[40;97m", out);
		for (int x = -QUIET; x < qr->width + QUIET; x++)
			fputs(half_block(is_dark(qr, x, y), is_dark(qr, x, y + 1)), out);
		fputs("\033[0m\n", out);
	}
	QRcode_free(qr);
	return true;
}
