/*
 * Documents that come.
 */
#include "base/core/err.h"
#include "base/xml/xml.h"
#include "origin/objects/objects.h"
#include "origin/upload/s3_internal.h"

#define COMPLETE "CompleteMultipartUpload"

enum { DELETE_MAX = 1000 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without white space around it. */
static struct fb_str trim(struct fb_str text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text = fb_str_skip(text, 1);
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) {
        text = fb_str_first(text, text.len - 1);
    }
    return text;
}

static struct fb_str unquote(struct fb_str text)
{
    text = trim(text);
    return text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"'
               ? fb_str_first(fb_str_skip(text, 1), text.len - 2)
               : text;
}

static int not_xml(struct origin_fault *fault, int err, const struct fb_diag *diag)
{
    return origin_fault_set(fault, ORIGIN_FAULT_XML, "the document is not what it should be: %s",
                            diag->text[0] != '\0' ? diag->text : fb_err_text(err));
}

/* ---- <CompleteMultipartUpload> -------------------------------------------------------------- */

struct complete {
    struct fb_arena *arena;
    struct origin_ledger_part *parts;
    size_t n;
    struct origin_ledger_part part; /* being read */
};

static int complete_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct complete *complete = ctx;
    struct fb_str member = FB_STR(COMPLETE "/Part/");
    struct fb_str sum = FB_STR("Checksum");
    uint64_t number = 0;

    if (fb_str_equal(path, FB_STR(COMPLETE "/Part"))) {
        if (complete->part.number == 0 || complete->part.etag.ptr == NULL) {
            return FB_E_MALFORMED;
        }
        if (complete->n == ORIGIN_PART_MAX) {
            return FB_E_LIMIT;
        }
        complete->parts[complete->n++] = complete->part;
        complete->part = (struct origin_ledger_part){.number = 0};
        return FB_OK;
    }
    if (!fb_str_starts_with(path, member)) {
        return fb_str_starts_with(path, FB_STR(COMPLETE)) ? FB_OK : FB_E_MALFORMED;
    }
    path = fb_str_skip(path, member.len);
    if (fb_str_equal(path, FB_STR("PartNumber"))) {
        if (fb_str_to_u64(trim(text), &number) < 0 || number < 1 || number > ORIGIN_PART_MAX) {
            return FB_E_MALFORMED;
        }
        complete->part.number = (uint32_t)number;
    } else if (fb_str_equal(path, FB_STR("ETag"))) {
        complete->part.etag = fb_arena_dup(complete->arena, unquote(text));
    } else if (fb_str_starts_with(path, sum)) {
        complete->part.sum = fb_arena_dup(complete->arena, trim(text));
    }
    return FB_OK;
}

int origin_s3_complete_read(struct fb_str document, struct fb_arena *arena,
                            struct origin_ledger_part **ret_parts, size_t *ret_n,
                            struct origin_fault *fault)
{
    struct complete complete = {
        .arena = arena,
        .parts = fb_arena_alloc(arena, ORIGIN_PART_MAX * sizeof(*complete.parts)),
    };
    struct fb_diag diag = {.err = FB_OK};

    int err = fb_xml_read(document, complete_element, &complete, &diag);
    if (err == FB_OK && complete.n == 0) {
        err = FB_E_MALFORMED;
    }
    if (err < 0) {
        return not_xml(fault, err, &diag);
    }
    *ret_parts = complete.parts;
    *ret_n = complete.n;
    return FB_OK;
}

/* ---- <Delete> -----------------------------------------------------------------------------------
 */

struct deletion {
    struct fb_arena *arena;
    struct fb_str *keys;
    size_t n;
    bool is_quiet;
};

static int deletion_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct deletion *deletion = ctx;

    if (fb_str_equal(path, FB_STR("Delete/Object/Key"))) {
        if (deletion->n == DELETE_MAX) {
            return FB_E_LIMIT;
        }
        deletion->keys[deletion->n++] = fb_arena_dup(deletion->arena, text);
    } else if (fb_str_equal(path, FB_STR("Delete/Quiet"))) {
        deletion->is_quiet = fb_str_equal(trim(text), FB_STR("true"));
    }
    return fb_str_starts_with(path, FB_STR("Delete")) ? FB_OK : FB_E_MALFORMED;
}

int origin_s3_delete_read(struct fb_str document, struct fb_arena *arena, struct fb_str **ret_keys,
                          size_t *ret_n, bool *ret_is_quiet, struct origin_fault *fault)
{
    struct deletion deletion = {
        .arena = arena,
        .keys = fb_arena_alloc(arena, DELETE_MAX * sizeof(*deletion.keys)),
    };
    struct fb_diag diag = {.err = FB_OK};

    int err = fb_xml_read(document, deletion_element, &deletion, &diag);
    if (err < 0) {
        return not_xml(fault, err, &diag);
    }
    *ret_keys = deletion.keys;
    *ret_n = deletion.n;
    *ret_is_quiet = deletion.is_quiet;
    return FB_OK;
}
