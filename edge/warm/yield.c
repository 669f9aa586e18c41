#include "edge/warm/yield.h"

enum { PERCENT = 100 };

static int64_t part_ms(const struct edge_yield *yield)
{
    int64_t ms = yield->span_ms / EDGE_YIELD_PARTS;

    return ms > 0 ? ms : 1;
}

const struct edge_yield_part *edge_yield_add(struct edge_yield *yield, int64_t now_ms,
                                             uint64_t filled, uint64_t served)
{
    int64_t number = now_ms / part_ms(yield);
    struct edge_yield_part *part = &yield->parts[number % EDGE_YIELD_PARTS];
    int64_t begin_ms = number * part_ms(yield);

    if (part->begin_ms != begin_ms) {
        *part = (struct edge_yield_part){.begin_ms = begin_ms};
    }
    part->filled += filled;
    part->served += served;
    if (filled > 0 && yield->first_ms == 0) {
        yield->first_ms = now_ms;
    }
    return part;
}

struct edge_yield_part edge_yield_sum(const struct edge_yield *yield, int64_t now_ms)
{
    struct edge_yield_part sum = {.begin_ms = now_ms - yield->span_ms};

    for (size_t i = 0; i < EDGE_YIELD_PARTS; i++) {
        const struct edge_yield_part *part = &yield->parts[i];
        if (part->begin_ms > sum.begin_ms && part->begin_ms <= now_ms) {
            sum.filled += part->filled;
            sum.served += part->served;
        }
    }
    return sum;
}

int64_t edge_yield_percent(const struct edge_yield *yield, int64_t now_ms)
{
    struct edge_yield_part sum = edge_yield_sum(yield, now_ms);

    return sum.filled == 0 ? -1
                           : (int64_t)((double)sum.served * (double)PERCENT / (double)sum.filled);
}

bool edge_yield_judge(struct edge_yield *yield, int64_t now_ms)
{
    if (yield->stopped_ms != 0) {
        if (now_ms - yield->stopped_ms < yield->span_ms && yield->least > 0) {
            return false;
        }
        yield->stopped_ms = 0;
        yield->first_ms = 0;
        return true;
    }
    int64_t percent = edge_yield_percent(yield, now_ms);
    if (yield->first_ms == 0 || now_ms - yield->first_ms < yield->span_ms || percent < 0 ||
        percent >= (int64_t)yield->least) {
        return false;
    }
    yield->stopped_ms = now_ms;
    return true;
}

bool edge_yield_is_stopped(const struct edge_yield *yield)
{
    return yield->stopped_ms != 0;
}
