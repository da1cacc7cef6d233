/* tmtp_message.h - the thread message: what members see
 *
 * The convention of the member client (mnm-hammer), not of TMTP itself: a post's data is a second header (JSON,
 * `datahead` bytes), the body (CommonMark text), then the attachments back to back in the order of `attach`. This type
 * is the second header; body and attachments travel beside it as one run of bytes ("content").
 *
 * A message owns everything it points to. Strings are UTF-8 without NUL and never NULL unless said so. Limits on
 * decoding: header 1 MiB, 10,000 participants, 1,000 attachments, attachment name 3..1,000 bytes, all attachments
 * together 2^63 - 1 bytes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum {
    TMTP_MESSAGE_HEAD_MAX = 1024 * 1024,
    TMTP_MESSAGE_CC_MAX = 10000,
    TMTP_MESSAGE_ATTACH_MAX = 1000,
    TMTP_MESSAGE_NAME_MAX = 1000,
};

struct tmtp_participant {
    char *who; /* alias (for a group: the gid) */
    char *who_uid;
    char *by; /* who added them */
    char *by_uid;
    char *date; /* RFC 3339 */
    char *note; /* "author" for the first, "initial recipient" otherwise */
    bool subscribe;
};

struct tmtp_attachment {
    char *name;   /* with its prefix: "u:report.pdf" file, "f:" blank form, "r:" filled form. Never a path for us */
    int64_t size; /* bytes */
    char *ffn;    /* type name of a form; NULL */
};

struct tmtp_message {
    char *threadid; /* "" for the first message of a thread */
    char *alias;    /* the author's, shown as the sender */
    char *subject;  /* "" on a reply that does not change it */
    struct tmtp_participant *cc;
    size_t cc_count; /* only in a thread's first message; the author first */
    struct tmtp_attachment *attach;
    size_t attach_count;
    char *confirm_id, *confirm_posted; /* NULL unless this confirms a forwarded copy: not new mail */
    bool nodesync;                     /* housekeeping between one account's own nodes: ack and ignore */
    char *queue_key; /* ours: member "PosternKey" marks a post so that its echo is recognised; NULL when absent */
};

void tmtp_message_init(struct tmtp_message *message); /* all strings "", no lists */
void tmtp_message_free(struct tmtp_message *message); /* and zeroes it */
/* Replaces a field by a copy of text (NULL allowed for nullable ones); text may be part of the old value. */
void tmtp_message_set(char **field, const char *text);
/* Both must stay within the limits above (asserted). A participant added here is subscribed. */
void tmtp_message_add_participant(struct tmtp_message *message, const char *who, const char *who_uid, const char *by,
                                  const char *by_uid, const char *date, const char *note);
void tmtp_message_add_attachment(struct tmtp_message *message, const char *name, int64_t size, const char *ffn);
int64_t tmtp_message_attachments_size(const struct tmtp_message *message); /* sum; -1 on overflow or a negative size */

/* Second header <-> JSON. Encoding uses the member client's spelling ("ThreadId", "Cc", "WhoUid", ...); decoding
 * matches names without regard to case, refuses a member that is there twice and ignores unknown ones. 1 done. Encoding
 * -1: not UTF-8, too long for a second header or for out. Decoding -1: malformed or over a limit (short static reason
 * in *error_out), and nothing to free. */
int tmtp_message_encode(const struct tmtp_message *message, struct strbuf *out) __attribute__((warn_unused_result));
int tmtp_message_decode(const char *json, size_t len, struct tmtp_message *message_out, const char **error_out)
    __attribute__((warn_unused_result));
