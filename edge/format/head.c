#include "base/core/err.h"
#include "edge/format/format_internal.h"

#include <assert.h>

enum { AT_SUM = 8, AT_VERSION = 16 };

enum {
    WRITTEN_ADMISSION = 0,
    WRITTEN_REWRITING = 8,
    WRITTEN_METADATA = 16,
    WRITTEN_RESERVE = 24,
    WRITTEN_EVER = 32,
    WRITTEN_FIRST_DAY = 40,
    WRITTEN_DAYS = 48 /* of each the day and its bytes */
};
static_assert(WRITTEN_DAYS + EDGE_BUDGET_DAYS * 16 == EDGE_WRITTEN_BYTES, "another format");

uint64_t edge_format_sum(struct fb_str bytes)
{
    return fb_str_hash(bytes, 0);
}

static uint64_t head_sum(const char *blocks, unsigned n_blocks)
{
    size_t n = (size_t)n_blocks * EDGE_FORMAT_BLOCK;

    uint64_t sum = edge_format_sum((struct fb_str){blocks + AT_VERSION, n - AT_VERSION});

    return sum == 0 ? 1 : sum; /* 0 says "none" where a head names another */
}

void edge_head_begin(char *blocks, unsigned n_blocks, const char *magic)
{
    memset(blocks, 0, (size_t)n_blocks * EDGE_FORMAT_BLOCK);
    memcpy(blocks, magic, EDGE_MAGIC_BYTES);
    fb_put_u16(blocks + AT_VERSION, EDGE_FORMAT_VERSION);
}

uint64_t edge_head_end(char *blocks, unsigned n_blocks)
{
    uint64_t sum = head_sum(blocks, n_blocks);

    fb_put_u64(blocks + AT_SUM, sum);
    return sum;
}

uint64_t edge_head_sum(const char *block)
{
    return fb_get_u64(block + AT_SUM);
}

bool edge_head_is(const char *block, const char *magic)
{
    return memcmp(block, magic, EDGE_MAGIC_BYTES) == 0;
}

int edge_head_check(const char *blocks, unsigned n_blocks)
{
    if (fb_get_u64(blocks + AT_SUM) != head_sum(blocks, n_blocks)) {
        return FB_E_CORRUPT;
    }
    return fb_get_u16(blocks + AT_VERSION) == EDGE_FORMAT_VERSION ? FB_OK : FB_E_UNSUPPORTED;
}

void edge_written_put(char *bytes, const struct edge_written *written)
{
    const struct edge_budget_state *budget = &written->budget;

    fb_put_u64(bytes + WRITTEN_ADMISSION, written->admission);
    fb_put_u64(bytes + WRITTEN_REWRITING, written->rewriting);
    fb_put_u64(bytes + WRITTEN_METADATA, written->metadata);
    fb_put_u64(bytes + WRITTEN_RESERVE, written->reserve);
    fb_put_u64(bytes + WRITTEN_EVER, budget->ever_bytes);
    fb_put_u64(bytes + WRITTEN_FIRST_DAY, (uint64_t)budget->first_day);
    for (size_t i = 0; i < EDGE_BUDGET_DAYS; i++) {
        fb_put_u64(bytes + WRITTEN_DAYS + 16 * i, (uint64_t)budget->days[i].day);
        fb_put_u64(bytes + WRITTEN_DAYS + 16 * i + 8, budget->days[i].n_bytes);
    }
}

void edge_written_get(const char *bytes, struct edge_written *ret_written)
{
    *ret_written = (struct edge_written){
        .admission = fb_get_u64(bytes + WRITTEN_ADMISSION),
        .rewriting = fb_get_u64(bytes + WRITTEN_REWRITING),
        .metadata = fb_get_u64(bytes + WRITTEN_METADATA),
        .reserve = fb_get_u64(bytes + WRITTEN_RESERVE),
        .budget.ever_bytes = fb_get_u64(bytes + WRITTEN_EVER),
        .budget.first_day = (int64_t)fb_get_u64(bytes + WRITTEN_FIRST_DAY),
    };
    for (size_t i = 0; i < EDGE_BUDGET_DAYS; i++) {
        struct edge_budget_day *day = &ret_written->budget.days[i];
        day->day = (int64_t)fb_get_u64(bytes + WRITTEN_DAYS + 16 * i);
        day->n_bytes = fb_get_u64(bytes + WRITTEN_DAYS + 16 * i + 8);
    }
}
