#include "origin/media/xml.h"

void origin_xml_escape(struct fb_buf *buf, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '&':
            fb_buf_append(buf, FB_STR("&amp;"));
            break;
        case '<':
            fb_buf_append(buf, FB_STR("&lt;"));
            break;
        case '>':
            fb_buf_append(buf, FB_STR("&gt;"));
            break;
        case '"':
            fb_buf_append(buf, FB_STR("&quot;"));
            break;
        default:
            fb_buf_append_byte(buf, (unsigned char)*p >= ' ' ? *p : ' ');
            break;
        }
    }
}
