/* Heads as an independent decoder reads them: libnghttp2's. */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/http2/hpack.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCK_BYTES = 64 * 1024, N_RANDOM_HEADS = 3000, N_RANDOM_FIELDS = 12 };

struct fixture {
    struct fb_hpack hpack;
    nghttp2_hd_inflater *inflater;
    char block[BLOCK_BYTES];
    size_t n_block;
    char values[N_RANDOM_FIELDS][1024];
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    assert_int_equal(nghttp2_hd_inflate_new(&f->inflater), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_hpack_done(&f->hpack);
    nghttp2_hd_inflate_del(f->inflater);
    fb_free(f);
    return 0;
}

static void encode(struct fixture *f, unsigned status, const struct fb_header *fields, size_t n)
{
    char *at = fb_hpack_put_status(f->block, status);

    for (size_t i = 0; i < n; i++) {
        char *begin = at;
        at = fb_hpack_put(&f->hpack, at, &fields[i]);
        assert_true((size_t)(at - begin) <=
                    fields[i].name.len + fields[i].value.len + FB_HPACK_FIELD_ROOM);
    }
    f->n_block = (size_t)(at - f->block);
}

static bool is_field(const nghttp2_nv *nv, struct fb_str name, struct fb_str value)
{
    return fb_str_equal_nocase((struct fb_str){(const char *)nv->name, nv->namelen}, name) &&
           fb_str_equal((struct fb_str){(const char *)nv->value, nv->valuelen}, value);
}

/* Every byte of it is read, and gives the status and the fields, names in lower case. */
static void assert_decodes(struct fixture *f, unsigned status, const struct fb_header *fields,
                           size_t n)
{
    const uint8_t *at = (const uint8_t *)f->block;
    const uint8_t *end = at + f->n_block;
    char digits[8];
    size_t n_seen = 0;
    int flags = 0;

    (void)snprintf(digits, sizeof(digits), "%u", status);
    while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        nghttp2_nv nv;
        ssize_t n_read =
            nghttp2_hd_inflate_hd2(f->inflater, &nv, &flags, at, (size_t)(end - at), 1);
        assert_true(n_read >= 0);
        at += n_read;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            struct fb_str name = n_seen == 0 ? FB_STR(":status") : fields[n_seen - 1].name;
            struct fb_str value = n_seen == 0 ? fb_str_from(digits) : fields[n_seen - 1].value;
            assert_true(n_seen <= n && is_field(&nv, name, value));
            for (size_t i = 0; i < nv.namelen; i++) {
                assert_false(nv.name[i] >= 'A' && nv.name[i] <= 'Z');
            }
            n_seen++;
        }
    }
    assert_int_equal(n_seen, n + 1);
    assert_ptr_equal(at, end);
    assert_int_equal(nghttp2_hd_inflate_end_headers(f->inflater), 0);
}

static void round_trip(struct fixture *f, unsigned status, const struct fb_header *fields, size_t n)
{
    encode(f, status, fields, n);
    assert_decodes(f, status, fields, n);
}

static const struct fb_header usual[] = {
    {FB_STR("Content-Type"), FB_STR("video/mp4")},
    {FB_STR("ETag"), FB_STR("\"1\"")},
    {FB_STR("X-Other"), FB_STR("")},
    {FB_STR("Via"), FB_STR("1.1 box-1")},
    {FB_STR("date"), FB_STR("Sun, 06 Nov 1994 08:49:37 GMT")},
};

static void every_status_is_told(void **state)
{
    struct fixture *f = *state;

    for (unsigned status = 100; status < 600; status++) {
        round_trip(f, status, NULL, 0);
    }
}

static void what_came_before_is_a_byte(void **state)
{
    struct fixture *f = *state;

    round_trip(f, 200, usual, FB_ARRAY_LEN(usual));
    size_t n_first = f->n_block;
    round_trip(f, 200, usual, FB_ARRAY_LEN(usual));
    assert_int_equal(f->n_block, 1 + 4 + 5 + 1); /* the ETag is written out */
    assert_true(n_first > 5 * f->n_block);
}

static void cookies_are_never_kept(void **state)
{
    struct fixture *f = *state;
    const struct fb_header cookie = {FB_STR("Set-Cookie"), FB_STR("a=b")};

    round_trip(f, 200, &cookie, 1);
    assert_int_equal((unsigned char)f->block[1] & 0xf0, 0x10);
    assert_int_equal(f->hpack.n_entries, 0);
}

/* `size` as the library would write it before a head. */
static void resize(struct fixture *f, uint32_t size)
{
    uint8_t update[8];
    size_t n = 0;

    if (size < 31) {
        update[n++] = (uint8_t)(0x20 | size);
    } else {
        update[n++] = 0x3f;
        for (size -= 31; size >= 0x80; size >>= 7) {
            update[n++] = (uint8_t)(0x80 | (size & 0x7f));
        }
        update[n++] = (uint8_t)size;
    }
    memmove(f->block + n, f->block, f->n_block);
    memcpy(f->block, update, n);
    f->n_block += n;
}

static void a_smaller_table_is_kept_to(void **state)
{
    static const uint32_t sizes[] = {0, 64, 200, 2047, 4096, 100};
    struct fixture *f = *state;

    round_trip(f, 200, usual, FB_ARRAY_LEN(usual));
    for (size_t i = 0; i < FB_ARRAY_LEN(sizes); i++) {
        assert_int_equal(nghttp2_hd_inflate_change_table_size(f->inflater, sizes[i]), 0);
        fb_hpack_limit(&f->hpack, sizes[i]);
        encode(f, 200, usual, FB_ARRAY_LEN(usual));
        resize(f, sizes[i]);
        assert_decodes(f, 200, usual, FB_ARRAY_LEN(usual));
        round_trip(f, 404, usual, FB_ARRAY_LEN(usual));
    }
}

static void what_was_forgotten_here_may_be_known_there(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5; i++) {
        round_trip(f, 200, usual, FB_ARRAY_LEN(usual));
        fb_hpack_done(&f->hpack);
    }
}

static void white_space_around_values_is_left_out(void **state)
{
    const struct fb_header padded[] = {{FB_STR("ETag"), FB_STR(" \"1\"\t")},
                                       {FB_STR("Vary"), FB_STR(" Accept")}};
    const struct fb_header plain[] = {{FB_STR("ETag"), FB_STR("\"1\"")},
                                      {FB_STR("Vary"), FB_STR("Accept")}};
    struct fixture *f = *state;
    char *at = fb_hpack_put_status(f->block, 200);

    at = fb_hpack_put_all(&f->hpack, at, padded, FB_ARRAY_LEN(padded));
    f->n_block = (size_t)(at - f->block);
    assert_decodes(f, 200, plain, FB_ARRAY_LEN(plain));
}

static void any_fields_in_any_order_come_as_they_were(void **state)
{
    static const char *const names[] = {"Age",           "Via",          "Date",     "X-A",
                                        "Cache-Control", "Content-Type", "Location", "Server",
                                        "x-b",           "X-B",          "Vary",     "Link"};
    struct fixture *f = *state;
    struct fb_header fields[N_RANDOM_FIELDS];

    srand(7);
    for (unsigned head = 0; head < N_RANDOM_HEADS; head++) {
        size_t n = (size_t)rand() % N_RANDOM_FIELDS;
        for (size_t i = 0; i < n; i++) {
            size_t len = rand() % 20 == 0 ? (size_t)rand() % 1000 : (size_t)rand() % 5;
            memset(f->values[i], 'a' + rand() % 3, len);
            fields[i].name = fb_str_from(names[(size_t)rand() % FB_ARRAY_LEN(names)]);
            fields[i].value = (struct fb_str){f->values[i], len};
        }
        round_trip(f, 200, fields, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_status_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_came_before_is_a_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cookies_are_never_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_smaller_table_is_kept_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_forgotten_here_may_be_known_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(white_space_around_values_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_fields_in_any_order_come_as_they_were, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
