/* store_draft.c - see store_draft.h; adding is store_content.c's */
#include "mapping/store_draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "mapping/store_internal.h"

static struct store_draft *draft_new(const struct store *store)
{
    struct store_draft *draft = xcalloc(1, sizeof *draft);
    draft->directory = xstrdup(store_content_directory(store));
    draft->fd = -1;
    return draft;
}

struct store_draft *store_draft_new_spool(const struct store *store, const struct spool *spool)
{
    struct store_draft *draft = draft_new(store);
    draft->spool = spool;
    draft->size = spool_size(spool);
    return draft;
}

struct store_draft *store_draft_new_fd(const struct store *store, int fd, int64_t size)
{
    struct store_draft *draft = draft_new(store);
    draft->fd = fd;
    draft->size = size;
    return draft;
}

void store_draft_free(struct store_draft **draft_in)
{
    struct store_draft *draft = *draft_in;
    if (!draft)
        return;
    if (draft->name[0] && !draft->is_added)
        store_file_remove(draft->directory, draft->name);
    free(draft->directory);
    free(draft);
    *draft_in = NULL;
}

bool store_draft_is_large(const struct store_draft *draft)
{
    return draft->size > STORE_BLOB_MAX;
}

int store_draft_keep(struct store_draft *draft)
{
    char name[STORE_FILE_NAME_SIZE];
    if (!store_draft_is_large(draft) || draft->name[0])
        return 1;
    int fd = draft->spool ? spool_dup_fd(draft->spool) : draft->fd;
    if (fd < 0) {
        log_error("store.content_unreadable", "error=%s", strerror(errno));
        return -1;
    }
    int result = store_file_keep(draft->directory, fd, draft->size, name);
    if (draft->spool)
        close(fd);
    if (result == 1)
        memcpy(draft->name, name, sizeof name);
    return result;
}
