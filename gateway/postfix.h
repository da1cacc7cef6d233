/* postfix.h - what the gateway does for a Postfix in front of it (docs/postfix.md)
 *
 * Two servers that answer before a message travels, socketmap and policy delegation, and a file with the open
 * addresses; each only when it is configured (the section `postfix`).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct parts;
struct postfix;

struct postfix_statistics {
    uint64_t lookups, found;           /* socketmap: questions, and how many of them were answered with OK */
    uint64_t asked, refused, deferred; /* policy: questions at RCPT and elsewhere; refused for good, or for now */
    int64_t published;                 /* addresses in the file; -1: not published since the start, or none is wanted */
    const char *socketmap, *policy;    /* where they listen; NULL: nowhere */
    unsigned socketmap_connections, policy_connections;
    const char *error; /* why the file could not be written last; NULL: it could, or has not been tried */
};

/* Opens the servers, which may need root's rights; nobody is answered before the loop runs. NULL with the reason in
 * *error_out (caller frees). */
struct postfix *postfix_new(const struct parts *parts, char **error_out) __attribute__((warn_unused_result));
/* With the store and the background thread there: writes the file, and again whenever an address changes. */
void postfix_start(struct postfix *postfix);
void postfix_free(struct postfix **postfix);
void postfix_get_statistics(const struct postfix *postfix, struct postfix_statistics *out);
