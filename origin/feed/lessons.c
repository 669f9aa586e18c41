#include "origin/feed/lessons.h"

#include "base/core/alloc.h"
#include "base/core/lru.h"
#include "base/sys/random.h"

#include <string.h>

enum { KEY_BYTES = 16 };

struct lesson {
    int64_t shown_ms;
    struct origin_features features;
};

struct origin_lessons {
    struct fb_lru *by_key; /* owned; of struct lesson, touched once: when shown */
};

struct origin_lessons *origin_lessons_new(void)
{
    struct origin_lessons *lessons = FB_NEW(struct origin_lessons);

    lessons->by_key = fb_lru_new(&(struct fb_lru_options){
        .max = ORIGIN_LESSONS_MAX, .value_bytes = sizeof(struct lesson), .seed = fb_random_u64()});
    return lessons;
}

void origin_lessons_free(struct origin_lessons *lessons)
{
    if (lessons != NULL) {
        fb_lru_free(lessons->by_key);
        fb_free(lessons);
    }
}

static struct fb_str lesson_key(char key[KEY_BYTES], uint64_t user, int64_t video)
{
    memcpy(key, &user, sizeof(user));
    memcpy(key + sizeof(user), &video, sizeof(video));
    return (struct fb_str){key, KEY_BYTES};
}

void origin_lessons_show(struct origin_lessons *lessons, uint64_t user, int64_t video,
                         const struct origin_features *features, int64_t now_ms)
{
    char bytes[KEY_BYTES];
    struct fb_str key = lesson_key(bytes, user, video);

    if (fb_lru_find(lessons->by_key, key) != NULL) {
        return;
    }
    struct lesson *lesson = fb_lru_touch(lessons->by_key, key);
    lesson->shown_ms = now_ms;
    lesson->features = *features;
}

bool origin_lessons_watched(struct origin_lessons *lessons, struct origin_ranker *ranker,
                            uint64_t user, int64_t video, bool through)
{
    char bytes[KEY_BYTES];
    struct lesson *lesson = fb_lru_find(lessons->by_key, lesson_key(bytes, user, video));

    if (lesson == NULL) {
        return false;
    }
    origin_ranker_learn(ranker, &lesson->features, through);
    fb_lru_remove(lessons->by_key, lesson);
    return true;
}

size_t origin_lessons_expire(struct origin_lessons *lessons, struct origin_ranker *ranker,
                             int64_t now_ms)
{
    struct lesson *lesson = NULL;
    size_t n = 0;

    while ((lesson = fb_lru_oldest(lessons->by_key)) != NULL &&
           now_ms - lesson->shown_ms >= ORIGIN_LESSONS_WAIT_MS) {
        origin_ranker_learn(ranker, &lesson->features, false);
        fb_lru_remove(lessons->by_key, lesson);
        n++;
    }
    return n;
}

size_t origin_lessons_waiting(const struct origin_lessons *lessons)
{
    return fb_lru_count(lessons->by_key);
}
