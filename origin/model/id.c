#include "origin/model/id.h"

#include "base/core/err.h"
#include "base/sys/random.h"

#include <string.h>

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

struct origin_id origin_id_of(const uint8_t bytes[ORIGIN_ID_BYTES])
{
    struct origin_id id = {.text = ""};
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t place = 0;

    for (size_t i = 0; i < ORIGIN_ID_BYTES; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffffU;
        n_bits += 8;
        while (n_bits >= 5) {
            n_bits -= 5;
            id.text[place++] = id_letters[bits >> n_bits & 31U];
        }
    }
    id.text[place] = id_letters[bits << (5 - n_bits) & 31U];
    return id;
}

struct origin_id origin_id_new(void)
{
    uint8_t bytes[ORIGIN_ID_BYTES];
    fb_random_bytes(bytes, sizeof(bytes));
    return origin_id_of(bytes);
}

int origin_id_parse(struct fb_str text, struct origin_id *ret_id)
{
    if (text.len != ORIGIN_ID_LEN) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(id_letters, text.ptr[i]) == NULL) {
            return FB_E_MALFORMED;
        }
    }
    struct origin_id id = {.text = ""};
    memcpy(id.text, text.ptr, text.len);
    *ret_id = id;
    return FB_OK;
}

struct fb_str origin_id_str(const struct origin_id *id)
{
    return fb_str_from(id->text);
}

bool origin_id_equal(const struct origin_id *a, const struct origin_id *b)
{
    return strcmp(a->text, b->text) == 0;
}
