/* ctl_setup_web.c - the first account of the web page; see ctl_setup.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/password.h"
#include "base/secret_file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/ctl_client.h"
#include "gateway/ctl_setup.h"
#include "gateway/ctl_terminal.h"

enum { WORDS_MAX = 2000, TRIES = 3 };

static int read_file(const char *file, char **password_out)
{
    char *text, *error = NULL;
    size_t len;
    if (secret_file_read(file, PASSWORD_LENGTH_MAX + 1, &text, &len, &error) != 1) {
        fprintf(stderr, "posternctl: --admin-password-file: %s\n", error);
        free(error);
        return -1;
    }
    *password_out = xstrndup(text, strcspn(text, "\r\n"));
    free(text);
    return 1;
}

/* Twice, for nobody sees what is typed. 0: these differ. */
static int ask_twice(char **password_out)
{
    char *again = NULL;
    int result = ctl_read_secret("Password for the web page (12 characters or more): ", password_out);
    if (result == 1 && ctl_is_terminal(STDIN_FILENO)) {
        result = ctl_read_secret("The same once more: ", &again);
        if (result >= 0 && (!again || strcmp(*password_out, again) != 0)) {
            fputs("These differ.\n", stderr);
            result = 0;
        }
        free(again);
    }
    return result;
}

int ctl_setup_take_password(const struct ctl_setup *setup, char **password_out)
{
    *password_out = NULL;
    if (!setup->web_admin || !*setup->web_admin)
        return 1;
    for (unsigned i = 0; i < TRIES; i++) {
        int result = setup->password_file ? read_file(setup->password_file, password_out) : ask_twice(password_out);
        const char *complaint = result == 1 ? password_complaint(*password_out) : NULL;
        if (result == 1 && !complaint)
            return 1;
        if (complaint)
            fprintf(stderr, "The password %s.\n", complaint);
        free(*password_out);
        *password_out = NULL;
        if (result < 0 || setup->password_file || !ctl_is_terminal(STDIN_FILENO))
            break;
    }
    fputs("posternctl: there is no password for the account of the web page\n", stderr);
    return -1;
}

static int add_by_daemon(const struct ctl_setup *setup, const char *password)
{
    const char *const words[] = { "admin", "add", setup->web_admin };
    struct ctl_answer answer;
    int called = ctl_client_call(setup->ctl, false, 3, words, password, &answer);
    int status = answer.exit;
    if (called == 1 && status == CTL_OK)
        printf("Made the account \"%s\" of the web page.\n", setup->web_admin);
    else if (called == 1)
        fputs(answer.err, stderr);
    ctl_answer_clear(&answer);
    return status;
}

int ctl_setup_add_admin(const struct ctl_setup *setup, const struct config *config, const char *password)
{
    struct strbuf words;
    int status = CTL_OK;
    if (!password)
        return CTL_OK;
    strbuf_init(&words, WORDS_MAX);
    fflush(stdout); /* before there are two of us */
    switch (setup_add_web_admin(config, setup->web_admin, password, &ctl_setup_patience, &words)) {
    case SETUP_MADE:
        printf("Made the account \"%s\" of the web page, which will be at http://%s/ on this machine.\n",
               setup->web_admin, config->admin.http);
        break;
    case SETUP_KNOWN:
        printf("There is an account \"%s\" of the web page already; posternctl admin passwd %s changes its password.\n",
               setup->web_admin, setup->web_admin);
        break;
    case SETUP_DAEMON:
        status = add_by_daemon(setup, password);
        break;
    case SETUP_LATER:
    case SETUP_FAILED:
        fprintf(stderr, "posternctl: the account of the web page could not be made: %s\n", words.data);
        status = CTL_REFUSED;
        break;
    }
    strbuf_free(&words);
    return status;
}
