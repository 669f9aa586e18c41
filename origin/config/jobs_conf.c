/*
 * The sections of origin.yaml about the work on videos.
 */
#include "base/core/err.h"
#include "origin/config/check.h"
#include "origin/config/config.h"

#define AT(type, member) offsetof(struct type, member)

/* ---- jobs -------------------------------------------------------------------- */

#define ATTEMPTS(key_, member_, preset_, help_)                                                    \
    {                                                                                              \
        key_, FB_CONF_INT, AT(origin_conf_attempts, member_), .min = 1, .max = 1000,               \
                                                              .preset = (preset_), .help = (help_) \
    }
static const struct fb_conf_item attempts_items[] = {
    ATTEMPTS("codec", codec, "2", "When a codec or filter gave up."),
    ATTEMPTS("crashed", crashed, "3", "When the process ended by a signal."),
    ATTEMPTS("memory", memory, "2", "When it wanted more than `transcode.memory`."),
    ATTEMPTS("time", time, "2", "When it took longer than `transcode.time`."),
    ATTEMPTS("output", output, "1", "When it wrote more than `transcode.output`."),
    ATTEMPTS("store", store, "8", "When objects could not be read or written."),
    ATTEMPTS("internal", internal, "5", "When anything else on our side went wrong."),
    ATTEMPTS("lost", lost, "5", "When the worker fell silent."),
    ATTEMPTS("missing", missing, "3", "When what was said to be made was not there."),
    {0},
};
static const struct fb_conf_section attempts_section = {
    .name = "jobs.attempts",
    .help = "How often a task may fail, by reason, before its job is a dead letter.",
    .size = sizeof(struct origin_conf_attempts),
    .items = attempts_items,
};

static const struct fb_conf_item jobs_items[] = {
    {"lease", FB_CONF_DURATION, AT(origin_conf_jobs, lease), .min = 1000, .max = 3600000,
     .preset = "30s", .help = "How long a silent worker keeps its task."},
    {"attempts", FB_CONF_SECTION, AT(origin_conf_jobs, attempts), .section = &attempts_section,
     .help = "How often a task may fail, by reason, before its job is a dead letter."},
    {"backoff", FB_CONF_DURATION, AT(origin_conf_jobs, backoff), .min = 1, .max = 3600000,
     .preset = "5s",
     .help = "The pause before the second attempt; it doubles each time, and half of it is left to "
             "chance."},
    {"max_backoff", FB_CONF_DURATION, AT(origin_conf_jobs, max_backoff), .min = 1,
     .max = 24LL * 3600 * 1000, .preset = "10m", .help = "The longest pause."},
    {"first_from", FB_CONF_INT, AT(origin_conf_jobs, first_from), .max = INT64_MAX, .preset = "0",
     .help = "From how many followers on a creator's videos go ahead of others'; 0: nobody's do."},
    {"degrade_after", FB_CONF_DURATION, AT(origin_conf_jobs, degrade_after),
     .max = 30LL * 24 * 3600 * 1000, .preset = "30m",
     .help = "When something has waited for so long, optional renditions are left out until it is "
             "half of that; 0: never."},
    {"keep_replaced", FB_CONF_DURATION, AT(origin_conf_jobs, keep_replaced),
     .max = 366LL * 24 * 3600 * 1000, .preset = "24h",
     .help = "How long a version stays that was replaced, for players in the middle of it."},
    {"keep_failed", FB_CONF_DURATION, AT(origin_conf_jobs, keep_failed), .min = 1000,
     .max = 366LL * 24 * 3600 * 1000, .preset = "14d",
     .help = "How long a dead letter can be retried."},
    {0},
};
const struct fb_conf_section origin_conf_jobs_section = {
    .name = "jobs",
    .help = "The work on videos (ingest.md).",
    .size = sizeof(struct origin_conf_jobs),
    .items = jobs_items,
};

/* ---- transcode ----------------------------------------------------------------- */

static const char *const preset_names[] = {"ultrafast", "superfast", "veryfast", "faster",
                                           "fast",      "medium",    "slow",     "slower",
                                           "veryslow",  "placebo",   NULL};
static const char *const encryption_names[] = {"none", "cenc", "cbcs", NULL};

const char *origin_conf_preset_text(int preset)
{
    return preset_names[preset];
}

#define FLAG(key_, member_, preset_, help_)                                          \
    {                                                                                \
        key_, FB_CONF_BOOL, AT(origin_conf_transcode, member_), .preset = (preset_), \
                                                                .help = (help_)      \
    }
static const struct fb_conf_item transcode_items[] = {
    FLAG("early_ready", early_ready, "false",
         "The smallest rendition first, published before the others are made. A creator may choose "
         "otherwise."),
    {"segment", FB_CONF_DURATION, AT(origin_conf_transcode, segment), .min = 1000, .max = 20000,
     .preset = "4s", .help = "The length of segments that is aimed at."},
    {"chunk", FB_CONF_DURATION, AT(origin_conf_transcode, chunk), .min = 1000, .max = 3600000,
     .preset = "60s",
     .help = "The length of source chunks, which are worked on at once; made a whole number of "
             "segments."},
    {"preset", FB_CONF_ENUM, AT(origin_conf_transcode, preset), .names = preset_names,
     .preset = "veryfast", .help = "The preset of the H.264 encoder."},
    {"crf", FB_CONF_INT, AT(origin_conf_transcode, crf), .min = 0, .max = 51, .preset = "23",
     .help = "The quality of H.264, smaller is better; rates stay capped. Other codecs take theirs "
             "from it."},
    FLAG("hevc", hevc, "false", "Renditions in HEVC beside H.264, where the encoder is there."),
    FLAG("av1", av1, "false", "Renditions in AV1 beside H.264, where the encoder is there."),
    FLAG("per_title", per_title, "false",
         "Choose the ladder by how complex the pictures are. A creator may choose otherwise."),
    FLAG("loudness", loudness, "false",
         "Bring the sound to one loudness (EBU R128). A creator may choose otherwise."),
    FLAG("downmix", downmix, "true",
         "Mix more than two channels down to two. A creator may choose otherwise."),
    FLAG("storyboard", storyboard, "true",
         "Small pictures for the bar of players. A creator may choose otherwise."),
    FLAG("trick_play", trick_play, "true", "A playlist of key pictures for fast winding."),
    {"encryption", FB_CONF_ENUM, AT(origin_conf_transcode, encryption), .names = encryption_names,
     .preset = "none", .help = "How media is encrypted (encryption.md)."},
    {"time", FB_CONF_DURATION, AT(origin_conf_transcode, time), .min = 1000,
     .max = 7LL * 24 * 3600 * 1000, .preset = "2h", .help = "How long one task may take."},
    {"memory", FB_CONF_SIZE, AT(origin_conf_transcode, memory), .min = 64 << 20, .max = INT64_MAX,
     .preset = "8GiB", .help = "How much memory one task may have."},
    {"output", FB_CONF_SIZE, AT(origin_conf_transcode, output), .min = 1 << 20, .max = INT64_MAX,
     .preset = "16GiB", .help = "How much one task may write."},
    {0},
};
const struct fb_conf_section origin_conf_transcode_section = {
    .name = "transcode",
    .help = "What is made of a video (ingest.md).",
    .size = sizeof(struct origin_conf_transcode),
    .items = transcode_items,
};
