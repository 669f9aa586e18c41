/*
 * What the files of the parser share.
 *
 *     head.c    from what arrives to the bytes of one whole head
 *     fields.c  its field lines
 *     parse.c   its first line, what its fields say of the content, and both heads
 */
#pragma once

#include "base/http1/parse.h"

/* Notes the status, forgets what was gathered and returns `err`. */
FB_MUST_CHECK int fb_http1_fail(struct fb_http1_parser *parser, unsigned status, int err);

/* The bytes of one whole head to the end of its empty line, copied into the arena: lines that end
 * with CR LF, in which there is no other control byte but tabs, and none of which goes on in the
 * next. FB_E_LATER: all was taken and more is needed. */
FB_MUST_CHECK int fb_http1_take_head(struct fb_http1_parser *parser, struct fb_str *input,
                                     bool may_be_blank, struct fb_arena *arena,
                                     struct fb_str *ret_head);

/* The fields of such a head, which stay views of it. */
FB_MUST_CHECK int fb_http1_read_fields(struct fb_http1_parser *parser, struct fb_str head,
                                       struct fb_arena *arena, struct fb_headers *headers);
