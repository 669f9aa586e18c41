#include "origin/config/check.h"
#include "origin/config/config.h"

#define AT(member) offsetof(struct origin_conf_s3, member)

static const struct fb_conf_item s3_items[] = {
    {"endpoint", FB_CONF_STRING, AT(endpoint), .check = origin_conf_check_url,
     .help = "Scheme and authority, such as https://s3.eu-central-1.amazonaws.com."},
    {"credentials", FB_CONF_PATH, AT(credentials), .probe = origin_conf_probe_read,
     .help = "A file with access_key and secret_key, and session_token if there is one, each as "
             "`name = value` on a line; read anew when it changes."},
    {"region", FB_CONF_STRING, AT(region), .min = 1, .max = 64, .preset = "us-east-1",
     .help = "What requests are signed for."},
    {"ca", FB_CONF_PATH, AT(ca), .probe = origin_conf_probe_read,
     .help = "A file of certificates that the endpoint's may be signed by; by default the "
             "system's."},
    {"spool", FB_CONF_PATH, AT(spool),
     .help = "A folder for what is being sent; by default `spool` in `data`."},
    {"bucket_host", FB_CONF_BOOL, AT(bucket_host), .preset = "false",
     .help = "The bucket stands in front of the host, not of the path."},
    {"connect_timeout", FB_CONF_DURATION, AT(connect_timeout), .min = 100, .max = 60000,
     .preset = "5s", .help = "For a connection."},
    {"stall_timeout", FB_CONF_DURATION, AT(stall_timeout), .min = 1000, .max = 600000,
     .preset = "30s", .help = "For a request of which no byte moves, either way."},
    {"attempts", FB_CONF_INT, AT(attempts), .min = 1, .max = 20, .preset = "5",
     .help = "Of a request that broke or that the server could not serve, with growing pauses."},
    {"connections", FB_CONF_INT, AT(connections), .min = 2, .max = 256, .preset = "32",
     .help = "Requests of viewers, uploads and workers that wait for the server at once."},
    {"part_size", FB_CONF_SIZE, AT(part_size), .min = 5 << 20, .max = 1LL << 30, .preset = "16MiB",
     .help = "What is larger is sent in parts of this size (or larger: 10,000 at most)."},
    {0},
};

const struct fb_conf_section origin_conf_s3_section = {
    .name = "s3",
    .help = "The server of objects that are in S3.",
    .size = sizeof(struct origin_conf_s3),
    .items = s3_items,
};
