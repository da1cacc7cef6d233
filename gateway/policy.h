/* policy.h - who may pass: facts in, verdict out
 *
 * Pure functions: no I/O, no clock, no database. The caller gathers the facts, the policy weighs them, and says why in
 * words that go into the SMTP reply and into the trace. Default deny: a fact that is missing never helps.
 */
#pragma once
#include "gateway/attachment_rule.h"
#include "gateway/config.h"
#include "gateway/proof.h"
#include "mapping/store_mapping.h"
#include "smtp/mail_header.h"
#include "smtp/smtp_reply.h"
#include <stdbool.h>
#include <stdint.h>

enum { POLICY_REASON_MAX = 1100 }; /* octets, with the NUL: the end of longer ones is left out */

enum policy_decision {
    POLICY_ACCEPT,
    POLICY_HOLD,   /* 250, and kept until somebody decides about its author */
    POLICY_REJECT, /* 5xx: for good */
    POLICY_DEFER,  /* 4xx: the sender may try again */
};

struct policy_verdict {
    enum policy_decision decision;
    struct smtp_reply reply;        /* what the sender is told */
    int64_t mapping_id;             /* that has decided; 0: none has */
    char reason[POLICY_REASON_MAX]; /* for the trace: which mapping, decided by whom when; which proof; which limit */
};

/* A return address of ours (signed_id.h): mail to it may come from anybody, for nobody but us can have made it. */
enum policy_return {
    POLICY_RETURN_NONE,    /* another address */
    POLICY_RETURN_FORGED,  /* one like ours, but not made here */
    POLICY_RETURN_EXPIRED, /* reports about that message are no longer taken */
    POLICY_RETURN_UNKNOWN, /* the message is not known here: a database from before it */
    POLICY_RETURN_FULL,    /* more has come back about that message than anybody reads (returns.h) */
    POLICY_RETURN_GOOD,
};

/* At RCPT: is this one of ours, and could anybody at all write to it? */
struct policy_recipient_facts {
    const char *sender;    /* envelope, "" for the null path; NULL: not known */
    const char *recipient; /* as given */
    const char *domain;    /* of the recipient */
    const char *our_domain;
    bool recipient_exists; /* a member, or a group that the gateway is in or about to join */
    bool is_group;
    bool is_reachable;        /* a member's uid is known (their answer is their consent); the gateway is in the group */
    bool any_inbound_mapping; /* of anybody, also by a pattern, or to all members */
    bool holds_unknown;       /* unknown_senders = hold, and this is a member: anybody's mail may be kept */
    bool database_failed;
    enum policy_return return_state;
};
struct policy_verdict policy_judge_recipient(const struct policy_recipient_facts *facts);

/* At the end of data, about the message as a whole: what nobody's mail may be. */
struct policy_form_facts {
    const char *hostname; /* ours: a loop mark with it means that we sent this */
    const struct mail_header_facts *header;
};
/* Loops, headers beyond measure, and From: exactly one author. */
struct policy_verdict policy_judge_form(const struct policy_form_facts *facts);
/* Of mail to a return address: a report needs no proof of its author, and its From field may be anything. */
struct policy_verdict policy_judge_returned(const struct policy_form_facts *facts);

/* Is it proven that a message comes from its From domain? Not when it could not be checked: that defers. */
struct policy_verdict policy_judge_proof(const struct proof *proof, enum config_proof required,
                                         const char *from_domain);

/* Somebody outside and somebody here, and what the store knows about both. */
struct policy_pair {
    const char *outside, *inside; /* addresses, for the words of a verdict */
    const char *address;          /* of the one outside, canonical (subject.h); "" or NULL: not one that anybody has */
    enum smtp_case local_case;    /* policy.local_parts */
    struct store_target target;   /* neither: nobody's */
    const struct store_mapping *rows; /* that may be about them (store_mapping_list_candidates()); others do no harm */
    size_t count;
    int64_t now;
    bool
        is_queued; /* `now` is when the message was taken, and what has expired since, while it was open, does not stop it */
    bool database_failed; /* some row may be missing */
};

/* The mapping that decides whether mail may go in this direction (IN or OUT); NULL: none does. It is among those that are about
 * both and that somebody has decided about, whatever was decided: a mere request changes nothing. Of the same subject and
 * target only the current one counts: the live one, else the newest. Then the most specific decides, and nobody asks the
 * others:
 *
 *   1. whose subject says most: the address as written; without its detail; its domain; the nearest domain above, and so on;
 *   2. of these, whose target says most: the member or group; all members.
 *
 * So a denial of one address closes what is open to its domain, until that address gets a new mapping. What lets in covers
 * an address with a detail only if it says so; what refuses covers it in any case. Should two be equal, the one that refuses
 * decides. */
const struct store_mapping *policy_choose_mapping(const struct policy_pair *pair, enum store_direction direction);

/* Inward, as far as it can be said without the message: is there a mapping that lets its author in, if they are proven? What
 * Postfix is told, and who is shown in Cc. size: 0 not known. holds_unknown: mail of authors about whom nobody has decided is
 * kept, not refused. */
struct policy_verdict policy_judge_pair(const struct policy_pair *pair, int64_t size, bool holds_unknown);

/* May mail of unknown authors be kept until somebody decides? */
enum policy_hold {
    POLICY_HOLD_OFF,         /* unknown_senders = reject, or the recipient is not a member who can be asked */
    POLICY_HOLD_ROOM,        /* it may */
    POLICY_HOLD_SENDER_FULL, /* this author has enough there */
    POLICY_HOLD_FULL,        /* everybody together has */
};

/* At the end of data, per recipient: is this message let in? */
struct policy_delivery_facts {
    struct policy_pair pair;
    const struct proof *proof;        /* NULL: nothing is proven */
    enum config_proof proof_required; /* by the configuration, of mappings that say nothing else */
    const char *from_domain;
    int64_t size; /* octets of the message */
    int64_t
        accepted_today; /* messages that the deciding mapping has let in in the last 24 hours; 0 when not counted yet */
    bool is_generated;  /* a program wrote it */
    unsigned automatic_per_hour; /* 0: no limit */
    int64_t automatic_this_hour; /* of the pair; people's mail is not counted */
    enum policy_hold hold;
};
/* In this order, so that whoever is not proven learns nothing about mappings (but that they let mail in which proves less
 * than others): database trouble; proof, of an open mapping the proof that it asks for, else the configuration's; the mapping;
 * its limits. HOLD: the author is really proven, whatever proof is required, and nobody has decided about them. */
struct policy_verdict policy_judge_delivery(const struct policy_delivery_facts *facts);
/* What it was judged by has changed while it was looked at: 451, it is to come again. */
struct policy_verdict policy_judge_changed(const char *inside);

/* Does a mapping let mail pass between the two, whatever the mail is? Outward that is all that is asked (proof, size, numbers and
 * files are about mail that comes in); inward it is what is asked again of mail that was taken, and who is shown in Cc. */
struct policy_answer {
    bool is_allowed;
    bool may_change;    /* not allowed now, but nothing is over: suspended, or the database failed */
    int64_t mapping_id; /* that has decided; 0: none has */
    const char *reason; /* why not; static. NULL: it is allowed */
};
bool policy_allows(const struct policy_pair *pair, enum store_direction direction, struct policy_answer *out);

/* At the end of data, per recipient whose mapping does not let every file in: are those of this message let in? The files
 * themselves are judged by attachment_rule.h. */
enum policy_look {
    POLICY_LOOK_DONE,
    POLICY_LOOK_UNREADABLE, /* what the message carries can't be told */
    POLICY_LOOK_FAILED,     /* nobody could look now */
};
struct policy_file {
    const char *name;
    enum attachment_verdict verdict; /* not ALLOWED */
    enum attachment_format format;
};
struct policy_attachment_facts {
    const char *from; /* address, for the reply */
    const char *recipient;
    const char *allowed; /* the mapping's rule, for the reply */
    enum policy_look look;
    const struct policy_file *refused; /* the first file that is not let in; NULL: all are */
};
struct policy_verdict policy_judge_attachments(const struct policy_attachment_facts *facts);
