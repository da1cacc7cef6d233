/* hold_internal.h - what the rooms of hold share
 *
 *   hold.c         the key, the schedule, what has expired, and whose request with it
 *   hold_judge.c   released mail is judged once more
 *   hold_change.c  decisions: released, dropped, expired; first contacts
 *   hold_open.c    released mail is opened
 *   hold_tell.c    admins hear that it can't be
 *   hold_read.c    what it says, for an administrator (hold_read.h)
 */
#pragma once
#include <stdatomic.h>

#include "base/backoff.h"
#include "gateway/hold.h"
#include "gateway/hold_facts.h"
#include "gateway/policy.h"
#include "mapping/store_held.h"

struct hold_opener;
struct hold_reader;
struct public_suffixes;
struct timer;

struct hold {
    const struct parts *parts;
    const struct hold_callbacks *callbacks;
    void *ctx;
    _Atomic(struct seal_key *) key; /* set once, by the loop */
    struct public_suffixes *suffixes;
    struct hold_opener *opener;
    struct hold_reader *reader;
    struct timer *timer;
    struct backoff unreadable;      /* when it can't be read what waits */
    struct backoff expiry;          /* when what has expired can't be ended */
    _Atomic(int) proof, local_case; /* of the configuration, for the committer: see hold_rules() */
    bool is_started;
    bool is_expiring; /* an operation is under way */
    int64_t end_at;   /* when to look for more that has to end; monotonic */
    bool is_online;
    int64_t changed_at; /* that, or it was started; monotonic */
    bool has_chores;    /* that nobody was asked to do yet */
};

/* Opens the facts of a held mail. 1; 0: not with this key, or there is none. */
int hold_read_facts(const struct hold *hold, const struct store_held *held, struct hold_facts *facts_out)
    __attribute__((warn_unused_result));

/* hold_judge.c: what the rules say of a released mail now. */
struct hold_rules { /* of the configuration, which the committer may not look at */
    enum config_proof proof;
    enum smtp_case local_case;
};
struct hold_rules hold_rules(const struct hold *hold); /* any thread */
struct hold_judgement {
    struct policy_verdict verdict; /* but for its files */
    bool is_suspended;             /* the mapping that decides, or there is none any more: it is held again */
    int64_t correspondent_id;      /* in whose name it is posted; 0: its author's, who may have to be made one */
    char *attachments;             /* what files are let in; NULL: all */
};
/* 1, or -1: the database failed. */
int hold_judge(struct store_db *db, const struct store_held *held, const struct store_inbound *row,
               const struct hold_rules *rules, int64_t now, struct hold_judgement *out)
    __attribute__((warn_unused_result));
void hold_judgement_free(struct hold_judgement *judgement);
/* How an author was proven, as text and back. */
enum { HOLD_PROOF_SIZE = 80 };
void hold_proof_format(const struct proof *proof, char out[static HOLD_PROOF_SIZE]);
struct proof hold_proof_parse(const char *text);

/* hold_tell.c */
void hold_tell_admins(struct hold *hold, const char *problem);

/* hold_open.c */
struct hold_opener *hold_opener_new(struct hold *hold);
void hold_opener_free(struct hold_opener **opener);
void hold_opener_set_online(struct hold_opener *opener, bool online);
/* Begins with what is next, if it can be. 1: something waits for its turn, so that it is worth looking again soon; 0; -1: it can't be read. */
int hold_opener_look(struct hold_opener *opener);
