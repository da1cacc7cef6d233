/* gateway_config_fuzz.c - configuration files: never a crash, never both a configuration and problems, never neither */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "gateway/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct strbuf problems;
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    strbuf_init(&problems, 1024 * 1024);
    struct config *config = config_load(path, &problems);
    if ((config != NULL) != (problems.len == 0))
        abort();
    config_free(&config);
    strbuf_free(&problems);
    close(fd);
    return 0;
}
