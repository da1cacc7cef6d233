#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "smtp/spf_internal.h"

int spf_ip_parse(const char *text, size_t len, struct spf_ip *ip_out)
{
    char copy[INET6_ADDRSTRLEN];
    memset(ip_out, 0, sizeof *ip_out);
    if (len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, ip_out->octets) == 1)
        ip_out->len = 4;
    else if (inet_pton(AF_INET6, copy, ip_out->octets) == 1)
        ip_out->len = 16;
    return ip_out->len > 0 ? 1 : -1;
}

void spf_ip_unmap(struct spf_ip *ip)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };
    if (ip->len != 16 || memcmp(ip->octets, mapped, sizeof mapped) != 0)
        return;
    memmove(ip->octets, ip->octets + sizeof mapped, 4);
    memset(ip->octets + 4, 0, sizeof ip->octets - 4);
    ip->len = 4;
}

bool spf_ip_match(const struct spf_ip *a, const struct spf_ip *b, unsigned prefix)
{
    assert(prefix <= 128);
    if (a->len != b->len || prefix > a->len * 8)
        return false;
    size_t whole = prefix / 8;
    if (memcmp(a->octets, b->octets, whole) != 0)
        return false;
    if (prefix % 8 == 0)
        return true;
    unsigned mask = 0xFFU << (8 - prefix % 8);
    return ((a->octets[whole] ^ b->octets[whole]) & mask & 0xFF) == 0;
}

void spf_ip_format(const struct spf_ip *ip, char out[static SPF_IP_TEXT_SIZE])
{
    static_assert(INET6_ADDRSTRLEN <= SPF_IP_TEXT_SIZE, "an address fits");
    if (inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->octets, out, SPF_IP_TEXT_SIZE) == NULL)
        out[0] = '\0';
}

void spf_ip_format_labels(const struct spf_ip *ip, char out[static SPF_IP_TEXT_SIZE])
{
    if (ip->len == 4) {
        spf_ip_format(ip, out);
        return;
    }
    for (size_t i = 0; i < 32; i++) {
        unsigned octet = ip->octets[i / 2];
        out[2 * i] = "0123456789abcdef"[i % 2 == 0 ? octet >> 4 : octet & 0x0F];
        out[2 * i + 1] = i == 31 ? '\0' : '.';
    }
}

void spf_ip_format_reverse(const struct spf_ip *ip, char out[static DNS_NAME_MAX + 1])
{
    if (ip->len == 4) {
        const unsigned char *octets = ip->octets;
        snprintf(out, DNS_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", octets[3], octets[2], octets[1], octets[0]);
        return;
    }
    char labels[SPF_IP_TEXT_SIZE];
    spf_ip_format_labels(ip, labels);
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = labels[62 - 2 * i];
        out[2 * i + 1] = '.';
    }
    snprintf(out + 64, DNS_NAME_MAX + 1 - 64, "ip6.arpa");
}
