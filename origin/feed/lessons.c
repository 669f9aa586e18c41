#include "origin/feed/lessons.h"

#include "base/core/alloc.h"
#include "base/core/list.h"
#include "base/core/map.h"
#include "base/sys/random.h"

#include <string.h>

enum { KEY_BYTES = 16 };

struct lesson {
    struct fb_list link; /* in lessons->order */
    char key[KEY_BYTES];
    int64_t shown_ms;
    struct origin_features features;
};

struct origin_lessons {
    struct fb_map *by_key; /* of struct lesson, owned */
    struct fb_list order;  /* the first shown first */
};

struct origin_lessons *origin_lessons_new(void)
{
    struct origin_lessons *lessons = FB_NEW(struct origin_lessons);

    lessons->by_key = fb_map_new(fb_random_u64());
    fb_list_init(&lessons->order);
    return lessons;
}

static struct fb_str lesson_key(char key[KEY_BYTES], uint64_t user, int64_t video)
{
    memcpy(key, &user, sizeof(user));
    memcpy(key + sizeof(user), &video, sizeof(video));
    return (struct fb_str){key, KEY_BYTES};
}

static void lesson_forget(struct origin_lessons *lessons, struct lesson *lesson)
{
    (void)fb_map_remove(lessons->by_key, (struct fb_str){lesson->key, KEY_BYTES});
    fb_list_remove(&lesson->link);
    fb_free(lesson);
}

static struct lesson *lessons_oldest(const struct origin_lessons *lessons)
{
    struct fb_list *link = fb_list_first(&lessons->order);
    return link == NULL ? NULL : FB_CONTAINER_OF(link, struct lesson, link);
}

void origin_lessons_free(struct origin_lessons *lessons)
{
    struct lesson *lesson = NULL;

    if (lessons == NULL) {
        return;
    }
    while ((lesson = lessons_oldest(lessons)) != NULL) {
        lesson_forget(lessons, lesson);
    }
    fb_map_free(lessons->by_key);
    fb_free(lessons);
}

void origin_lessons_show(struct origin_lessons *lessons, uint64_t user, int64_t video,
                         const struct origin_features *features, int64_t now_ms)
{
    char bytes[KEY_BYTES];
    struct fb_str key = lesson_key(bytes, user, video);

    if (fb_map_find(lessons->by_key, key) != NULL) {
        return;
    }
    struct lesson *oldest = lessons_oldest(lessons);
    if (fb_map_count(lessons->by_key) == ORIGIN_LESSONS_MAX && oldest != NULL) {
        lesson_forget(lessons, oldest);
    }
    struct lesson *lesson = FB_NEW(struct lesson);
    memcpy(lesson->key, bytes, sizeof(bytes));
    lesson->shown_ms = now_ms;
    lesson->features = *features;
    (void)fb_map_put(lessons->by_key, key, lesson);
    fb_list_append(&lessons->order, &lesson->link);
}

bool origin_lessons_watched(struct origin_lessons *lessons, struct origin_ranker *ranker,
                            uint64_t user, int64_t video, bool through)
{
    char bytes[KEY_BYTES];
    struct lesson *lesson = fb_map_find(lessons->by_key, lesson_key(bytes, user, video));

    if (lesson == NULL) {
        return false;
    }
    origin_ranker_learn(ranker, &lesson->features, through);
    lesson_forget(lessons, lesson);
    return true;
}

size_t origin_lessons_expire(struct origin_lessons *lessons, struct origin_ranker *ranker,
                             int64_t now_ms)
{
    struct lesson *lesson = NULL;
    size_t n = 0;

    while ((lesson = lessons_oldest(lessons)) != NULL &&
           now_ms - lesson->shown_ms >= ORIGIN_LESSONS_WAIT_MS) {
        origin_ranker_learn(ranker, &lesson->features, false);
        lesson_forget(lessons, lesson);
        n++;
    }
    return n;
}

size_t origin_lessons_waiting(const struct origin_lessons *lessons)
{
    return fb_map_count(lessons->by_key);
}
