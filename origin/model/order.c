#include "origin/model/order.h"

#include "base/core/err.h"
#include "base/json/json.h"

#include <stdio.h>
#include <string.h>

enum { THREADS_MAX = 256, INPUTS_MAX = 2 * ORIGIN_CHUNKS_MAX + 2, ERR_LEAST = -100000 };

void origin_order_done(struct origin_order *order)
{
    origin_content_key_done(&order->key);
    fb_json_free(order->root);
    *order = (struct origin_order){.is_about = false};
}

void origin_order_dump(struct fb_buf *buf, const struct origin_order *order)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    fb_json_set_str(root, "output", order->output);
    if (!order->is_about) {
        fb_json_set_text(root, "kind", origin_task_kind_text(order->kind));
        fb_json_set_int(root, "pass", order->pass);
        fb_json_set_int(root, "index", order->index);
        fb_json_set_int(root, "n_threads", order->n_threads);
        fb_json_set_str(root, "source", order->source);
        fb_json_set_str(root, "inputs", order->inputs);
        fb_json_set_int(root, "n_inputs", order->n_inputs);
        fb_json_set_str(root, "request", order->request);
        fb_json_set_str(root, "recipe", order->recipe);
        origin_content_key_store(fb_json_set_object(root, "key"), &order->key);
    }
    fb_json_dump(root, buf);
}

/* ---- orders ------------------------------------------------------------------- */

static int read_number(const struct fb_json *root, const char *key, int64_t max,
                       uint32_t *ret_number, struct fb_diag *diag)
{
    int64_t number = 0;
    int err = fb_json_read_int(root, key, 0, max, &number, diag);
    if (err == FB_OK) {
        *ret_number = (uint32_t)number;
    }
    return err;
}

/* Absent, empty, or a path without a NUL in it. */
static int read_path(const struct fb_json *root, const char *key, struct fb_str *ret_path,
                     struct fb_diag *diag)
{
    int err = fb_json_read_str(root, key, ORIGIN_ORDER_PATH_MAX, ret_path, diag);

    if (err == FB_OK && ret_path->len > 0 &&
        (ret_path->ptr[0] != '/' || memchr(ret_path->ptr, '\0', ret_path->len) != NULL)) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no absolute path", key);
    }
    return err;
}

static int read_kind(const struct fb_json *root, struct origin_order *order, struct fb_diag *diag)
{
    struct fb_str kind;
    uint32_t pass = 0;

    int err = fb_json_read_str(root, "kind", 16, &kind, diag);
    if (err < 0 || (err = read_number(root, "pass", ORIGIN_TASK_N_PASSES - 1, &pass, diag)) < 0 ||
        (err = read_number(root, "index", ORIGIN_CHUNKS_MAX - 1, &order->index, diag)) < 0 ||
        (err = read_number(root, "n_threads", THREADS_MAX, &order->n_threads, diag)) < 0 ||
        (err = read_number(root, "n_inputs", INPUTS_MAX, &order->n_inputs, diag)) < 0) {
        return err;
    }
    order->pass = (enum origin_task_pass)pass;
    err = origin_task_kind_parse(kind, &order->kind);
    return err < 0 ? fb_diag_set(diag, err, "'kind' is no kind of task") : FB_OK;
}

static int order_load(const struct fb_json *root, struct origin_order *order, struct fb_diag *diag)
{
    int err = read_path(root, "output", &order->output, diag);

    if (err < 0) {
        return err;
    }
    if (fb_json_find(root, "kind") == NULL) {
        order->is_about = true;
        return FB_OK;
    }
    err = read_kind(root, order, diag);
    if (err < 0 || (err = read_path(root, "source", &order->source, diag)) < 0 ||
        (err = read_path(root, "inputs", &order->inputs, diag)) < 0 ||
        (err = fb_json_read_str(root, "request", ORIGIN_REQUEST_MAX, &order->request, diag)) < 0 ||
        (err = fb_json_read_str(root, "recipe", ORIGIN_RECIPE_MAX, &order->recipe, diag)) < 0) {
        return err;
    }
    return origin_content_key_load(fb_json_find(root, "key"), &order->key, diag);
}

int origin_order_parse(struct fb_str text, struct origin_order *ret_order, struct fb_diag *diag)
{
    struct origin_order order = {.is_about = false};

    int err = fb_json_parse(text, ORIGIN_ORDER_MAX, &order.root, diag);
    if (err < 0) {
        return err;
    }
    err = order_load(order.root, &order, diag);
    if (err < 0) {
        origin_order_done(&order);
        return err;
    }
    *ret_order = order;
    origin_content_key_done(&order.key);
    return FB_OK;
}

/* ---- words --------------------------------------------------------------------- */

void origin_word_dump(struct fb_buf *buf, const struct origin_word *word)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    if (!word->is_end) {
        fb_json_set_int(root, "progress", word->permille);
    } else {
        fb_json_set_text(root, "end", word->err == FB_OK ? "ok" : "failed");
    }
    if (word->is_end && word->err != FB_OK) {
        fb_json_set_int(root, "err", word->err);
        fb_json_set_text(root, "text", word->text);
    }
    fb_json_dump(root, buf);
    fb_buf_append(buf, FB_STR("\n"));
}

/* Takes a text for people over: what is no printable character becomes a space. */
static void take_text(struct fb_str text, char to[ORIGIN_WORD_TEXT_MAX + 1])
{
    size_t n = FB_MIN(text.len, (size_t)ORIGIN_WORD_TEXT_MAX);

    while (n > 0 && n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
        n--; /* not within a character */
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        to[i] = c < ' ' || c == 0x7F ? ' ' : text.ptr[i];
    }
    to[n] = '\0';
}

int origin_word_parse(struct fb_str line, struct origin_word *ret_word)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    struct origin_word word = {.err = FB_OK};
    struct fb_str end;
    int64_t number = 0;

    int err = fb_json_parse(line, ORIGIN_WORD_MAX, &root, NULL);
    if (err < 0) {
        return err;
    }
    if (fb_json_find(root, "progress") != NULL) {
        err = fb_json_read_int(root, "progress", 0, 1000, &number, NULL);
        word.permille = (uint32_t)number;
    } else if ((err = fb_json_read_str(root, "end", 16, &end, NULL)) == FB_OK) {
        word.is_end = true;
        if (!fb_str_equal(end, FB_STR("ok"))) {
            err = fb_json_read_int(root, "err", ERR_LEAST, -1, &number, NULL);
            word.err = (int)number;
            take_text(fb_json_str(fb_json_find(root, "text")), word.text);
        }
    }
    if (err == FB_OK) {
        *ret_word = word;
    }
    return err;
}
