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

enum policy_decision {
    POLICY_ACCEPT,
    POLICY_REJECT, /* 5xx: for good */
    POLICY_DEFER,  /* 4xx: the sender may try again */
};

struct policy_verdict {
    enum policy_decision decision;
    struct smtp_reply reply; /* what the sender is told */
    char reason[200];        /* for the trace: also says what let it in */
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
    bool is_reachable; /* a member's uid is known (their answer is their consent); the gateway is in the group */
    bool any_inbound_mapping;
    bool database_failed;
    enum policy_return return_state;
};
struct policy_verdict policy_judge_recipient(const struct policy_recipient_facts *facts);

/* At the end of data, about the message as a whole: does it prove that it comes from its From address? */
struct policy_message_facts {
    const char *hostname; /* ours: a loop mark with it means that we sent this */
    enum config_proof proof_required;
    const struct proof *proof;
    const struct mail_header_facts *header;
    const char *from_domain; /* "" unless header->from_state is OK */
};
struct policy_verdict policy_judge_message(const struct policy_message_facts *facts);

/* Of mail to a return address: a report needs no proof of its author, and its From field may be anything. */
struct policy_verdict policy_judge_returned(const struct policy_message_facts *facts);

/* Does what is known about the author suffice? from_domain: for the reply. */
struct policy_verdict policy_judge_proof(const struct proof *proof, enum config_proof required,
                                         const char *from_domain);

/* At the end of data, per recipient: is there a mapping that lets this author write to this member or group? */
struct policy_mapping_facts {
    const char *from; /* address, for the reply */
    const char *recipient;
    const struct store_mapping *mapping; /* of the pair; NULL: none */
    int64_t size;                        /* octets of the message */
    int64_t accepted_today;              /* messages of the pair in the last 24 hours */
    bool is_generated;                   /* a program wrote it */
    unsigned automatic_per_hour;         /* 0: no limit */
    int64_t automatic_this_hour;         /* of the pair; people's mail is not counted */
    int64_t now;
    bool database_failed;
};
struct policy_verdict policy_judge_mapping(const struct policy_mapping_facts *facts);

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

/* Outward: does this mapping let its member, or its group's members, write to the correspondent? NULL mapping: no. On refusal *reason_out is static text. */
bool policy_allows_outbound(const struct store_mapping *mapping, int64_t now, const char **reason_out);
