#include "edge/warm/bucket.h"

#include "base/core/attr.h"

enum { SECOND_MS = 1000 };

/* Objects have no more bytes than this; sums of some do not overflow. */
static const uint64_t most_bytes = (uint64_t)1 << 48;

static void bucket_refill(struct edge_bucket *bucket, int64_t now_ms)
{
    int64_t most = (int64_t)(bucket->rate * EDGE_BUCKET_BURST_MS / SECOND_MS);
    int64_t elapsed_ms = now_ms - bucket->last_ms;

    if (elapsed_ms <= 0) {
        return;
    }
    bucket->last_ms = now_ms;
    /* What is owed is paid off after this long, whatever time was slept. */
    int64_t whole_ms = (int64_t)((uint64_t)(most - bucket->credit) * SECOND_MS / bucket->rate) + 1;
    bucket->credit =
        elapsed_ms >= whole_ms
            ? most
            : FB_MIN(most,
                     bucket->credit + (int64_t)(bucket->rate * (uint64_t)elapsed_ms / SECOND_MS));
}

uint64_t edge_bucket_wait_ms(struct edge_bucket *bucket, int64_t now_ms)
{
    if (bucket->rate == 0) {
        return 0;
    }
    bucket_refill(bucket, now_ms);
    if (bucket->credit > 0) {
        return 0;
    }
    return (uint64_t)-bucket->credit * SECOND_MS / bucket->rate + 1;
}

void edge_bucket_take(struct edge_bucket *bucket, uint64_t n)
{
    bucket->credit -= bucket->rate == 0 ? 0 : (int64_t)FB_MIN(n, most_bytes);
}

void edge_bucket_give(struct edge_bucket *bucket, uint64_t n)
{
    bucket->credit += bucket->rate == 0 ? 0 : (int64_t)FB_MIN(n, most_bytes);
}
