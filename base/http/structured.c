#include "base/http/structured.h"

#include "base/core/err.h"
#include "base/http/head.h"

#include <stdbool.h>

/* No more digits than these (section 3.3.1, 3.3.2). */
enum { SF_INTEGER_DIGITS = 15, SF_DECIMAL_DIGITS = 12, SF_FRACTION_DIGITS = 3 };

/* What is left to read. */
struct sf_input {
    struct fb_str rest;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char sf_peek(const struct sf_input *input)
{
    return input->rest.len > 0 ? input->rest.ptr[0] : '\0';
}

static bool sf_accept(struct sf_input *input, char c)
{
    if (input->rest.len == 0 || input->rest.ptr[0] != c) {
        return false;
    }
    input->rest = fb_str_skip(input->rest, 1);
    return true;
}

static void sf_skip_spaces(struct sf_input *input, bool takes_tabs)
{
    while (sf_accept(input, ' ') || (takes_tabs && sf_accept(input, '\t'))) {
    }
}

static struct fb_str sf_take(struct sf_input *input, size_t n)
{
    struct fb_str taken = fb_str_first(input->rest, n);

    input->rest = fb_str_skip(input->rest, n);
    return taken;
}

/* ---- keys and bare items ------------------------------------------------- */

static bool is_key_byte(char c, bool is_first)
{
    if ((c >= 'a' && c <= 'z') || c == '*') {
        return true;
    }
    return !is_first && (is_digit(c) || c == '_' || c == '-' || c == '.');
}

static int sf_key(struct sf_input *input, struct fb_str *ret_key)
{
    size_t n = 0;

    while (n < input->rest.len && is_key_byte(input->rest.ptr[n], n == 0)) {
        n++;
    }
    if (n == 0) {
        return FB_E_MALFORMED;
    }
    *ret_key = sf_take(input, n);
    return FB_OK;
}

/* Digits into `*number`; how many there were, but no more than one above `most`. */
static unsigned sf_digits(struct sf_input *input, unsigned most, int64_t *number)
{
    unsigned n = 0;

    while (is_digit(sf_peek(input)) && n <= most) {
        *number = 10 * *number + (sf_peek(input) - '0');
        input->rest = fb_str_skip(input->rest, 1);
        n++;
    }
    return n;
}

static int sf_number(struct sf_input *input, struct fb_sf_member *member)
{
    bool is_negative = sf_accept(input, '-');
    int64_t number = 0;
    unsigned n = sf_digits(input, SF_INTEGER_DIGITS, &number);

    if (n == 0 || n > SF_INTEGER_DIGITS) {
        return FB_E_MALFORMED;
    }
    member->kind = FB_SF_INTEGER;
    if (sf_accept(input, '.')) {
        unsigned n_fraction = sf_digits(input, SF_FRACTION_DIGITS, &number);
        if (n > SF_DECIMAL_DIGITS || n_fraction == 0 || n_fraction > SF_FRACTION_DIGITS) {
            return FB_E_MALFORMED;
        }
        for (; n_fraction < SF_FRACTION_DIGITS; n_fraction++) {
            number *= 10;
        }
        member->kind = FB_SF_DECIMAL;
    }
    member->integer = is_negative ? -number : number;
    return FB_OK;
}

/* Behind the opening quote. */
static int sf_string(struct sf_input *input, struct fb_sf_member *member)
{
    for (size_t i = 0; i < input->rest.len; i++) {
        char c = input->rest.ptr[i];
        char next = i + 1 < input->rest.len ? input->rest.ptr[i + 1] : '\0';
        if (c == '"') {
            member->kind = FB_SF_STRING;
            member->text = sf_take(input, i);
            return sf_accept(input, '"') ? FB_OK : FB_E_MALFORMED;
        }
        if (c < ' ' || c > '~' || (c == '\\' && next != '"' && next != '\\')) {
            return FB_E_MALFORMED;
        }
        i += c == '\\' ? 1 : 0;
    }
    return FB_E_MALFORMED;
}

static bool is_token_byte(char c)
{
    struct fb_str byte = {&c, 1};

    return c == ':' || c == '/' || fb_is_token(byte);
}

static int sf_token(struct sf_input *input, struct fb_sf_member *member)
{
    size_t n = 1;

    while (n < input->rest.len && is_token_byte(input->rest.ptr[n])) {
        n++;
    }
    member->kind = FB_SF_TOKEN;
    member->text = sf_take(input, n);
    return FB_OK;
}

/* Behind the opening colon. */
static int sf_bytes(struct sf_input *input, struct fb_sf_member *member)
{
    size_t n = 0;

    while (n < input->rest.len &&
           (is_alpha(input->rest.ptr[n]) || is_digit(input->rest.ptr[n]) ||
            input->rest.ptr[n] == '+' || input->rest.ptr[n] == '/' || input->rest.ptr[n] == '=')) {
        n++;
    }
    member->kind = FB_SF_BYTES;
    member->text = sf_take(input, n);
    return sf_accept(input, ':') ? FB_OK : FB_E_MALFORMED;
}

static int sf_boolean(struct sf_input *input, struct fb_sf_member *member)
{
    member->kind = FB_SF_BOOLEAN;
    member->integer = sf_peek(input) == '1' ? 1 : 0;
    return sf_accept(input, '1') || sf_accept(input, '0') ? FB_OK : FB_E_MALFORMED;
}

static int sf_bare_item(struct sf_input *input, struct fb_sf_member *member)
{
    if (sf_accept(input, '"')) {
        return sf_string(input, member);
    }
    if (sf_accept(input, ':')) {
        return sf_bytes(input, member);
    }
    if (sf_accept(input, '?')) {
        return sf_boolean(input, member);
    }
    if (is_alpha(sf_peek(input)) || sf_peek(input) == '*') {
        return sf_token(input, member);
    }
    return sf_number(input, member);
}

/* ---- members -------------------------------------------------------------- */

static int sf_parameters(struct sf_input *input, struct fb_str *ret_text)
{
    struct fb_str begin = input->rest;
    struct fb_sf_member ignored = {0};

    while (sf_accept(input, ';')) {
        sf_skip_spaces(input, false);
        int err = sf_key(input, &ignored.key);
        if (err == FB_OK && sf_accept(input, '=')) {
            err = sf_bare_item(input, &ignored);
        }
        if (err < 0) {
            return err;
        }
    }
    *ret_text = fb_str_first(begin, begin.len - input->rest.len);
    return FB_OK;
}

/* Behind the opening parenthesis. */
static int sf_inner_list(struct sf_input *input, struct fb_sf_member *member)
{
    struct fb_str begin = input->rest;
    struct fb_sf_member item = {0};

    for (;;) {
        sf_skip_spaces(input, false);
        size_t n = begin.len - input->rest.len;
        if (sf_accept(input, ')')) {
            member->kind = FB_SF_INNER_LIST;
            member->text = fb_str_first(begin, n);
            return FB_OK;
        }
        int err = sf_bare_item(input, &item);
        if (err == FB_OK) {
            err = sf_parameters(input, &item.parameters);
        }
        if (err < 0 || (sf_peek(input) != ' ' && sf_peek(input) != ')')) {
            return FB_E_MALFORMED;
        }
    }
}

static int sf_member(struct sf_input *input, struct fb_sf_member *member)
{
    int err = sf_key(input, &member->key);

    if (err < 0) {
        return err;
    }
    if (!sf_accept(input, '=')) {
        member->kind = FB_SF_BOOLEAN;
        member->integer = 1;
    } else if (sf_accept(input, '(')) {
        err = sf_inner_list(input, member);
    } else {
        err = sf_bare_item(input, member);
    }
    return err < 0 ? err : sf_parameters(input, &member->parameters);
}

int fb_sf_next_member(struct fb_str *rest, struct fb_sf_member *ret_member)
{
    struct sf_input input = {*rest};
    struct fb_sf_member member = {0};

    sf_skip_spaces(&input, false);
    if (input.rest.len == 0) {
        return FB_E_END;
    }
    int err = sf_member(&input, &member);
    if (err < 0) {
        return err;
    }
    sf_skip_spaces(&input, true);
    if (input.rest.len > 0) {
        if (!sf_accept(&input, ',')) {
            return FB_E_MALFORMED;
        }
        sf_skip_spaces(&input, true);
        if (input.rest.len == 0) {
            return FB_E_MALFORMED;
        }
    }
    *rest = input.rest;
    *ret_member = member;
    return FB_OK;
}
