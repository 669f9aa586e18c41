#include "origin/model/recipe.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"

#include <stdio.h>
#include <string.h>

enum {
    RUNG_MAX = 16384,
    RATE_MAX = 1000000000,
    THREADS_MAX = 16,
    FPS_MAX = 1000,
    CRF_MAX = 63,
    /* All that a recipe may hold fits. */
    JSON_MAX_BYTES = 2 * ORIGIN_RECIPE_MAX,
};

static const char *const codec_texts[] = {"h264", "hevc", "av1"};

_Static_assert(FB_ARRAY_LEN(codec_texts) == ORIGIN_RECIPE_N_CODECS, "each codec has a name");

const char *origin_recipe_codec_text(enum origin_recipe_codec codec)
{
    return codec_texts[codec];
}

void origin_recipe_done(struct origin_recipe *recipe)
{
    fb_free(recipe->chunks);
    fb_free(recipe->jumps);
    *recipe = (struct origin_recipe){.chunks = NULL};
}

/* ---- numbers ------------------------------------------------------------ */

/* Members that are plain whole numbers with bounds. */
struct number {
    const char *key;
    int64_t min;
    int64_t max;
    size_t at;
    size_t size; /* of the member: 4 or 8 bytes */
};

#define MEMBER(type, member, min_, max_)                                            \
    {                                                                               \
        .key = #member, .min = (min_), .max = (max_), .at = offsetof(type, member), \
        .size = sizeof(((type *)NULL)->member)                                      \
    }
#define OF_RECIPE(...) MEMBER(struct origin_recipe, __VA_ARGS__)
#define OF_RUNG(...)   MEMBER(struct origin_recipe_rung, __VA_ARGS__)
#define OF_CHUNK(...)  MEMBER(struct origin_recipe_chunk, __VA_ARGS__)
#define OF_ENTRY(...)  MEMBER(struct origin_recipe_entry, __VA_ARGS__)
#define OF_JUMP(...)   MEMBER(struct origin_recipe_jump, __VA_ARGS__)

static const struct number recipe_numbers[] = {
    OF_RECIPE(n_threads, 1, THREADS_MAX),
    OF_RECIPE(source_bytes, 0, INT64_MAX),
    OF_RECIPE(width, 1, (int64_t)ORIGIN_RECIPE_SIDE_MAX * 16),
    OF_RECIPE(height, 1, (int64_t)ORIGIN_RECIPE_SIDE_MAX * 16),
    OF_RECIPE(rate_num, 1, INT32_MAX),
    OF_RECIPE(rate_den, 1, INT32_MAX),
    OF_RECIPE(zero_us, INT64_MIN / 4, INT64_MAX / 4),
    OF_RECIPE(n_places, 1, (int64_t)ORIGIN_RECIPE_HOURS_MAX * 3600 * FPS_MAX),
    OF_RECIPE(duration_ms, 1, (int64_t)ORIGIN_RECIPE_HOURS_MAX * 3600 * 1000),
    OF_RECIPE(sheet_ms, 1, INT32_MAX),
    OF_RECIPE(poster_sheet, 0, INT32_MAX),
};

static const struct number rung_numbers[] = {
    OF_RUNG(rung, 2, RUNG_MAX),
    OF_RUNG(width, 2, ORIGIN_RECIPE_SIDE_MAX),
    OF_RUNG(height, 2, ORIGIN_RECIPE_SIDE_MAX),
    OF_RUNG(crf, 0, CRF_MAX),
    OF_RUNG(max_rate, 1, RATE_MAX),
    OF_RUNG(buffer, 1, RATE_MAX),
};

static const struct number chunk_numbers[] = {
    OF_CHUNK(first_place, 0, INT64_MAX / 2),
    OF_CHUNK(n_places, 1, INT64_MAX / 2),
    OF_CHUNK(first_segment, 1, INT32_MAX),
};

static const struct number entry_numbers[] = {
    OF_ENTRY(packet, 0, INT64_MAX / 2),  OF_ENTRY(pts, INT64_MIN, INT64_MAX),
    OF_ENTRY(dts, INT64_MIN, INT64_MAX), OF_ENTRY(at, -1, INT64_MAX),
    OF_ENTRY(bytes, 0, INT64_MAX),
};

static const struct number jump_numbers[] = {
    OF_JUMP(packet, 0, INT64_MAX / 2),
    OF_JUMP(shift_us, INT64_MIN / 4, INT64_MAX / 4),
};

static void numbers_store(struct fb_json *object, const void *from, const struct number *numbers,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *member = (const char *)from + numbers[i].at;
        uint32_t narrow = 0;
        int64_t wide = 0;
        if (numbers[i].size == sizeof(narrow)) {
            memcpy(&narrow, member, sizeof(narrow));
            wide = narrow;
        } else {
            memcpy(&wide, member, sizeof(wide));
        }
        fb_json_set_int(object, numbers[i].key, wide);
    }
}

static int numbers_load(const struct fb_json *object, void *to, const struct number *numbers,
                        size_t n, struct fb_diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        char *member = (char *)to + numbers[i].at;
        int64_t wide = 0;
        int err =
            fb_json_read_int(object, numbers[i].key, numbers[i].min, numbers[i].max, &wide, diag);
        if (err < 0) {
            return err;
        }
        uint32_t narrow = (uint32_t)wide;
        if (numbers[i].size == sizeof(narrow)) {
            memcpy(member, &narrow, sizeof(narrow));
        } else {
            memcpy(member, &wide, sizeof(wide));
        }
    }
    return FB_OK;
}

#define STORE(object, from, numbers) \
    numbers_store((object), (from), (numbers), FB_ARRAY_LEN(numbers))
#define LOAD(object, to, numbers, diag) \
    numbers_load((object), (to), (numbers), FB_ARRAY_LEN(numbers), (diag))

static int flag_load(const struct fb_json *object, const char *key, bool *ret_flag,
                     struct fb_diag *diag)
{
    const struct fb_json *value = fb_json_find(object, key);
    if (fb_json_type(value) != FB_JSON_BOOL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is neither true nor false", key);
    }
    *ret_flag = fb_json_bool(value, false);
    return FB_OK;
}

/* ---- store -------------------------------------------------------------- */

static void rungs_store(struct fb_json *object, const struct origin_recipe *recipe)
{
    struct fb_json *list = fb_json_set_array(object, "rungs");
    for (size_t i = 0; i < recipe->n_rungs; i++) {
        struct fb_json *item = fb_json_add_object(list);
        fb_json_set_text(item, "codec", codec_texts[recipe->rungs[i].codec]);
        STORE(item, &recipe->rungs[i], rung_numbers);
        fb_json_set_int(item, "pass", recipe->rungs[i].pass);
    }
}

static void chunks_store(struct fb_json *object, const struct origin_recipe *recipe)
{
    struct fb_json *list = fb_json_set_array(object, "chunks");
    for (size_t i = 0; i < recipe->n_chunks; i++) {
        const struct origin_recipe_chunk *chunk = &recipe->chunks[i];
        struct fb_json *item = fb_json_add_object(list);
        STORE(item, chunk, chunk_numbers);
        fb_json_set_bool(item, "is_seekable", chunk->is_seekable);
        STORE(fb_json_set_object(item, "entry"), &chunk->entry, entry_numbers);
        STORE(fb_json_set_object(item, "earlier"), &chunk->earlier, entry_numbers);
    }
}

void origin_recipe_store(struct fb_json *object, const struct origin_recipe *recipe)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    origin_request_store(fb_json_set_object(object, "request"), &recipe->request);
    fb_json_set_text(object, "toolchain", recipe->toolchain);
    fb_text_hex(&hex, (struct fb_str){(const char *)recipe->source_sha256, ORIGIN_DIGEST_LEN});
    fb_json_set_str(object, "source_sha256", fb_buf_str(&hex));
    fb_buf_clear(&hex);
    fb_text_hex(&hex, (struct fb_str){(const char *)recipe->key_id, ORIGIN_CONTENT_KEY_BYTES});
    fb_json_set_text(object, "scheme", origin_scheme_text(recipe->scheme));
    fb_json_set_str(object, "key_id", fb_buf_str(&hex));
    STORE(object, recipe, recipe_numbers);
    fb_json_set_bool(object, "has_audio", recipe->has_audio);
    fb_json_set_bool(object, "is_partial", recipe->is_partial);
    fb_json_set_text(object, "scan", recipe->scan);
    rungs_store(object, recipe);
    chunks_store(object, recipe);
    struct fb_json *jumps = fb_json_set_array(object, "jumps");
    for (size_t i = 0; i < recipe->n_jumps; i++) {
        STORE(fb_json_add_object(jumps), &recipe->jumps[i], jump_numbers);
    }
}

/* ---- load --------------------------------------------------------------- */

static int list_of(const struct fb_json *object, const char *key, size_t min, size_t max,
                   const struct fb_json **ret_list, struct fb_diag *diag)
{
    const struct fb_json *list = fb_json_find(object, key);
    size_t n = fb_json_count(list);
    if (fb_json_type(list) != FB_JSON_ARRAY || n < min || n > max) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no list of %zu to %zu", key, min, max);
    }
    *ret_list = list;
    return FB_OK;
}

static int rung_load(const struct fb_json *item, struct origin_recipe_rung *rung,
                     struct fb_diag *diag)
{
    int64_t pass = 0;
    struct fb_str codec;

    int err = LOAD(item, rung, rung_numbers, diag);
    if (err < 0 || (err = fb_json_read_str(item, "codec", 8, &codec, diag)) < 0 ||
        (err = fb_json_read_int(item, "pass", 0, ORIGIN_TASK_N_PASSES - 1, &pass, diag)) < 0) {
        return err;
    }
    rung->pass = (enum origin_task_pass)pass;
    for (unsigned i = 0; i < ORIGIN_RECIPE_N_CODECS; i++) {
        if (fb_str_equal(codec, fb_str_from(codec_texts[i]))) {
            rung->codec = (enum origin_recipe_codec)i;
            return rung->width % 2 == 0 && rung->height % 2 == 0
                       ? FB_OK
                       : fb_diag_set(diag, FB_E_MALFORMED, "a rung has an odd side");
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "'codec' is none that is known");
}

static int rungs_load(const struct fb_json *object, struct origin_recipe *recipe,
                      struct fb_diag *diag)
{
    const struct fb_json *list = NULL;
    int err = list_of(object, "rungs", 1, ORIGIN_RECIPE_RUNGS_MAX, &list, diag);
    for (size_t i = 0; err == FB_OK && i < fb_json_count(list); i++) {
        err = rung_load(fb_json_at(list, i), &recipe->rungs[i], diag);
        recipe->n_rungs = i + 1;
        for (size_t j = 0; err == FB_OK && j < i; j++) {
            if (recipe->rungs[i].rung == recipe->rungs[j].rung &&
                recipe->rungs[i].codec == recipe->rungs[j].codec) {
                err = fb_diag_set(diag, FB_E_MALFORMED, "two rungs have one name");
            }
        }
    }
    return err;
}

static int chunk_load(const struct fb_json *item, struct origin_recipe_chunk *chunk,
                      struct fb_diag *diag)
{
    int err = LOAD(item, chunk, chunk_numbers, diag);
    if (err < 0 || (err = flag_load(item, "is_seekable", &chunk->is_seekable, diag)) < 0 ||
        (err = LOAD(fb_json_find(item, "entry"), &chunk->entry, entry_numbers, diag)) < 0) {
        return err;
    }
    return LOAD(fb_json_find(item, "earlier"), &chunk->earlier, entry_numbers, diag);
}

static int chunks_load(const struct fb_json *object, struct origin_recipe *recipe,
                       struct fb_diag *diag)
{
    const struct fb_json *list = NULL;
    uint64_t place = 0;
    uint32_t segment = 0;

    int err = list_of(object, "chunks", 1, ORIGIN_RECIPE_CHUNKS_MAX, &list, diag);
    if (err < 0) {
        return err;
    }
    size_t n = fb_json_count(list);
    recipe->chunks = fb_alloc_array(n, sizeof(*recipe->chunks));
    for (; recipe->n_chunks < n; recipe->n_chunks++) {
        struct origin_recipe_chunk *chunk = &recipe->chunks[recipe->n_chunks];
        err = chunk_load(fb_json_at(list, recipe->n_chunks), chunk, diag);
        if (err < 0) {
            return err;
        }
        bool is_next = chunk->first_place == place && chunk->first_segment > segment &&
                       chunk->n_places <= recipe->n_places - place;
        if (!is_next) {
            break;
        }
        place += chunk->n_places;
        segment = chunk->first_segment;
    }
    return place == recipe->n_places
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "the chunks do not lie end to end");
}

static int jumps_load(const struct fb_json *object, struct origin_recipe *recipe,
                      struct fb_diag *diag)
{
    const struct fb_json *list = NULL;
    int err = list_of(object, "jumps", 0, ORIGIN_RECIPE_JUMPS_MAX, &list, diag);
    if (err < 0 || fb_json_count(list) == 0) {
        return err;
    }
    size_t n = fb_json_count(list);
    recipe->jumps = fb_alloc_array(n, sizeof(*recipe->jumps));
    for (; err == FB_OK && recipe->n_jumps < n; recipe->n_jumps++) {
        struct origin_recipe_jump *jump = &recipe->jumps[recipe->n_jumps];
        err = LOAD(fb_json_at(list, recipe->n_jumps), jump, jump_numbers, diag);
        if (err == FB_OK && recipe->n_jumps > 0 && jump->packet < jump[-1].packet) {
            err = fb_diag_set(diag, FB_E_MALFORMED, "the jumps are out of order");
        }
    }
    return err;
}

static int texts_load(const struct fb_json *object, struct origin_recipe *recipe,
                      struct fb_diag *diag)
{
    struct fb_str toolchain;
    struct fb_str digest;
    struct fb_str scan;

    int err = fb_json_read_str(object, "toolchain", ORIGIN_TOOLCHAIN_MAX, &toolchain, diag);
    if (err < 0 ||
        (err = fb_json_read_str(object, "source_sha256", (size_t)2 * ORIGIN_DIGEST_LEN, &digest,
                                diag)) < 0 ||
        (err = fb_json_read_str(object, "scan", ORIGIN_RECIPE_SCAN_MAX, &scan, diag)) < 0) {
        return err;
    }
    if (fb_text_unhex(digest, recipe->source_sha256, ORIGIN_DIGEST_LEN) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'source_sha256' is no digest");
    }
    (void)snprintf(recipe->toolchain, sizeof(recipe->toolchain), "%.*s", FB_STR_ARG(toolchain));
    (void)snprintf(recipe->scan, sizeof(recipe->scan), "%.*s", FB_STR_ARG(scan));
    return FB_OK;
}

static int key_load(const struct fb_json *object, struct origin_recipe *recipe,
                    struct fb_diag *diag)
{
    struct fb_str scheme;
    struct fb_str id;

    int err = fb_json_read_str(object, "scheme", 8, &scheme, diag);
    if (err < 0 || (err = fb_json_read_str(object, "key_id", (size_t)2 * ORIGIN_CONTENT_KEY_BYTES,
                                           &id, diag)) < 0) {
        return err;
    }
    bool is_good = origin_scheme_parse(scheme, &recipe->scheme) == FB_OK &&
                   fb_text_unhex(id, recipe->key_id, ORIGIN_CONTENT_KEY_BYTES) == FB_OK;
    return is_good ? FB_OK : fb_diag_set(diag, FB_E_MALFORMED, "'scheme' and 'key_id' are no key");
}

int origin_recipe_load(const struct fb_json *object, struct origin_recipe *ret_recipe,
                       struct fb_diag *diag)
{
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.chunks = NULL};

    int err = origin_request_load(fb_json_find(object, "request"), &recipe.request, diag);
    if (err < 0 || (err = texts_load(object, &recipe, diag)) < 0 ||
        (err = key_load(object, &recipe, diag)) < 0 ||
        (err = LOAD(object, &recipe, recipe_numbers, diag)) < 0 ||
        (err = flag_load(object, "has_audio", &recipe.has_audio, diag)) < 0 ||
        (err = flag_load(object, "is_partial", &recipe.is_partial, diag)) < 0 ||
        (err = rungs_load(object, &recipe, diag)) < 0 ||
        (err = chunks_load(object, &recipe, diag)) < 0 ||
        (err = jumps_load(object, &recipe, diag)) < 0) {
        return err;
    }
    if ((uint64_t)recipe.rate_num > (uint64_t)FPS_MAX * recipe.rate_den) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'rate_num' and 'rate_den' are no picture rate");
    }
    *ret_recipe = recipe;
    recipe = (struct origin_recipe){.chunks = NULL};
    return FB_OK;
}

/* ---- places ------------------------------------------------------------- */

/* Times by rates do not fit 64 bits. */
__extension__ typedef unsigned __int128 wide;

uint64_t origin_recipe_place(const struct origin_recipe *recipe, uint64_t ms)
{
    wide unit = (wide)recipe->rate_den * 1000;
    return (uint64_t)(((wide)ms * recipe->rate_num + unit - 1) / unit);
}

/* The sheet that shows a place. */
static uint32_t recipe_sheet(const struct origin_recipe *recipe, uint64_t place)
{
    wide ms = (wide)place * recipe->rate_den * 1000 / recipe->rate_num;
    uint64_t sheet = (uint64_t)(ms / recipe->sheet_ms);
    return (uint32_t)FB_MIN(sheet, (uint64_t)INT32_MAX);
}

uint32_t origin_recipe_n_sheets(const struct origin_recipe *recipe)
{
    return recipe_sheet(recipe, recipe->n_places - 1) + 1;
}

void origin_recipe_sheets(const struct origin_recipe *recipe, size_t chunk, uint32_t *ret_first,
                          uint32_t *ret_n)
{
    const struct origin_recipe_chunk *one = &recipe->chunks[chunk];
    *ret_first = recipe_sheet(recipe, one->first_place);
    *ret_n = recipe_sheet(recipe, one->first_place + one->n_places - 1) - *ret_first + 1;
}

/* ---- text and version --------------------------------------------------- */

void origin_recipe_dump(struct fb_buf *buf, const struct origin_recipe *recipe)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    origin_recipe_store(root, recipe);
    fb_json_dump(root, buf);
}

int origin_recipe_parse(struct fb_str text, struct origin_recipe *ret_recipe, struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    int err = fb_json_parse(text, JSON_MAX_BYTES, &root, diag);
    return err < 0 ? err : origin_recipe_load(root, ret_recipe, diag);
}

void origin_recipe_version(const struct origin_recipe *recipe,
                           char ret_version[ORIGIN_VERSION_LEN + 1])
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_SHA256_SIZE];

    origin_recipe_dump(&text, recipe);
    fb_sha256(fb_buf_str(&text), digest);
    fb_buf_clear(&text);
    fb_text_hex(&text, (struct fb_str){(const char *)digest, ORIGIN_VERSION_LEN / 2});
    memcpy(ret_version, text.ptr, ORIGIN_VERSION_LEN);
    ret_version[ORIGIN_VERSION_LEN] = '\0';
}
