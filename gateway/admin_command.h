/* admin_command.h - what administrators can say: one const table of verbs
 *
 * The same table serves every way in (control socket, web page and its API). A verb's
 * function gets the request, fills its output, and ends it with admin_finish() or admin_refuse(), at once or, when
 * something must be committed first, later. Actor is who asked, for the records.
 *
 * What a verb does on the loop, and the making of its answer, are pieces of base/fair_turns.h: one in a turn of the loop, whoever
 * asks in turn, so that long lists keep no mail waiting.
 */
#pragma once
#include "mapping/store_audit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin_output;
struct gateway;
struct strbuf;

enum admin_exit {
    ADMIN_OK = 0,
    ADMIN_REFUSED = 1,
    ADMIN_USAGE = 2,
    ADMIN_NOT_NOW =
        3, /* the same may be done later: the database could not be used, or there is no room. For programs that ask */
};

typedef void admin_answer(enum admin_exit exit, const char *out, const char *err, void *ctx);

/* What somebody says. All is borrowed, for the call only. */
struct admin_order {
    const struct store_actor *actor; /* who, and by which way in */
    bool json;                       /* the answer is for a program */
    size_t argc;                     /* the words, without the program's name */
    const char *const *argv;
    const char *input; /* what must not stand among words (a password), or is too long for them; NULL: none */
};
/* Runs it when its turn has come. answer is called exactly once, perhaps before this returns (when the words are no command). */
void admin_run(struct gateway *gateway, const struct admin_order *order, admin_answer *answer, void *ctx);
/* Is it a command that changes nothing, as far as its words tell? What can't be told does. */
bool admin_only_reads(size_t argc, const char *const *argv);
/* How many of the words name the command; 0: there is none of that name. */
size_t admin_name_words(size_t argc, const char *const *argv);

/* How the commands are used, one line each ("mapping show ID"), for completion; NULL behind the last. */
const char *admin_usage(size_t index);

/* For the verbs' functions. */
struct admin_request {
    struct gateway *gateway;
    struct admin_output *output;
    char *actor;   /* their name, and where they are from */
    char *channel; /* see struct store_actor */
    char *input;   /* NULL: none */
    bool json;
    void (*run)(struct admin_request *request);
    char *owner;     /* whose turn it is: the way in, and the actor */
    bool only_reads; /* as the table has it */
    bool *ended;     /* within a turn: where to note that the request is gone */
    char **argv;     /* what follows verb and sub-verb, options taken out; owned */
    size_t argc;
    char **options; /* name, value, name, value ...; owned */
    size_t option_count;
    admin_answer *answer;
    void *ctx;
};
const char *admin_option(const struct admin_request *request, const char *name); /* its value, NULL when not given */
void admin_finish(struct admin_request *request);                                /* done: shows the output */
void admin_finish_read(struct admin_request *request, int result); /* likewise; < 0: the database could not be read */
void admin_refuse(struct admin_request *request, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void admin_refuse_now(struct admin_request *request, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void admin_misused(struct admin_request *request, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Argument as a positive number. -1 after having answered. */
int admin_id_argument(struct admin_request *request, size_t index, int64_t *id_out) __attribute__((warn_unused_result));
/* An option's number from 1 to most; without the option *number_out stays. -1 after having answered. */
int admin_number_option(struct admin_request *request, const char *name, int64_t most, int64_t *number_out)
    __attribute__((warn_unused_result));
/* Any part of a text, to be looked for with no regard to case of ASCII: in lower case, the caller's to free; NULL when it is not
 * given. -1 after having answered: it is empty or too long. */
int admin_part_option(struct admin_request *request, const char *name, char **part_out)
    __attribute__((warn_unused_result));
int64_t admin_now(const struct admin_request *request);
/* Who asked, for the audit log. As long as the request. */
struct store_actor admin_actor(const struct admin_request *request);
/* Writer only, in the operation that does what was asked: its row of the audit log; act.actor is filled in. 1 or -1. */
int admin_audit_add(struct store_db *db, const struct admin_request *request, struct store_audit_new act)
    __attribute__((warn_unused_result));
struct store_db *admin_reader(const struct admin_request *request);
void admin_database_error(struct admin_request *request);

typedef void admin_verb(struct admin_request *request);
admin_verb admin_status, admin_history, admin_version, admin_stop, admin_reload;
admin_verb admin_log_level;
admin_verb admin_member_list, admin_member_add, admin_member_show, admin_member_remove, admin_member_reports;
admin_verb admin_group_list, admin_group_show, admin_group_address, admin_group_join, admin_group_leave;
admin_verb admin_mapping_list, admin_mapping_add, admin_mapping_show, admin_mapping_approve, admin_mapping_deny,
    admin_mapping_suspend, admin_mapping_resume, admin_mapping_revoke, admin_mapping_block, admin_mapping_change,
    admin_mapping_test, admin_mapping_export, admin_mapping_import;
admin_verb admin_held_list, admin_held_show, admin_held_read, admin_held_release, admin_held_drop;
admin_verb admin_audit_list, admin_audit_verify, admin_audit_head;
admin_verb admin_silo_status, admin_silo_accounts, admin_silo_repin, admin_silo_moved, admin_silo_connect;
admin_verb admin_queue_list, admin_queue_show, admin_queue_retry, admin_queue_hold, admin_queue_drop, admin_why;
admin_verb admin_account_add, admin_account_passwd, admin_account_list, admin_account_remove, admin_account_sessions,
    admin_account_sign_out, admin_totp_begin, admin_totp_confirm, admin_totp_off, admin_token_add, admin_token_list,
    admin_token_remove;
