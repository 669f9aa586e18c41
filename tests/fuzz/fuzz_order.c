/*
 * Orders and words as two processes may send them to each other; the words come from one that
 * handles bytes of strangers.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/model/order.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    FB_AUTO(origin_order_done) struct origin_order order = {.is_about = false};
    struct origin_word word;

    if (origin_order_parse(text, &order, NULL) == FB_OK) {
        FB_AUTO(fb_buf_done) struct fb_buf again = {0};
        FB_AUTO(origin_order_done) struct origin_order second = {.is_about = false};
        origin_order_dump(&again, &order);
        int err = origin_order_parse(fb_buf_str(&again), &second, NULL);
        FB_REQUIRE(err == FB_OK && second.kind == order.kind && second.index == order.index);
        FB_REQUIRE(fb_str_equal(second.recipe, order.recipe));
    }
    if (origin_word_parse(text, &word) == FB_OK) {
        FB_AUTO(fb_buf_done) struct fb_buf again = {0};
        struct origin_word second;
        FB_REQUIRE(word.permille <= 1000 && word.err <= 0);
        origin_word_dump(&again, &word);
        FB_REQUIRE(again.len <= ORIGIN_WORD_MAX && memchr(again.ptr, '\n', again.len - 1) == NULL);
        int err = origin_word_parse(fb_str_first(fb_buf_str(&again), again.len - 1), &second);
        FB_REQUIRE(err == FB_OK && second.is_end == word.is_end && second.err == word.err);
    }
    return 0;
}
