/*
 * Dates; what is read can be written and read again.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/date.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};
    char written[FB_DATE_MAX];
    int64_t seconds = 0;
    int64_t again = 0;

    if (fb_date_parse(text, 1767225600, &seconds) == FB_OK) {
        int err = fb_date_parse(fb_date_format(seconds, written), 1767225600, &again);
        FB_REQUIRE(err == FB_OK);
        FB_REQUIRE(again == seconds || seconds > 253402300799);
    }
    return 0;
}
