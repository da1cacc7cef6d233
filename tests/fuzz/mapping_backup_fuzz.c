/* mapping_backup_fuzz.c - what a backup says that it holds: whatever it is, each member lies inside of the file, where it says */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapping/store_backup_internal.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The fuzzer can't guess checksums: they are made right. */
static void put_right(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + STORE_ARCHIVE_BLOCK <= size; at += STORE_ARCHIVE_BLOCK) {
        if (memcmp(data + at + 257, "ustar", 6) != 0)
            continue;
        unsigned sum = 0;
        memset(data + at + 148, ' ', 8);
        for (size_t i = 0; i < STORE_ARCHIVE_BLOCK; i++)
            sum += data[at + i];
        for (size_t i = 6; i-- > 0; sum >>= 3)
            data[at + 148 + i] = (uint8_t)('0' + (sum & 7));
        data[at + 154] = 0;
    }
}

static void read_list(int fd, size_t size)
{
    struct store_backup_list list;
    char *error = NULL;
    int result = store_backup_list_read(fd, &list, &error);
    require(result == 1 || (result == -1 && error && list.count == 0));
    for (size_t i = 0; i < list.count; i++) {
        const struct store_backup_member *member = &list.members[i];
        require(member->head.size >= 0 && member->offset >= 0 &&
                (uint64_t)member->offset + (uint64_t)member->head.size <= size);
        require(!strstr(member->head.name, "..") && member->head.name[0] != '/');
    }
    if (result == 1)
        store_backup_list_free(&list);
    free(error);
}

/* What was understood is understood alike when it is written down. */
static void write_and_parse(const struct store_backup_about *about)
{
    struct strbuf text, twice;
    struct store_backup_about again;
    strbuf_init(&text, STORE_BACKUP_ABOUT_MAX);
    strbuf_init(&twice, STORE_BACKUP_ABOUT_MAX);
    store_backup_about_write(about, &text);
    require(store_backup_about_parse(text.data, text.len, &again) == 1);
    store_backup_about_write(&again, &twice);
    require(strcmp(text.data, twice.data) == 0);
    strbuf_free(&text);
    strbuf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    struct store_backup_about about;
    int fd = memfd_create("backup", MFD_CLOEXEC);
    require(fd >= 0 && copy);
    memcpy(copy, data, size);
    put_right(copy, size);
    require(store_backup_write_at(fd, copy, size, 0) == 1);
    read_list(fd, size);
    if (store_backup_about_parse((const char *)data, size, &about) == 1)
        write_and_parse(&about);
    close(fd);
    free(copy);
    return 0;
}
