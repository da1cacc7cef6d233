/* resolver_anchors.h - the file of trust anchors by which DNS answers are validated (RFC 4035 section 4.4)
 *
 * DS or DNSKEY records as in a zone file, one a line, ";" begins a comment: what unbound-anchor, dig and Debian's dns-root-data write.
 * libunbound passes over what it can't read, and validates nothing then; so files are read here before.
 */
#pragma once

struct strbuf;

enum { RESOLVER_ANCHORS_MAX = 64 * 1024 }; /* bytes of a file */

/* 1 when it has an anchor and nothing else, or -1 with what is wrong, or the system's error, in problem_out. Blocks: it reads a file. */
int resolver_anchors_check(const char *path, struct strbuf *problem_out) __attribute__((warn_unused_result));
