/*
 * Media types.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>

/* The type for a file's name by its suffix, ignoring case;
 * "application/octet-stream" if unknown. Lives for ever. */
struct fb_str fb_content_type_of(struct fb_str path);

/* "text/html" of "text/html; charset=utf-8". */
struct fb_str fb_content_type_essence(struct fb_str value);

/* True if the value of Content-Type names `essence`, whatever its parameters. */
bool fb_content_type_is(struct fb_str value, struct fb_str essence);
