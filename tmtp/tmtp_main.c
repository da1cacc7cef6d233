/* tmtp_main.c - the `tmtp` program: a member's command line, and the embedded silo */
#include "tmtp/tmtp_main.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

enum option_id { /* values of getopt_long(), and bits of `known` and `needed` below */
                 OPT_ACCOUNT,
                 OPT_SILO,
                 OPT_ALIAS,
                 OPT_TO,
                 OPT_THREAD,
                 OPT_SUBJECT,
                 OPT_ATTACH,
                 OPT_LISTEN,
                 OPT_STATE,
                 OPT_NAME,
                 OPT_WAIT,
                 OPT_COUNT,
                 OPT_SAVE,
                 OPT_MESSAGES,
                 OPT_CONFIRM,
                 OPT_JSON,
                 OPT_DEBUG,
                 OPT_HELP,
};
#define BIT(option) (1U << OPT_##option)

static const struct option options_table[] = {
    { "account", required_argument, NULL, OPT_ACCOUNT },
    { "silo", required_argument, NULL, OPT_SILO },
    { "alias", required_argument, NULL, OPT_ALIAS },
    { "to", required_argument, NULL, OPT_TO },
    { "thread", required_argument, NULL, OPT_THREAD },
    { "subject", required_argument, NULL, OPT_SUBJECT },
    { "attach", required_argument, NULL, OPT_ATTACH },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "state", required_argument, NULL, OPT_STATE },
    { "name", required_argument, NULL, OPT_NAME },
    { "wait", required_argument, NULL, OPT_WAIT },
    { "count", required_argument, NULL, OPT_COUNT },
    { "save", required_argument, NULL, OPT_SAVE },
    { "messages", required_argument, NULL, OPT_MESSAGES },
    { "confirm", no_argument, NULL, OPT_CONFIRM },
    { "json", no_argument, NULL, OPT_JSON },
    { "debug", no_argument, NULL, OPT_DEBUG },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static const struct verb {
    const char *name;
    main_verb *run;
    unsigned needed, known; /* options that must and that may be given */
    size_t arguments_min, arguments_max;
    const char *usage;
} verbs[] = {
    { "silo", main_silo, BIT(LISTEN) | BIT(STATE), BIT(NAME), 0, 0, "--listen ADDRESS:PORT --state DIR [--name NAME]" },
    { "register", main_register, BIT(SILO) | BIT(ALIAS) | BIT(ACCOUNT), 0, 0, 0,
      "--silo =HOST:PORT --alias ALIAS --account FILE" },
    { "alias", main_alias, BIT(ACCOUNT), 0, 1, 1, "--account FILE NEWALIAS" },
    { "ping", main_ping, BIT(ACCOUNT) | BIT(TO), 0, 1, 1, "--account FILE --to ALIAS TEXT" },
    { "post", main_post, BIT(ACCOUNT), BIT(THREAD) | BIT(SUBJECT) | BIT(TO) | BIT(ATTACH), 0, 1,
      "--account FILE [--thread ID] [--subject S] --to ALIAS|UID|GID ... [--attach FILE ...] [BODY | -]" },
    { "receive", main_receive, BIT(ACCOUNT), BIT(WAIT) | BIT(COUNT) | BIT(SAVE), 0, 0,
      "--account FILE [--wait SECONDS] [--count N] [--save DIR]" },
    { "forward", main_forward, BIT(ACCOUNT) | BIT(THREAD) | BIT(TO) | BIT(MESSAGES), BIT(CONFIRM), 0, 0,
      "--account FILE --thread ID --to ALIAS|UID|GID ... --messages FILE [--confirm]" },
    { "confirm", main_confirm, BIT(ACCOUNT) | BIT(THREAD) | BIT(TO) | BIT(MESSAGES), 0, 0, 0,
      "--account FILE --thread ID --to ALIAS|UID|GID ... --messages FILE" },
    { "group", main_group, BIT(ACCOUNT), 0, 2, 4,
      "--account FILE invite GID ALIAS [TEXT] | join GID | drop GID ALIAS" },
};

enum question { QUESTION_NONE, QUESTION_HELP, QUESTION_VERSION };

void main_complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("tmtp: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static void print_usage(FILE *out)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "%s tmtp %-8s %s\n", i == 0 ? "usage:" : "      ", verbs[i].name, verbs[i].usage);
    fputs("Each takes --json (one JSON object a line), --debug (log to standard error) and --help. tmtp -V tells the "
          "version.\n"
          "Exit status: 0 done, 1 refused, 2 wrong usage, 69 silo not reachable.\n",
          out);
}

static enum main_exit wrong_usage(const struct verb *verb)
{
    fprintf(stderr, "usage: tmtp %s %s\n", verb->name, verb->usage);
    return MAIN_USAGE;
}

/* A whole number from 0 to max; false when the text is something else. */
static bool read_number(const char *text, int64_t max, int64_t *number_out)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *number_out = number;
    return errno == 0 && end != text && *end == '\0' && number >= 0 && number <= max;
}

static bool add_to_list(const char **list, size_t *count, const char *text)
{
    if (*count == MAIN_LIST_MAX)
        return false;
    list[(*count)++] = text;
    return true;
}

/* False when the value makes no sense. */
static bool take_option(struct main_options *options, enum option_id option, const char *value)
{
    enum { WAIT_MAX_S = 365 * 24 * 3600 };
    const char **const texts[] = {
        [OPT_ACCOUNT] = &options->account,   [OPT_SILO] = &options->silo,       [OPT_ALIAS] = &options->alias,
        [OPT_THREAD] = &options->thread,     [OPT_SUBJECT] = &options->subject, [OPT_LISTEN] = &options->listen,
        [OPT_STATE] = &options->state,       [OPT_NAME] = &options->name,       [OPT_SAVE] = &options->save,
        [OPT_MESSAGES] = &options->messages,
    };
    if (option == OPT_TO)
        return add_to_list(options->to, &options->to_count, value);
    if (option == OPT_ATTACH)
        return add_to_list(options->attach, &options->attach_count, value);
    if (option == OPT_COUNT)
        return read_number(value, INT32_MAX, &options->count);
    if (option == OPT_WAIT) {
        bool fine = read_number(value, WAIT_MAX_S, &options->wait_ms);
        options->wait_ms *= 1000;
        return fine;
    }
    bool *const flags[] = {
        [OPT_CONFIRM] = &options->confirm, [OPT_JSON] = &options->json, [OPT_DEBUG] = &options->debug
    };
    if (value == NULL)
        *flags[option] = true;
    else
        *texts[option] = value;
    return true;
}

static const char *option_name(enum option_id option)
{
    return options_table[option].name;
}

/* MAIN_DONE when the verb can be run. */
static enum main_exit parse(const struct verb *verb, int argc, char **argv, struct main_options *options_out)
{
    unsigned given = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options_table, NULL)) != -1) {
        if (option == '?')
            return wrong_usage(verb);
        unsigned bit = 1U << option;
        if ((bit & (verb->needed | verb->known | BIT(JSON) | BIT(DEBUG))) == 0) {
            main_complain("--%s is no option of '%s'", option_name((enum option_id)option), verb->name);
            return wrong_usage(verb);
        }
        if (!take_option(options_out, (enum option_id)option, optarg)) {
            main_complain("--%s: '%s' will not do", option_name((enum option_id)option), optarg);
            return wrong_usage(verb);
        }
        given |= bit;
    }
    for (unsigned o = 0; o < OPT_HELP; o++) {
        if ((verb->needed & ~given & 1U << o) != 0) {
            main_complain("'%s' needs --%s", verb->name, option_name((enum option_id)o));
            return wrong_usage(verb);
        }
    }
    options_out->arguments = argv + optind;
    options_out->argument_count = (size_t)(argc - optind);
    if (options_out->argument_count < verb->arguments_min || options_out->argument_count > verb->arguments_max) {
        main_complain("'%s' got %zu arguments", verb->name, options_out->argument_count);
        return wrong_usage(verb);
    }
    return MAIN_DONE;
}

/* --help counts anywhere; a short one only where no option's value can be: first, and behind the verb. */
static enum question find_question(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || (i <= 2 && strcmp(argv[i], "-h") == 0))
            return QUESTION_HELP;
        if (i == 1 && (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0))
            return QUESTION_VERSION;
    }
    return QUESTION_NONE;
}

/* A member reads what main_complain() says; the log is for the silo, and for whoever asks for it. */
static void drop_line(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(int argc, char **argv)
{
    const struct verb *verb = NULL;
    file_open_standard_streams();
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, argv[1]) == 0)
            verb = &verbs[i];
    }
    enum question question = find_question(argc, argv);
    if (question == QUESTION_HELP)
        print_usage(stdout);
    if (question == QUESTION_VERSION)
        puts("tmtp " POSTERN_VERSION);
    if (question != QUESTION_NONE)
        return MAIN_DONE;
    if (verb == NULL) {
        if (argc > 1)
            main_complain("no such command: %s", argv[1]);
        print_usage(stderr);
        return MAIN_USAGE;
    }
    char program[] = "tmtp"; /* getopt_long() begins its messages with it */
    argv[1] = program;
    struct main_options options = { 0 };
    enum main_exit code = parse(verb, argc - 1, argv + 1, &options);
    if (code != MAIN_DONE)
        return code;
    log_set_level(options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    if (!options.debug && verb->run != main_silo)
        log_set_sink(drop_line, NULL);
    return verb->run(&options);
}
