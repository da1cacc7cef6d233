/* tmtp_silo.h - the embedded silo: a small TMTP server that behaves like the reference one
 *
 * For demos, tests and small installations. State lies in one SQLite file (with files for long messages) in a directory
 * of its own, the self-signed certificate beside it. A write is on disk before it is acknowledged; all writes of a loop
 * turn share one commit. The loop waits for the disk: give the silo a loop of its own.
 *
 * Everybody who can connect may register; there is no OpenID Connect. Limits: 4,096 connections, 1,000 members of a
 * group, 100 nodes of an account, 1 TiB of data in a message; memory for a connection stays below 1 MiB whatever the
 * peer sends or does not read.
 */
#pragma once
#include <stdint.h>

struct loop;
struct stream;
struct stream_settings;
struct tmtp_silo;

struct tmtp_silo_settings {
    struct loop *loop;
    const char *listen;    /* "127.0.0.1:4433"; NULL: no listener (tests attach streams) */
    const char *state_dir; /* created 0700 when missing */
    const char *name;      /* told in tmtprev; NULL: "Postern silo" */
};

/* NULL with the reason in *error_out (caller frees). */
struct tmtp_silo *tmtp_silo_new(const struct tmtp_silo_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
const char *tmtp_silo_address(
    const struct tmtp_silo *silo);            /* "=127.0.0.1:4433", as clients write it; NULL without listener */
void tmtp_silo_free(struct tmtp_silo **silo); /* cuts all connections; the memory goes at the end of the turn */

/* A connection in memory, for tests: the client's end, made with these settings. The caller frees it. */
struct stream *tmtp_silo_attach(struct tmtp_silo *silo, const struct stream_settings *client);
