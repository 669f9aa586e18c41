/*
 * Lines of the access log from hostile requests: one line, no control character of any
 * kind, and no secret; CMCD among it. Input: path, query, CMCD-Session, one a line.
 */
#include "base/core/check.h"
#include "edge/access_log/entry.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_tame(struct fb_str line)
{
    FB_REQUIRE(line.len > 0 && line.ptr[line.len - 1] == '\n');
    for (size_t i = 0; i + 1 < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        FB_REQUIRE(c >= ' ' && c != 0x7f);
        FB_REQUIRE(c != 0xc2 || (unsigned char)line.ptr[i + 1] >= 0xa0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fb_str hidden[] = {{"token", 5}};
    struct fb_str rest = {(const char *)data, size};
    struct fb_header session = {.name = FB_STR("CMCD-Session")};
    struct fb_request_head request = {.method_text = FB_STR("GET"), .host = FB_STR("h")};
    struct fb_buf line = {0};

    if (!fb_str_cut(&rest, '\n', &request.path) || !fb_str_cut(&rest, '\n', &request.query)) {
        return 0;
    }
    session.value = rest;
    request.headers = (struct fb_headers){.items = &session, .n = 1, .cap = 1};
    struct edge_access_entry entry = {.request = &request, .status = 200};
    struct edge_access_view view = {.has_cmcd = true, .hidden = hidden, .n_hidden = 1, .sample = 1};
    edge_access_json(&line, &entry, &view);
    require_tame(fb_buf_str(&line));
    fb_buf_clear(&line);
    edge_access_w3c(&line, &entry, &view);
    require_tame(fb_buf_str(&line));
    fb_buf_done(&line);
    return 0;
}
