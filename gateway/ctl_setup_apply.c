/* ctl_setup_apply.c - what posternctl setup does when all is answered; see ctl_setup.h
 *
 * The configuration is checked as the daemon would before anything is written, and takes its place in one step; what comes before
 * it (folders, keys) does no harm without it, and what comes behind it can be done again.
 */
#include "gateway/ctl_setup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/ctl_doctor.h"
#include "gateway/ctl_terminal.h"

enum {
    TEXT_MAX = 1024 * 1024,
    RSA_BITS = 2048,
    STATE_MODE = 0700,
    RUN_MODE = 0750,
    CONFIG_MODE = 0750,
    DEFAULT_MESSAGE_MIB = 35,
    MIB_SHIFT = 20
};

static int fail(char *error)
{
    fprintf(stderr, "posternctl: %s\n", error ? error : "unknown error");
    free(error);
    return CTL_REFUSED;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
}

static bool is_there(const char *file)
{
    return access(file, F_OK) == 0;
}

/* ---- what is shown ---- */

static void show_dns(const struct setup_answers *answers)
{
    struct strbuf out;
    char *error = NULL, *record = NULL;
    strbuf_init(&out, TEXT_MAX);
    if (answers->dkim && *answers->dkim && answers->dkim_key)
        record = setup_dkim_record(answers->dkim_key, &error);
    setup_add_dns(&out, answers, record);
    if (error)
        strbuf_add_fmt(&out, "; the DKIM record can't be shown: %s\n", error);
    fputs(out.data, stdout);
    free(error);
    free(record);
    strbuf_free(&out);
}

static void show_postfix(const struct setup_answers *answers, const struct config *config)
{
    struct strbuf out;
    strbuf_init(&out, TEXT_MAX);
    setup_add_postfix(&out, answers, config ? config->policy.max_message : (int64_t)DEFAULT_MESSAGE_MIB << MIB_SHIFT);
    fputs(out.data, stdout);
    strbuf_free(&out);
}

int ctl_setup_show(struct ctl_setup *setup, bool postfix, bool dns)
{
    if (!setup->before) {
        fprintf(stderr, "posternctl: %s is of no use yet: posternctl setup\n", setup->ctl->config_file);
        return CTL_REFUSED;
    }
    setup_answers_take(&setup->answers, setup->before);
    if (postfix)
        show_postfix(&setup->answers, setup->before);
    if (dns)
        show_dns(&setup->answers);
    return CTL_OK;
}

/* ---- what is made ---- */

static int make_owner(struct ctl_setup *setup, struct setup_owner *owner)
{
    const char *user = setup->answers.user;
    char *error = NULL;
    if (setup_find_owner(user, setup->answers.state_dir, owner) == 1)
        return CTL_OK;
    if (geteuid() != 0) {
        fprintf(stderr, "posternctl: there is no user \"%s\", and only root can make one\n", user);
        return CTL_REFUSED;
    }
    if (setup_make_user(user, setup->answers.state_dir, &error) < 0 ||
        setup_find_owner(user, setup->answers.state_dir, owner) < 0)
        return fail(error ? error : xstrdup("the user that was made can't be found"));
    printf("Made the system user %s.\n", user);
    return CTL_OK;
}

static int make_folder(const char *path, const struct setup_owner *owner, unsigned mode)
{
    char *error = NULL;
    bool was_there = is_there(path);
    if (setup_make_folder(path, owner, mode, &error) < 0)
        return fail(error);
    if (!was_there)
        printf("Made %s.\n", path);
    return CTL_OK;
}

/* Only those that are missing: the others may be anybody's, such as /etc or /run. */
static int make_missing_folder_of(const char *file, const struct setup_owner *owner, unsigned mode)
{
    char *folder = folder_of(file);
    int status = folder && !is_there(folder) ? make_folder(folder, owner, mode) : CTL_OK;
    free(folder);
    return status;
}

static int make_dkim_key(const struct setup_answers *answers, const struct setup_owner *owner)
{
    char *error = NULL;
    if (!*answers->dkim || is_there(answers->dkim_key))
        return CTL_OK;
    if (signing_key_make(answers->dkim_key, SIGNING_KEY_RSA, RSA_BITS, &error) < 1 ||
        setup_give_file(answers->dkim_key, owner, &error) < 0)
        return fail(error);
    printf("Made the key %s, with which mail is signed.\n", answers->dkim_key);
    return CTL_OK;
}

static int make_certificate(const struct setup_answers *answers, const struct setup_owner *owner)
{
    char *error = NULL;
    if (strcmp(answers->mail, "direct") != 0 || !*answers->certificate || !*answers->key ||
        (is_there(answers->certificate) && is_there(answers->key)))
        return CTL_OK;
    if (tls_make_self_signed(answers->hostname, answers->certificate, answers->key, &error) < 0 ||
        setup_give_file(answers->key, owner, &error) < 0)
        return fail(error);
    printf("Made the certificate %s, so that mail comes encrypted. Replace it by one that an authority has signed, and "
           "%s likewise.\n",
           answers->certificate, answers->key);
    return CTL_OK;
}

static int make_all(struct ctl_setup *setup, struct setup_owner *owner)
{
    const struct setup_answers *answers = &setup->answers;
    int status = make_owner(setup, owner);
    const struct setup_owner root = { .is_root = owner->is_root,
                                      .uid = owner->is_root ? 0 : owner->uid,
                                      .gid = owner->gid };
    if (status == CTL_OK)
        status = make_missing_folder_of(setup->ctl->config_file, &root, CONFIG_MODE);
    if (status == CTL_OK)
        status = make_folder(answers->state_dir, owner, STATE_MODE);
    if (status == CTL_OK)
        status = make_missing_folder_of(answers->socket, owner, RUN_MODE);
    if (status == CTL_OK)
        status = make_dkim_key(answers, owner);
    return status == CTL_OK ? make_certificate(answers, owner) : status;
}

/* ---- the configuration ---- */

static void compose(struct ctl_setup *setup, struct strbuf *text)
{
    strbuf_init(text, TEXT_MAX);
    if (setup->before) {
        strbuf_add_str(text, setup->text_before);
        setup_change(&setup->answers, setup->before, text);
    } else {
        setup_write(&setup->answers, text);
    }
}

/* 1 write it; 0 it is the same; -1 no. */
static int may_write(const struct ctl_setup *setup, const char *text)
{
    struct strbuf question;
    if (setup->text_before && strcmp(setup->text_before, text) == 0)
        return 0;
    if (!setup->is_interactive) {
        if (!setup->text_before || setup->says_yes)
            return 1;
        fprintf(stderr, "posternctl: %s is there already; --yes writes over it (the old one is kept as %s.bak)\n",
                setup->ctl->config_file, setup->ctl->config_file);
        return -1;
    }
    strbuf_init(&question, TEXT_MAX);
    strbuf_add_fmt(&question, "\n%s\nWrite this to %s?", text, setup->ctl->config_file);
    int answer = ctl_ask_yes(question.data);
    strbuf_free(&question);
    return answer == 1 ? 1 : -1;
}

/* ---- the account ---- */

static void tell(int64_t waited_ms)
{
    fprintf(stderr, "  The database is being opened, for %" PRId64 " s now: a large one may take long.\n",
            waited_ms / 1000);
}

const struct setup_patience ctl_setup_patience = { .work_ms = 60 * 1000, .tell_ms = 5 * 1000, .tell = tell };

static int make_account(struct ctl_setup *setup, const struct config *config, bool *is_running_out)
{
    struct strbuf words;
    int status = CTL_OK;
    strbuf_init(&words, TEXT_MAX);
    fflush(stdout); /* before there are two of us */
    const char *pin = setup->pin && *setup->pin ? setup->pin : NULL;
    enum setup_result result = setup_register(config, pin, &ctl_setup_patience, &words);
    switch (result) {
    case SETUP_MADE:
        printf("Registered with the silo as \"%s\" (%s).\n", config->silo.alias, words.data);
        break;
    case SETUP_KNOWN:
        printf("The gateway has its account in the silo already (%s).\n", words.data);
        break;
    case SETUP_LATER:
        printf("The silo can't be reached now (%s); the daemon will register when it can.\n", words.data);
        break;
    case SETUP_DAEMON:
        *is_running_out = true;
        puts("A daemon is running: it has the account in the silo, or makes it.");
        break;
    case SETUP_FAILED:
        fprintf(stderr, "posternctl: the gateway could not be registered: %s\n", words.data);
        status = CTL_REFUSED;
        break;
    }
    strbuf_free(&words);
    return status;
}

/* ---- all of it ---- */

static void show_rest(struct ctl_setup *setup, const struct config *config, bool is_running)
{
    struct strbuf out;
    puts("\n== Postfix ==");
    show_postfix(&setup->answers, config);
    puts("\n== DNS ==");
    show_dns(&setup->answers);
    puts("\n== Next ==");
    strbuf_init(&out, TEXT_MAX);
    setup_add_next_steps(&out, &setup->answers, setup->ctl->config_file, is_running);
    fputs(out.data, stdout);
    strbuf_free(&out);
}

static int check_all(const struct ctl_setup *setup)
{
    if (setup->skips_checks)
        return CTL_OK;
    puts("\n== As it is now ==");
    fflush(stdout);
    (void)ctl_doctor_look(setup->ctl, false, "mail"); /* what is wrong is said; setting up has been done */
    puts("");
    (void)ctl_doctor_look(setup->ctl, false, "dns");
    return CTL_OK;
}

static int write_and_register(struct ctl_setup *setup, const char *text, int wanted, const struct setup_owner *owner,
                              const char *password)
{
    const char *file = setup->ctl->config_file;
    struct config *config;
    bool is_running = false;
    char *error = NULL, *problems = setup_check_text(text, file, &config);
    if (problems) {
        fprintf(stderr, "%sposternctl: %s was not written\n", problems, file);
        free(problems);
        return CTL_REFUSED;
    }
    if (wanted == 1 && setup_write_file(file, text, owner, &error) < 0) {
        config_free(&config);
        return fail(error);
    }
    if (wanted == 1)
        printf("Wrote %s%s.\n", file, setup->text_before ? "; the one before is there as .bak" : "");
    else
        printf("%s stays as it is.\n", file);
    int status = setup->skips_account ? CTL_OK : make_account(setup, config, &is_running);
    int added = ctl_setup_add_admin(setup, config, password);
    show_rest(setup, config, is_running);
    config_free(&config);
    return status == CTL_OK ? added : status;
}

static int show_dry(struct ctl_setup *setup, const char *text)
{
    printf("# %s would be:\n%s\n", setup->ctl->config_file, text);
    show_postfix(&setup->answers, setup->before);
    puts("");
    show_dns(&setup->answers);
    return CTL_OK;
}

int ctl_setup_apply(struct ctl_setup *setup)
{
    struct strbuf text;
    struct setup_owner owner = { .is_root = false };
    int status;
    compose(setup, &text);
    if (setup->is_dry) {
        status = show_dry(setup, text.data);
        strbuf_free(&text);
        return status;
    }
    char *password = NULL;
    int wanted = may_write(setup, text.data);
    if (wanted < 0 || ctl_setup_take_password(setup, &password) < 0) {
        fputs("Nothing was changed.\n", stderr);
        status = CTL_REFUSED;
    } else {
        status = make_all(setup, &owner);
        if (status == CTL_OK)
            status = write_and_register(setup, text.data, wanted, &owner, password);
        if (status == CTL_OK)
            status = check_all(setup);
    }
    free(password);
    strbuf_free(&text);
    return status;
}
