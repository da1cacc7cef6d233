/* store_mapping.h - correspondents and the list at the door
 *
 * A correspondent is an outside email address; on approval it gets an alias on the gateway's silo account. A mapping
 * opens one correspondent to one member, or to one group. Addresses are stored normalised (smtp_address_normalise).
 */
#pragma once
#include "mapping/store_address.h"

struct store_correspondent {
    int64_t id;
    char *address;
    char *alias;         /* in the silo; NULL until created there */
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
/* 0: no such correspondent, or the alias is another's. */
int store_correspondent_set_alias(struct store_db *db, int64_t id, const char *alias)
    __attribute__((warn_unused_result));
/* Before the silo is asked for it: the answer may be lost, and then the same one must be asked for again. 0: no such
 * correspondent. */
int store_correspondent_set_alias_form(struct store_db *db, int64_t id, unsigned form)
    __attribute__((warn_unused_result));
typedef void store_correspondent_each(const struct store_correspondent *correspondent, void *ctx);
/* With an approved mapping that has not expired (to a member who is not removed, or to a group that the gateway is in) but without an alias yet, in order of id. */
int store_correspondent_list_without_alias(struct store_db *db, int64_t now, store_correspondent_each *each, void *ctx)
    __attribute__((warn_unused_result));
void store_correspondent_free(struct store_correspondent *correspondent);

enum store_mapping_state {
    STORE_MAPPING_REQUESTED, /* waits for an administrator's decision */
    STORE_MAPPING_APPROVED,  /* open, in its direction, until it expires */
    STORE_MAPPING_DENIED,    /* the request was turned down; an end */
    STORE_MAPPING_SUSPENDED, /* closed for a while */
    STORE_MAPPING_REVOKED,   /* closed for good; an end */
};
enum store_direction { STORE_DIRECTION_IN = 1, STORE_DIRECTION_OUT = 2, STORE_DIRECTION_BOTH = 3 };

struct store_mapping {
    int64_t id;
    int64_t correspondent_id;
    struct store_target target;
    char *address;     /* of the correspondent */
    char *target_name; /* the member's alias, or the gid */
    enum store_mapping_state state;
    enum store_direction direction;
    int64_t expires_at;             /* 0: never */
    int64_t max_size;               /* bytes; 0: only the gateway's own limit */
    int64_t daily;                  /* messages per 24 hours from this correspondent to this target; 0: no limit */
    char *attachments;              /* what files it lets in: "yes", or as gateway/attachment_rule.h has it */
    char *note;                     /* "" */
    int64_t created_at, decided_at; /* 0: not decided */
    char *created_by, *decided_by, *reason; /* "" when none */
    bool announced;                         /* the target was told, from the correspondent's alias or by a notice */
};
const char *store_mapping_state_name(enum store_mapping_state state);
bool store_mapping_state_parse(const char *text, enum store_mapping_state *state_out);
const char *store_direction_name(enum store_direction direction);
bool store_direction_parse(const char *text, enum store_direction *direction_out);

struct store_mapping_new {
    int64_t correspondent_id;
    struct store_target target;
    enum store_mapping_state state; /* REQUESTED or APPROVED */
    enum store_direction direction;
    int64_t expires_at, max_size, daily;
    const char *attachments;           /* NULL: "yes" */
    const char *note, *actor, *reason; /* not NULL */
    int64_t now;
};
/* 0: the pair has a mapping that is requested, approved or suspended; *id_out is that one's. */
int store_mapping_add(struct store_db *db, const struct store_mapping_new *mapping, int64_t *id_out)
    __attribute__((warn_unused_result));
int store_mapping_find(struct store_db *db, int64_t id, struct store_mapping *out) __attribute__((warn_unused_result));
/* The live mapping of the pair: a requested, approved or suspended one; else the newest denied or revoked one. */
int store_mapping_find_pair(struct store_db *db, int64_t correspondent_id, struct store_target target,
                            struct store_mapping *out) __attribute__((warn_unused_result));
/* Is anybody at all allowed to write to this target now (approved, inward, not expired)? 1 yes, 0 no. */
int store_mapping_any_inbound(struct store_db *db, struct store_target target, int64_t now)
    __attribute__((warn_unused_result));
typedef void store_mapping_each_author(const char *address, void *ctx);
/* Who may write to this target now, as store_mapping_any_inbound(). */
int store_mapping_list_authors(struct store_db *db, struct store_target target, int64_t now,
                               store_mapping_each_author *each, void *ctx) __attribute__((warn_unused_result));
/* Moves to a new state when the life of a mapping allows it (requested -> approved, denied; approved -> suspended,
 * revoked; suspended -> approved, revoked). 0: not allowed from *state_was_out, or no such mapping (*state_was_out is
 * then the wanted state). Approving a request resets `announced`; resuming a suspended one does not. */
int store_mapping_set_state(struct store_db *db, int64_t id, enum store_mapping_state state, const char *actor,
                            const char *reason, int64_t now, enum store_mapping_state *state_was_out)
    __attribute__((warn_unused_result));
struct store_mapping_filter {
    bool by_state;
    enum store_mapping_state state;
    const char *address;     /* NULL: any */
    const char *target_name; /* a member's alias or a gid; NULL: any */
};
typedef void store_mapping_each(const struct store_mapping *mapping, void *ctx);
/* By id. */
int store_mapping_list(struct store_db *db, const struct store_mapping_filter *filter, store_mapping_each *each,
                       void *ctx) __attribute__((warn_unused_result));
/* Approved, not expired, whose correspondent has an alias and whose target has not been told (a member who is not
 * removed, a group that the gateway is in). */
int store_mapping_list_unannounced(struct store_db *db, int64_t now, store_mapping_each *each, void *ctx)
    __attribute__((warn_unused_result));
int store_mapping_set_announced(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
void store_mapping_free(struct store_mapping *mapping);
