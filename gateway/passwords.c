/* passwords.c - see passwords.h */
#include "gateway/passwords.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/background.h"
#include "base/password.h"
#include "base/xmalloc.h"

struct passwords {
    struct loop *loop;
    struct background *thread; /* NULL: not needed yet */
    unsigned waiting;
};

struct job {
    struct passwords *owner;
    char *password;
    char *hash; /* to be compared; NULL: of nobody */
    bool only_makes, has_made;
    char made[PASSWORD_HASH_SIZE];
    int result;
    passwords_done *done;
    void *ctx;
};

struct passwords *passwords_new(struct loop *loop)
{
    struct passwords *passwords = xcalloc(1, sizeof *passwords);
    passwords->loop = loop;
    return passwords;
}

void passwords_free(struct passwords **passwords)
{
    if (!*passwords)
        return;
    background_free(&(*passwords)->thread);
    free(*passwords);
    *passwords = NULL;
}

static void work(void *arg)
{
    struct job *job = arg;
    if (job->only_makes) {
        job->result = password_hash(job->password, job->made);
        job->has_made = job->result == 1;
    } else if (!job->hash) {
        job->result = password_hash(job->password, job->made) == 1 ? 0 : -1;
    } else {
        job->result = password_check(job->hash, job->password);
        if (job->result == 1 && password_is_outdated(job->hash))
            job->has_made = password_hash(job->password, job->made) == 1;
    }
}

static void done(void *arg)
{
    struct job *job = arg;
    job->owner->waiting--;
    job->done(job->result, job->has_made ? job->made : NULL, job->ctx);
    free(job->password);
    free(job->hash);
    free(job);
}

static void discard(void *arg)
{
    struct job *job = arg;
    job->result = -1;
    job->has_made = false;
    done(job);
}

static int submit(struct passwords *passwords, struct job job, const char *hash, const char *password, unsigned most)
{
    if (passwords->waiting >= most)
        return 0;
    if (!passwords->thread)
        passwords->thread = background_new(passwords->loop);
    passwords->waiting++;
    job.owner = passwords;
    job.password = xstrdup(password);
    job.hash = hash ? xstrdup(hash) : NULL;
    background_submit(passwords->thread, work, done, discard, xmemdup(&job, sizeof job));
    return 1;
}

int passwords_make(struct passwords *passwords, const char *password, passwords_done *on_done, void *ctx)
{
    return submit(passwords, (struct job){ .only_makes = true, .done = on_done, .ctx = ctx }, NULL, password,
                  PASSWORDS_WAITING_MAX);
}

int passwords_check(struct passwords *passwords, enum passwords_of whose, const char *hash, const char *password,
                    passwords_done *on_done, void *ctx)
{
    return submit(passwords, (struct job){ .done = on_done, .ctx = ctx }, hash, password,
                  whose == PASSWORDS_OF_STRANGER ? PASSWORDS_STRANGERS_MAX : PASSWORDS_WAITING_MAX);
}
