#include "origin/auth/password.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <sodium.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

_Static_assert(ORIGIN_PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "room for a hash");

enum { DEFAULT_HASHES = 2, DEFAULT_WAITING = 32 };

struct origin_passwords {
    struct origin_passwords_options options;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint32_t n_running;                     /* under lock */
    uint32_t n_waiting;                     /* under lock */
    char nobody[ORIGIN_PASSWORD_HASH_SIZE]; /* a hash that stands for no account */
};

int origin_passwords_new(const struct origin_passwords_options *options,
                         struct origin_passwords **ret_passwords)
{
    if (sodium_init() < 0) {
        return FB_E_FOREIGN;
    }
    struct origin_passwords *passwords = FB_NEW(struct origin_passwords);
    struct origin_passwords_options *o = &passwords->options;
    *o = *options;
    o->rounds = o->rounds != 0 ? o->rounds : crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE;
    o->memory_bytes =
        o->memory_bytes != 0 ? o->memory_bytes : crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;
    o->max_hashes = o->max_hashes != 0 ? o->max_hashes : DEFAULT_HASHES;
    o->max_waiting = o->max_waiting != 0 ? o->max_waiting : DEFAULT_WAITING;
    (void)pthread_mutex_init(&passwords->lock, NULL);
    (void)pthread_cond_init(&passwords->freed, NULL);

    int err = origin_password_hash(passwords, FB_STR("nobody"), passwords->nobody);
    if (err < 0) {
        origin_passwords_free(passwords);
        return err;
    }
    *ret_passwords = passwords;
    return FB_OK;
}

void origin_passwords_free(struct origin_passwords *passwords)
{
    if (passwords == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&passwords->freed);
    (void)pthread_mutex_destroy(&passwords->lock);
    fb_free(passwords);
}

static int hash_enter(struct origin_passwords *passwords)
{
    int err = FB_OK;

    (void)pthread_mutex_lock(&passwords->lock);
    if (passwords->n_running >= passwords->options.max_hashes &&
        passwords->n_waiting >= passwords->options.max_waiting) {
        err = FB_E_BUSY;
    } else {
        passwords->n_waiting++;
        while (passwords->n_running >= passwords->options.max_hashes) {
            (void)pthread_cond_wait(&passwords->freed, &passwords->lock);
        }
        passwords->n_waiting--;
        passwords->n_running++;
    }
    (void)pthread_mutex_unlock(&passwords->lock);
    return err;
}

static void hash_leave(struct origin_passwords *passwords)
{
    (void)pthread_mutex_lock(&passwords->lock);
    passwords->n_running--;
    (void)pthread_cond_signal(&passwords->freed);
    (void)pthread_mutex_unlock(&passwords->lock);
}

int origin_password_hash(struct origin_passwords *passwords, struct fb_str password,
                         char ret_hash[ORIGIN_PASSWORD_HASH_SIZE])
{
    int err = hash_enter(passwords);
    if (err < 0) {
        return err;
    }
    int failed =
        crypto_pwhash_str_alg(ret_hash, password.ptr, password.len, passwords->options.rounds,
                              passwords->options.memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
    hash_leave(passwords);
    return failed != 0 ? -ENOMEM : FB_OK;
}

int origin_password_check(struct origin_passwords *passwords, struct fb_str password,
                          const char *hash)
{
    int err = hash_enter(passwords);
    if (err < 0) {
        return err;
    }
    const char *against = hash != NULL ? hash : passwords->nobody;
    int differs = crypto_pwhash_str_verify(against, password.ptr, password.len);
    hash_leave(passwords);
    return differs == 0 && hash != NULL ? FB_OK : FB_E_DENIED;
}
