/* tmtp_main_request.c - the verbs that make one request: register, alias, ping, group */
#include <stdio.h>
#include <string.h>

#include "tmtp/tmtp_main_account.h"
#include "tmtp/tmtp_main_json.h"
#include "tmtp/tmtp_main_member.h"
#include "tmtp/tmtp_silo_text.h"

/* Opens the account, runs the task with it, and closes it. */
static enum main_exit run_with_account(const struct main_options *options, const struct member_task *task)
{
    struct account *account = account_open(options->account);
    if (account == NULL)
        return MAIN_REFUSED;
    enum main_exit code = member_run(options, account, task, NULL);
    account_free(&account);
    return code;
}

static void print_done(struct member *member, const char *what, const struct tmtp_client_result *result)
{
    const struct json_word words[] = {
        { "op", what }, { "id", result->msgid }, { "posted", result->posted }, { NULL, NULL }
    };
    if (member->options->json)
        json_print_words(words);
    else if (result->msgid != NULL)
        printf("%s %s\n", what, result->msgid);
    else
        printf("%s\n", what);
}

/* --- register --- */

static void registered(struct member *member)
{
    const struct account *account = member->account;
    const struct json_word words[] = {
        { "op", "registered" }, { "uid", account->uid }, { "alias", account->alias }, { NULL, NULL }
    };
    if (member->options->json)
        json_print_words(words);
    else
        printf("registered %s\n", account->uid);
    member_finish(member, account->alias[0] != '\0' ? MAIN_DONE : MAIN_REFUSED);
}

enum main_exit main_register(const struct main_options *options)
{
    static const struct member_task task = { .on_ready = registered };
    struct account *account = account_new(options->account, options->silo);
    if (account == NULL)
        return MAIN_REFUSED;
    enum main_exit code = member_run(options, account, &task, NULL);
    account_free(&account);
    return code;
}

/* --- alias --- */

static void ask_alias(struct member *member)
{
    member_await(member, tmtp_client_add_alias(member->client, member->options->arguments[0]));
}

static void alias_added(struct member *member, const struct tmtp_client_result *result)
{
    if (member->account->alias[0] == '\0')
        account_set(member->account, &member->account->alias, member->options->arguments[0]);
    print_done(member, "added", result);
    member_finish(member, MAIN_DONE);
}

enum main_exit main_alias(const struct main_options *options)
{
    static const struct member_task task = { .on_ready = ask_alias, .on_result = alias_added };
    return run_with_account(options, &task);
}

/* --- ping --- */

static void ask_ping(struct member *member)
{
    const struct main_options *options = member->options;
    member_await(member,
                 tmtp_client_ping(member->client, member->account->alias, options->to[0], options->arguments[0]));
}

static void pinged(struct member *member, const struct tmtp_client_result *result)
{
    print_done(member, "pinged", result);
    member_finish(member, MAIN_DONE);
}

/* False (said why) when a ping can't carry the text. */
static bool check_ping_text(const char *text)
{
    long units = silo_text_utf16_length(text, strlen(text));
    if (units >= 0 && units <= SILO_PING_MAX)
        return true;
    main_complain(units < 0 ? "the text is not UTF-8" : "the text is longer than %d characters", SILO_PING_MAX);
    return false;
}

enum main_exit main_ping(const struct main_options *options)
{
    static const struct member_task task = { .on_ready = ask_ping, .on_result = pinged };
    if (options->to_count != 1) {
        main_complain("a ping goes to one alias");
        return MAIN_USAGE;
    }
    return check_ping_text(options->arguments[0]) ? run_with_account(options, &task) : MAIN_USAGE;
}

/* --- group --- */

static void ask_group(struct member *member)
{
    char **words = member->options->arguments;
    bool invites = strcmp(words[0], "invite") == 0;
    const char *text = member->options->argument_count > 3 ? words[3] : "";
    member_await(member,
                 invites ? tmtp_client_group_invite(member->client, words[1], member->account->alias, words[2], text)
                         : tmtp_client_group_edit(member->client, words[0], words[1], words[2], NULL));
}

static void group_changed(struct member *member, const struct tmtp_client_result *result)
{
    char **words = member->options->arguments;
    if (strcmp(words[0], "drop") != 0)
        account_learn_group(member->account, words[1]);
    print_done(member, "done", result);
    member_finish(member, MAIN_DONE);
}

enum main_exit main_group(const struct main_options *options)
{
    static const struct member_task task = { .on_ready = ask_group, .on_result = group_changed };
    static const struct {
        const char *act;
        size_t words_min, words_max;
    } acts[] = { { "invite", 3, 4 }, { "join", 2, 2 }, { "drop", 3, 3 } };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].act, options->arguments[0]) != 0)
            continue;
        if (options->argument_count < acts[i].words_min || options->argument_count > acts[i].words_max)
            break;
        if (options->argument_count == 4 && !check_ping_text(options->arguments[3]))
            return MAIN_USAGE;
        return run_with_account(options, &task);
    }
    main_complain("group invite GID ALIAS [TEXT] | join GID | drop GID ALIAS");
    return MAIN_USAGE;
}
