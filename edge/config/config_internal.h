/*
 * What the files of edge/config share: sections with a file of their own.
 */
#pragma once

#include "edge/config/config.h"

/* Of struct edge_conf_rule. */
extern const struct fb_conf_section edge_conf_rule_section;

/* Of struct edge_conf_store. */
extern const struct fb_conf_section edge_conf_store_section;

/* Of struct edge_conf_clients. */
extern const struct fb_conf_section edge_conf_clients_section;
