/*
 * What both files' tables share: checks (see struct fb_conf_item), a section.
 */
#pragma once

#include "base/conf/conf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

int origin_conf_check_url(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_objects(struct fb_str value, struct fb_diag *diag);
/* Objects of a worker: it has no keys of a bucket. */
int origin_conf_check_folder(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_token(struct fb_str value, struct fb_diag *diag);

/* For a file that is read at the start. */
int origin_conf_probe_read(const char *path, struct fb_diag *diag);
/* The folder of the pages. */
int origin_conf_probe_web(const char *path, struct fb_diag *diag);

extern const struct fb_conf_section origin_conf_admin_section;
extern const struct fb_conf_section origin_conf_s3_section;
extern const struct fb_conf_section origin_conf_jobs_section;
extern const struct fb_conf_section origin_conf_transcode_section;

/* Of origin.yaml, in access_conf.c. */
extern const struct fb_conf_section origin_conf_playback_section;
extern const struct fb_conf_section origin_conf_countries_section;
extern const struct fb_conf_section origin_conf_purge_section;
