#include "origin/media/mix.h"

#include "base/core/attr.h"

#include <math.h>
#include <stdio.h>

/* -1.5 dB of samples: what lies between them rises by less than half of one. */
#define MIX_LIMITER ",alimiter=limit=0.841:attack=5:release=50:level=disabled:latency=1"

struct origin_mix origin_mix_of(unsigned source_channels, bool keeps_surround,
                                const struct origin_loudness *loudness)
{
    bool is_surround = keeps_surround && source_channels >= ORIGIN_MIX_SURROUND;
    struct origin_mix mix = {.channels = is_surround ? ORIGIN_MIX_SURROUND : 2};

    mix.is_measured = loudness->is_known && isfinite(loudness->lufs) && isfinite(loudness->peak);
    if (mix.is_measured) {
        mix.gain_db =
            FB_MIN((double)ORIGIN_MIX_LOUDNESS - loudness->lufs, (double)ORIGIN_MIX_MAX_GAIN);
        mix.is_limited = loudness->peak + mix.gain_db > (double)ORIGIN_MIX_PEAK;
    }
    return mix;
}

struct origin_mix origin_mix_to_measure(unsigned source_channels, bool keeps_surround)
{
    const struct origin_loudness unknown = {.is_known = false};
    struct origin_mix mix = origin_mix_of(source_channels, keeps_surround, &unknown);
    mix.is_measured = true;
    return mix;
}

static const char *mix_channels(const struct origin_mix *mix, const AVChannelLayout *layout)
{
    bool is_named = layout->order != AV_CHANNEL_ORDER_UNSPEC;

    if (layout->nb_channels == 1) {
        return "pan=stereo|c0=c0|c1=c0,";
    }
    if (!is_named && layout->nb_channels > 2) {
        return mix->channels == 2 ? "pan=stereo|c0=c0|c1=c1,"
                                  : "pan=5.1|c0=c0|c1=c1|c2=c2|c3=c3|c4=c4|c5=c5,";
    }
    return "";
}

void origin_mix_chain(const struct origin_mix *mix, const AVChannelLayout *layout,
                      char ret_chain[ORIGIN_MIX_MAX])
{
    bool is_sum = !mix->is_measured && layout->order != AV_CHANNEL_ORDER_UNSPEC &&
                  layout->nb_channels > 2 && mix->channels == 2;
    char gain[64] = "";

    if (fabs(mix->gain_db) >= 0.05) {
        (void)snprintf(gain, sizeof(gain), ",volume=%.2fdB:precision=float", mix->gain_db);
    }
    (void)snprintf(ret_chain, ORIGIN_MIX_MAX, "%saformat=sample_fmts=fltp:channel_layouts=%s%s%s%s",
                   mix_channels(mix, layout), mix->channels == 2 ? "stereo" : "5.1", gain,
                   is_sum || mix->is_limited ? MIX_LIMITER : "",
                   is_sum || mix->is_limited ? ",aformat=sample_fmts=fltp" : "");
}
