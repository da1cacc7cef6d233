/* setup_web.c - an account of the web page while no daemon runs; see setup.h */
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/password.h"
#include "base/strbuf.h"
#include "gateway/setup.h"
#include "mapping/store_audit.h"
#include "mapping/store_web.h"

enum { ACTOR_MAX = 100, OBJECT_MAX = STORE_WEB_NAME_MAX + 40, MS_PER_S = 1000, NS_PER_MS = 1000 * 1000 };

struct addition {
    const char *name, *password;
    char hash[PASSWORD_HASH_SIZE];
    struct strbuf actor; /* who has started us, as the control socket would call them */
    struct loop *loop;
    int result;
    bool is_done;
};

static int add(struct store_db *db, void *arg)
{
    struct addition *addition = arg;
    struct timespec now;
    struct strbuf object;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t now_ms = (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
    int result = store_web_account_add(db, addition->name, addition->hash, now_ms);
    if (result != 1)
        return result;
    strbuf_init(&object, OBJECT_MAX);
    strbuf_add_fmt(&object, "account %s", addition->name);
    const struct store_actor actor = { .channel = "cli", .name = addition->actor.data };
    const struct store_audit_new row = { .actor = &actor, .action = "admin.add", .object = object.data, .now = now_ms };
    result = store_audit_add(db, &row);
    strbuf_free(&object);
    return result;
}

static void added(int result, void *arg)
{
    struct addition *addition = arg;
    addition->result = result;
    addition->is_done = true;
    loop_stop(addition->loop);
}

static enum setup_result work(struct loop *loop, struct store *store, void *ctx, struct strbuf *words)
{
    struct addition *addition = ctx;
    addition->loop = loop;
    if (password_hash(addition->password, addition->hash) < 0) {
        strbuf_add_str(words, "there is not enough memory to work on the password");
        return SETUP_FAILED;
    }
    store_submit(store, add, added, addition);
    while (!addition->is_done)
        loop_run(loop);
    if (addition->result < 0)
        strbuf_add_str(words, "the database can't be written");
    return addition->result == 1 ? SETUP_MADE : addition->result == 0 ? SETUP_KNOWN : SETUP_FAILED;
}

enum setup_result setup_add_web_admin(const struct config *config, const char *name, const char *password,
                                      const struct setup_patience *patience, struct strbuf *words_out)
{
    struct addition addition = { .name = name, .password = password };
    const struct passwd *who = getpwuid(getuid());
    strbuf_init(&addition.actor, ACTOR_MAX);
    strbuf_add_fmt(&addition.actor, "%.40s (uid %u)", who ? who->pw_name : "somebody", (unsigned)getuid());
    enum setup_result result = setup_in_store(config, patience, work, &addition, words_out);
    strbuf_free(&addition.actor);
    return result;
}
