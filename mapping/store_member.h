/* store_member.h - silo members that have an address at the gateway */
#pragma once
#include "mapping/store_address.h"

struct store_member {
    int64_t id;
    char *alias;        /* in the silo; exact, upper and lower case differ */
    char *uid;          /* NULL until learned: their answer is also their consent */
    char *local_part;   /* before the '@' of the gateway's domain, lower case; stable once used */
    int64_t greeted_at; /* when the gateway pinged them to ask for an answer; 0: not yet */
    bool wants_reports; /* of delivery, about every message that they write */
    bool removed;       /* kept because threads and traces refer to it, and so that nobody else gets the address */
    int64_t created_at;
};

/* Adds a member, or revives a removed one (as new: uid forgotten, and whose the alias was; not greeted, no reports; the
 * old local part unless one is given).
 * local_part NULL: derived from the alias ("Alice Member" -> "alice.member"), made unique with a number
 * ("alice.member.2"). 0: alias is a member already, or local_part is taken or not valid (store_address_check();
 * *reason_out is static text). */
int store_member_add(struct store_db *db, const char *alias, const char *local_part, int64_t now, int64_t *id_out,
                     const char **reason_out) __attribute__((warn_unused_result));
int store_member_remove(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* Removed ones are found by id only. */
int store_member_find(struct store_db *db, int64_t id, struct store_member *member_out)
    __attribute__((warn_unused_result));
int store_member_find_by_alias(struct store_db *db, const char *alias, struct store_member *member_out)
    __attribute__((warn_unused_result));
int store_member_find_by_local_part(struct store_db *db, const char *local_part, struct store_member *member_out)
    __attribute__((warn_unused_result));
int store_member_find_by_uid(struct store_db *db, const char *uid, struct store_member *member_out)
    __attribute__((warn_unused_result));
/* A member who has not answered, but one of whose account's aliases, as the silo has vouched, is theirs. */
int store_member_find_vouched(struct store_db *db, const char *uid, struct store_member *member_out)
    __attribute__((warn_unused_result));
/* Binds alias to the first uid seen. 1: learned now or known as such; 0: no member has this alias; -2: the alias is
 * bound to another uid, or the uid to another member (nothing changed: a takeover attempt or a confusion, to be
 * traced). */
int store_member_learn_uid(struct store_db *db, const char *alias, const char *uid) __attribute__((warn_unused_result));
/* For what they write from now on. 0: there is no such member. */
int store_member_set_reports(struct store_db *db, int64_t id, bool wants_reports) __attribute__((warn_unused_result));
int store_member_set_greeted(struct store_db *db, int64_t id, int64_t now) __attribute__((warn_unused_result));
/* As new: their account is not known, and they are greeted again. 0: no such member. */
int store_member_forget_uid(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* 0: no such member, or another one has this alias, or had it. */
int store_member_set_alias(struct store_db *db, int64_t id, const char *alias) __attribute__((warn_unused_result));
/* As if not greeted, if that was before a time and they have not answered. 0: nothing to ask. */
int store_member_ask_again(struct store_db *db, const char *alias, int64_t asked_before)
    __attribute__((warn_unused_result));
typedef void store_member_each(const struct store_member *member, void *ctx);
/* Not removed ones, by alias (in the order of its octets): at most `limit` behind `after` ("": from the first). part: of alias or
 * local part, ASCII letters in lower case; NULL: all. */
int store_member_list(struct store_db *db, const char *part, const char *after, int64_t limit, store_member_each *each,
                      void *ctx) __attribute__((warn_unused_result));
/* Members whose uid is unknown and who were not greeted. */
int store_member_list_ungreeted(struct store_db *db, store_member_each *each, void *ctx)
    __attribute__((warn_unused_result));
void store_member_free(struct store_member *member);
