/* The picture of a QR code: the modules that every code has (ISO/IEC 18004) stand where they belong. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "qr.h"

enum { QUIET = 4, MODULES_MAX = 177 + 2 * QUIET };

struct picture {
    int size; /* modules, quiet zone and all */
    bool dark[MODULES_MAX][MODULES_MAX];
};

/* Draws what the second path says: M x y h len v1 h -len z. */
static void draw(const char *svg, struct picture *ret)
{
    const char *box = strstr(svg, "viewBox=\"0 0 "), *path = strstr(svg, "<path d=\"");
    assert_non_null(box);
    assert_non_null(path);
    *ret = (struct picture){.size = atoi(box + strlen("viewBox=\"0 0 "))};
    assert_in_range(ret->size, 21 + 2 * QUIET, MODULES_MAX);
    int x, y, len, back, used = 0;
    for (path += strlen("<path d=\""); *path == 'M'; path += used) {
        assert_int_equal(sscanf(path, "M%d %dh%dv1h-%dz%n", &x, &y, &len, &back, &used), 4);
        assert_true(len == back && len > 0 && x >= 0 && y >= 0 && x + len <= ret->size && y < ret->size);
        for (int i = 0; i < len; i++)
            ret->dark[y][x + i] = true;
    }
    assert_string_equal(path, "\"/></svg>\n");
}

/* Rings: dark outside, light, a dark core of 3 by 3. */
static void has_finder(const struct picture *picture, int left, int top)
{
    for (int y = 0; y < 7; y++) {
        for (int x = 0; x < 7; x++) {
            bool edge = x == 0 || x == 6 || y == 0 || y == 6, core = x >= 2 && x <= 4 && y >= 2 && y <= 4;
            assert_int_equal(picture->dark[top + y][left + x], edge || core);
        }
    }
}

static void a_picture_has_what_every_code_has(void **state)
{
    (void)state;
    static const char *const texts[] = {"A", "https://op.example/device?user_code=WDJB-MJHT",
                                        "https://a-very-long-name.of-a-provider.example/tenants/number/one/device?user_code=WDJB-MJHT"};
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *svg;
        static struct picture picture;
        assert_int_equal(qr_svg(ctx, texts[i], &svg), OP_OK);
        draw(svg, &picture);
        int end = picture.size - QUIET;
        assert_int_equal((picture.size - 2 * QUIET - 17) % 4, 0);
        has_finder(&picture, QUIET, QUIET);
        has_finder(&picture, end - 7, QUIET);
        has_finder(&picture, QUIET, end - 7);
        for (int n = QUIET + 8; n < end - 8; n++) { /* the timing patterns */
            assert_int_equal(picture.dark[QUIET + 6][n], (n - QUIET) % 2 == 0);
            assert_int_equal(picture.dark[n][QUIET + 6], (n - QUIET) % 2 == 0);
        }
        for (int n = 0; n < picture.size; n++)
            for (int q = 0; q < QUIET; q++)
                assert_false(picture.dark[q][n] || picture.dark[n][q] || picture.dark[picture.size - 1 - q][n] ||
                             picture.dark[n][picture.size - 1 - q]);
        assert_null(strstr(svg, "style"));
    }
    talloc_free(ctx);
}

static void other_texts_are_other_pictures(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *one, *two, *again;
    assert_int_equal(qr_svg(ctx, "https://op.example/device?user_code=WDJB-MJHT", &one), OP_OK);
    assert_int_equal(qr_svg(ctx, "https://op.example/device?user_code=WDJB-MJHV", &two), OP_OK);
    assert_int_equal(qr_svg(ctx, "https://op.example/device?user_code=WDJB-MJHT", &again), OP_OK);
    assert_string_not_equal(one, two);
    assert_string_equal(one, again);
    talloc_free(ctx);
}

static void more_than_a_code_holds_is_too_large(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = mem_array(ctx, char, 4001), *svg = NULL;
    memset(text, 'a', 4000);
    assert_int_equal(qr_svg(ctx, text, &svg), OP_TOO_LARGE);
    assert_null(svg);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_has_what_every_code_has),
        cmocka_unit_test(other_texts_are_other_pictures),
        cmocka_unit_test(more_than_a_code_holds_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
