#include "edge/views/marks.h"

#include "base/core/alloc.h"
#include "base/core/lru.h"

struct edge_marks {
    struct fb_lru *by_key; /* owned; of struct edge_mark */
};

static struct fb_str key_str(const struct edge_mark_key *key)
{
    return (struct fb_str){(const char *)key->bytes, sizeof(key->bytes)};
}

struct edge_marks *edge_marks_new(size_t max, uint64_t seed)
{
    struct edge_marks *marks = FB_NEW(struct edge_marks);

    marks->by_key = fb_lru_new(&(struct fb_lru_options){
        .max = max, .value_bytes = sizeof(struct edge_mark), .seed = seed});
    return marks;
}

void edge_marks_free(struct edge_marks *marks)
{
    if (marks != NULL) {
        fb_lru_free(marks->by_key);
        fb_free(marks);
    }
}

struct edge_mark *edge_marks_touch(struct edge_marks *marks, const struct edge_mark_key *key)
{
    return fb_lru_touch(marks->by_key, key_str(key));
}

const struct edge_mark *edge_marks_find(const struct edge_marks *marks,
                                        const struct edge_mark_key *key)
{
    return fb_lru_find(marks->by_key, key_str(key));
}

size_t edge_marks_count(const struct edge_marks *marks)
{
    return fb_lru_count(marks->by_key);
}
