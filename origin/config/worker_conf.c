#include "base/http/node_name.h"
#include "origin/config/check.h"
#include "origin/config/config.h"

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item worker_items[] = {
    {"node", FB_CONF_STRING, AT(origin_worker_conf, node), .min = 1, .max = 64, .preset = "worker",
     .check = fb_node_name_check,
     .help = "The name of this worker; two workers must not share one."},
    {"admin", FB_CONF_SECTION, AT(origin_worker_conf, admin), .section = &origin_conf_admin_section,
     .help = "The operator's side."},
    {"origin", FB_CONF_STRING, AT(origin_worker_conf, origin), .is_required = true,
     .check = origin_conf_check_url, .help = "The origin that hands out tasks."},
    {"worker_token", FB_CONF_STRING, AT(origin_worker_conf, worker_token), .max = 256,
     .is_secret = true, .is_required = true, .check = origin_conf_check_token,
     .help = "As in origin.yaml."},
    {"objects", FB_CONF_STRING, AT(origin_worker_conf, objects), .preset = "file:data/objects",
     .check = origin_conf_check_objects, .help = "Uploads and media, as the origin has them."},
    {"scratch", FB_CONF_PATH, AT(origin_worker_conf, scratch), .preset = "scratch",
     .help = "A folder for work under way, emptied at start; of this worker alone."},
    {"workers", FB_CONF_INT, AT(origin_worker_conf, workers), .min = 1, .max = 64, .preset = "1",
     .help = "Videos transcoded at once."},
    {"worker_threads", FB_CONF_COUNT, AT(origin_worker_conf, worker_threads), .min = 1, .max = 256,
     .preset = "auto", .help = "Threads of each transcode; auto shares the cores."},
    {0},
};

const struct fb_conf_section origin_worker_conf_section = {
    .name = "worker.yaml",
    .help = "The configuration of `forebay-worker`.",
    .size = sizeof(struct origin_worker_conf),
    .items = worker_items,
};
