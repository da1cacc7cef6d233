/* store_mapping.h - correspondents and the list at the door
 *
 * A correspondent is an outside email address; on approval it gets an alias on the gateway's silo account. A mapping
 * opens the door, or shuts it, to a subject (an address or a pattern of them, see subject.h) for one member, one group, or all
 * members. Addresses and subjects are stored canonical (smtp_address_canonicalise).
 *
 * Of the same subject and target at most one mapping is live (requested, approved, suspended), and at most one that somebody
 * has decided about counts: the one that was decided about last supersedes those before.
 */
#pragma once
#include "mapping/store_address.h"

struct store_correspondent {
    int64_t id;
    char *address;
    char *alias;         /* in the silo; NULL until created there */
    bool wants_alias;    /* a pattern has let it in */
    unsigned alias_form; /* number of the form of it that the silo was asked for last */
};
int store_correspondent_ensure(struct store_db *db, const char *address, int64_t now, int64_t *id_out)
    __attribute__((warn_unused_result));
int store_correspondent_find(struct store_db *db, int64_t id, struct store_correspondent *out)
    __attribute__((warn_unused_result));
int store_correspondent_find_by_address(struct store_db *db, const char *address, struct store_correspondent *out)
    __attribute__((warn_unused_result));
int store_correspondent_find_by_alias(struct store_db *db, const char *alias, struct store_correspondent *out)
    __attribute__((warn_unused_result));
/* A pattern has let it in: it is to have an alias, as those with an approved mapping of their own. 0: no such correspondent. */
int store_correspondent_set_wants_alias(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* 0: no such correspondent, or the alias is another's. */
int store_correspondent_set_alias(struct store_db *db, int64_t id, const char *alias)
    __attribute__((warn_unused_result));
/* Before the silo is asked for it: the answer may be lost, and then the same one must be asked for again. 0: no such
 * correspondent. */
int store_correspondent_set_alias_form(struct store_db *db, int64_t id, unsigned form)
    __attribute__((warn_unused_result));
typedef void store_correspondent_each(const struct store_correspondent *correspondent, void *ctx);
/* Without an alias yet, but wanting one: let in by a pattern, or with an approved mapping that has not expired (to a member who is
 * not removed, to a group that the gateway is in, or to all members); in order of id. */
int store_correspondent_list_without_alias(struct store_db *db, int64_t now, store_correspondent_each *each, void *ctx)
    __attribute__((warn_unused_result));
void store_correspondent_free(struct store_correspondent *correspondent);

enum store_mapping_state {
    STORE_MAPPING_REQUESTED, /* waits for an administrator's decision */
    STORE_MAPPING_APPROVED,  /* open, in its direction, until it expires */
    STORE_MAPPING_DENIED,    /* the request was turned down, or the door shut without one; an end */
    STORE_MAPPING_SUSPENDED, /* closed for a while */
    STORE_MAPPING_REVOKED,   /* closed for good; an end */
    STORE_MAPPING_EXPIRED, /* its time was over; an end. Until somebody writes that, it is approved with its time past */
};
enum store_direction { STORE_DIRECTION_IN = 1, STORE_DIRECTION_OUT = 2, STORE_DIRECTION_BOTH = 3 };
/* What an author must prove (config.h says what each means). */
enum store_proof { STORE_PROOF_DEFAULT /* policy.proof */, STORE_PROOF_DMARC, STORE_PROOF_DKIM, STORE_PROOF_NONE };

struct store_mapping {
    int64_t id;
    char *subject;
    int64_t correspondent_id;   /* of the subject; 0: it is a pattern */
    struct store_target target; /* both ids 0: all members; groups are not in it */
    char *target_name;          /* the member's alias, the gid, or "all" */
    enum store_mapping_state state;
    bool is_superseded; /* a later one for the same subject and target was decided about since */
    enum store_direction direction;
    int64_t expires_at; /* 0: never */
    bool was_suspended; /* an expired one, when its time was over */
    int64_t max_size;   /* bytes; 0: only the gateway's own limit */
    int64_t daily;      /* messages per 24 hours, of everybody whom it lets in together; 0: no limit */
    char *attachments;  /* what files it lets in: "yes", or as gateway/attachment_rule.h has it */
    enum store_proof proof;
    bool subaddresses;              /* of an address: "bob+x@" is let in as "bob@" */
    char *note;                     /* "" */
    int64_t created_at, decided_at; /* 0: not decided */
    char *created_by, *created_via; /* and through which channel (store_audit.h); "" when not known */
    char *decided_by, *reason;      /* "" when none */
    bool invites;                   /* the subject is to be told by email, once, when it is open */
    int64_t invitation_id;          /* the entry of the outbound queue that tells it; 0: none yet */
    bool announced;                 /* the target was told, from the correspondent's alias or by a notice */
};
const char *store_mapping_state_name(enum store_mapping_state state);
bool store_mapping_state_parse(const char *text, enum store_mapping_state *state_out);
const char *store_direction_name(enum store_direction direction);
bool store_direction_parse(const char *text, enum store_direction *direction_out);
const char *store_proof_name(enum store_proof proof); /* "default", "dmarc", ... */
bool store_proof_parse(const char *text, enum store_proof *proof_out);
/* Requested, approved or suspended. */
static inline bool store_mapping_is_live(enum store_mapping_state state)
{
    return state == STORE_MAPPING_REQUESTED || state == STORE_MAPPING_APPROVED || state == STORE_MAPPING_SUSPENDED;
}

struct store_mapping_new {
    const char *subject;      /* NULL: the correspondent's address */
    int64_t correspondent_id; /* 0: the subject is a pattern */
    struct store_target target;
    enum store_mapping_state state; /* REQUESTED, APPROVED, or DENIED: the door is shut without a request */
    enum store_direction direction;
    int64_t expires_at, max_size, daily;
    const char *attachments; /* NULL: "yes" */
    enum store_proof proof;
    bool subaddresses;
    bool invites;
    const char *note, *actor, *reason; /* not NULL */
    const char *channel;               /* NULL: not known */
    int64_t now;
};
/* 0: the subject and target have a mapping that is requested, approved or suspended; *id_out is that one's. */
int store_mapping_add(struct store_db *db, const struct store_mapping_new *mapping, int64_t *id_out)
    __attribute__((warn_unused_result));
/* Its limits become those of `limits` (direction, expiry, sizes, invites and so on; subject, target, state and who are not looked at). 0:
 * no such mapping. */
int store_mapping_set_limits(struct store_db *db, int64_t id, const struct store_mapping_new *limits)
    __attribute__((warn_unused_result));
int store_mapping_find(struct store_db *db, int64_t id, struct store_mapping *out) __attribute__((warn_unused_result));
typedef void store_mapping_each(const struct store_mapping *mapping, void *ctx);
/* Every mapping that might have a say about what this author (a canonical address) writes to this target, and what is written to
 * them from there: of the target and of all members when it is one, that was not superseded, requests among them; for
 * policy.h to choose from, which also sees that the case of the local part is right. One look into an index, whatever
 * there is of others. In no particular order. */
int store_mapping_list_candidates(struct store_db *db, const char *author, struct store_target target,
                                  store_mapping_each *each, void *ctx) __attribute__((warn_unused_result));
/* The live one of exactly this subject and target, else the one that counts; 0: there is none. */
int store_mapping_find_current(struct store_db *db, const char *subject, struct store_target target,
                               struct store_mapping *out) __attribute__((warn_unused_result));
/* Those that count of the same subject in another case of ASCII letters are superseded by this one: where case is folded they are
 * one. 1 also when there are none. */
int store_mapping_supersede_other_case(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* Has any that counts a subject with capital letters? Reads them all. */
int store_mapping_any_in_capitals(struct store_db *db) __attribute__((warn_unused_result));
/* Is anybody at all allowed to write to this target now (approved, inward, not expired; for this target, or for all members and
 * it is one)? 1 yes, 0 no. */
int store_mapping_any_inbound(struct store_db *db, struct store_target target, int64_t now)
    __attribute__((warn_unused_result));
typedef void store_mapping_each_author(const char *subject, void *ctx);
/* Who may write to this target now, as store_mapping_any_inbound(); at most `limit` of them, in no particular order. */
int store_mapping_list_authors(struct store_db *db, struct store_target target, int64_t now, int64_t limit,
                               store_mapping_each_author *each, void *ctx) __attribute__((warn_unused_result));
/* Moves to a new state when the life of a mapping allows it (requested -> approved, denied; approved -> suspended,
 * revoked, expired; suspended -> approved, revoked, expired). What is decided about supersedes what was before. 0: not allowed from *state_was_out, or no such mapping (*state_was_out is
 * then the wanted state). Approving a request resets `announced`; resuming a suspended one does not. */
int store_mapping_set_state(struct store_db *db, int64_t id, enum store_mapping_state state, const char *actor,
                            const char *reason, int64_t now, enum store_mapping_state *state_was_out)
    __attribute__((warn_unused_result));
/* How many requests wait. 1 or -1. */
int store_mapping_count_requested(struct store_db *db, int64_t *count_out) __attribute__((warn_unused_result));
struct store_mapping_filter {
    bool by_state;
    enum store_mapping_state state;
    const char *subject; /* NULL: any */
    bool by_target;
    struct store_target target; /* exactly this one; both ids 0: those that are for all members */
    int64_t after_id;           /* only those behind it */
    int64_t limit;              /* at most so many; 0: all */
};
/* At most so many octets of a part that is looked for. */
enum { STORE_MAPPING_PART_MAX = 320 };
/* Looks at the next `slice` mappings behind *cursor (at first filter->after_id) for those that are as the filter says and whose
 * subject, target's name, note or creator has this part (of any case, as far as ASCII goes). No index helps there: so it is done in slices, each short,
 * on the committer. *cursor becomes the id of the last one that was looked at. 1 there are more; 0 that was the end; -1. */
int store_mapping_search(struct store_db *db, const struct store_mapping_filter *filter, const char *part,
                         int64_t slice, int64_t *cursor, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* By id, also those that were superseded. */
int store_mapping_list(struct store_db *db, const struct store_mapping_filter *filter, store_mapping_each *each,
                       void *ctx) __attribute__((warn_unused_result));
/* At most `limit` that are approved or suspended and whose time is past, the earliest first. */
int store_mapping_list_ended(struct store_db *db, int64_t now, int64_t limit, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Requests of strangers' mail that were made until `since`, and of which no mail is held any more; by id, at most `limit`. */
int store_mapping_list_lapsed(struct store_db *db, int64_t since, int64_t limit, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* As if it had never been asked for. 0: it is no such request. */
int store_mapping_remove_lapsed(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* Whose it is from now on. 0: no such mapping. */
int store_mapping_set_creator(struct store_db *db, int64_t id, const char *actor, const char *channel)
    __attribute__((warn_unused_result));
/* When the next approved or suspended one ends. 0: none does. */
int store_mapping_next_end(struct store_db *db, int64_t *at_out) __attribute__((warn_unused_result));
/* Approved, not expired, whose correspondent has an alias and whose target has not been told (a member who is not
 * removed, a group that the gateway is in). */
int store_mapping_list_unannounced(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
int store_mapping_set_announced(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* Those of addresses whose subject is to be told and was not: approved, inward, not expired; whose correspondent has an
 * alias, and whose target can be reached (a member whose account is known, a group that the gateway is in). */
int store_mapping_list_uninvited(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* 0: it has an invitation already, or there is no such mapping. */
int store_mapping_set_invitation(struct store_db *db, int64_t id, int64_t outbound_id)
    __attribute__((warn_unused_result));
/* Whose invitation an entry is. 0: of none. */
int store_mapping_find_by_invitation(struct store_db *db, int64_t outbound_id, struct store_mapping *out)
    __attribute__((warn_unused_result));
void store_mapping_free(struct store_mapping *mapping);
