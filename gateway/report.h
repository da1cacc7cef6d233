/* report.h - delivery reports to the senders of mail: who gets one, and into the outbound queue with it (RFC 3461)
 *
 * A server that offers DSN takes the duty over to report. The rules:
 *
 *   delivered  told when NOTIFY asks for SUCCESS
 *   failed     told unless NOTIFY says otherwise; of automatic mail (RFC 3834) only when NOTIFY asks for FAILURE
 *   delayed    told when NOTIFY asks for DELAY
 *
 * and never to the null path, nor to an envelope sender who is not proven (policy.h): a report must not hit somebody who
 * has written nothing. Of what nobody has asked for by NOTIFY, an address gets a bounded number in an hour, whatever goes
 * round in circles. A report is mail with a null return path, an entry of the outbound queue of its own kind; nobody
 * is told when it can't be delivered. What is decided here is told in the story of the mail that it is about.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/trouble.h"
#include "mapping/store_queue.h"
#include "smtp/smtp_dsn.h"

struct config;
struct reporter;
struct signed_id;
struct signer;

/* Knows our names, which stay the same until a restart, and how mappings are read (policy.local_parts). ids: outlive it. on_added: a report is in the queue, and committed. */
struct reporter *reporter_new(const struct config *config, const struct signed_id *ids, void (*on_added)(void *ctx),
                              void *ctx);
void reporter_free(struct reporter **reporter);
void reporter_reconfigure(struct reporter *reporter, const struct config *config); /* loop only: after a reload */
void reporter_sign_with(struct reporter *reporter, struct signer *signer); /* before the first report; outlives it */
/* Loop only: for whoever has committed a report (added_out). */
void reporter_poke(const struct reporter *reporter);

/* What has become of one recipient. Texts are borrowed, and NULL where struct smtp_dsn_recipient says so. */
struct report_recipient {
    const char *address, *orcpt;
    unsigned notify;             /* enum store_notify */
    enum smtp_dsn_action action; /* SMTP_DSN_DELIVERED, SMTP_DSN_FAILED or SMTP_DSN_DELAYED */
    const char *status, *explanation, *diagnostic;
    int64_t will_retry_until; /* of DELAYED; 0: not said */
};
struct report {
    int64_t inbound_id; /* the mail, or an earlier entry of the same mail */
    const char *sender; /* envelope */
    bool is_sender_proven, is_automatic;
    bool is_crowded; /* report_find_crowd(); report_add() finds out by itself */
    enum store_ret ret;
    const char *envid, *message_id; /* NULL */
    int64_t received_at;
    int content_fd; /* the mail (pread from 0); -1: gone */
    int64_t content_size;
    const struct report_recipient *recipients;
    size_t recipient_count;
};

/* Is there no way to tell this recipient's failure, while the sender may count on hearing of it? Then the mail must be
 * refused as long as it can be. */
bool report_would_miss(const struct report *report, const struct report_recipient *recipient);

/* Have so many reports gone to this address within the hour that no more go there unasked? 1, or -1 database error. */
enum { REPORT_PER_HOUR = 60 };
int report_find_crowd(struct store_db *db, const char *sender, int64_t now, bool *is_crowded_out)
    __attribute__((warn_unused_result));

/* Of one recipient who was named by two addresses: NOTIFY (STORE_NOTIFY_*, 0 not said) that asks for what both ask for; and
 * how much is to be heard of each address, a number to compare. */
unsigned report_join_notify(unsigned a, unsigned b);
int report_weigh_notify(unsigned notify);

/* Writer only. One report (of more than 1,000 recipients several) about all for whom one is due; none if there are none. -1
 * database error. *added_out: the relay should be poked once this is committed. */
int report_add(struct store_db *db, const struct reporter *reporter, const struct report *report, int64_t now,
               bool *added_out) __attribute__((warn_unused_result));

/* Writer only. About an inbound entry that is about to end, whose content must still be there. dropped: by an
 * administrator; else it was posted, to all but the recipients that were skipped. A notice has no sender to tell. */
int report_add_of_entry(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                        bool dropped, int64_t now, bool *added_out) __attribute__((warn_unused_result));

/* Writer only. About a mail that will never be posted, to any of its recipients: the trouble is of all who have none of
 * their own; words: the silo's, NULL. The content must still be there. */
enum report_result {
    REPORT_ERROR = -1, /* of the database */
    REPORT_UNTOLD = 0, /* somebody would not be told who may count on it: nothing was added */
    REPORT_TOLD = 1,   /* or the sender wants to hear nothing */
    REPORT_LATER = 2,  /* too many went to this address lately: nothing was added */
};
/* *why_out: of UNTOLD and LATER, static words. */
enum report_result report_add_of_return(struct store_db *db, const struct reporter *reporter,
                                        const struct store_inbound *row, enum trouble trouble, const char *words,
                                        int64_t now, bool *added_out, const char **why_out)
    __attribute__((warn_unused_result));
/* Writer only. About a held mail (hold.h) that will not be delivered to any of its recipients, for this reason. Without the
 * original, which is sealed; its Message-ID is the caller's to know (NULL: not known). */
int report_add_of_held(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                       const char *message_id, const char *status, const char *explanation, int64_t now,
                       bool *added_out) __attribute__((warn_unused_result));
/* Writer only. About a mail that waits. will_retry_until: 0 if nobody can say. Recipients for whom there is nothing to wait
 * for are left out. */
int report_add_of_delay(struct store_db *db, const struct reporter *reporter, const struct store_inbound *row,
                        enum trouble trouble, int64_t will_retry_until, int64_t now, bool *added_out)
    __attribute__((warn_unused_result));
