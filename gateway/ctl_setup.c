/* ctl_setup.c - what posternctl setup asks, and in which order; see ctl_setup.h
 *
 * A question is a row of a table. Each has an option for its answer, so that nobody need be there; what has neither an answer nor a preset is
 * named at the end, all at once.
 */
#include "gateway/ctl_setup.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/admin_web.h"
#include "gateway/config.h"
#include "gateway/config_edit.h"
#include "gateway/ctl_terminal.h"
#include "gateway/silo_probe.h"

enum {
    SILO_MS = 6000,
    VALUE_MAX = 5000,
    LMTP_PORT = 2424,
    SOCKETMAP_PORT = 2527,
    WEB_PORT = 8025,
    SELECTOR_MAX = 60,
    FILE_MAX = 1024 * 1024
};

struct question {
    const char *option; /* without "--" */
    const char *text, *why;
    size_t offset;             /* of the answer in struct ctl_setup */
    struct config_place place; /* by whose rules it is checked; key NULL: none */
    bool may_be_none;
    bool is_quiet;                                               /* never asked: an option, or the preset */
    char *(*guess)(const struct ctl_setup *setup);               /* NULL result: there is none */
    char *(*check)(struct ctl_setup *setup, const char *answer); /* NULL: good; else what is wrong, the caller's */
};

static char **answer_of(struct ctl_setup *setup, const struct question *question)
{
    return (char **)(void *)((char *)setup + question->offset);
}

/* ---- presets ---- */

static char *guess_hostname(const struct ctl_setup *setup)
{
    (void)setup;
    return setup_guess_hostname();
}

static char *guess_alias(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup("Email Gateway");
}

static char *guess_mail(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup(setup_has_postfix() ? "postfix" : "direct");
}

static char *guess_listen(const struct ctl_setup *setup)
{
    return strcmp(setup->answers.mail, "postfix") == 0 ? setup_free_address(LMTP_PORT, NULL) : xstrdup("[::]:25");
}

static char *guess_relay(const struct ctl_setup *setup)
{
    (void)setup;
    return setup_has_postfix() ? xstrdup("smtp://127.0.0.1:25") : NULL;
}

static char *guess_none(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup("");
}

static char *guess_dkim(const struct ctl_setup *setup)
{
    return xstrdup(setup->before ? "" : "postern");
}

static char *guess_user(const struct ctl_setup *setup)
{
    return xstrdup(geteuid() == 0 && !setup->before ? "postern" : "");
}

static char *guess_state_dir(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup("/var/lib/postern");
}

static char *guess_socket(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup("/run/postern/control");
}

static char *guess_resolver(const struct ctl_setup *setup)
{
    (void)setup;
    return xstrdup("system");
}

/* Postfix has not stood in front until now. */
static bool gets_postfix(const struct ctl_setup *setup)
{
    return strcmp(setup->answers.mail, "postfix") == 0 && (!setup->before || !setup->before->listeners[0].lmtp);
}

static char *guess_socketmap(const struct ctl_setup *setup)
{
    bool is_new = gets_postfix(setup);
    return is_new ? setup_free_address(SOCKETMAP_PORT, setup->answers.listen) : xstrdup("");
}

static char *guess_policy(const struct ctl_setup *setup)
{
    bool is_new = gets_postfix(setup);
    return is_new ? setup_free_address(SOCKETMAP_PORT + 1, setup->answers.socketmap) : xstrdup("");
}

/* Beside the configuration. */
static char *beside(const struct ctl_setup *setup, const char *name)
{
    const char *file = setup->ctl->config_file, *slash = strrchr(file, '/');
    struct strbuf path;
    strbuf_init(&path, VALUE_MAX);
    char *here = file[0] == '/' ? NULL : getcwd(NULL, 0); /* the daemon is elsewhere */
    if (here)
        strbuf_add_fmt(&path, "%s/", here);
    free(here);
    strbuf_add(&path, file, slash ? (size_t)(slash - file) + 1 : 0);
    strbuf_add_str(&path, name);
    return strbuf_detach(&path);
}

/* A listener that has been without stays so. */
static bool wants_certificate(const struct ctl_setup *setup)
{
    return strcmp(setup->answers.mail, "direct") == 0 && (!setup->before || setup->before->listeners[0].lmtp);
}

static char *guess_certificate(const struct ctl_setup *setup)
{
    return wants_certificate(setup) ? beside(setup, "tls.crt") : xstrdup("");
}

static char *guess_key(const struct ctl_setup *setup)
{
    return wants_certificate(setup) ? beside(setup, "tls.key") : xstrdup("");
}

static char *guess_dkim_key(const struct ctl_setup *setup)
{
    struct strbuf name;
    if (!*setup->answers.dkim)
        return xstrdup("");
    strbuf_init(&name, VALUE_MAX);
    strbuf_add_fmt(&name, "dkim-%s.pem", setup->answers.dkim);
    char *path = beside(setup, name.data);
    strbuf_free(&name);
    return path;
}

static char *guess_admin_http(const struct ctl_setup *setup)
{
    return setup->web_admin && *setup->web_admin ? setup_free_address(WEB_PORT, NULL) : xstrdup("");
}

/* ---- checks of their own ---- */

static char *check_domain(struct ctl_setup *setup, const char *answer)
{
    (void)setup;
    if (!strchr(answer, '.'))
        return strbuf_text(VALUE_MAX, "\"%s\" has no dot; expected a whole name such as silo.example.org", answer);
    return answer[strlen(answer) - 1] == '.' ? strbuf_text(VALUE_MAX, "leave out the dot at the end of \"%s\"", answer)
                                             : NULL;
}

static char *check_mail(struct ctl_setup *setup, const char *answer)
{
    (void)setup;
    return strcmp(answer, "postfix") == 0 || strcmp(answer, "direct") == 0
               ? NULL
               : strbuf_text(VALUE_MAX, "\"%s\" is neither postfix nor direct", answer);
}

static char *check_listen(struct ctl_setup *setup, const char *answer)
{
    const bool is_ours = setup->before && strcmp(setup->before->listeners[0].address, answer) == 0;
    return is_ours || setup_is_free(answer) ? NULL : strbuf_text(VALUE_MAX, "%s is in use by another program", answer);
}

static char *check_selector(struct ctl_setup *setup, const char *answer)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    (void)setup;
    size_t len = strlen(answer);
    return len <= SELECTOR_MAX && strspn(answer, allowed) == len && (len == 0 || (answer[0] != '.' && answer[0] != '-'))
               ? NULL
               : strbuf_text(VALUE_MAX, "\"%s\" is no selector; expected letters, digits and dashes", answer);
}

static char *check_user_name(struct ctl_setup *setup, const char *answer)
{
    (void)setup;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t len = strlen(answer);
    return strspn(answer, allowed) == len && len <= 32 ? NULL
                                                       : strbuf_text(VALUE_MAX, "\"%s\" is no name of a user", answer);
}

static char *check_web_name(struct ctl_setup *setup, const char *answer)
{
    (void)setup;
    return admin_web_is_name(answer) ? NULL : strbuf_text(VALUE_MAX, "%s", admin_web_name_rule);
}

/* openssl(1) writes capitals, and colons between the octets. */
static char *check_pin(struct ctl_setup *setup, const char *answer)
{
    const struct config_place place = { "silo", NULL, "pin" };
    const size_t prefix = sizeof "sha256:" - 1;
    struct strbuf value;
    char *to = setup->pin;
    for (const char *at = answer; *at; at++)
        if (*at != ':' || (size_t)(at - answer) < prefix)
            *to++ = (char)tolower((unsigned char)*at);
    *to = 0;
    strbuf_init(&value, VALUE_MAX);
    config_edit_add_quoted(&value, setup->pin);
    char *problem = setup_check_value(&place, value.data);
    strbuf_free(&value);
    return problem;
}

static bool is_known_silo(const struct ctl_setup *setup, const char *address)
{
    return setup->before && strcmp(setup->before->silo.address, address) == 0;
}

/* With a pin on the command line nobody need compare. Whoever takes presets takes the certificate that is met, and is told. */
static char *compare_pin(struct ctl_setup *setup, const char *seen)
{
    const bool is_given = setup->pin && *setup->pin;
    if (is_given && strcmp(setup->pin, seen) != 0)
        return strbuf_text(VALUE_MAX, "the silo's certificate is %s, and not the one that --silo-pin says", seen);
    if (is_given)
        return NULL;
    fprintf(stderr, "  Its certificate is signed by nobody we know. Its fingerprint:\n  %s\n", seen);
    if (setup->is_interactive) {
        int answer = ctl_ask_yes("  Compare it with what the silo's operator says. Is it the same?");
        if (answer != 1)
            return strbuf_text(VALUE_MAX, "then it may be somebody else who answers there; nobody is told anything");
    } else {
        fputs("  It is taken for the silo's from now on. Compare it with what the silo's operator says.\n", stderr);
    }
    free(setup->pin);
    setup->pin = xstrdup(seen);
    return NULL;
}

static char *judge_silo(struct ctl_setup *setup, const char *address, const struct silo_probe *probe)
{
    if (probe->is_silo) {
        fprintf(stderr, "  A silo answers at %s.\n", address);
        const bool is_to_compare = address[0] == '=' && (!is_known_silo(setup, address) || (setup->pin && *setup->pin));
        return is_to_compare ? compare_pin(setup, probe->pin) : NULL;
    }
    struct strbuf why; /* perhaps in a stranger's words */
    strbuf_init(&why, VALUE_MAX);
    (void)admin_output_add_clean(&why, probe->error, strlen(probe->error), false);
    fprintf(stderr, "  No silo answers there now: %s\n", why.data);
    strbuf_free(&why);
    if (setup->is_interactive && ctl_ask_yes("  Use this address nevertheless? The daemon keeps trying.") != 1)
        return strbuf_text(VALUE_MAX, "then another one");
    return NULL;
}

static char *check_silo(struct ctl_setup *setup, const char *answer)
{
    struct silo_probe probe;
    const char *ca_file = setup->before ? setup->before->silo.ca_file : NULL;
    silo_probe_apart(setup->before, answer, ca_file, SILO_MS, &probe);
    char *problem = judge_silo(setup, answer, &probe);
    silo_probe_clear(&probe);
    return problem;
}

/* ---- the questions ---- */

#define ANSWER(field) offsetof(struct ctl_setup, answers.field)

static const struct question questions[] = {
    { "domain",
      "Domain",
      "Members get addresses at this domain. Its mail must come to this machine.",
      ANSWER(domain),
      { NULL, NULL, "domain" },
      false,
      false,
      NULL,
      check_domain },
    { "hostname",
      "Name of this machine",
      "How it introduces itself to other mail servers; its address must have this name.",
      ANSWER(hostname),
      { NULL, NULL, "hostname" },
      false,
      false,
      guess_hostname,
      check_domain },
    { "silo-pin",
      NULL,
      NULL,
      offsetof(struct ctl_setup, pin),
      { NULL, NULL, NULL },
      true,
      true,
      guess_none,
      check_pin },
    { "silo",
      "Silo",
      "As its operator names it: +HOST:PORT (certificate signed by an authority) or =HOST:PORT.",
      ANSWER(silo),
      { "silo", NULL, "address" },
      false,
      false,
      NULL,
      check_silo },
    { "alias",
      "Alias of the gateway",
      "Under this name members see the gateway in the silo, and talk to it.",
      ANSWER(alias),
      { "silo", NULL, "alias" },
      false,
      false,
      guess_alias,
      NULL },
    { "mail",
      "How mail comes in (postfix or direct)",
      "postfix: a Postfix on this machine hands it on; direct: other mail servers connect to Postern.",
      ANSWER(mail),
      { NULL, NULL, NULL },
      false,
      false,
      guess_mail,
      check_mail },
    { "listen",
      "Address to listen on",
      "Where Postern takes mail: with Postfix in front on this machine only, else port 25.",
      ANSWER(listen),
      { "listen", "mx", "address" },
      false,
      false,
      guess_listen,
      check_listen },
    { "relay",
      "Relay",
      "Who delivers what members write: smtp://HOST:PORT, smtps://HOST, lmtp://... or maildir:FOLDER to try things.",
      ANSWER(relay),
      { "relay", NULL, "url" },
      false,
      false,
      guess_relay,
      NULL },
    { "dkim",
      "DKIM selector, or none",
      "Signs mail, so that others can see that it is from your domain; none if the relay does that.",
      ANSWER(dkim),
      { NULL, NULL, NULL },
      true,
      false,
      guess_dkim,
      check_selector },
    { "first-admin-alias",
      "Alias of an administrator in the silo, or none",
      "Who may approve in the silo, by words to the gateway: everything else is done with posternctl.",
      ANSWER(first_admin),
      { NULL, NULL, NULL },
      true,
      false,
      guess_none,
      NULL },
    { "admin",
      "Name for the web page, or none",
      "Makes an account for an administrator in a browser on this machine; posternctl admin add makes more.",
      offsetof(struct ctl_setup, web_admin),
      { NULL, NULL, NULL },
      true,
      false,
      guess_none,
      check_web_name },
    { "admin-http", NULL, NULL, ANSWER(admin_http), { "admin", NULL, "http" }, true, true, guess_admin_http, NULL },
    { "user", NULL, NULL, ANSWER(user), { NULL, NULL, NULL }, true, true, guess_user, check_user_name },
    { "state-dir", NULL, NULL, ANSWER(state_dir), { NULL, NULL, "state_dir" }, false, true, guess_state_dir, NULL },
    { "socket", NULL, NULL, ANSWER(socket), { "admin", NULL, "socket" }, false, true, guess_socket, NULL },
    { "resolver", NULL, NULL, ANSWER(resolver), { NULL, NULL, NULL }, false, true, guess_resolver, NULL },
    { "certificate", NULL, NULL, ANSWER(certificate), { NULL, NULL, NULL }, true, true, guess_certificate, NULL },
    { "key", NULL, NULL, ANSWER(key), { NULL, NULL, NULL }, true, true, guess_key, NULL },
    { "dkim-key", NULL, NULL, ANSWER(dkim_key), { NULL, NULL, NULL }, true, true, guess_dkim_key, NULL },
    { "socketmap", NULL, NULL, ANSWER(socketmap), { "postfix", NULL, "socketmap" }, true, true, guess_socketmap, NULL },
    { "policy", NULL, NULL, ANSWER(policy), { "postfix", NULL, "policy" }, true, true, guess_policy, NULL },
};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

/* NULL: it is good. */
static char *check(struct ctl_setup *setup, const struct question *question, const char *answer)
{
    struct strbuf value;
    char *problem = NULL;
    if (!*answer)
        return question->may_be_none ? NULL : strbuf_text(VALUE_MAX, "an answer is needed");
    if (question->place.key) {
        strbuf_init(&value, VALUE_MAX);
        config_edit_add_quoted(&value, answer);
        problem = setup_check_value(&question->place, value.data);
        strbuf_free(&value);
    }
    return problem || !question->check ? problem : question->check(setup, answer);
}

/* Where mail came in another way there was nothing to listen on for this one: port 25 is not for LMTP. */
static bool is_of_another_way(const struct ctl_setup *setup, const struct question *question,
                              const struct setup_answers *before)
{
    return strcmp(question->option, "listen") == 0 && strcmp(before->mail, setup->answers.mail) != 0;
}

/* What is there already, else a guess. */
static char *preset_of(struct ctl_setup *setup, const struct question *question, const struct setup_answers *before)
{
    const size_t begin = offsetof(struct ctl_setup, answers);
    if (setup->before && question->offset >= begin && question->offset < begin + sizeof setup->answers) {
        const char *was = *(char *const *)(const void *)((const char *)before +
                                                         (question->offset - offsetof(struct ctl_setup, answers)));
        if (was && *was && !is_of_another_way(setup, question, before))
            return xstrdup(was);
    }
    return question->guess ? question->guess(setup) : NULL;
}

static void show_problem(const struct question *question, const char *problem)
{
    fprintf(stderr, "posternctl: --%s: %s\n", question->option, problem);
}

/* Asks until the answer is good. -1: nobody answers any more. */
static int ask(struct ctl_setup *setup, const struct question *question, const char *preset)
{
    const char *shown = preset && !*preset && question->may_be_none ? "none" : preset;
    fprintf(stderr, "\n%s\n", question->why);
    for (;;) {
        char *answer = ctl_ask_line(question->text, shown);
        if (!answer)
            return -1;
        if (question->may_be_none && strcmp(answer, "none") == 0)
            *answer = 0;
        char *problem = check(setup, question, answer);
        if (!problem) {
            *answer_of(setup, question) = answer;
            return 1;
        }
        fprintf(stderr, "  That won't do: %s\n", problem);
        free(problem);
        free(answer);
    }
}

/* 1; 0 there is no answer; -1 a bad one, or nobody answers. */
static int settle(struct ctl_setup *setup, const struct question *question, const struct setup_answers *before)
{
    char **answer = answer_of(setup, question), *problem;
    if (!*answer) {
        char *preset = preset_of(setup, question, before);
        if (setup->is_interactive && !question->is_quiet) {
            int asked = ask(setup, question, preset);
            free(preset);
            return asked;
        }
        *answer = preset;
        if (!preset)
            return 0;
    } else if (question->may_be_none && strcmp(*answer, "none") == 0) {
        **answer = 0;
    }
    if (!(problem = check(setup, question, *answer)))
        return 1;
    show_problem(question, problem);
    free(problem);
    return -1;
}

static int settle_all(struct ctl_setup *setup)
{
    struct setup_answers before = { NULL };
    struct strbuf missing;
    int result = 1;
    strbuf_init(&missing, VALUE_MAX);
    if (setup->before)
        setup_answers_take(&before, setup->before);
    for (size_t i = 0; i < QUESTIONS && result >= 0; i++) {
        int settled = settle(setup, &questions[i], &before);
        if (settled == 0)
            strbuf_add_fmt(&missing, " --%s", questions[i].option);
        result = settled < 0 ? -1 : settled == 0 ? 0 : result;
    }
    if (result == 0)
        fprintf(stderr, "posternctl: nobody is there to be asked, and these are not given:%s\n", missing.data);
    strbuf_free(&missing);
    setup_answers_clear(&before);
    return result;
}

/* ---- the command ---- */

static int usage(FILE *to)
{
    fputs("usage: posternctl [-c FILE] setup [OPTION VALUE ...] [--yes] [--dry-run] [--no-checks] [--no-account]\n"
          "       posternctl [-c FILE] setup --dns | --postfix\n"
          "What is not given is asked; without a terminal, or with --yes, presets are taken where there are some.\n"
          "  --domain NAME             addresses of members end in it\n"
          "  --hostname NAME           of this machine\n"
          "  --silo ADDRESS            +HOST:PORT or =HOST:PORT; --silo-pin sha256:... is its fingerprint\n"
          "  --alias NAME              of the gateway in the silo\n"
          "  --mail postfix|direct     how mail comes in; --listen ADDRESS where\n"
          "  --relay URL               who delivers what members write\n"
          "  --dkim SELECTOR|none      signs mail; --dkim-key FILE\n"
          "  --first-admin-alias NAME  who may approve in the silo\n"
          "  --admin NAME              an account for the web page; --admin-password-file FILE, --admin-http ADDRESS\n"
          "  --user NAME  --state-dir FOLDER  --socket PATH  --resolver ADDRESS  --certificate FILE  --key FILE\n"
          "  --socketmap ADDRESS  --policy ADDRESS\n"
          "  --dns, --postfix          show the records, the snippet of the configuration that is there\n",
          to);
    return to == stdout ? CTL_OK : CTL_USAGE;
}

struct flags {
    bool shows_dns, shows_postfix, is_question;
};

static char **find_option(struct ctl_setup *setup, const char *name)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (strcmp(name, questions[i].option) == 0)
            return answer_of(setup, &questions[i]);
    if (strcmp(name, "admin-password-file") == 0)
        return &setup->password_file;
    return NULL;
}

/* false: bad usage. */
static bool read_options(struct ctl_setup *setup, struct flags *flags, int argc, char **argv)
{
    const struct {
        const char *name;
        bool *into;
    } switches[] = { { "--yes", &setup->says_yes },           { "--dry-run", &setup->is_dry },
                     { "--no-checks", &setup->skips_checks }, { "--no-account", &setup->skips_account },
                     { "--dns", &flags->shows_dns },          { "--postfix", &flags->shows_postfix },
                     { "--help", &flags->is_question },       { "-h", &flags->is_question } };
    for (int i = 1; i < argc; i++) {
        bool *is_on = NULL;
        for (size_t j = 0; j < sizeof switches / sizeof switches[0]; j++)
            is_on = strcmp(argv[i], switches[j].name) == 0 ? switches[j].into : is_on;
        char **value = !is_on && strncmp(argv[i], "--", 2) == 0 ? find_option(setup, argv[i] + 2) : NULL;
        if (!is_on && (!value || i + 1 == argc)) {
            fprintf(stderr, "posternctl: setup does not know \"%s\"%s\n", argv[i], value ? " without a value" : "");
            return false;
        }
        if (is_on) {
            *is_on = true;
        } else {
            free(*value);
            *value = xstrdup(argv[++i]);
        }
    }
    return true;
}

static char *read_text(const char *file)
{
    struct stat st;
    FILE *in = fopen(file, "re");
    char *text = NULL;
    if (in && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX) {
        text = xcalloc(1, (size_t)st.st_size + 1);
        text[fread(text, 1, (size_t)st.st_size, in)] = 0;
    }
    if (in)
        fclose(in);
    return text;
}

/* -1: there is one that can't be read, so nothing may be written over it. */
static int read_before(struct ctl_setup *setup)
{
    const char *file = setup->ctl->config_file;
    struct strbuf problems;
    if (access(file, F_OK) < 0 && errno == ENOENT)
        return 1;
    setup->text_before = read_text(file);
    if (!setup->text_before) {
        fprintf(stderr, "posternctl: %s can't be read: %s\n", file, strerror(errno));
        return -1;
    }
    strbuf_init(&problems, FILE_MAX);
    setup->before = config_load(file, &problems);
    if (setup->before)
        fprintf(stderr, "%s is there already: its values are the presets, and what is not asked stays as it is.\n",
                file);
    else
        fprintf(stderr, "%s%s has mistakes, so a new one will be made; the old one is kept as %s.bak.\n", problems.data,
                file, file);
    strbuf_free(&problems);
    return 1;
}

static int run(struct ctl_setup *setup, const struct flags *flags)
{
    if (read_before(setup) < 0)
        return EX_NOINPUT;
    if (flags->shows_dns || flags->shows_postfix)
        return ctl_setup_show(setup, flags->shows_postfix, flags->shows_dns);
    int settled = settle_all(setup);
    if (settled < 1) {
        fputs("Nothing was changed.\n", stderr);
        return settled == 0 ? CTL_USAGE : CTL_REFUSED;
    }
    return ctl_setup_apply(setup);
}

int ctl_setup(const struct ctl *ctl, int argc, char **argv)
{
    struct ctl_setup setup = { .ctl = ctl };
    struct flags flags = { false, false, false };
    int status;
    if (!read_options(&setup, &flags, argc, argv) || flags.is_question) {
        status = usage(flags.is_question ? stdout : stderr);
    } else {
        setup.is_interactive = ctl_is_terminal(STDIN_FILENO) && !setup.says_yes;
        status = run(&setup, &flags);
    }
    setup_answers_clear(&setup.answers);
    config_free(&setup.before);
    free(setup.text_before);
    free(setup.web_admin);
    free(setup.password_file);
    free(setup.pin);
    return status;
}
