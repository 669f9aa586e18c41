#include "edge/fresh/demands.h"

#include "base/http/cache_control.h"

enum { MS_PER_S = 1000 };

static int64_t span_ms(unsigned obeyed, unsigned bit, int64_t seconds)
{
    return (obeyed & bit) != 0 && seconds > 0 ? seconds * MS_PER_S : 0;
}

struct edge_demands edge_demands_of(struct fb_arena *arena, const struct fb_headers *request,
                                    unsigned obeyed)
{
    struct edge_demands demands = {.max_age_ms = -1};
    struct fb_str value = fb_headers_join(request, arena, FB_STR("cache-control"));

    if (value.len == 0 || obeyed == 0) {
        return demands;
    }
    struct fb_cache_control cc = fb_cache_control_parse(value);
    demands.only_if_cached = cc.only_if_cached && (obeyed & EDGE_DEMAND_ONLY_IF_CACHED) != 0;
    demands.no_store = cc.no_store && (obeyed & EDGE_DEMAND_NO_STORE) != 0;
    demands.no_cache = cc.no_cache && (obeyed & EDGE_DEMAND_NO_CACHE) != 0;
    demands.min_fresh_ms = span_ms(obeyed, EDGE_DEMAND_MIN_FRESH, cc.min_fresh);
    demands.max_stale_ms = span_ms(obeyed, EDGE_DEMAND_MAX_STALE, cc.max_stale);
    demands.if_error_ms = span_ms(obeyed, EDGE_DEMAND_STALE_IF_ERROR, cc.stale_if_error);
    if (cc.max_age >= 0 && (obeyed & EDGE_DEMAND_MAX_AGE) != 0) {
        demands.max_age_ms = cc.max_age * MS_PER_S;
    }
    return demands;
}
