#include "qr.h"

#include <qrencode.h>

#include "base/buf.h"

enum { QUIET = 4, DARK = 1, PIXELS = 8 }; /* modules around it; of a byte; of a module, where nobody scales it */

/* The dark modules of a row, a rectangle for each run of them. */
static void add_row(struct buf *out, const unsigned char *row, int width, int y)
{
    for (int x = 0, end; x < width; x = end) {
        for (end = x + 1; end < width && (row[end] & DARK) == (row[x] & DARK); end++)
            ;
        if (row[x] & DARK)
            buf_printf(out, "M%d %dh%dv1h-%dz", QUIET + x, QUIET + y, end - x, end - x);
    }
}

enum op_err qr_svg(const void *ctx, const char *text, char **ret)
{
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (code == NULL)
        return OP_TOO_LARGE;
    struct buf out = buf_make(ctx);
    int size = code->width + 2 * QUIET;
    buf_printf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                     "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dh-%dz\"/><path d=\"",
               size * PIXELS, size * PIXELS, size, size, size, size, size);
    for (int y = 0; y < code->width; y++)
        add_row(&out, code->data + (size_t)y * (size_t)code->width, code->width, y);
    buf_add(&out, "\"/></svg>\n");
    QRcode_free(code);
    *ret = buf_string(&out);
    return OP_OK;
}
