/*
 * Checks that both files' tables share; see struct fb_conf_item.
 */
#pragma once

#include "base/core/diag.h"
#include "base/core/str.h"

int origin_conf_check_node(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_address(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_url(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_objects(struct fb_str value, struct fb_diag *diag);
int origin_conf_check_token(struct fb_str value, struct fb_diag *diag);
