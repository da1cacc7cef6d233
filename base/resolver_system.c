#include "base/resolver_system.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024, SERVER_SIZE = INET6_ADDRSTRLEN + 16 };

static bool is_address(int family, const char *text)
{
    struct in6_addr address;
    return inet_pton(family, text, &address) == 1;
}

/* word is taken apart. */
static bool make_server(char *word, char out[static SERVER_SIZE])
{
    char *scope = strchr(word, '%');
    if (scope == NULL) {
        snprintf(out, SERVER_SIZE, "%s", word);
        return is_address(AF_INET, word) || is_address(AF_INET6, word);
    }
    *scope++ = '\0';
    unsigned index = if_nametoindex(scope);
    if (index == 0 && scope[strspn(scope, "0123456789")] == '\0')
        index = (unsigned)strtoul(scope, NULL, 10);
    snprintf(out, SERVER_SIZE, "%.*s%%%u", INET6_ADDRSTRLEN, word, index);
    return index > 0 && is_address(AF_INET6, word);
}

unsigned resolver_system_read(const char *path, resolver_system_server *each, void *ctx)
{
    static const char blanks[] = " \t\r\n";
    char line[LINE_SIZE];
    char server[SERVER_SIZE];
    unsigned count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *rest = NULL;
        const char *key = strtok_r(line, blanks, &rest);
        char *word = key != NULL && strcmp(key, "nameserver") == 0 ? strtok_r(NULL, blanks, &rest) : NULL;
        if (word == NULL || !make_server(word, server))
            continue;
        each(server, ctx);
        count++;
    }
    fclose(file);
    return count;
}
