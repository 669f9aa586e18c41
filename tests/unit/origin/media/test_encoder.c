#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "origin/media/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 256, HEIGHT = 144, N_PICTURES = 24, RATE = 12 };

/* As tests/support/lsan.txt: x265 forgets copies of its parameters. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__lsan_default_suppressions(void);
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\n";
}

/* Keys off any regular grid, to be sure that they come from us. */
static bool is_key_wanted(int64_t index)
{
    return index == 0 || index == 9 || index == 17;
}

/* A slope that moves, with something harder to encode upon it. */
static AVFrame *picture_new(int64_t index)
{
    AVFrame *frame = origin_av_frame_new();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = WIDTH;
    frame->height = HEIGHT;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane > 0;
        for (int y = 0; y < HEIGHT >> shift; y++) {
            for (int x = 0; x < WIDTH >> shift; x++) {
                int value = x + y + (int)index * 3 + (x * y / 64) % 32;
                frame->data[plane][y * frame->linesize[plane] + x] = (uint8_t)(value & 0xff);
            }
        }
    }
    frame->pts = index;
    frame->pict_type = is_key_wanted(index) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return frame;
}

struct outcome {
    char name[ORIGIN_TRANSCODE_CODECS_MAX];
    unsigned n_packets;
    unsigned n_wrong_keys;
    uint8_t digest[FB_SHA256_SIZE];
};

static void drain(AVCodecContext *encoder, struct outcome *outcome, struct fb_sha256 *hash)
{
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();
    for (;;) {
        int err = origin_encoder_receive(encoder, packet);
        if (err == FB_E_LATER || err == FB_E_END) {
            return;
        }
        assert_int_equal(err, FB_OK);
        bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        outcome->n_packets++;
        outcome->n_wrong_keys += is_key != is_key_wanted(packet->pts);
        fb_sha256_update(hash, (struct fb_str){(const char *)packet->data, (size_t)packet->size});
        av_packet_unref(packet);
    }
}

static struct outcome encode(enum origin_recipe_codec codec)
{
    FB_AUTO(origin_av_frame_done) AVFrame *like = picture_new(0);
    struct outcome outcome = {.n_packets = 0};
    struct fb_diag diag = {0};
    struct fb_sha256 hash;
    AVCodecContext *encoder = NULL;
    struct origin_video_settings settings = {
        .codec = codec,
        .crf = origin_encoder_crf(codec, 23),
        .rung = {144, WIDTH, HEIGHT, 200000, 400000},
        .rate = {RATE, 1},
        .preset = "veryfast",
        .n_threads = 2,
        .key_period_ms = 2000,
        .like = like,
    };
    origin_av_log_open();
    fb_sha256_init(&hash);
    assert_int_equal(origin_encoder_new_video(&settings, &encoder, &diag), FB_OK);
    assert_int_equal(origin_encoder_name(encoder, outcome.name), FB_OK);
    for (int64_t i = 0; i < N_PICTURES; i++) {
        FB_AUTO(origin_av_frame_done) AVFrame *frame = picture_new(i);
        assert_int_equal(avcodec_send_frame(encoder, frame), 0);
        drain(encoder, &outcome, &hash);
    }
    assert_int_equal(avcodec_send_frame(encoder, NULL), 0);
    drain(encoder, &outcome, &hash);
    fb_sha256_finish(&hash, outcome.digest);
    avcodec_free_context(&encoder);
    return outcome;
}

static void check(enum origin_recipe_codec codec, const char *name)
{
    if (!origin_encoder_is_there(codec)) {
        assert_int_not_equal(codec, ORIGIN_RECIPE_H264); /* which nothing goes without */
        print_message("this FFmpeg has no encoder of it\n");
        skip();
    }
    struct outcome first = encode(codec);
    struct outcome second = encode(codec);

    assert_int_equal(first.n_packets, N_PICTURES);
    assert_int_equal(first.n_wrong_keys, 0);
    assert_memory_equal(first.name, name, strlen(name));
    assert_memory_equal(first.digest, second.digest, sizeof(first.digest));
}

static void h264_has_keys_where_they_are_asked_for_and_the_same_bytes_twice(void **state)
{
    (void)state;
    check(ORIGIN_RECIPE_H264, "avc1.64");
}

static void hevc_has_keys_where_they_are_asked_for_and_the_same_bytes_twice(void **state)
{
    (void)state;
    check(ORIGIN_RECIPE_HEVC, "hvc1.1.6.L");
}

static void av1_has_keys_where_they_are_asked_for_and_the_same_bytes_twice(void **state)
{
    (void)state;
    check(ORIGIN_RECIPE_AV1, "av01.0.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_has_keys_where_they_are_asked_for_and_the_same_bytes_twice),
        cmocka_unit_test(hevc_has_keys_where_they_are_asked_for_and_the_same_bytes_twice),
        cmocka_unit_test(av1_has_keys_where_they_are_asked_for_and_the_same_bytes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
