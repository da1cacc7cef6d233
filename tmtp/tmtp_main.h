/* tmtp_main.h - the parts of the `tmtp` program: its options, exit codes and verbs
 *
 * Each verb is a function that is given the parsed options and returns an exit code. What the user asked for goes to
 * standard output, what went wrong to standard error as "tmtp: ...".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum main_exit {
    MAIN_DONE = 0,
    MAIN_REFUSED = 1, /* by the silo, or by the state of things here */
    MAIN_USAGE = 2,
    MAIN_UNREACHABLE = 69, /* EX_UNAVAILABLE: the silo did not answer, or was lost on the way */
};

enum { MAIN_LIST_MAX = 1000 }; /* of --to and of --attach */

struct main_options {
    const char *account, *silo, *alias, *thread, *subject, *listen, *state, *name, *save, *messages;
    const char *to[MAIN_LIST_MAX];
    size_t to_count;
    const char *attach[MAIN_LIST_MAX];
    size_t attach_count;
    int64_t wait_ms; /* 0: leave when there is nothing left to do */
    int64_t count;   /* 0: any number */
    bool confirm, json, debug;
    char **arguments; /* after the options */
    size_t argument_count;
};

/* Prints "tmtp: ..." on standard error. */
void main_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

typedef enum main_exit main_verb(const struct main_options *options);
main_verb main_silo;                                        /* tmtp_main_silo.c */
main_verb main_register, main_alias, main_ping, main_group; /* tmtp_main_request.c */
main_verb main_post;                                        /* tmtp_main_post.c */
main_verb main_receive;                                     /* tmtp_main_receive.c */
main_verb main_forward, main_confirm;                       /* tmtp_main_forward.c */
