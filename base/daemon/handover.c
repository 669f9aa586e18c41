#include "base/daemon/handover.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDOVER_ENV "FOREBAY_HANDOVER"
#define WORDS        "words "

enum { HEIR_FD = 3, MESSAGE_MAX = FB_DIAG_MAX + 64, FOREVER = -1, WORDS_LEN = sizeof(WORDS) - 1 };

/* ---- messages ------------------------------------------------------------ */

/* A message each: the sockets keep their borders. */
struct message {
    char bytes[MESSAGE_MAX];
    struct fb_str text; /* of `bytes` */
    int fd;             /* that came with it, the receiver's; -1: none */
};

union fd_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int message_send(int pair, struct fb_str text, int fd)
{
    char bytes[MESSAGE_MAX];
    struct iovec piece = {.iov_base = bytes, .iov_len = FB_MIN(text.len, sizeof(bytes))};
    union fd_control control = {0};
    struct msghdr head = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t n = 0;

    memcpy(bytes, text.ptr, piece.iov_len);

    if (fd >= 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = sizeof(control.bytes);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    do {
        n = sendmsg(pair, &head, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : FB_OK;
}

static int message_wait(int pair, int timeout_ms)
{
    struct pollfd wait = {.fd = pair, .events = POLLIN};
    int64_t until_ms = (int64_t)fb_clock_mono_ms(fb_clock_system()) + timeout_ms;
    int n = 0;

    do {
        n = poll(&wait, 1, timeout_ms);
        if (n < 0 && errno == EINTR && timeout_ms != FOREVER) {
            int64_t left_ms = until_ms - (int64_t)fb_clock_mono_ms(fb_clock_system());
            timeout_ms = (int)FB_MAX(left_ms, 0);
        }
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    }
    return n == 0 ? FB_E_TIMEOUT : FB_OK;
}

/* FB_E_CLOSED: the other side is gone. */
static int message_receive(int pair, int timeout_ms, struct message *message)
{
    struct iovec piece = {.iov_base = message->bytes, .iov_len = sizeof(message->bytes)};
    union fd_control control = {0};
    struct msghdr head = {.msg_iov = &piece,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes)};
    ssize_t n = 0;

    int err = message_wait(pair, timeout_ms);
    if (err < 0) {
        return err;
    }
    do {
        n = recvmsg(pair, &head, MSG_CMSG_CLOEXEC);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET)); /* told once; words may follow */
    if (n <= 0) {
        return n == 0 ? FB_E_CLOSED : -errno;
    }
    const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&head);
    message->text = (struct fb_str){message->bytes, (size_t)n};
    message->fd = -1;
    if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
        memcpy(&message->fd, CMSG_DATA(cmsg), sizeof(message->fd));
    }
    return FB_OK;
}

static bool message_is(const struct message *message, const char *text)
{
    return fb_str_equal(message->text, fb_str_from(text));
}

/* What came although it is not known: of another version, perhaps. */
static int message_reject(const struct message *message, struct fb_diag *diag)
{
    if (message->fd >= 0) {
        (void)close(message->fd);
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "the other process said '%.*s', which is not expected",
                       FB_STR_ARG(message->text));
}

/* ---- the old process ------------------------------------------------------- */

struct fb_handover {
    int pair;      /* owned */
    int heirs_end; /* owned; -1 once it was given away */
    pid_t pid;     /* 0: none */
};

int fb_handover_new(struct fb_handover **ret_handover)
{
    int pair[2] = {-1, -1};

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return -errno;
    }
    struct fb_handover *handover = FB_NEW(struct fb_handover);
    handover->pair = pair[0];
    handover->heirs_end = pair[1];
    *ret_handover = handover;
    return FB_OK;
}

/* This process' environment, and the one name more; the strings are borrowed. */
static char **heir_environment(char *name)
{
    size_t n = 0;
    size_t n_kept = 0;

    while (environ[n] != NULL) {
        n++;
    }
    char **all = fb_alloc((n + 2) * sizeof(all[0]));
    for (size_t i = 0; i < n; i++) {
        if (!fb_str_starts_with(fb_str_from(environ[i]), FB_STR(HANDOVER_ENV "="))) {
            all[n_kept++] = environ[i];
        }
    }
    all[n_kept] = name;
    return all;
}

/* All descriptors but this one are closed on exec. Signals are as a fresh process has them. */
static int heir_spawn(int end, char *const *argv, pid_t *ret_pid)
{
    char name[] = HANDOVER_ENV "=3";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    FB_AUTO(fb_freep) char **environment = heir_environment(name);

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawn_file_actions_init(&actions); /* none of these can fail on Linux */
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int err = posix_spawn_file_actions_adddup2(&actions, end, HEIR_FD);
    if (err == 0) {
        err = posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return -err;
}

static int give_words(const struct fb_handover *handover, struct fb_str words)
{
    int err = words.len <= FB_HANDOVER_WORDS_MAX ? FB_OK : FB_E_LIMIT;

    while (words.len > 0 && err == FB_OK) {
        char text[MESSAGE_MAX] = WORDS;
        size_t n = FB_MIN(words.len, sizeof(text) - WORDS_LEN);
        memcpy(text + WORDS_LEN, words.ptr, n);
        err = message_send(handover->pair, (struct fb_str){text, WORDS_LEN + n}, -1);
        words = fb_str_skip(words, n);
    }
    return err;
}

static int handover_give(const struct fb_handover *handover, const struct fb_handover_gift *gift)
{
    int err = message_send(handover->pair, FB_STR("forebay 1"), -1);

    for (size_t i = 0; i < gift->sockets->n && err == FB_OK; i++) {
        err = message_send(handover->pair, FB_STR("socket"), gift->sockets->fds[i]);
    }
    if (err == FB_OK) {
        err = give_words(handover, gift->words);
    }
    return err == FB_OK ? message_send(handover->pair, FB_STR("end"), -1) : err;
}

/* The heir's reason, if that is what it said. */
static int handover_judge(const struct message *message, const char *wanted, struct fb_diag *diag)
{
    struct fb_str text = message->text;

    if (message_is(message, wanted)) {
        return FB_OK;
    }
    if (!fb_str_starts_with(text, FB_STR("refused "))) {
        return message_reject(message, diag);
    }
    text = fb_str_skip(text, sizeof("refused ") - 1);
    bool is_usage = fb_str_starts_with(text, FB_STR("usage "));
    struct fb_str reason = fb_str_skip(text, FB_MIN(fb_str_find(text, ' ') + 1, text.len));
    return fb_diag_set(diag, is_usage ? FB_E_DENIED : FB_E_UNAVAILABLE, "%.*s", FB_STR_ARG(reason));
}

static int handover_await(const struct fb_handover *handover, const char *wanted,
                          uint32_t timeout_ms, struct fb_diag *diag)
{
    struct message message = {.fd = -1};

    int err = message_receive(handover->pair, (int)timeout_ms, &message);
    if (err == FB_E_TIMEOUT) {
        return fb_diag_set(diag, err, "the new process was not %s within %u ms", wanted,
                           (unsigned)timeout_ms);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "the new process ended before it was %s", wanted);
    }
    return handover_judge(&message, wanted, diag);
}

int fb_handover_start(struct fb_handover *handover, char *const *argv,
                      const struct fb_handover_gift *gift, uint32_t timeout_ms,
                      struct fb_diag *diag)
{
    int err = heir_spawn(handover->heirs_end, argv, &handover->pid);
    if (err < 0) {
        handover->pid = 0;
        return fb_diag_set(diag, err, "start '%s': %s", argv[0], fb_err_text(err));
    }
    (void)close(handover->heirs_end); /* so that its end is seen */
    handover->heirs_end = -1;
    err = handover_give(handover, gift);
    /* If it has ended, what it said before that tells more. */
    if (err < 0 && err != -EPIPE && err != -ECONNRESET) {
        return fb_diag_set(diag, err, "give the new process what it needs: %s", fb_err_text(err));
    }
    return handover_await(handover, "ready", timeout_ms, diag);
}

int fb_handover_go(struct fb_handover *handover, uint32_t timeout_ms, struct fb_diag *diag)
{
    int err = message_send(handover->pair, FB_STR("go"), -1);
    if (err < 0) {
        return fb_diag_set(diag, FB_E_CLOSED, "the new process ended before it served");
    }
    return handover_await(handover, "taken", timeout_ms, diag);
}

void fb_handover_tell_quiet(struct fb_handover *handover)
{
    (void)message_send(handover->pair, FB_STR("quiet"), -1);
}

void fb_handover_tell_free(struct fb_handover *handover)
{
    (void)message_send(handover->pair, FB_STR("free"), -1);
}

void fb_handover_interrupt(struct fb_handover *handover)
{
    (void)shutdown(handover->pair, SHUT_RDWR);
}

void fb_handover_kill(struct fb_handover *handover)
{
    if (handover->pid == 0) {
        return;
    }
    (void)kill(handover->pid, SIGKILL);
    while (waitpid(handover->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    handover->pid = 0;
}

pid_t fb_handover_pid(const struct fb_handover *handover)
{
    return handover->pid;
}

void fb_handover_free(struct fb_handover *handover)
{
    if (handover == NULL) {
        return;
    }
    (void)close(handover->pair);
    if (handover->heirs_end >= 0) {
        (void)close(handover->heirs_end);
    }
    fb_free(handover);
}

/* ---- the new process ------------------------------------------------------- */

enum { HEIR_TIMEOUT_MS = 10000 };

static int heir_open(struct fb_heir *heir, struct fb_diag *diag)
{
    const char *name = getenv(HANDOVER_ENV);
    struct message message = {.fd = -1};

    if (name == NULL) {
        return FB_OK;
    }
    heir->fd = HEIR_FD;
    int err = message_receive(heir->fd, HEIR_TIMEOUT_MS, &message);
    if (err < 0) {
        heir->fd = 0; /* nobody's, or not what it should be: it is left alone */
        return fb_diag_set(diag, err, "$" HANDOVER_ENV " is set, but nothing is handed over: %s",
                           fb_err_text(err));
    }
    (void)fcntl(heir->fd, F_SETFD, FD_CLOEXEC); /* cannot fail on an open one */
    return message_is(&message, "forebay 1") ? FB_OK : message_reject(&message, diag);
}

static int heir_take_words(const struct message *message, struct fb_buf *words,
                           struct fb_diag *diag)
{
    struct fb_str more = fb_str_skip(message->text, WORDS_LEN);

    if (message->fd >= 0 || words->len + more.len > FB_HANDOVER_WORDS_MAX) {
        return message_reject(message, diag);
    }
    fb_buf_append(words, more);
    return FB_OK;
}

int fb_heir_receive(struct fb_heir *ret_heir, struct fb_sockets *sockets, struct fb_buf *words,
                    struct fb_diag *diag)
{
    struct message message = {.fd = -1};

    *ret_heir = (struct fb_heir){0};
    int err = heir_open(ret_heir, diag);
    while (err == FB_OK && ret_heir->fd > 0) {
        err = message_receive(ret_heir->fd, HEIR_TIMEOUT_MS, &message);
        if (err < 0) {
            return fb_diag_set(diag, err, "the process before gave no sockets: %s",
                               fb_err_text(err));
        }
        if (message_is(&message, "end")) {
            break;
        }
        if (fb_str_starts_with(message.text, FB_STR(WORDS))) {
            err = heir_take_words(&message, words, diag);
        } else if (message_is(&message, "socket") && message.fd >= 0) {
            err = fb_sockets_add(sockets, message.fd);
        } else {
            err = message_reject(&message, diag);
        }
    }
    return err;
}

int fb_heir_be_ready(struct fb_heir *heir, uint32_t timeout_ms, struct fb_diag *diag)
{
    struct message message = {.fd = -1};

    int err = message_send(heir->fd, FB_STR("ready"), -1);
    if (err == FB_OK) {
        err = message_receive(heir->fd, (int)timeout_ms, &message);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "the process before did not give way: %s", fb_err_text(err));
    }
    return message_is(&message, "go") ? FB_OK : message_reject(&message, diag);
}

void fb_heir_refuse(struct fb_heir *heir, bool is_usage, const char *reason)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (heir->fd > 0) {
        fb_buf_printf(&text, "refused %s %s", is_usage ? "usage" : "start", reason);
        (void)message_send(heir->fd, fb_buf_str(&text), -1);
    }
}

/* One thing more that is said; false: that was the last. */
static bool heir_hear(struct fb_heir *heir, int timeout_ms)
{
    struct message message = {.fd = -1};

    int err = message_receive(heir->fd, timeout_ms, &message);
    if (err == FB_E_TIMEOUT) {
        return false;
    }
    heir->is_free = err < 0 || message_is(&message, "free");
    heir->is_quiet = heir->is_quiet || heir->is_free || message_is(&message, "quiet");
    return !heir->is_free;
}

void fb_heir_take(struct fb_heir *heir, uint32_t timeout_ms)
{
    (void)message_send(heir->fd, FB_STR("taken"), -1); /* if it is gone, that will be heard */
    while (!heir->is_quiet && heir_hear(heir, (int)timeout_ms)) {
    }
}

void fb_heir_wait_free(struct fb_heir *heir)
{
    while (!heir->is_free && heir_hear(heir, FOREVER)) {
    }
}

void fb_heir_interrupt(struct fb_heir *heir)
{
    (void)shutdown(heir->fd, SHUT_RDWR);
}

void fb_heir_done(struct fb_heir *heir)
{
    if (heir->fd > 0) {
        (void)close(heir->fd);
    }
    *heir = (struct fb_heir){0};
}
