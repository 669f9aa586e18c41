#include "base/core/clock.h"
#include "edge/purge/purge.h"
#include "edge/store/meta.h"
#include "edge/store/store_internal.h"

uint64_t edge_store_epoch(const struct edge_store *store)
{
    return edge_purges_epoch(store->rules);
}

/* It has been stale since the purge, whenever that turns out; the first one counts. */
static void object_mark_soft(struct edge_object *object, uint64_t epoch)
{
    const struct fb_clock *clock = object->store->clock;
    int64_t ago_ms = fb_clock_wall_ms(clock) - (int64_t)FB_MIN(epoch, (uint64_t)INT64_MAX / 2);
    int64_t at_ms = (int64_t)fb_clock_mono_ms(clock) - FB_MAX(ago_ms, 0);

    if (at_ms < atomic_load_explicit(&object->soft_at_ms, memory_order_relaxed)) {
        atomic_store_explicit(&object->soft_at_ms, at_ms, memory_order_relaxed);
    }
}

bool edge_object_is_judged(const struct edge_object *object)
{
    uint64_t now = edge_purges_epoch(object->store->rules);

    return atomic_load_explicit(&object->checked, memory_order_acquire) >= now;
}

bool edge_object_is_gone(struct edge_object *object)
{
    struct edge_purges *rules = object->store->rules;
    uint64_t now = edge_purges_epoch(rules);
    uint64_t epoch = 0;

    if (atomic_load_explicit(&object->checked, memory_order_acquire) >= now) {
        return false;
    }
    struct edge_purge_subject subject = {
        .key = object->head.key, .tags = object->head.tags, .birth = object->birth};
    enum edge_purge_verdict verdict = edge_purges_judge(rules, &subject, &epoch);
    if (verdict == EDGE_PURGE_GONE) {
        return true;
    }
    if (verdict == EDGE_PURGE_SOFT) {
        object_mark_soft(object, epoch);
    }
    /* Whoever sees this sees that it is soft as well. */
    atomic_store_explicit(&object->checked, now, memory_order_release);
    return false;
}

bool edge_store_record_is_gone(struct edge_store *store, const struct edge_extent_head *head)
{
    struct edge_purge_subject subject = {.key = head->key};

    if (edge_meta_decode_birth(head->meta, &subject.birth, &subject.tags) < 0) {
        return false; /* whoever needs it will see */
    }
    return edge_purges_judge(store->rules, &subject, NULL) == EDGE_PURGE_GONE;
}

bool edge_object_is_soft(const struct edge_object *object)
{
    return atomic_load_explicit(&object->soft_at_ms, memory_order_relaxed) != INT64_MAX;
}

bool edge_object_is_current(struct edge_object *object, uint64_t epoch, bool allows_soft)
{
    if (epoch <= object->birth) {
        return true;
    }
    return !edge_object_is_gone(object) && (allows_soft || !edge_object_is_soft(object));
}

bool edge_object_is_dropped(const struct edge_object *object)
{
    return atomic_load(&object->is_dropped);
}

bool edge_store_is_current(struct edge_store *store, struct fb_str key, uint64_t birth,
                           uint64_t epoch)
{
    struct edge_purge_subject subject = {.key = key, .birth = birth};

    return epoch <= birth || edge_purges_judge(store->rules, &subject, NULL) == EDGE_PURGE_KEEP;
}

const struct edge_terms *edge_object_terms(const struct edge_object *object,
                                           struct edge_terms *space)
{
    const struct edge_terms *terms = &object->head.terms;
    int64_t soft_at_ms = atomic_load_explicit(&object->soft_at_ms, memory_order_relaxed);

    if (soft_at_ms == INT64_MAX) {
        return terms;
    }
    *space = *terms;
    space->is_immutable = false;
    space->lifetime_ms = FB_MIN(terms->lifetime_ms, edge_terms_age_ms(terms, soft_at_ms));
    return space;
}
