/* admin_command.c - the table, and the way from words to a verb */
#include "gateway/admin_command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fair_turns.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"

enum { OUTPUT_MAX = 8 * 1024 * 1024, MESSAGE_MAX = 64 * 1024, PART_MAX = 320 };

#define MAPPING_STATES "requested|approved|denied|suspended|revoked|expired"
#define MAPPING_LIMITS " --direction --expires --daily --max-size --attachments --proof --subaddresses --invite --note "
#define MAPPING_LIMITS_USAGE                                                                                           \
    "[--direction in|out|both] [--expires DATE] [--daily N] [--max-size S] [--attachments yes|no|TYPES] "              \
    "[--proof dmarc|dkim|none|default] [--subaddresses yes|no] [--invite yes|no] [--note TEXT]"

static const struct command {
    const char *verb, *sub; /* sub: a word, or two with a space between; NULL: the verb stands alone */
    size_t args_min, args_max;
    const char *options; /* names, each with a value, separated and framed by spaces */
    const char *usage;
    admin_verb *run;
    bool only_reads; /* changes nothing: whoever may only look may say it */
} commands[] = {
    { "status", NULL, 0, 0, "", "status", admin_status, true },
    { "member", "list", 0, 0, " --find --limit --after ", "member list [--find PART] [--limit N] [--after ALIAS]",
      admin_member_list, true },
    { "member", "add", 1, 1, " --address ", "member add ALIAS [--address LOCAL]", admin_member_add },
    { "member", "show", 1, 1, "", "member show ALIAS", admin_member_show, true },
    { "member", "remove", 1, 1, "", "member remove ALIAS", admin_member_remove },
    { "member", "reports", 2, 2, "", "member reports ALIAS on|off", admin_member_reports },
    { "group", "list", 0, 0, "", "group list", admin_group_list, true },
    { "group", "show", 1, 1, "", "group show GID", admin_group_show, true },
    { "group", "address", 2, 2, "", "group address GID LOCAL", admin_group_address },
    { "group", "join", 1, 1, "", "group join GID", admin_group_join },
    { "group", "leave", 1, 1, "", "group leave GID", admin_group_leave },
    { "mapping", "list", 0, 0, " --state --member --address --search --limit --after ",
      "mapping list [--state " MAPPING_STATES
      "] [--member ALIAS|GID|all] [--address SUBJECT] [--search PART] [--limit N] [--after ID]",
      admin_mapping_list, true },
    { "mapping", "add", 2, 2, MAPPING_LIMITS "--reason ",
      "mapping add SUBJECT MEMBER|GID|all " MAPPING_LIMITS_USAGE " [--reason T]", admin_mapping_add },
    { "mapping", "block", 2, 2, " --note --reason ", "mapping block SUBJECT MEMBER|GID|all [--note TEXT] [--reason T]",
      admin_mapping_block },
    { "mapping", "show", 1, 1, "", "mapping show ID", admin_mapping_show, true },
    { "mapping", "test", 2, 2, " --direction --size ",
      "mapping test ADDRESS ALIAS|GID|OUR-ADDRESS [--direction in|out] [--size S]", admin_mapping_test, true },
    { "mapping", "change", 1, 1, MAPPING_LIMITS "--reason ", "mapping change ID " MAPPING_LIMITS_USAGE " [--reason T]",
      admin_mapping_change },
    { "mapping", "approve", 1, 1, MAPPING_LIMITS "--reason ",
      "mapping approve ID " MAPPING_LIMITS_USAGE " [--reason T]", admin_mapping_approve },
    { "mapping", "deny", 1, 1, " --reason ", "mapping deny ID [--reason T]", admin_mapping_deny },
    { "mapping", "suspend", 1, 1, " --reason ", "mapping suspend ID [--reason T]", admin_mapping_suspend },
    { "mapping", "resume", 1, 1, " --reason ", "mapping resume ID [--reason T]", admin_mapping_resume },
    { "mapping", "revoke", 1, 1, " --reason ", "mapping revoke ID [--reason T]", admin_mapping_revoke },
    { "mapping", "export", 0, 0, " --state --member --address --limit --after ",
      "mapping export [--state " MAPPING_STATES
      "] [--member ALIAS|GID|all] [--address SUBJECT] [--limit N] [--after ID]",
      admin_mapping_export, true },
    { "mapping", "import", 0, 0, " --dry-run --reopen --reason ",
      "mapping import [--dry-run yes|no] [--reopen yes|no] [--reason T]", admin_mapping_import },
    { "held", "list", 0, 0, " --request --limit --after ", "held list [--request MAPPING-ID] [--limit N] [--after ID]",
      admin_held_list, true },
    { "held", "show", 1, 1, "", "held show ID", admin_held_show, true },
    { "held", "read", 1, 1, "", "held read ID", admin_held_read },
    { "held", "release", 1, 1, " --reason ", "held release ID [--reason T]", admin_held_release },
    { "held", "drop", 1, 1, " --reason ", "held drop ID --reason T", admin_held_drop },
    { "queue", "list", 0, 0, " --direction --state --to --from --older --limit --after ",
      "queue list [--direction in|out] [--state waiting|routed|due|deferred|held|pending|settled|dropped] [--to PART] "
      "[--from PART] [--older DURATION] [--limit N] [--after PLACE]",
      admin_queue_list, true },
    { "queue", "show", 1, 1, "", "queue show ID", admin_queue_show, true },
    { "queue", "retry", 1, 1, "", "queue retry ID|all", admin_queue_retry },
    { "queue", "hold", 1, 1, " --reason ", "queue hold ID [--reason T]", admin_queue_hold },
    { "queue", "drop", 1, 1, " --reason ", "queue drop ID --reason T", admin_queue_drop },
    { "silo", "status", 0, 0, "", "silo status", admin_silo_status, true },
    { "silo", "accounts", 0, 0, "", "silo accounts", admin_silo_accounts, true },
    { "silo", "repin", 0, 0, "", "silo repin", admin_silo_repin },
    { "silo", "moved", 1, 1, "", "silo moved OLD-ADDRESS", admin_silo_moved },
    { "silo", "connect", 0, 0, "", "silo connect", admin_silo_connect },
    { "audit", "list", 0, 0, " --since --object --actor --limit --order --before ",
      "audit list [--since DATE|DURATION] [--object OBJECT] [--actor PART] [--limit N] [--order oldest|newest] "
      "[--before ROW]",
      admin_audit_list, true },
    { "audit", "verify", 0, 0, " --head ", "audit verify [--head ID:HASH]", admin_audit_verify, true },
    { "audit", "head", 0, 0, "", "audit head", admin_audit_head, true },
    { "admin", "add", 1, 1, "", "admin add NAME", admin_account_add },
    { "admin", "passwd", 1, 1, "", "admin passwd NAME", admin_account_passwd },
    { "admin", "list", 0, 0, "", "admin list", admin_account_list, true },
    { "admin", "remove", 1, 1, "", "admin remove NAME", admin_account_remove },
    { "admin", "sessions", 1, 1, "", "admin sessions NAME", admin_account_sessions, true },
    { "admin", "sign-out", 1, 1, " --session ", "admin sign-out NAME [--session ID]", admin_account_sign_out },
    { "admin", "totp begin", 1, 1, "", "admin totp begin NAME", admin_totp_begin },
    { "admin", "totp confirm", 2, 2, "", "admin totp confirm NAME CODE", admin_totp_confirm },
    { "admin", "totp off", 1, 1, "", "admin totp off NAME", admin_totp_off },
    { "admin", "token add", 1, 1, " --read-only --expires ",
      "admin token add NAME [--read-only yes|no] [--expires DATE|DURATION|never]", admin_token_add },
    { "admin", "token list", 0, 0, "", "admin token list", admin_token_list, true },
    { "admin", "token remove", 1, 1, "", "admin token remove NAME", admin_token_remove },
    { "why", NULL, 1, 1, "", "why ID | MESSAGE-ID | TMTP-MSGID | SESSION-ID | ADDRESS", admin_why, true },
    { "history", NULL, 0, 0, " --hours --step ", "history [--hours N] [--step DURATION]", admin_history, true },
    { "log-level", NULL, 0, 1, "", "log-level [debug|info|warning|error]", admin_log_level },
    { "stop", NULL, 0, 0, "", "stop", admin_stop },
    { "reload", NULL, 0, 0, "", "reload", admin_reload },
    { "version", NULL, 0, 0, "", "version", admin_version, true },
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

/* How many words name the command. */
static size_t name_words(const struct command *command)
{
    return command->sub ? 2 + (strchr(command->sub, ' ') != NULL) : 1;
}

static bool is_named(const struct command *command, size_t argc, const char *const *argv)
{
    size_t words = name_words(command);
    if (argc < words || strcmp(argv[0], command->verb) != 0)
        return false;
    if (words < 3)
        return words == 1 || strcmp(argv[1], command->sub) == 0;
    size_t first = strcspn(command->sub, " ");
    return strlen(argv[1]) == first && strncmp(argv[1], command->sub, first) == 0 &&
           strcmp(argv[2], command->sub + first + 1) == 0;
}

static const struct command *find_command(size_t argc, const char *const *argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (is_named(&commands[i], argc, argv))
            return &commands[i];
    return NULL;
}

size_t admin_name_words(size_t argc, const char *const *argv)
{
    const struct command *command = find_command(argc, argv);
    return command ? name_words(command) : 0;
}

bool admin_only_reads(size_t argc, const char *const *argv)
{
    const struct command *command = find_command(argc, argv);
    return command && command->only_reads;
}

const char *admin_usage(size_t index)
{
    return index < COMMAND_COUNT ? commands[index].usage : NULL;
}

/* The usage lines of a verb, or of all when it is no verb. */
static void add_usage(const char *verb, struct strbuf *out)
{
    bool known = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        known = known || (verb && strcmp(verb, commands[i].verb) == 0);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!known || strcmp(verb, commands[i].verb) == 0)
            strbuf_add_fmt(out, "usage: posternctl %s\n", commands[i].usage);
}

static struct fair_turns *turns_of(const struct admin_request *request)
{
    return gateway_parts(request->gateway)->turns;
}

static void request_free(struct admin_request *request)
{
    if (request->run && request->only_reads && turns_of(request))
        fair_turns_end(turns_of(request), request->owner);
    if (request->ended)
        *request->ended = true;
    free(request->owner);
    admin_output_free(&request->output);
    for (size_t i = 0; i < request->argc; i++)
        free(request->argv[i]);
    for (size_t i = 0; i < request->option_count * 2; i++)
        free(request->options[i]);
    free(request->argv);
    free(request->options);
    free(request->actor);
    free(request->channel);
    free(request->input);
    free(request);
}

/* The error may quote anything: it goes to a terminal. */
static void end_request(struct admin_request *request, enum admin_exit exit, const char *out, const char *err)
{
    struct strbuf clean;
    strbuf_init(&clean, MESSAGE_MAX);
    admin_output_add_clean(&clean, err, strlen(err), true);
    request->answer(exit, out, clean.data, request->ctx);
    strbuf_free(&clean);
    request_free(request);
}

static bool takes_option(const struct command *command, const char *name)
{
    struct strbuf framed;
    strbuf_init(&framed, 100);
    strbuf_add_fmt(&framed, " %s ", name);
    bool takes = strbuf_ok(&framed) && !strchr(name, ' ') && strstr(command->options, framed.data);
    strbuf_free(&framed);
    return takes;
}

/* Sorts the words behind the verb into arguments and options. NULL, or what is wrong with them. */
static const char *sort_words(struct admin_request *request, const struct command *command, size_t argc,
                              const char *const *argv)
{
    request->argv = xcalloc(argc + 1, sizeof *request->argv);
    request->options = xcalloc(2 * argc + 1, sizeof *request->options);
    bool only_arguments = false;
    for (size_t i = 0; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && strncmp(argv[i], "--", 2) == 0) {
            if (!takes_option(command, argv[i]))
                return "unknown option";
            if (i + 1 == argc)
                return "an option lacks its value";
            request->options[2 * request->option_count] = xstrdup(argv[i]);
            request->options[2 * request->option_count++ + 1] = xstrdup(argv[i + 1]);
            i++;
        } else {
            request->argv[request->argc++] = xstrdup(argv[i]);
        }
    }
    if (request->argc < command->args_min)
        return "something is missing";
    return request->argc > command->args_max ? "too many words" : NULL;
}

static char *name_owner(const struct store_actor *actor)
{
    struct strbuf owner;
    strbuf_init(&owner, MESSAGE_MAX);
    strbuf_add_fmt(&owner, "%s %s", actor->channel, actor->name);
    return strbuf_detach(&owner);
}

static void run_in_turn(void *arg)
{
    struct admin_request *request = arg;
    bool ended = false;
    if (request->only_reads && !turns_of(request)) { /* nobody is there to read it */
        admin_refuse_now(request, "the gateway is stopping");
        return;
    }
    request->ended = &ended;
    request->run(request);
    if (!ended)
        request->ended = NULL;
}

/* What only reads may go on in the committer for long, which mail waits for as well: few of them at a time. What changes something may wait
 * for others, who must not keep the next one from being said. */
static void wait_for_turn(struct admin_request *request, const struct command *command)
{
    struct fair_turns *turns = turns_of(request);
    request->run = command->run;
    request->only_reads = command->only_reads;
    if (!turns)
        run_in_turn(request);
    else if (request->only_reads)
        fair_turns_begin(turns, request->owner, run_in_turn, request);
    else
        fair_turns_add(turns, request->owner, run_in_turn, request);
}

void admin_run(struct gateway *gateway, const struct admin_order *order, admin_answer *answer, void *ctx)
{
    struct admin_request *request = xcalloc(1, sizeof *request);
    *request = (struct admin_request){ .gateway = gateway,
                                       .output = admin_output_new(),
                                       .actor = xstrdup(order->actor->name),
                                       .channel = xstrdup(order->actor->channel),
                                       .input = order->input ? xstrdup(order->input) : NULL,
                                       .json = order->json,
                                       .owner = name_owner(order->actor),
                                       .answer = answer,
                                       .ctx = ctx };
    const struct command *command = find_command(order->argc, order->argv);
    const char *wrong = "no such command";
    if (command) {
        size_t skip = name_words(command);
        wrong = sort_words(request, command, order->argc - skip, order->argv + skip);
    }
    if (!wrong) {
        wait_for_turn(request, command);
        return;
    }
    struct strbuf err;
    strbuf_init(&err, MESSAGE_MAX);
    strbuf_add_fmt(&err, "posternctl: %s\n", wrong);
    if (command)
        strbuf_add_fmt(&err, "usage: posternctl %s\n", command->usage);
    else
        add_usage(order->argc ? order->argv[0] : NULL, &err);
    end_request(request, ADMIN_USAGE, "", err.data);
    strbuf_free(&err);
}

struct store_actor admin_actor(const struct admin_request *request)
{
    return (struct store_actor){ .channel = request->channel, .name = request->actor };
}

const char *admin_option(const struct admin_request *request, const char *name)
{
    for (size_t i = request->option_count; i-- > 0;) /* the last one counts */
        if (strcmp(request->options[2 * i], name) == 0)
            return request->options[2 * i + 1];
    return NULL;
}

static void finish(void *arg)
{
    struct admin_request *request = arg;
    struct strbuf out;
    strbuf_init(&out, OUTPUT_MAX);
    admin_output_render(request->output, request->json, &out);
    if (strbuf_ok(&out))
        end_request(request, ADMIN_OK, out.data, "");
    else
        end_request(request, ADMIN_REFUSED, "", "posternctl: the answer is longer than 8 MiB; ask for less of it\n");
    strbuf_free(&out);
}

/* To write a long answer takes as long as to read it. */
void admin_finish(struct admin_request *request)
{
    struct fair_turns *turns = turns_of(request);
    if (request->ended || !turns)
        finish(request);
    else
        fair_turns_add(turns, request->owner, finish, request);
}

static void refuse_with(struct admin_request *request, enum admin_exit exit, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
static void refuse_with(struct admin_request *request, enum admin_exit exit, const char *fmt, va_list args)
{
    struct strbuf err;
    strbuf_init(&err, MESSAGE_MAX);
    strbuf_add_str(&err, "posternctl: ");
    strbuf_add_vfmt(&err, fmt, args);
    strbuf_add_char(&err, '\n');
    end_request(request, exit, "", err.data);
    strbuf_free(&err);
}

void admin_refuse(struct admin_request *request, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    refuse_with(request, ADMIN_REFUSED, fmt, args);
    va_end(args);
}

void admin_refuse_now(struct admin_request *request, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    refuse_with(request, ADMIN_NOT_NOW, fmt, args);
    va_end(args);
}

void admin_misused(struct admin_request *request, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    refuse_with(request, ADMIN_USAGE, fmt, args);
    va_end(args);
}

void admin_database_error(struct admin_request *request)
{
    admin_refuse_now(request, "the database could not be used; the daemon's log says why");
}

void admin_finish_read(struct admin_request *request, int result)
{
    if (result < 0)
        admin_database_error(request);
    else
        admin_finish(request);
}

int admin_id_argument(struct admin_request *request, size_t index, int64_t *id_out)
{
    const char *text = request->argv[index];
    size_t len = strlen(text);
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len) {
        admin_misused(request, "\"%s\" is not an id; expected a number", text);
        return -1;
    }
    *id_out = strtoll(text, NULL, 10);
    return 1;
}

int admin_number_option(struct admin_request *request, const char *name, int64_t most, int64_t *number_out)
{
    const char *text = admin_option(request, name);
    if (!text)
        return 1;
    size_t len = strlen(text);
    int64_t number = len > 0 && len < 19 && strspn(text, "0123456789") == len ? strtoll(text, NULL, 10) : 0;
    if (number < 1 || number > most) {
        admin_misused(request, "%s takes a number from 1 to %" PRId64, name, most);
        return -1;
    }
    *number_out = number;
    return 1;
}

int admin_part_option(struct admin_request *request, const char *name, char **part_out)
{
    const char *text = admin_option(request, name);
    *part_out = NULL;
    if (!text)
        return 1;
    if (!text[0] || strlen(text) > PART_MAX) {
        admin_misused(request, "%s takes a part of a name, 1 to %d bytes", name, PART_MAX);
        return -1;
    }
    *part_out = xstrdup(text);
    for (char *c = *part_out; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return 1;
}

int64_t admin_now(const struct admin_request *request)
{
    return clock_wall_ms(gateway_parts(request->gateway)->clock);
}

struct store_db *admin_reader(const struct admin_request *request)
{
    return store_reader(gateway_parts(request->gateway)->store);
}
