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
     .check = origin_conf_check_url,
     .help =
         "The origin that hands out tasks; over `https` unless the network between is trusted."},
    {"authorities", FB_CONF_PATH, AT(origin_worker_conf, authorities),
     .probe = origin_conf_probe_read,
     .help = "Of an `https` origin: a PEM file of those who may have signed its certificate. "
             "Without it, whom the system trusts."},
    {"worker_token", FB_CONF_STRING, AT(origin_worker_conf, worker_token), .max = 256,
     .is_secret = true, .is_required = true, .check = origin_conf_check_token,
     .help = "As in origin.yaml: who knows it may take tasks."},
    {"objects", FB_CONF_STRING, AT(origin_worker_conf, objects), .check = origin_conf_check_folder,
     .help = "file:<folder>: uploads and media, where this machine has them as the origin does. "
             "Without it, they come and go by way of the origin."},
    {"scratch", FB_CONF_PATH, AT(origin_worker_conf, scratch), .preset = "scratch",
     .help = "A folder for work under way, emptied at start; of this worker alone."},
    {"cache", FB_CONF_SIZE, AT(origin_worker_conf, cache), .min = 0, .max = INT64_MAX,
     .preset = "8GiB",
     .help = "Sources kept in `scratch` for the next tasks of their videos, where objects are not "
             "files of this machine."},
    {"reserve", FB_CONF_SIZE, AT(origin_worker_conf, reserve), .min = 0, .max = INT64_MAX,
     .preset = "1GiB",
     .help = "While the file system of `scratch` has less left, no task is taken."},
    {"workers", FB_CONF_INT, AT(origin_worker_conf, workers), .min = 1, .max = 64, .preset = "1",
     .help = "Tasks done at once, each in a process of its own."},
    {"worker_threads", FB_CONF_COUNT, AT(origin_worker_conf, worker_threads), .min = 1, .max = 256,
     .preset = "auto",
     .help =
         "Threads of each encoder, for videos that are prepared here: it decides what bytes come "
         "out. auto: 1."},
    {"background", FB_CONF_BOOL, AT(origin_worker_conf, background), .preset = "false",
     .help = "Transcode with the lowest priority, on a machine that has something else to do."},
    {0},
};

const struct fb_conf_section origin_worker_conf_section = {
    .name = "worker.yaml",
    .help = "The configuration of `forebay-worker`.",
    .size = sizeof(struct origin_worker_conf),
    .items = worker_items,
};
