#include "mapping/convert_input.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"

/* A page fault maps the pages around it too, in blocks of 64 KiB as a rule. What is given back ends on such a border,
 * or a part of each block would be mapped again behind the reader, and stay. */
enum { BLOCK = 256 * 1024 };

struct convert_input convert_input_of(const void *data, size_t len)
{
    return (struct convert_input){ .data = data, .len = len };
}

int convert_input_map(int fd, int64_t size, struct convert_input *input_out)
{
    int64_t there;
    *input_out = convert_input_of("", 0);
    if (file_size(fd, &there) < 0)
        return -1;
    if (size < 0 || there < size) {
        errno = EINVAL;
        return -1;
    }
    if (size == 0)
        return 1;
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -1;
    *input_out = (struct convert_input){ .data = data, .len = (size_t)size, .is_mapped = true };
    return 1; /* cppcheck-suppress memleak ; it is in *input_out */
}

void convert_input_unmap(struct convert_input *input)
{
    if (input->is_mapped)
        munmap((void *)(uintptr_t)input->data, input->len);
    *input = convert_input_of("", 0);
}

/* Pages of a private mapping that nobody has written to: the next look brings them back from the file. Returns where
 * it stopped. */
static size_t give_back(const struct convert_input *input, size_t from, size_t to)
{
    uintptr_t start = (uintptr_t)input->data;
    uintptr_t first = (start + from) / BLOCK * BLOCK;
    uintptr_t end = (start + to) / BLOCK * BLOCK;
    if (first < start)
        first = start; /* a mapping begins with a page */
    if (end <= first)
        return from;
    (void)madvise((void *)first, end - first, MADV_DONTNEED); /* a failure costs memory, and nothing else */
    return end - start;
}

void convert_input_passed(struct convert_input *input, const void *at)
{
    if (!input || !input->is_mapped)
        return;
    size_t offset = (size_t)((const char *)at - input->data);
    if (offset < input->kept) { /* another walk begins further in front */
        give_back(input, input->kept, input->top);
        input->kept = input->top = offset;
        return;
    }
    if (offset > input->top)
        input->top = offset;
    if (offset - input->kept >= CONVERT_INPUT_WINDOW)
        input->kept = give_back(input, input->kept, offset);
}

const char *convert_input_find(struct convert_input *input, const char *from, const char *end, const char *wanted,
                               size_t len)
{
    while ((size_t)(end - from) >= len) {
        size_t left = (size_t)(end - from);
        size_t n = left < CONVERT_INPUT_WINDOW ? left : CONVERT_INPUT_WINDOW;
        const char *found = memmem(from, n, wanted, len);
        if (found)
            return found;
        from += n - (len - 1); /* it may lie across two windows */
        convert_input_passed(input, from);
    }
    return NULL;
}
