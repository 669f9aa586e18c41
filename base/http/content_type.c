#include "base/http/content_type.h"

#include "base/core/attr.h"

static const struct {
    struct fb_str suffix;
    struct fb_str type;
} types[] = {
    {FB_STR(".m3u8"), FB_STR("application/vnd.apple.mpegurl")},
    {FB_STR(".mpd"), FB_STR("application/dash+xml")},
    {FB_STR(".m4s"), FB_STR("video/iso.segment")},
    {FB_STR(".mp4"), FB_STR("video/mp4")},
    {FB_STR(".m4a"), FB_STR("audio/mp4")},
    {FB_STR(".ts"), FB_STR("video/mp2t")},
    {FB_STR(".webm"), FB_STR("video/webm")},
    {FB_STR(".vtt"), FB_STR("text/vtt; charset=utf-8")},
    {FB_STR(".jpg"), FB_STR("image/jpeg")},
    {FB_STR(".jpeg"), FB_STR("image/jpeg")},
    {FB_STR(".png"), FB_STR("image/png")},
    {FB_STR(".webp"), FB_STR("image/webp")},
    {FB_STR(".svg"), FB_STR("image/svg+xml")},
    {FB_STR(".ico"), FB_STR("image/vnd.microsoft.icon")},
    {FB_STR(".html"), FB_STR("text/html; charset=utf-8")},
    {FB_STR(".css"), FB_STR("text/css; charset=utf-8")},
    {FB_STR(".js"), FB_STR("text/javascript; charset=utf-8")},
    {FB_STR(".mjs"), FB_STR("text/javascript; charset=utf-8")},
    {FB_STR(".json"), FB_STR("application/json")},
    {FB_STR(".map"), FB_STR("application/json")},
    {FB_STR(".xml"), FB_STR("application/xml")},
    {FB_STR(".txt"), FB_STR("text/plain; charset=utf-8")},
    {FB_STR(".woff2"), FB_STR("font/woff2")},
    {FB_STR(".wasm"), FB_STR("application/wasm")},
};

struct fb_str fb_content_type_of(struct fb_str path)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(types); i++) {
        struct fb_str suffix = types[i].suffix;
        if (path.len >= suffix.len &&
            fb_str_equal_nocase(fb_str_skip(path, path.len - suffix.len), suffix)) {
            return types[i].type;
        }
    }
    return FB_STR("application/octet-stream");
}

struct fb_str fb_content_type_essence(struct fb_str value)
{
    return fb_str_trim(fb_str_first(value, fb_str_find(value, ';')));
}

bool fb_content_type_is(struct fb_str value, struct fb_str essence)
{
    return fb_str_equal_nocase(fb_content_type_essence(value), essence);
}
