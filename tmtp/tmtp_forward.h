/* tmtp_forward.h - a forwarded thread, in the form in which the member client stores it
 *
 * What a `delivery` with `notify` > 0 carries behind its second header (the convention of mnm-hammer, op 8 PostNotify):
 *
 *   for each message:  hhhh { Id, Size, Posted, From, SubHead } LF body LF
 *   then the index (JSON array), the participants (JSON array), and two times eight hexadecimal digits: the length of the
 *   index and that of the participants.
 *
 * hhhh is the length of the JSON head in four hexadecimal digits; Size is the body's; SubHead is the message's second
 * header (tmtp_message.h). Attachments are named there, but do not come along: each original author's client posts
 * them again later (`confirmid`). The index repeats offsets and checksums for the client's own use and is not looked
 * at: the messages are walked one by one, and must fill exactly the room that the trailer leaves them.
 *
 * The decoder does no I/O and never holds more than one head; bodies are only measured. Limits: 10,000 messages, a
 * head of 65,535 bytes, participants 1 MiB and 10,000.
 */
#pragma once
#include "tmtp/tmtp_message.h"

enum {
    TMTP_FORWARD_MESSAGES_MAX = 10000,
    TMTP_FORWARD_TRAILER = 16, /* bytes */
};

struct tmtp_forward_message {
    char *id, *posted, *from; /* msgid, RFC 3339, uid: as the forwarder's client has them */
    struct tmtp_message head; /* its second header; threadid "" in the first */
    int64_t body_offset, body_size;
};

struct tmtp_forward {
    struct tmtp_forward_message *messages; /* oldest first */
    size_t message_count;
    struct tmtp_participant *cc; /* who was in the thread before it was forwarded */
    size_t cc_count;
};

/* Bytes of the stored thread from offset: all that are asked for, or -1. */
typedef int64_t tmtp_forward_read(void *ctx, int64_t offset, void *out, size_t len);

/* 1 decoded; 0 malformed, or over a limit; -1 it can't be read now, which says nothing about it. Unless 1: short static reason in *error_out,
 * and nothing to free. */
int tmtp_forward_decode(tmtp_forward_read *read, void *ctx, int64_t size, struct tmtp_forward *out,
                        const char **error_out) __attribute__((warn_unused_result));
void tmtp_forward_free(struct tmtp_forward *forward);

/* The two kinds of JSON in it (tmtp_header_forward.c). */
int tmtp_forward_decode_head(const char *json, size_t len, struct tmtp_forward_message *out, const char **error_out)
    __attribute__((warn_unused_result));
void tmtp_forward_message_free(struct tmtp_forward_message *message);
int tmtp_forward_decode_participants(const char *json, size_t len, struct tmtp_forward *out, const char **error_out)
    __attribute__((warn_unused_result));
void tmtp_forward_free_participants(struct tmtp_forward *forward);
