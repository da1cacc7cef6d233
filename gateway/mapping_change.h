/* mapping_change.h - the one place that changes mappings
 *
 * Whoever asks (the command line, words in the silo, a stranger's mail, a rule), it is done here: the life of a mapping is
 * kept, the audit row is written by the same store operation, what hangs on a decision (held mail) is told of it. All
 * of these are for inside store operations (store.h) and return 1 done, 0 refused (result_out says why; nothing is to be kept of
 * the operation), -1 database error.
 *
 * The first answer counts. Who comes second gets MAPPING_NOT_FROM_THIS_STATE with the mapping as it is: who decided what, and when.
 */
#pragma once
#include "mapping/store_audit.h"
#include "mapping/store_mapping.h"
#include "mapping/subject.h"

struct hold;
struct strbuf;

/* Who, when, why. Borrowed. */
struct mapping_change {
    const struct store_actor *actor;
    const char *reason; /* "" when none was given */
    int64_t now;
    enum smtp_case local_case; /* policy.local_parts */
    const struct hold *hold;   /* what waits for a decision hears of it (hold.h); NULL: nothing does */
};

/* Limits, of which only those that are set are to change. Begin with { 0 }. Texts are borrowed. */
struct mapping_limits {
    bool has_direction, has_expiry, has_max_size, has_daily, has_attachments, has_proof, has_subaddresses, has_note,
        has_invites;
    enum store_direction direction; /* not given for a new one: both */
    int64_t expires_at, max_size, daily;
    const char *attachments; /* as attachment_rule_text() has it */
    enum store_proof proof;
    bool subaddresses;
    const char *note;
    bool
        invites; /* the address is told by email when it is open, once; not given for a new one: when it was asked for in
                   * the silo (a stranger whose own mail has asked has written first) */
};

/* What is asked for. Borrowed. */
struct mapping_wish {
    const struct subject *subject;
    struct store_target target;          /* both ids 0: all members */
    const struct mapping_limits *limits; /* NULL: none */
};

enum mapping_outcome {
    MAPPING_DONE,
    MAPPING_UNKNOWN,             /* there is none of this id */
    MAPPING_EXISTS,              /* subject and target have a live one already: the result's mapping */
    MAPPING_NOT_FROM_THIS_STATE, /* it is in another state than this may be done in: somebody was faster */
    MAPPING_TOO_WIDE,            /* see subject_is_too_wide() */
    MAPPING_IS_OVER,             /* it would expire at once */
    MAPPING_NO_SUBADDRESSES,     /* they are for addresses, and for those without a detail */
    MAPPING_NEEDS_PROOF,         /* of a pattern: whoever called themselves somebody of the domain would be let in */
    MAPPING_NO_INVITATION,       /* only an address can be invited, to write to a member or group */
};

struct mapping_result {
    enum mapping_outcome outcome;
    enum store_mapping_state was; /* before it was done */
    struct store_mapping mapping; /* as it is now; id 0: none */
    bool reported;                /* to somebody whose mail was held: reporter_poke() after the commit */
};
/* One sentence for people, without a full stop: what was done, or why not, by whom and when. */
void mapping_result_explain(const struct mapping_result *result, struct strbuf *out);
void mapping_result_clear(struct mapping_result *result); /* frees what is in it */

/* An administrator's act: approved at once. */
int mapping_change_add(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                       struct mapping_result *result_out) __attribute__((warn_unused_result));
/* Waits for an administrator. MAPPING_EXISTS also when it was requested before. */
int mapping_change_request(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                           struct mapping_result *result_out) __attribute__((warn_unused_result));
/* A stranger's own mail has asked for it, and now somebody in the silo does: it is theirs, who hear of what becomes of it, and does not lapse.
 * MAPPING_EXISTS: it was not a stranger's. */
int mapping_change_adopt(struct store_db *db, const struct mapping_change *change, int64_t id,
                         struct mapping_result *result_out) __attribute__((warn_unused_result));
/* A request of a stranger's mail of which nothing waits any more is forgotten; but for the audit log. It shuts no door: mail that
 * comes asks again. 0: it is no such request. */
int mapping_change_lapse(struct store_db *db, const struct mapping_change *change, int64_t id)
    __attribute__((warn_unused_result));
/* The door is shut: what is live of this subject and target is denied or revoked; if nothing is, a denied one is made, which
 * decides against what is less specific. */
int mapping_change_block(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                         struct mapping_result *result_out) __attribute__((warn_unused_result));

enum mapping_act {
    MAPPING_APPROVE, /* requested -> approved */
    MAPPING_DENY,    /* requested -> denied */
    MAPPING_SUSPEND, /* approved -> suspended */
    MAPPING_RESUME,  /* suspended -> approved */
    MAPPING_REVOKE,  /* approved, suspended -> revoked */
    MAPPING_EXPIRE,  /* approved, suspended -> expired; for mapping_expiry.h */
};
/* limits: of an approval, over those that were asked for; NULL: as they are. */
int mapping_change_state(struct store_db *db, const struct mapping_change *change, int64_t id, enum mapping_act act,
                         const struct mapping_limits *limits, struct mapping_result *result_out)
    __attribute__((warn_unused_result));
/* All mappings of exactly this target to which that may be done, each with its audit row. 1 also when there are none, or -1. */
int mapping_change_all_of(struct store_db *db, const struct mapping_change *change, struct store_target target,
                          enum mapping_act act) __attribute__((warn_unused_result));
/* Of a live one. The next message is judged by the new ones. */
int mapping_change_limits(struct store_db *db, const struct mapping_change *change, int64_t id,
                          const struct mapping_limits *limits, struct mapping_result *result_out)
    __attribute__((warn_unused_result));

/* A mapping in words, as the audit log has it: "bob@example.com for Alice Member: approved, both ways, 20 a day". */
void mapping_describe(const struct store_mapping *mapping, struct strbuf *out);
