/* Whatever stands in a sealed file or text: it does not open unless it is what was sealed, and nothing crashes.
 *
 * Input: one octet that says what is tried, two with a place (big-endian), then the content. An even first octet: the content itself
 * is opened; an odd one: it is sealed, the octet at the place (modulo the size) is changed by the first octet's
 * upper bits, or the file is cut there if these are 0, and then it must not open.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char about[] = "about";
static const uint8_t *content;

static void check(int holds)
{
    if (!holds)
        abort();
}

static struct seal_key *the_key(void)
{
    static struct seal_key *key;
    char directory[] = "/tmp/seal-fuzz-XXXXXX", path[64], *error = NULL;
    if (key)
        return key;
    check(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/key", directory);
    check(seal_key_make(path, &key, &error) == 1);
    unlink(path);
    rmdir(directory);
    return key;
}

static int64_t read_content(void *ctx, int64_t offset, void *out, size_t len)
{
    size_t size = *(size_t *)ctx;
    size_t rest = size - (size_t)offset;
    memcpy(out, content + offset, rest < len ? rest : len);
    return (int64_t)(rest < len ? rest : len);
}

static int open_file(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("sealed", MFD_CLOEXEC), out = memfd_create("open", MFD_CLOEXEC);
    int64_t size = 0;
    check(write(fd, bytes, len) == (ssize_t)len);
    int result = seal_open_file(the_key(), about, fd, out, &size);
    close(fd);
    close(out);
    return result;
}

static int open_text(const uint8_t *bytes, size_t len)
{
    char *text = NULL;
    size_t text_len = 0;
    int result = seal_open_text(the_key(), about, bytes, len, &text, &text_len);
    if (result == 1)
        free(text);
    return result;
}

static size_t damage(uint8_t *bytes, size_t len, size_t place, uint8_t by)
{
    place %= len;
    if (by == 0)
        return place;
    bytes[place] ^= by;
    return len;
}

static void try_damaged(size_t size, size_t place, uint8_t by)
{
    size_t text_len = 0, file_len = (size_t)seal_file_size((int64_t)size);
    uint8_t *text = seal_text(the_key(), about, content, size, &text_len), *file = malloc(file_len);
    check(file && open_text(text, text_len) == 1);
    check(open_text(text, damage(text, text_len, place, by)) == 0);
    int fd = memfd_create("sealed", MFD_CLOEXEC);
    check(seal_file(the_key(), about, read_content, &size, (int64_t)size, fd) == 1);
    check(pread(fd, file, file_len, 0) == (ssize_t)file_len);
    close(fd);
    check(open_file(file, file_len) == 1);
    check(open_file(file, damage(file, file_len, place, by)) == 0);
    free(text);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 300000)
        return 0;
    content = data + 3;
    size -= 3;
    if (data[0] & 1) {
        try_damaged(size, (size_t)data[1] << 8 | data[2], data[0] & 0xfe);
    } else {
        check(open_file(content, size) == 0);
        check(open_text(content, size) == 0);
    }
    return 0;
}
