/* ctl_completion.c - see ctl_completion.h */
#include "gateway/ctl_completion.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "gateway/admin_command.h"
#include "gateway/ctl_client.h"

enum { TOKENS_MAX = 64, TOKEN_MAX = 160, TEXT_MAX = 4096, PATIENCE_S = 1, SEEN_MAX = 64 * 1024 };

struct completion {
    struct ctl ctl; /* with the options of the words */
    int count;      /* of words before the last */
    char **words;   /* behind the options of the program */
    const char *last;
    struct strbuf seen; /* what was printed, "\n" around each */
};

/* A line of usage, token by token. */
struct usage {
    char text[TEXT_MAX];
    char *tokens[TOKENS_MAX];
    int count, leading; /* the words that are the command itself */
};

static void offer(struct completion *completion, const char *word)
{
    struct strbuf framed;
    if (strncmp(word, completion->last, strlen(completion->last)) != 0 || strpbrk(word, "\r\n"))
        return;
    strbuf_init(&framed, TEXT_MAX);
    strbuf_add_fmt(&framed, "\n%s\n", word);
    if (strbuf_ok(&framed) && !strstr(completion->seen.data, framed.data)) {
        puts(word);
        strbuf_add(&completion->seen, framed.data, framed.len);
    }
    strbuf_free(&framed);
}

static bool is_literal(const char *text, size_t len)
{
    return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len && text[0] != '-';
}

static void read_usage(const char *line, struct usage *usage)
{
    char *rest = usage->text;
    snprintf(usage->text, sizeof usage->text, "%s", line);
    usage->count = usage->leading = 0;
    for (char *token; usage->count < TOKENS_MAX && (token = strsep(&rest, " "));)
        if (token[0] && strcmp(token, "|") != 0)
            usage->tokens[usage->count++] = token;
    while (usage->leading < usage->count &&
           is_literal(usage->tokens[usage->leading], strlen(usage->tokens[usage->leading])))
        usage->leading++;
}

/* The daemon's names. */

static const struct source {
    const char *verb; /* NULL: whatever the verb is */
    const char *word; /* as usage has it */
    const char *ask[5];
    const char *list, *key;
} sources[] = {
    { NULL, "ALIAS", { "member", "list", "--limit", "1000" }, "members", "alias" },
    { NULL, "MEMBER", { "member", "list", "--limit", "1000" }, "members", "alias" },
    { NULL, "GID", { "group", "list" }, "groups", "gid" },
    { "mapping", "ID", { "mapping", "list", "--limit", "200" }, "mappings", "id" },
    { "held", "ID", { "held", "list", "--limit", "200" }, "held", "id" },
    { "queue", "ID", { "queue", "list", "--limit", "200" }, "queue", "id" },
    { "why", "ID", { "queue", "list", "--limit", "200" }, "queue", "id" },
    { "admin", "NAME", { "admin", "list" }, "accounts", "name" },
};

/* What an act may be done to. */
static const struct {
    const char *sub, *state;
} acts[] = { { "approve", "requested" },
             { "deny", "requested" },
             { "suspend", "approved" },
             { "resume", "suspended" },
             { "revoke", "approved" } };

static int add_state(const struct completion *completion, const char **words, int count)
{
    for (size_t i = 0; i < sizeof acts / sizeof acts[0] && completion->count > 1; i++) {
        if (strcmp(words[0], "mapping") != 0 || strcmp(completion->words[1], acts[i].sub) != 0)
            continue;
        words[count++] = "--state";
        words[count++] = acts[i].state;
    }
    return count;
}

static void offer_value(struct completion *completion, const json_t *value)
{
    char number[32];
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_string(value) || json_is_integer(value))
        offer(completion, json_is_string(value) ? json_string_value(value) : number);
}

static void ask(struct completion *completion, const struct source *source)
{
    const char *words[8] = { "" };
    struct ctl_answer answer;
    int count = 0;
    size_t i;
    json_t *row;
    for (; count < 4 && source->ask[count]; count++)
        words[count] = source->ask[count];
    count = add_state(completion, words, count);
    alarm(PATIENCE_S); /* nobody waits longer for a list that they may not want */
    if (ctl_client_call(&completion->ctl, true, count, words, NULL, &answer) == 1 && answer.exit == CTL_OK) {
        json_t *page = json_loads(answer.out, 0, NULL);
        json_array_foreach(json_object_get(page, source->list), i, row)
            offer_value(completion, json_object_get(row, source->key));
        json_decref(page);
    }
    alarm(0);
    ctl_answer_clear(&answer);
}

/* What one word of a usage line stands for: "in", "ID", "FILE". */
static void offer_meaning(struct completion *completion, const char *verb, const char *word)
{
    if (is_literal(word, strlen(word))) {
        offer(completion, word);
        return;
    }
    if (strcmp(word, "FILE") == 0)
        puts("/");
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(sources[i].word, word) == 0 && (!sources[i].verb || strcmp(sources[i].verb, verb) == 0))
            ask(completion, &sources[i]);
}

/* "in|out|both]", "[debug|info]", "ALIAS|GID|all" */
static void offer_token(struct completion *completion, const char *verb, const char *token)
{
    char text[TOKEN_MAX], *rest = text, *word;
    snprintf(text, sizeof text, "%s", token);
    while ((word = strsep(&rest, "|"))) {
        word += strspn(word, "[");
        word[strcspn(word, "]")] = 0;
        offer_meaning(completion, verb, word);
    }
}

/* Lines of usage. */

static bool is_option(const char *token)
{
    return strncmp(token, "[--", 3) == 0 || strncmp(token, "--", 2) == 0;
}

/* The token's name, without what stands around it. */
static const char *option_name(const char *token, char out[static TOKEN_MAX])
{
    snprintf(out, TOKEN_MAX, "%s", token + (token[0] == '['));
    out[strcspn(out, "]")] = 0;
    return out;
}

/* The option's token; -1: there is none of that name. */
static int find_option(const struct usage *usage, const char *name)
{
    char text[TOKEN_MAX];
    for (int i = usage->leading; i < usage->count; i++)
        if (is_option(usage->tokens[i]) && strcmp(option_name(usage->tokens[i], text), name) == 0)
            return i;
    return -1;
}

static bool has_value(const struct usage *usage, int option)
{
    const char *token = usage->tokens[option];
    return token[strlen(token) - 1] != ']' && option + 1 < usage->count;
}

static bool was_said(const struct completion *completion, const char *name)
{
    for (int i = 0; i < completion->count; i++)
        if (strcmp(completion->words[i], name) == 0)
            return true;
    return false;
}

static void offer_options(struct completion *completion, const struct usage *usage)
{
    char name[TOKEN_MAX];
    for (int i = usage->leading; i < usage->count; i++)
        if (is_option(usage->tokens[i]) && !was_said(completion, option_name(usage->tokens[i], name)))
            offer(completion, name);
}

/* The nth word that is no option nor its value. */
static const char *find_argument(const struct usage *usage, int wanted)
{
    for (int i = usage->leading; i < usage->count; i++) {
        if (is_option(usage->tokens[i]))
            i += has_value(usage, i);
        else if (wanted-- == 0)
            return usage->tokens[i];
    }
    return NULL;
}

static void complete_command(struct completion *completion, const struct usage *usage)
{
    const char *verb = completion->words[0];
    int arguments = 0, option = -1;
    for (int i = usage->leading; i < completion->count; i++) {
        option = find_option(usage, completion->words[i]);
        if (option < 0)
            arguments++;
        else if (!has_value(usage, option))
            option = -1;
        else if (i + 1 < completion->count) {
            option = -1;
            i++;
        }
    }
    if (option >= 0) {
        offer_token(completion, verb, usage->tokens[option + 1]);
        return;
    }
    const char *argument = find_argument(usage, arguments);
    if (argument && strncmp(completion->last, "-", 1) != 0)
        offer_token(completion, verb, argument);
    if (!argument || completion->last[0] == '-')
        offer_options(completion, usage);
}

/* How much of the command's own words was said. -1: it is another. */
static int match(const struct completion *completion, const struct usage *usage)
{
    int said = completion->count < usage->leading ? completion->count : usage->leading;
    for (int i = 0; i < said; i++)
        if (strcmp(completion->words[i], usage->tokens[i]) != 0)
            return -1;
    return said;
}

static bool consider(struct completion *completion, const char *line)
{
    struct usage usage = { .count = 0 };
    read_usage(line, &usage);
    int said = match(completion, &usage);
    if (said < 0)
        return false;
    if (said < usage.leading) {
        offer(completion, usage.tokens[said]);
        return false;
    }
    complete_command(completion, &usage);
    return true;
}

/* posternctl's own go before the daemon's of the same words. */
static void complete(struct completion *completion, const struct ctl_local *locals)
{
    for (; locals->verb; locals++)
        if (consider(completion, locals->usage))
            return;
    for (size_t i = 0; admin_usage(i); i++)
        if (consider(completion, admin_usage(i)))
            return;
}

/* The options of the program itself. Whether it is one of them that is being typed. */
static bool take_options(struct completion *completion)
{
    while (completion->count > 0 && completion->words[0][0] == '-') {
        const char *option = completion->words[0];
        bool has_file = strcmp(option, "-c") == 0 || strcmp(option, "-s") == 0;
        if (has_file && completion->count == 1) {
            puts("/");
            return true;
        }
        bool takes_value = has_file || (strcmp(option, "-t") == 0 && completion->count > 1);
        if (has_file)
            *(option[1] == 'c' ? &completion->ctl.config_file : &completion->ctl.socket_path) = completion->words[1];
        completion->words += 1 + takes_value;
        completion->count -= 1 + takes_value;
    }
    if (completion->count > 0 || completion->last[0] != '-')
        return false;
    static const char *const options[] = { "-c", "-s", "-t", "--json", "--help" };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        offer(completion, options[i]);
    return true;
}

int ctl_completion(const struct ctl *ctl, int argc, char **argv)
{
    struct completion completion = { .ctl = *ctl };
    if (argc < 3 || strcmp(argv[1], "--") != 0) {
        fputs("usage: posternctl " CTL_COMPLETION_USAGE "\n", stderr);
        return CTL_USAGE;
    }
    completion.words = argv + 2;
    completion.count = argc - 3;
    completion.last = argv[argc - 1];
    strbuf_init(&completion.seen, SEEN_MAX);
    strbuf_add_char(&completion.seen, '\n');
    if (!take_options(&completion))
        complete(&completion, ctl->locals);
    strbuf_free(&completion.seen);
    return CTL_OK;
}
