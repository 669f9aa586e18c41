/*
 * Search and suggestions.
 */
#include "origin/search/search.h"

#include "base/core/text.h"
#include "origin/api/api_internal.h"
#include "origin/search/query.h"

#include <inttypes.h>

enum { TAG_BYTES_MAX = ORIGIN_API_TAG_MAX * ORIGIN_API_UTF8_MAX };

static const int64_t minute_ms = INT64_C(60000);
static const int64_t day_ms = INT64_C(86400000);

static struct fb_str param(struct fb_call *call, const char *name)
{
    return fb_query_param(call->request->query, call->arena, fb_str_from(name));
}

/* Who searches need not be known: the address answers for it. */
static int allow(const struct origin_api *api, struct fb_call *call)
{
    struct fb_address peer = origin_api_peer(api, call);
    struct origin_quota quota;

    FB_IGNORE(origin_search_spend(api->options.search, &peer, &quota)); /* quota says it */
    return origin_api_quota(call, "searches", &quota);
}

static void refuse_query(struct fb_call *call, int err)
{
    if (err == FB_E_LIMIT) {
        fb_call_problem(call, 400, "bad-query", "The query must have at most %d bytes.",
                        ORIGIN_QUERY_BYTES_MAX);
    } else if (err == FB_E_MALFORMED) {
        fb_call_problem(call, 400, "bad-query", "The query must be text in UTF-8.");
    } else if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 400, "bad-query", "The query must have a word or a number.");
    } else if (err == FB_E_EXPIRED) {
        FB_IGNORE(origin_api_bad_cursor(call)); /* it answers */
    } else {
        origin_api_broken(call, err, "search");
    }
}

/* ---- what is asked ----------------------------------------------------------------- */

static int read_duration(struct fb_call *call, struct origin_search_query *filter)
{
    struct fb_str text = param(call, "duration");

    if (fb_str_equal(text, FB_STR("short"))) {
        filter->max_ms = 4 * minute_ms;
    } else if (fb_str_equal(text, FB_STR("medium"))) {
        filter->min_ms = 4 * minute_ms;
        filter->max_ms = 20 * minute_ms;
    } else if (fb_str_equal(text, FB_STR("long"))) {
        filter->min_ms = 20 * minute_ms;
    } else if (text.ptr != NULL) {
        fb_call_problem(call, 400, "bad-filter", "The duration must be short, medium or long.");
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static int read_age(struct fb_call *call, int64_t *age_ms)
{
    static const struct {
        const char *name;
        int days;
    } ages[] = {{"day", 1}, {"week", 7}, {"month", 30}, {"year", 365}};
    struct fb_str text = param(call, "age");

    for (size_t i = 0; i < FB_ARRAY_LEN(ages); i++) {
        if (fb_str_equal(text, fb_str_from(ages[i].name))) {
            *age_ms = ages[i].days * day_ms;
            return FB_OK;
        }
    }
    if (text.ptr != NULL) {
        fb_call_problem(call, 400, "bad-filter", "The age must be day, week, month or year.");
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static int read_names(struct fb_call *call, struct origin_search_query *filter)
{
    struct fb_str tag = param(call, "tag");

    filter->category = param(call, "category");
    if (filter->category.len > ORIGIN_API_CATEGORY_MAX || tag.len > TAG_BYTES_MAX ||
        !fb_text_is_utf8(filter->category) || !fb_text_is_utf8(tag)) {
        fb_call_problem(call, 400, "bad-filter", "There is no such tag or category.");
        return FB_E_MALFORMED;
    }
    if (tag.ptr != NULL) {
        char *lower = fb_arena_alloc(call->arena, tag.len + 1);
        fb_str_put_lower(lower, tag);
        filter->tag = (struct fb_str){lower, tag.len};
    }
    return FB_OK;
}

/* A cursor's "<query>:<now>:<score>:<seq>", all in decimal. */
static int read_place(struct fb_call *call, struct origin_search_place *place)
{
    struct fb_str rest;
    uint64_t numbers[4] = {0};

    int err = origin_api_cursor(call, FB_STR("search:"), &rest);
    if (err < 0 || rest.ptr == NULL) {
        return err;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        struct fb_str part;
        if (!fb_str_cut(&rest, ':', &part) || fb_str_to_u64(part, &numbers[i]) < 0) {
            return origin_api_bad_cursor(call);
        }
    }
    if (rest.len > 0 || numbers[0] == 0 || numbers[1] > INT64_MAX || numbers[3] > INT64_MAX) {
        return origin_api_bad_cursor(call);
    }
    *place = (struct origin_search_place){.query = numbers[0],
                                          .now_ms = (int64_t)numbers[1],
                                          .score = numbers[2],
                                          .seq = (int64_t)numbers[3]};
    return FB_OK;
}

/* ---- what is answered -------------------------------------------------------------- */

void origin_api_search(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_search_ask ask = {.text = param(call, "q")};
    struct origin_search_page page;

    if (allow(api, call) < 0 || read_duration(call, &ask.filter) < 0 ||
        read_age(call, &ask.age_ms) < 0 || read_names(call, &ask.filter) < 0 ||
        read_place(call, &ask.place) < 0 || origin_api_limit(call, &ask.limit) < 0) {
        return;
    }
    int err = origin_search_find(api->options.search, call->arena, &ask, &page);
    if (err < 0) {
        refuse_query(call, err);
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "videos");
    for (size_t i = 0; i < page.n; i++) {
        origin_api_video_add(api, call, items, &page.videos[i], false);
    }
    fb_json_set_str(root, "corrected", page.corrected);
    if (page.has_more) {
        origin_api_next_cursor(root, "search:%" PRIu64 ":%" PRId64 ":%" PRIu64 ":%" PRId64,
                               page.next.query, page.next.now_ms, page.next.score, page.next.seq);
    } else {
        fb_json_set_null(root, "next_cursor");
    }
    origin_api_reply(call, 200, root);
}

void origin_api_suggest(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_suggestions found;

    if (allow(api, call) < 0) {
        return;
    }
    int err = origin_search_suggest(api->options.search, call->arena, param(call, "q"), &found);
    if (err < 0) {
        refuse_query(call, err);
        return;
    }
    struct fb_json *videos = fb_json_set_array(root, "videos");
    for (size_t i = 0; i < found.n_videos; i++) {
        struct fb_json *item = fb_json_add_object(videos);
        fb_json_set_text(item, "id", found.videos[i].id.text);
        fb_json_set_str(item, "title", found.videos[i].title);
    }
    struct fb_json *tags = fb_json_set_array(root, "tags");
    for (size_t i = 0; i < found.n_tags; i++) {
        struct fb_json *item = fb_json_add_object(tags);
        fb_json_set_str(item, "tag", found.tags[i].name);
        fb_json_set_int(item, "videos", found.tags[i].weight);
    }
    struct fb_json *users = fb_json_set_array(root, "users");
    for (size_t i = 0; i < found.n_users; i++) {
        struct fb_json *item = fb_json_add_object(users);
        fb_json_set_str(item, "id", found.users[i].ref);
        fb_json_set_str(item, "name", found.users[i].name);
        fb_json_set_int(item, "followers", found.users[i].weight);
    }
    origin_api_reply(call, 200, root);
}
