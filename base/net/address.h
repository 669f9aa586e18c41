/*
 * Addresses: where to listen and to connect.
 *
 * Text forms: "127.0.0.1:8080", "[::1]:8080", ":8080" (all interfaces, IPv6
 * and IPv4), and port 0 for one that the kernel picks.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdint.h>
#include <sys/socket.h>

struct fb_address {
    struct sockaddr_storage storage;
    socklen_t len; /* 0: unknown, as of a pair in memory */
};

enum { FB_ADDRESS_TEXT_MAX = 64 };

/* FB_E_MALFORMED with a sentence when `text` is no numeric address and port. */
FB_MUST_CHECK int fb_address_parse(struct fb_str text, struct fb_address *ret_address,
                                   struct fb_diag *diag);

/* A numeric address without brackets, and a port; FB_E_MALFORMED else. */
FB_MUST_CHECK int fb_address_from_ip(struct fb_str host, uint16_t port,
                                     struct fb_address *ret_address);

/* The same for whoever only wants to know, such as a table of the configuration. */
FB_MUST_CHECK int fb_address_check(struct fb_str text, struct fb_diag *diag);

/* The text form, always with the port, or "unknown"; returns `text`. */
char *fb_address_text(const struct fb_address *address, char text[FB_ADDRESS_TEXT_MAX]);

uint16_t fb_address_port(const struct fb_address *address);
