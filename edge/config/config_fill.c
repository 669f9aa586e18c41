#include "edge/config/config_internal.h"

#define AT(member) offsetof(struct edge_conf_fills, member)

static const struct fb_conf_item fills_items[] = {
    {"verify_digest", FB_CONF_BOOL, AT(verify_digest), .preset = "true",
     .help = "Whether bodies that come with `Repr-Digest` or `Content-Digest` (RFC 9530; SHA-256, "
             "SHA-512) are hashed on their way, and cut and dropped if they are not that. It costs "
             "a worker a second for 1.4 GB with SHA-256, for 0.3 GB with SHA-512."},
    {"complete_abandoned", FB_CONF_INT, AT(complete_abandoned), .max = 100, .preset = "50",
     .help = "A fetch whose clients have all left goes on if at least so many percent of it are "
             "here."},
    {"complete_missing", FB_CONF_SIZE, AT(complete_missing), .preset = "4MiB",
     .help = "It goes on too if no more than that is missing; of unknown length, as long as no "
             "more than that has come. With 0 percent all go on."},
    {0},
};

const struct fb_conf_section edge_conf_fills_section = {
    .name = "fills",
    .help = "What is fetched for many clients at once. A change needs a restart.",
    .size = sizeof(struct edge_conf_fills),
    .items = fills_items,
};
