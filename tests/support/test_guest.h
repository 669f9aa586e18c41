/*
 * What a hostile child tries; each in a process of its own, that is told by its arguments.
 * Header-only: for the tests of origin/confine.
 */
#pragma once

#include "base/core/attr.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, GUEST_REFUSED = 7 };

/* 0 if it could, GUEST_REFUSED if not. */
static int guest_tell(bool could)
{
    return could ? 0 : GUEST_REFUSED;
}

static int guest_open(const char *path, int flags)
{
    return guest_tell(open(path, flags | O_CLOEXEC, 0600) >= 0);
}

static int guest_socket(const char *arg)
{
    (void)arg;
    return guest_tell(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ||
                      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ||
                      socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0);
}

static int guest_read(const char *path)
{
    return guest_open(path, O_RDONLY);
}

static int guest_write(const char *path)
{
    return guest_open(path, O_WRONLY | O_CREAT);
}

static int guest_fork(const char *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return guest_tell(pid > 0);
}

static int guest_exec(const char *path)
{
    char *const argv[] = {(char *)(uintptr_t)path, NULL};
    (void)execv(path, argv);
    return GUEST_REFUSED;
}

static int guest_signal(const char *pid)
{
    pid_t to = (pid_t)strtol(pid, NULL, 10);
    return guest_tell(kill(to, 0) == 0 || syscall(SYS_tgkill, to, to, 0) == 0 ||
                      syscall(SYS_tkill, to, 0) == 0);
}

static int guest_attach(const char *pid)
{
    return guest_tell(ptrace(PTRACE_ATTACH, (pid_t)strtol(pid, NULL, 10), NULL, NULL) == 0);
}

static int guest_outlive(const char *arg)
{
    (void)arg;
    return guest_tell(prctl(PR_SET_PDEATHSIG, 0) == 0);
}

static int guest_widen(const char *arg)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    (void)arg;
    return guest_tell(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int guest_raise(const char *arg)
{
    return raise((int)strtol(arg, NULL, 10));
}

static int guest_eat(const char *mib)
{
    for (long i = strtol(mib, NULL, 10); i > 0; i--) {
        char *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return GUEST_REFUSED;
        }
        memset(memory, 1, MIB);
    }
    while (poll(NULL, 0, 1000) == 0) {
    }
    return 1;
}

static int guest_spin(const char *arg)
{
    (void)arg;
    for (volatile unsigned i = 0; i <= 0xFFFF; i = (i + 1) & 0xFFFF) {
    }
    return 0;
}

static int guest_wait(const char *arg)
{
    (void)arg;
    (void)printf("waiting\n");
    (void)fflush(stdout);
    while (poll(NULL, 0, 1000) == 0) {
    }
    return 1;
}

static int guest_fill(const char *mib)
{
    static char bytes[MIB];
    int n = 0;

    memset(bytes, 1, sizeof(bytes));
    for (long i = strtol(mib, NULL, 10); i > 0; i--, n++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%d", n);
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes)) {
            return GUEST_REFUSED;
        }
        (void)close(fd);
    }
    return 0;
}

static int guest_litter(const char *n_files)
{
    for (long i = strtol(n_files, NULL, 10); i > 0; i--) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%ld", i);
        (void)close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    return 0;
}

static int guest_large(const char *mib)
{
    int fd = open("large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return guest_tell(ftruncate(fd, strtol(mib, NULL, 10) * MIB) == 0);
}

static int guest_say(const char *text)
{
    (void)printf("one\ntwo %s\n", text);
    (void)fprintf(stderr, "a word for the log\n");
    return 0;
}

static int guest_babble(const char *kib)
{
    for (long i = strtol(kib, NULL, 10); i > 0; i--) {
        (void)printf("%01024d", 0);
    }
    return 0;
}

static int guest_complain(const char *n_lines)
{
    for (long i = strtol(n_lines, NULL, 10); i > 0; i--) {
        (void)fprintf(stderr, "complaint %ld\n", i);
    }
    return 0;
}

static int guest_repeat(const char *arg)
{
    char line[64] = "";
    (void)arg;
    if (fgets(line, sizeof(line), stdin) != NULL) {
        (void)printf("%s", line);
    }
    return 0;
}

static int guest_look_around(const char *arg)
{
    (void)arg;
    for (int fd = 3; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            (void)printf("descriptor %d\n", fd);
        }
    }
    (void)printf("%s\n", getenv("SECRET") != NULL ? "secret" : "nothing");
    return 0;
}

static void *guest_thread(void *ctx)
{
    return ctx;
}

static int guest_thread_on(const char *arg)
{
    pthread_t thread;
    (void)arg;
    return guest_tell(pthread_create(&thread, NULL, guest_thread, NULL) == 0 &&
                      pthread_join(thread, NULL) == 0);
}

static const struct guest {
    const char *name;
    int (*run)(const char *arg);
} guests[] = {
    {"socket", guest_socket},     {"read", guest_read},       {"write", guest_write},
    {"fork", guest_fork},         {"exec", guest_exec},       {"signal", guest_signal},
    {"attach", guest_attach},     {"outlive", guest_outlive}, {"widen", guest_widen},
    {"raise", guest_raise},       {"eat", guest_eat},         {"spin", guest_spin},
    {"wait", guest_wait},         {"fill", guest_fill},       {"litter", guest_litter},
    {"large", guest_large},       {"say", guest_say},         {"babble", guest_babble},
    {"complain", guest_complain}, {"repeat", guest_repeat},   {"look-around", guest_look_around},
    {"thread", guest_thread_on},
};

static int guest_main(const char *name, const char *arg)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(guests); i++) {
        if (strcmp(guests[i].name, name) == 0) {
            return guests[i].run(arg);
        }
    }
    return 1;
}
