/* tmtp_silo_content.h - the data of a message that the silo takes in
 *
 * Up to SILO_CONTENT_INLINE_MAX bytes stay in memory and go into the database; longer data is written to a file of its
 * own as it arrives, so a message of any length costs little memory. A file has a temporary name until
 * silo_content_keep() has brought it to the disk under the message's id; the commit of the message's row follows. What
 * a crash leaves behind without a row is swept up at the next start.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SILO_CONTENT_INLINE_MAX = 64 * 1024 };

struct silo_content;

/* directory is kept, not copied. NULL when a file is needed and can't be made (errno). */
struct silo_content *silo_content_new(const char *directory, uint64_t size) __attribute__((warn_unused_result));
void silo_content_free(struct silo_content **content); /* removes the file unless it was kept */
int silo_content_add(struct silo_content *content, const void *data, size_t len) /* 1, or -1 with errno */
    __attribute__((warn_unused_result));

bool silo_content_is_file(const struct silo_content *content);
uint64_t silo_content_size(const struct silo_content *content);
const uint8_t *silo_content_bytes(const struct silo_content *content); /* when it is no file */
/* Files only: durable under the id when this returns 1; -1 with errno. */
int silo_content_keep(struct silo_content *content, uint64_t id) __attribute__((warn_unused_result));

int silo_content_open(const char *directory, uint64_t id); /* a descriptor for reading; -1 with errno */
void silo_content_remove(const char *directory, uint64_t id);
/* Removes every file whose id is not known. */
void silo_content_sweep(const char *directory, bool (*is_known)(uint64_t id, void *ctx), void *ctx);
