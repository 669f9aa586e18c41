/*
 * Hostile documents to complete an upload and to delete files.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/objects/objects.h"
#include "origin/upload/s3_documents.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_str document = {(const char *)data, size};
    struct origin_fault fault = {.kind = ORIGIN_FAULT_NONE};
    struct origin_ledger_part *parts = NULL;
    struct fb_str *keys = NULL;
    bool is_quiet = false;
    size_t n = 0;

    if (origin_s3_complete_read(document, &arena, &parts, &n, &fault) == FB_OK) {
        FB_REQUIRE(n > 0 && n <= ORIGIN_PART_MAX);
        for (size_t i = 0; i < n; i++) {
            FB_REQUIRE(parts[i].number >= 1 && parts[i].etag.ptr != NULL);
        }
    } else {
        FB_REQUIRE(fault.kind == ORIGIN_FAULT_XML && fault.diag.text[0] != '\0');
    }
    FB_IGNORE(origin_s3_delete_read(document, &arena, &keys, &n, &is_quiet, &fault));
    return 0;
}
