#include "origin/auth/limiter.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/lru.h"
#include "base/sys/random.h"

#include <pthread.h>

struct bucket {
    uint64_t full_ms; /* monotonic: when it will be full again */
};

struct origin_limiter {
    struct origin_limiter_options options;
    pthread_mutex_t lock;
    struct fb_lru *buckets; /* owned; of struct bucket; under lock */
};

struct origin_limiter *origin_limiter_new(const struct origin_limiter_options *options)
{
    struct origin_limiter *limiter = FB_NEW(struct origin_limiter);

    limiter->options = *options;
    (void)pthread_mutex_init(&limiter->lock, NULL);
    limiter->buckets = fb_lru_new(&(struct fb_lru_options){
        .max = options->max_keys, .value_bytes = sizeof(struct bucket), .seed = fb_random_u64()});
    return limiter;
}

void origin_limiter_free(struct origin_limiter *limiter)
{
    if (limiter == NULL) {
        return;
    }
    fb_lru_free(limiter->buckets);
    (void)pthread_mutex_destroy(&limiter->lock);
    fb_free(limiter);
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
    struct bucket *bucket = fb_lru_touch(limiter->buckets, key);
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
