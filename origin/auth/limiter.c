#include "origin/auth/limiter.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "base/core/map.h"
#include "base/sys/random.h"

#include <pthread.h>

struct bucket {
    struct fb_list link; /* in limiter->order, least recently used first */
    uint64_t full_ms;    /* monotonic: when it will be full again */
    char *key;           /* owned */
    size_t key_len;
};

struct origin_limiter {
    struct origin_limiter_options options;
    pthread_mutex_t lock;
    struct fb_map *buckets; /* owned, as what it holds; under lock */
    struct fb_list order;   /* under lock */
};

struct origin_limiter *origin_limiter_new(const struct origin_limiter_options *options)
{
    struct origin_limiter *limiter = FB_NEW(struct origin_limiter);

    limiter->options = *options;
    (void)pthread_mutex_init(&limiter->lock, NULL);
    limiter->buckets = fb_map_new(fb_random_u64());
    fb_list_init(&limiter->order);
    return limiter;
}

static void bucket_forget(struct origin_limiter *limiter, struct bucket *bucket)
{
    (void)fb_map_remove(limiter->buckets, (struct fb_str){bucket->key, bucket->key_len});
    fb_list_remove(&bucket->link);
    fb_free(bucket->key);
    fb_free(bucket);
}

void origin_limiter_free(struct origin_limiter *limiter)
{
    if (limiter == NULL) {
        return;
    }
    FB_LIST_EACH(node, &limiter->order) {
        bucket_forget(limiter, FB_CONTAINER_OF(node, struct bucket, link));
    }
    fb_map_free(limiter->buckets);
    (void)pthread_mutex_destroy(&limiter->lock);
    fb_free(limiter);
}

static struct bucket *bucket_for(struct origin_limiter *limiter, struct fb_str key)
{
    struct bucket *bucket = fb_map_find(limiter->buckets, key);
    if (bucket == NULL) {
        struct fb_list *oldest = fb_list_first(&limiter->order);
        if (fb_map_count(limiter->buckets) >= limiter->options.max_keys && oldest != NULL) {
            bucket_forget(limiter, FB_CONTAINER_OF(oldest, struct bucket, link));
        }
        bucket = FB_NEW(struct bucket);
        bucket->key = fb_str_dup(key);
        bucket->key_len = key.len;
        fb_list_init(&bucket->link);
        (void)fb_map_put(limiter->buckets, key, bucket);
    }
    fb_list_remove(&bucket->link);
    fb_list_append(&limiter->order, &bucket->link);
    return bucket;
}

static uint32_t ms_told(uint64_t ms)
{
    return (uint32_t)FB_MIN(ms, (uint64_t)UINT32_MAX);
}

int origin_limiter_take(struct origin_limiter *limiter, struct fb_str key,
                        struct origin_quota *ret_quota)
{
    uint64_t now_ms = fb_clock_mono_ms(limiter->options.clock);
    uint64_t refill_ms = limiter->options.refill_ms;
    uint64_t all_ms = refill_ms * limiter->options.burst;
    struct origin_quota quota = {.limit = limiter->options.burst, .window_ms = ms_told(all_ms)};

    (void)pthread_mutex_lock(&limiter->lock);
    struct bucket *bucket = bucket_for(limiter, key);
    uint64_t full_ms = FB_MAX(bucket->full_ms, now_ms) + refill_ms;
    if (full_ms > now_ms + all_ms) {
        quota.wait_ms = (uint32_t)(full_ms - now_ms - all_ms);
        quota.reset_ms = ms_told(bucket->full_ms - now_ms);
    } else {
        bucket->full_ms = full_ms;
        quota.left = (uint32_t)((now_ms + all_ms - full_ms) / refill_ms);
        quota.reset_ms = ms_told(full_ms - now_ms);
    }
    (void)pthread_mutex_unlock(&limiter->lock);
    *ret_quota = quota;
    return quota.wait_ms > 0 ? FB_E_LIMIT : FB_OK;
}

int origin_limiter_spend(struct origin_limiter *limiter, struct fb_str key, uint32_t *ret_wait_ms)
{
    struct origin_quota quota;

    int err = origin_limiter_take(limiter, key, &quota);
    if (err < 0) {
        *ret_wait_ms = quota.wait_ms;
    }
    return err;
}
