#include "origin/feed/shelf.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/map.h"
#include "base/sys/random.h"
#include "origin/feed/order.h"

#include <stdlib.h>

/* Numbers of one tag or owner, in the shelf's order of adding until sealed. */
struct group {
    uint32_t *numbers; /* owned */
    size_t n;
    size_t room;
};

struct origin_shelf {
    struct origin_shelf_video *videos; /* owned */
    uint32_t n;
    uint32_t room;
    int64_t now_ms;
    struct fb_map *by_seq;   /* to videos' numbers + 1, as pointers */
    struct fb_map *by_owner; /* to struct group, owned */
    struct fb_map *by_tag;   /* likewise */
    uint32_t n_owners;
    struct group orders[ORIGIN_SHELF_N_ORDERS];
};

enum { ROOM_MIN = 256, GROUP_ROOM_MIN = 4, TEXT_MAX = 128 };

struct origin_shelf *origin_shelf_new(int64_t now_ms)
{
    struct origin_shelf *shelf = FB_NEW(struct origin_shelf);
    uint64_t seed = fb_random_u64();

    shelf->now_ms = now_ms;
    shelf->by_seq = fb_map_new(seed);
    shelf->by_owner = fb_map_new(seed);
    shelf->by_tag = fb_map_new(seed);
    return shelf;
}

static void groups_free(struct fb_map *groups)
{
    struct fb_str key;
    size_t cursor = 0;
    void *value = NULL;

    while (fb_map_next(groups, &cursor, &key, &value)) {
        fb_free(((struct group *)value)->numbers);
        fb_free(value);
    }
    fb_map_free(groups);
}

void origin_shelf_free(struct origin_shelf *shelf)
{
    if (shelf == NULL) {
        return;
    }
    for (size_t i = 0; i < ORIGIN_SHELF_N_ORDERS; i++) {
        fb_free(shelf->orders[i].numbers);
    }
    groups_free(shelf->by_tag);
    groups_free(shelf->by_owner);
    fb_map_free(shelf->by_seq);
    fb_free(shelf->videos);
    fb_free(shelf);
}

/* ---- filling --------------------------------------------------------------------- */

static void group_append(struct group *group, uint32_t number)
{
    if (group->n == group->room) {
        group->room = FB_MAX(2 * group->room, (size_t)GROUP_ROOM_MIN);
        group->numbers = fb_realloc(group->numbers, group->room * sizeof(*group->numbers));
    }
    group->numbers[group->n++] = number;
}

static struct group *group_of(struct fb_map *groups, struct fb_str key)
{
    struct group *group = fb_map_find(groups, key);

    if (group == NULL) {
        group = FB_NEW(struct group);
        (void)fb_map_put(groups, key, group);
    }
    return group;
}

static struct fb_str seq_key(const int64_t *seq)
{
    return (struct fb_str){(const char *)seq, sizeof(*seq)};
}

static struct fb_str tag_key(const uint32_t *tag)
{
    return (struct fb_str){(const char *)tag, sizeof(*tag)};
}

uint32_t origin_shelf_add(struct origin_shelf *shelf, const struct origin_shelf_video *video)
{
    uint32_t number = shelf->n;

    if (number == ORIGIN_SHELF_MAX || fb_map_find(shelf->by_seq, seq_key(&video->seq)) != NULL) {
        return ORIGIN_SHELF_MAX;
    }
    if (number == shelf->room) {
        shelf->room = FB_MAX(2 * shelf->room, (uint32_t)ROOM_MIN);
        shelf->videos = fb_realloc(shelf->videos, shelf->room * sizeof(*shelf->videos));
    }
    struct group *owned = group_of(shelf->by_owner, origin_id_str(&video->owner));
    struct origin_shelf_video *copy = &shelf->videos[shelf->n++];
    *copy = *video;
    copy->owner_number =
        owned->n == 0 ? shelf->n_owners++ : shelf->videos[owned->numbers[0]].owner_number;
    group_append(owned, number);
    for (size_t i = 0; i < copy->n_tags; i++) {
        group_append(group_of(shelf->by_tag, tag_key(&copy->tags[i])), number);
    }
    (void)fb_map_put(shelf->by_seq, seq_key(&video->seq), (void *)((uintptr_t)number + 1));
    return number;
}

/* ---- ordering --------------------------------------------------------------------- */

/* What qsort_r() is given: numbers, and the shelf that they are of. */
static const struct origin_shelf_video *ordered_video(const void *number, const void *shelf)
{
    return &((const struct origin_shelf *)shelf)->videos[*(const uint32_t *)number];
}

static int newest_compare(const void *left, const void *right, void *shelf)
{
    return origin_feed_order((double)ordered_video(left, shelf)->published_ms,
                             (double)ordered_video(right, shelf)->published_ms,
                             *(const uint32_t *)left, *(const uint32_t *)right);
}

static int watched_compare(const void *left, const void *right, void *shelf)
{
    const struct origin_shelf_video *a = ordered_video(left, shelf);
    const struct origin_shelf_video *b = ordered_video(right, shelf);

    if (a->views_today != b->views_today) {
        return a->views_today > b->views_today ? -1 : 1;
    }
    return origin_feed_order((double)a->views, (double)b->views, *(const uint32_t *)left,
                             *(const uint32_t *)right);
}

static int trend_compare(const void *left, const void *right, void *shelf)
{
    return origin_feed_order(ordered_video(left, shelf)->trend, ordered_video(right, shelf)->trend,
                             *(const uint32_t *)left, *(const uint32_t *)right);
}

static void group_sort(struct origin_shelf *shelf, struct group *group,
                       int (*compare)(const void *, const void *, void *))
{
    if (group->n > 1) {
        qsort_r(group->numbers, group->n, sizeof(*group->numbers), compare, shelf);
    }
}

static void groups_sort(struct origin_shelf *shelf, struct fb_map *groups,
                        int (*compare)(const void *, const void *, void *))
{
    struct fb_str key;
    size_t cursor = 0;
    void *value = NULL;

    while (fb_map_next(groups, &cursor, &key, &value)) {
        struct group *group = value;
        group_sort(shelf, group, compare);
        group->n = FB_MIN(group->n, (size_t)ORIGIN_SHELF_TAGGED_MAX);
    }
}

void origin_shelf_seal(struct origin_shelf *shelf)
{
    struct group *orders = shelf->orders;

    for (uint32_t i = 0; i < shelf->n; i++) {
        group_append(&orders[ORIGIN_SHELF_NEWEST], i);
        group_append(&orders[ORIGIN_SHELF_WATCHED], i);
        if (shelf->videos[i].trend > 0) {
            group_append(&orders[ORIGIN_SHELF_TRENDING], i);
        }
    }
    group_sort(shelf, &orders[ORIGIN_SHELF_NEWEST], newest_compare);
    group_sort(shelf, &orders[ORIGIN_SHELF_WATCHED], watched_compare);
    group_sort(shelf, &orders[ORIGIN_SHELF_TRENDING], trend_compare);
    groups_sort(shelf, shelf->by_tag, watched_compare);
    groups_sort(shelf, shelf->by_owner, newest_compare);
}

/* ---- asking ------------------------------------------------------------------------ */

uint32_t origin_shelf_count(const struct origin_shelf *shelf)
{
    return shelf->n;
}

int64_t origin_shelf_now_ms(const struct origin_shelf *shelf)
{
    return shelf->now_ms;
}

const struct origin_shelf_video *origin_shelf_at(const struct origin_shelf *shelf, uint32_t number)
{
    FB_REQUIRE(number < shelf->n);
    return &shelf->videos[number];
}

bool origin_shelf_find_seq(const struct origin_shelf *shelf, int64_t seq, uint32_t *ret_number)
{
    void *found = fb_map_find(shelf->by_seq, seq_key(&seq));

    if (found == NULL) {
        return false;
    }
    *ret_number = (uint32_t)((uintptr_t)found - 1);
    return true;
}

static const uint32_t *group_list(const struct group *group, size_t *ret_n)
{
    *ret_n = group == NULL ? 0 : group->n;
    return group == NULL ? NULL : group->numbers;
}

const uint32_t *origin_shelf_in(const struct origin_shelf *shelf, enum origin_shelf_order order,
                                size_t *ret_n)
{
    return group_list(&shelf->orders[order], ret_n);
}

const uint32_t *origin_shelf_tagged(const struct origin_shelf *shelf, uint32_t tag, size_t *ret_n)
{
    return group_list(fb_map_find(shelf->by_tag, tag_key(&tag)), ret_n);
}

const uint32_t *origin_shelf_owned(const struct origin_shelf *shelf, const struct origin_id *owner,
                                   size_t *ret_n)
{
    return group_list(fb_map_find(shelf->by_owner, origin_id_str(owner)), ret_n);
}

uint32_t origin_shelf_hash(struct fb_str text)
{
    char lower[TEXT_MAX];
    struct fb_str head = fb_str_first(text, sizeof(lower));

    fb_str_put_lower(lower, head);
    uint32_t hash = (uint32_t)fb_str_hash((struct fb_str){lower, head.len}, 0);
    return hash == 0 ? 1 : hash;
}
