#pragma once
/* QR codes. The one home of qrencode.h. Pure; nothing blocks. */
#include "base/err.h"
#include "base/mem.h"

/* Text as a black and white SVG picture, with its quiet zone. Owned by ctx. OP_TOO_LARGE: more than a code holds. */
must_check enum op_err qr_svg(const void *ctx, const char *text, char **ret);
