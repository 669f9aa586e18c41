#include "base/core/err.h"
#include "edge/store/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WALL_MS ((int64_t)1767225600000)
#define BIRTH   ((uint64_t)0x0000019b77320a5b)

/* Bytes before the status: version, birth, and the tags with their length. */
enum { TAGS_LEN = 5, STATUS_AT = 1 + 8 + 4 + TAGS_LEN };

struct fixture {
    struct fb_arena arena;
    struct fb_buf bytes;
    struct edge_object_head head;
};

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    f.head = (struct edge_object_head){
        .key = FB_STR("a/k"),
        .vary = FB_STR("Accept"),
        .variant = FB_STR("accept:a\n"),
        .tags = FB_STR("s7, a"),
        .status = 404,
        .is_planned = true,
        .is_prefetched = true,
        .terms =
            {
                .class = EDGE_CLASS_SEGMENT,
                .received_ms = 5000,
                .initial_age_ms = 7000,
                .lifetime_ms = EDGE_YEAR_MS,
                .while_revalidate_ms = 11000,
                .if_error_ms = 13000,
                .must_revalidate = true,
                .is_immutable = true,
                .has_guarded = true,
            },
    };
    fb_headers_add(&f.head.headers, &f.arena, FB_STR("Vary"), FB_STR("Accept"));
    fb_headers_add(&f.head.headers, &f.arena, FB_STR("ETag"), FB_STR("\"1\""));
    fb_headers_add(&f.head.headers, &f.arena, FB_STR("X-Empty"), FB_STR(""));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_buf_done(&f->bytes);
    fb_arena_done(&f->arena);
    return 0;
}

static struct edge_moment moment(int64_t mono_ms, int64_t since_ms)
{
    return (struct edge_moment){.mono_ms = mono_ms, .wall_ms = WALL_MS + since_ms};
}

static int decode(struct fixture *f, struct edge_moment now, struct edge_meta *meta)
{
    return edge_meta_decode(fb_buf_str(&f->bytes), now, &f->arena, meta);
}

static void a_head_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct edge_terms *want = &f->head.terms;
    struct edge_meta meta;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    assert_int_equal(decode(f, moment(6000, 0), &meta), FB_OK);
    assert_int_equal(meta.birth, BIRTH);
    assert_true(meta.is_planned);
    assert_true(meta.is_prefetched);
    assert_true(fb_str_equal(meta.tags, f->head.tags));
    assert_int_equal(meta.status, 404);
    assert_true(fb_str_equal(meta.vary, f->head.vary));
    assert_true(fb_str_equal(meta.variant, f->head.variant));
    assert_int_equal(meta.headers.n, 3);
    for (size_t i = 0; i < meta.headers.n; i++) {
        assert_true(fb_str_equal(meta.headers.items[i].name, f->head.headers.items[i].name));
        assert_true(fb_str_equal(meta.headers.items[i].value, f->head.headers.items[i].value));
    }
    assert_int_equal(meta.terms.class, want->class);
    assert_int_equal(meta.terms.received_ms, want->received_ms);
    assert_int_equal(meta.terms.initial_age_ms, want->initial_age_ms);
    assert_int_equal(meta.terms.lifetime_ms, want->lifetime_ms);
    assert_int_equal(meta.terms.while_revalidate_ms, want->while_revalidate_ms);
    assert_int_equal(meta.terms.if_error_ms, want->if_error_ms);
    assert_true(meta.terms.must_revalidate);
    assert_false(meta.terms.always_validate);
    assert_true(meta.terms.is_immutable);
    assert_true(meta.terms.has_guarded);
}

/* Volumes that were written by earlier releases. */
static void a_head_of_version_1_was_born_before_all_purges(void **state)
{
    static const char bytes[] = "\x01\xc8\x00\x01\x04"
                                "\xe8\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                "\x60\xea\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                "\x00\x00\x00\x00\x00\x00\x00\x00"
                                "\x00\x00\x00\x00\x00\x00\x00\x00"
                                "\x01\x00\x00\x00"
                                "\x04\x00\x00\x00"
                                "ETag\x03\x00\x00\x00\"1\"";
    struct fixture *f = *state;
    struct edge_meta meta;

    fb_buf_append(&f->bytes, (struct fb_str){bytes, sizeof(bytes) - 1});
    assert_int_equal(decode(f, moment(6000, 0), &meta), FB_OK);
    assert_int_equal(meta.birth, 0);
    assert_int_equal(meta.tags.len, 0);
    assert_int_equal(meta.status, 200);
    assert_int_equal(meta.terms.class, EDGE_CLASS_SEGMENT);
    assert_int_equal(meta.terms.lifetime_ms, 60000);
    assert_int_equal(meta.headers.n, 1);
}

static void version_2_begins_with_birth_and_tags(void **state)
{
    static const char begin[] = "\x02\x5b\x0a\x32\x77\x9b\x01\x00\x00"
                                "\x05\x00\x00\x00s7, a\x94\x01";
    struct fixture *f = *state;
    struct fb_str tags = FB_STR_NONE;
    uint64_t birth = 0;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    assert_memory_equal(f->bytes.ptr, begin, sizeof(begin) - 1);
    assert_int_equal(edge_meta_decode_birth(fb_buf_str(&f->bytes), &birth, &tags), FB_OK);
    assert_int_equal(birth, BIRTH);
    assert_true(fb_str_equal(tags, f->head.tags));
}

static void an_object_grows_older_on_a_drive(void **state)
{
    struct fixture *f = *state;
    struct edge_meta meta;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    /* An hour later, in a machine that has just started. */
    struct edge_moment now = moment(100, 3600000);
    assert_int_equal(decode(f, now, &meta), FB_OK);
    assert_int_equal(edge_terms_age_ms(&meta.terms, now.mono_ms), 7000 + 1000 + 3600000);
}

static void an_object_from_the_future_is_stale(void **state)
{
    struct fixture *f = *state;
    struct edge_meta meta;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    struct edge_moment now = moment(100, -3600000);
    assert_int_equal(decode(f, now, &meta), FB_OK);
    assert_true(edge_terms_left_ms(&meta.terms, now.mono_ms) < 0);
}

static void a_clock_that_was_set_back_a_little_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct edge_meta meta;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    struct edge_moment now = moment(100, -20000);
    assert_int_equal(decode(f, now, &meta), FB_OK);
    assert_int_equal(edge_terms_age_ms(&meta.terms, now.mono_ms), 7000);
}

static void what_is_cut_or_longer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct edge_meta meta;

    edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
    struct fb_str all = fb_buf_str(&f->bytes);
    for (size_t n = 0; n < all.len; n++) {
        assert_int_equal(edge_meta_decode(fb_str_first(all, n), moment(6000, 0), &f->arena, &meta),
                         FB_E_MALFORMED);
    }
    fb_buf_append_byte(&f->bytes, 0);
    assert_int_equal(decode(f, moment(6000, 0), &meta), FB_E_MALFORMED);
}

static void what_no_field_may_hold_is_refused(void **state)
{
    static const struct {
        struct fb_str name;
        struct fb_str value;
    } cases[] = {{FB_STR("a b"), FB_STR("")},
                 {FB_STR(""), FB_STR("x")},
                 {FB_STR("a"), FB_STR("x\r\nb: y")},
                 {FB_STR("a"), FB_STR("\0")}};
    struct fixture *f = *state;
    struct edge_meta meta;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct edge_object_head head = f->head;
        head.headers = (struct fb_headers){0};
        fb_headers_add(&head.headers, &f->arena, cases[i].name, cases[i].value);
        fb_buf_clear(&f->bytes);
        edge_meta_encode(&head, BIRTH, moment(6000, 0), &f->bytes);
        assert_int_equal(decode(f, moment(6000, 0), &meta), FB_E_MALFORMED);
    }
}

static void numbers_out_of_range_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{0, 0},
                 {0, 3},
                 {STATUS_AT - TAGS_LEN, '\n'},
                 {STATUS_AT + 1, 0x7f},
                 {STATUS_AT + 2, 3},
                 {STATUS_AT + 3, 64},
                 {STATUS_AT + 11, 0x80},
                 {STATUS_AT + 19, 0x40},
                 {STATUS_AT + 35, 0xff}};
    struct fixture *f = *state;
    struct edge_meta meta;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        fb_buf_clear(&f->bytes);
        edge_meta_encode(&f->head, BIRTH, moment(6000, 0), &f->bytes);
        f->bytes.ptr[cases[i].at] = (char)cases[i].byte;
        assert_int_equal(decode(f, moment(6000, 0), &meta), FB_E_MALFORMED);
    }
}

#define META_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        META_TEST(a_head_comes_back_as_it_was),
        META_TEST(a_head_of_version_1_was_born_before_all_purges),
        META_TEST(version_2_begins_with_birth_and_tags),
        META_TEST(an_object_grows_older_on_a_drive),
        META_TEST(an_object_from_the_future_is_stale),
        META_TEST(a_clock_that_was_set_back_a_little_does_no_harm),
        META_TEST(what_is_cut_or_longer_is_refused),
        META_TEST(what_no_field_may_hold_is_refused),
        META_TEST(numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
