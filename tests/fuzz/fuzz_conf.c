/*
 * Configuration from hostile YAML. What loads must print and load again to the
 * same text.
 */
#include "base/conf/conf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "tests/support/sample_conf.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};
    struct sample conf;
    struct fb_diag diag;

    struct fb_str text = {(const char *)data, size};
    if (fb_conf_parse(&sample_section, text, "input", &conf, &diag) < 0) {
        return 0;
    }
    fb_conf_print(&sample_section, &conf, &first);
    fb_conf_done(&sample_section, &conf);

    int err = fb_conf_parse(&sample_section, fb_buf_str(&first), "printed", &conf, &diag);
    FB_REQUIRE(err == FB_OK);
    fb_conf_print(&sample_section, &conf, &second);
    fb_conf_done(&sample_section, &conf);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&first), fb_buf_str(&second)));
    return 0;
}
