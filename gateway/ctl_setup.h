/* ctl_setup.h - posternctl setup: from nothing to a configuration that works
 *
 *   ctl_setup.c        what is asked, and the order of things
 *   ctl_setup_apply.c  what is then done
 *   ctl_setup_web.c    the first account of the web page
 */
#pragma once
#include <stdbool.h>

#include "base/tls.h"
#include "gateway/ctl.h"
#include "gateway/setup.h"

struct config;

ctl_verb ctl_setup;

struct ctl_setup {
    const struct ctl *ctl;
    struct setup_answers answers;
    struct config *before; /* the configuration that is there; NULL: none, or one with mistakes */
    char *text_before;     /* of the file; NULL: there is none */
    char *web_admin;       /* name of an account for the web page; NULL or "": none */
    char *password_file;   /* its password; NULL: asked */
    char *pin;             /* of the silo, that somebody has compared; NULL */
    bool is_interactive;   /* somebody is there to be asked */
    bool says_yes, is_dry, skips_checks, skips_account;
};

/* Writes and makes all that the answers say, and tells on standard output what. The exit status. */
int ctl_setup_apply(struct ctl_setup *setup);
/* Only shows what is to be done elsewhere. */
int ctl_setup_show(struct ctl_setup *setup, bool postfix, bool dns);

/* For what is done in the database: whoever waits is told on standard error. */
extern const struct setup_patience ctl_setup_patience;

/* 1, with NULL when no account is wanted; -1: none that will do was given, and that was said. The caller frees it. */
int ctl_setup_take_password(const struct ctl_setup *setup, char **password_out) __attribute__((warn_unused_result));
/* password NULL: nothing. The exit status. */
int ctl_setup_add_admin(const struct ctl_setup *setup, const struct config *config, const char *password);
