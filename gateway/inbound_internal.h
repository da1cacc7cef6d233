/* inbound_internal.h - what the source files of inbound share; nobody else includes it
 *
 *   inbound.c          the session's side: RCPT, the end of data, getting the content ready, the answer
 *   inbound_judge.c    facts and verdicts at the end of data
 *   inbound_proof.c    our own check of who wrote it, when nobody in front has done that
 *   inbound_look.c     what files it carries, when a mapping does not let every file in
 *   inbound_hold.c     what is to be held is sealed before
 *   inbound_quota.c    allowances (quota.h)
 *   inbound_refused.c  what is known of what is refused is noted (refusals.h)
 *   inbound_store.c    the store operation: repetitions, daily limits, the entry, a report about refusals
 */
#pragma once
#include "base/digest.h"
#include "gateway/inbound.h"
#include "gateway/policy.h"
#include "gateway/quota.h"
#include "gateway/report.h"
#include "gateway/signed_id.h"
#include "mapping/store_queue.h"
#include "smtp/mail_header.h"

struct spool;
struct store_draft;

struct inbound {
    const struct parts *parts;
    void (*on_accepted)(void *ctx);
    void (*on_met)(void *ctx);
    void *ctx;
    struct inbound_statistics statistics;
    struct proving *provings; /* inbound_proof.c's: mails that are being checked, or wait for that */
    struct holding *holdings; /* inbound_hold.c's: mails that are being sealed */
    struct look *looks;       /* inbound_look.c's: mails whose files are being looked at, or wait for that */
};

/* One mail between its end of data and our reply. While it is prepared only the background thread (draft, kept) and the
 * digester (digest, digested) may touch it, and neither changes the content; then, until the operation is done, only the
 * committer. */
struct mail {
    struct inbound *inbound;
    struct smtp_transaction *transaction;
    struct spool *content;
    size_t received_size;      /* octets of our own Received field, in front of the mail as it came */
    int64_t size;              /* of the mail as it came */
    struct store_draft *draft; /* of content */
    uint8_t digest[DIGEST_SIZE];
    enum { DIGEST_UNKNOWN, DIGEST_KNOWN, DIGEST_FAILED } digested;
    bool kept;
    bool is_unreadable; /* the content, by us: the disk fails */
    unsigned preparing; /* the loop's: threads that are to keep and digest it and have not said that they have */
    struct mail_header_facts header;
    char sender[SMTP_ADDRESS_MAX + 2], from[SMTP_ADDRESS_MAX + 2];
    bool is_from_canonical;             /* else nobody can have that address, and no mapping is about it */
    char *session;                      /* "from PEER (HELO) by LISTENER with PROTOCOL" for the trace */
    struct sender_auth_result *checked; /* by us; NULL: not */
    enum mail_supposed {
        MAIL_SUPPOSED_NOTHING,
        MAIL_SUPPOSED_PROVEN, /* as if it were proven by whatever anybody asks for */
        MAIL_SUPPOSED_UNPROVEN,
    } supposed;                       /* for the next inbound_judge() */
    struct proof evidence;            /* of who the author is */
    char *proof;                      /* the same in words */
    enum config_proof proof_required; /* of the configuration, as the next two */
    enum smtp_case local_case;
    int64_t mapping_change; /* store_recipients.h: as of the verdicts */
    bool holds_unknown;
    /* Of DSN; texts, also the recipients', are the transaction's, which lives until it is answered. */
    enum store_ret ret;
    const char *envid;        /* NULL */
    int64_t correspondent_id; /* in whose name it is posted; 0: of somebody who is none yet */
    bool is_by_pattern;       /* which lets in an author without an alias: the commit sees that they get one */
    bool lmtp;
    bool is_sender_proven;       /* the envelope's: may get reports */
    unsigned automatic_per_hour; /* of the configuration; 0: no limit */
    struct quota_rates rates;    /* likewise */
    /* Of mail to a return address: what it would be about (outbound_id 0: other mail), and the mapping that lets its author
     * write to that message's author, should it be an answer and no report (0: none does). */
    struct signed_return about;
    int64_t answer_mapping_id;
    char *answer_attachments; /* what files that mapping lets in; NULL: all */
    char *answer_refusal;     /* why it is not let in as an answer: for its files; NULL */
    /* Of mail that is held for some (POLICY_HOLD). */
    char *subject;                  /* decoded; NULL: not known */
    int sealed_fd;                  /* all of its content; -1 */
    struct config_hold hold_limits; /* of the configuration */
    bool is_split; /* SMTP: taken for some recipients, refused for good for others, whose report goes with it */
    bool reported; /* such a report is in the outbound queue */
    size_t count;  /* recipients */
    struct mail_recipient {
        char address[SMTP_ADDRESS_MAX + 2];
        unsigned notify;
        const char *orcpt; /* NULL */
        struct store_target target;
        int64_t mapping_id, daily;
        int64_t as_correspondent_id; /* whose the mapping is; 0: a pattern's, or nobody is let in */
        char *attachments;           /* what files the mapping lets in (attachment_rule.h); NULL: all */
        char *files_story; /* which file came in by what; "" none did; NULL: nobody was asked, or it is refused */
        struct policy_verdict verdict;
        struct policy_verdict *admitted; /* while it is over an allowance: the verdict but for that; NULL: never was */
        bool is_over_quota;
        bool is_over_limit;  /* that is why verdict refuses: the next run of the operation asks again */
        bool is_about_files; /* that is why verdict refuses: another mail may be welcome */
        struct policy_verdict
            *hold;                  /* that it is to be held, which its limits may change in verdict; NULL: it is not */
        struct store_draft *sealed; /* then: the mail; NULL */
        int64_t held_id;            /* the entry as which it is held; 0 */
        int64_t repeated;           /* the entry that it was accepted as before; 0: it was not */
    } * recipients;
    int64_t now;
    int64_t id; /* in the queue; 0: everything was a repetition */
};

/* What a report says of a recipient for whom the mail is refused; and the rest of that report, but for its recipients and
 * content. Both refer to the mail. */
struct report_recipient inbound_describe_refusal(const struct mail_recipient *recipient);
struct report inbound_describe_mail(const struct mail *mail);

/* Fills the verdicts, and what proves the author. Reads the database on the loop. */
void inbound_judge(struct mail *mail);
/* Again for a recipient who was let in, with what is counted inside the commit, where nobody else can be counted at the same
 * time. Into the verdict: 1; -1 database error. */
int inbound_judge_limits(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
    __attribute__((warn_unused_result));
/* What inbound_judge() has filled; then it may be called again. */
void inbound_forget_verdicts(struct mail *mail);
/* SMTP has one reply for all recipients: may the mail be taken for some and refused for others? */
bool inbound_may_be_split(const struct mail *mail);
/* Of a mail that has got as far as that: with these verdicts it is kept, or refused. */
void inbound_decide(struct mail *mail);
/* Its content is kept, and it is stored. */
void inbound_keep(struct mail *mail);
/* Is it let in, or held? */
bool inbound_is_taken(const struct mail_recipient *recipient);
/* The daemon stops: the sender is to come again. */
void inbound_discard(struct mail *mail);

/* Is there anything to find out about who wrote it? If not, it is judged; else it is checked, judged with what was found, and goes on
 * by inbound_look(), later, never from inside, unless nobody can check now. */
bool inbound_proof_is_needed(struct mail *mail);
void inbound_proof_begin(struct mail *mail);
/* After the workers have gone: discards what still waits. */
void inbound_proof_drop_all(struct inbound *inbound);

/* Of a mail that was judged: has its files looked at if need be, then inbound_decide(). */
void inbound_look(struct mail *mail);
/* Must somebody look at its files before it is decided about? Then they are looked at, and inbound_decide() is called later with
 * the verdicts that follow, never from inside, unless nobody can look now. */
bool inbound_look_is_needed(const struct mail *mail);
void inbound_look_begin(struct mail *mail);
/* After the workers have gone: discards what still waits. */
void inbound_look_drop_all(struct inbound *inbound);

/* Is there a recipient for whom it is to be held, and was it not sealed yet? Then it is sealed, and inbound_keep() is called later, or
 * inbound_decide() if it can't be held now; never from inside. */
bool inbound_hold_is_needed(const struct mail *mail);
void inbound_hold_begin(struct mail *mail);
void inbound_hold_free(struct mail *mail);
void inbound_hold_drop_all(struct inbound *inbound); /* as for looks */
/* The committer's. The entry as which it is held already (0: it is not); what may be held, into the verdict; the entry itself. */
int inbound_hold_find_same(struct store_db *db, const struct mail *mail, const struct mail_recipient *recipient,
                           int64_t *id_out) __attribute__((warn_unused_result));
int inbound_hold_judge_limits(struct store_db *db, const struct mail *mail, struct mail_recipient *recipient)
    __attribute__((warn_unused_result));
int inbound_hold_store(struct store_db *db, struct mail *mail, struct mail_recipient *recipient, const char *references)
    __attribute__((warn_unused_result));

/* Notes why it is refused: a recipient, at RCPT; those who do not get it, at the end; or it as a whole, for SMTP's one reply. */
void inbound_note_recipient(struct inbound *inbound, const struct smtp_transaction *transaction, size_t index,
                            const struct policy_verdict *verdict);
void inbound_note_refused(const struct mail *mail);
void inbound_note_refused_for_all(const struct mail *mail, const struct smtp_reply *reply, const char *reason);

/* In the operation that accepts it: takes what it needs of allowances, for those for whom it is new. 1 taken, for as many as
 * *fresh then says (with LMTP the others are refused, maybe all); 0: refused for all, nothing is taken; -1 error. */
int inbound_take_quotas(struct store_db *db, struct mail *mail, size_t *fresh) __attribute__((warn_unused_result));
/* Before the operation: another run of it may have refused. After it: says in the log whose mail was over what. */
void inbound_restore_quotas(struct mail *mail);
void inbound_log_quotas(const struct mail *mail);

/* Of the mail as it came, into mail->digest. Reads all of it. Does nothing when it was done or is not needed. */
void inbound_find_digest(struct mail *mail);
/* A store_operation, arg: struct mail *. 1 kept; 0 refused for all, as the verdicts say; -1 database error. May be run
 * twice (store_submit_repeatable()). */
int inbound_store_mail(struct store_db *db, void *arg) __attribute__((warn_unused_result));
