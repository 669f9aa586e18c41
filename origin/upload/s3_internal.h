/*
 * What the files of S3's door share.
 *
 * s3.c         begin, content, end
 * s3_route.c   which operation a request is, and on what
 * s3_file.c    operations on files and parts
 * s3_list.c    operations on the bucket
 * s3_xml.c     documents that come
 */
#pragma once

#include "origin/upload/s3.h"
#include "origin/upload/s3_documents.h"
#include "origin/upload/upload_internal.h"

/* Sets op, key, place, upload and number. */
FB_MUST_CHECK int origin_s3_route(struct origin_s3 *s3);

/* Whether the query has a parameter of that name. */
bool origin_s3_has(const struct origin_s3 *s3, const char *name);

/* A number of the query within bounds; `preset` if there is none, the nearest if it is out of
 * them. */
FB_MUST_CHECK int origin_s3_number(struct origin_s3 *s3, const char *name, uint32_t preset,
                                   uint32_t max, uint32_t *ret_number);

/* The operations, once the content is there. */
FB_MUST_CHECK int origin_s3_put_begin(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_put_end(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_create(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_complete(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_abort(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_parts(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_look(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_delete(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_delete_many(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_buckets(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_location(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_versioning(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_objects(struct origin_s3 *s3);
FB_MUST_CHECK int origin_s3_uploads(struct origin_s3 *s3);

/* ---- answers --------------------------------------------------------------------------- */

void origin_s3_header(struct origin_s3 *s3, const char *name, struct fb_str value);

/* Begins and ends the document <name>; makes the status 200. */
void origin_s3_open(struct origin_s3 *s3, const char *name);
void origin_s3_close(struct origin_s3 *s3, const char *name);

/* Append <name>text</name>. */
void origin_s3_text(struct origin_s3 *s3, const char *name, struct fb_str text);
void origin_s3_int(struct origin_s3 *s3, const char *name, int64_t number);
void origin_s3_time(struct origin_s3 *s3, const char *name, int64_t wall_ms);
void origin_s3_etag(struct origin_s3 *s3, struct fb_str etag);

/* "CRC32C <base64>" as <ChecksumCRC32C>; nothing if it is empty or not known yet. */
void origin_s3_sum(struct origin_s3 *s3, struct fb_str sum);

/* The same as a field. */
void origin_s3_sum_field(struct origin_s3 *s3, struct fb_str sum);
