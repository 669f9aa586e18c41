/*
 * Results: FB_OK or a negative code.
 *
 * Negative errno values (and libuv's, which are the same numbers) pass
 * unchanged. Our own codes lie below -20000. Other libraries' numbers are
 * translated where they are called. A result that a person reacts to also
 * carries a sentence, see diag.h.
 */
#pragma once

#define FB_OK 0

/* X(name, number, text): the text continues "could not …: ". */
#define FB_ERR_LIST(X)                                       \
    X(CANCELED, -20001, "canceled")                          \
    X(BUSY, -20002, "a limit on concurrent work is reached") \
    X(CORRUPT, -20003, "the data is damaged")                \
    X(LIMIT, -20004, "a size limit is reached")              \
    X(MALFORMED, -20005, "the syntax is wrong")              \
    X(UNSUPPORTED, -20006, "not supported")                  \
    X(NOT_FOUND, -20007, "not found")                        \
    X(EXISTS, -20008, "exists already")                      \
    X(DENIED, -20009, "not allowed")                         \
    X(TIMEOUT, -20010, "timed out")                          \
    X(CLOSED, -20011, "the peer closed too early")           \
    X(END, -20012, "end of data")                            \
    X(LATER, -20013, "not yet available")                    \
    X(EXPIRED, -20014, "expired")                            \
    X(CONFLICT, -20015, "changed by someone else")           \
    X(UNAVAILABLE, -20016, "not available at the moment")    \
    X(FOREIGN, -20017, "a library failed")

enum fb_err {
#define FB_ERR_ENUM(name, number, text) FB_E_##name = (number),
    FB_ERR_LIST(FB_ERR_ENUM)
#undef FB_ERR_ENUM
};

/* A phrase for people, such as "timed out"; never NULL, lives for ever. */
const char *fb_err_text(int err);

/* The code's own name, such as "TIMEOUT" or "ENOENT", for logs and metrics. */
const char *fb_err_name(int err);
