/*
 * A stand-in for forebay-transcode: a child that does what the source says that it was given.
 * Header-only: for the tests of origin/worker.
 */
#pragma once

#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/model/order.h"
#include "origin/model/recipe.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void child_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        _exit(3);
    }
    (void)close(fd);
}

static void child_say(int err, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};
    struct origin_word word = {.is_end = true, .err = err};

    (void)snprintf(word.text, sizeof(word.text), "%s", text);
    origin_word_dump(&line, &word);
    FB_IGNORE(fb_fd_write(STDOUT_FILENO, fb_buf_str(&line)));
}

static void child_tell_recipe(void)
{
    static struct origin_recipe_chunk chunk = {.n_places = 30, .first_segment = 1};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    const struct origin_recipe recipe = {
        .request = origin_request_preset(),
        .toolchain = "toolchain 1",
        .n_threads = 2,
        .source_bytes = 1,
        .width = 640,
        .height = 360,
        .rate_num = 30,
        .rate_den = 1,
        .n_places = 30,
        .duration_ms = 1000,
        .sheet_ms = 4000,
        .rungs =
            {{.rung = 360, .width = 640, .height = 360, .crf = 23, .max_rate = 8, .buffer = 9}},
        .n_rungs = 1,
        .chunks = &chunk,
        .n_chunks = 1,
    };

    origin_recipe_dump(&text, &recipe);
    child_write("told.json", text.ptr);
}

static int child_make(const struct origin_order *order)
{
    if (order->kind == ORIGIN_TASK_PREPARE) {
        child_tell_recipe();
    } else if (mkdir("media", 0700) == 0 && mkdir("media/v", 0700) == 0) {
        child_write("media/v/seg-00001.m4s", "segment");
        child_write("told.json", "{\"part\":1}");
    }
    child_say(FB_OK, "");
    return 0;
}

/* What the source says: a word, and what it is about. */
static int child_obey(const struct origin_order *order, const char *word, const char *about)
{
    if (strcmp(word, "make") == 0) {
        return child_make(order);
    }
    if (strcmp(word, "wait") == 0) {
        while (poll(NULL, 0, 1000) == 0) {
        }
    } else if (strcmp(word, "crash") == 0) {
        (void)fprintf(stderr, "about to crash\n");
        abort();
    } else if (strcmp(word, "fail") == 0) {
        child_say((int)strtol(about, NULL, 10), "a sentence of the child's");
    } else if (strcmp(word, "read") == 0) {
        child_say(open(about, O_RDONLY | O_CLOEXEC) < 0 ? FB_E_UNSUPPORTED : FB_OK, "refused");
    } else if (strcmp(word, "connect") == 0) {
        child_say(socket(AF_INET, SOCK_STREAM, 0) < 0 ? FB_E_UNSUPPORTED : FB_OK, "refused");
    } else if (strcmp(word, "litter") == 0) {
        (void)mkdir("media", 0700);
        child_write("media/an odd name", "x");
        child_write("told.json", "{}");
        child_say(FB_OK, "");
    }
    return 0; /* "leave": without a word */
}

static int child_main(void)
{
    static char input[65536];
    char source[512] = "";
    FB_AUTO(origin_order_done) struct origin_order order = {.is_about = false};
    ssize_t n = read(STDIN_FILENO, input, sizeof(input));

    if (n < 0 || origin_order_parse((struct fb_str){input, (size_t)n}, &order, NULL) < 0) {
        return 2;
    }
    if (order.is_about) {
        child_write("told.json", "toolchain 1");
        child_say(FB_OK, "");
        return 0;
    }
    int fd = open(order.source.ptr, O_RDONLY | O_CLOEXEC);
    n = read(fd, source, sizeof(source) - 1);
    (void)close(fd);
    char *about = n > 0 ? strchr(source, ' ') : NULL;
    if (about != NULL) {
        *about++ = '\0';
    }
    return child_obey(&order, source, about);
}
