#include "origin/catalog/comments.h"
#include "origin/catalog/shares.h"
#include "published.h"

static int add_once(struct fixture *f, const struct origin_comment_new *comment, const char *key,
                    struct fb_str *earlier)
{
    struct origin_once once = {.key = key != NULL ? fb_str_from(key) : FB_STR_NONE,
                               .answer = fb_str_from(comment->id.text)};
    fb_sha256(comment->text, once.fingerprint);
    return origin_catalog_comment_add(f->catalog, &f->arena, comment, &once, earlier);
}

static struct origin_comment_new comment_of(struct fixture *f, const struct origin_id *video,
                                            const char *text)
{
    return (struct origin_comment_new){.actor = {.user = f->user},
                                       .id = origin_id_new(),
                                       .video = *video,
                                       .text = fb_str_from(text),
                                       .at_ms = f->clock.wall_now_ms};
}

static struct origin_id add(struct fixture *f, const struct origin_id *video,
                            const struct origin_id *parent)
{
    struct origin_comment_new comment = comment_of(f, video, "text");
    struct fb_str earlier;

    if (parent != NULL) {
        comment.parent = *parent;
    }
    must(add_once(f, &comment, NULL, &earlier));
    return comment.id;
}

static size_t count(struct fixture *f, const struct origin_id *video,
                    const struct origin_id *parent)
{
    struct origin_comment_query query = {.video = *video, .limit = 10};
    struct origin_comment *comments = NULL;
    size_t n = 0;

    if (parent != NULL) {
        query.parent = *parent;
    }
    must(origin_catalog_comment_list(f->catalog, &f->arena, &query, &comments, &n));
    return n;
}

static void a_key_carries_out_one_request_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_comment_new first = comment_of(f, &video, "one");
    struct origin_comment_new again = comment_of(f, &video, "one");
    struct origin_comment_new other = comment_of(f, &video, "two");
    struct fb_str earlier = FB_STR_NONE;

    must(add_once(f, &first, "k", &earlier));
    assert_int_equal(add_once(f, &again, "k", &earlier), FB_E_EXISTS);
    assert_true(fb_str_equal(earlier, fb_str_from(first.id.text)));
    assert_int_equal(add_once(f, &other, "k", &earlier), FB_E_DENIED);
    assert_int_equal(get_video(f, &video).counters.comments, 1);
}

static void a_key_is_forgotten_after_a_day(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_comment_new first = comment_of(f, &video, "one");
    struct origin_comment_new again = comment_of(f, &video, "one");
    struct fb_str earlier = FB_STR_NONE;

    must(add_once(f, &first, "k", &earlier));
    test_clock_advance_ms(&f->clock, ORIGIN_ONCE_KEPT_MS - 1);
    assert_int_equal(add_once(f, &again, "k", &earlier), FB_E_EXISTS);
    test_clock_advance_ms(&f->clock, 1);
    must(add_once(f, &again, "k", &earlier));
}

static void what_fails_keeps_no_answer(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id nothing = origin_id_new();
    struct origin_comment_new lost = comment_of(f, &nothing, "one");
    struct origin_comment_new good = comment_of(f, &video, "one");
    struct fb_str earlier = FB_STR_NONE;

    assert_int_equal(add_once(f, &lost, "k", &earlier), FB_E_CONFLICT);
    must(add_once(f, &good, "k", &earlier));
}

static void replies_belong_to_a_comment_of_the_same_video(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id other = publish(f, "T", "[]");
    struct origin_id first = add(f, &video, NULL);
    struct origin_id reply = add(f, &video, &first);
    struct origin_comment comment;
    struct fb_str earlier;

    must(origin_catalog_comment_get(f->catalog, &f->arena, &first, &comment));
    assert_int_equal(comment.replies, 1);
    assert_int_equal(count(f, &video, NULL), 1);
    assert_int_equal(count(f, &video, &first), 1);
    struct origin_comment_new wrong = comment_of(f, &other, "x");
    wrong.parent = first;
    assert_int_equal(add_once(f, &wrong, NULL, &earlier), FB_E_CONFLICT);
    struct origin_comment_new deep = comment_of(f, &video, "x");
    deep.parent = reply;
    assert_int_equal(add_once(f, &deep, NULL, &earlier), FB_E_CONFLICT);
    assert_int_equal(get_video(f, &video).counters.comments, 2);
}

static void a_removed_comment_stays_while_it_has_replies(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id first = add(f, &video, NULL);
    struct origin_id reply = add(f, &video, &first);
    struct origin_comment comment;

    must(origin_catalog_comment_remove(f->catalog, &first));
    must(origin_catalog_comment_remove(f->catalog, &first));
    assert_int_equal(origin_catalog_comment_get(f->catalog, &f->arena, &first, &comment),
                     FB_E_NOT_FOUND);
    assert_int_equal(count(f, &video, NULL), 1);
    assert_int_equal(get_video(f, &video).counters.comments, 1);
    must(origin_catalog_comment_remove(f->catalog, &reply));
    assert_int_equal(count(f, &video, NULL), 0);
    assert_int_equal(get_video(f, &video).counters.comments, 0);
}

static void a_share_with_a_key_counts_once(void **state)
{
    struct fixture *f = *state;
    struct origin_share share = {
        .actor = {.user = f->user}, .video = publish(f, "T", "[]"), .channel = FB_STR("link")};
    struct origin_once once = {.key = FB_STR("k"), .answer = FB_STR("{}")};
    struct origin_once none = {.key = FB_STR_NONE};
    struct fb_str earlier = FB_STR_NONE;

    must(origin_catalog_share_add(f->catalog, &f->arena, &share, &once, &earlier));
    assert_int_equal(origin_catalog_share_add(f->catalog, &f->arena, &share, &once, &earlier),
                     FB_E_EXISTS);
    assert_true(fb_str_equal(earlier, FB_STR("{}")));
    must(origin_catalog_share_add(f->catalog, &f->arena, &share, &none, &earlier));
    must(origin_catalog_share_add(f->catalog, &f->arena, &share, &none, &earlier));
    assert_int_equal(get_video(f, &share.video).counters.shares, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_carries_out_one_request_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_forgotten_after_a_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_fails_keeps_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replies_belong_to_a_comment_of_the_same_video, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_removed_comment_stays_while_it_has_replies, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_share_with_a_key_counts_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
