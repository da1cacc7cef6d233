/* passwords.h - passwords are worked on one after the other, on a thread of their own
 *
 * Each takes a third of a second and 64 MiB (base/password.h), and strangers may ask for it: so never two at a time, only a few wait,
 * and nothing else waits behind them. The thread is made with the first one. Loop's thread only.
 */
#pragma once

struct loop;
struct passwords;

enum {
    PASSWORDS_WAITING_MAX = 8,
    PASSWORDS_STRANGERS_MAX = 6, /* for strangers there is no room then: the other places are for who is known */
};
enum passwords_of { PASSWORDS_OF_STRANGER, PASSWORDS_OF_KNOWN };

struct passwords *passwords_new(struct loop *loop);
/* What is waiting is told -1. While there is still everybody who waits. */
void passwords_free(struct passwords **passwords);

/* result: 1 it is the password, or hash is of it; 0 it is not; -1 there was no memory, or we stop. hash: what to store; NULL: nothing.
 * Never called from within the functions below. */
typedef void passwords_done(int result, const char *hash, void *ctx);
/* 1: done will be called. 0: too many are waiting. */
int passwords_make(struct passwords *passwords, const char *password, passwords_done *done, void *ctx)
    __attribute__((warn_unused_result));
/* hash NULL: of nobody, which takes as long and is wrong. When it is right and was made in an older way, done has a new one. */
int passwords_check(struct passwords *passwords, enum passwords_of whose, const char *hash, const char *password,
                    passwords_done *done, void *ctx) __attribute__((warn_unused_result));
