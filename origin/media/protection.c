#include "origin/media/protection.h"

#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/xml/xml.h"

#include <string.h>

static bool is_clear(const struct origin_protection *protection)
{
    return protection == NULL || protection->scheme == ORIGIN_PROTECTION_NONE;
}

static struct fb_str key_id(const struct origin_protection *protection)
{
    return (struct fb_str){(const char *)protection->key_id, ORIGIN_KEY_ID_SIZE};
}

/* ---- HLS --------------------------------------------------------------- */

static void hls_system(struct fb_buf *buf, const struct origin_protection *protection,
                       const struct origin_protection_system *system)
{
    bool is_cbcs = protection->scheme == ORIGIN_PROTECTION_CBCS;

    fb_buf_printf(buf, "#EXT-X-KEY:METHOD=%s,URI=\"", is_cbcs ? "SAMPLE-AES" : "SAMPLE-AES-CTR");
    if (system->hls_url != NULL) {
        fb_buf_append(buf, fb_str_from(system->hls_url));
    } else {
        fb_buf_append(buf, FB_STR("data:text/plain;base64,"));
        fb_base64_encode(buf, FB_BASE64_STD, system->pssh);
    }
    fb_buf_append(buf, FB_STR("\",KEYID=0x"));
    fb_text_hex(buf, key_id(protection));
    if (system->hls_format != NULL) {
        fb_buf_printf(buf, ",KEYFORMAT=\"%s\"", system->hls_format);
    } else {
        fb_buf_printf(buf, ",KEYFORMAT=\"urn:uuid:%s\"", system->uuid);
    }
    fb_buf_append(buf, FB_STR(",KEYFORMATVERSIONS=\"1\"\n"));
}

void origin_protection_hls(struct fb_buf *buf, const struct origin_protection *protection)
{
    if (is_clear(protection)) {
        return;
    }
    for (size_t i = 0; i < protection->n_systems; i++) {
        const struct origin_protection_system *system = &protection->systems[i];
        if (system->hls_url != NULL || system->pssh.len > 0) {
            hls_system(buf, protection, system);
        }
    }
}

/* ---- DASH -------------------------------------------------------------- */

/* In the form of RFC 9562: 8-4-4-4-12 digits. */
static void dash_uuid(struct fb_buf *buf, struct fb_str id)
{
    static const size_t ends[] = {4, 6, 8, 10};
    size_t at = 0;
    for (size_t i = 0; i < FB_ARRAY_LEN(ends); i++) {
        fb_text_hex(buf, fb_str_skip(fb_str_first(id, ends[i]), at));
        fb_buf_append_byte(buf, '-');
        at = ends[i];
    }
    fb_text_hex(buf, fb_str_skip(id, at));
}

static void dash_system(struct fb_buf *buf, const struct origin_protection_system *system)
{
    fb_buf_printf(buf, "      <ContentProtection schemeIdUri=\"urn:uuid:%s\"", system->uuid);
    if (system->name != NULL) {
        fb_buf_append(buf, FB_STR(" value=\""));
        fb_xml_append_text(buf, fb_str_from(system->name));
        fb_buf_append_byte(buf, '"');
    }
    fb_buf_append(buf, FB_STR(">\n"));
    if (system->pssh.len > 0) {
        fb_buf_append(buf, FB_STR("        <cenc:pssh>"));
        fb_base64_encode(buf, FB_BASE64_STD, system->pssh);
        fb_buf_append(buf, FB_STR("</cenc:pssh>\n"));
    }
    if (system->licence_url != NULL) {
        fb_buf_append(buf, FB_STR("        <dashif:Laurl>"));
        fb_xml_append_text(buf, fb_str_from(system->licence_url));
        fb_buf_append(buf, FB_STR("</dashif:Laurl>\n"));
    }
    bool is_clearkey = strcmp(system->uuid, ORIGIN_PROTECTION_CLEARKEY) == 0;
    if (system->licence_url != NULL && is_clearkey) {
        fb_buf_append(buf, FB_STR("        <clearkey:Laurl Lic_type=\"EME-1.0\">"));
        fb_xml_append_text(buf, fb_str_from(system->licence_url));
        fb_buf_append(buf, FB_STR("</clearkey:Laurl>\n"));
    }
    fb_buf_append(buf, FB_STR("      </ContentProtection>\n"));
}

void origin_protection_dash(struct fb_buf *buf, const struct origin_protection *protection)
{
    if (is_clear(protection)) {
        return;
    }
    fb_buf_printf(buf,
                  "      <ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\""
                  " value=\"%s\" cenc:default_KID=\"",
                  protection->scheme == ORIGIN_PROTECTION_CBCS ? "cbcs" : "cenc");
    dash_uuid(buf, key_id(protection));
    fb_buf_append(buf, FB_STR("\"/>\n"));
    for (size_t i = 0; i < protection->n_systems; i++) {
        dash_system(buf, &protection->systems[i]);
    }
}

void origin_protection_dash_spaces(struct fb_buf *buf, const struct origin_protection *protection)
{
    if (!is_clear(protection)) {
        fb_buf_append(buf, FB_STR(" xmlns:cenc=\"urn:mpeg:cenc:2013\""
                                  " xmlns:dashif=\"https://dashif.org/CPS\""
                                  " xmlns:clearkey=\"http://dashif.org/guidelines/clearKey\""));
    }
}
