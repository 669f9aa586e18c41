#include "origin/media/ladder.h"

#include "base/core/attr.h"
#include "base/core/check.h"

struct step {
    unsigned rung;
    unsigned kbit; /* at up to 30 pictures a second */
};

static const struct step ladder_steps[] = {
    {1080, 5000}, {720, 2800}, {480, 1400}, {360, 800}, {240, 400}, {144, 200},
};

enum { LADDER_FAST = 35, LADDER_MIN_KBIT = 100 };

_Static_assert(FB_ARRAY_LEN(ladder_steps) == ORIGIN_TRANSCODE_MAX_RENDITIONS,
               "a result must hold the whole ladder");

/* The even number nearest to side * to / from, but not above `side`. */
static unsigned ladder_scale(unsigned side, unsigned to, unsigned from)
{
    uint64_t twice = ((uint64_t)side * to + from) / (2ULL * from) * 2ULL;
    if (twice > side) {
        twice = side - side % 2;
    }
    return FB_MAX((unsigned)twice, 2U);
}

static struct origin_rung ladder_rung(unsigned width, unsigned height, unsigned short_side,
                                      const struct step *step, double frame_rate)
{
    unsigned from = FB_MIN(width, height);
    unsigned longest = FB_MAX(width, height);
    unsigned to = FB_MIN(short_side, from);

    /* A ribbon-like picture would leave what decoders accept. */
    if ((uint64_t)longest * to > (uint64_t)ORIGIN_LADDER_MAX_LONG_SIDE * from) {
        to = (unsigned)((uint64_t)ORIGIN_LADDER_MAX_LONG_SIDE * from / longest);
    }
    to = FB_MAX(to, 2U);

    uint32_t rate = step->kbit * 1000;
    if (frame_rate > (double)LADDER_FAST) {
        rate += rate / 2;
    }
    return (struct origin_rung){
        .rung = step->rung,
        .width = ladder_scale(width, to, from),
        .height = ladder_scale(height, to, from),
        .max_rate = rate,
        .buffer = rate * 2,
    };
}

unsigned origin_ladder(unsigned width, unsigned height, double frame_rate,
                       struct origin_rung ret_rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS])
{
    FB_REQUIRE(width >= 2 && height >= 2);
    unsigned short_side = FB_MIN(width, height);
    unsigned n = 0;

    for (size_t i = 0; i < FB_ARRAY_LEN(ladder_steps); i++) {
        const struct step *step = &ladder_steps[i];
        if (short_side * 20 < step->rung * 19) {
            continue;
        }
        struct origin_rung rung = ladder_rung(width, height, step->rung, step, frame_rate);
        bool is_new = n == 0 || rung.height != ret_rungs[n - 1].height;
        if (is_new) {
            ret_rungs[n++] = rung;
        }
    }
    if (n == 0) {
        const struct step *lowest = &ladder_steps[FB_ARRAY_LEN(ladder_steps) - 1];
        unsigned kbit = lowest->kbit * short_side / lowest->rung;
        struct step own = {short_side / 2 * 2, FB_MAX(kbit, (unsigned)LADDER_MIN_KBIT)};
        ret_rungs[n++] = ladder_rung(width, height, short_side, &own, frame_rate);
    }
    return n;
}
