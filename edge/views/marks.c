#include "edge/views/marks.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/map.h"

struct edge_marks {
    struct fb_map *map;   /* of struct edge_mark */
    struct fb_list order; /* those asked for last are at the end */
    size_t max;
};

static struct fb_str key_str(const struct edge_mark_key *key)
{
    return (struct fb_str){(const char *)key->bytes, sizeof(key->bytes)};
}

struct edge_marks *edge_marks_new(size_t max, uint64_t seed)
{
    struct edge_marks *marks = FB_NEW(struct edge_marks);

    marks->max = FB_MAX(max, 1U);
    marks->map = fb_map_new(seed);
    fb_list_init(&marks->order);
    return marks;
}

static void marks_forget(struct edge_marks *marks, struct edge_mark *mark)
{
    (void)fb_map_remove(marks->map, key_str(&mark->key));
    fb_list_remove(&mark->link);
    fb_free(mark);
}

void edge_marks_free(struct edge_marks *marks)
{
    if (marks == NULL) {
        return;
    }
    FB_LIST_EACH(node, &marks->order) {
        marks_forget(marks, FB_CONTAINER_OF(node, struct edge_mark, link));
    }
    fb_map_free(marks->map);
    fb_free(marks);
}

struct edge_mark *edge_marks_touch(struct edge_marks *marks, const struct edge_mark_key *key)
{
    struct edge_mark *mark = fb_map_find(marks->map, key_str(key));

    if (mark == NULL) {
        struct fb_list *oldest = fb_list_first(&marks->order);
        if (fb_map_count(marks->map) >= marks->max && oldest != NULL) {
            marks_forget(marks, FB_CONTAINER_OF(oldest, struct edge_mark, link));
        }
        mark = FB_NEW(struct edge_mark);
        mark->key = *key;
        fb_list_init(&mark->link);
        (void)fb_map_put(marks->map, key_str(key), mark);
    }
    fb_list_remove(&mark->link);
    fb_list_append(&marks->order, &mark->link);
    return mark;
}

const struct edge_mark *edge_marks_find(const struct edge_marks *marks,
                                        const struct edge_mark_key *key)
{
    return fb_map_find(marks->map, key_str(key));
}

size_t edge_marks_count(const struct edge_marks *marks)
{
    return fb_map_count(marks->map);
}
