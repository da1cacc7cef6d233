/* setup.h - the first configuration: what is made of a few answers
 *
 * For `posternctl setup` (ctl_setup.c), which asks. Pure, but for setup_file.c and setup_account.c, which write:
 *
 *   setup.c          answers to and from a configuration
 *   setup_text.c     what is to be done elsewhere: Postfix, DNS, next steps
 *   setup_machine.c  what can be guessed on this machine
 *   setup_file.c     files and folders
 *   setup_store.c    work in the database while no daemon has it:
 *   setup_account.c  the gateway's account in the silo
 *   setup_web.c      an account of the web page
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct strbuf;

/* Texts as people give them; NULL: not answered, "": none. */
struct setup_answers {
    char *domain, *hostname, *user, *state_dir, *socket;
    char *silo, *alias;
    char *
        mail; /* how mail comes in: "postfix" (a Postfix on this machine hands it on, by LMTP) or "direct" (to us, by SMTP) */
    char *listen;                       /* address */
    char *relay;                        /* URL */
    char *dkim;                         /* selector; "": mail is not signed here */
    char *first_admin;                  /* alias in the silo */
    char *resolver;                     /* "system" or ADDRESS:PORT */
    char *certificate, *key, *dkim_key; /* files */
    char *socketmap, *policy;           /* addresses that Postfix asks */
    char *admin_http;                   /* of the web page; "": none */
};
void setup_answers_clear(struct setup_answers *answers);
/* What a configuration says. */
void setup_answers_take(struct setup_answers *answers, const struct config *config);

/* A new configuration. */
void setup_write(const struct setup_answers *answers, struct strbuf *out);
/* text is that of `config`: changes in it what the answers say otherwise. What setup knows nothing of stays as it is. */
void setup_change(const struct setup_answers *answers, const struct config *config, struct strbuf *text);
/* Would config_load() take this value of this key of a configuration that is fine otherwise? value: as it is to be written. NULL: yes; else what is
 * wrong, for the caller to free. */
struct config_place;
char *setup_check_value(const struct config_place *place, const char *value);
/* Likewise of a whole text; *config_out NULL for problems, which are the result. `name` stands for the file in them. */
char *setup_check_text(const char *text, const char *name, struct config **config_out);

/* ---- setup_text.c: what is shown; everything can be pasted ---- */

/* main.cf for a Postfix in front, behind, or both. */
void setup_add_postfix(struct strbuf *out, const struct setup_answers *answers, int64_t max_message);
/* Zone file lines. dkim: "v=DKIM1; ...", NULL: none. */
void setup_add_dns(struct strbuf *out, const struct setup_answers *answers, const char *dkim);
/* The record of a key in a file; NULL with the reason. The caller frees either. */
char *setup_dkim_record(const char *key_file, char **error_out);
void setup_add_next_steps(struct strbuf *out, const struct setup_answers *answers, const char *config_file,
                          bool is_running);

/* ---- setup_machine.c: reads files and tries ports of this machine; asks no DNS ---- */

/* This machine's name with its domain, by the kernel or /etc/hosts; NULL. The caller frees it. */
char *setup_guess_hostname(void);
bool setup_has_postfix(void);            /* something on 127.0.0.1:25 greets as a mail server */
bool setup_is_free(const char *address); /* nobody listens there, and we could; true when that can't be told */
/* 127.0.0.1:PORT, the first from `port` on that is free and not `taken`. */
char *setup_free_address(unsigned port, const char *taken);

/* ---- setup_file.c ---- */

/* Who the files are for; -1: nobody of that name. user "" or NULL: who we are, or, of root, whose state_dir is. */
struct setup_owner {
    bool is_root; /* we may give files away */
    unsigned uid, gid;
};
int setup_find_owner(const char *user, const char *state_dir, struct setup_owner *owner_out)
    __attribute__((warn_unused_result));
int setup_make_user(const char *user, const char *home, char **error_out) __attribute__((warn_unused_result));
/* A folder of the owner's, with those above it (root's). One that is there gets owner and mode, unless there are files of others in it.
 * -1 with the reason. */
int setup_make_folder(const char *path, const struct setup_owner *owner, unsigned mode, char **error_out)
    __attribute__((warn_unused_result));
/* Writes the configuration: root's, readable for the owner's group, mode 0640. What was there becomes FILE.bak. Whatever happens, the file is
 * the old one or the new one. -1 with the reason. */
int setup_write_file(const char *file, const char *text, const struct setup_owner *owner, char **error_out)
    __attribute__((warn_unused_result));
int setup_give_file(const char *file, const struct setup_owner *owner, char **error_out)
    __attribute__((warn_unused_result));

/* ---- setup_store.c: what is done in the database ---- */

enum setup_result {
    SETUP_FAILED,
    SETUP_MADE,
    SETUP_KNOWN,  /* it is there already */
    SETUP_LATER,  /* the silo is not there: the daemon will do it */
    SETUP_DAEMON, /* a daemon has the database */
};
struct loop;
struct store;
typedef enum setup_result setup_work(struct loop *loop, struct store *store, void *ctx, struct strbuf *words);
/* Works in a process of its own, as the configured user, so that all files of the database are that user's from the beginning, and with
 * the database locked, so that no daemon is in it. words_out: the work's, or why it was not begun.
 * The database is opened first, which may take long when it is large: it may have to be brought to this version. */
struct setup_patience {
    int64_t work_ms;                 /* for the work; as long as it takes for opening, */
    int64_t tell_ms;                 /* and each time so long has gone by */
    void (*tell)(int64_t waited_ms); /* somebody is told */
};
enum setup_result setup_in_store(const struct config *config, const struct setup_patience *patience, setup_work *work,
                                 void *ctx, struct strbuf *words_out);

/* setup_account.c: registers the gateway's account under silo.alias. pin: what somebody has compared; NULL. The
 * words are the account's id, or what is wrong. */
enum setup_result setup_register(const struct config *config, const char *pin, const struct setup_patience *patience,
                                 struct strbuf *words_out);
/* setup_web.c: adds an account of the web page, as `posternctl admin add` does. */
enum setup_result setup_add_web_admin(const struct config *config, const char *name, const char *password,
                                      const struct setup_patience *patience, struct strbuf *words_out);
