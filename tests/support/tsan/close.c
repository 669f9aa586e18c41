/*
 * For builds with ThreadSanitizer: shows it the descriptors that libuv closes.
 *
 * libuv closes by the bare system call, so that a thread that is canceled does
 * not lose the descriptor. The sanitizer sees close() alone: a number that was
 * closed so and used again by another thread looks to it like one file that two
 * threads use without order. Every program of such a build links this, which
 * stands before the C library's own syscall().
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef long (*syscall_function)(long number, ...);

/* What stands where libuv, and whoever else asks for it, finds syscall(). */
__attribute__((visibility("default"))) long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_close)
        return close((int)arguments[0]);

    syscall_function real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}
