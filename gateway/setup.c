/* setup.c - answers become a configuration, and a configuration answers; see setup.h */
#include "gateway/setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/config_edit.h"

enum { VALUE_MAX = 64 * 1024, PROBLEMS_MAX = 64 * 1024, PATH_SIZE = 64 };

/* ---- answers ---- */

void setup_answers_clear(struct setup_answers *answers)
{
    char *owned[] = { answers->domain,   answers->hostname,    answers->user,     answers->state_dir,   answers->socket,
                      answers->silo,     answers->alias,       answers->mail,     answers->listen,      answers->relay,
                      answers->dkim,     answers->first_admin, answers->resolver, answers->certificate, answers->key,
                      answers->dkim_key, answers->socketmap,   answers->policy,   answers->admin_http };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    *answers = (struct setup_answers){ NULL };
}

static void take(char **answer, const char *value)
{
    free(*answer);
    *answer = xstrdup(value ? value : "");
}

void setup_answers_take(struct setup_answers *answers, const struct config *config)
{
    const struct config_listener *listener = &config->listeners[0]; /* there is one at least, as of relays */
    take(&answers->domain, config->domain);
    take(&answers->hostname, config->hostname);
    take(&answers->user, config->user);
    take(&answers->state_dir, config->state_dir);
    take(&answers->socket, config->admin.socket);
    take(&answers->silo, config->silo.address);
    take(&answers->alias, config->silo.alias);
    take(&answers->mail, listener->lmtp ? "postfix" : "direct");
    take(&answers->listen, listener->address);
    take(&answers->relay, config->relays[0].url);
    take(&answers->dkim, config->dkim_count > 0 ? config->dkim[0].selector : "");
    if (config->dkim_count > 0)
        take(&answers->dkim_key, config->dkim[0].key);
    take(&answers->first_admin, config->policy.admins ? config->policy.admins[0] : "");
    take(&answers->resolver, config->verify.servers ? config->verify.servers[0] : "system");
    if (listener->certificate)
        take(&answers->certificate, listener->certificate);
    if (listener->key)
        take(&answers->key, listener->key);
    take(&answers->admin_http, config->admin.http);
    take(&answers->socketmap, config->postfix.socketmap);
    take(&answers->policy, config->postfix.policy);
}

static bool is_given(const char *answer)
{
    return answer && *answer;
}

/* ---- a new one ---- */

static void add_value(struct strbuf *out, const char *key, const char *value)
{
    if (!is_given(value))
        return;
    strbuf_add_fmt(out, "%s = ", key);
    config_edit_add_quoted(out, value);
    strbuf_add_char(out, '\n');
}

static void add_listener(struct strbuf *out, const struct setup_answers *answers)
{
    const bool is_postfix = strcmp(answers->mail, "postfix") == 0;
    strbuf_add_str(out, "\nlisten mx {\n");
    add_value(out, "  address", answers->listen);
    strbuf_add_fmt(out, "  protocol = %s\n", is_postfix ? "lmtp" : "smtp");
    if (is_postfix) {
        strbuf_add_str(out, "  tls = none\n  xforward = { \"127.0.0.1\" } # Postfix says from whom it has the mail\n");
    } else if (is_given(answers->certificate)) {
        strbuf_add_str(out, "  tls = may\n");
        add_value(out, "  certificate", answers->certificate);
        add_value(out, "  key", answers->key);
    } else {
        strbuf_add_str(out, "  tls = none\n");
    }
    strbuf_add_str(out, "}\n");
}

static void add_list(struct strbuf *out, const char *key, const char *value)
{
    strbuf_add_fmt(out, "  %s = { ", key);
    config_edit_add_quoted(out, value);
    strbuf_add_str(out, " }\n");
}

void setup_write(const struct setup_answers *answers, struct strbuf *out)
{
    strbuf_add_str(
        out, "# postern.conf: made by posternctl setup, which changes single values in it and leaves the rest as you "
             "write it.\n"
             "# All keys: postern.conf(5). Is it right? posternd -t. Make it count: posternctl reload.\n\n");
    add_value(out, "state_dir", answers->state_dir);
    add_value(out, "domain", answers->domain);
    add_value(out, "hostname", answers->hostname);
    add_value(out, "user", answers->user);
    strbuf_add_str(out, "\nsilo {\n");
    add_value(out, "  address", answers->silo);
    add_value(out, "  alias", answers->alias);
    strbuf_add_str(out, "}\n");
    add_listener(out, answers);
    strbuf_add_str(out, "\nrelay {\n");
    add_value(out, "  url", answers->relay);
    strbuf_add_str(out, "}\n");
    if (is_given(answers->socketmap) || is_given(answers->policy)) {
        strbuf_add_str(out, "\npostfix { # asks here for whom mail is accepted, and from whom\n");
        add_value(out, "  socketmap", answers->socketmap);
        add_value(out, "  policy", answers->policy);
        strbuf_add_str(out, "}\n");
    }
    if (is_given(answers->dkim)) {
        strbuf_add_str(out, "\ndkim {\n");
        add_value(out, "  selector", answers->dkim);
        add_value(out, "  key", answers->dkim_key);
        strbuf_add_str(out, "}\n");
    }
    strbuf_add_str(out, "\npolicy {\n");
    if (is_given(answers->first_admin))
        add_list(out, "admins", answers->first_admin);
    strbuf_add_str(out, "}\n");
    strbuf_add_str(out, "\nadmin {\n");
    add_value(out, "  socket", answers->socket);
    add_value(out, "  http", answers->admin_http);
    strbuf_add_str(out, "}\n");
    if (is_given(answers->resolver) && strcmp(answers->resolver, "system") != 0) {
        strbuf_add_str(out, "\nverify {\n");
        add_list(out, "resolver", answers->resolver);
        strbuf_add_str(out, "}\n");
    }
}

/* ---- an existing one ---- */

static void set_if_other(struct strbuf *text, struct config_place place, const char *was, const char *is)
{
    struct strbuf value;
    if (!is || strcmp(was ? was : "", is) == 0)
        return;
    strbuf_init(&value, VALUE_MAX);
    config_edit_add_quoted(&value, is);
    if (*is)
        config_edit_set(text, &place, value.data);
    else
        (void)config_edit_remove(text, &place);
    strbuf_free(&value);
}

/* Those who are admins stay so. */
static void add_admin(struct strbuf *text, const struct config *config, const char *alias)
{
    const struct config_place place = { "policy", NULL, "admins" };
    struct strbuf list;
    bool is_there = !is_given(alias);
    strbuf_init(&list, VALUE_MAX);
    strbuf_add_str(&list, "{ ");
    for (char **admin = config->policy.admins; admin && *admin; admin++) {
        is_there = is_there || strcmp(*admin, alias) == 0;
        config_edit_add_quoted(&list, *admin);
        strbuf_add_str(&list, ", ");
    }
    if (!is_there) {
        config_edit_add_quoted(&list, alias);
        strbuf_add_str(&list, " }");
        config_edit_set(text, &place, list.data);
    }
    strbuf_free(&list);
}

static void change_listener(struct strbuf *text, const struct setup_answers *answers,
                            const struct config_listener *listener)
{
    const bool is_postfix = strcmp(answers->mail, "postfix") == 0;
    const char *name = listener->name;
    set_if_other(text, (struct config_place){ "listen", name, "address" }, listener->address, answers->listen);
    if (is_postfix == listener->lmtp)
        return;
    config_edit_set(text, &(struct config_place){ "listen", name, "protocol" }, is_postfix ? "lmtp" : "smtp");
    if (is_postfix) {
        config_edit_set(text, &(struct config_place){ "listen", name, "xforward" }, "{ \"127.0.0.1\" }");
        return;
    }
    (void)config_edit_remove(text, &(struct config_place){ "listen", name, "xforward" }); /* strangers connect now */
    if (is_given(answers->certificate)) {
        set_if_other(text, (struct config_place){ "listen", name, "certificate" }, NULL, answers->certificate);
        set_if_other(text, (struct config_place){ "listen", name, "key" }, NULL, answers->key);
        config_edit_set(text, &(struct config_place){ "listen", name, "tls" }, "may");
    }
}

void setup_change(const struct setup_answers *answers, const struct config *config, struct strbuf *text)
{
    const struct {
        struct config_place place;
        const char *was, *is;
    } values[] = {
        { { NULL, NULL, "domain" }, config->domain, answers->domain },
        { { NULL, NULL, "hostname" }, config->hostname, answers->hostname },
        { { NULL, NULL, "user" }, config->user, answers->user },
        { { NULL, NULL, "state_dir" }, config->state_dir, answers->state_dir },
        { { "silo", NULL, "address" }, config->silo.address, answers->silo },
        { { "silo", NULL, "alias" }, config->silo.alias, answers->alias },
        { { "relay", NULL, "url" }, config->relays[0].url, answers->relay },
        { { "postfix", NULL, "socketmap" }, config->postfix.socketmap, answers->socketmap },
        { { "postfix", NULL, "policy" }, config->postfix.policy, answers->policy },
        { { "admin", NULL, "socket" }, config->admin.socket, answers->socket },
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        set_if_other(text, values[i].place, values[i].was, values[i].is);
    change_listener(text, answers, &config->listeners[0]);
    add_admin(text, config, answers->first_admin);
    if (config->dkim_count == 0 && is_given(answers->dkim)) {
        set_if_other(text, (struct config_place){ "dkim", NULL, "selector" }, NULL, answers->dkim);
        set_if_other(text, (struct config_place){ "dkim", NULL, "key" }, NULL, answers->dkim_key);
    }
    const char *resolver = config->verify.servers ? config->verify.servers[0] : "system";
    set_if_other(text, (struct config_place){ "verify", NULL, "resolver" }, resolver, answers->resolver);
    set_if_other(text, (struct config_place){ "admin", NULL, "http" }, config->admin.http, answers->admin_http);
}

/* ---- checking ---- */

/* `name` for the path by which the text was read. */
static char *rename_in(const char *problems, const char *path, const char *name)
{
    struct strbuf text;
    const size_t len = strlen(path);
    strbuf_init(&text, 2 * PROBLEMS_MAX);
    for (const char *at = problems; *at;) {
        if (strncmp(at, path, len) == 0) {
            strbuf_add_str(&text, name);
            at += len;
        } else {
            strbuf_add_char(&text, *at++);
        }
    }
    return strbuf_detach(&text);
}

char *setup_check_text(const char *text, const char *name, struct config **config_out)
{
    char path[PATH_SIZE];
    struct strbuf problems, own;
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    strbuf_init(&own, PATH_SIZE);
    strbuf_add_fmt(&own, "/proc/self/fd/%d", fd);
    memcpy(path, own.data, own.len + 1);
    strbuf_free(&own);
    strbuf_init(&problems, PROBLEMS_MAX);
    *config_out = NULL;
    if (fd >= 0 && file_write_all(fd, text, strlen(text)) == 1)
        *config_out = config_load(path, &problems);
    else
        strbuf_add_fmt(&problems, "%s: no memory to check it\n", path);
    if (fd >= 0)
        close(fd);
    char *result = *config_out ? NULL : rename_in(problems.data, path, name);
    strbuf_free(&problems);
    return result;
}

char *setup_check_value(const struct config_place *place, const char *value)
{
    static const char fine[] =
        "domain = \"example.org\"\nhostname = \"gw.example.org\"\nsilo { address = \"=localhost:1\" }\n"
        "listen mx { address = \"127.0.0.1:1\" tls = none }\nrelay { url = \"maildir:/nowhere\" }\n";
    struct strbuf text;
    struct config *config;
    strbuf_init(&text, VALUE_MAX);
    strbuf_add_str(&text, fine);
    config_edit_set(&text, place, value);
    char *problems = setup_check_text(text.data, "", &config);
    config_free(&config);
    strbuf_free(&text);
    if (!problems)
        return NULL;
    /* ":3: what is wrong": the line means nothing here, and one problem is enough. */
    const char *what = strstr(problems, ": ");
    what = what ? what + 2 : problems;
    char *result = xstrndup(what, strcspn(what, "\n"));
    free(problems);
    return result;
}
