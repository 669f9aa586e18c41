#include "edge/serve/player.h"

#include "base/core/err.h"
#include "edge/cmcd/cmcd.h"

/* CMCD counts kbit/s. */
enum { KBIT_BYTES = 125, PERCENT = 100 };

/* Beyond this nobody needs a bound. */
#define KBITS_MAX UINT64_C(100000000)

/* The number of `name`, in kbit/s; 0: it does not say, or what is none. */
static uint64_t kbits_of(const struct edge_cmcd *cmcd, struct fb_str name)
{
    uint64_t kbits = 0;

    for (size_t i = 0; i < cmcd->n; i++) {
        const struct edge_cmcd_key *key = &cmcd->keys[i];
        if (key->kind == EDGE_CMCD_NUMBER && fb_str_equal(key->name, name)) {
            return fb_str_to_u64(key->value, &kbits) == FB_OK && kbits <= KBITS_MAX ? kbits : 0;
        }
    }
    return 0;
}

static bool is_urgent(const struct edge_cmcd *cmcd)
{
    for (size_t i = 0; i < cmcd->n; i++) {
        const struct edge_cmcd_key *key = &cmcd->keys[i];
        if (key->kind == EDGE_CMCD_TRUE &&
            (fb_str_equal(key->name, FB_STR("su")) || fb_str_equal(key->name, FB_STR("bs")))) {
            return true;
        }
    }
    return false;
}

static uint64_t rate_of(const struct edge_pace *pace, const struct fb_request_head *request)
{
    FB_AUTO(edge_cmcd_done) struct edge_cmcd cmcd = {.n = 0};
    uint64_t rate = 0;

    edge_cmcd_read(request, &cmcd);
    if (is_urgent(&cmcd)) {
        return 0;
    }
    if (pace->obeys_rtp) {
        rate = kbits_of(&cmcd, FB_STR("rtp")) * KBIT_BYTES;
    }
    if (rate == 0) {
        rate = kbits_of(&cmcd, FB_STR("br")) * KBIT_BYTES * pace->bitrate / PERCENT;
    }
    return rate == 0 ? 0 : FB_MAX(rate, pace->least);
}

uint64_t edge_player_rate(const struct edge_pace *pace, const struct fb_request_head *request)
{
    return pace->bitrate == 0 && !pace->obeys_rtp ? 0 : rate_of(pace, request);
}
