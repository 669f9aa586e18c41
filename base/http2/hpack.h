/*
 * Heads as HPACK (RFC 7541), encoded.
 *
 * What is likely to come again with the next response goes into the table that both ends keep:
 * `Date`, `Content-Type`, fields that nobody knows. What belongs to one object, such as `ETag`,
 * is written out each time. Text is written as it is: the Huffman code would save a fifth of it
 * for more work than all the rest of the head is.
 *
 * The decoder may be asked to keep more than this encoder refers to; of what is left out here
 * it forgets by itself.
 *
 * Ownership  init → done; what is encoded is copied.
 * Threads    One at a time.
 * Limits     FB_HPACK_TABLE_BYTES, as RFC 7541 section 4.1 counts.
 */
#pragma once

#include "base/http/head.h"

#include <stddef.h>
#include <stdint.h>

enum { FB_HPACK_TABLE_BYTES = 2048, FB_HPACK_MAX_ENTRIES = 32 };

/* A field that the other end knows: its name as it was given, then its value. */
struct fb_hpack_entry {
    char *text; /* owned */
    uint32_t n_name;
    uint32_t n_value;
};

/* Zero is one whose table is empty, and may have FB_HPACK_TABLE_BYTES. */
struct fb_hpack {
    struct fb_hpack_entry entries[FB_HPACK_MAX_ENTRIES]; /* a ring */
    uint32_t newest;                                     /* its place; the others are before it */
    uint32_t n_entries;
    uint32_t n_bytes;
    uint32_t next;    /* the place where the next field is likely to be */
    uint32_t n_taken; /* of FB_HPACK_TABLE_BYTES, by who has less */
};

void fb_hpack_done(struct fb_hpack *hpack);

/* The other end keeps so many bytes at most, which it is told otherwise. */
void fb_hpack_limit(struct fb_hpack *hpack, uint32_t n_bytes);

/* Each writes at `at`, where there is room, and returns the end of that. */
enum { FB_HPACK_STATUS_ROOM = 8, FB_HPACK_FIELD_ROOM = 24 /* and the name and the value */ };
char *fb_hpack_put_status(char *at, unsigned status);

/* The name may have capital letters, which are written as small ones. */
char *fb_hpack_put(struct fb_hpack *hpack, char *at, const struct fb_header *field);

/* `n` of them, whose values may have white space around them. */
char *fb_hpack_put_all(struct fb_hpack *hpack, char *at, const struct fb_header *fields, size_t n);
