/*
 * Hostile plans: the same bytes as the body of a head that fits them, fed whole and cut in two
 * give the same; and no head is taken that no key has signed.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/wire/plan.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int plan_read(const struct fb_plan_head *head, struct fb_str text, size_t cut,
                     struct fb_plan **ret_plan)
{
    struct fb_plan_reader *reader = fb_plan_reader_new(head);
    struct fb_diag diag = {0};

    int err = fb_plan_reader_feed(reader, fb_str_first(text, cut), &diag);
    if (err == FB_OK) {
        err = fb_plan_reader_feed(reader, fb_str_skip(text, cut), &diag);
    }
    if (err == FB_OK) {
        err = fb_plan_reader_finish(reader, ret_plan, &diag);
    }
    fb_plan_reader_free(reader);
    FB_REQUIRE((err < 0) == (diag.text[0] != '\0'));
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    struct fb_plan_head head = {.region = "r", .serial = 1, .body_bytes = size};
    struct fb_plan *whole = NULL;
    struct fb_plan *cut = NULL;

    FB_REQUIRE(fb_plan_head_open(text, NULL, 0, &head, NULL) < 0);
    for (size_t i = 0; i < size; i++) {
        head.n_entries += data[i] == '\n';
    }
    fb_sha256(text, head.digest);
    int err = plan_read(&head, text, size, &whole);
    FB_REQUIRE(plan_read(&head, text, size / 2, &cut) == err);
    if (err == FB_OK) {
        struct fb_plan_draft draft = {0};
        FB_REQUIRE(whole->n == cut->n && whole->n_bytes == cut->n_bytes);
        for (size_t i = 0; i < whole->n; i++) {
            FB_REQUIRE(fb_str_equal(whole->entries[i].path, cut->entries[i].path));
            FB_REQUIRE(fb_plan_add(&draft, &whole->entries[i]) == FB_OK);
        }
        fb_plan_draft_done(&draft);
    }
    fb_plan_free(whole);
    fb_plan_free(cut);
    return 0;
}
